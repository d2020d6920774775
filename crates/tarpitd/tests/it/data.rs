//! Data connections: that a session's two connections find each other, and nobody else comes in.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::daemon::{Client, Daemon, Directory, PATIENCE};

/// A client of FTP's that has got in.
pub(crate) struct Ftp {
    lines: BufReader<TcpStream>,
}

impl Ftp {
    pub(crate) fn log_in(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut ftp = Self { lines: BufReader::new(socket) };
        assert!(ftp.line().starts_with("220 "));
        assert!(ftp.says("USER anonymous").starts_with("331"));
        assert!(ftp.says("PASS a@a.example").starts_with("230"));
        ftp
    }

    fn says(&mut self, command: &str) -> String {
        let line = format!("{command}\r\n");
        self.lines.get_mut().write_all(line.as_bytes()).expect("it is heard");
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("an answer");
        line
    }

    /// Where a data connection is awaited.
    pub(crate) fn passive(&mut self) -> SocketAddr {
        let line = self.says("PASV");
        let numbers = line.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let (numbers, _) = numbers.unwrap_or_else(|| panic!("{line}"));
        let numbers: Vec<u8> =
            numbers.split(',').map(|number| number.parse().expect("a number")).collect();
        let [a, b, c, d, high, low] = numbers[..] else { panic!("{line}") };
        (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
    }
}

fn daemon(directory: &Directory) -> Daemon {
    let path = directory.file(
        "c.toml",
        // With a rate of the owner's, no silence of 16 s stands before the replies.
        "[tarpits.a]\npattern = \"ftp_hold\"\npoison = true\nclient_trace = true\n\
         rate_limit = 4096\n\
         passive_ports = 0\nbind = [{ host = \"127.0.0.1\", port = 0 }]\n",
    );
    Daemon::start(&["-c", &path], 1)
}

#[test]
fn a_listing_comes_over_a_second_connection_and_only_to_the_client_that_asked() {
    let directory = Directory::new("data");
    let mut daemon = daemon(&directory);
    let mut ftp = Ftp::log_in(daemon.addresses[0]);
    let at = ftp.passive();
    assert_eq!(at.ip(), daemon.addresses[0].ip());

    // From another address somebody else tries first.
    Client::from_to(Ipv4Addr::new(127, 0, 0, 2), at).is_reset();
    assert_eq!(daemon.trace_has("refuse")["meta"]["reason"], "unawaited");

    let mut data = TcpStream::connect(at).expect("a data connection");
    assert!(ftp.says("LIST").starts_with("150"));
    data.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut first = [0; 10];
    data.read_exact(&mut first).expect("a line of the listing");
    assert!(first.starts_with(b"-rw") || first.starts_with(b"drw"), "{}", first.escape_ascii());

    // Nobody is awaited there any more.
    Client::from_to(Ipv4Addr::LOCALHOST, at).is_reset();
    drop(data);
    ftp.lines.get_ref().set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out");
    let silence = ftp.lines.read_line(&mut String::new()).expect_err("silence");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "the first one is still held");
}

#[test]
fn a_port_that_nobody_has_asked_for_lets_nobody_in() {
    let directory = Directory::new("data_unasked");
    let daemon = daemon(&directory);
    let mut ftp = Ftp::log_in(daemon.addresses[0]);
    let at = ftp.passive();
    // The client that asked has gone.
    drop(ftp);
    crate::daemon::until("the daemon has noticed", || {
        let mut stream = TcpStream::connect(at).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
    });
}
