//! The file of `--pid-file`: the process number, for scripts that send signals.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::os::port_owner::{self, Owner};

/// A file with our process number, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
    /// Whether the number in it is ours.
    is_ours: bool,
}

impl PidFile {
    /// Opens the file. The number of a process that has ended, or of the daemon that this one goes on
    /// for, may be replaced. Anything else stays, and is a problem.
    pub(crate) fn open(path: &Path, predecessor: Option<u32>) -> Result<Self, String> {
        let problem = |what: &str| format!("--pid-file {}: {what}", path.display());
        let refused = |error| refusal(path, &error);
        let mut file = open(path).map_err(refused)?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(problem("not a regular file; name another one"));
        }
        match earlier(&mut file).map_err(refused)? {
            Earlier::Nobody => {}
            Earlier::Process(pid) => {
                let is_other = pid != std::process::id() && Some(pid) != predecessor;
                if is_other && matches!(port_owner::process(pid), Some(Owner::Tarpitd { .. })) {
                    return Err(problem(&format!(
                        "the running tarpitd (pid {pid}) uses it; stop that one or name another \
                         file"
                    )));
                }
            }
            Earlier::Text => {
                return Err(problem(
                    "this file does not contain a process number; name another one or remove it",
                ));
            }
        }
        // Now, since the daemon may have no right to do so when it writes the number.
        file.set_permissions(Permissions::from_mode(0o644)).map_err(refused)?;
        Ok(Self { path: path.to_owned(), file, is_ours: false })
    }

    /// Writes the number, which everybody may read.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let write = || -> io::Result<()> {
            let mut file = &self.file;
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        write().map_err(|error| refusal(&self.path, &error))?;
        self.is_ours = true;
        Ok(())
    }

    /// Leaves the file to the next daemon, whose number is in it.
    pub(crate) fn leave(mut self) {
        self.is_ours = false;
    }
}

/// Says that the system refuses the file.
fn refusal(path: &Path, error: &io::Error) -> String {
    format!(
        "--pid-file {}: {error}; name a file in a directory that this user may write to",
        path.display()
    )
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        let number = |metadata: io::Result<fs::Metadata>| Some((metadata.ok()?).ino());
        let is_ours = number(fs::symlink_metadata(&self.path)) == number(self.file.metadata());
        let removed = is_ours && fs::remove_file(&self.path).is_ok();
        if !removed {
            // The daemon may have dropped the right to remove it. Then an empty file misleads
            // nobody; if that fails, too, the next start replaces it.
            let _ = self.file.set_len(0);
        }
    }
}

/// What the file contained before.
enum Earlier {
    Nobody,
    Process(u32),
    Text,
}

fn open(path: &Path) -> io::Result<File> {
    // Opening must not wait for a pipe or follow a link. In append mode the number stands at the
    // start after the file was read and cut.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(flags)
        .open(path)
}

fn earlier(file: &mut File) -> io::Result<Earlier> {
    /// Longer than any number.
    const MOST: u64 = 32;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Ok(Earlier::Nobody);
    }
    let pid = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    Ok(pid.map_or(Earlier::Text, Earlier::Process))
}
