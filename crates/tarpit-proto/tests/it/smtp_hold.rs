//! Transcripts of `smtp_hold`.

use tarpit_proto::{handshake_budget::LoadLevel, persona::Persona, session::Cause};

use crate::{
    stage::{Stage, seed},
    tls::tls,
};

/// A client that has been greeted.
fn greeted() -> Stage {
    greeted_by(false)
}

/// A client that has been greeted where it may be told that it got what it wants, or where it may
/// not.
fn greeted_by(poison: bool) -> Stage {
    let mut stage = Stage::new("smtp_hold");
    stage.profile.poison = poison;
    let mut stage = stage.open();
    let greeting = stage.heard();
    assert!(greeting.starts_with("220 ") && greeting.contains(" ESMTP Exim 4.95 Ubuntu "));
    stage
}

/// A client that has greeted, too, and waited for the reply.
fn saluted(salutation: &str) -> Stage {
    saluted_by(salutation, false)
}

/// The same, with or without `poison`.
fn saluted_by(salutation: &str, poison: bool) -> Stage {
    let mut stage = greeted_by(poison);
    stage.says([salutation, "\r\n"].concat()).pass_secs(200);
    stage.heard();
    stage
}

/// What answers `said`, and after how many milliseconds the first and the last of it.
fn answer(stage: &mut Stage, said: &str, seconds: u64) -> (String, u64, u64) {
    let before = stage.now;
    stage.says([said, "\r\n"].concat()).pass_secs(seconds);
    let moment = |at: &tarpit_proto::time::Time| at.since(before).as_millis() as u64;
    let (first, last) = (stage.sent.first(), stage.sent.last());
    let (first, last) = (first.expect("an answer"), last.expect("an answer"));
    let (first, last) = (moment(&first.0), moment(&last.0));
    (stage.heard(), first, last)
}

/// The first three digits of each line, and the sign behind them.
fn codes(text: &str) -> Vec<&str> {
    text.split_terminator(r"\r\n").map(|line| line.get(..4).unwrap_or_default()).collect()
}

#[test]
fn hydra_reads_extensions_for_thirty_days() {
    let mut stage = greeted();
    stage.says("EHLO hydra\r\n").pass_secs(30 * 86_400);
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert!(stage.sent.len() > 300_000);
    assert!(stage.sent.iter().all(|(_, line)| line.starts_with(b"250-")));
    // Where it looks for names, it is told of none.
    let mut stage = greeted();
    stage.says("HELO hydra\r\n").pass_secs(20).heard();
    assert!(answer(&mut stage, "VRFY root@x", 40).0.starts_with("550 "));
}

#[test]
fn a_guesser_that_wants_whole_replies_gets_each_after_a_silence() {
    for name in ["gerg", "ylmf-pc"] {
        let mut stage = greeted();
        for (said, wanted) in [
            (&format!("EHLO {name}")[..], "250-"),
            ("AUTH LOGIN", r"334 VXNlcm5hbWU6\r\n"),
            ("cm9vdA==", r"334 UGFzc3dvcmQ6\r\n"),
            ("YTE=", "535"),
        ] {
            let (text, first, _) = answer(&mut stage, said, 19);
            assert!(text.starts_with(wanted) && text.ends_with(r"\r\n"), "{said}: {text}");
            assert!((14_850..=18_150).contains(&first), "{said}: {first}");
        }
        stage.pass_secs(3_600);
        if name == "gerg" {
            assert_eq!(stage.heard(), "", "its refusal was whole");
        } else {
            let text = stage.heard();
            assert!(codes(&text).iter().all(|&code| code == "535-"), "{text}");
        }
        let learnt = ["learnt user root", "learnt secret a1"].map(str::to_owned);
        assert!(learnt.iter().all(|fact| stage.news.contains(fact)), "{:?}", stage.news);
    }
}

