//! Clients that talk without end beside one that is held and one that comes.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use crate::{
    clock::now,
    daemon::{Client, Daemon, processor_time},
};

/// How long the flood lasts.
const SPAN: Duration = Duration::from_secs(6);

/// What half of the talkers say at a time; the others say a byte.
static MUCH: [u8; 1 << 16] = [b'x'; 1 << 16];

/// Says something again and again until the connection is shut down.
fn flood(mut stream: TcpStream, piece: &'static [u8]) {
    stream.set_nodelay(true).expect("a socket");
    while stream.write_all(piece).is_ok() {}
}

#[test]
fn eight_talkers_take_little_of_a_core_and_delay_nobody() {
    let patterns =
        ["endless_banner:127.0.0.1:0", "telnet_login:127.0.0.1:0", "http_hold:127.0.0.1:0"];
    let daemon =
        Daemon::start(&["-r", "1", "-s", patterns[0], "-s", patterns[1], "-s", patterns[2]], 3);
    let mut victim = Client::from_to([127, 0, 0, 2].into(), daemon.addresses[0]);
    victim.hear();
    let talkers: Vec<_> = (0..8)
        .map(|number| {
            let mut talker = Client::of(daemon.addresses[1 + number % 2]).0;
            // To be heard the others must be of the protocol; of these nothing is refused either.
            talker.write_all(b"GET / HTTP/1.1\r\n").expect("it listens");
            let piece: &[u8] = if number < 4 { &MUCH } else { b"x" };
            let own = talker.try_clone().expect("a socket");
            (talker, thread::spawn(move || flood(own, piece)))
        })
        .collect();
    let clock = now;
    let (start, used) = (clock(), processor_time(&daemon));
    let (mut last, mut longest, mut newcomers) = (start, Duration::ZERO, 0);
    let mut buffer = [0; 64];
    while start.elapsed() < SPAN {
        assert!(victim.0.read(&mut buffer).expect("it says something") > 0);
        longest = longest.max(last.elapsed());
        last = clock();
        let mut newcomer = Client::from_to([127, 0, 0, 3].into(), daemon.addresses[0]);
        newcomer.hear();
        newcomers += 1;
        assert!(last.elapsed() < Duration::from_millis(1_500), "a newcomer waits");
    }
    let spent = processor_time(&daemon).saturating_sub(used);
    let share = spent.as_secs_f64() / start.elapsed().as_secs_f64();
    for (talker, thread) in talkers {
        talker.shutdown(Shutdown::Both).expect("it is connected");
        thread.join().expect("it ends");
    }
    // A byte a second: never more than a second and a half late.
    assert!(longest < Duration::from_millis(2_500), "{longest:?}");
    assert!(newcomers >= 3, "{newcomers} newcomers and bytes in {SPAN:?}");
    assert!(share < 0.1, "{share} of a core");
}
