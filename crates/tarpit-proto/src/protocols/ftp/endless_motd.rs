//! `ftp_endless_motd`: an FTP server whose message of the day never ends (RFC 959, section 4.2).
//!
//! ```text
//!                command             PASS after USER           16 s
//!             ┌───────────►         ┌────────────────► Pausing ─────► Reciting, for ever
//! greeted ► Listening    Answering  │                                    ▲
//!             ◄───────────┘         │          QUIT                      │
//!               sent                └────────────────────────────────────┘
//! ```
//! Every command gets the one answer that the persona's server gives before a login. The message
//! comes in answer to the password, in the lines of a refusal, `530-`: libraries and browsers of
//! files read on for its last line, which never comes. Tools that guess passwords take it for what
//! it is, a wrong one; in the lines of a welcome, `230-`, they would report the password as right,
//! and in those of a request, `331-`, nobody would show us one. Since the fastest of them decide on
//! the first line, silence stands in front of it, shorter than any tool's patience.
//!
//! `QUIT` is answered by lines without end too.

use alloc::vec::Vec;

use crate::{
    base::{
        pace::{EVERY_8_SECONDS, Pace},
        rng::Rng,
    },
    protocols::{
        command::{self, Answered, Line, Lines},
        ftp::reply::{self, Reply},
    },
    script::{About, Cx, Heard, Script, Step},
    states,
    wire::text,
};

/// See the module.
pub(crate) struct FtpEndlessMotd;

states! {
    /// See the module.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        phase: Phase,
        /// Whether a user was named.
        is_named: bool,
        answered: Answered,
        lines: Lines,
    }

    #[derive(Clone, Copy, Debug, Default)]
    enum Phase {
        Answering { reply: Reply },
        #[default]
        Listening,
        Pausing,
        /// The reply's first line goes out, or a further one.
        Reciting { reply: Reply, is_begun: bool },
    }
}

static ABOUT: About = About {
    protocol: Some(&super::FTP),
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    ..About::new("ftp_endless_motd", "refuses a login with a message of the day that never ends")
};

impl Script for FtpEndlessMotd {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.phase, heard) {
            (Phase::Listening, Heard::Opened) => Step::REST,
            (Phase::Listening, Heard::Said(said)) => match state.lines.next(said) {
                Some(line) => answer(state, &line, cx),
                None => Step::KEEP,
            },
            (Phase::Answering { .. }, Heard::Sent) => {
                state.phase = Phase::Listening;
                Step::REST
            }
            (Phase::Pausing, Heard::Silence) => recite(state, Reply::Refused),
            (Phase::Reciting { reply, .. }, Heard::Sent) => {
                state.phase = Phase::Reciting { reply, is_begun: true };
                Step::DRIP
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let persona = &cx.profile.persona;
        match state.phase {
            Phase::Answering { reply } => reply.say(persona, false, out),
            Phase::Reciting { reply, is_begun: false } => reply.begin(persona, out),
            Phase::Reciting { reply, is_begun: true } => {
                reply.mark(persona, out);
                sentence(&mut cx.rng, out);
            }
            Phase::Listening | Phase::Pausing => {}
        }
    }
}

/// Answers a line.
fn answer(state: &mut State, line: &Line<'_>, cx: &mut Cx<'_>) -> Step {
    if line.is("QUIT") {
        return recite(state, Reply::Bye);
    }
    if line.is("PASS") && state.is_named {
        // What a user has set a rate for is to flow.
        if cx.profile.rate.is_some() {
            return recite(state, Reply::Refused);
        }
        state.phase = Phase::Pausing;
        let silence = cx.rng.jitter(command::SILENCE);
        return Step::wait(cx.later(silence)).discarding();
    }
    state.is_named |= line.is("USER");
    let reply = match line.command() {
        Some(command) if command.is("USER") => Reply::Password,
        Some(command) if command.is("PASS") => Reply::NameFirst,
        Some(command) => {
            reply::always(command, &cx.profile.persona, false).unwrap_or(Reply::LoginFirst)
        }
        None => Reply::TooLong,
    };
    state.phase = Phase::Answering { reply };
    state.answered.answer()
}

/// Begins the lines without end.
fn recite(state: &mut State, reply: Reply) -> Step {
    state.phase = Phase::Reciting { reply, is_begun: false };
    Step::DRIP.discarding()
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
