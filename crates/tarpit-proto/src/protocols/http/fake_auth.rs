//! `http_fake_auth`: asks for a password and refuses every one.
//!
//! A client without credentials gets a `401` whose page drips. A guesser gets a whole `401` after a
//! silence, and may guess again on the same connection.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, Pace},
    protocols::http::{self, At, Cue, Exchange},
    script::{About, Cx, Heard, Script, Step},
};

/// See the module.
pub(crate) struct HttpFakeAuth;

static ABOUT: About = About {
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new("http_fake_auth", "asks for a password and refuses every one slowly")
};

impl Script for HttpFakeAuth {
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
        match http::converse(exchange, heard, cx) {
            Cue::HeadSent => {
                exchange.at = At::Telling { part: 0 };
                Step::DRIP
            }
            Cue::PartSent { .. } | Cue::Silence => http::next_request(exchange),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, exchange: &Exchange, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match exchange.at {
            At::Heading { .. } | At::Ending => http::refusal_head(exchange, cx, out),
            At::Telling { .. } => http::refusal_page(cx, out),
            _ => http::reply(exchange, cx, out),
        }
    }
}
