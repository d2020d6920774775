//! `egsh_aminoas`: lines drawn at random from four phrases, for ever, to every client.
//!
//! The log gets each phrase once its line has been sent.

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    script::{About, Cx, Heard, Script, Step},
    states,
    wire::text,
};

/// See the module.
pub(crate) struct EgshAminoas;

const PHRASES: [&str; 4] = ["Egsh Aminoas", "Aminoas", "Ama Cinoas", "Yegm Laminoas"];

states! {
    /// What is being said.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct State {
        /// The phrase's place in [`PHRASES`].
        phrase: u8,
    }
}

impl State {
    fn phrase(self) -> &'static str {
        PHRASES[usize::from(self.phrase) % PHRASES.len()]
    }
}

static ABOUT: About = About {
    aliases: &["misc_egsh_aminoas"],
    ..About::new(
        "egsh_aminoas",
        "sends lines of four strange phrases to every client, for ever, and logs each line",
    )
};

impl Script for EgshAminoas {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        let step = match heard {
            Heard::Opened => Step::DRIP.discarding(),
            Heard::Sent => {
                cx.log_phrase(state.phrase());
                Step::DRIP
            }
            _ => return Step::KEEP,
        };
        state.phrase = cx.rng.below(PHRASES.len() as u32) as u8;
        step
    }

    fn speak(&self, state: &State, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::line(state.phrase(), out);
    }
}
