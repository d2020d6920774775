//! The last step of a hand-over: the new program is to serve, and then one of both goes on.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::getgid;

use super::{
    HELD, Upgraded, all_are_dripped,
    between::{REFUSED, SERVING},
    clients, goes_on, tarpits,
};
use crate::daemon::Directory;

#[test]
fn a_new_program_that_refuses_in_the_last_moment_leaves_all_to_the_old_one() {
    let mut it = Upgraded::start("upgrade-refuses", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    let mut other = it.take_all();
    other.say_all(&[&[REFUSED, 9], &b"no memory"[..]].concat());
    let line = it.daemon.log_has("this daemon goes on");
    assert!(line.contains("no memory"), "{line}");
    drop(other);
    // Nonsense says nothing of what the new program does, but its end does.
    let mut other = it.take_all();
    other.say(0xFF);
    drop(other);
    goes_on(&mut it, &ids, "nonsense, then its end");
    all_are_dripped(&mut clients);
    let mut other = it.take_all();
    other.say(0xFF);
    other.say(SERVING);
    assert!(it.daemon.ends().success(), "the other one serves");
}

#[test]
fn until_a_new_program_serves_the_old_one_s_files_stay_as_they_are() {
    let files = Directory::new("upgrade-files-stay");
    let pid_file = files.path("pid");
    let options = ["-t", "--pid-file", &pid_file];
    let mut it = Upgraded::start("upgrade-files", &tarpits(), HELD.len(), &options);
    let (file, socket) = (it.directory.path("tarpitd.toml"), it.socket());
    let own = format!("{}\n", it.daemon.pid().as_raw_nonzero());
    let mode = || fs::metadata(&socket).expect("the socket").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let settings = fs::read_to_string(&file).expect("the configuration");
    let with_group = format!("{settings}group = '{}'\n", getgid().as_raw());
    // It fails in the end of its preparations.
    fs::write(&file, format!("{with_group}[logging]\nmain = '/nowhere/at/all'\n"))
        .expect("written");
    assert_eq!(it.run(&["upgrade"]).status.code(), Some(1));
    goes_on(&mut it, &[], "a wrong configuration");
    assert_eq!(mode(), 0o600);
    // What a program has changed in spite of that is set right.
    let other = it.take_all();
    fs::write(&pid_file, "1\n").expect("written");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("it is ours");
    drop(other);
    goes_on(&mut it, &[], "ended");
    assert_eq!((fs::read_to_string(&pid_file).expect("the file"), mode()), (own, 0o600));
    fs::write(&file, with_group).expect("written");
    it.upgrade();
    assert_eq!(mode(), 0o660);
    assert_eq!(it.pid.map(|pid| format!("{pid}\n")), fs::read_to_string(&pid_file).ok());
}
