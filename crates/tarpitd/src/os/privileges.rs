//! Rights: raises the file limit at the start, and drops all other rights once ports and files are
//! open.

use std::{
    fs, io,
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::Path,
};

use rustix::{
    net::sockopt,
    process::{Gid, Resource, Rlimit, Uid, getrlimit, setrlimit},
    thread::{
        CapabilitySet, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

/// Raises the soft limit of open files to the hard one; says how many may be open.
pub(crate) fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // If it cannot be raised, what there is must do, and the caps follow it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX)
}

/// Whether this process may become another user.
pub(crate) fn may_change_users() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// Becomes that user, for good. Must be called while there is only one thread: the kernel keeps
/// rights for each thread, and new ones inherit them.
pub(crate) fn become_user((uid, gid): (Uid, Gid)) -> io::Result<()> {
    set_thread_groups(&[gid])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// Whether a process of this user and its one group may make files in a directory, as its mode has
/// it; access control lists are not asked.
pub(crate) fn may_make_files(directory: &Path, user: (Uid, Gid)) -> bool {
    may(directory, user, 0o3)
}

/// The same for reading a file.
pub(crate) fn may_read(file: &Path, user: (Uid, Gid)) -> bool {
    may(file, user, 0o4)
}

/// Whether the modes of a file and of every directory on the way allow this.
fn may(path: &Path, (uid, gid): (Uid, Gid), wanted: u32) -> bool {
    let allows = |path: &Path, wanted: u32| {
        fs::metadata(path).is_ok_and(|metadata| {
            let mode = match metadata {
                _ if uid.is_root() => 0o7,
                _ if metadata.uid() == uid.as_raw() => metadata.mode() >> 6,
                _ if metadata.gid() == gid.as_raw() => metadata.mode() >> 3,
                _ => metadata.mode(),
            };
            mode & wanted == wanted
        })
    };
    // An absolute path, so that every directory on the way is asked.
    let Ok(path) = fs::canonicalize(path) else { return false };
    allows(&path, wanted) && path.ancestors().skip(1).all(|above| allows(above, 0o1))
}

/// Whether a process of this user may do to us whatever it likes: root's, or our own user's.
pub(crate) fn is_us(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// The user as whom the process at the other end of a connection listened: who it was before it
/// dropped rights, if it did that later (unix(7), `SO_PEERCRED`).
pub(crate) fn listener_of(stream: &UnixStream) -> io::Result<u32> {
    Ok(sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// Whether we may do anything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_make_files_is_told_by_the_modes_on_the_way() {
        use std::os::unix::fs::PermissionsExt as _;

        let top = std::env::temp_dir().join(format!("tarpitd-modes-{}", std::process::id()));
        let inner = top.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let stranger = (Uid::from_raw(65_000), Gid::from_raw(65_000));
        for (outer, mode, wanted) in [
            (0o755, 0o777, true),
            (0o755, 0o755, false),
            (0o700, 0o777, false),
            (0o711, 0o703, true),
        ] {
            set(&top, outer);
            set(&inner, mode);
            assert_eq!(may_make_files(&inner, stranger), wanted, "{outer:o} {mode:o}");
        }
        assert!(may_make_files(&inner, (Uid::ROOT, Gid::ROOT)));
        fs::remove_dir_all(top).unwrap();
    }
}
