//! Peers that vanish, never read, or leave: nothing of them may stay.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::fd::OwnedFd,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    net::sockopt,
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::daemon::{Client, Daemon, Directory, until};

/// A network namespace of the test's own; dropped, it is gone.
struct Namespace(String);

impl Namespace {
    /// None where the machine allows none.
    fn new() -> Option<Self> {
        let namespace = Self(format!("tarpitd-it-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]).then_some(namespace)
    }

    fn ip(&self, words: &str) -> bool {
        ip(&[vec!["-n", &self.0], words.split(' ').collect()].concat())
    }

    /// Moves this thread, and so the children that it starts, into it.
    fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.0)).expect("it is there");
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(rustix::fd::AsFd::as_fd(&file), kind).expect("we are root");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).output().is_ok_and(|output| output.status.success())
}

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
fn whoever_vanishes_is_given_up_whether_spoken_to_or_not() {
    // In a thread of its own: the others stay in the machine's namespace.
    thread::spawn(peers_vanish).join().expect("it passed");
}

fn peers_vanish() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("no network namespace can be made here (ip of iproute2, as root)");
        return;
    };
    let words =
        ["link set lo up", "address add 10.9.9.1/32 dev lo", "address add 10.9.9.9/32 dev lo"];
    assert!(words.iter().all(|words| namespace.ip(words)));
    // What is routed there is lost: nobody reads it.
    if !namespace.ip("tuntap add dev nowhere mode tun") || !namespace.ip("link set nowhere up") {
        eprintln!("no TUN device can be made here");
        return;
    }
    namespace.enter();
    let directory = Directory::new("vanish");
    let tarpit = |name: &str, pattern: &str| {
        format!(
            "[tarpits.{name}]\npattern = \"{pattern}\"\nrate_limit = 1\nclient_trace = true\n\
             bind = [{{ host = \"10.9.9.1\", port = 0 }}]\n"
        )
    };
    let text = tarpit("a", "endless_banner") + &tarpit("b", "ssh_trans_hold");
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 2);
    let from = [10, 9, 9, 9].into();
    // One is spoken to every second; the other is told a line, and then nothing for two minutes.
    let mut spoken_to = Client::from_to(from, daemon.addresses[0]);
    let mut silent = Client::from_to(from, daemon.addresses[1]);
    spoken_to.hear();
    silent.0.write_all(b"SSH-2.0-PuTTY_Release_0.78\r\n").expect("it listens");
    silent.hear();
    for client in [&spoken_to, &silent] {
        let Some(end) = other_end(&daemon, client) else {
            eprintln!("no file of another process can be had here (pidfd_getfd)");
            return;
        };
        assert!(sockopt::socket_keepalive(&end).expect("an option"));
        assert_eq!(sockopt::tcp_keepidle(&end), Ok(Duration::from_secs(60)));
        assert_eq!(sockopt::tcp_keepintvl(&end), Ok(Duration::from_secs(20)));
        assert_eq!(sockopt::tcp_keepcnt(&end), Ok(3));
        assert_eq!(sockopt::tcp_user_timeout(&end), Ok(15 * 60 * 1_000));
        // The same in seconds, so that the test does not take a quarter of an hour.
        sockopt::set_tcp_keepidle(&end, Duration::from_secs(1)).expect("an option");
        sockopt::set_tcp_keepintvl(&end, Duration::from_secs(1)).expect("an option");
        sockopt::set_tcp_user_timeout(&end, 2_000).expect("an option");
    }
    assert!(namespace.ip("address del 10.9.9.9/32 dev lo"));
    assert!(namespace.ip("route add 10.9.9.9/32 dev nowhere"));
    let mut closed: Vec<_> = (0..2).map(|_| daemon.trace_has("close")).collect();
    closed.sort_by_key(|close| close["name"].to_string());
    for (close, name) in closed.iter().zip(["a", "b"]) {
        assert_eq!((&close["name"], &close["reason"]), (&name.into(), &"timed_out".into()));
    }
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
        thread::park_timeout(Duration::from_secs(1));
        let now = waiting();
        let full = now > 0 && now == before;
        before = now;
        full
    });
    let fullest = connections(port).into_iter().map(|(_, bytes)| bytes).max();
    assert!(fullest <= Some(BOUND), "{fullest:?}");

    #[expect(clippy::disallowed_methods, reason = "what is measured is a rate")]
    let clock = Instant::now;
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

/// What all its threads have used.
fn processor_time(daemon: &Daemon) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let nanos = tasks.expect("it is running").flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

#[test]
fn whoever_closes_its_half_and_reads_on_is_held() {
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-r", "64"], 1);
    let mut client = daemon.connect();
    client.hear();
    client.0.shutdown(std::net::Shutdown::Write).expect("it is connected");
    for _ in 0..4 {
        client.hear();
    }
}
