//! Values are cut where they are told, and their lengths are true, also of what is longer than all
//! that may wait.

use crate::stage::Stage;

/// What was learnt of a client that says `said` in portions of 1,000 bytes, by name: what is told
/// of a value, without its repetitions, and its length where that is not all.
fn learnt(pattern: &str, port: u16, said: &[u8]) -> Vec<String> {
    learnt_by(pattern, port, said, false)
}

/// The same, perhaps with a hand-over behind each portion.
fn learnt_by(pattern: &str, port: u16, said: &[u8], hands_over: bool) -> Vec<String> {
    let mut stage = Stage::new(pattern);
    stage.conn.server.set_port(port);
    let mut stage = stage.open();
    stage.pass_secs(2);
    for portion in said.chunks(1_000) {
        stage.says(portion).pass_secs(60);
        if hands_over {
            stage.hand_over();
        }
    }
    stage.pass_secs(600);
    let shorten = |fact: &String| {
        let end = fact.find("aaaa").map_or(fact.len(), |start| start + 4);
        let length = fact.rsplit_once("(of ").map_or("", |(_, length)| length);
        [&fact[..end], " ", length.trim_end_matches(')')].concat()
    };
    let facts = stage.news.iter().filter_map(|fact| fact.strip_prefix("learnt "));
    facts.map(|fact| shorten(&fact.to_owned())).collect()
}

#[test]
fn the_length_of_what_is_cut_is_that_of_the_whole() {
    let long = |length: usize| "a".repeat(length);
    // Three letters of it are four in base64.
    let coded = |length: usize| "YWFh".repeat(length / 3);
    for (pattern, port, said, wanted) in [
        ("telnet_login", 23, format!("{}\r\n{}\r\n", long(300), long(6_000)), "user aaaa 300"),
        ("telnet_login", 23, format!("x\r\n{}\r\n", long(6_000)), "secret aaaa 6000"),
        ("telnet_login", 23, format!("x {}\r\n", long(400)), "secret aaaa 400"),
        ("ftp_hold", 21, format!("USER {}\r\n", long(300)), "user aaaa 300"),
        ("ftp_hold", 21, format!("USER {}\r\n", long(5_000)), "user aaaa 5000"),
        ("ftp_hold", 21, format!("USER x PASS {}\r\n", long(5_000)), "secret aaaa 5000"),
        ("ftp_hold", 21, format!("USER x\r\nPASS {}\r\n", long(9_999)), "secret aaaa 9999"),
        ("ftp_hold", 21, format!("CWD {}\r\n", long(5_000)), "command CWD aaaa 5004"),
        ("auto", 21, format!("USER {}\r\n", long(5_000)), "user aaaa 5000"),
        ("smtp_hold", 25, format!("EHLO {}\r\n", long(5_000)), "smtp_helo aaaa 5000"),
        (
            "smtp_hold",
            25,
            format!("EHLO gerg\r\nMAIL FROM:<{}>\r\n", long(5_000)),
            "smtp_mail_from aaaa 5000",
        ),
        (
            "smtp_hold",
            25,
            format!("EHLO gerg\r\nAUTH PLAIN AGEA{}\r\n", coded(6_000)),
            "secret aaaa 6000",
        ),
        (
            "smtp_hold",
            25,
            format!("EHLO gerg\r\nAUTH LOGIN\r\n{}\r\nYQ==\r\n", coded(6_000)),
            "user aaaa 6000",
        ),
        (
            "smtp_hold",
            25,
            format!("EHLO gerg\r\nAUTH LOGIN\r\nYQ==\r\n{}\r\n", coded(1_800)),
            "secret aaaa 1800",
        ),
        (
            "smtp_hold",
            25,
            format!("EHLO gerg\r\nAUTH LOGIN\r\nYQ==\r\n{}\r\n", coded(6_000)),
            "secret aaaa 6000",
        ),
    ] {
        // A hand-over amid a line forgets nothing of it.
        for hands_over in [false, true] {
            let facts = learnt_by(pattern, port, said.as_bytes(), hands_over);
            let found = facts.iter().any(|fact| fact.starts_with(wanted));
            let begins = &said[..said.len().min(40)];
            assert!(found, "{pattern} {begins}: {wanted:?} in {facts:?} ({hands_over})");
        }
    }
}

