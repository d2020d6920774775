//! `smtp_endless_ehlo`: a mail server that never comes to the end of what it can do (RFC 5321,
//! section 4.1.1.1).
//!
//! ```text
//!                command                EHLO, HELO            sent
//!             ┌───────────►           ┌───────────► Saluting ──────► Listing, for ever
//! greeted ► Listening    Answering    │                                 │ command
//!             │                       │                                 ▼
//!             │                       │                              Deferring: 451-, for ever
//!             ◄───────────┘           │                sent
//!               sent                  └────► Leaving ──────► Left: held in silence
//!                                      QUIT
//! ```
//! A client must be told all extensions before it may go on (section 4.2.1), and each line comes
//! within the minutes that it must wait. Commands in front of the salutation get the answers of an
//! Exim that insists on one. So no mail is ever begun, and none is lost: it stays with its sender.
//! Whoever speaks amid the list would take its next line for a success: it hears a refusal instead,
//! which does not end either, and for which genuine senders come back.

use alloc::{format, string::String, vec::Vec};

use crate::{
    base::{
        pace::{EVERY_8_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    persona::Persona,
    phases,
    protocols::{
        command,
        smtp::{clients, reply as smtp},
    },
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step, legacy::Registers},
    wire::text,
};

/// See the module.
pub(crate) struct SmtpEndlessEhlo;

phases! {
    enum Phase { Listening, Answering, Saluting, Listing, Deferring, Leaving, Left }
}

/// What each command is answered before the salutation; [`Registers::count`] is the place of the answer.
/// The last one is for all others.
const ANSWERS: [(&str, &str); 15] = [
    ("AUTH", "503 AUTH command used when not advertised"),
    ("BDAT", "503 BDAT command used when CHUNKING not advertised"),
    ("DATA", "503 valid RCPT command must precede DATA"),
    ("ETRN", "458 Administrative prohibition"),
    ("EXPN", "550 Administrative prohibition"),
    (
        "HELP",
        "214-Commands supported:\r\n214 AUTH HELO EHLO MAIL RCPT DATA BDAT NOOP QUIT RSET HELP",
    ),
    ("MAIL", "503 HELO or EHLO required"),
    ("NOOP", "250 OK"),
    ("RCPT", "503 sender not yet given"),
    ("RSET", "250 Reset OK"),
    ("SAML", "502 Command not implemented"),
    ("SEND", "502 Command not implemented"),
    ("STARTTLS", "503 STARTTLS command used when not advertised"),
    // Not 252, which guessers of names take for a yes.
    ("VRFY", "550 Administrative prohibition"),
    ("", "500 unrecognized command"),
];

/// The extensions that are real, in the order in which they are told.
const EXTENSIONS: [&str; 6] =
    ["SIZE 52428800", "8BITMIME", "PIPELINING", "AUTH PLAIN LOGIN", "CHUNKING", "HELP"];

/// How much of the client's name is said back.
const LONGEST_NAME: usize = 64;

static ABOUT: About = About {
    protocol: Some(&super::SMTP),
    greet: Some(greet),
    refuse: Some(refuse),
    ..About::new("smtp_endless_ehlo", "answers EHLO with a list of extensions that never ends")
};

/// The greeting.
fn greet(persona: &Persona, wall: Wall, out: &mut Vec<u8>) {
    persona.smtp(wall, out);
    text::line("", out);
}

/// What strangers are told.
fn refuse(_persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line("502 Command not implemented", out);
}

impl Script for SmtpEndlessEhlo {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) => Step::REST,
            (Phase::Listening, Heard::Said(said)) => hear(run, said, cx),
            (Phase::Answering, Heard::Sent) => {
                run.enter(Phase::Listening);
                Step::REST
            }
            (Phase::Saluting, Heard::Sent) => {
                run.enter(Phase::Listing);
                run.position = 0;
                match cx.profile.rate {
                    Some(_) => Step::wait(cx.later(clients::FIRST_LINE)),
                    None => Step::DRIP,
                }
            }
            (Phase::Listing, Heard::Silence) => Step::DRIP,
            (Phase::Listing, Heard::Said(said)) => {
                if command::next(said, run).is_none() {
                    return Step::KEEP;
                }
                cx.read_mode = ReadMode::Discard;
                run.enter(Phase::Deferring);
                Step::DRIP
            }
            (Phase::Deferring | Phase::Listing, Heard::Sent) => {
                run.position = run.position.saturating_add(1);
                Step::DRIP
            }
            (Phase::Leaving, Heard::Sent) => {
                run.enter(Phase::Left);
                Step::REST
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match Phase::of(run) {
            Phase::Answering | Phase::Left | Phase::Listening | Phase::Saluting => {
                let place = usize::from(run.count).min(ANSWERS.len() - 1);
                text::line(ANSWERS[place].1, out);
            }
            Phase::Leaving => {
                let host = cx.profile.persona.host();
                text::line(&format!("221 {host} closing connection"), out);
            }
            Phase::Deferring => {
                smtp::Reply::Deferred.part(&cx.profile.persona, &mut cx.rng, out);
            }
            Phase::Listing => {
                out.extend_from_slice(b"250-");
                match EXTENSIONS.get(run.position as usize) {
                    Some(extension) => text::line(extension, out),
                    None => smtp::invented(&mut cx.rng, out),
                }
            }
        }
    }
}

/// Answers the next command.
fn hear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let Some(command) = command::next(said, run) else {
        return Step::KEEP;
    };
    if command.is("EHLO") || command.is("HELO") || command.is("LHLO") {
        run.enter(Phase::Saluting);
        let line = salutation(command.argument, cx).into_bytes();
        return Step::send(Manner::Prompt, Chunk::Boxed(line.into()));
    }
    if command.is("QUIT") {
        cx.read_mode = ReadMode::Discard;
        run.enter(Phase::Leaving);
        return command::answer(run);
    }
    let known = ANSWERS.iter().position(|(verb, _)| command.is(verb));
    run.count = known.unwrap_or(ANSWERS.len() - 1) as u16;
    run.enter(Phase::Answering);
    command::answer(run)
}

/// The line that answers a client which calls itself `name`.
fn salutation(name: &[u8], cx: &Cx<'_>) -> String {
    let host = cx.profile.persona.host();
    let address = cx.conn.client.ip().to_canonical();
    let graphic = name.iter().copied().filter(u8::is_ascii_graphic).map(char::from);
    let name: String = graphic.take(LONGEST_NAME).collect();
    let gap = if name.is_empty() { "" } else { " " };
    format!("250-{host} Hello {name}{gap}[{address}]\r\n")
}
