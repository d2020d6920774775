//! What holds a data connection of `ftp_hold`: a directory that never ends (RFC 959, section 3).
//!
//! ```text
//!            2 s                a line every 8 s
//! Waiting ─────────► Listing ─────────────────────► for ever
//!    │  a hello of TLS           done
//!    ├────────────────► Securing ─────► Listing, or Silent if it cannot be afforded
//!    │  anything else
//!    └────────────────► Stalled: an upload that is not read
//! ```
//! It stands in no registry: only a client that asked for it gets there.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    protocols::ftp::reply,
    script::{About, Cx, Heard, Script, Security, Step, Uses},
    states,
};

/// See the module.
pub(crate) struct FtpListing;

states! {
    /// See the module.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) enum State {
        Listing,
        Securing,
        Silent,
        Stalled,
        #[default]
        Waiting,
    }
}

/// How long it is seen whether the client speaks first.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first byte of a record with a hello (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

static ABOUT: About = About {
    uses: Uses { tls: true, ..Uses::NOTHING },
    ..About::new("ftp_listing", "a directory listing that never ends, on a data connection")
};

impl Script for FtpListing {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (*state, heard) {
            (State::Waiting, Heard::Opened) => Step::wait(cx.later(PATIENCE)),
            (State::Waiting, Heard::Said(said)) => {
                if said.rest().first() == Some(&HANDSHAKE) && cx.offers_tls() {
                    *state = State::Securing;
                    return Step::SECURE;
                }
                said.take_all();
                *state = State::Stalled;
                Step::REST.pausing()
            }
            (State::Securing, Heard::Secured(Security::Ready { .. }))
            | (State::Waiting, Heard::Silence) => {
                *state = State::Listing;
                Step::PROMPT.discarding()
            }
            // No handshake can be afforded, and what is said in one is no file.
            (State::Securing, Heard::Secured(_)) => {
                *state = State::Silent;
                Step::REST.discarding()
            }
            (State::Listing, Heard::Sent) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        reply::entry(&cx.profile.persona, cx.wall, &mut cx.rng, out);
    }
}
