//! `egsh_aminoas`: lines drawn at random from four phrases, for ever, to whoever connects.
//!
//! Each phrase is told to the log once its line has been sent.

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    script::{About, Cx, Heard, ReadMode, Script, Step, legacy::Registers},
    wire::text,
};

/// See the module.
pub(crate) struct EgshAminoas;

const PHRASES: [&str; 4] = ["Egsh Aminoas", "Aminoas", "Ama Cinoas", "Yegm Laminoas"];

static ABOUT: About = About {
    aliases: &["misc_egsh_aminoas"],
    ..About::new(
        "egsh_aminoas",
        "sends lines of four strange phrases to every client, for ever, and logs each line",
    )
};

impl Script for EgshAminoas {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened => cx.read_mode = ReadMode::Discard,
            Heard::Sent => cx.log_phrase(phrase(run)),
            _ => return Step::KEEP,
        }
        run.count = cx.rng.below(PHRASES.len() as u32) as u16;
        Step::DRIP
    }

    fn speak(&self, run: &Registers, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::line(phrase(run), out);
    }
}

/// The phrase that is being said; [`Registers::count`] is its place.
fn phrase(run: &Registers) -> &'static str {
    PHRASES[usize::from(run.count) % PHRASES.len()]
}
