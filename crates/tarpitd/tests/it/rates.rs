//! Rates on the wire: two hundred clients at once, and a greedy one among them.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use crate::daemon::{Client, Daemon};

/// How long a client is measured, from its first byte.
const SPAN: Duration = Duration::from_secs(10);

/// Bytes and seconds from a client's first byte until ten seconds after it.
fn measure(mut client: Client) -> (usize, f64) {
    #[expect(clippy::disallowed_methods, reason = "what is measured is a rate")]
    let clock = Instant::now;
    let mut buffer = vec![0; 64 * 1024];
    let mut got = client.0.read(&mut buffer).expect("a first byte");
    let start = clock();
    let end = start + SPAN;
    loop {
        let left = end.saturating_duration_since(clock());
        if left.is_zero() {
            return (got, start.elapsed().as_secs_f64());
        }
        client.0.set_read_timeout(Some(left)).expect("a bound");
        match client.0.read(&mut buffer) {
            Ok(count) => got += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn two_hundred_clients_get_what_the_rate_says_whatever_one_takes() {
    let rates: [i32; 7] = [64, 1_024, 65_536, -2, -1, 1, 0];
    let daemons: Vec<_> = rates
        .iter()
        .map(|rate| {
            let rate = rate.to_string();
            Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-r", &rate], 1)
        })
        .collect();
    let threads: Vec<_> = daemons
        .iter()
        .zip(rates)
        // One greedy client of the daemon without a rate; 200 others in all.
        .flat_map(|(daemon, rate)| (0..if rate == 0 { 2 } else { 33 }).map(move |_| (daemon, rate)))
        .map(|(daemon, rate)| {
            let client = daemon.connect();
            std::thread::spawn(move || (rate, measure(client)))
        })
        .collect();
    for thread in threads {
        let (rate, (got, seconds)) = thread.join().expect("it measured");
        let per_second = if rate < 0 { 1.0 / f64::from(-rate) } else { f64::from(rate) };
        let wanted = per_second * seconds;
        let slack = if rate.abs() <= 2 { 1.5 } else { wanted * 0.05 };
        let got = f64::from(u32::try_from(got).unwrap_or(u32::MAX));
        if rate == 0 {
            assert!(got > 20_000_000.0, "unlimited: {got} bytes");
        } else {
            assert!((got - wanted).abs() <= slack, "{rate}: {got}, wanted {wanted}");
        }
    }
}
