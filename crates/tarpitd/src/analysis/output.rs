//! The file of a report.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process,
};

/// A file that a page may be written to.
pub(super) struct Output {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// A page, with these rights; the new one takes its place whole.
    Existing(Permissions),
    New,
    /// A device or a pipe.
    Special,
}

/// How a page begins, in capitals or not.
const BEGIN: &[u8] = b"<!doctype html";

impl Output {
    /// Looks at the place before traces are read, which may take minutes. The error says what to do.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        // A link stays, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let kind = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kind::New,
            Err(error) => return Err(error),
            Ok(it) if it.is_dir() => {
                return Err(io::Error::other("it is a directory; name a file in it"));
            }
            Ok(it) if it.is_file() && !is_page(&path)? => {
                // Such as a trace, where the page's own name was forgotten.
                return Err(io::Error::other(
                    "it is no page of an earlier report; name another file, or remove it",
                ));
            }
            Ok(it) if it.is_file() => Kind::Existing(it.permissions()),
            Ok(_) => Kind::Special,
        };
        let output = Self { path, kind };
        if !matches!(output.kind, Kind::Special) {
            drop(output.draft()?);
            fs::remove_file(output.draft_path())?;
        }
        Ok(output)
    }

    /// Writes the page whole or not at all.
    pub(super) fn write(self, page: &str) -> io::Result<()> {
        let permissions = match &self.kind {
            Kind::Existing(permissions) => Some(permissions.clone()),
            Kind::New => None,
            Kind::Special => {
                return OpenOptions::new().write(true).open(&self.path)?.write_all(page.as_bytes());
            }
        };
        let written = self.draft().and_then(|mut draft| {
            permissions.map_or(Ok(()), |it| draft.set_permissions(it))?;
            draft.write_all(page.as_bytes())?;
            draft.sync_all()?;
            fs::rename(self.draft_path(), &self.path)
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(self.draft_path());
        }
        written
    }

    fn draft(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.draft_path())
    }

    /// A name of this process's own beside the file.
    fn draft_path(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{}", process::id()));
        self.path.with_file_name(name)
    }
}

fn is_page(path: &Path) -> io::Result<bool> {
    let mut first = Vec::with_capacity(BEGIN.len());
    File::open(path)?.take(BEGIN.len() as u64).read_to_end(&mut first)?;
    Ok(first.eq_ignore_ascii_case(BEGIN))
}
