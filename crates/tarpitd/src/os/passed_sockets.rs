//! The sockets that this process was started with: `LISTEN_FDS` and its companions, as systemd's
//! `sd_listen_fds` has them.

use std::{env, ffi::OsString, os::fd::OwnedFd};

use crate::os::sys;

/// How many there are.
const COUNT: &str = "LISTEN_FDS";

/// Their names, with colons between.
const NAMES: &str = "LISTEN_FDNAMES";

/// The process that they are for.
const PID: &str = "LISTEN_PID";

/// The name of a socket whose unit has none.
const UNNAMED: &str = "unknown";

/// A socket, or another descriptor, that this process was started with.
#[derive(Debug)]
pub(crate) struct Passed {
    /// `FileDescriptorName=` of its unit.
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

/// Takes all of them over; only the first call of the process finds any.
pub(crate) fn take() -> Result<Vec<Passed>, String> {
    let variables = [PID, COUNT, NAMES].map(env::var_os);
    let names = names(variables, std::process::id())?;
    let descriptors = sys::take_passed(names.len());
    let mut all = Vec::with_capacity(names.len());
    for (name, descriptor) in names.into_iter().zip(descriptors) {
        let fd = descriptor.map_err(|number| {
            format!("{COUNT}: descriptor {number} (`{name}`) is not open: start tarpitd by systemd")
        })?;
        all.push(Passed { name, fd });
    }
    Ok(all)
}

/// A name for each descriptor, if they are for this process.
fn names([pid, count, names]: [Option<OsString>; 3], own: u32) -> Result<Vec<String>, String> {
    /// More than a process has open by default.
    const MOST: usize = 65_536;
    let text = |value: Option<OsString>| value.map(|it| it.to_string_lossy().into_owned());
    let (Some(pid), Some(count)) = (text(pid), text(count)) else { return Ok(Vec::new()) };
    if pid != own.to_string() {
        return Ok(Vec::new());
    }
    let number = count.parse().ok().filter(|&number| number <= MOST).ok_or_else(|| {
        format!(
            "{COUNT}={} is not a number of descriptors: start tarpitd by systemd",
            count.escape_debug()
        )
    })?;
    let Some(names) = text(names) else { return Ok(vec![UNNAMED.to_owned(); number]) };
    let names: Vec<_> = names.split(':').map(str::to_owned).take(number + 1).collect();
    if number == 0 || names.len() == number {
        return Ok(names.into_iter().take(number).collect());
    }
    Err(format!(
        "{NAMES} does not name {count} descriptors, as {COUNT} has it: start tarpitd by systemd"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pid: &str, count: &str, given: Option<&str>, wanted: Result<&[&str], &str>) {
        let variables = [Some(pid.into()), Some(count.into()), given.map(OsString::from)];
        match (names(variables, 7), wanted) {
            (Ok(names), Ok(wanted)) => assert_eq!(names, wanted),
            (Err(what), Err(wanted)) => assert!(what.contains(wanted), "{what}"),
            (names, wanted) => panic!("{names:?} is not {wanted:?}"),
        }
    }

    #[test]
    fn descriptors_have_names_and_are_for_one_process() {
        check("7", "2", Some("ssh:web"), Ok(&["ssh", "web"]));
        check("7", "2", Some("ssh:"), Ok(&["ssh", ""]));
        check("7", "2", None, Ok(&["unknown", "unknown"]));
        check("7", "0", Some(""), Ok(&[]));
        check("8", "2", Some("ssh:web"), Ok(&[]));
        check("", "x", None, Ok(&[]));
    }

    #[test]
    fn numbers_and_names_that_cannot_be_say_so() {
        for count in ["x", "-1", "", "4294967296"] {
            check("7", count, None, Err("LISTEN_FDS="));
        }
        for names in ["", "a", "a:b:c"] {
            check("7", "2", Some(names), Err("LISTEN_FDNAMES"));
        }
    }
}
