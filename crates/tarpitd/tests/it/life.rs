//! Signals: stop, reload, totals, reopening; and streams that go away.

use std::{io::Read as _, net::TcpStream, time::Duration};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    net::sockopt,
    process::Signal,
};

use crate::{
    clock::now,
    daemon::{Client, Daemon, Directory, file_gets},
};

#[test]
fn a_stop_writes_a_close_for_every_client_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t"], 1);
        let mut clients: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
        for client in &mut clients {
            client.hear();
        }
        let (trace, log, status) = daemon.stop_by(signal);
        assert_eq!(status.code(), Some(0), "{log:?}");
        let closed = trace.iter().filter(|line| line["event"] == "close").collect::<Vec<_>>();
        assert_eq!(closed.len(), 20);
        assert!(closed.iter().all(|line| line["reason"] == "stopped"));
        for client in &mut clients {
            client.is_reset();
        }
    }
}

fn config(tarpits: &[(&str, &str, u16)]) -> String {
    let tarpit = |(name, pattern, port): &(&str, &str, u16)| {
        format!(
            "[tarpits.{name}]\npattern = \"{pattern}\"\nclient_trace = true\n\
             bind = [{{ host = \"127.0.0.1\", port = {port} }}]\n"
        )
    };
    tarpits.iter().map(tarpit).collect()
}

#[test]
fn a_reload_opens_closes_and_keeps_whom_it_holds() {
    let directory = Directory::new("reload");
    let path = directory
        .file("c.toml", &config(&[("a", "endless_banner", 0), ("b", "endless_banner", 0)]));
    let mut daemon = Daemon::start(&["-c", &path], 2);
    let (a, b) = (daemon.addresses[0], daemon.addresses[1]);
    let mut of_a = Client::of(a);
    let mut of_b = Client::of(b);
    of_a.hear();
    of_b.hear();
    // A file that cannot be used changes nothing.
    directory.file("c.toml", "[tarpits.a]\npattern = 3\n");
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration not reloaded, the old one stays in force");
    Client::of(b).hear();
    // Port 0 stands for the port that it got: `a` stays, `b` goes.
    directory.file("c.toml", &config(&[("a", "egsh_aminoas", 0)]));
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert!(String::from_utf8_lossy(&Client::of(a).hear()).contains("noas"));
    assert!(TcpStream::connect(b).is_err());
    // All clients are still held, on the port that stays and on the one that is gone.
    of_b.hear();
    of_a.hear();
    let (trace, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let stopped = trace.iter().filter(|line| line["reason"] == "stopped");
    assert!(stopped.filter(|line| line["pattern"] == "endless_banner").count() >= 2);
}

#[test]
fn a_reload_opens_a_new_listener() {
    let directory = Directory::new("reload-new");
    let path = directory.file("c.toml", &config(&[("a", "endless_banner", 0)]));
    let mut daemon = Daemon::start(&["-c", &path], 1);
    // Host `127.0.0.2` makes another address, whose port the kernel chooses.
    let more = "[tarpits.n]\npattern = \"endless_banner\"\n\
                bind = [{ host = \"127.0.0.2\", port = 0 }]\n";
    directory.file("c.toml", &format!("{}{more}", config(&[("a", "endless_banner", 0)])));
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded");
    assert_eq!(daemon.addresses.len(), 2);
    Client::of(daemon.addresses[1]).hear();
    Client::of(daemon.addresses[0]).hear();
}

#[test]
fn totals_are_told_when_asked() {
    let mut daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0"], 1);
    let mut client = daemon.connect();
    client.hear();
    daemon.signal(Signal::USR1);
    let line = daemon.log_has("totals");
    assert!(line.contains("held=1 opened=1 refused=0"), "{line}");
}

#[test]
fn a_renamed_trace_is_opened_anew_when_asked() {
    let directory = Directory::new("rotate");
    let path = directory.path("trace.jsonl");
    let daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-t", &path], 1);
    let mut first = daemon.connect();
    first.hear();
    file_gets(&path, |text| text.lines().count() == 1);
    let old = directory.path("trace.jsonl.1");
    std::fs::rename(&path, &old).expect("renamed");
    daemon.signal(Signal::USR2);
    file_gets(&path, str::is_empty);
    crate::daemon::until("the new file", || std::fs::metadata(&path).is_ok());
    let mut second = daemon.connect();
    second.hear();
    file_gets(&path, |text| text.lines().count() == 1);
    file_gets(&old, |text| text.lines().count() == 1);
}

#[test]
fn streams_that_go_away_kill_nothing() {
    let mut daemon =
        Daemon::start(&["-s", "endless_banner:127.0.0.1:0", "-r", "64", "-t", "-vv"], 1);
    let mut client = daemon.connect();
    client.hear();
    daemon.close_streams();
    let mut others: Vec<_> = (0..50).map(|_| daemon.connect()).collect();
    for other in &mut others {
        other.hear();
    }
    client.hear();
    let (_, _, status) = daemon.stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_reader_that_reads_nothing_delays_neither_clients_nor_the_end() {
    let directory = Directory::new("stuck");
    // Nobody reads this pipe: it is full soon, and then a write to it never returns.
    let pipe = directory.path("pipe");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let reader = rustix::fs::open(&pipe, flags, Mode::empty()).expect("a reader");
    let path = directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = \"endless_banner\"\nclient_trace = true\nmax_clients = 0\n\
             rate_limit = 1024\nbind = [{{ host = \"127.0.0.1\", port = 0 }}]\n\
             [limits]\nper_address = 0\nper_prefix = 0\n\
             [logging]\nclient_trace = \"{pipe}\"\n"
        ),
    );
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let mut held = daemon.connect();
    held.hear();
    // Each writes two lines of more than 300 bytes, and 4 MiB may wait in memory.
    for number in 0..10_000_u16 {
        let [high, low] = number.to_be_bytes();
        let client = Client::from_to([127, 2, high, low | 1].into(), daemon.addresses[0]);
        // It leaves by a reset, or else a half-close would keep it held.
        sockopt::set_socket_linger(&client.0, Some(Duration::ZERO)).expect("it is a socket");
    }
    daemon.log_has("lines are lost");
    held.hear();
    daemon.connect().hear();
    let start = now();
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
    // Half a second more for a busy machine to start and end things.
    assert!(start.elapsed() < Duration::from_millis(2_500), "{:?}", start.elapsed());
    // What the log says of lost lines is true to the line: an `open` and a `close` for each client,
    // and a `conn_error` for each that has left.
    let mut text = String::new();
    std::fs::File::from(reader).read_to_string(&mut text).expect("what is in the pipe");
    let totals = log.iter().find(|line| line.contains("totals: ")).expect("totals");
    let number = |key: &str| -> usize {
        let (_, rest) = totals.split_once(&format!(" {key}=")).expect("a figure");
        rest.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
    };
    let lines = text.lines().count() + number("lost_trace_lines");
    assert_eq!(number("left_out_trace_lines"), 0);
    assert_eq!(lines, 2 * number("opened") + 10_000, "{totals}");
    let stuck = log.iter().find(|line| line.contains("reader is stuck")).expect("an error");
    assert!(stuck.contains("waiting lines are lost"), "{stuck}");
}