#[test]
fn a_client_that_speaks_during_a_refusal_gets_whole_ones_from_then_on() {
    let mut stage = saluted("EHLO [127.0.0.1]");
    let (text, ..) = answer(&mut stage, "AUTH PLAIN AHUAcA==", 30);
    assert_eq!(codes(&text), ["535-"; 4]);
    let (text, first, last) = answer(&mut stage, "AUTH PLAIN AHUAcQ==", 300);
    assert_eq!(codes(&text), ["535 "], "whole from now on");
    assert!(first == last && first > 14_850, "{first} {last}");
    // Nor is the end of a greeting taken for a welcome.
    let mut other = greeted();
    other.says("EHLO x.example\r\n").pass_secs(10).heard();
    assert!(answer(&mut other, "AUTH PLAIN AHUAcA==", 20).0.starts_with("535 "));
    assert_eq!(stage.news.iter().filter(|fact| fact.contains("secret")).count(), 2);
    // A client that stopped waiting gets no goodbye.
    let mut stage = saluted("EHLO [127.0.0.1]");
    answer(&mut stage, "AUTH PLAIN AHUAcA==", 30);
    let (text, ..) = answer(&mut stage, "QUIT", 100);
    assert!(codes(&text).iter().all(|&code| code == "535-"), "{text}");
}

#[test]
fn a_mail_agent_is_asked_to_come_back_in_lines_without_end() {
    let mut stage = saluted("EHLO mx.client.example");
    // Below the two minutes in which curl wants a whole reply, in pieces of its one line.
    let (text, first, last) = answer(&mut stage, "MAIL FROM:<a@client.example> SIZE=99", 200);
    assert_eq!(text, r"250 OK\r\n");
    assert!(first == 0 && (40_000..65_000).contains(&last), "{first} {last}");
    stage.says("RCPT TO:<b@d.example>\r\n").pass_secs(30 * 86_400);
    assert!(stage.sent.iter().all(|(_, line)| line.starts_with(b"451-")));
    assert!(stage.gaps().iter().all(|gap| (7_200..=8_800).contains(gap)));
    assert!(stage.sent.len() > 300_000);
    assert!(stage.news.contains(&"learnt smtp_rcpt_to b@d.example".to_owned()));
    // It does not wait any longer and says goodbye: it hears what it has heard.
    stage.sent.clear();
    stage.says("QUIT\r\n").pass_secs(600);
    assert!(stage.sent.len() > 70 && stage.sent.iter().all(|(_, line)| line.starts_with(b"451-")));
}

#[test]
fn no_recipient_is_ever_accepted_or_refused_for_good() {
    for salutation in
        ["HELO x", "EHLO x", "EHLO x.example", "EHLO gerg", "ehlo x", "EHLO localhost"]
    {
        for persona in Persona::names() {
            for rate in [None, Some(1_000)] {
                let mut stage = Stage::new("smtp_hold");
                stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
                if let Some(rate) = rate {
                    stage = stage.rate(rate);
                }
                let mut stage = stage.open();
                stage.says([salutation, "\r\n"].concat()).pass_secs(200);
                stage.says("MAIL FROM:<a@b.example>\r\n").pass_secs(200).heard();
                for said in ["RCPT TO:<root@c>", "RCPT TO:<x%y@z>", "DATA", "BDAT 1\r\nx"] {
                    stage.says([said, "\r\n"].concat()).pass_secs(100);
                }
                let text = stage.heard();
                let is_deferred = |code: &&str| code.starts_with("451");
                assert!(codes(&text).iter().all(is_deferred), "{salutation}: {text}");
                stage.says("VRFY root\r\nEXPN root\r\n").pass_secs(200);
                let text = stage.heard();
                let codes = codes(&text);
                assert!(codes.iter().all(|code| !code.starts_with('2')), "{salutation}: {text}");
                let refused = codes.iter().filter(|code| code.starts_with('5')).count();
                assert_eq!(refused, 2, "{salutation}: {text}");
            }
        }
    }
}

