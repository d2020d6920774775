//! The admin server: what it answers, what it refuses, and what hostile clients cost it.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _},
        net::{UnixListener, UnixStream},
    },
};

use rustix::process::Signal;

use crate::{
    clock::now,
    daemon::{Daemon, Directory, PATIENCE, until},
    require::require,
};

/// A configuration with one tarpit and these lines.
pub(crate) fn config(directory: &Directory, lines: &str) -> String {
    let text =
        format!("[tarpits.banner]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n{lines}\n");
    directory.file("tarpitd.toml", &text)
}

/// A daemon whose second address is that of its metrics.
fn daemon(directory: &Directory) -> Daemon {
    let path = config(directory, "[metrics]\nbind = '127.0.0.1:0'");
    Daemon::start(&["-c", &path], 2)
}

/// Sends a request and reads the answer to its end: head and body.
pub(crate) fn ask(mut stream: impl Read + Write, request: &str) -> (String, String) {
    // A server that refuses a request may answer before it has read all.
    let _ = write!(stream, "{request}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    stream
}

/// Reads until the server ends the connection.
fn is_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn health_and_ready_are_answered_and_other_requests_are_told_why_not() {
    let directory = Directory::new("admin-answers");
    let daemon = daemon(&directory);
    let get = |request: &str| ask(connect(daemon.addresses[1]), request);
    let (head, body) = get("GET /health HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(health["status"], "ok");
    assert!(health["uptime"].is_u64());
    let (head, body) = get("GET /ready HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body == "ready\n", "{head} {body}");
    let (head, body) = get("HEAD /metrics HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{head} {body}");
    assert!(head.contains("version=0.0.4"), "{head}");
    let (head, _) = get("GET /nothing HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 404 Not Found"), "{head}");
    let (head, _) = get("DELETE /health HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed"), "{head}");
    assert!(head.to_lowercase().contains("allow: get, head"), "{head}");
    let (head, _) = get("GET /health HTTP/1.1\r\nContent-Length: 1");
    assert!(head.starts_with("HTTP/1.1 4"), "a body is refused or awaited no longer: {head}");
    let long = format!("GET /health HTTP/1.1\r\nX: {}", "x".repeat(9_000));
    let (head, _) = get(&long);
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
}

#[test]
fn a_crowd_of_slow_requests_neither_grows_the_daemon_nor_shuts_others_out() {
    let directory = Directory::new("admin-crowd");
    let daemon = daemon(&directory);
    let address = daemon.addresses[1];
    let before = daemon.private();
    let mut crowd = Vec::new();
    for number in 0..10_000 {
        let mut slow = connect(address);
        // Whole heads, halves of one, and readers that never read: as far as the server takes them.
        let _ = match number % 30 {
            0 => slow.write_all(
                b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(50).as_slice(),
            ),
            1..15 => {
                slow.write_all(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(8_000)).as_bytes())
            }
            _ => slow.write_all(b"G"),
        };
        crowd.push(slow);
        if crowd.len() > 200 {
            crowd.remove(0);
        }
        if number % 2_500 == 0 {
            let start = now();
            let (head, _) = ask(connect(address), "GET /health HTTP/1.1");
            assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
            assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
        }
    }
    let grown = daemon.private().saturating_sub(before);
    assert!(grown < 1_000_000, "{grown} bytes");
}