#[test]
fn a_tarpit_is_opened_to_the_world_by_a_reload() {
    let directory = Directory::new("open-up");
    let tarpit = |host: &str, port: u16| {
        format!(
            "[tarpits.a]\npattern = \"endless_banner\"\n\
             bind = [{{ host = \"{host}\", port = {port} }}]\n"
        )
    };
    // A port that was free a moment ago, on every address, and below those that the kernel gives to
    // the crowds of other tests.
    let first = std::process::id() % 20_000;
    let port = (0..20_000)
        .map(|number| 10_000 + ((first + number) % 20_000) as u16)
        .find(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok())
        .expect("a port");
    let path = directory.file("c.toml", &tarpit("127.0.0.1", port));
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let mut held = daemon.connect();
    held.hear();
    directory.file("c.toml", &tarpit("0.0.0.0", port));
    daemon.signal(Signal::HUP);
    daemon.log_has(&format!(" on 0.0.0.0:{port}"));
    daemon.log_has("SIGHUP: configuration reloaded");
    Client::of(([127, 0, 0, 5], port).into()).hear();
    held.hear();
    // An address that this machine lacks has to wait for that port, too.
    directory.file("c.toml", &tarpit("192.0.2.1", port));
    daemon.signal(Signal::HUP);
    daemon.log_has("this machine does not have this address yet");
}

#[test]
fn a_trace_that_cannot_be_opened_leaves_all_as_it_was() {
    let directory = Directory::new("reload-trace");
    let path = directory.file("c.toml", &config(&[("a", "endless_banner", 0)]));
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let bad = "[logging]\nclient_trace = \"/nonexistent/trace\"\n";
    directory.file("c.toml", &format!("{}{bad}", config(&[("a", "egsh_aminoas", 0)])));
    daemon.signal(Signal::HUP);
    daemon.log_has("/nonexistent/trace");
    daemon.log_has("SIGHUP: configuration not reloaded, the old one stays in force");
    let said = daemon.connect().hear();
    assert!(!String::from_utf8_lossy(&said).contains("noas"));
}

