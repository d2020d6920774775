//! A client closes its side: who has left, who is asked by a byte, and whose place is freed.

use tarpit_proto::{patterns, session::Cause};

use crate::{all_patterns::opening, stage::Stage};

/// By then the place of a client that can be sent nothing is free.
const FREE: u64 = 2;

#[test]
fn who_says_nothing_to_a_server_that_lets_it_speak_first_has_left() {
    for pattern in &patterns::ALL {
        let mut stage = Stage::new(pattern.name()).open();
        if !stage.sent.is_empty() || ["auto", "endless_banner"].contains(&pattern.name()) {
            continue;
        }
        stage.pass_secs(1).half_closes();
        assert_eq!(stage.closed, Some(Cause::Left), "{}", pattern.name());
        assert_eq!(stage.text(), "", "{}", pattern.name());
        let mut stage = Stage::new(pattern.name()).unvalidated().open();
        if stage.sent.is_empty() {
            stage.half_closes();
            assert_eq!(stage.closed, Some(Cause::Left), "{} unvalidated", pattern.name());
        }
    }
}

#[test]
fn who_was_greeted_and_can_be_told_nothing_more_frees_its_place() {
    for pattern in ["ftp_hold", "smtp_hold", "ssh_auth_hold", "ssh_kex_hold", "telnet_login"] {
        let mut stage = Stage::new(pattern).open();
        let greeting = stage.heard();
        assert!(!greeting.is_empty(), "{pattern}");
        stage.half_closes();
        assert_eq!(stage.closed, None, "{pattern}");
        stage.pass_secs(FREE);
        assert_eq!((stage.closed, &*stage.text()), (Some(Cause::HalfClosed), ""), "{pattern}");
    }
}

#[test]
fn every_client_is_told_a_byte_within_a_second_or_gone_within_two() {
    for pattern in &patterns::ALL {
        for rate in [None, Some(-60), Some(1), Some(64)] {
            for seconds in [0, 1, 5, 30, 600] {
                let mut stage = Stage::new(pattern.name());
                if let Some(rate) = rate {
                    stage = stage.rate(rate);
                }
                let mut stage = stage.open();
                stage.says(opening(*pattern)).pass_secs(seconds).sent.clear();
                let about = format!("{} at {rate:?} after {seconds} s", pattern.name());
                stage.half_closes();
                let told = stage.bytes().len();
                stage.pass_secs(1);
                if told == 0 {
                    assert!(stage.bytes().is_empty(), "{about}");
                    stage.pass_secs(FREE - 1);
                    assert_eq!(stage.closed, Some(Cause::HalfClosed), "{about}");
                } else {
                    stage.pass_secs(86_400);
                    assert_eq!(stage.closed, None, "{about}");
                }
            }
        }
    }
}

#[test]
fn closing_behind_bytes_that_wait_unread_is_noticed_as_well() {
    let mut unread = 0;
    for pattern in &patterns::ALL {
        for rate in [None, Some(-60)] {
            for more in [&b"NOOP\r\n".repeat(1_000), &vec![b'A'; 6_000]] {
                let mut stage = Stage::new(pattern.name());
                if let Some(rate) = rate {
                    stage = stage.rate(rate);
                }
                let mut stage = stage.open();
                stage.says(opening(*pattern)).says(more);
                if stage.listens() {
                    continue;
                }
                unread += 1;
                stage.sent.clear();
                stage.half_closing();
                let told = stage.bytes().len();
                stage.pass_secs(FREE);
                let about = format!("{} at {rate:?}", pattern.name());
                let closed = (told == 0).then_some(Cause::HalfClosed);
                assert_eq!(stage.closed, closed, "{about}: {told} bytes");
            }
        }
    }
    assert!(unread > 8, "{unread}");
}

#[test]
fn the_sender_of_a_mail_that_is_gone_behind_it_frees_its_place() {
    let mut stage = Stage::new("smtp_hold").rate(1_000).open();
    stage.profile.poison = true;
    for line in ["EHLO a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"] {
        stage.says(format!("{line}\r\n")).pass_secs(60);
    }
    stage.says("line\r\n".repeat(1_000));
    assert!(!stage.listens());
    stage.half_closing().pass_secs(FREE);
    assert_eq!(stage.closed, Some(Cause::HalfClosed));
}

