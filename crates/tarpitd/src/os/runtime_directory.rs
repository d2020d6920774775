//! Where the control socket is when nobody names its path.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::os::admin_socket;

/// The socket's name.
const NAME: &str = "control.sock";

/// The system's directory. systemd makes it for a unit; without one, the daemon does.
const OF_THE_SYSTEM: &str = "/run/tarpitd";

/// Where the daemon makes its socket: in the first directory that it may write or make, or else in
/// the usual one, whose absence the start reports.
pub(crate) fn socket_to_make() -> PathBuf {
    writable().unwrap_or_else(|| OF_THE_SYSTEM.into()).join(NAME)
}

/// Where a daemon that need not have a socket makes one; `None`: there is no place, or another
/// daemon has it.
pub(crate) fn free_socket() -> Option<PathBuf> {
    let path = writable()?.join(NAME);
    admin_socket::look(&path).ok().map(|()| path)
}

/// The first directory that we may write, or make.
fn writable() -> Option<PathBuf> {
    directories().into_iter().find(|it| may_write(it) || may_make(it))
}

fn may_write(directory: &Path) -> bool {
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    directory.is_dir() && accessat(CWD, directory, rights, AtFlags::EACCESS).is_ok()
}

/// Whether this is one of these directories, not there yet, and we may make it.
pub(super) fn may_make(directory: &Path) -> bool {
    directories().iter().any(|known| known == directory)
        && !directory.exists()
        && directory.parent().is_some_and(may_write)
}

/// Makes one of these directories if it is not there. What is in a user's own is nobody else's
/// affair; in the system's, the socket's mode says who may use it.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    if !may_make(directory) {
        return Ok(());
    }
    let mode = if directory == Path::new(OF_THE_SYSTEM) { 0o755 } else { 0o700 };
    fs::DirBuilder::new().mode(mode).create(directory)
}

/// The first socket that is there; otherwise all the places that were looked at.
pub(crate) fn socket_to_use() -> Result<PathBuf, Vec<PathBuf>> {
    let all: Vec<_> = directories().iter().map(|directory| directory.join(NAME)).collect();
    let is_there =
        |path: &&PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    all.iter().find(is_there).cloned().ok_or(all)
}

/// The directories in question, the first one first.
fn directories() -> Vec<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    // systemd separates several directories by colons.
    let of_the_unit =
        set("RUNTIME_DIRECTORY").map(|value| env::split_paths(&value).next().unwrap_or_default());
    let own = set("XDG_RUNTIME_DIR").map(|value| Path::new(&value).join("tarpitd"));
    of_the_unit.into_iter().chain([OF_THE_SYSTEM.into()]).chain(own).collect()
}
