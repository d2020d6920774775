//! `http_fake_auth`: a password is asked for, and none is ever right.
//!
//! Who asks without credentials gets a `401` whose page drips; who guesses gets a whole one after
//! a silence, and may guess again on the same connection.

use alloc::vec::Vec;

use crate::base::pace::BYTE_EVERY_8_SECONDS;
use crate::{
    base::pace::Pace,
    identify::Protocol,
    protocols::http::{self, Cue, Phase},
    script::{Cx, Heard, Pattern, Run, Step},
};

/// See the module.
pub(crate) struct HttpFakeAuth;

impl Pattern for HttpFakeAuth {
    fn name(&self) -> &'static str {
        "http_fake_auth"
    }

    fn summary(&self) -> &'static str {
        "asks for a password and refuses every one slowly"
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Http)
    }

    fn pace(&self, _run: &Run) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match http::converse(run, heard, cx) {
            Cue::HeadSent => {
                run.enter(Phase::Telling);
                Step::DRIP
            }
            Cue::PartSent | Cue::Silence => http::next_request(run, cx),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match Phase::of(run) {
            Phase::Heading | Phase::Ending => http::refusal_head(run, cx, out),
            Phase::Telling => http::refusal_page(cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}