#[test]
fn who_reads_one_line_of_a_greeting_finds_no_second_one_on_its_way() {
    let rates = [None, Some(0), Some(100), Some(1_000), Some(100_000)];
    for (pattern, rate) in
        ["smtp_hold", "smtp_endless_ehlo"].into_iter().flat_map(|it| rates.map(|rate| (it, rate)))
    {
        let mut stage = Stage::new(pattern);
        if let Some(rate) = rate {
            stage = stage.rate(rate);
        }
        let mut stage = stage.open();
        stage.pass_secs(2).heard();
        stage.says("EHLO x.example\r\n").pass_secs(1);
        assert_eq!(codes(&stage.heard()), ["250-"], "{pattern} {rate:?}");
        stage.says("RSET\r\n").pass_secs(if rate.is_none() { 20 } else { 1 });
        let text = stage.heard();
        let wanted = if pattern == "smtp_hold" { "250 " } else { "451-" };
        assert_eq!(codes(&text).first(), Some(&wanted), "{pattern} {rate:?}: {text}");
    }
    // Who reads on gets the rest.
    let mut stage = Stage::new("smtp_hold").rate(1_000).open();
    stage.says("EHLO x.example\r\n").pass_secs(30);
    let text = stage.heard();
    assert!(codes(&text).last().is_some_and(|code| *code == "250 "), "{text}");
}

#[test]
fn no_reply_is_taken_for_the_end_of_a_refusal_that_was_not_waited_for() {
    // Two recipients and a reset in one piece, as a mail agent sends them.
    for salutation in ["EHLO x.example", "EHLO gerg", "HELO x"] {
        let mut stage = saluted(salutation);
        stage.says("MAIL FROM:<a@b.example>\r\n").pass_secs(200).heard();
        stage.says("RCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\nNOOP\r\n").pass_secs(400);
        let text = stage.heard();
        let ends: Vec<_> = codes(&text).into_iter().filter(|code| code.ends_with(' ')).collect();
        assert_eq!(ends, ["451 ", "451 ", "250 ", "250 "], "{text}");
    }
    // A mail that is sent all the same is not read as commands.
    let mut stage = saluted("EHLO x.example");
    stage.says("MAIL FROM:<a@b.example>\r\n").pass_secs(200);
    stage.says("RCPT TO:<a@b>\r\n").pass_secs(20).says("DATA\r\n").pass_secs(20).heard();
    stage.says("Subject: x\r\n\r\nNOOP\r\nRSET\r\n.\r\n").pass_secs(400);
    let text = stage.heard();
    assert!(codes(&text).iter().all(|code| code.starts_with("451")), "{text}");
    assert!(!stage.news.iter().any(|fact| fact.contains("Subject")), "{:?}", stage.news);
}

#[test]
fn a_poisoned_mail_agent_is_carried_on_slowly_and_told_to_come_back() {
    let mut stage = greeted_by(true);
    let (text, first, last) = answer(&mut stage, "EHLO mx.client.example", 200);
    assert!(text.contains("Hello mx.client.example [192.0.2.7]"), "{text}");
    assert!(first == 0 && (30_000..60_000).contains(&last), "{first} {last}");
    assert_eq!(codes(&text).iter().filter(|&&code| code == "250 ").count(), 1);
    for said in ["MAIL FROM:<a@client.example> SIZE=99", "RCPT TO:<b@d.example>"] {
        let (text, first, last) = answer(&mut stage, said, 200);
        assert_eq!((codes(&text).len(), codes(&text)[0]), (1, "250 "), "{said}: {text}");
        assert!(first == 0 && (40_000..106_000).contains(&last), "{said}: {last}");
    }
    assert!(answer(&mut stage, "DATA", 1).0.starts_with("354 "));
    let (text, first, last) = answer(&mut stage, "Subject: x\r\n\r\nbody\r\n.\r\nQUIT", 560);
    let codes = codes(&text);
    let end = codes.iter().position(|&code| code == "451 ").expect("the end of the refusal");
    assert!(codes[..end].iter().all(|&code| code == "451-"));
    // Within the ten minutes that a client must wait behind the final dot.
    assert!(first == 0 && end == 60 && last < 600_000, "{first} {end} {last}");
    assert!(codes[end + 1..].iter().all(|&code| code == "221-"));
    assert!(stage.news.contains(&"learnt smtp_mail_from a@client.example".to_owned()));
    assert!(stage.news.contains(&"learnt smtp_rcpt_to b@d.example".to_owned()));
}

