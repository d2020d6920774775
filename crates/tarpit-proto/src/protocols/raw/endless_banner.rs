//! `endless_banner`: random hexadecimal lines for ever, to whoever connects.
//!
//! Clients of every protocol in which the server may speak first read on, waiting for a line that
//! makes sense. SSH clients take such lines for what may stand in front of the identification
//! string (RFC 4253, section 4.2).

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    script::{About, Cx, Heard, ReadMode, Script, Step, legacy::Registers},
    wire::text,
};

/// See the module.
pub(crate) struct EndlessBanner;

static ABOUT: About =
    About::new("endless_banner", "sends random hexadecimal lines to every client, for ever");

impl Script for EndlessBanner {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, _run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened | Heard::Sent => {
                cx.read_mode = ReadMode::Discard;
                Step::DRIP
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::hex_line(&mut cx.rng, out);
    }
}
