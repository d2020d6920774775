//! Transcripts of `smtp_endless_ehlo`.

use std::collections::HashSet;

use tarpit_proto::persona::Persona;

use crate::stage::{Stage, seed};

const UNKNOWN: &str = r"500 unrecognized command\r\n";

/// A client that has been greeted.
fn greeted() -> Stage {
    let mut stage = Stage::new("smtp_endless_ehlo").open();
    let greeting = stage.heard();
    assert!(greeting.starts_with("220 "), "{greeting}");
    assert!(greeting.ends_with(r" ESMTP Exim 4.95 Ubuntu Sun, 22 Nov 2026 07:52:33 +0000\r\n"));
    stage
}

#[test]
fn extensions_are_told_for_thirty_days() {
    let mut stage = greeted();
    stage.says("EHLO client.example\r\n").pass_secs(30 * 86_400);
    let host = stage.profile.persona.host().to_owned();
    let line = |index: usize| stage.sent[index].1.escape_ascii().to_string();
    assert_eq!(line(0), format!(r"250-{host} Hello client.example [192.0.2.7]\r\n"));
    assert_eq!(line(1), r"250-SIZE 52428800\r\n");
    assert_eq!(line(2), r"250-8BITMIME\r\n");
    let known: Vec<_> = (1..9).map(line).collect();
    assert!(known.contains(&r"250-AUTH PLAIN LOGIN\r\n".to_owned()));
    assert!(stage.sent.len() > 300_000);
    let mut keywords = HashSet::new();
    for (_, line) in &stage.sent[9..] {
        let text = core::str::from_utf8(line).expect("text");
        let rest = text.strip_prefix("250-X").and_then(|rest| rest.strip_suffix("\r\n"));
        let rest = rest.unwrap_or_else(|| panic!("{text}"));
        let (keyword, number) = rest.split_once(' ').unwrap_or((rest, "1"));
        assert!(keyword.bytes().all(|byte| byte.is_ascii_uppercase()), "{text}");
        assert!(number.parse::<u16>().is_ok() && line.len() < 40, "{text}");
        keywords.insert(keyword);
    }
    assert!(keywords.len() > 50_000, "{}", keywords.len());
    // The client hears at once that it was heard, and then a line a turn.
    assert_eq!(stage.moments()[0], 0);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert_eq!(stage.closed, None);
}

#[test]
fn every_salutation_is_answered_so_and_says_back_nothing_harmful() {
    for (said, name) in [
        ("helo me\r\n", "Hello me [192.0.2.7]"),
        ("eHlO [192.0.2.9]\n", "Hello [192.0.2.9] [192.0.2.7]"),
    ] {
        let mut stage = greeted();
        stage.says(said).pass_secs(20);
        let text = stage.heard();
        assert!(text.contains(&format!(r"{name}\r\n250-SIZE")), "{said}: {text}");
    }
    // Without a name there is no list.
    for said in ["EHLO\r\n", "EHLO a\x1B[2J\u{7F}\u{E9}b\r\n", "EHLO a_b\r\n"] {
        let mut stage = greeted();
        stage.says(said).pass_secs(20);
        assert_eq!(stage.heard(), r"501 Syntactically invalid EHLO argument(s)\r\n");
    }
    let mut stage = greeted();
    stage.says("EHLO ").says([b'x'; 900]).says("\r\n");
    assert!(stage.bytes().len() < 120);
}

#[test]
fn every_command_before_the_salutation_has_its_one_whole_answer() {
    for (said, code) in [
        ("NOOP\r\n", "250 "),
        ("rset\r\n", "250 "),
        ("MAIL FROM:<a@b.example>\r\n", "503 "),
        ("RCPT TO:<a@b.example>\r\n", "503 "),
        ("DATA\r\n", "503 "),
        ("BDAT 5 LAST\r\n", "503 "),
        ("AUTH LOGIN\r\n", "503 "),
        ("STARTTLS\r\n", "503 "),
        ("VRFY root\r\n", "501 "),
        ("EXPN all\r\n", "550 "),
        ("ETRN x\r\n", "458 "),
    ] {
        let mut stage = greeted();
        stage.says(said).pass_secs(3_600);
        assert_eq!(stage.sent.len(), 1, "{said}");
        let answer = stage.heard();
        assert!(answer.starts_with(code) && answer.ends_with(r"\r\n"), "{said}: {answer}");
        stage.says("FROB\r\n").pass_secs(3_600);
        assert_eq!((stage.heard().as_str(), stage.closed), (UNKNOWN, None), "{said}");
    }
    let mut stage = greeted();
    stage.says("HELP\r\n");
    let help = stage.heard();
    assert!(help.starts_with("214-") && help.contains(r"\r\n214 "), "{help}");
}

#[test]
fn no_mail_is_ever_taken() {
    let mail = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\
        Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n";
    for salutation in ["", "EHLO x\r\n", "HELO x\r\n"] {
        let mut stage = greeted();
        stage.says([salutation, mail].concat()).pass_secs(86_400);
        let text = String::from_utf8(stage.bytes()).expect("text");
        let taken = text.lines().find(|line| line.starts_with("250 ") || line.starts_with("354"));
        assert_eq!(taken, None);
        assert_eq!(stage.closed, None);
    }
}

#[test]
fn a_client_that_speaks_during_the_list_is_told_of_no_success() {
    let mut stage = greeted();
    stage.says("EHLO x\r\n").pass_secs(20).heard();
    stage.says("MAIL FROM:<a@b.example>\r\n").pass_secs(10);
    stage.says("RCPT TO:<root@x>\r\n").pass_secs(30 * 86_400);
    assert!(stage.sent.len() > 300_000);
    assert!(stage.sent.iter().all(|(_, line)| line.starts_with(b"451-") && line.len() < 80));
    assert_eq!(stage.closed, None);
}

