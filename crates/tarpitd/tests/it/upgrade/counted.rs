//! Counters that go on: a client is opened once and closed once, whichever way it goes from one
//! daemon to the next.

use std::{fs, net::SocketAddr};

use rustix::process::Signal;

use super::Upgraded;
use crate::{
    daemon::{Client, Daemon, Directory, until},
    metrics::samples,
    systemd::{Manager, of_store},
};

const TARPIT: &str = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
                      client_trace = true\n[metrics]\nbind = '127.0.0.1:0'\n";

/// Counts clients by port, too. Such a count goes on only at the same port.
const COMPAT: &str = "compat = 'endlessh-go'\n";

/// How many clients were opened and closed, and whether the difference is what is held. All of it is
/// read one after the other, so it may disagree while a client leaves.
fn opened_and_closed(metrics: SocketAddr) -> ([String; 2], bool) {
    let all = samples(metrics);
    let sum = |name: &str| {
        let of_name = all.iter().filter(|(series, _)| series.starts_with(name));
        of_name.fold(0.0, |sum, (_, value)| sum + value)
    };
    let tarpits = ["opened", "closed", "held"].map(|it| sum(&format!("tarpitd_clients_{it}")));
    let ports = ["open", "closed"].map(|it| sum(&format!("endlessh_client_{it}_count_total")));
    let [opened, closed, held] = tarpits.map(|it| it.to_string());
    let [port_opened, port_closed] = ports.map(|it| it.to_string());
    let ports_agree = port_opened == "0" || (&port_opened, &port_closed) == (&opened, &closed);
    let agrees = (tarpits[0] - tarpits[1]).to_string() == held && ports_agree;
    ([opened, closed], agrees)
}

/// Whether so many were opened and closed, and all counters agree.
fn are(metrics: SocketAddr, opened: u8, closed: u8) -> bool {
    opened_and_closed(metrics) == ([opened.to_string(), closed.to_string()], true)
}

fn clients(address: SocketAddr, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| Client::of(address)).collect();
    for client in &mut clients {
        client.hear();
    }
    clients
}

/// A configuration with a state directory.
fn with_state(directory: &Directory) -> String {
    let (state, trace) = (directory.path("state"), directory.path("trace"));
    let text = format!("state_dir = '{state}'\n{TARPIT}[logging]\nclient_trace = '{trace}'\n");
    directory.file("c.toml", &text)
}

#[test]
fn an_upgrade_counts_nobody_twice() {
    let mut it = Upgraded::start("counted-upgrade", &format!("{TARPIT}{COMPAT}"), 2, &["-t"]);
    let [address, metrics] = it.daemon.addresses[..] else { panic!("two ports") };
    let mut held = clients(address, 4);
    held.pop();
    until("one has left", || are(metrics, 4, 1));
    for _ in 0..2 {
        it.upgrade();
        assert!(are(metrics, 4, 1), "{:?}", opened_and_closed(metrics));
    }
    drop(held);
    until("all have left", || are(metrics, 4, 4));
}

#[test]
fn a_client_that_the_store_loses_is_counted_once_whether_others_come_back_or_not() {
    let directory = Directory::new("counted-store");
    let config = with_state(&directory);
    let manager = Manager::new("counted-store");
    let start = |kept| Daemon::spawn(of_store(&manager, kept, &["-c", &config]), 2);
    let daemon = start(Vec::new());
    let _held = clients(daemon.addresses[0], 4);
    let mut daemon = daemon;
    // All come back, then all but one, then none, and at last none was there.
    for (back, closed) in [(4, 0_u8), (3, 1), (0, 4), (0, 4)] {
        daemon.signal(Signal::TERM);
        let mut stored = manager.store();
        daemon.wait();
        stored.truncate(back);
        daemon = start(stored);
        let metrics = daemon.addresses[1];
        until("the end of the lost", || are(metrics, 4, closed));
        let closes = || {
            let trace = fs::read_to_string(directory.path("trace")).expect("a trace");
            trace.lines().filter(|line| line.contains("\"event\":\"close\"")).count()
        };
        until("their lines", || closes() == usize::from(closed));
    }
}

#[test]
fn clients_of_a_daemon_that_is_killed_are_closed_in_the_counters_of_the_next() {
    let directory = Directory::new("counted-killed");
    let config = with_state(&directory);
    let start = || Daemon::start(&["-c", &config], 2);
    let daemon = start();
    let one = clients(daemon.addresses[0], 1);
    daemon.stop();
    drop(one);
    // The file is up to a minute old: who has come since is not in it.
    let daemon = start();
    let _held = clients(daemon.addresses[0], 2);
    assert!(are(daemon.addresses[1], 3, 1), "{:?}", opened_and_closed(daemon.addresses[1]));
    drop(daemon);
    let daemon = start();
    assert!(are(daemon.addresses[1], 1, 1), "{:?}", opened_and_closed(daemon.addresses[1]));
    drop(daemon);
    // As it is written while some are held.
    let file = directory.path("state/counters");
    let text = fs::read_to_string(&file).expect("it is saved");
    let held = text.replace("\"opened\":1", "\"opened\":3");
    assert_ne!(held, text);
    fs::write(&file, held).expect("written");
    let daemon = start();
    let metrics = daemon.addresses[1];
    assert!(are(metrics, 3, 3), "{:?}", opened_and_closed(metrics));
    let stopped = "tarpitd_clients_closed_total{tarpit=\"a\",reason=\"stopped\"}";
    assert_eq!(samples(metrics).get(stopped), Some(&3.0));
}
