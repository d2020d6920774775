//! The first script of a client: it greets, looks at the first bytes, and hands the client on.
//!
//! ```text
//!            greeting, if any                first bytes match
//! Opened ──► Greeting ──────────► Listening ──────────────────► the listener's pattern
//!                                    │  ▲ │ they do not
//!              silence, if the       │  │ └────────────► Refusing ──► Stranger: held in silence
//!              pattern answers it    ▼  │
//!                                 Probed, told what a stranger is told
//! ```
//! If the user switched validation off, the pattern follows the greeting at once.

use alloc::vec::Vec;

use crate::{
    base::{pace::Pace, said::Said},
    protocols::sight,
    script::{About, Cx, Heard, ReadMode, Script, Sighting, Step},
    states,
};

/// The gate in front of the listener's pattern.
pub(crate) struct Gate;

states! {
    /// Where a client stands that was not handed on yet.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum State {
        #[default]
        Greeting,
        Listening,
        Probing,
        Probed,
        Refusing,
        Stranger,
    }
}

static ABOUT: About = About::new("gate", "lets a client through to the listener's pattern");

impl Script for Gate {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        // Nothing of the gate's drips.
        crate::base::pace::EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        let pattern = cx.profile.pattern;
        match (*state, heard) {
            (State::Greeting, Heard::Opened) if greet(cx, &mut Vec::new()) => Step::WHOLE,
            (State::Greeting, Heard::Opened | Heard::Sent) => {
                if !cx.profile.validate || pattern.protocol().is_none() {
                    return Step::become_pattern(pattern);
                }
                *state = State::Listening;
                Step::wait(pattern.about().null_probe_after.and_then(|patience| cx.later(patience)))
            }
            (State::Listening, Heard::Silence) => {
                *state = State::Probing;
                answer(state, cx)
            }
            (State::Listening | State::Probed, Heard::Said(said)) => look(state, said, cx),
            (State::Probing, Heard::Sent) => {
                *state = State::Probed;
                Step::REST
            }
            (State::Refusing, Heard::Sent) => {
                *state = State::Stranger;
                Step::REST
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match *state {
            State::Greeting => {
                greet(cx, out);
            }
            _ => refuse(cx, out),
        }
    }
}

/// Appends the greeting of the listener's pattern, and says whether there is one.
fn greet(cx: &Cx<'_>, out: &mut Vec<u8>) -> bool {
    let greeting = cx.profile.pattern.about().greet;
    if let Some(greet) = greeting {
        greet(&cx.profile.persona, cx.wall, out);
    }
    greeting.is_some()
}

/// Appends the refusal of strangers by the listener's pattern.
fn refuse(cx: &Cx<'_>, out: &mut Vec<u8>) {
    if let Some(refuse) = cx.profile.pattern.about().refuse {
        refuse(&cx.profile.persona, cx.wall, out);
    }
}

/// Looks at the client's first bytes and decides.
fn look(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let pattern = cx.profile.pattern;
    let Some(protocol) = pattern.protocol() else {
        return Step::become_pattern(pattern);
    };
    match sight(protocol, said.rest()) {
        // Once a client has begun to speak, the gate waits as long as more can come.
        Sighting::Incomplete if !said.is_full() && cx.read_mode != ReadMode::Ended => Step::REST,
        Sighting::Matches => {
            cx.validated(true, "");
            // A client that was refused would not follow the pattern's course.
            if *state == State::Probed { hold(state, said) } else { Step::become_pattern(pattern) }
        }
        Sighting::Differs | Sighting::Incomplete => {
            cx.validated(false, "the first bytes are of another protocol");
            if *state == State::Probed {
                return hold(state, said);
            }
            said.take_all();
            *state = State::Refusing;
            answer(state, cx).discarding()
        }
    }
}

/// Holds the client in silence, whatever it sends.
fn hold(state: &mut State, said: &mut Said<'_>) -> Step {
    said.take_all();
    *state = State::Stranger;
    Step::REST.discarding()
}

/// Sends the refusal of strangers, if the pattern has one.
fn answer(state: &mut State, cx: &Cx<'_>) -> Step {
    let mut words = Vec::new();
    refuse(cx, &mut words);
    if words.is_empty() {
        *state = if *state == State::Probing { State::Probed } else { State::Stranger };
        return Step::REST;
    }
    Step::WHOLE
}
