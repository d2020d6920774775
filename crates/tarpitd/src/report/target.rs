//! A file or stream to which lines are appended, each whole or not at all.

use std::{
    fs::{File, Metadata, OpenOptions, symlink_metadata},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Gid, Uid},
};

use crate::settings::{Sink, finding::plain};

/// The most bytes of one write to a file: enough to be worth a system call, few enough that the
/// allocator gives the memory back.
pub(super) const FILE_WRITE: usize = 64 * 1024;

/// The most bytes of one write to a pipe or a terminal. The kernel takes so much at once or not at
/// all (POSIX: `PIPE_BUF`), so the count of lost lines is right at any moment.
const PIPE_WRITE: usize = 4 * 1024;

/// Where lines go, once opened.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    name: String,
    /// A regular file can be cut back to its last whole line.
    regular: bool,
    terminal: bool,
    /// Where the file is made again if it is removed; `None` if that cannot be seen, since it has
    /// no path or its file system counts no links.
    path: Option<PathBuf>,
    /// The last write ended inside a line, and that part could not be removed.
    torn: bool,
}

impl Target {
    /// Opens the sink; a file is appended to.
    pub(crate) fn open(sink: &Sink) -> io::Result<Self> {
        let (file, name) = match sink {
            Sink::File(path) => (append(path)?, path.display().to_string()),
            Sink::Stderr => {
                (File::from(rustix::io::dup(rustix::stdio::stderr())?), "stderr".into())
            }
            Sink::Stdout => {
                (File::from(rustix::io::dup(rustix::stdio::stdout())?), "stdout".into())
            }
        };
        let metadata = file.metadata()?;
        let regular = metadata.is_file();
        let path = match sink {
            Sink::File(path) if regular && metadata.nlink() > 0 => Some(path.clone()),
            _ => None,
        };
        let terminal = rustix::termios::isatty(&file);
        Ok(Self { file, name, regular, terminal, path, torn: false })
    }

    /// Makes the file again if it was removed, since nobody could read the lines that it takes then.
    /// Says whether it was.
    pub(super) fn remake(&mut self) -> io::Result<bool> {
        let was_removed = |_: &PathBuf| self.file.metadata().is_ok_and(|it| it.nlink() == 0);
        let Some(path) = self.path.clone().filter(was_removed) else { return Ok(false) };
        *self = Self::open(&Sink::File(path)).map_err(|error| {
            io::Error::other(format!(
                "it was removed and cannot be made again: {}; create its folder, writable for \
                 tarpitd's user, then run `tarpitd upgrade` or restart tarpitd",
                plain(&error)
            ))
        })?;
        Ok(true)
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a regular file to the user that the daemon becomes, so that this user can open it
    /// again later. A file with a second name stays as it is: that user may have put a link there
    /// to get another user's file.
    pub(crate) fn give_to(&self, (uid, gid): (Uid, Gid)) -> io::Result<()> {
        let same = |link: Metadata| {
            self.file.metadata().is_ok_and(|ours| {
                (ours.dev(), ours.ino(), ours.nlink()) == (link.dev(), link.ino(), 1)
            })
        };
        if self.regular && symlink_metadata(&self.name).is_ok_and(same) {
            rustix::fs::fchown(&self.file, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// The most bytes that are written at once, unless a line is longer.
    pub(super) fn most_at_once(&self) -> usize {
        if self.regular { FILE_WRITE } else { PIPE_WRITE }
    }

    /// Waits until something can be written.
    pub(super) fn wait(&self) {
        if !self.regular {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            // The next write shows whether waiting helped.
            let _ = poll(&mut fds, None);
        }
    }

    /// Writes whole lines; says how many of them were lost, and why.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if self.torn && self.file.write_all(b"\n").is_ok() {
            self.torn = false;
        }
        // On a terminal the live line may be there. The same write clears it, so that it cannot be
        // drawn again in between.
        let cleared;
        let lines = if self.terminal {
            cleared = [b"\r\x1b[K", lines].concat();
            &cleared
        } else {
            lines
        };
        let mut written = 0;
        let error = loop {
            match self.file.write(&lines[written..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) => break Some(error),
            }
            if written == lines.len() {
                return (0, None);
            }
        };
        let whole = lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if written > whole && !self.cut((written - whole) as u64) {
            self.torn = true;
        }
        (count_lines(&lines[whole..]), error)
    }

    /// Removes the last `bytes` bytes from a regular file.
    fn cut(&self, bytes: u64) -> bool {
        self.regular
            && self
                .file
                .metadata()
                .and_then(|metadata| self.file.set_len(metadata.len().saturating_sub(bytes)))
                .is_ok()
    }
}

fn append(path: &Path) -> io::Result<File> {
    // Only its owner may read it, since it has clients' addresses. A pipe without a reader is an
    // error; opening it does not wait.
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(file)
}

/// How many bytes at the front are whole lines, at most `most`; a first line that is longer counts
/// whole.
pub(super) fn whole_lines(bytes: &[u8], most: usize) -> usize {
    let ends = |&byte: &u8| byte == b'\n';
    if bytes.len() <= most {
        return bytes.len();
    }
    let within = bytes[..most].iter().rposition(ends);
    let end = within.or_else(|| bytes.iter().position(ends));
    end.map_or(bytes.len(), |end| end + 1)
}

pub(super) fn count_lines(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count().saturating_sub(1)
}

#[cfg(test)]
impl From<io::PipeWriter> for Target {
    fn from(end: io::PipeWriter) -> Self {
        let file = File::from(std::os::fd::OwnedFd::from(end));
        Self { file, name: "pipe".into(), regular: false, terminal: false, path: None, torn: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_end_with_a_line() {
        for (bytes, most, wanted) in [
            ("ab\ncd\n", 9, 6),
            ("ab\ncd\n", 5, 3),
            ("ab\ncd\n", 3, 3),
            ("ab\ncd\n", 2, 3),
            ("abc", 2, 3),
        ] {
            assert_eq!(whole_lines(bytes.as_bytes(), most), wanted, "{bytes:?} {most}");
        }
    }
}
