//! What held clients take in each state, against what docs/is-it-safe.md says, and that it is given
//! back.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::PoisonError,
    time::Duration,
};

use rustix::net::sockopt;
use rustls::{ClientConnection, pki_types::ServerName};
use tarpit_proto::handshake_budget::HandshakeBudget;

use crate::{
    clock::pause,
    crowd::ONE_AT_A_TIME,
    daemon::{Client, Daemon, Directory, PATIENCE, until},
    require::{require, require_files},
    ssh_packets::{client_offer, packet},
    tls::settings,
};

/// So many come side by side.
const GROUP: usize = 250;

/// What stays of a crowd by the page: a place for each, and what lies in between.
const PLACE: u64 = 128;
const BETWEEN: u64 = 1_000_000;

/// A hello of OpenSSL's.
const HELLO: &[u8] = include_bytes!("../../../tarpit-proto/tests/corpus/client_hello.bin");

/// The most that the page says of clients in this state, in bytes.
fn bound(row: &str) -> u64 {
    let page = include_str!("../../../../docs/is-it-safe.md");
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let number = line.unwrap_or_else(|| panic!("no row of the page begins with {row:?}"));
    number.trim_end_matches(" |").replace(',', "").parse().expect("a number of bytes")
}

/// A state in which clients are held.
struct State {
    pattern: &'static str,
    /// Where they connect to.
    host: &'static str,
    /// Further lines of the tarpit's configuration.
    keys: &'static str,
    /// Brings a client into it; how many bytes the daemon hears for that at least.
    enter: fn(&mut TcpStream) -> usize,
}

impl State {
    fn of(pattern: &'static str, enter: fn(&mut TcpStream) -> usize) -> Self {
        Self { pattern, host: "127.0.0.1", keys: "", enter }
    }
}

/// Does so for one state.
fn holds(row: &str, count: usize, state: State) {
    holds_all(row, count, vec![state]);
}

/// Does so for several states at the same time, with a daemon for each.
fn holds_all(row: &str, count: usize, states: Vec<State>) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !require_files(states.len() * (GROUP + count) + 500) {
        return;
    }
    std::thread::scope(|scope| {
        for (number, state) in states.into_iter().enumerate() {
            scope.spawn(move || measure(row, count, &state, number));
        }
    });
}

/// Holds so many clients in a state and finds that each takes no more than the page says; then lets
/// them go, and finds that what they took is given back.
fn measure(row: &str, count: usize, state: &State, number: usize) {
    let State { pattern, host, keys, enter } = state;
    let directory = Directory::new(&format!("memory_{pattern}_{count}_{number}"));
    let trace = directory.path("trace.jsonl");
    let config = format!(
        "[tarpits.a]\npattern = \"{pattern}\"\nclient_trace = true\nmax_clients = 0\n{keys}\n\
         bind = [{{ host = \"{host}\", port = 0 }}]\n\
         [limits]\nper_address = 0\nper_prefix = 0\nhandshakes_per_second = 0\ncpu = 0\n\
         [logging]\nclient_trace = \"{trace}\"\n"
    );
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &config)], 1);
    let mut crowd = Vec::new();
    let mut heard = 0;
    let mut come = |daemon: &mut Daemon, many: usize| {
        let all = crowd.len() + many;
        // Some of what they wait for is late.
        while crowd.len() < all {
            let group = enter_together(daemon.addresses[0], *enter, GROUP.min(all - crowd.len()));
            for (client, said) in group {
                heard += said as u64;
                crowd.push(client);
            }
        }
        until("all that was said", || daemon.total("received") >= heard);
        // The last of them may have spoken before they were accepted.
        until("all of them", || daemon.total("held") == crowd.len() as u64);
    };
    // What the first cost once is not counted for all, nor the room that a group takes amid its
    // handshakes.
    come(&mut daemon, GROUP.min(count / 2));
    let before = daemon.private();
    come(&mut daemon, count);
    let count = count as u64;
    let most = bound(row);
    let took = |daemon: &Daemon| daemon.private().saturating_sub(before);
    let mut each = took(&daemon) / count;
    // What was freed on the way is given back soon.
    for _ in 0..100 {
        if each <= most {
            break;
        }
        pause(Duration::from_millis(50));
        each = took(&daemon) / count;
    }
    assert!(each <= most, "{pattern}, {row}: {each} bytes each, and the page says {most}");
    eprintln!("{pattern}, {row}: {each} bytes each");
    drop(crowd);
    until("the end of all", || daemon.total("held") == 0);
    until("what is given back", || took(&daemon) <= count * PLACE + BETWEEN);
}

/// Brings so many new clients into a state, side by side; each with what the daemon hears of it.
fn enter_together(
    address: SocketAddr,
    enter: fn(&mut TcpStream) -> usize,
    many: usize,
) -> Vec<(Client, usize)> {
    let one = || {
        let mut client = Client::of(address);
        client.0.set_nodelay(true).expect("it is a socket");
        // Gone with a reset, so that nobody waits for it.
        sockopt::set_socket_linger(&client.0, Some(Duration::ZERO)).expect("it is a socket");
        let said = enter(&mut client.0);
        (client, said)
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..many).map(|_| scope.spawn(one)).collect();
        clients.into_iter().map(|client| client.join().expect("it is held")).collect()
    })
}

