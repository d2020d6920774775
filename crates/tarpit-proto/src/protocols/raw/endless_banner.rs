//! `endless_banner`: random hexadecimal lines to every client, for ever.
//!
//! Clients of every protocol in which the server may speak first read on, waiting for a line that
//! makes sense. SSH clients take such lines for what may stand in front of the identification
//! string (RFC 4253, section 4.2).

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    script::{About, Cx, Heard, Script, Step},
    wire::text,
};

/// See the module.
pub(crate) struct EndlessBanner;

static ABOUT: About =
    About::new("endless_banner", "sends random hexadecimal lines to every client, for ever");

impl Script for EndlessBanner {
    type State = ();

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, (): &()) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, (): &mut (), heard: Heard<'_, '_>, _cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened => Step::DRIP.discarding(),
            Heard::Sent => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, (): &(), cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::hex_line(&mut cx.rng, out);
    }
}