#[test]
fn who_has_closed_its_side_hears_what_others_hear() {
    for (pattern, said) in [
        ("ftp_hold", "USER a\r\nPASS b\r\nPASV\r\nLIST\r\n"),
        ("smtp_hold", "EHLO a.example\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n"),
    ] {
        let told = |closes: bool| {
            let mut stage = Stage::new(pattern).rate(64).open();
            stage.says(said);
            if closes {
                stage.half_closes();
            }
            stage.pass_secs(30);
            stage.bytes()
        };
        let (open, closed) = (told(false), told(true));
        let common = open.len().min(closed.len());
        let texts = (open[..common].escape_ascii(), closed[..common].escape_ascii());
        assert_eq!(texts.0.to_string(), texts.1.to_string(), "{pattern}");
    }
}

#[test]
fn without_a_limit_no_more_than_a_byte_goes_early_either() {
    let mut stage = Stage::new("tls_slow_hello").rate(0).unvalidated().open();
    stage.says([0x16]).half_closes();
    assert_eq!(stage.bytes().len(), 1);
    stage.pass_secs(600);
    assert!(stage.bytes().len() > 1_000, "{}", stage.bytes().len());
}

#[test]
fn a_byte_goes_early_once_and_the_rest_at_the_rate() {
    let mut stage = Stage::new("endless_banner").rate(-60).open();
    stage.pass_secs(70);
    stage.sent.clear();
    stage.half_closes();
    assert_eq!(stage.bytes().len(), 1);
    stage.pass_secs(600);
    let moments: Vec<_> = stage.sent.iter().map(|(at, _)| at.as_millis() - 75_000).collect();
    // The early byte is owed its minute and that of the one before.
    assert_eq!(moments[..3], [0, 110_000, 170_000]);
}

#[test]
fn a_refusal_begins_early_and_comes_whole_when_it_is_due() {
    let mut stage = Stage::new("ftp_hold").open();
    stage.says("USER root\r\n").pass_secs(60).says("PASS secret\r\n").heard();
    stage.pass_secs(3).heard();
    let before = stage.now;
    stage.half_closes();
    assert_eq!(stage.text(), "5");
    stage.pass_secs(5);
    assert_eq!(stage.text(), "5", "the pause is still to be borne");
    stage.pass_secs(30);
    let (at, rest) = &stage.sent[1];
    assert!(at.since(before).as_secs() >= 12, "{}", at.since(before).as_secs());
    assert!(rest.starts_with(b"30") && rest.ends_with(b"\r\n"), "{}", rest.escape_ascii());
}

#[test]
fn on_a_port_for_all_a_greeting_decides() {
    for (port, greeting) in [(2222, "SSH-2.0-"), (21, "220 "), (25, "220 "), (9_999, "220 ")] {
        let mut stage = Stage::new("auto");
        stage.conn.server.set_port(port);
        let mut stage = stage.open();
        stage.half_closes().pass_secs(1);
        assert!(stage.text().starts_with(greeting), "{port}: {}", stage.text());
        stage.pass_secs(86_400);
        assert_eq!(stage.closed, None, "{port}: a client that acknowledged it is there");
    }
    for port in [80, 443] {
        let mut stage = Stage::new("auto");
        stage.conn.server.set_port(port);
        let mut stage = stage.open();
        stage.half_closes();
        assert_eq!((stage.closed, &*stage.text()), (Some(Cause::Left), ""), "{port}");
    }
}

#[test]
fn who_began_something_and_will_not_go_on_is_decided_at_once() {
    let mut stage = Stage::new("http_hold").open();
    stage.says("GE").half_closes().pass_secs(FREE);
    assert_eq!(stage.news, ["validated false GE"]);
    assert_eq!(stage.closed, Some(Cause::HalfClosed));
    let mut stage = Stage::new("ftp_hold").open();
    stage.heard();
    stage.says("US").half_closes();
    assert_eq!((stage.news.len(), &stage.text()[..4]), (1, "530 "));
}

#[test]
fn an_upload_that_is_not_read_hides_no_end() {
    let mut stage = Stage::new("http_hold").open();
    stage.says("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nabc").pass_secs(1);
    assert!(!stage.listens());
    stage.sent.clear();
    stage.half_closing();
    assert_eq!(stage.bytes().len(), 1);
    stage.pass_secs(86_400);
    assert_eq!(stage.closed, None);
}

#[test]
fn who_has_closed_its_side_is_handed_over_as_it_is() {
    let mut stage = Stage::new("smtp_hold").open();
    stage.half_closes().hand_over().pass_secs(FREE);
    assert_eq!(stage.closed, Some(Cause::HalfClosed));
    let mut stage = Stage::new("ftp_hold").open();
    stage.says("USER root\r\n").pass_secs(60).says("PASS x\r\n").pass_secs(3).half_closes();
    stage.heard();
    stage.hand_over().pass_secs(40);
    assert!(stage.text().starts_with("30"), "{}", stage.text());
}
