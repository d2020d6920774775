//! `ssh_kex_hold`: an SSH server that offers to exchange keys, hears what the client offers, and
//! never goes on (RFC 4253, sections 7 and 11.2).
//!
//! ```text
//!                                    ┌─┐ a packet to be ignored
//! Listening ──── the offer ────► Holding
//! ```
//! Most clients wait for the next step of a key exchange without a limit of their own; the others
//! get packets that they must ignore, as often as `clients.rs` says.
//!
//! `ssh_trans_hold` does the same to a client, and tells nothing of it: it is what users of other
//! tarpits expect under that name. This one tells who the client is: the identification line, and
//! the fingerprint of its offer.

use alloc::vec::Vec;

use crate::{
    base::{pace::Pace, said::Said},
    protocols::ssh::{
        clients::Client,
        course::{self, Awaited, Behind, Next},
        server,
    },
    script::{About, Cx, Heard, Script, Step},
    states,
    wire::ssh,
};

/// See the module.
pub(crate) struct SshKexHold;

states! {
    /// Where a client stands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum State {
        Listening { awaited: Awaited },
        /// Who the client is stands here once its line is whole.
        Holding { client: Option<Client> },
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
        "ssh_kex_hold",
        "offers a key exchange, records the client's fingerprint, and never goes on",
    )
};

impl Script for SshKexHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, state: &State) -> Pace {
        course::pace(match *state {
            State::Listening { .. } => None,
            State::Holding { client } => client,
        })
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (&mut *state, heard) {
            (State::Listening { awaited }, heard) => match course::listen(heard, awaited, cx) {
                Next::Offer(line) => {
                    *state = State::Holding { client: line.map(|line| line.told(cx)) };
                    course::offer(&server::lists(cx.profile), cx)
                }
                Next::VainOffer(line, step) => {
                    *state = State::Holding { client: Some(line.told(cx)) };
                    step
                }
                Next::Step(step) => step,
            },
            (State::Holding { .. }, Heard::Sent) => Step::DRIP,
            (State::Holding { client }, Heard::Said(said)) => {
                if client.is_none() {
                    let Some(line) = course::line(said, cx) else { return Step::KEEP };
                    *client = Some(line.told(cx));
                    if !line.is_genuine {
                        said.take_all();
                        return Step::KEEP.discarding();
                    }
                }
                hear_offer(said, cx)
            }
            (State::Holding { .. }, _) => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ssh::ignore(&mut cx.rng, out);
    }
}

/// Hears the client's offer, and nothing after it.
fn hear_offer(said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    match course::client_offer(said) {
        Behind::Broken(malformed) => course::tell(malformed, cx),
        Behind::Incomplete => return Step::KEEP,
        Behind::Offer(offer) => course::learn(&offer, cx),
    }
    said.take_all();
    Step::KEEP.discarding()
}
