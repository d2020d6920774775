//! `egsh_aminoas`: lines drawn at random from four phrases, for ever, to whoever connects.
//!
//! Each phrase is told to the log once its line has been sent.

use alloc::vec::Vec;

use crate::base::pace::EVERY_8_SECONDS;
use crate::{
    base::pace::Pace,
    identify::Protocol,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
    wire::text,
};

/// See the module.
pub(crate) struct EgshAminoas;

const PHRASES: [&str; 4] = ["Egsh Aminoas", "Aminoas", "Ama Cinoas", "Yegm Laminoas"];

impl Pattern for EgshAminoas {
    fn name(&self) -> &'static str {
        "egsh_aminoas"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["misc_egsh_aminoas"]
    }

    fn summary(&self) -> &'static str {
        "sends lines of four strange phrases to every client, for ever, and logs each line"
    }

    fn protocol(&self) -> Option<Protocol> {
        None
    }

    fn pace(&self, _run: &Run) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened => cx.read_mode = ReadMode::Discard,
            Heard::Sent => cx.log_phrase(phrase(run)),
            _ => return Step::Keep,
        }
        run.count = cx.rng.below(PHRASES.len() as u32) as u16;
        Step::DRIP
    }

    fn speak(&self, run: &Run, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::line(phrase(run), out);
    }
}

/// The phrase that is being said; [`Run::count`] is its place.
fn phrase(run: &Run) -> &'static str {
    PHRASES[usize::from(run.count) % PHRASES.len()]
}
