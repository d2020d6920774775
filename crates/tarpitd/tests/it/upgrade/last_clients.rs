//! Clients that stay with the old daemon during their handshake, and clients that the new program
//! cannot hold: each is closed once, and counted once.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::net::sockopt;
use serde_json::Value;

use super::{
    Between, HELD, Upgraded,
    between::{CLIENTS, SERVING},
    clients, tarpits,
};
use crate::{daemon::until, metrics::samples, tls};

const SECURED: &str =
    "[tarpits.a]\npattern = 'tls'\ninner = 'http_endless_header'\nbind = '127.0.0.1:0'\n";

/// How many lines of this event there are.
fn count(trace: &[Value], event: &str) -> usize {
    trace.iter().filter(|line| line["event"] == event).count()
}

#[test]
fn a_client_that_leaves_during_its_handshake_is_in_the_new_program_s_counters() {
    let text = format!("{SECURED}[metrics]\nbind = '127.0.0.1:0'\n");
    let mut it = Upgraded::start("upgrade-last-counted", &text, 2, &["-t"]);
    let stream = tls::asking(&tls::settings(), it.daemon.addresses[0], "a.example");
    stream.sock.peek(&mut [0]).expect("an answer");
    let socket = it.socket();
    it.begin_upgrade(&socket);
    sockopt::set_socket_linger(&stream.sock, Some(Duration::ZERO)).expect("a socket");
    drop(stream);
    assert!(it.daemon.ends().success());
    let sum = |name: &str| {
        let all = samples(it.daemon.addresses[1]);
        let of_name = all.iter().filter(|(series, _)| series.starts_with(name));
        of_name.fold(0.0, |sum, (_, value)| sum + value).to_string()
    };
    until("it is counted", || sum("tarpitd_clients_closed_total") == "1");
    assert_eq!(sum("tarpitd_clients_opened_total"), "1");
    assert_eq!(sum("tarpitd_clients_held"), "0");
    assert_eq!(it.status()["total"]["opened"], 1);
    it.upgrade();
    assert_eq!(it.status()["total"]["opened"], 1);
    let trace = it.stop();
    assert_eq!((count(&trace, "open"), count(&trace, "close")), (1, 1), "{trace:?}");
}

#[test]
fn a_client_that_the_new_program_does_not_take_any_more_is_closed_by_the_old_one() {
    let mut it = Upgraded::start("upgrade-last-refused", SECURED, 1, &["-t"]);
    let stream = tls::asking(&tls::settings(), it.daemon.addresses[0], "a.example");
    stream.sock.peek(&mut [0]).expect("an answer");
    let mut other = it.take_all();
    other.say(SERVING);
    let answered = std::thread::spawn(move || tls::answered(stream));
    let frame = other.frame().expect("its handshake is done");
    assert_eq!((frame.number(), frame.files.len()), (CLIENTS, 1));
    // It ends instead of taking it.
    drop((frame, other));
    assert!(it.daemon.ends().success());
    let trace = it.daemon.rest_of_trace();
    assert_eq!((count(&trace, "open"), count(&trace, "close")), (1, 1), "{trace:?}");
    // What its client gets of that is not the question.
    drop(answered.join());
}

#[test]
fn a_client_that_never_completes_its_handshake_is_held_by_the_new_program_in_the_end() {
    let mut it = Upgraded::start("upgrade-last-silent", SECURED, 1, &["-t"]);
    let mut stream = tls::asking(&tls::settings(), it.daemon.addresses[0], "a.example");
    stream.sock.peek(&mut [0]).expect("an answer");
    let (ids, socket) = (it.held_ids(), it.socket());
    it.begin_upgrade(&socket);
    // A minute at most, and the time of a busy machine.
    let line = it.daemon.log_line_within(Duration::from_secs(90), "upgrade: handed over");
    assert!(line.ends_with("holds all clients: 1"), "{line}");
    assert!(it.daemon.ends().success());
    until("it is there", || it.held_ids() == ids);
    // What the handshake has brought by then is there, and then there is silence.
    stream.sock.set_read_timeout(Some(Duration::from_secs(1))).expect("a bound");
    let error = loop {
        match stream.sock.read(&mut [0; 4_096]) {
            Ok(count) => assert!(count > 0, "it is closed"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "it is held");
    let trace = it.stop();
    assert_eq!((count(&trace, "open"), count(&trace, "close")), (1, 1), "{trace:?}");
}

#[test]
fn a_client_whose_socket_the_new_program_cannot_watch_has_its_close_line() {
    let mut it = Upgraded::start("upgrade-unwatched", &tarpits(), HELD.len(), &["-t"]);
    let _clients = clients(&it.daemon.addresses);
    // A file of this kind cannot be watched.
    let between = Between::start(&it.directory.path("between"), &it.socket(), |frame| {
        if frame.number() == CLIENTS {
            let file: OwnedFd = File::open("/dev/null").expect("it is there").into();
            frame.files[0] = file;
        }
    });
    it.upgrade_at(between.socket());
    let held = HELD.len() - 1;
    until("one is closed", || it.held() == held);
    assert_eq!(it.status()["total"]["opened"], HELD.len());
    let trace = it.stop();
    let closes: Vec<_> = trace.iter().filter(|line| line["event"] == "close").collect();
    assert_eq!(closes.len(), HELD.len());
    assert_eq!(closes.iter().filter(|line| line["reason"] == "failed").count(), 1);
    assert!(closes.iter().all(|line| line["duration"].as_f64() > Some(0.0)), "{closes:?}");
}
