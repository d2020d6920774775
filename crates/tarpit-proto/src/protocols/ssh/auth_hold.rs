//! `ssh_auth_hold`: an SSH server that exchanges keys with its clients, and then lets nobody in and
//! nobody go (RFC 4252 to 4256).
//!
//! ```text
//!                              keys are agreed on, and can be afforded
//! Listening ────► Exchanging ──────────────────────────────────────► Talking
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
        course::{self, Awaited, Next},
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
    #[derive(Debug)]
    pub(crate) enum State {
        Listening { awaited: Awaited },
        Keying { keying: Box<Keying> },
        /// There will be no keys.
        Ignoring { client: Option<Client> },
    }

    /// A client on its way to keys, or behind them.
    ///
    /// One box for both: while many wait for the late reply, boxes of another size in its place
    /// would leave a gap behind each client.
    #[derive(Debug)]
    pub(crate) boxed enum Keying {
        /// No keys are in use yet.
        Exchanging { exchange: Exchange },
        /// Keys are in use, or will be with what is being sent.
        Talking { talk: Talk },
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Listening { awaited: Awaited::Line }
    }
}

// With the session that it is boxed beside (`Live`) and the allocator's own, below 512 bytes.
const _: () = assert!(size_of::<Keying>() <= 232, "a client with keys takes 232 bytes");

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
            State::Listening { .. } => None,
            State::Keying { keying } => keying.client(),
            State::Ignoring { client } => *client,
        })
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (&mut *state, heard) {
            (State::Listening { awaited }, heard) => match course::listen(heard, awaited, cx) {
                Next::VainOffer(line, step) => {
                    *state = State::Ignoring { client: Some(line.told(cx)) };
                    step
                }
                Next::Offer(line) => {
                    let exchange = Exchange::begin(line, cx);
                    *state = State::Keying { keying: Box::new(Keying::Exchanging { exchange }) };
                    Step::PROMPT
                }
                Next::Step(step) => step,
            },
            (State::Keying { keying }, heard) => match &mut **keying {
                Keying::Exchanging { exchange } => match exchange.hear(heard, cx) {
                    Outcome::Keys { client, packets, lanes } => {
                        **keying = Keying::Talking { talk: Talk::new(client, lanes) };
                        Step::send(Manner::Prompt, Chunk::Boxed(packets.into()))
                    }
                    Outcome::NoKeys => {
                        let client = exchange.client();
                        *state = State::Ignoring { client };
                        idle(None, client, cx).discarding()
                    }
                    Outcome::Step(step) => step,
                },
                Keying::Talking { talk } => talk.hear(heard, cx),
            },
            (State::Ignoring { .. }, Heard::Sent | Heard::Silence) => Step::DRIP,
            (State::Ignoring { .. }, _) => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match state {
            State::Keying { keying } => match &**keying {
                Keying::Exchanging { exchange } => exchange.speak(cx, out),
                Keying::Talking { talk } => talk.speak(cx, out),
            },
            State::Ignoring { .. } | State::Listening { .. } => ssh::ignore(&mut cx.rng, out),
        }
    }
}

impl Keying {
    /// The client, if it has said its line.
    fn client(&self) -> Option<Client> {
        match self {
            Self::Exchanging { exchange } => exchange.client(),
            Self::Talking { talk } => Some(talk.client()),
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
