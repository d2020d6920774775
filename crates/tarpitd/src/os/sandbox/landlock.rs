//! Files and connections, by landlock(7): what is not allowed beneath a named path is refused,
//! whoever the process is.

use std::{
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open},
    io::Errno,
};

use super::sys::{self, Ruleset};

// The rights on files (linux/landlock.h).
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// The rights that something other than a directory can have.
const OF_A_FILE: u64 = 1 | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// The right to connect by TCP. Binding stays free, for the ports of a reload.
const CONNECT_TCP: u64 = 1 << 1;

/// Abstract Unix sockets and signals: none leave the daemon.
const SCOPES: u64 = 0b11;

/// What the daemon may do with a file or with those in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Append, and make the file again after a rotation.
    Append,
    /// Read, replace, make and remove.
    Keep,
    Read,
    Remove,
}

impl Access {
    fn rights(self) -> u64 {
        match self {
            Self::Append => WRITE_FILE | MAKE_REG | TRUNCATE | IOCTL_DEV,
            Self::Keep => READ_FILE | WRITE_FILE | MAKE_REG | REMOVE_FILE | TRUNCATE,
            Self::Read => READ_FILE,
            Self::Remove => REMOVE_FILE,
        }
    }

    /// Whether who may do this may also do the other.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.rights() & other.rights() == other.rights()
    }
}

/// A path, and what the daemon may do on it and beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
}

/// What the kernel's version can decide about.
fn ruleset(version: u32) -> Ruleset {
    let rights = match version {
        0 | 1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    Ruleset {
        files: (1 << rights) - 1,
        network: if version >= 4 { CONNECT_TCP } else { 0 },
        scoped: if version >= 6 { SCOPES } else { 0 },
    }
}

/// From now on this thread, and those that it starts, may open files only as `grants` say, and
/// connect to nothing.
pub(super) fn restrict(grants: &[Grant]) -> io::Result<()> {
    let handled = ruleset(sys::landlock_version()?);
    let ruleset = sys::create_ruleset(handled)?;
    for Grant { path, access } in grants {
        if let Some((file, is_directory)) = find(path)? {
            let most = if is_directory { handled.files } else { handled.files & OF_A_FILE };
            let rights = access.rights() & most;
            match sys::allow_beneath(ruleset.as_fd(), file.as_fd(), rights) {
                // A pipe or a socket behind /dev/stdout, which landlock does not restrict.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::BADFD) => {}
                allowed => allowed?,
            }
        }
    }
    sys::restrict_self(ruleset.as_fd())
}

/// A path, opened only to name it, and whether it is a directory; `None` if this user cannot get
/// there, so that there is nothing to allow.
fn find(path: &Path) -> io::Result<Option<(rustix::fd::OwnedFd, bool)>> {
    match open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => {
            let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
            Ok(Some((file, kind == FileType::Directory)))
        }
        Err(Errno::ACCESS | Errno::LOOP | Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kernel_is_asked_for_what_it_knows() {
        for (version, files, network, scoped) in [
            (1, 0x1FFF, 0, 0),
            (2, 0x3FFF, 0, 0),
            (3, 0x7FFF, 0, 0),
            (4, 0x7FFF, 2, 0),
            (5, 0xFFFF, 2, 0),
            (6, 0xFFFF, 2, 3),
            (99, 0xFFFF, 2, 3),
        ] {
            assert_eq!(ruleset(version), Ruleset { files, network, scoped }, "{version}");
        }
    }

    #[test]
    fn who_keeps_files_may_also_read_them_and_who_reads_may_do_no_more() {
        assert!(Access::Keep.covers(Access::Read) && Access::Keep.covers(Access::Remove));
        for other in [Access::Append, Access::Keep, Access::Remove] {
            assert!(!Access::Read.covers(other), "{other:?}");
        }
    }
}