#[test]
fn a_goodbye_is_returned_and_the_client_held() {
    let mut stage = greeted();
    stage.says("QUIT\r\n").pass_secs(30 * 86_400);
    let host = stage.profile.persona.host().to_owned();
    assert_eq!(stage.heard(), format!(r"221 {host} closing connection\r\n"));
    assert_eq!(stage.closed, None);
}

#[test]
fn silent_clients_have_seen_the_greeting_and_strangers_one_refusal() {
    let mut stage = greeted();
    stage.pass_secs(30 * 86_400);
    assert_eq!(stage.heard(), "");
    stage.says("GET / HTTP/1.0\r\n\r\n").pass_secs(30 * 86_400);
    assert_eq!(stage.heard(), UNKNOWN);
    assert_eq!(stage.closed, None);
}

#[test]
fn a_client_that_sends_byte_by_byte_is_understood() {
    let mut stage = greeted();
    for byte in b"NOOP\r\nehlo x\r\n" {
        stage.pass_secs(5).says([*byte]);
    }
    assert!(stage.heard().starts_with(r"250 OK\r\n250-"));
}

#[test]
fn endless_commands_are_answered_at_our_pace() {
    let mut stage = greeted();
    stage.says("NOOP\r\n".repeat(150));
    let at_once = stage.sent.len();
    assert!((10..=30).contains(&at_once), "{at_once}");
    stage.pass_secs(80);
    assert!((9..=12).contains(&(stage.sent.len() - at_once)), "{}", stage.sent.len());
}

#[test]
fn under_a_rate_every_line_behind_the_greeting_is_paid_for() {
    for (rate, wanted, slack) in [(64, 640, 32), (1_024, 10_240, 512)] {
        let mut stage = Stage::new("smtp_endless_ehlo").rate(rate).open();
        assert!(stage.heard().ends_with(r"\r\n"));
        // The first line of the list stands alone for a while.
        stage.says("EHLO x\r\n").pass_secs(5);
        stage.heard();
        stage.pass_secs(10);
        let got = stage.bytes().len();
        assert!(got.abs_diff(wanted) <= slack, "{rate}: {got}");
    }
}

#[test]
fn every_reply_is_that_of_the_personas_server() {
    for (persona, unknown, goodbye, hello, extensions) in [
        (
            "debian-12",
            "500 unrecognized command",
            "221 {host} closing connection",
            "{host} Hello x [192.0.2.7]",
            ["SIZE 52428800", "8BITMIME"],
        ),
        (
            "ip-camera",
            "500 5.5.1 Command unrecognized",
            "221 2.0.0 {host} closing connection",
            "{host} Hello [192.0.2.7], pleased to meet you",
            ["ENHANCEDSTATUSCODES", "PIPELINING"],
        ),
        (
            "ubuntu-22.04",
            "500 unrecognized command",
            "221 {host} closing connection",
            "{host} Hello x [192.0.2.7]",
            ["SIZE 52428800", "8BITMIME"],
        ),
        (
            "windows-server-2019",
            "500 5.3.3 Unrecognized command",
            "221 2.0.0 {host} Service closing transmission channel",
            "{host} Hello [192.0.2.7]",
            ["AUTH=LOGIN", "AUTH LOGIN PLAIN"],
        ),
    ] {
        let open = |pattern| {
            let mut stage = Stage::new(pattern);
            stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
            let mut stage = stage.open();
            stage.heard();
            stage
        };
        let host = open("smtp_hold").profile.persona.host().to_owned();
        let line = |words: &str| [&words.replace("{host}", &host), r"\r\n"].concat();
        for (said, wanted) in [
            ("FROB\r\n", line(unknown)),
            ("QUIT\r\n", line(goodbye)),
            // What a client of another protocol is told.
            ("GET / HTTP/1.0\r\n\r\n", line(unknown)),
        ] {
            let mut stage = open("smtp_endless_ehlo");
            // Behind the first command words need not be commands.
            if said.starts_with("FROB") {
                stage.says("NOOP\r\n").pass_secs(20).heard();
            }
            stage.says(said).pass_secs(3_600);
            assert_eq!(stage.heard(), wanted, "{persona} {said}");
        }
        let mut stage = open("smtp_endless_ehlo");
        stage.says("EHLO x\r\n").pass_secs(20);
        let first =
            [hello, extensions[0], extensions[1]].map(|words| line(&["250-", words].concat()));
        assert!(stage.heard().starts_with(&first.concat()), "{persona}");
        // The pattern beside it says the same.
        for said in [
            "AUTH LOGIN",
            "DATA",
            "ETRN x",
            "EXPN x",
            "FROB",
            "HELP",
            "MAIL FROM:<>",
            "NOOP",
            "RCPT TO:<a@b>",
            "RSET",
            "SEND x",
            "STARTTLS",
            "VRFY x",
            "VRFY x@y.example",
            "MAIL  FROM:<>",
            "QUIT x",
        ] {
            let [one, other] = ["smtp_endless_ehlo", "smtp_hold"].map(|pattern| {
                let mut stage = open(pattern);
                stage.says("NOOP\r\n").pass_secs(20).heard();
                stage.says([said, "\r\n"].concat()).pass_secs(20);
                stage.heard()
            });
            assert_eq!(one, other, "{persona} {said}");
        }
    }
}
