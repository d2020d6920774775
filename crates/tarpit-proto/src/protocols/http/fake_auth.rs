//! `http_fake_auth`: asks for a password and refuses every one.
//!
//! A client without credentials gets a `401` whose page drips. A guesser gets a whole `401` after a
//! silence, and may guess again on the same connection.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, Pace},
    protocols::http::{self, Cue, Phase},
    script::{About, Cx, Heard, Script, Step, legacy::Registers},
};

/// See the module.
pub(crate) struct HttpFakeAuth;

static ABOUT: About = About {
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new("http_fake_auth", "asks for a password and refuses every one slowly")
};

impl Script for HttpFakeAuth {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match http::converse(run, heard, cx) {
            Cue::HeadSent => {
                run.enter(Phase::Telling);
                Step::DRIP
            }
            Cue::PartSent | Cue::Silence => http::next_request(run, cx),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match Phase::of(run) {
            Phase::Heading | Phase::Ending => http::refusal_head(run, cx, out),
            Phase::Telling => http::refusal_page(cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}
