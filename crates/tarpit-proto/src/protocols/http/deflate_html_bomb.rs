//! `http_deflate_html_bomb`: a page of 8 MB of badly nested HTML that comes as 20 kB of gzip.
//!
//! Whoever does not take gzip gets a plain page without an end instead.

use alloc::vec::Vec;

use crate::{
    base::pace::Pace,
    identify::Protocol,
    protocols::http::{Bomb, Coding},
    script::{Cx, Heard, Pattern, Run, Step},
    wire::deflate::{Repetition, Text, Wrapper},
};

/// See the module.
pub(crate) struct HttpDeflateHtmlBomb;

/// What whoever takes gzip inflates: 8,389,715 bytes.
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

impl Pattern for HttpDeflateHtmlBomb {
    fn name(&self) -> &'static str {
        "http_deflate_html_bomb"
    }

    fn summary(&self) -> &'static str {
        "sends 20 kB of gzip that inflate to 8 MB of badly nested HTML"
    }

    fn caution(&self) -> Option<&'static str> {
        Some("it costs every visitor memory and CPU time, search engines and researchers too")
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Http)
    }

    fn pace(&self, run: &Run) -> Pace {
        BOMB.pace(run)
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        BOMB.step(run, heard, cx)
    }

    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        BOMB.speak(run, cx, out);
    }
}