#[test]
fn no_mail_is_ever_accepted_not_even_with_poison() {
    let mail = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    for salutation in
        ["HELO x", "EHLO x", "EHLO x.example", "EHLO gerg", "ehlo x", "EHLO localhost"]
    {
        for body in
            ["DATA\r\nbody\r\n.\r\n", "BDAT 4 LAST\r\nbody", "BDAT 4\r\nbodyBDAT 0 LAST\r\n"]
        {
            for poison in [false, true] {
                let mut stage = Stage::new("smtp_hold");
                stage.profile.poison = poison;
                let mut stage = stage.open();
                stage.says([salutation, "\r\n"].concat()).pass_secs(200);
                stage.says(mail).pass_secs(400);
                stage.heard();
                stage.says(body).pass_secs(3_600).says("QUIT\r\n").pass_secs(3_600);
                let text = stage.heard();
                let codes = codes(&text);
                if !poison {
                    assert!(!codes.is_empty(), "something is said");
                    assert!(codes.iter().all(|code| !code.starts_with('2')), "{text}");
                    continue;
                }
                let end = codes.iter().position(|&code| code == "451 ").expect("a refusal");
                // In front of it stand only replies to the parts, behind it the goodbye.
                assert!(codes[..end].iter().filter(|&&code| code == "250 ").count() <= 1, "{text}");
                assert!(codes[end + 1..].iter().all(|code| code.starts_with("221")), "{text}");
            }
        }
    }
}

#[test]
fn of_a_mail_that_comes_in_one_piece_with_its_commands_no_byte_is_lost() {
    let body = "NOOP\r\n".repeat(1_700);
    let mail = format!(
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT {} LAST\r\n{body}QUIT\r\n",
        body.len()
    );
    for salutation in ["HELO x", "EHLO x", "EHLO x.example", "EHLO gerg", "EHLO localhost"] {
        for at_once in [false, true] {
            let mut stage = greeted();
            let salutation = [salutation, "\r\n"].concat();
            stage.profile.poison = true;
            if at_once {
                stage.says([&salutation, &mail[..]].concat());
            } else {
                stage.says(salutation).pass_secs(200).heard();
                stage.says(&mail);
            }
            assert!(!stage.listens(), "its sending stalls");
            stage.pass_secs(2_000);
            let text = stage.heard();
            let codes = codes(&text);
            let end = codes.iter().position(|&code| code == "451 ").expect("a refusal");
            // The greeting, the sender and the recipient, and nothing for the mail.
            let accepted = codes.iter().filter(|&&code| code == "250 ").count();
            assert!(accepted <= 3 && (at_once || accepted == 2), "{text}");
            assert!(codes[end + 1..].iter().all(|code| code.starts_with("221")), "{text}");
            assert!(!codes[end + 1..].is_empty(), "what stands behind the mail is heard");
            assert!(stage.news.contains(&"learnt smtp_rcpt_to c@d.example".to_owned()));
        }
    }
}

#[test]
fn a_client_that_sends_more_than_may_wait_and_then_stops_gets_no_answer_to_it() {
    for salutation in ["EHLO x.example", "EHLO gerg"] {
        let mut stage = saluted(salutation);
        stage.says("MAIL FROM:<a@b.example>\r\n").half_closes();
        let mut other = saluted(salutation);
        let body = "NOOP\r\n".repeat(1_700);
        other.says(format!("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nBDAT 10200 LAST\r\n{body}"));
        other.half_closes().pass_secs(86_400);
        stage.pass_secs(400);
        assert!(stage.heard().contains("250 "));
        let text = other.heard();
        assert!(codes(&text).iter().filter(|&&code| code == "250 ").count() <= 2, "{text}");
        assert_eq!(other.closed, Some(Cause::HalfClosed), "there is nothing to tell it any more");
    }
}

#[test]
fn a_part_of_a_mail_whose_length_is_not_understood_is_not_read_as_commands() {
    for length in ["4294967296", "-1", "x", ""] {
        for salutation in ["EHLO gerg", "EHLO x.example"] {
            let mut stage = saluted(salutation);
            stage.says("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n").pass_secs(400).heard();
            stage.says(format!("BDAT {length} LAST\r\n"));
            stage.says("NOOP\r\n".repeat(1_700)).pass_secs(86_400);
            assert_eq!((stage.heard().as_str(), stage.closed), ("", None), "{length}");
        }
    }
}

