//! Peers that vanish, never read, or leave: nothing of them may stay.

use std::{fs, io::Read as _, net::SocketAddr, os::fd::OwnedFd, thread, time::Duration};

use rustix::{
    net::sockopt,
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use crate::{
    clock::{now, pause},
    daemon::{Client, Daemon, Directory, processor_time, until},
    namespace::Namespace,
    require::{lacks, require},
};

/// The daemon's end of a client's connection, as a file of ours as well.
fn other_end(daemon: &Daemon, client: &Client) -> Option<OwnedFd> {
    let address = client.0.local_addr().expect("it is connected");
    let process = pidfd_open(daemon.pid(), PidfdFlags::empty()).ok()?;
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).ok()?;
    files.flatten().find_map(|file| {
        let number = file.file_name().to_string_lossy().parse().ok()?;
        let own = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
        let peer: SocketAddr = rustix::net::getpeername(&own).ok()??.try_into().ok()?;
        (peer == address).then_some(own)
    })
}

#[test]
fn the_keepalive_ends_a_client_that_vanishes_and_it_was_held_until_then() {
    // In a thread of its own: the others stay in the machine's namespace.
    thread::spawn(a_peer_vanishes).join().expect("it passed");
}

/// A client to whom nothing is on its way. For the other kind, whose end takes five minutes,
/// `cargo xtask test` has a check that runs beside all others.
fn a_peer_vanishes() {
    let Some(namespace) = Namespace::new("vanish") else { return };
    if !require("pidfd_getfd") {
        return;
    }
    let words =
        ["link set lo up", "address add 10.9.9.1/32 dev lo", "address add 10.9.9.9/32 dev lo"];
    assert!(words.iter().all(|words| namespace.ip(words)));
    // What is routed there is lost: nobody reads it.
    if !namespace.ip("tuntap add dev nowhere mode tun") || !namespace.ip("link set nowhere up") {
        return lacks("tun", "ip(8) makes no such device");
    }
    namespace.enter();
    let mut daemon = Daemon::start(&["-s", "telnet_login:10.9.9.1:0", "-t"], 1);
    let mut client = Client::from_to([10, 9, 9, 9].into(), daemon.addresses[0]);
    client.hear();
    let Some(end) = other_end(&daemon, &client) else {
        return lacks("pidfd_getfd", "not of a child");
    };
    assert!(sockopt::socket_keepalive(&end).expect("an option"));
    assert_eq!(sockopt::tcp_keepidle(&end), Ok(Duration::from_secs(60)));
    assert_eq!(sockopt::tcp_keepintvl(&end), Ok(Duration::from_secs(20)));
    assert_eq!(sockopt::tcp_keepcnt(&end), Ok(3));
    assert_eq!(sockopt::tcp_user_timeout(&end), Ok(0), "it would override the count");
    // The same in seconds, so that the test does not take two minutes.
    sockopt::set_tcp_keepidle(&end, Duration::from_secs(1)).expect("an option");
    sockopt::set_tcp_keepintvl(&end, Duration::from_secs(1)).expect("an option");
    assert!(namespace.ip("address del 10.9.9.9/32 dev lo"));
    assert!(namespace.ip("route add 10.9.9.9/32 dev nowhere"));
    let vanished = now();
    let close = daemon.trace_has("close");
    assert_eq!(close["reason"], "timed_out");
    let (counted, waited) = (close["duration"].as_f64().expect("seconds"), vanished.elapsed());
    // It was there when it was greeted, and perhaps for a first probe.
    assert!(counted + 2.0 < waited.as_secs_f64(), "{counted} s of {waited:?}");
}

/// The kernel's lines on the connections of our port: their states, and what they have not been
/// acknowledged yet (proc(5)).
fn connections(port: u16) -> Vec<(String, u64)> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().take(5).collect();
        let [_, local, _, state, queues] = words[..] else { continue };
        if local.ends_with(&format!(":{port:04X}")) {
            let (unacknowledged, _) = queues.split_once(':').expect("two queues");
            let bytes = u64::from_str_radix(unacknowledged, 16).expect("a number");
            found.push((state.to_owned(), bytes));
        }
    }
    found
}

