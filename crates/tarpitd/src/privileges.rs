//! Rights: the file limit raised at the start, and everything else given up once ports and files
//! are open.

use std::{fs, io};

use rustix::{
    process::{Gid, Resource, Rlimit, Uid, getrlimit, setrlimit},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::config::User;

/// Raises the soft limit of open files to the hard one; says how many may be open.
pub(crate) fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // If it cannot be raised, what there is must do, and the caps follow it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX)
}

/// The numbers of `user`.
pub(crate) fn numbers(user: &User) -> io::Result<(Uid, Gid)> {
    let (uid, gid) = match user {
        User::Ids { uid, gid } => (*uid, gid.unwrap_or(*uid)),
        User::Name(name) => look_up(&fs::read_to_string("/etc/passwd")?, name)
            .ok_or_else(|| io::Error::other("there is no such user in /etc/passwd"))?,
    };
    Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
}

/// Becomes that user, for good. Must be called while there is only one thread: the kernel keeps
/// rights for each thread, and new ones inherit them.
pub(crate) fn become_user((uid, gid): (Uid, Gid)) -> io::Result<()> {
    if uid == rustix::process::getuid() && gid == rustix::process::getgid() {
        return Ok(());
    }
    set_thread_groups(&[gid])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    Ok(())
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
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\ntar:x:7:8::/:/bin/false\n";
        assert_eq!(look_up(passwd, "tar"), Some((7, 8)));
        assert_eq!(look_up(passwd, "ta"), None);
        assert_eq!(look_up(passwd, "root"), Some((0, 0)));
    }
}
