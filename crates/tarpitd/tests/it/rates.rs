//! Rates on the wire: two hundred clients of one daemon at once, and greedy ones among them.

use std::{
    io::{ErrorKind, Read as _},
    thread,
    time::Duration,
};

use crate::{
    clock::now,
    daemon::{Client, Daemon, Directory},
};

/// How long a client is measured, from its first byte.
const SPAN: Duration = Duration::from_secs(10);

/// Bytes and seconds of a client from behind its first bytes until ten seconds later.
fn measure(mut client: Client) -> (usize, f64) {
    let clock = now;
    let mut buffer = [0; 16 * 1024];
    // Bytes that came before the clock was read say nothing about the rate, at either end: on a
    // busy machine this thread is late.
    assert!(client.0.read(&mut buffer).expect("a first byte") > 0);
    drain(&mut client, &mut buffer);
    let start = clock();
    let end = start + SPAN;
    let mut got = 0;
    loop {
        let left = end.saturating_duration_since(clock());
        if left.is_zero() {
            got += drain(&mut client, &mut buffer);
            return (got, start.elapsed().as_secs_f64());
        }
        client.0.set_read_timeout(Some(left)).expect("a bound");
        match client.0.read(&mut buffer) {
            Ok(0) => panic!("it closed the connection"),
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads what is there already; how many bytes that is.
fn drain(client: &mut Client, buffer: &mut [u8]) -> usize {
    // More than any rate leaves behind; without a rate there is always more.
    const READS: usize = 64;
    client.0.set_nonblocking(true).expect("it is a socket");
    let reads = std::iter::from_fn(|| client.0.read(buffer).ok()).take(READS);
    let got = reads.sum();
    client.0.set_nonblocking(false).expect("it is a socket");
    got
}

#[test]
fn two_hundred_clients_get_what_the_rate_says_whatever_one_takes() {
    // All in one daemon, so that the greedy ones, who have no rate, could slow the others.
    let rates: [i32; 7] = [64, 1_024, 65_536, -2, -1, 1, 0];
    let tarpit = |rate: &i32| {
        format!(
            "[tarpits.\"{rate}\"]\npattern = \"endless_banner\"\nrate_limit = {rate}\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        )
    };
    let directory = Directory::new("rates");
    let path = directory.file("c.toml", &rates.iter().map(tarpit).collect::<String>());
    let daemon = Daemon::start(&["-c", &path], rates.len());
    let clients: Vec<_> = rates
        .iter()
        .zip(&daemon.addresses)
        .flat_map(|(&rate, &address)| {
            let count = if rate == 0 { 2 } else { 33 };
            (0..count).map(move |_| (rate, Client::of(address)))
        })
        .collect();
    assert_eq!(clients.len(), 200);
    let threads: Vec<_> = clients
        .into_iter()
        .map(|(rate, client)| {
            let thread = thread::Builder::new().stack_size(128 * 1024);
            thread.spawn(move || (rate, measure(client))).expect("a thread")
        })
        .collect();
    for thread in threads {
        let (rate, (got, seconds)) = thread.join().expect("it measured");
        let per_second = if rate < 0 { 1.0 / f64::from(-rate) } else { f64::from(rate) };
        let wanted = per_second * seconds;
        let slack = if rate.abs() <= 2 { 1.5 } else { wanted * 0.05 };
        let got = f64::from(u32::try_from(got).unwrap_or(u32::MAX));
        if rate == 0 {
            // Far more than any rate gives, also where the machine has other things to do.
            assert!(got > 5.0 * 65_536.0 * seconds, "unlimited: {got} bytes");
        } else {
            assert!((got - wanted).abs() <= slack, "{rate}: {got}, wanted {wanted}");
        }
    }
}
