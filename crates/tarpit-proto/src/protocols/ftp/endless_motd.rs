//! `ftp_endless_motd`: an FTP server whose message of the day never ends (RFC 959, section 4.2).
//!
//! ```text
//!                command             PASS after USER           16 s
//!             ┌───────────►         ┌────────────────► Pausing ─────► Reciting, for ever
//! greeted ► Listening    Answering  │                                    ▲
//!             ◄───────────┘         │          QUIT                      │
//!               sent                └────────────────────────────────────┘
//! ```
//! Every command gets the one answer that a vsftpd gives to whoever has not logged in. The message
//! comes in answer to the password, in the lines of a refusal, `530-`: libraries and browsers of
//! files read on for its last line, which never comes. Tools that guess passwords take it for what
//! it is, a wrong one; in the lines of a welcome, `230-`, they would report the password as right,
//! and in those of a request, `331-`, nobody would show us one. Since the fastest of them decide on
//! the first line, silence stands in front of it, shorter than any tool's patience.
//!
//! Whoever says goodbye is told goodbye by lines without end.

use alloc::vec::Vec;

use crate::{
    base::{
        pace::{EVERY_8_SECONDS, Pace},
        rng::Rng,
        said::Said,
        time::Wall,
    },
    persona::Persona,
    phases,
    protocols::command,
    script::{About, Cx, Heard, ReadMode, Script, Step, legacy::Registers},
    wire::text,
};

/// See the module.
pub(crate) struct FtpEndlessMotd;

phases! {
    enum Phase { Listening, Answering, Pausing, Refusing, Leaving }
}

/// What each command is answered before the password; [`Registers::count`] is the place of the answer.
/// The last one is for all others.
const ANSWERS: [(&str, &str); 5] = [
    ("USER", "331 Please specify the password."),
    ("PASS", "503 Login with USER first."),
    (
        "FEAT",
        "211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n\
         211 End",
    ),
    ("OPTS", "200 Always in UTF8 mode."),
    ("", REFUSAL),
];

const REFUSAL: &str = "530 Please login with USER and PASS.";

/// The flag in [`Registers::mark`] of a client that has named a user.
const NAMED: u32 = 2;

static ABOUT: About = About {
    protocol: Some(&super::FTP),
    greet: Some(greet),
    refuse: Some(refuse),
    ..About::new("ftp_endless_motd", "refuses a login with a message of the day that never ends")
};

/// The greeting.
fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(persona.ftp(), out);
}

/// What strangers are told.
fn refuse(_persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(REFUSAL, out);
}

impl Script for FtpEndlessMotd {
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
            (Phase::Pausing, Heard::Silence) => recite(run, Phase::Refusing, cx),
            (Phase::Leaving | Phase::Refusing, Heard::Sent) => {
                run.position = run.position.saturating_add(1);
                Step::DRIP
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let (code, opening) = match Phase::of(run) {
            Phase::Leaving => ("221-", "Goodbye."),
            Phase::Refusing => ("530-", "Login incorrect."),
            Phase::Answering | Phase::Listening | Phase::Pausing => {
                let place = usize::from(run.count).min(ANSWERS.len() - 1);
                return text::line(ANSWERS[place].1, out);
            }
        };
        out.extend_from_slice(code.as_bytes());
        match run.position {
            0 => text::line(opening, out),
            _ => sentence(&mut cx.rng, out),
        }
    }
}

/// Answers the next command.
fn hear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let Some(command) = command::next(said, run) else {
        return Step::KEEP;
    };
    if command.is("QUIT") {
        return recite(run, Phase::Leaving, cx);
    }
    if command.is("PASS") && run.mark & NAMED != 0 {
        // What a user has set a rate for is to flow.
        if cx.profile.rate.is_some() {
            return recite(run, Phase::Refusing, cx);
        }
        cx.read_mode = ReadMode::Discard;
        run.enter(Phase::Pausing);
        let silence = cx.rng.jitter(command::SILENCE);
        return Step::wait(cx.later(silence));
    }
    if command.is("USER") {
        run.mark |= NAMED;
    }
    let known = ANSWERS.iter().position(|(verb, _)| command.is(verb));
    run.count = known.unwrap_or(ANSWERS.len() - 1) as u16;
    run.enter(Phase::Answering);
    command::answer(run)
}

/// Begins the lines without end. [`Registers::position`] counts them.
fn recite(run: &mut Registers, phase: Phase, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(phase);
    run.position = 0;
    Step::DRIP
}

/// Appends a line of what administrators have to say, at most 72 bytes with its end.
fn sentence(rng: &mut Rng, out: &mut Vec<u8>) {
    const WHAT: [&str; 12] = [
        "The archive",
        "Your home directory",
        "The mirror",
        "Anonymous access",
        "The upload area",
        "The nightly backup",
        "Every transfer",
        "The second volume",
        "Disk space",
        "This service",
        "The old server",
        "Account recovery",
    ];
    const DOES: [&str; 12] = [
        "is checked",
        "will be moved",
        "is not available",
        "may be slow",
        "is logged",
        "is reserved for staff",
        "has been extended",
        "is cleaned up",
        "will be read-only",
        "is being tested",
        "must be requested",
        "is limited",
    ];
    const WHEN: [&str; 12] = [
        "on weekends.",
        "until further notice.",
        "after 22:00.",
        "during maintenance.",
        "for all projects.",
        "by the support desk.",
        "from next month on.",
        "on request.",
        "in the first week.",
        "without prior notice.",
        "as agreed.",
        "every morning.",
    ];
    out.extend_from_slice(rng.pick(&WHAT).as_bytes());
    out.push(b' ');
    out.extend_from_slice(rng.pick(&DOES).as_bytes());
    out.push(b' ');
    text::line(rng.pick(&WHEN), out);
}
