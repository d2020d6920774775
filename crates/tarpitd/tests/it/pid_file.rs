//! `--pid-file` and `-u`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use crate::{
    daemon::{Daemon, Directory, tarpitd},
    require::require,
};

const ANY: &str = "endless_banner:127.0.0.1:0";

/// Starts it with a process file that cannot be used; what it says, in one line.
fn fails(path: &str) -> String {
    let output = tarpitd().args(["-s", ANY, "--pid-file", path]).output();
    let Output { status, stderr, .. } = output.expect("the binary starts");
    assert_eq!(status.code(), Some(1));
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert!(text.contains(path) && text.lines().count() == 1, "{text}");
    text
}

#[test]
fn the_process_file_is_there_while_the_daemon_runs() {
    let directory = Directory::new("pid");
    let path = directory.path("pid");
    let config = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n";
    let config = directory.file("c.toml", config);
    for source in [["-s", ANY], ["-c", &config]] {
        let daemon = Daemon::start(&[&source[..], &["--pid-file", &path]].concat(), 1);
        let pid = daemon.pid().as_raw_nonzero();
        assert_eq!(fs::read_to_string(&path).expect("it is there"), format!("{pid}\n"));
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(daemon.stop().2.code(), Some(0));
        assert!(!fs::exists(&path).expect("a look"));
    }
}

#[test]
fn what_a_daemon_that_has_ended_left_behind_is_replaced() {
    let directory = Directory::new("pid-stale");
    let mut ended = Command::new("true").spawn().expect("it runs");
    ended.wait().expect("it ends");
    let own = std::process::id();
    // Of a process that is gone, of one that is no tarpitd, and of nobody.
    for left in [format!("{}\n", ended.id()), own.to_string(), String::new()] {
        let path = directory.file("pid", &left);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        let daemon = Daemon::start(&["-s", ANY, "--pid-file", &path], 1);
        let pid = daemon.pid().as_raw_nonzero();
        assert_eq!(fs::read_to_string(&path).expect("it is there"), format!("{pid}\n"));
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
}

#[test]
fn a_file_that_is_somebody_else_s_is_left_alone() {
    let directory = Directory::new("pid-taken");
    let path = directory.path("pid");
    let daemon = Daemon::start(&["-s", ANY, "--pid-file", &path], 1);
    let pid = daemon.pid().as_raw_nonzero();
    assert!(fails(&path).contains(&format!("the running tarpitd (pid {pid})")));
    assert_eq!(fs::read_to_string(&path).expect("it is there"), format!("{pid}\n"));

    let text = directory.file("text", "root:x:0:0:root:/root:/bin/sh\n");
    assert!(fails(&text).contains("does not contain a process number"));
    assert!(fs::read_to_string(&text).expect("it is there").starts_with("root:"));
    assert!(fails("/dev/null").contains("not a regular file"));
    assert!(fails("/nonexistent/pid").contains("name a file in a directory"));
    let link = directory.path("link");
    std::os::unix::fs::symlink(&text, &link).expect("a link");
    fails(&link);
}

#[test]
fn a_user_that_is_given_up_to_cannot_remove_the_file_and_empties_it() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("pid-user");
    fs::set_permissions(directory.path(""), Permissions::from_mode(0o755)).expect("it is ours");
    let path = directory.path("pid");
    let arguments = ["-s", ANY, "-u", "65534:65534", "--pid-file", &path];
    let daemon = Daemon::start(&arguments, 1);
    let status = format!("/proc/{}/status", daemon.pid().as_raw_nonzero());
    let status = fs::read_to_string(status).expect("it is running");
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    assert!(!daemon.log.iter().any(|line| line.contains("running as root")), "{:?}", daemon.log);
    assert_eq!(daemon.stop().2.code(), Some(0));
    assert_eq!(fs::read_to_string(&path).expect("it is still there"), "");

    let daemon = Daemon::start(&["-s", ANY], 1);
    let warning = daemon.log.iter().find(|line| line.contains("running as root"));
    assert!(warning.is_some_and(|line| line.contains("-u nobody")), "{:?}", daemon.log);
}