#[test]
fn of_a_crowd_that_we_let_go_no_socket_stays_behind() {
    let directory = Directory::new("behind");
    let text = "[tarpits.a]\npattern = \"endless_banner\"\nmax_clients = 50\n\
                bind = [{ host = \"127.0.0.1\", port = 0 }]\n\
                [limits]\nevict = \"refuse\"\nper_address = 0\nper_prefix = 0\n";
    let daemon = Daemon::start(&["-c", &directory.file("c.toml", text)], 1);
    let port = daemon.addresses[0].port();
    let mut held: Vec<_> = (0..50).map(|_| daemon.connect()).collect();
    for client in &mut held {
        client.hear();
    }
    for _ in 0..20 {
        daemon.refuses();
    }
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert_eq!(connections(port), []);
}

#[test]
fn clients_that_never_read_cost_a_bounded_buffer_and_delay_nobody() {
    /// Twice the half of a second's bytes that the buffer is asked to be, which is what the kernel
    /// makes of it, and a segment.
    const BOUND: u64 = 2 * 65_536 / 2 + 65_536;

    let directory = Directory::new("unread");
    let tarpit = |name: &str, rate: u32| {
        format!(
            "[tarpits.{name}]\npattern = \"endless_banner\"\nrate_limit = {rate}\n\
             max_clients = 0\nbind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        )
    };
    let text =
        tarpit("a", 65_536) + &tarpit("b", 64) + "[limits]\nper_address = 0\nper_prefix = 0\n";
    let daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 2);
    let stuck: Vec<_> = (0..200).map(|_| daemon.connect()).collect();
    let port = daemon.addresses[0].port();
    // All buffers are full, on both sides: what waits grows no more.
    let waiting = || connections(port).iter().map(|(_, bytes)| bytes).sum::<u64>();
    let mut before = 0;
    until("full buffers", || {
        pause(Duration::from_secs(1));
        let now = waiting();
        let full = now > 0 && now == before;
        before = now;
        full
    });
    let fullest = connections(port).into_iter().map(|(_, bytes)| bytes).max();
    assert!(fullest <= Some(BOUND), "{fullest:?}");

    let clock = now;
    let mut watcher = Client::of(daemon.addresses[1]);
    watcher.hear();
    let (start, used) = (clock(), processor_time(&daemon));
    let (mut got, mut longest, mut last) = (0, Duration::ZERO, start);
    let mut buffer = [0; 4_096];
    while start.elapsed() < Duration::from_secs(5) {
        got += watcher.0.read(&mut buffer).expect("it says something");
        longest = longest.max(last.elapsed());
        last = clock();
    }
    // A line of 64 bytes, or a part of one, each second and no later.
    assert!((256..=450).contains(&got), "{got}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let spent = processor_time(&daemon).saturating_sub(used);
    let share = spent.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(share < 0.2, "{share} of a core for 200 who take nothing");
    drop(stuck);
}

#[test]
fn who_has_left_is_counted_until_then_and_makes_room_at_once() {
    let directory = Directory::new("left");
    let tarpits = ["http_hold", "tls", "endless_banner", "ftp_hold"].map(|pattern| {
        format!(
            "[tarpits.{pattern}]\npattern = \"{pattern}\"\nclient_trace = true\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n"
        )
    });
    let text = tarpits.concat() + "[limits]\nper_address = 8\n";
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 4);
    let closed = |daemon: &mut Daemon, client: Client| {
        drop(client);
        let close = daemon.trace_has("close");
        (close["reason"].to_string(), close["duration"].as_f64().expect("seconds"))
    };
    // More than may be held of one address, one after the other.
    for _ in 0..20 {
        for address in [daemon.addresses[0], daemon.addresses[1]] {
            let (reason, duration) = closed(&mut daemon, Client::of(address));
            assert!(reason == "\"left\"" && duration < 0.5, "{reason} after {duration} s");
        }
    }
    // Others are asked by a byte, whatever their pace; its answer is no part of the time held.
    let mut client = Client::of(daemon.addresses[2]);
    client.hear();
    let (reason, duration) = closed(&mut daemon, client);
    assert!(reason == "\"reset\"" && duration < 2.0, "{reason} after {duration} s");
    // Nothing can be said to who was greeted and says nothing.
    let mut client = Client::of(daemon.addresses[3]);
    client.hear();
    let (reason, duration) = closed(&mut daemon, client);
    assert!(reason == "\"half_closed\"" && duration < 1.0, "{reason} after {duration} s");
}

#[test]
fn a_client_that_closes_its_half_and_reads_on_is_held() {
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-r", "64"], 1);
    let mut client = daemon.connect();
    client.hear();
    client.0.shutdown(std::net::Shutdown::Write).expect("it is connected");
    for _ in 0..4 {
        client.hear();
    }
}
