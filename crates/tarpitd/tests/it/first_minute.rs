//! What a newcomer meets: the built-in tarpits, which have fixed ports, and so a network of their
//! own here.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    thread,
};

use rustix::{
    process::Signal,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::{
    daemon::{Directory, tarpitd},
    require::require,
    terminal::Terminal,
};

/// Runs a test in a thread with a network of its own, in which every port is free.
pub(crate) fn alone(test: fn()) {
    if !require("netns") {
        return;
    }
    let mut keeper = Command::new("unshare");
    keeper.args(["--net", "sh", "-c", "ip link set lo up && echo up && read end"]);
    keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut keeper = keeper.spawn().expect("unshare of util-linux");
    let mut line = String::new();
    let read = BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut line);
    assert!(read.is_ok() && line == "up\n", "{line}");
    let namespace = format!("/proc/{}/ns/net", keeper.id());
    let inside = thread::spawn(move || {
        let file = File::open(namespace).expect("the keeper is running");
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(rustix::fd::AsFd::as_fd(&file), kind).expect("we are root");
        test();
    });
    let outcome = inside.join();
    drop(keeper.stdin.take());
    keeper.wait().expect("it is ours");
    outcome.expect("it passed");
}

/// The built-in tarpits, with this place for the user's state.
fn built_in(state: &str) -> Command {
    let mut command = tarpitd();
    command.env("XDG_STATE_HOME", state);
    command
}

#[test]
fn the_built_in_tarpits_are_the_same_machine_at_each_start() {
    alone(|| {
        let directory = Directory::new("built-in");
        let state = directory.path("state");
        let kept = || {
            let names = ["seed", "ssh_host_ed25519_key", "tls_key"];
            names.map(|name| fs::read(format!("{state}/tarpitd/{name}")).expect("it is kept"))
        };
        let mut first = Terminal::start(built_in(&state), 80);
        first.shows("the last address", |text| text.contains("telnet_login on 127.0.0.1:2323"));
        for command in [
            "ssh -o NoHostAuthenticationForLocalhost=yes -p 2222 root@127.0.0.1",
            "curl http://127.0.0.1:8080/",
            "curl -k https://127.0.0.1:8443/",
            "patterns",
        ] {
            assert!(first.text.contains(command), "{}", first.text);
        }
        let mode = fs::metadata(format!("{state}/tarpitd")).expect("a directory").permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
        let keys = kept();
        first.signal(Signal::HUP);
        assert_eq!(first.end().code(), Some(0));

        let mut second = Terminal::start(built_in(&state), 80);
        second.shows("the last address", |text| text.contains("telnet_login on 127.0.0.1:2323"));
        assert!(kept() == keys);
    });
}

#[test]
fn the_built_in_tarpits_start_without_a_place_for_keys_and_say_nothing_of_it() {
    alone(|| {
        let mut terminal = Terminal::start(built_in("/proc/nowhere"), 80);
        terminal.shows("the last address", |text| text.contains("telnet_login on 127.0.0.1:2323"));
        assert!(!terminal.text.contains("nowhere"), "{}", terminal.text);
    });
}

#[test]
fn without_a_terminal_nothing_is_kept() {
    alone(|| {
        let directory = Directory::new("no-terminal");
        let state = directory.path("state");
        let daemon = crate::daemon::Daemon::spawn(built_in(&state), 6);
        drop(daemon);
        assert!(!fs::exists(state).expect("a look"));
    });
}

#[test]
fn a_second_start_tells_in_one_line_who_has_the_ports() {
    alone(|| {
        let directory = Directory::new("second-start");
        let first = crate::daemon::Daemon::spawn(built_in(&directory.path("state")), 6);
        let output = built_in(&directory.path("state")).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(text.lines().count(), 1, "{text}");
        let pid = first.pid().as_raw_nonzero();
        assert!(text.contains("tarpitd") && text.contains(&format!("pid {pid}")), "{text}");
    });
}
