//! `smtp_endless_ehlo`: a mail server whose list of extensions never ends (RFC 5321, section
//! 4.1.1.1).
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
//! within the minutes that it must wait. Commands before the salutation get the answers of a server
//! that insists on one. So no mail ever begins, and none is lost: it stays with its sender. A
//! client that speaks during the list would take the next line for a success. It gets a refusal
//! instead, which does not end either; genuine senders come back later.

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    protocols::{
        command::{Answered, Line, Lines},
        smtp::{
            clients, dialogue,
            reply::{self, Reply},
        },
    },
    script::{About, Chunk, Cx, Heard, Manner, Script, Step},
    states,
    wire::text,
};

/// See the module.
pub(crate) struct SmtpEndlessEhlo;

states! {
    /// See the module.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        phase: Phase,
        answered: Answered,
        lines: Lines,
    }

    #[derive(Clone, Copy, Debug, Default)]
    enum Phase {
        Answering { reply: Reply },
        Deferring,
        Leaving,
        Left,
        #[default]
        Listening,
        Listing { place: u32 },
        Saluting,
    }
}

static ABOUT: About = About {
    protocol: Some(&super::SMTP),
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    ..About::new("smtp_endless_ehlo", "answers EHLO with a list of extensions that never ends")
};

impl Script for SmtpEndlessEhlo {
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
            (Phase::Saluting, Heard::Sent) => {
                state.phase = Phase::Listing { place: 0 };
                match cx.profile.rate {
                    Some(_) => Step::wait(cx.later(clients::FIRST_LINE)),
                    None => Step::DRIP,
                }
            }
            (Phase::Listing { .. }, Heard::Silence) | (Phase::Deferring, Heard::Sent) => Step::DRIP,
            (Phase::Listing { .. }, Heard::Said(said)) => match state.lines.next(said) {
                Some(_) => {
                    state.phase = Phase::Deferring;
                    Step::DRIP.discarding()
                }
                None => Step::KEEP,
            },
            (Phase::Listing { place }, Heard::Sent) => {
                state.phase = Phase::Listing { place: place.saturating_add(1) };
                Step::DRIP
            }
            (Phase::Leaving, Heard::Sent) => {
                state.phase = Phase::Left;
                Step::REST
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let persona = &cx.profile.persona;
        match state.phase {
            Phase::Answering { reply } => reply.end(persona, out),
            Phase::Deferring => Reply::Deferred.part(persona, &mut cx.rng, out),
            Phase::Leaving => Reply::Bye.end(persona, out),
            Phase::Listing { place } => {
                reply::list_extension(persona, false, place as usize, &mut cx.rng, out);
            }
            Phase::Left | Phase::Listening | Phase::Saluting => {}
        }
    }
}

/// Answers a line in front of the list.
fn answer(state: &mut State, line: &Line<'_>, cx: &Cx<'_>) -> Step {
    let Some(command) = line.command() else {
        state.phase = Phase::Answering { reply: Reply::Unknown };
        return state.answered.answer();
    };
    if let Some(reply) = dialogue::nameless(command, &cx.profile.persona) {
        state.phase = Phase::Answering { reply };
        return state.answered.answer();
    }
    if command.is_one_of(&dialogue::GREETINGS) {
        state.phase = Phase::Saluting;
        let hello = reply::hello(&cx.profile.persona, command.argument, cx.conn.client.ip());
        let mut line = b"250-".to_vec();
        text::line(&hello, &mut line);
        return Step::send(Manner::Prompt, Chunk::Boxed(line.into()));
    }
    if let Some(words) = dialogue::unqualified(command, &cx.profile.persona) {
        state.phase = Phase::Answering { reply: Reply::Malformed };
        let mut line = Vec::new();
        Reply::Malformed.end_with(&words, &cx.profile.persona, &mut line);
        return Step::send(state.answered.manner(), Chunk::Boxed(line.into()));
    }
    match dialogue::early(command, &cx.profile.persona) {
        Reply::Bye => {
            state.phase = Phase::Leaving;
            state.answered.answer().discarding()
        }
        reply => {
            state.phase = Phase::Answering { reply };
            state.answered.answer()
        }
    }
}
