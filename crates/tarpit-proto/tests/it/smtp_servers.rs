//! The words of the mail servers that are played.
//!
//! What they are compared with are talks with the real ones; see `talks.rs`.

use tarpit_proto::persona::Persona;

use crate::{
    stage::{Stage, seed},
    talks::{SMTP, sent, talks},
    tls::tls,
};

/// A client of the persona's server that has been greeted, where TLS is offered or not.
fn client(persona: &str, has_tls: bool) -> Stage {
    let mut stage = Stage::new("smtp_hold");
    stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
    stage.profile.tls = has_tls.then(tls);
    let mut stage = stage.open();
    stage.sent.clear();
    stage
}

/// What answers a line, as far as it comes before the next line of an endless reply.
fn answer(stage: &mut Stage, said: &str) -> String {
    stage.says([said, "\r\n"].concat()).pass_secs(20);
    stage.heard_plain()
}

#[test]
fn linux_answers_every_command_as_exim_does() {
    let mut wrong = Vec::new();
    for (persona, connect) in [("debian-12", "PIPECONNECT"), ("ubuntu-22.04", "PIPE_CONNECT")] {
        let host = Persona::named(persona, &seed()).expect("a persona").host().to_owned();
        let values = [("host", &host[..]), ("client", "192.0.2.7"), ("connect", connect)];
        for talk in talks(SMTP, "exim") {
            let mut stage = client(persona, true);
            for turn in &talk.turns[1..] {
                let wanted = sent(turn.ours(), &values);
                let text = answer(&mut stage, turn.said);
                if text != wanted {
                    wrong.push(format!("{persona}: {}: {text}{wanted}", turn.said));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
}

/// The extensions that the persona's server lists.
fn extensions(persona: &str, has_tls: bool) -> String {
    let text = answer(&mut client(persona, has_tls), "EHLO tester");
    let lines: Vec<_> = text.split_terminator("\r\n").skip(1).map(|line| &line[4..]).collect();
    lines.join(",")
}

#[test]
fn each_server_lists_the_extensions_of_its_release() {
    for (persona, has_tls, wanted) in [
        (
            "debian-12",
            false,
            "SIZE 52428800,8BITMIME,PIPELINING,PIPECONNECT,AUTH PLAIN LOGIN,CHUNKING,PRDR,HELP",
        ),
        (
            "ip-camera",
            false,
            "ENHANCEDSTATUSCODES,PIPELINING,8BITMIME,SIZE,DSN,AUTH LOGIN PLAIN,DELIVERBY,HELP",
        ),
        (
            "windows-server-2019",
            true,
            "AUTH=LOGIN,AUTH LOGIN PLAIN,TURN,SIZE 2097152,ETRN,PIPELINING,DSN,\
             ENHANCEDSTATUSCODES,8bitmime,BINARYMIME,CHUNKING,VRFY,TLS,STARTTLS,OK",
        ),
    ] {
        assert_eq!(extensions(persona, has_tls), wanted, "{persona}");
        // Who reads on gets the same list, in six writes and within a minute.
        let mut stage = client(persona, has_tls);
        stage.says("EHLO mx.example.com\r\n").pass_secs(60);
        let text = stage.text();
        let lines: Vec<_> = text.split_terminator(r"\r\n").skip(1).map(|line| &line[4..]).collect();
        assert_eq!(lines.join(","), wanted, "{persona}");
        assert_eq!(stage.sent.len(), 7, "{persona}");
    }
}

#[test]
fn no_sender_of_a_well_formed_mail_is_refused_for_good() {
    for persona in Persona::names() {
        for (first, second) in [
            ("MAIL FROM:<>", "RCPT TO:<postmaster>"),
            ("MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME", "RCPT TO:<x@y.example>"),
            // A next mail without a reset, behind a recipient that was put off.
            (
                "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nMAIL FROM:<c@b.example>",
                "RCPT TO:<x@y.example>\r\nDATA",
            ),
        ] {
            let mut stage = client(persona, false);
            answer(&mut stage, "EHLO tester");
            stage.says([first, "\r\n"].concat()).pass_secs(400);
            stage.says([second, "\r\n"].concat()).pass_secs(400);
            let text = stage.text();
            let mut lines = text.split_terminator(r"\r\n");
            assert!(lines.all(|line| line.starts_with("25") || line.starts_with("451")), "{text}");
        }
    }
}
