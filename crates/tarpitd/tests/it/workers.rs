//! Several workers, and rights given up.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;

use crate::{
    daemon::{Client, Daemon, Directory},
    require::require,
};

#[test]
fn several_workers_share_a_port_and_its_caps() {
    let directory = Directory::new("workers");
    let path = directory.file(
        "c.toml",
        "workers = 3\n[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\n\
         max_clients = 60\nbind = [{ host = \"127.0.0.1\", port = 0 }]\n[limits]\nevict = \"refuse\"\n",
    );
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let mut held: Vec<_> = (0..60).map(|_| daemon.connect()).collect();
    for client in &mut held {
        client.hear();
    }
    for _ in 0..5 {
        daemon.refuses();
        assert_eq!(daemon.trace_has("refuse")["meta"]["reason"], "max_clients");
    }
    daemon.signal(rustix::process::Signal::USR1);
    let totals = daemon.log_has("totals");
    assert!(totals.contains("held=60 opened=60 refused=5"), "{totals}");
    let (trace, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert_eq!(trace.iter().filter(|line| line["event"] == "close").count(), 60);
}

#[test]
fn each_worker_sends_by_a_ring_unless_it_may_not() {
    let directory = Directory::new("rings");
    for (wanted, line) in [(true, ""), (false, "io_uring = false\n")] {
        let path = directory.file(
            "c.toml",
            &format!(
                "workers = 2\n{line}[tarpits.a]\npattern = \"endless_banner\"\nrate_limit = 64\n\
                 bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
            ),
        );
        let daemon = Daemon::start(&["-c", &path], 1);
        let mut held: Vec<_> = (0..40).map(|_| daemon.connect()).collect();
        for _ in 0..3 {
            for client in &mut held {
                client.hear();
            }
        }
        let rings = daemon.rings();
        let (_, log, _) = daemon.stop();
        // A machine may forbid rings, and then the log tells.
        let refused = log.iter().filter(|line| line.contains("io_uring unavailable")).count();
        let expected = match wanted {
            true if require("io_uring") => (2, 0),
            true => (0, 1),
            false => (0, 0),
        };
        assert_eq!((rings, refused), expected, "{log:?}");
    }
}

#[test]
fn rights_are_given_up_once_everything_is_open() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("rights");
    let trace = directory.path("trace.jsonl");
    let path = directory.file(
        "c.toml",
        &format!(
            "user = \"nobody\"\nworkers = 2\n[tarpits.a]\npattern = \"endless_banner\"\n\
             client_trace = true\nbind = [{{ host = \"127.0.0.1\", port = 0 }}]\n\
             [logging]\nclient_trace = \"{trace}\"\n"
        ),
    );
    let daemon = Daemon::start(&["-c", &path], 1);
    Client::of(daemon.addresses[0]).hear();
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let mut threads = 0;
    for task in tasks.expect("it is running").flatten() {
        let status = fs::read_to_string(task.path().join("status")).expect("a thread");
        let ids = |key| status.lines().find(|line: &&str| line.starts_with(key)).expect("its ids");
        for key in ["Uid:", "Gid:"] {
            assert!(ids(key).split_whitespace().skip(1).all(|id| id == "65534"), "{}", ids(key));
        }
        threads += 1;
    }
    assert!(threads >= 3);
    crate::daemon::file_gets(&trace, |text| !text.is_empty());
}

#[test]
fn a_reload_that_needs_a_right_given_up_names_the_upgrade_for_tarpits_and_surfaces() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("low-ports");
    let path = directory.path("c.toml");
    let config = |port: u16, metrics: u16| {
        let lines = format!(
            "user = \"nobody\"\n[tarpits.a]\npattern = \"endless_banner\"\n\
             bind = [{{ host = \"127.0.0.1\", port = {port} }}]\n\
             [metrics]\nbind = \"127.0.0.1:{metrics}\"\n"
        );
        directory.file("c.toml", &lines)
    };
    config(0, 0);
    let mut daemon = Daemon::start(&["-c", &path], 2);
    // The kernel refuses such ports whether or not they are in use.
    config(1, 2);
    daemon.signal(Signal::HUP);
    for (place, name) in [(4, "a"), (6, "metrics")] {
        let line = daemon.log_has("ports below 1024");
        let wanted = format!("{path}:{place}:");
        assert!(line.contains(&wanted) && line.contains(&format!("{name}: ")), "{line}");
        assert!(line.contains("`tarpitd upgrade` starts one that may have it"), "{line}");
    }
    daemon.log_has("the old one stays in force");
}

#[test]
fn an_installation_plays_the_same_machine_after_every_start() {
    let directory = Directory::new("state");
    let state = directory.path("state");
    let path = directory.file(
        "c.toml",
        &format!(
            "state_dir = \"{state}\"\n[tarpits.a]\npattern = \"smtp_endless_ehlo\"\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        ),
    );
    let host = || {
        let daemon = Daemon::start(&["-c", &path], 1);
        let greeting = String::from_utf8(daemon.connect().hear()).expect("text");
        greeting.split(' ').nth(1).expect("a host's name").to_owned()
    };
    let first = host();
    for _ in 0..4 {
        assert_eq!(host(), first);
    }
    let mode = fs::metadata(format!("{state}/seed")).expect("the seed").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
