//! Transcripts of `auto`.

use std::{net::SocketAddr, time::Duration};

use tarpit_proto::pins::Pins;

use crate::stage::Stage;

/// A client from `client` in front of `port`, connected.
fn connect(client: &str, port: u16) -> Stage {
    prepare(client, port).open()
}

fn prepare(client: &str, port: u16) -> Stage {
    let mut stage = Stage::new("auto");
    stage.profile.strict_lock = None;
    stage.conn.client = client.parse().expect("an address");
    stage.conn.server = SocketAddr::from(([198, 51, 100, 1], port));
    stage
}

/// What such a client hears in so many milliseconds.
fn heard_within(client: &str, port: u16, millis: u64) -> String {
    let mut stage = connect(client, port);
    stage.pass(Duration::from_millis(millis));
    stage.text()
}

const CLIENT: &str = "192.0.2.7:40000";
const SSH: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

#[test]
fn first_bytes_are_answered_at_once_by_what_they_show() {
    let hello = include_bytes!("../corpus/client_hello.bin");
    let openings: [(&[u8], &str, &str); 5] = [
        (SSH.as_bytes(), "ssh", "SSH-2.0-OpenSSH_8.9p1"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http", "HTTP/1.1 "),
        (b"EHLO a\r\n", "smtp", "220 "),
        (b"USER root\r\n", "ftp", "220 (vsFTPd"),
        (hello, "tls", "\\x16\\x03"),
    ];
    for (opening, name, answer) in openings {
        let mut stage = connect(CLIENT, 40_000);
        stage.says(opening);
        stage.pass_secs(60);
        assert!(stage.text().starts_with(answer), "{name}: {}", stage.text());
        assert_eq!(stage.news[0], format!("learnt protocol {name}"));
        assert!(stage.news[1].starts_with("validated true "), "{name}: {:?}", stage.news);
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn silence_is_answered_as_the_port_says() {
    for (port, wanted) in [
        (21, "220 (vsFTPd"),
        (22, "SSH-2.0-"),
        (25, "220 "),
        (2222, "SSH-2.0-"),
        (2121, "220 (vsFTPd"),
    ] {
        assert!(heard_within(CLIENT, port, 150).starts_with(wanted), "{port}");
        assert_eq!(heard_within(CLIENT, port, 149), "", "{port}");
    }
    assert!(heard_within(CLIENT, 23, 150).contains("login: "));
    // There the client speaks first, or waits for what no pattern says.
    for port in [80, 110, 443, 445] {
        assert_eq!(heard_within(CLIENT, port, 60_000), "", "{port}");
    }
}

#[test]
fn on_other_ports_silence_is_answered_by_one_greeting_after_the_other() {
    let mut stage = connect(CLIENT, 40_000);
    stage.pass_secs(600);
    assert_eq!(stage.moments(), [1_200, 3_000, 6_500]);
    let greetings: Vec<_> =
        stage.sent.iter().map(|(_, bytes)| bytes.escape_ascii().to_string()).collect();
    assert!(greetings[0].starts_with("220 ") && greetings[0].ends_with("\\r\\n"));
    assert!(greetings[1].starts_with("SSH-2.0-") && greetings[2].ends_with("login: "));
    // Each of them is answered by its own clients.
    stage.says("root\r\n").pass_secs(60);
    assert_eq!(stage.news[0], "learnt protocol telnet");
    let mut stage = connect(CLIENT, 40_000);
    stage.pass_secs(4);
    stage.says(SSH);
    assert_eq!(stage.text().matches("SSH-2.0-").count(), 1, "no greeting twice");
    stage.pass_secs(60);
    assert_eq!(stage.news[0], "learnt protocol ssh");
    for (command, name) in [("EHLO a\r\n", "smtp"), ("USER a\r\n", "ftp")] {
        let mut stage = connect(CLIENT, 40_000);
        stage.pass_secs(1);
        stage.says(command).pass_secs(60);
        assert_eq!(stage.text().matches("220 ").count(), 1, "{}", stage.text());
        assert_eq!(stage.news[0], format!("learnt protocol {name}"));
    }
}

#[test]
fn a_network_hears_the_same_greeting_all_day_and_not_the_same_every_day() {
    let first = |client: &str, days: u64| {
        let mut stage = prepare(client, 40_000);
        // Without the date and hour that a greeting may carry.
        stage.pass_secs(days * 86_400);
        let mut stage = stage.open();
        stage.pass_secs(2);
        stage.text()[..12].to_owned()
    };
    let client = |net: u64, host: u64| format!("192.0.{net}.{host}:40000");
    for net in 0..20 {
        let (one, other) = (first(&client(net, 1), 0), first(&client(net, 200), 0));
        assert_eq!(one, other);
    }
    let over_nets: Vec<_> = (0..20).map(|net| first(&client(net, 1), 0)).collect();
    assert!(over_nets.iter().any(|one| *one != over_nets[0]));
    let over_days: Vec<_> = (0..20).map(|day| first(CLIENT, day)).collect();
    assert!(over_days.iter().any(|one| *one != over_days[0]));
}

#[test]
fn a_slow_client_of_another_protocol_is_handed_on_behind_the_greeting() {
    let unlocked = |port| {
        let mut stage = prepare(CLIENT, port);
        stage.profile.strict_lock = Some(false);
        stage.open()
    };
    let mut stage = unlocked(22);
    stage.pass_secs(2);
    stage.says("GET / HTTP/1.1\r\nHost: a\r\n\r\n").pass_secs(60);
    assert!(stage.text().starts_with("SSH-2.0-") && stage.text().contains("\\r\\nHTTP/1.1 "));
    assert_eq!(stage.news[0], "learnt protocol http");
    let mut stage = unlocked(21);
    stage.pass_secs(2);
    stage.says(SSH).pass_secs(1);
    assert!(stage.text().contains("\\r\\nSSH-2.0-"), "lines may stand in front of it");
}

#[test]
fn what_no_pattern_speaks_is_named_and_held_in_silence() {
    for (bytes, name) in [
        (&b"stats\r\n"[..], "memcached"),
        (b"\x03\x00\x00\x13\x0E\xE0\x00\x00\x00\x00\x00\x01\x00\x08\x00", "rdp"),
        (b"\x00\x00\x00\x54\x00\x03\x00\x00user\x00", "postgres"),
    ] {
        let mut stage = connect(CLIENT, 40_000);
        stage.says(bytes).pass_secs(30 * 86_400);
        assert_eq!((stage.text(), stage.closed), (String::new(), None), "{name}");
        assert_eq!(stage.news[0], format!("learnt protocol {name}"));
        assert!(stage.news[1].starts_with("validated false "));
        let quiet = stage.save().len();
        stage.says(vec![0; 40_000]);
        assert_eq!(stage.save().len(), quiet);
    }
}

#[test]
fn what_nobody_knows_is_served_what_the_port_speaks() {
    let mut stage = connect(CLIENT, 21);
    stage.says("FROB\nFROB\n").pass_secs(60);
    assert!(stage.text().starts_with("220 (vsFTPd"), "{}", stage.text());
    assert_eq!(stage.news[0], "learnt protocol unknown");
    assert_eq!(stage.news[1], "validated false FROB");
    let mut stage = connect(CLIENT, 22);
    stage.says("\u{1}\u{2}\u{3}\u{4}\u{5}").pass_secs(3_600);
    assert!(stage.text().starts_with("SSH-2.0-") && stage.sent.len() == 1);
}

#[test]
fn what_is_begun_is_waited_for_two_seconds_and_then_taken_for_the_likeliest() {
    let mut stage = connect(CLIENT, 40_000);
    stage.says("SS").pass(Duration::from_millis(1_999));
    assert_eq!(stage.text(), "");
    stage.pass_secs(1);
    assert!(stage.text().starts_with("SSH-2.0-"));
    assert_eq!(stage.news[..2], ["learnt protocol ssh", "validated true SS"]);
    stage.says("H-2.0-Go\r\n").pass_secs(60);
    assert!(stage.sent.len() >= 2);
}

#[test]
fn under_a_lock_a_network_hears_one_protocol() {
    let visit = |pins: &mut Pins, client: &str, said: &str| {
        let mut stage = prepare(client, 40_000);
        stage.profile.strict_lock = Some(true);
        std::mem::swap(&mut stage.pins, pins);
        let mut stage = stage.open();
        if said.is_empty() {
            stage.pass_secs(60);
        } else {
            stage.says(said).pass_secs(60);
        }
        std::mem::swap(&mut stage.pins, pins);
        (stage.text(), stage.news)
    };
    let mut pins = Pins::default();
    let (silent, _) = visit(&mut pins, CLIENT, "");
    assert!(silent.starts_with("220 ") && !silent.contains("SSH-2.0"), "{silent}");
    let (web, news) = visit(&mut pins, CLIENT, "GET / HTTP/1.0\r\n\r\n");
    assert!(web.starts_with("220 ") && !web.contains("HTTP/1"), "{web}");
    assert!(news[1].starts_with("validated false"), "{news:?}");
    // Another network decides for itself.
    let other = "203.0.113.9:40000";
    let (web, _) = visit(&mut pins, other, "GET / HTTP/1.0\r\n\r\n");
    assert!(web.starts_with("HTTP/1.1 "));
    let (silent, _) = visit(&mut pins, other, "");
    assert_eq!(silent, "", "a web server waits for its clients");
    let (ssh, _) = visit(&mut pins, "203.0.113.80:9", SSH);
    assert!(!ssh.contains("SSH-2.0"));
}

#[test]
fn the_port_of_a_server_that_speaks_first_speaks_that_protocol_alone() {
    const WEB: &str = "GET / HTTP/1.0\r\n\r\n";
    let heard = |port, lock, wait, said: &str| {
        let mut stage = prepare(CLIENT, port);
        stage.profile.strict_lock = lock;
        let mut stage = stage.open();
        stage.pass(Duration::from_millis(wait));
        stage.says(said).pass_secs(60);
        assert_eq!(stage.closed, None);
        (stage.text(), stage.news)
    };
    let hello = "\u{16}\u{3}\u{1}";
    for (port, greeting) in [
        (21, "220 (vsFTPd"),
        (22, "SSH-2.0-"),
        (23, "login: "),
        (587, "220 "),
        (2121, "220 (vsFTPd"),
        (2222, "SSH-2.0-"),
        (2323, "login: "),
        (2525, "220 "),
    ] {
        for lock in [None, Some(true)] {
            for (wait, said) in [(0, WEB), (1_000, WEB), (20_000, WEB), (1_000, hello)] {
                let (text, _) = heard(port, lock, wait, said);
                assert_eq!(text.matches(greeting).count(), 1, "{port}: {text}");
                assert!(!text.contains("HTTP/1"), "{port}: {text}");
            }
        }
        let (_, news) = heard(port, None, 0, WEB);
        assert_eq!(news[0], "learnt protocol http");
        assert_eq!(news[1], "validated false GET ");
        // Its own clients are served, and nobody else's where the owner wants that.
        let (web, _) = heard(port, Some(false), 0, WEB);
        assert!(web.starts_with("HTTP/1.1 "), "{port}: {web}");
    }
    let (own, news) = heard(2222, None, 1_000, SSH);
    assert!(own.starts_with("SSH-2.0-") && own.len() > 40, "{own}");
    assert_eq!(news[..2], ["learnt protocol ssh", "validated true SSH-"]);
    // On the ports of clients that speak first, and of nobody, all are served.
    for port in [80, 6379, 40_000] {
        let (web, _) = heard(port, None, 0, WEB);
        assert!(web.starts_with("HTTP/1.1 "), "{port}: {web}");
        let (ssh, _) = heard(port, None, 0, SSH);
        assert!(ssh.starts_with("SSH-2.0-"), "{port}: {ssh}");
    }
}

#[test]
fn a_hand_over_amid_the_greeting_is_survived() {
    let mut stage = connect(CLIENT, 40_000);
    stage.room = Box::new(|wanted| wanted.min(3));
    stage.says(SSH);
    stage.hand_over();
    stage.pass_secs(60);
    assert!(stage.text().starts_with("SSH-2.0-OpenSSH_8.9p1"), "{}", stage.text());
    stage.hand_over();
    stage.pass_secs(600);
    assert_eq!(stage.closed, None);
}
