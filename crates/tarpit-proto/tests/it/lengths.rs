//! Values are cut where they are told, and their lengths are true, also of what is longer than all
//! that may wait.

use crate::stage::Stage;

/// What was learnt of a client that says `said` in portions of 1,000 bytes, by name: what is told
/// of a value, without its repetitions, and its length where that is not all.
fn learnt(pattern: &str, port: u16, said: &[u8]) -> Vec<String> {
    let mut stage = Stage::new(pattern);
    stage.conn.server.set_port(port);
    let mut stage = stage.open();
    stage.pass_secs(2);
    for portion in said.chunks(1_000) {
        stage.says(portion).pass_secs(60);
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
        let facts = learnt(pattern, port, said.as_bytes());
        let found = facts.iter().any(|fact| fact.starts_with(wanted));
        assert!(found, "{pattern} {}: {wanted:?} in {facts:?}", &said[..said.len().min(40)]);
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
