//! Hostile readers of the admin server: what they cost, and that everybody else is still answered.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};

use crate::{
    admin::config,
    clock::{now, pause},
    daemon::{Daemon, Directory, PATIENCE},
};

/// How many connections each surface of the server has at a time.
const PLACES: usize = 16;

/// How many of them the page's streams may have.
const STREAMS: usize = 8;

/// A daemon whose second address is that of the metrics and whose third is that of the page.
fn daemon(directory: &Directory) -> Daemon {
    let lines = "[metrics]\nbind = '127.0.0.1:0'\n[web]\nbind = '127.0.0.1:0'";
    Daemon::start(&["-c", &config(directory, lines)], 3)
}

/// A connection with a small receive buffer, so that an answer soon waits for its reader.
fn slow(address: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_recv_buffer_size(&socket, 1_024).expect("it is a socket");
    connect(&socket, &address).expect("it listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    stream
}

/// Sends a request for a path and reads the beginning of the answer.
fn begin(mut stream: &TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("it reads");
    stream.read_exact(&mut [0; 50]).expect("an answer");
}

/// The first line of the answer to a request for a path.
fn answer(address: SocketAddr, path: &str) -> String {
    raw(address, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"))
}

/// The first line of the answer to a request.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    // A connection that is closed at once may be reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn streams_that_come_and_go_leave_nothing_behind() {
    let directory = Directory::new("admin-churn");
    let daemon = daemon(&directory);
    let round = || begin(&TcpStream::connect(daemon.addresses[2]).expect("it listens"), "/events");
    for _ in 0..100 {
        round();
    }
    let before = daemon.private();
    for _ in 0..8_000 {
        round();
    }
    let grown = daemon.private().saturating_sub(before);
    assert!(grown < 500_000, "{grown} bytes");
}

#[test]
fn slow_readers_of_many_answers_give_way_to_new_ones() {
    let directory = Directory::new("admin-pipelined");
    let daemon = daemon(&directory);
    let address = daemon.addresses[1];
    let crowd: Vec<_> = (0..PLACES).map(|_| slow(address)).collect();
    let before = daemon.private();
    let request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for mut reader in &crowd {
        reader.write_all(&request.repeat(60)).expect("it reads");
        reader.read_exact(&mut [0; 50]).expect("an answer");
    }
    for round in 0..3 {
        for path in ["/health", "/ready", "/metrics"] {
            assert_eq!(answer(address, path), "HTTP/1.1 200 OK", "{path}, round {round}");
        }
    }
    let grown = daemon.private().saturating_sub(before);
    assert!(grown < 1_000_000, "{grown} bytes");
}

#[test]
fn a_connection_ends_however_it_shares_out_its_slowness() {
    let directory = Directory::new("admin-lasting");
    let daemon = daemon(&directory);
    let mut reader = slow(daemon.addresses[1]);
    let request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    reader.write_all(&request.repeat(60)).expect("it reads");
    let started = now();
    // It takes each answer in less than the time that one may take, and has asked for 60.
    while reader.read(&mut [0; 2_000]).is_ok_and(|read| read > 0) {
        assert!(started.elapsed() < 3 * PATIENCE / 2, "it still answers");
        pause(PATIENCE / 40);
    }
}

#[test]
fn the_page_is_answered_however_many_streams_are_open() {
    let directory = Directory::new("admin-streams");
    let daemon = daemon(&directory);
    let address = daemon.addresses[2];
    let mut crowd = Vec::new();
    for number in 1..=3 * PLACES {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
        begin(&stream, "/events");
        crowd.push(stream);
        if number % STREAMS == 0 {
            assert_eq!(answer(address, "/"), "HTTP/1.1 200 OK", "{number} streams");
        }
    }
    // The oldest gave way to the newest, which go on.
    let newest = crowd.split_off(crowd.len() - STREAMS);
    for mut stream in crowd {
        // It ends, by whatever error; a stream that goes on would never.
        let ended = stream.read_to_end(&mut Vec::new());
        let late = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        assert!(!ended.is_err_and(|error| late.contains(&error.kind())));
    }
    for mut stream in newest {
        let mut text = String::new();
        while text.matches("data: ").count() < 2 {
            let mut piece = [0; 1_000];
            let read = stream.read(&mut piece).expect("an event in time");
            assert!(read > 0, "{text}");
            text += &String::from_utf8_lossy(&piece[..read]);
        }
    }
}

#[test]
fn a_request_names_this_machine_by_one_whole_host() {
    let directory = Directory::new("admin-host");
    let daemon = daemon(&directory);
    let (metrics, page) = (daemon.addresses[1], daemon.addresses[2]);
    let close = "Connection: close\r\n\r\n";
    for (request, code) in [
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1:9117\r\n", 200),
        ("GET {} HTTP/1.1\r\nHost: LocalHost:80\r\n", 200),
        ("GET {} HTTP/1.1\r\nHost: [::1]\r\n", 200),
        ("GET http://localhost{} HTTP/1.1\r\nHost: evil.example\r\n", 200),
        ("GET {} HTTP/1.1\r\nHost: evil.example\r\n", 403),
        ("GET {} HTTP/1.1\r\nHost: localhost.evil.example\r\n", 403),
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n", 403),
        ("GET http://evil.example{} HTTP/1.1\r\nHost: 127.0.0.1\r\n", 403),
        ("GET {} HTTP/1.1\r\nHost:\r\n", 403),
        ("GET {} HTTP/1.0\r\n", 403),
        ("GET {} HTTP/1.1\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: [::1]x.evil\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: :80\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: evil@127.0.0.1\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1, evil.example\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: 127.0.0.1:port\r\n", 400),
    ] {
        for (address, path) in [(metrics, "/metrics"), (page, "/"), (page, "/events")] {
            if (path, code) == ("/events", 200) {
                continue;
            }
            let told = raw(address, &(request.replace("{}", path) + close));
            assert_eq!(told.split(' ').nth(1), Some(&*code.to_string()), "{path}: {request}{told}");
        }
    }
    // Probes come by many names, and learn nothing that a page of others could use.
    for path in ["/health", "/ready"] {
        let named = format!("GET {path} HTTP/1.1\r\nHost: probed.example\r\n{close}");
        assert_eq!(raw(metrics, &named), "HTTP/1.1 200 OK");
    }
    let lines = "[metrics]\nbind = '0.0.0.0:0'";
    let open = Daemon::start(&["-c", &config(&Directory::new("admin-open"), lines)], 2);
    let port = open.addresses[1].port();
    let named = format!("GET /metrics HTTP/1.1\r\nHost: any.example\r\n{close}");
    assert_eq!(raw(SocketAddr::from(([127, 0, 0, 1], port)), &named), "HTTP/1.1 200 OK");
}
