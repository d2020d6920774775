//! Thousands held at once: what each costs, and how fast they are let go.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::daemon::{Daemon, Directory};

/// As many as the issue of a busy server holds, or as the machine of the test allows.
fn size() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If it stays as it was, fewer connections are made.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(20_000);
    usize::try_from(files).unwrap_or(20_000).saturating_sub(600).min(19_000)
}

#[test]
fn nineteen_thousand_cost_a_hundred_bytes_each_and_end_within_two_seconds() {
    let size = size();
    let directory = Directory::new("crowd");
    let trace = directory.path("trace.jsonl");
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\nmax_clients = 0\n\
             bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n\
             [limits]\nper_address = 0\nper_prefix = 0\n\
             [logging]\nclient_trace = \"{trace}\"\n"
        ),
    );
    let daemon = Daemon::start(&["-c", &path], 1);
    // Warm, so that what the first client costs once is not counted for all.
    daemon.connect().hear();
    let before = daemon.resident();
    let address: SocketAddr = daemon.addresses[0];
    let crowd: Vec<TcpStream> =
        (0..size).map(|_| TcpStream::connect(address).expect("it accepts")).collect();
    crate::daemon::file_gets(&trace, |text| text.lines().count() > size);
    let each = (daemon.resident() - before) * 1_024 / size as u64;
    #[expect(clippy::disallowed_methods, reason = "the manual promises two seconds")]
    let start = Instant::now();
    let (_, log, status) = daemon.stop();
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let closed = text.lines().filter(|line| line.contains("\"event\":\"close\"")).count();
    assert_eq!(closed, size + 1);
    eprintln!("{each} bytes for each of {size}");
    assert!(each <= 100, "{each} bytes for each of {size}");
    drop(crowd);
}