#[test]
fn a_long_mail_is_read_in_gulps_and_its_sender_stalls() {
    let mut stage = saluted_by("EHLO mx.example.com", true);
    answer(&mut stage, "MAIL FROM:<>", 200);
    answer(&mut stage, "RCPT TO:<b@d.example>", 200);
    answer(&mut stage, "DATA", 1);
    let mut taken = 0;
    for _ in 0..60 {
        while stage.listens() {
            stage.says([b'x'; 1_000]);
            taken += 1_000;
        }
        stage.pass_secs(10);
    }
    // Ten minutes: a gulp every 30 seconds.
    assert!((70_000..120_000).contains(&taken), "{taken}");
    assert_eq!(stage.heard(), "");
    stage.pass_secs(31).says("\r\n.\r\n").pass_secs(31);
    assert!(stage.heard().starts_with("451-"));
}

#[test]
fn what_came_ahead_is_heard_when_its_sender_has_stalled() {
    let mut stage = saluted_by("EHLO mx.example.com", true);
    stage.says("MAIL FROM:<a@b.example>\r\n").pass_secs(200);
    stage.says("RCPT TO:<b@d.example>\r\n").pass_secs(200);
    stage.says("DATA\r\n").pass_secs(1).heard();
    stage.says([&[b'x'; 9_000][..], b"\r\n.\r\n"].concat()).pass_secs(75);
    assert!(stage.heard().starts_with("451-"));
}

#[test]
fn only_poison_lets_anybody_in() {
    for (name, user) in [("hydra", 16), ("gerg", 16), ("localhost", 0)] {
        let mut stage = Stage::new("smtp_hold");
        stage.profile.poison = true;
        let mut stage = stage.open();
        stage.heard();
        stage.says(format!("EHLO {name}\r\n")).pass_secs(200).heard();
        let (text, ..) = answer(&mut stage, "AUTH PLAIN AHUAcA==", 200);
        assert!(text.contains("235"), "{name} {user}: {text}");
    }
    for name in ["gerg", "x", "localhost", "x.example"] {
        let mut stage = saluted(&format!("EHLO {name}"));
        for said in ["AUTH LOGIN dQ==", "cA==", "AUTH PLAIN", "*", "AUTH CRAM-MD5", "AUTH NTLM x"] {
            let (text, ..) = answer(&mut stage, said, 200);
            assert!(!text.contains("235"), "{name}: {text}");
        }
    }
}

#[test]
fn commands_are_answered_in_the_words_of_the_personas_server() {
    for (persona, mechanism, wanted) in [
        ("debian-12", "504 Unsupported", "AUTH PLAIN LOGIN"),
        ("ip-camera", "504 5.3.3 ", "AUTH LOGIN PLAIN"),
        ("ubuntu-22.04", "504 Unsupported", "AUTH PLAIN LOGIN"),
        ("windows-server-2019", "504 5.7.4 ", "AUTH LOGIN PLAIN"),
    ] {
        let mut stage = Stage::new("smtp_hold");
        stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
        let mut stage = stage.open();
        stage.heard();
        let (text, ..) = answer(&mut stage, "EHLO gerg", 20);
        assert!(text.contains(wanted) && !text.contains("STARTTLS"), "{text}");
        assert!(answer(&mut stage, "AUTH CRAM-MD5", 20).0.starts_with(mechanism));
        for (said, code) in [
            ("NOOP", "250 "),
            ("rset", "250 "),
            ("RCPT TO:<a@b>", "503 "),
            ("DATA", "503 "),
            ("HELP", "214"),
            ("STARTTLS", "50"),
            ("FROB", "500 "),
            ("VRFY root@x", "550 "),
            ("QUIT", "221 "),
        ] {
            let (text, ..) = answer(&mut stage, said, 20);
            assert!(text.starts_with(code) && text.ends_with(r"\r\n"), "{said}: {text}");
        }
        assert!(stage.news.contains(&"learnt command VRFY root@x".to_owned()));
        stage.pass_secs(30 * 86_400);
        assert_eq!((stage.heard().as_str(), stage.closed), ("", None));
    }
}

