//! Rights: the file limit raised at the start, and everything else given up once ports and files
//! are open.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use rustix::{
    process::{Gid, Resource, Rlimit, Uid, geteuid, getgid, getrlimit, getuid, setrlimit},
    thread::{
        CapabilitySet, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

use crate::config::{
    Placed, User,
    finding::{Finding, Gravity, plain},
};

/// Where users stand (passwd(5)).
const PASSWD: &str = "/etc/passwd";

/// Raises the soft limit of open files to the hard one; says how many may be open.
pub(crate) fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // If it cannot be raised, what there is must do, and the caps follow it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX)
}

/// The numbers of `user`, whom the daemon is to become; `None` if it is that user already. Says why
/// there are none.
pub(crate) fn numbers(user: &Placed<User>) -> Result<Option<(Uid, Gid)>, Finding> {
    let wrong = |what: String| Finding::new(Gravity::Wrong, user.place.as_ref(), what);
    let (uid, gid) = match &**user {
        User::Ids { uid, gid } => (*uid, *gid),
        User::Name(name) => {
            let name = name.escape_debug();
            let passwd = fs::read_to_string(PASSWD).map_err(|error| {
                wrong(format!(
                    "the user `{name}` cannot be looked up in {PASSWD}: {}; write numbers instead, \
                     as in \"65534:65534\"",
                    plain(&error)
                ))
            })?;
            let found = look_up(&passwd, &name.to_string()).ok_or_else(|| {
                wrong(format!(
                    "there is no user `{name}` in {PASSWD}, and other sources of users are not \
                     asked; name one that is there, or write numbers, as in \"65534:65534\""
                ))
            })?;
            (found.0, Some(found.1))
        }
    };
    let may_change = may_change_users();
    let is_present = uid == geteuid().as_raw() && uid == getuid().as_raw();
    // Whoever starts as an ordinary user has chosen the group by that.
    let named = matches!(**user, User::Name(_));
    let keeps_group = gid.is_none_or(|gid| gid == getgid().as_raw() || (named && !may_change));
    if is_present && keeps_group {
        return Ok(None);
    }
    Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid.unwrap_or(uid)))))
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
pub(crate) fn may_make_files(directory: &Path, (uid, gid): (Uid, Gid)) -> bool {
    let may = |path: &Path, wanted: u32| {
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
    let Ok(directory) = fs::canonicalize(directory) else { return false };
    may(&directory, 0o3) && directory.ancestors().skip(1).all(|above| may(above, 0o1))
}

/// Whether we may do anything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user's numbers by passwd(5). The C library's look-up would need its plug-ins at run time,
/// which a static file does not have.
fn look_up(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next()? == name;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        named.then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_user_is_nobody_to_become_and_an_unknown_one_is_told() {
        let numbers = |user: User| numbers(&user.into());
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        assert_eq!(numbers(User::Ids { uid, gid: None }), Ok(None));
        assert_eq!(numbers(User::Ids { uid, gid: Some(gid) }), Ok(None));
        let other = Some((Uid::from_raw(uid + 1), Gid::from_raw(7)));
        assert_eq!(numbers(User::Ids { uid: uid + 1, gid: Some(7) }), Ok(other));
        let problem = numbers(User::Name("no-such-user".into())).unwrap_err();
        assert_eq!(problem.gravity, Gravity::Wrong);
        assert!(problem.to_string().contains("no-such-user"), "{problem}");
    }

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

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\ntar:x:7:8::/:/bin/false\n";
        assert_eq!(look_up(passwd, "tar"), Some((7, 8)));
        assert_eq!(look_up(passwd, "ta"), None);
        assert_eq!(look_up(passwd, "root"), Some((0, 0)));
    }
}
