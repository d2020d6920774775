//! What goes on beside clients and counters: over an upgrade, a restart through the service
//! manager's store, and a plain restart.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use rustix::process::Signal;

use super::{Upgraded, between::Between};
use crate::{
    daemon::{Client, Daemon, Directory, until},
    page::event,
    systemd::{Manager, of_store},
};

/// What all clients together may be sent in a day.
const DAY: usize = 50_000;

/// A tarpit that sends as fast as its clients read, until the day's bytes are spent.
const GREEDY: &str = "[tarpits.a]\npattern = 'endless_banner'\nrate_limit = 0\n\
                      bind = '127.0.0.1:0'\n[limits]\negress_per_day = 50000\n";

/// A client that has heard all that may be sent.
fn greedy(address: SocketAddr) -> Client {
    let mut client = Client::of(address);
    let mut heard = 0;
    while heard < DAY {
        heard += client.hear().len();
    }
    assert_eq!(heard, DAY);
    client
}

/// Nothing is sent to a client that comes now.
fn is_silent(address: SocketAddr) {
    let mut client = Client::of(address);
    client.0.set_read_timeout(Some(Duration::from_millis(300))).expect("a bound");
    let silence = client.0.read(&mut [0; 16]).expect_err("silence");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_day_s_bytes_are_not_spent_again_after_an_upgrade() {
    let mut it = Upgraded::start("kept-egress", &format!("workers = 1\n{GREEDY}"), 1, &[]);
    let address = it.daemon.addresses[0];
    let _client = greedy(address);
    let config = it.directory.path("tarpitd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    for workers in 1..=2 {
        fs::write(&config, text.replace("workers = 1", &format!("workers = {workers}")))
            .expect("written");
        it.upgrade();
        is_silent(address);
    }
}

#[test]
fn a_day_s_bytes_are_not_spent_again_after_a_restart() {
    let directory = Directory::new("kept-egress-restart");
    let state = directory.path("state");
    let config = directory.file("c.toml", &format!("state_dir = '{state}'\n{GREEDY}"));
    let daemon = Daemon::start(&["-c", &config], 1);
    drop(greedy(daemon.addresses[0]));
    daemon.stop();
    let daemon = Daemon::start(&["-c", &config], 1);
    is_silent(daemon.addresses[0]);
    daemon.stop();
    // A damaged file costs no start, and is told.
    let file = format!("{state}/kept");
    let mut bytes = fs::read(&file).expect("it is kept");
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    fs::write(&file, bytes).expect("written");
    let daemon = Daemon::start(&["-c", &config], 1);
    let told = daemon.log.iter().find(|line| line.contains("kept: this file is damaged"));
    assert!(told.is_some_and(|line| line.contains("kept as kept.unusable")), "{:?}", daemon.log);
    drop(greedy(daemon.addresses[0]));
}

#[test]
fn a_day_s_bytes_are_not_spent_again_after_a_restart_through_the_store() {
    let directory = Directory::new("kept-egress-store");
    let state = directory.path("state");
    let config = directory.file("c.toml", &format!("state_dir = '{state}'\n{GREEDY}"));
    let manager = Manager::new("kept-egress");
    let daemon = Daemon::spawn(of_store(&manager, Vec::new(), &["-c", &config]), 1);
    let _client = greedy(daemon.addresses[0]);
    // Both with the client, and where it is lost on the way.
    daemon.signal(Signal::TERM);
    let mut stored = manager.store();
    daemon.wait();
    for _ in 0..2 {
        let daemon = Daemon::spawn(of_store(&manager, stored, &["-c", &config]), 1);
        is_silent(daemon.addresses[0]);
        daemon.signal(Signal::TERM);
        manager.store();
        stored = Vec::new();
        daemon.wait();
    }
}

/// A tarpit, and a page that shows its last day.
const SHOWN: &str = "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
                     [web]\nbind = '127.0.0.1:0'\n";

/// Clients of the present hour by the page, and how many were held at each sample.
fn day(page: SocketAddr) -> (u64, usize) {
    let event = event(page);
    let held = event["day"]["held"].as_array().map_or(0, Vec::len);
    (event["hours"][23].as_u64().expect("a number"), held)
}

/// A client that is held, after one that has left.
fn one_of_two(tarpit: SocketAddr, page: SocketAddr) -> Client {
    drop(Client::of(tarpit));
    let mut client = Client::of(tarpit);
    client.hear();
    until("both of this hour, one held", || day(page) == (2, 1) && event(page)["held"] == 1);
    client
}

#[test]
fn the_page_s_last_day_goes_on_after_an_upgrade() {
    let mut it = Upgraded::start("kept-day", SHOWN, 2, &[]);
    let [tarpit, page] = it.daemon.addresses[..] else { panic!("two ports") };
    let _client = one_of_two(tarpit, page);
    for _ in 0..2 {
        it.upgrade();
        assert_eq!(day(page), (2, 1));
    }
    let _another = Client::of(tarpit);
    until("it, too", || day(page) == (3, 1));
}

#[test]
fn the_page_s_last_day_goes_on_after_a_restart() {
    let directory = Directory::new("kept-day-restart");
    let state = directory.path("state");
    let config = directory.file("c.toml", &format!("state_dir = '{state}'\n{SHOWN}"));
    let daemon = Daemon::start(&["-c", &config], 2);
    let client = one_of_two(daemon.addresses[0], daemon.addresses[1]);
    daemon.stop();
    drop(client);
    for _ in 0..2 {
        let daemon = Daemon::start(&["-c", &config], 2);
        assert_eq!(day(daemon.addresses[1]), (2, 1));
        daemon.stop();
    }
}

#[test]
fn what_came_most_often_goes_on_after_an_upgrade_and_counts_nobody_twice() {
    let text = "workers = 2\n[tarpits.a]\npattern = 'ftp_hold'\nbind = '127.0.0.1:0'\n";
    let mut it = Upgraded::start("kept-frequent", text, 1, &[]);
    let mut clients: Vec<_> = (0..3).map(|_| Client::of(it.daemon.addresses[0])).collect();
    for client in &mut clients {
        client.0.write_all(b"USER root\r\n").expect("sent");
    }
    clients.pop();
    let counts = |it: &Upgraded| {
        let status = it.status();
        ["users", "networks"].map(|list| status[list][0].clone())
    };
    until("all are counted", || {
        it.held() == 2 && counts(&it).iter().all(|first| first["count"] == 3)
    });
    let before = counts(&it);
    assert_eq!(before[0]["name"], "root");
    for _ in 0..2 {
        it.upgrade();
        assert_eq!(counts(&it), before);
    }
}

#[test]
fn a_network_is_shown_the_same_protocol_after_an_upgrade() {
    let text = "[tarpits.a]\npattern = 'auto'\nstrict_lock = true\nbind = '127.0.0.1:0'\n";
    let mut it = Upgraded::start("kept-pins", text, 1, &[]);
    let asked = |it: &Upgraded, says: &[u8]| {
        let mut client = Client::of(it.daemon.addresses[0]);
        client.0.write_all(says).expect("sent");
        String::from_utf8_lossy(&client.hear()).into_owned()
    };
    let first = asked(&it, b"SSH-2.0-x\r\n");
    assert!(first.starts_with("SSH-2.0-"), "{first}");
    it.upgrade();
    let next = asked(&it, b"GET / HTTP/1.0\r\n\r\n");
    assert!(next.starts_with("SSH-2.0-"), "{next}");
}

#[test]
fn a_part_that_is_damaged_on_its_way_costs_no_client_and_is_told() {
    let mut it = Upgraded::start("kept-damaged", GREEDY, 1, &[]);
    let client = greedy(it.daemon.addresses[0]);
    let ids = it.held_ids();
    // Behind its name stand its length and its form.
    let between = Between::start(&it.directory.path("between"), &it.socket(), |frame| {
        let name = b"\x06egress";
        let place = frame.bytes.windows(name.len()).position(|bytes| bytes == name);
        if let Some(place) = place {
            frame.bytes[place + name.len() + 1] = 0xFF;
        }
    });
    it.upgrade_at(between.socket());
    it.daemon.log_has("what the last daemon kept as `egress` cannot be read here");
    assert_eq!(it.held_ids(), ids);
    drop(client);
}
