//! Hostile readers of the admin server: what they cost, and that everybody else is still answered.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    admin::config,
    daemon::{Daemon, Directory},
};

/// A daemon whose second address is that of the metrics and whose third is that of the page.
fn daemon(directory: &Directory) -> Daemon {
    let lines = "[metrics]\nbind = '127.0.0.1:0'\n[web]\nbind = '127.0.0.1:0'";
    Daemon::start(&["-c", &config(directory, lines)], 3)
}

/// Sends a request for a path and reads the beginning of the answer.
fn begin(mut stream: &TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("it reads");
    stream.read_exact(&mut [0; 50]).expect("an answer");
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
