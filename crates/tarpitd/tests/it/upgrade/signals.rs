//! Signals that reach the old daemon while it hands over.

use rustix::process::{Signal, kill_process};

use super::{Between, End, FORM, HELD, Upgraded, all_are_dripped, clients, tarpits};
use crate::{
    clock::now,
    tls,
    upgrade::between::{Frame, SERVE, SERVING, SIGNAL},
};

/// How postcard writes a signal's number.
fn code(signal: Signal) -> u8 {
    u8::try_from(signal.as_raw()).expect("small") * 2
}

#[test]
fn signals_of_a_hand_over_that_fails_are_the_old_daemon_s() {
    let mut it = Upgraded::start("upgrade-signals-fail", &tarpits(), HELD.len(), &["-t"]);
    let mut clients = clients(&it.daemon.addresses);
    let ids = it.held_ids();
    for serves in [false, true] {
        let other = if serves {
            it.take_all()
        } else {
            let mut other = End::ask(&it.socket(), FORM).expect("a hand-over");
            other.frame().expect("a frame");
            other
        };
        for signal in [Signal::HUP, Signal::USR1, Signal::USR2] {
            it.daemon.signal(signal);
        }
        drop(other);
        it.daemon.log_has("this daemon goes on");
        let mut done: Vec<_> = ["SIGHUP: configuration", "totals: ", "SIGUSR2: "].into();
        while !done.is_empty() {
            let line = it.daemon.log_line();
            done.retain(|text| !line.contains(text));
        }
        assert_eq!(it.held_ids(), ids);
    }
    all_are_dripped(&mut clients);
}

#[test]
fn a_signal_that_ends_the_old_daemon_breaks_a_hand_over_off() {
    let mut it = Upgraded::start("upgrade-broken-off", &tarpits(), HELD.len(), &["-t"]);
    let _clients = clients(&it.daemon.addresses);
    let mut other = End::ask(&it.socket(), FORM).expect("a hand-over");
    other.frame().expect("a frame");
    let begun = now();
    it.daemon.signal(Signal::TERM);
    while other.frame().is_some() {}
    assert!(it.daemon.ends().success());
    assert!(begun.elapsed().as_secs() < 8, "it does not wait for the new program");
    it.daemon.log_has("a signal ends the running daemon; this daemon ends");
    let trace = it.daemon.rest_of_trace();
    let closes = trace.iter().filter(|it| it["event"] == "close" && it["reason"] == "stopped");
    assert_eq!(closes.count(), HELD.len());
}

#[test]
fn an_upgrade_that_a_signal_breaks_off_does_not_say_that_the_daemon_goes_on() {
    let mut it = Upgraded::start("upgrade-has-ended", &tarpits(), HELD.len(), &["-t"]);
    let pid = it.daemon.pid();
    let mut is_first = true;
    let between = Between::start(&it.directory.path("between"), &it.socket(), move |_| {
        if std::mem::take(&mut is_first) {
            kill_process(pid, Signal::TERM).expect("it runs");
        }
    });
    let output = Upgraded::run_at(&["upgrade"], between.socket());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("has ended") && !said.contains("goes on"), "{said}");
    assert!(it.daemon.ends().success());
}

#[test]
fn signals_behind_the_order_to_serve_are_passed_on() {
    let mut it = Upgraded::start("upgrade-signals", &tarpits(), HELD.len(), &["-t"]);
    let mut other = it.take_all();
    let signals = [Signal::USR2, Signal::TERM];
    for signal in signals {
        it.daemon.signal(signal);
        let Frame { bytes, .. } = other.frame().expect("it is passed on");
        assert_eq!(bytes, [SIGNAL, code(signal)]);
    }
    other.say(SERVING);
    assert!(it.daemon.ends().success());
}

#[test]
fn a_new_program_ends_when_the_old_one_is_told_to_and_closes_every_client() {
    let mut it = Upgraded::start("upgrade-ended", &tarpits(), HELD.len(), &["-t"]);
    let _clients = clients(&it.daemon.addresses);
    let pid = it.daemon.pid();
    let between = Between::start(&it.directory.path("between"), &it.socket(), move |frame| {
        if frame.number() == SERVE {
            for signal in [Signal::USR1, Signal::TERM] {
                kill_process(pid, signal).expect("it runs");
            }
        }
    });
    it.upgrade_at(between.socket());
    // No process has the pipe any more.
    let trace = it.daemon.rest_of_trace();
    let closes = trace.iter().filter(|it| it["event"] == "close" && it["reason"] == "stopped");
    assert_eq!(closes.count(), HELD.len());
    it.daemon.log_has("totals: ");
    it.daemon.log_has("stopped");
    it.pid = None;
}

#[test]
fn a_signal_during_the_last_handshakes_is_obeyed_by_both() {
    let text =
        "[tarpits.a]\npattern = 'tls'\ninner = 'http_endless_header'\nbind = '127.0.0.1:0'\n";
    let mut it = Upgraded::start("upgrade-signals-last", text, 1, &["-t"]);
    let stream = tls::asking(&tls::settings(), it.daemon.addresses[0], "a.example");
    stream.sock.peek(&mut [0]).expect("an answer");
    let socket = it.socket();
    it.begin_upgrade(&socket);
    for (signal, told) in [(Signal::USR1, "totals: "), (Signal::HUP, "SIGHUP: configuration")] {
        it.daemon.signal(signal);
        it.daemon.log_has(told);
    }
    let begun = now();
    it.daemon.signal(Signal::TERM);
    assert!(it.daemon.ends().success());
    let trace = it.daemon.rest_of_trace();
    assert!(begun.elapsed().as_secs() < 15, "nobody waits for the handshake");
    let of = |event| trace.iter().filter(|it| it["event"] == event).count();
    assert_eq!((of("open"), of("close")), (1, 1), "{trace:?}");
    it.pid = None;
}