#[test]
fn all_surfaces_together_idle_within_their_memory() {
    let directory = Directory::new("admin-memory");
    let socket = directory.path("control");
    let lines = format!(
        "[control]\nsocket = '{socket}'\n[metrics]\nbind = '127.0.0.1:0'\n\
         [web]\nbind = '127.0.0.1:0'"
    );
    let daemon = Daemon::start(&["-c", &config(&directory, &lines)], 3);
    // Metrics, then the page; each has answered, and what that took is theirs to keep.
    for (at, path) in [(1, "/metrics"), (2, "/"), (2, "/style.css")] {
        let address = daemon.addresses[at];
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let mut stream = connect(address);
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let (head, _) =
        ask(UnixStream::connect(&socket).expect("it listens"), "GET /v1/status HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let private = daemon.private();
    eprintln!("idle with all surfaces: {private} bytes");
    assert!(private <= 4_000_000, "{private}");
}

#[test]
fn where_nothing_is_traced_no_memory_is_kept_for_lines() {
    let directory = Directory::new("admin-untraced");
    let trace = directory.path("trace.jsonl");
    let plain = ["-s", "endless_banner:127.0.0.1:0"];
    let traced = Daemon::start(&[&plain[..], &["-t", &trace]].concat(), 1).private();
    let untraced = Daemon::start(&plain, 1).private();
    eprintln!("idle: {untraced} bytes, {traced} with a trace");
    assert!(untraced + 200_000 < traced && traced < 2_064_000, "{untraced} {traced}");
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let directory = Directory::new("admin-slow");
    let daemon = daemon(&directory);
    let mut slow = connect(daemon.addresses[1]);
    slow.write_all(b"GET /health HTT").expect("sent");
    is_closed(slow);
    let idle = connect(daemon.addresses[1]);
    is_closed(idle);
}

#[test]
fn a_reload_starts_moves_and_stops_the_server() {
    let directory = Directory::new("admin-reload");
    // The sandbox allows no new Unix socket.
    let outside = "[sandbox]\nmode = 'off'\n";
    let path = config(&directory, outside);
    let mut daemon = Daemon::start(&["-c", &path], 1);
    let threads = |daemon: &Daemon| {
        let names = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
        let names = names.expect("it is running").flatten().filter_map(|task| {
            fs::read_to_string(task.path().join("comm")).ok().map(|name| name.trim().to_owned())
        });
        names.filter(|name| name == "admin").count()
    };
    assert_eq!(threads(&daemon), 0);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let socket = directory.path("metrics.sock");
    for (lines, told) in [
        (format!("bind = '{free}'"), format!("metrics: HTTP on {free}")),
        // Our own socket is in the way, until it is closed.
        (
            format!("bind = '*:{}'", free.port()),
            format!("metrics: HTTP on 0.0.0.0:{}", free.port()),
        ),
        (format!("bind = 'unix:{socket}'"), format!("metrics: HTTP on unix:{socket}")),
    ] {
        config(&directory, &format!("{outside}[metrics]\n{lines}"));
        daemon.signal(Signal::HUP);
        daemon.log_has(&told);
        daemon.log_has("configuration reloaded");
        assert_eq!(threads(&daemon), 1);
        if lines.contains("unix") {
            assert!(TcpStream::connect(free).is_err(), "the old port is closed");
            let stream = UnixStream::connect(&socket).expect("it listens");
            assert!(ask(stream, "GET /health HTTP/1.1").0.contains("200 OK"));
        } else {
            assert!(ask(connect(free), "GET /health HTTP/1.1").0.contains("200 OK"));
        }
    }
    daemon.signal(Signal::HUP);
    daemon.log_has("configuration reloaded; no changes");
    config(&directory, outside);
    daemon.signal(Signal::HUP);
    daemon.log_has("metrics: stopped listening");
    daemon.log_has("configuration reloaded");
    until("the end of the thread", || threads(&daemon) == 0);
    assert!(!fs::exists(&socket).expect("a directory"), "the socket's file is gone");
}

#[test]
fn a_socket_has_owner_and_mode_and_is_taken_over_only_where_nobody_answers() {
    let directory = Directory::new("admin-socket");
    let socket = directory.path("metrics.sock");
    let path = config(&directory, &format!("[metrics]\nbind = 'unix:{socket}'"));
    // As a daemon that was killed leaves it.
    drop(UnixListener::bind(&socket).expect("a socket"));
    let daemon = Daemon::start(&["-c", &path], 1);
    until("the new socket", || UnixStream::connect(&socket).is_ok());
    let metadata = fs::metadata(&socket).expect("it is there");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.mode() & 0o777, 0o660);
    let (_, log, status) = Daemon::start_and_fail(&["-c", &path]);
    assert_eq!(status, Some(1), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&socket)).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("another program answers there")
            && line.contains("tarpitd.toml:5:8: metrics: ")),
        "{log}"
    );
    daemon.stop();
    assert!(!fs::exists(&socket).expect("a directory"));
}

#[test]
fn each_wrong_address_is_one_line_in_check_and_at_the_start() {
    let directory = Directory::new("admin-wrong");
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = busy.local_addr().map(|address| (busy, address)).expect("bound");
    let file = directory.file("file", "no socket");
    let deep = directory.path(&"x".repeat(120));
    for (bind, code, wanted) in [
        (busy.1.to_string(), 1, "choose another port"),
        (format!("unix:{file}"), 1, "a file that is no socket"),
        (format!("unix:{deep}"), 2, "at most 107 bytes"),
        (format!("unix:{}", directory.path("none/socket")), 1, "create its directory"),
        ("unix:".into(), 2, "the path is empty"),
        ("127.0.0.1".into(), 2, "the port is missing"),
        ("127.0.0.1:8000-8001".into(), 2, "one port is enough"),
    ] {
        let path = config(&directory, &format!("[metrics]\nbind = '{bind}'"));
        for arguments in [vec!["check", &path], vec!["-c", &path]] {
            let (_, log, status) = Daemon::start_and_fail(&arguments);
            let lines: Vec<_> = log.lines().filter(|line| line.contains("toml:5:8: ")).collect();
            assert!(matches!(lines[..], [line] if line.contains(wanted)), "{bind}: {log}");
            assert_eq!(status, Some(code), "{bind}: {log}");
        }
    }
}

#[test]
fn a_socket_of_another_user_is_not_taken_over() {
    if !require("root") {
        return;
    }
    let directory = Directory::new("admin-owner");
    let socket = directory.path("metrics.sock");
    let path = config(&directory, &format!("[metrics]\nbind = 'unix:{socket}'"));
    // Before it drops its rights, the daemon gives the socket to its new user.
    let daemon = Daemon::start(&["-c", &path, "-u", "65534:65534"], 1);
    until("the new socket", || {
        fs::metadata(&socket).is_ok_and(|it| (it.uid(), it.gid()) == (65_534, 65_534))
    });
    assert!(
        ask(UnixStream::connect(&socket).expect("root may"), "GET /ready HTTP/1.1")
            .0
            .contains("200 OK")
    );
    daemon.stop();
}
