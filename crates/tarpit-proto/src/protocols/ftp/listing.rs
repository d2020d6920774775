//! What holds a data connection of `ftp_hold`: a directory that never ends (RFC 959, section 3).
//!
//! ```text
//!            2 s                a line every 8 s
//! Waiting ─────────► Listing ─────────────────────► for ever
//!    │  a hello of TLS           done
//!    ├────────────────► Securing ─────► Listing, or Stalled if it cannot be afforded
//!    │  anything else
//!    └────────────────► Stalled: an upload that is not read
//! ```
//! It stands in no registry: only a client that asked for it gets there.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    phases,
    protocols::ftp::reply as ftp,
    script::{About, Cx, Heard, ReadMode, Script, Security, Step, Uses, legacy::Registers},
};

/// See the module.
pub(crate) struct FtpListing;

phases! {
    enum Phase { Waiting, Listing, Securing, Stalled }
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
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Waiting, Heard::Opened) => Step::wait(cx.later(PATIENCE)),
            (Phase::Waiting, Heard::Said(said)) => {
                if said.rest().first() == Some(&HANDSHAKE) && cx.offers_tls() {
                    run.enter(Phase::Securing);
                    return Step::SECURE;
                }
                said.take_all();
                cx.read_mode = ReadMode::Paused;
                run.enter(Phase::Stalled);
                Step::REST
            }
            (Phase::Securing, Heard::Secured(Security::Ready))
            | (Phase::Waiting, Heard::Silence) => {
                cx.read_mode = ReadMode::Discard;
                run.enter(Phase::Listing);
                Step::PROMPT
            }
            // No handshake can be afforded, and what is said in one is no file.
            (Phase::Securing, Heard::Secured(_)) => {
                cx.read_mode = ReadMode::Discard;
                run.enter(Phase::Stalled);
                Step::REST
            }
            (Phase::Listing, Heard::Sent) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ftp::entry(&cx.profile.persona, cx.wall, &mut cx.rng, out);
    }
}
