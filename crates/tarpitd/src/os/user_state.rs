//! The directory for a user's own state (XDG base directory specification). The built-in tarpits
//! keep their keys there, so that clients see the same machine after each start.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::Access;

/// tarpitd's directory there. Only its owner may enter it; it is made if it is missing. `None` if
/// this user has no such place or may not write to it.
pub(crate) fn directory() -> Option<PathBuf> {
    let path = base()?.join("tarpitd");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).ok()?;
    if !is_ours(&path) {
        return None;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).ok()?;
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(&path, all).is_ok().then_some(path)
}

/// Where the state of all programs belongs.
fn base() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // Under sudo the home belongs to another user: nothing is put there.
    let home = || absolute("HOME").filter(|home| is_ours(home));
    absolute("XDG_STATE_HOME").or_else(|| Some(home()?.join(".local/state")))
}

fn is_ours(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::metadata(path).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user)
}
