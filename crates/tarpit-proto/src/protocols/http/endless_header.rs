//! `http_endless_header`: an answer whose header is one cookie after the other.
//!
//! Libraries count header lines and their bytes: the strictest that were measured give up at 100
//! lines (Python) and at 16 kB (Node.js). Before that the head ends, and a page without an end
//! follows.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, Pace},
    protocols::http::{self, Cue, Phase},
    script::{About, Cx, Heard, Script, Step, legacy::Registers},
};

/// See the module.
pub(crate) struct HttpEndlessHeader;

/// How many cookies the head has.
const COOKIES: u32 = 80;

static ABOUT: About = About {
    aliases: &["http_endless_cookie"],
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new(
        "http_endless_header",
        "sends a long response header of cookies, then a page that never ends",
    )
};

impl Script for HttpEndlessHeader {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        // Who asked for no more than a head would leave at its end.
        if let (Phase::Ending, Heard::Sent) = (Phase::of(run), &heard) {
            return Step::DRIP;
        }
        match http::converse(run, heard, cx) {
            Cue::HeadSent => http::tell(run, cx),
            Cue::PartSent | Cue::Silence => http::tell_on(run),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match (Phase::of(run), run.position) {
            (Phase::Heading, _) => http::opening(run, cx, out),
            (Phase::Ending, _) | (Phase::Telling, 0..COOKIES) => http::cookie(cx, out),
            (Phase::Telling, COOKIES) => http::ending(run, cx, out),
            (Phase::Telling, part) => http::page(part - COOKIES - 1, run, cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}