#[test]
fn the_length_of_a_field_that_does_not_fit_is_that_of_the_whole() {
    let long = |length: usize| "a".repeat(length);
    // Behind a name and a colon three letters are four in base64.
    let basic = |length: usize| ["YTph".to_owned(), "YWFh".repeat(length / 3)].concat();
    for (said, wanted) in [
        (format!("GET /{} HTTP/1.1\r\n\r\n", long(300)), "http_request GET /aaaa 314"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", long(9_000)), "http_request GET /aaaa 9014"),
        (
            format!("GET / HTTP/1.1\r\nUser-Agent: {}\r\n\r\n", long(6_000)),
            "http_user_agent aaaa 6000",
        ),
        (format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", long(300)), "http_host aaaa 300"),
        (
            format!("GET / HTTP/1.1\r\nAuthorization: Basic {}\r\n\r\n", basic(300)),
            "secret aaaa 301",
        ),
        (
            format!("GET / HTTP/1.1\r\nAuthorization: Basic {}\r\n\r\n", basic(6_000)),
            "secret aaaa 6001",
        ),
        (
            format!("GET / HTTP/1.1\r\nAuthorization: Basic {}YQ==\r\n\r\n", basic(6_000)),
            "secret aaaa 6002",
        ),
        (
            format!("GET / HTTP/1.1\r\nAuthorization: Bearer {}\r\n\r\n", long(6_000)),
            "secret aaaa 6000",
        ),
        (
            format!(
                "CONNECT b:1 HTTP/1.1\r\nProxy-Authorization: Bearer {}\r\nHost: x\r\n\r\n",
                long(6_000)
            ),
            "http_host x ",
        ),
    ] {
        for pattern in ["http_hold", "http_fake_auth"] {
            let facts = learnt(pattern, 80, said.as_bytes());
            let start = &said[..said.len().min(40)];
            assert!(facts.iter().any(|fact| fact == wanted), "{start}: {wanted:?} in {facts:?}");
        }
    }
}

#[test]
fn the_length_of_a_path_in_http_2_is_that_of_the_whole() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    };
    // A method, and a path of so many bytes, as it stands or in code, in which `a` has five bits.
    let block = |length: usize, coded: bool| {
        let bytes = if coded { length * 5 / 8 } else { length };
        let mut number = vec![(if coded { 0x80 } else { 0 }) | 127];
        let mut rest = bytes - 127;
        while rest >= 128 {
            number.push(0x80 | (rest % 128) as u8);
            rest /= 128;
        }
        number.push(rest as u8);
        // Eight times 00011 are these five bytes.
        let code = [0b0001_1000, 0b1100_0110, 0b0011_0001, 0b1000_1100, 0b0110_0011];
        let text = if coded { code.repeat(length / 8) } else { vec![b'a'; length] };
        [&[0x82, 0x04][..], &number, &text, &[0x0F, 0x2B, 1, b'x']].concat()
    };
    for length in [400, 4_800, 8_000] {
        for coded in [false, true] {
            let block = block(length, coded);
            let (first, second) = block.split_at(block.len() / 2);
            for frames in [frame(1, 5, &block), [frame(1, 1, first), frame(9, 4, second)].concat()]
            {
                let said = [preface, &frames, &frame(6, 0, &[0; 8])].concat();
                let facts = learnt("http_hold", 80, &said);
                let wanted = format!("http_request GET aaaa {}", length + 13);
                assert!(facts.contains(&wanted), "{length} {coded}: {facts:?}");
            }
        }
    }
}

#[test]
fn a_line_that_was_too_long_leaves_nothing_behind() {
    for pattern in ["ftp_hold", "smtp_hold"] {
        let mut stage = Stage::new(pattern).open();
        stage.says("NOOP\r\n").pass_secs(60);
        for _ in 0..3 {
            for _ in 0..20 {
                stage.says([b'a'; 1_000]).pass_secs(60);
            }
            stage.says("\r\n").pass_secs(60);
            stage.hand_over();
        }
        let facts = stage.news.iter().filter(|fact| fact.ends_with("(of 20000)")).count();
        assert_eq!(facts, 3, "{:?}", stage.news);
    }
}
