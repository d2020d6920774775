//! `ssh_trans_hold`: an SSH server that offers to exchange keys and then only sends packets that
//! clients must ignore (RFC 4253, sections 7.1 and 11.2).
//!
//! ```text
//! Listening ──── the offer ────► Ignoring, for ever
//! ```
//! The offer is the persona's own; it must not promise a strict key exchange, in which our packets
//! would be an error.

use alloc::vec::Vec;

use crate::{
    base::pace::Pace,
    protocols::ssh::{
        clients::Client,
        course::{self, Awaited, Next},
        server,
    },
    script::{About, Cx, Heard, Script, Step},
    states,
    wire::ssh,
};

/// See the module.
pub(crate) struct SshTransHold;

states! {
    /// Where a client stands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum State {
        Listening { awaited: Awaited },
        Ignoring { client: Option<Client> },
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Listening { awaited: Awaited::Line }
    }
}

static ABOUT: About = About {
    protocol: Some(&super::SSH),
    greet: Some(course::greet),
    ..About::new(
        "ssh_trans_hold",
        "offers a key exchange, then sends packets that clients must ignore, for ever",
    )
};

impl Script for SshTransHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, state: &State) -> Pace {
        course::pace(match *state {
            State::Listening { .. } => None,
            State::Ignoring { client } => client,
        })
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (&mut *state, heard) {
            (State::Listening { awaited }, heard) => match course::listen(heard, awaited, cx) {
                Next::Offer(line) => {
                    *state = State::Ignoring { client: line.map(|line| line.client) };
                    course::offer(&server::lists(cx.profile), cx).discarding()
                }
                Next::VainOffer(line, step) => {
                    *state = State::Ignoring { client: Some(line.client) };
                    step
                }
                Next::Step(step) => step,
            },
            (State::Ignoring { .. }, Heard::Sent) => Step::DRIP,
            (State::Ignoring { .. }, _) => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ssh::ignore(&mut cx.rng, out);
    }
}
