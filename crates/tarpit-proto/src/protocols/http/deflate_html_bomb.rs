//! `http_deflate_html_bomb`: a page of 8 MB of badly nested HTML that comes as 20 kB of gzip.
//!
//! A client that does not accept gzip gets a plain page without an end instead.

use alloc::vec::Vec;

use crate::{
    base::pace::Pace,
    protocols::http::{Bomb, Coding, Exchange},
    script::{About, Cx, Heard, Script, Step},
    wire::deflate::{Repetition, Text, Wrapper},
};

/// See the module.
pub(crate) struct HttpDeflateHtmlBomb;

/// What a client that accepts gzip inflates: 8,389,715 bytes.
static BOMB: Bomb = Bomb {
    coding: Coding::Gzip,
    name: "gzip",
    body: Repetition::new(&Wrapper::Gzip(CRC), &TEXT, 4_064),
};

/// The CRC-32 of the inflated page; a test inflates it all and names the right one.
const CRC: u32 = 0xEDF8_E469;

const TEXT: Text = Text {
    letters: b" /<>`abcdefghijklmnopqrstuvwxyz",
    preface: b"<html><head><title>welcome</title></head><body>",
    // Each closes a tag across another and leaves three open.
    unit: b"<ul><li><b><div></b><dl>",
};

static ABOUT: About = About {
    caution: Some("it costs every visitor memory and CPU time, search engines and researchers too"),
    protocol: Some(&super::HTTP),
    alpn: &["http/1.1"],
    ..About::new(
        "http_deflate_html_bomb",
        "sends 20 kB of gzip that inflate to 8 MB of badly nested HTML",
    )
};

impl Script for HttpDeflateHtmlBomb {
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
