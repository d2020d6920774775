//! When clients are answered for the first time: never within microseconds, and not alike.

use std::{io::Write as _, net::Shutdown, time::Duration};

use crate::{
    clock::now,
    daemon::{Client, Daemon},
};

/// How long after it connected each of 40 clients got its first answer, the quickest first. With
/// `leaves` each closes its side as soon as it has said all.
fn first_answers(daemon: &Daemon, service: usize, says: &str, leaves: bool) -> Vec<Duration> {
    let mut all: Vec<_> = (0..40)
        .map(|_| {
            let mut client = Client::of(daemon.addresses[service]);
            let connected = now();
            client.0.write_all(says.as_bytes()).expect("it is connected");
            if leaves {
                client.0.shutdown(Shutdown::Write).expect("it is connected");
            }
            client.hear();
            now() - connected
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_first_answer_takes_as_long_as_that_of_a_real_service() {
    let daemon = Daemon::start(
        &["-s", "ssh:127.0.0.1:0", "-s", "http:127.0.0.1:0", "-s", "ftp:127.0.0.1:0"],
        3,
    );
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (service, says, least) in [(0, "SSH-2.0-x\r\n", 700), (1, request, 100), (2, "", 700)] {
        let all = first_answers(&daemon, service, says, false);
        assert!(all[0] >= Duration::from_micros(least), "service {service}: {all:?}");
        // The machine may be busy, so that only the quickest half counts.
        let spread = all[20].saturating_sub(all[0]);
        assert!(spread >= Duration::from_micros(20), "service {service}: {all:?}");
    }
    daemon.stop();
}

#[test]
fn who_closes_its_side_at_once_waits_for_the_first_answer_like_others() {
    let daemon = Daemon::start(&["-s", "telnet:127.0.0.1:0", "-s", "http:127.0.0.1:0"], 2);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (service, says, least) in [(0, "", 700), (1, request, 100)] {
        let all = first_answers(&daemon, service, says, true);
        assert!(all[0] >= Duration::from_micros(least), "service {service}: {all:?}");
    }
    daemon.stop();
}