#[test]
fn ports_that_the_kernel_chose_stay_with_their_tarpits() {
    let directory = Directory::new("port-0");
    let both = config(&[("a", "egsh_aminoas", 0), ("b", "endless_banner", 0)]);
    let path = directory.file("c.toml", &both);
    let mut daemon = Daemon::start(&["-c", &path], 2);
    let (of_a, of_b) = (daemon.addresses[0], daemon.addresses[1]);
    let is_banner =
        |address| !String::from_utf8_lossy(&Client::of(address).hear()).contains("noas");
    let (_busy, taken) = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        (listener, port)
    };
    // A reload that fails, one that changes nothing, and one that takes `a` away.
    for (text, outcome) in [
        (
            format!("{both}{}", config(&[("c", "endless_banner", taken)])),
            "SIGHUP: configuration not reloaded",
        ),
        (both.clone(), "SIGHUP: configuration reloaded"),
        (config(&[("b", "endless_banner", 0)]), "SIGHUP: configuration reloaded"),
    ] {
        directory.file("c.toml", &text);
        daemon.signal(Signal::HUP);
        daemon.log_has(outcome);
        assert!(is_banner(of_b), "{text}");
        if text.contains("[tarpits.a]") {
            assert!(!is_banner(of_a), "{text}");
        }
    }
    assert!(TcpStream::connect(of_a).is_err());
}

#[test]
fn a_pipe_that_nobody_reads_stops_neither_a_reload_nor_the_end() {
    let directory = Directory::new("pipe");
    let pipe = directory.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    let text =
        format!("{}[logging]\nclient_trace = \"{pipe}\"\n", config(&[("a", "endless_banner", 0)]));
    let path = directory.file("c.toml", &text);
    let mut daemon = Daemon::start(&["-c", &path], 1);
    drop(reader);
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration not reloaded, the old one stays in force");
    let (_, log, status) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{log:?}");
}

#[test]
fn a_reload_tells_each_change_in_a_line() {
    let directory = Directory::new("reload-changes");
    let text = config(&[("a", "endless_banner", 0), ("b", "endless_banner", 0)]);
    let path = directory.file("c.toml", &text);
    let mut daemon = Daemon::start(&["-c", &path], 2);
    let of_b = daemon.addresses[1];
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: configuration reloaded; no changes");
    let limits = "[limits]\nper_address = 3\n";
    let text = format!("workers = 2\n{}{limits}", config(&[("a", "egsh_aminoas", 0)]));
    directory.file("c.toml", &text);
    daemon.signal(Signal::HUP);
    daemon.log_has("warning: workers 1 -> 2: takes effect only after a restart");
    daemon.log_has("notice: [limits] per_address 256 -> 3");
    daemon.log_has("notice: a: pattern endless_banner -> egsh_aminoas");
    daemon.log_has("notice: b: removed");
    daemon.log_has(&format!("notice: b: stopped listening on {of_b}; its clients stay held"));
    let last = daemon.log_has("SIGHUP: configuration reloaded");
    assert!(last.ends_with("reloaded"), "{last}");
}

#[test]
fn files_that_are_opened_anew_are_named() {
    let directory = Directory::new("reopen-named");
    let (log, trace) = (directory.path("log"), directory.path("trace"));
    let text = config(&[("a", "endless_banner", 0)]);
    let logging = format!("[logging]\nmain = '{log}'\nclient_trace = '{trace}'\n");
    let path = directory.file("c.toml", &format!("{text}{logging}"));
    let daemon = Daemon::start(&["-c", &path], 0);
    crate::daemon::file_gets(&log, |text| text.contains(" on 127.0.0.1:"));
    daemon.signal(Signal::USR2);
    crate::daemon::file_gets(&log, |text| {
        text.contains(&format!("SIGUSR2: reopened {log} and {trace}"))
    });
    let mut daemon = Daemon::start(&["-s", "endless_banner:127.0.0.1:0"], 1);
    daemon.signal(Signal::USR2);
    daemon.log_has("SIGUSR2: nothing to reopen: the log and the trace go to <stderr> and");
    daemon.signal(Signal::HUP);
    daemon.log_has("SIGHUP: no configuration file to reload");
    daemon.log_has("SIGHUP: nothing to reopen");
}
