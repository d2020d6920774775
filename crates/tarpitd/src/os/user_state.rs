//! Where a user's own state belongs, by the XDG base directory specification: there the built-in
//! tarpits keep their keys, so that clients meet the same machine at each start.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::Access;

/// Our directory there, which only its owner may enter; it is made if need be. `None` where this
/// user has no such place or may not write to it.
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
