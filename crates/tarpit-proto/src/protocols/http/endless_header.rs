//! `http_endless_header`: an answer whose header is one cookie after the other.
//!
//! Libraries count header lines and their bytes: the strictest that were measured give up at 100
//! lines (Python) and at 16 kB (Node.js). Before that the head ends, and a page without an end
//! follows.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, Pace},
    protocols::http::{self, At, Cue, Exchange},
    script::{About, Cx, Heard, Script, Step},
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
    type State = Exchange;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _exchange: &Exchange) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn open(&self, cx: &mut Cx<'_>) -> Exchange {
        Exchange::open(cx)
    }

    fn step(&self, exchange: &mut Exchange, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (&exchange.at, heard) {
            // A client that asked for no more than a head would leave at its end.
            (At::Ending, Heard::Sent) => Step::DRIP,
            (_, heard) => match http::converse(exchange, heard, cx) {
                Cue::HeadSent => http::tell(exchange, 0),
                Cue::PartSent { .. } | Cue::Silence => http::tell_on(exchange),
                Cue::Step(step) => step,
            },
        }
    }

    fn speak(&self, exchange: &Exchange, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match exchange.at {
            At::Heading { stamp } => http::opening(exchange.request, stamp, cx, out),
            At::Ending | At::Telling { part: 0..COOKIES } => http::cookie(cx, out),
            At::Telling { part: COOKIES } => http::ending(exchange.request, cx, out),
            At::Telling { part } => http::page(part - COOKIES - 1, exchange.request, cx, out),
            _ => http::reply(exchange, cx, out),
        }
    }
}