/// Says these bytes, and what is heard of them.
fn say(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    stream.write_all(bytes).expect("it is held");
    bytes.len()
}

/// Waits until the daemon has answered so much.
fn hear(stream: &mut TcpStream, least: usize) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let mut buffer = vec![0; least];
    stream.read_exact(&mut buffer).expect("it answers");
}

/// Goes through a handshake and says these bytes inside, and then these in the clear.
fn say_below(stream: &mut TcpStream, inside: &[u8], behind: &[u8]) -> usize {
    let name = ServerName::try_from("a.example").expect("a name");
    let mut tls = ClientConnection::new(settings(), name).expect("a client");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let mut said = 0;
    while tls.is_handshaking() || tls.wants_write() {
        while tls.wants_write() {
            said += tls.write_tls(stream).expect("it is held");
        }
        if tls.is_handshaking() {
            tls.read_tls(stream).expect("it answers");
            tls.process_new_packets().expect("TLS in order");
        }
    }
    tls.writer().write_all(inside).expect("room");
    while tls.wants_write() {
        said += tls.write_tls(stream).expect("it is held");
    }
    said + say(stream, behind)
}

/// What a client of SSH says up to its part of the exchange.
fn exchange() -> Vec<u8> {
    // The base point of the curve is a public key as well.
    let part = [&[30, 0, 0, 0, 32, 9][..], &[0; 31]].concat();
    [&b"SSH-2.0-x\r\n"[..], &client_offer(), &packet(&part)].concat()
}

#[test]
fn a_client_without_keys_costs_what_the_page_says() {
    holds("without keys", 3_000, State::of("endless_banner", |_| 0));
}

#[test]
fn a_client_by_ipv6_costs_what_the_page_says() {
    if !require("ipv6") {
        return;
    }
    let state = State { host: "::1", ..State::of("endless_banner", |_| 0) };
    holds("the same, over IPv6", 3_000, state);
}

