//! `ssh_auth_hold`: an SSH server that exchanges keys with its clients, and then lets nobody in and
//! nobody go (RFC 4252 to 4256).
//!
//! ```text
//!                              keys are agreed on, and can be afforded         sent
//! Listening ────► Exchanging ──────────────────────────────────────► Replying ────► Talking
//!                      │ nothing to agree on, or too expensive
//!                      ▼
//!                  Ignoring
//! ```
//! What holds which client behind the exchange is chosen by `clients.rs`: an answer that never
//! comes, or comes late and whole, and packets to be ignored meanwhile. In Ignoring a client is held
//! as by `ssh_kex_hold`.
//!
//! Everything that is sent under keys can be made again from the state: the keys, how many packets
//! and blocks went before, what is to be said, and the client's own generator for the padding.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    base::{pace::Pace, time::Time},
    protocols::ssh::{
        clients::Client,
        course::{self, Next},
        exchange::{Exchange, Outcome},
        talk::Talk,
    },
    script::{About, Chunk, Cx, Heard, Manner, Script, Step, Uses},
    states,
    wire::ssh,
};

/// See the module.
pub(crate) struct SshAuthHold;

states! {
    /// Where a client stands.
    #[derive(Debug, Default)]
    pub(crate) enum State {
        #[default]
        Listening,
        /// No keys are in use yet.
        Exchanging { exchange: Box<Exchange> },
        /// The last packets without keys go out.
        Replying { talk: Box<Talk> },
        /// Keys are in use.
        Talking { talk: Box<Talk> },
        /// There will be no keys.
        Ignoring { client: Option<Client> },
    }
}

static ABOUT: About = About {
    protocol: Some(&super::SSH),
    greet: Some(course::greet),
    uses: Uses { host_keys: true, poison: true, ..Uses::NOTHING },
    ..About::new("ssh_auth_hold", "completes the key exchange; the authentication never ends")
};

impl Script for SshAuthHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, state: &State) -> Pace {
        course::pace(match state {
            State::Listening => None,
            State::Exchanging { exchange } => exchange.client(),
            State::Replying { talk } | State::Talking { talk } => Some(talk.client()),
            State::Ignoring { client } => *client,
        })
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (&mut *state, heard) {
            (State::Listening, heard) => match course::listen(heard, cx) {
                Next::Offer(Some(line)) if !line.is_genuine => {
                    *state = State::Ignoring { client: Some(line.told(cx)) };
                    course::offer(cx).discarding()
                }
                Next::Offer(line) => {
                    *state = State::Exchanging { exchange: Box::new(Exchange::begin(line, cx)) };
                    Step::PROMPT
                }
                Next::Step(step) => step,
            },
            (State::Exchanging { exchange }, heard) => match exchange.hear(heard, cx) {
                Outcome::Keys { client, packets, lanes } => {
                    // What the exchange took is free first, so that less of it stays a gap.
                    *state = State::default();
                    *state = State::Replying { talk: Box::new(Talk::new(client, lanes)) };
                    Step::send(Manner::Prompt, Chunk::Boxed(packets.into()))
                }
                Outcome::NoKeys => {
                    *state = State::Ignoring { client: exchange.client() };
                    Step::DRIP.discarding()
                }
                Outcome::Step(step) => step,
            },
            (State::Replying { talk }, Heard::Sent) => {
                let step = talk.go_on(cx);
                if let State::Replying { talk } = core::mem::take(state) {
                    *state = State::Talking { talk };
                }
                step
            }
            (State::Talking { talk }, heard) => talk.hear(heard, cx),
            (State::Ignoring { .. }, Heard::Sent) => Step::DRIP,
            (State::Ignoring { .. } | State::Replying { .. }, _) => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match state {
            State::Exchanging { exchange } => exchange.speak(cx, out),
            State::Talking { talk } => talk.speak(cx, out),
            State::Ignoring { .. } | State::Listening | State::Replying { .. } => {
                ssh::ignore(&mut cx.rng, out);
            }
        }
    }
}

/// Leaves a client alone until `due`, or else until it is time for a packet to be ignored.
///
/// Not as a drip, whose next turn would hold up what has to be said before it; unless nothing is
/// due and a rate is in force.
pub(super) fn idle(due: Option<Time>, client: Option<Client>, cx: &mut Cx<'_>) -> Step {
    if due.is_none() && cx.profile.rate.is_some() {
        return Step::DRIP;
    }
    let packets = cx.budget.stretch(course::pace(client).interval);
    let packet = cx.now.after(cx.rng.jitter(packets));
    Step::wait(Some(due.map_or(packet, |due| due.min(packet))))
}
