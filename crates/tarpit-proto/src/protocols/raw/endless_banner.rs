//! `endless_banner`: random hexadecimal lines for ever, to whoever connects.
//!
//! Clients of every protocol in which the server may speak first read on, waiting for a line that
//! makes sense. SSH clients take such lines for what may stand in front of the identification
//! string (RFC 4253, section 4.2).

use alloc::vec::Vec;

use crate::base::pace::EVERY_8_SECONDS;
use crate::{
    base::pace::Pace,
    identify::Protocol,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
    wire::text,
};

/// See the module.
pub(crate) struct EndlessBanner;

impl Pattern for EndlessBanner {
    fn name(&self) -> &'static str {
        "endless_banner"
    }

    fn summary(&self) -> &'static str {
        "sends random hexadecimal lines to every client, for ever"
    }

    fn protocol(&self) -> Option<Protocol> {
        None
    }

    fn pace(&self, _run: &Run) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, _run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened | Heard::Sent => {
                cx.read_mode = ReadMode::Discard;
                Step::DRIP
            }
            _ => Step::Keep,
        }
    }

    fn speak(&self, _run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::hex_line(&mut cx.rng, out);
    }
}