#[test]
fn a_client_of_whom_something_was_learnt_costs_what_the_page_says() {
    let enter = |stream: &mut TcpStream| say(stream, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let row = "without keys, in the trace, after a `learn` event";
    // Many, since each has little: ten pages of something else are 14 bytes for each of 3,000.
    holds(row, 9_000, State::of("http_hold", enter));
}

/// Reads to the packet behind which the server's keys are in use.
fn hear_new_keys(stream: &mut TcpStream) {
    const NEW_KEYS: &[u8] = &[0, 0, 0, 12, 10, 21];
    let (mut all, mut buffer) = (Vec::new(), [0; 4_096]);
    while !all.windows(NEW_KEYS.len()).any(|window| window == NEW_KEYS) {
        let count = stream.read(&mut buffer).expect("the reply");
        assert!(count > 0, "it closed the connection");
        all.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn a_client_behind_an_ssh_key_exchange_costs_what_the_page_says() {
    let enter = |stream: &mut TcpStream| {
        let said = say(stream, &exchange());
        hear_new_keys(stream);
        said
    };
    holds("after an SSH key exchange", 2_000, State::of("ssh_auth_hold", enter));
}

#[test]
fn the_page_says_what_the_program_counts_with() {
    let page = include_str!("../../../../docs/is-it-safe.md");
    let row = format!(
        "| {} | none | held, no cryptography |",
        thousands(HandshakeBudget::MOST_UNDER_WAY)
    );
    assert!(page.contains(&row), "{row}");
    assert_eq!(bound("during a TLS handshake"), u64::from(HandshakeBudget::TLS_MEMORY));
}

/// A number of four to six digits as pages write it.
fn thousands(number: u32) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}

#[test]
fn a_client_amid_a_tls_handshake_costs_what_the_page_says() {
    let enter = |stream: &mut TcpStream| {
        let said = say(stream, HELLO);
        hear(stream, 600);
        // The beginning of a record, of as much as may wait.
        said + say(stream, &[&[22, 3, 3, 0x40, 0][..], &[0; 4_000]].concat())
    };
    holds("during a TLS handshake", 600, State::of("tls", enter));
}

const BEHIND_TLS: &str = "after a TLS handshake, or one that timed out";

#[test]
fn a_client_behind_a_tls_handshake_costs_what_the_page_says() {
    let enter =
        |stream: &mut TcpStream| say_below(stream, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"");
    holds(BEHIND_TLS, 2_000, State::of("tls", enter));
}

#[test]
fn a_client_given_up_in_a_tls_handshake_keeps_nothing_of_it() {
    let enter = |stream: &mut TcpStream| {
        let said = say(stream, HELLO);
        hear(stream, 600);
        said + say(stream, &[&[22, 3, 3, 0x40, 0][..], &[0; 16_000]].concat())
    };
    holds(BEHIND_TLS, 2_000, State::of("tls", enter));
}

const NOT_UNDERSTOOD: &str = "with incomplete input, or that does not read";

#[test]
fn an_unfinished_line_costs_what_the_page_says() {
    // In portions, so that a buffer that grows by doubling would be found.
    fn in_portions(stream: &mut TcpStream, begin: &str) -> usize {
        let mut said = say(stream, begin.as_bytes());
        for _ in 0..4 {
            said += say(stream, &[b'x'; 1_000]);
        }
        said
    }
    let states = [
        ("ftp_hold", (|stream| in_portions(stream, "USER ")) as fn(&mut TcpStream) -> usize),
        ("http_hold", |stream| in_portions(stream, "GET /")),
        ("smtp_hold", |stream| in_portions(stream, "EHLO x\r\nMAIL FROM:<")),
        ("telnet_login", |stream| in_portions(stream, "root\r\n")),
        ("auto", |stream| in_portions(stream, "SSH-2.0-")),
    ];
    let states = states.map(|(pattern, enter)| State::of(pattern, enter));
    holds_all(NOT_UNDERSTOOD, 400, states.into());
}

#[test]
fn an_unfinished_packet_of_ssh_costs_what_the_page_says() {
    let enter = |stream: &mut TcpStream| {
        let begun = [&[0, 0, 0x0F, 0xF0, 4][..], &[0; 4_000]].concat();
        say(stream, &[exchange(), begun].concat())
    };
    holds(NOT_UNDERSTOOD, 600, State::of("ssh_auth_hold", enter));
}

#[test]
fn frames_of_http_2_cost_what_the_page_says() {
    const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    /// A request for a page, and how it is taken back.
    fn asked(stream: u8) -> Vec<u8> {
        [&[0, 0, 3, 1, 5, 0, 0, 0, stream][..], &[0x82, 0x84, 0x86]].concat()
    }
    let pings = |stream: &mut TcpStream| {
        let ping = b"\0\0\x08\x06\0\0\0\0\0a ping.\n".repeat(600);
        // Beyond what may wait nothing is read.
        say(stream, &[OPENING, &asked(1), &ping].concat()).min(4_096)
    };
    let settings = |stream: &mut TcpStream| {
        let settings = b"\0\0\0\x04\0\0\0\0\0".repeat(900);
        say(stream, &[OPENING, &asked(1), &settings].concat()).min(4_096)
    };
    let resets = |stream: &mut TcpStream| {
        let pair = |number: u8| {
            let reset = [0, 0, 4, 3, 0, 0, 0, 0, 2 * number + 1, 0, 0, 0, 8];
            [asked(2 * number + 1), reset.to_vec()].concat()
        };
        let pairs: Vec<u8> = (0..120).flat_map(pair).collect();
        say(stream, &[OPENING, &pairs, &pairs].concat()).min(2_000)
    };
    let states = [pings as fn(&mut TcpStream) -> usize, settings, resets];
    let states = states.map(|enter| State::of("http_hold", enter));
    holds_all(NOT_UNDERSTOOD, 400, states.into());
}

#[test]
fn an_unfinished_record_of_tls_costs_what_the_page_says() {
    let short = |stream: &mut TcpStream| {
        let head = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 3_900]].concat();
        say_below(stream, &head, &[&[23, 3, 3, 6, 0][..], &[7; 1_500]].concat())
    };
    // As long as one may be, all but its last byte.
    let long = |stream: &mut TcpStream| {
        let record = [&[23, 3, 3, 0x40, 0][..], &[7; 16_383]].concat();
        say_below(stream, b"GET / HTTP/1.1\r\nX: x", &record)
    };
    let states = [short as fn(&mut TcpStream) -> usize, long];
    let states = states.map(|enter| State::of("tls", enter));
    holds_all(NOT_UNDERSTOOD, 400, states.into());
}

#[test]
fn a_client_that_reads_nothing_costs_what_the_page_says() {
    /// Lets little be sent to it, and whatever it says go out.
    fn narrow(stream: &TcpStream) {
        sockopt::set_socket_recv_buffer_size(stream, 4_096).expect("it is a socket");
        sockopt::set_socket_send_buffer_size(stream, 400_000).expect("it is a socket");
    }
    // Each letter, and how it is taken back, is echoed.
    let echo = |stream: &mut TcpStream| {
        narrow(stream);
        let begin = say(stream, b"\xFF\xFD\x01");
        begin + say(stream, &b"x\x7F".repeat(20_000)).min(16_000)
    };
    let drip = |stream: &mut TcpStream| {
        narrow(stream);
        say_below(stream, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"")
    };
    // Few, since clients that talk so much are heard by and by.
    let drip = State { keys: "rate_limit = 0", ..State::of("tls", drip) };
    holds_all(NOT_UNDERSTOOD, 40, vec![State::of("telnet_login", echo), drip]);
}
