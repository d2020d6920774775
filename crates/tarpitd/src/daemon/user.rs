//! The user that the daemon becomes: looking up a name, and the change itself.

use std::{fs, io};

use rustix::process::{Gid, Uid, geteuid, getgid, getuid};

use super::surfaces::OpenedSurface;
use crate::{
    keys::identity::Identity,
    os::privileges::{self, may_change_users},
    report::target::Target,
    settings::{
        Placed, Settings, User,
        finding::{Finding, Gravity, plain},
    },
};

/// The file with the users (passwd(5)).
const PASSWD: &str = "/etc/passwd";

/// The numbers of the user that the daemon becomes; `None` if it is that user already. An error
/// says why there are none.
pub(super) fn numbers(user: &Placed<User>) -> Result<Option<(Uid, Gid)>, Finding> {
    let wrong = |what: String| Finding::new(Gravity::Wrong, user.place.as_ref(), what);
    let (uid, gid) = match &**user {
        User::Ids { uid, gid } => (*uid, *gid),
        User::Name(name) => {
            let name = name.escape_debug();
            let passwd = fs::read_to_string(PASSWD).map_err(|error| {
                wrong(format!(
                    "cannot look up user `{name}` in {PASSWD}: {}; write numbers instead, as in \
                     \"65534:65534\"",
                    plain(&error)
                ))
            })?;
            let found = look_up(&passwd, &name.to_string()).ok_or_else(|| {
                wrong(format!(
                    "there is no user `{name}` in {PASSWD}, the only place where tarpitd looks; \
                     name another user, or write numbers, as in \"65534:65534\""
                ))
            })?;
            (found.0, Some(found.1))
        }
    };
    let may_change = may_change_users();
    let is_present = uid == geteuid().as_raw() && uid == getuid().as_raw();
    // An ordinary user who starts the daemon keeps the present group.
    let named = matches!(**user, User::Name(_));
    let keeps_group = gid.is_none_or(|gid| gid == getgid().as_raw() || (named && !may_change));
    if is_present && keeps_group {
        return Ok(None);
    }
    Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid.unwrap_or(uid)))))
}

/// The user's numbers in passwd(5). The C library's lookup would need plug-ins at run time, which a
/// static program does not have.
fn look_up(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next()? == name;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        named.then_some((uid, gid))
    })
}

/// Drops the daemon's rights, after giving the new user the files that it will need; or says why it
/// cannot.
pub(super) fn become_user(
    settings: &Settings,
    user: (Uid, Gid),
    identity: &Identity,
    (main, trace): (&Target, &Target),
    surfaces: &[OpenedSurface],
) -> Result<(), Finding> {
    let change = || -> io::Result<()> {
        main.give_to(user)?;
        trace.give_to(user)?;
        identity.give_to(user)?;
        surfaces.iter().try_for_each(|surface| surface.give_to(user))?;
        privileges::become_user(user)
    };
    change().map_err(|error| {
        let place = settings.user.as_ref().and_then(|user| user.place.as_ref());
        let what = format!(
            "cannot become user {}:{}: {}; start as root, on a file system with file owners",
            user.0.as_raw(),
            user.1.as_raw(),
            plain(&error)
        );
        Finding::new(Gravity::of(&error), place, what)
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
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\ntar:x:7:8::/:/bin/false\n";
        assert_eq!(look_up(passwd, "tar"), Some((7, 8)));
        assert_eq!(look_up(passwd, "ta"), None);
        assert_eq!(look_up(passwd, "root"), Some((0, 0)));
    }
}