#[test]
fn a_dialogue_sent_at_once_is_answered_all_the_same() {
    let mut stage = greeted();
    stage.says("EHLO x.example\r\nAUTH PLAIN AHUAcA==\r\nQUIT\r\n").pass_secs(300);
    let text = stage.heard();
    assert_eq!(codes(&text), ["250-", "535 ", "221 "], "{text}");
    let mut stage = greeted();
    stage.says("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n").pass_secs(300);
    let text = stage.heard();
    assert_eq!(codes(&text), ["250-", "250 ", "250 "], "{text}");
}

#[test]
fn a_held_client_costs_less_than_ten_bytes_a_second() {
    for name in ["hydra", "gerg", "x.example", "localhost", "x"] {
        let mut stage = greeted();
        stage.says(format!("EHLO {name}\r\n")).pass_secs(100);
        stage.heard();
        let before = stage.session.sent();
        stage.says("MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nAUTH PLAIN AHUAcA==\r\n");
        stage.pass_secs(600);
        let sent = stage.session.sent() - before;
        assert!(sent < 6_000, "{name}: {sent}");
    }
}

#[test]
fn tls_is_offered_where_there_is_a_certificate_and_begins_behind_its_reply() {
    let mut stage = Stage::new("smtp_hold");
    stage.profile.tls = Some(tls());
    let mut stage = stage.open();
    stage.heard();
    let (text, ..) = answer(&mut stage, "EHLO gerg", 20);
    assert!(text.contains(r"250-STARTTLS\r\n"), "{text}");
    let (text, first, _) = answer(&mut stage, "STARTTLS", 20);
    assert_eq!((text.as_str(), first), (r"220 TLS go ahead\r\n", 0));
    stage.says(include_bytes!("../corpus/client_hello.bin")).pass_secs(5);
    assert_eq!(stage.bytes().get(..2), Some(&[0x16, 3][..]), "a hello of ours");
    // A client that sends no TLS after it is held in silence.
    let mut stage = Stage::new("smtp_hold");
    stage.profile.tls = Some(tls());
    let mut stage = stage.open();
    stage.says("EHLO gerg\r\n").pass_secs(20).says("STARTTLS\r\n").heard();
    stage.says("AUTH LOGIN\r\n").pass_secs(86_400);
    assert!(!stage.heard().contains("334"));
    assert_eq!(stage.closed, None);
}

#[test]
fn no_tls_is_begun_that_cannot_be_afforded() {
    let mut stage = Stage::new("smtp_hold");
    stage.profile.tls = Some(tls());
    stage.budget.press(LoadLevel::Plain);
    let mut stage = stage.open();
    stage.says("EHLO gerg\r\n").pass_secs(20).heard();
    assert!(answer(&mut stage, "STARTTLS", 20).0.starts_with("454 "));
    assert!(answer(&mut stage, "AUTH LOGIN", 20).0.starts_with("334 "));
}

#[test]
fn what_follows_a_login_is_a_secret_whether_or_not_that_was_accepted() {
    for hello in ["", "EHLO gerg\r\n"] {
        for login in ["AUTH LOGIN", "AUTH CRAM-MD5", "AUTH=PLAIN", "LOGIN"] {
            let mut stage = greeted();
            stage.says(["NOOP\r\n", hello].concat()).pass_secs(40);
            for line in [login, "cm9vdA==", "c2VjcmV0", "not base64", "NOOP", "VRFY x"] {
                stage.says([line, "\r\n"].concat()).pass_secs(60);
            }
            // In base64 they are counted without it.
            let secrets = stage.news.iter().filter(|fact| fact.starts_with("learnt secret "));
            let secrets: Vec<_> = secrets.map(|fact| &fact[14..]).collect();
            assert!(secrets.contains(&"secret"), "{hello}{login}: {:?}", stage.news);
            let told = ["learnt command not base64", "learnt command c2VjcmV0"];
            assert!(told.iter().all(|fact| !stage.news.contains(&(*fact).to_owned())));
            // Until it begins something else.
            stage.says("MAIL FROM:<>\r\nFROB x\r\n").pass_secs(60);
            assert!(stage.news.contains(&"learnt command FROB x".to_owned()), "{:?}", stage.news);
        }
    }
}
