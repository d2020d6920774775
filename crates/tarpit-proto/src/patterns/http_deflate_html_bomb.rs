//! `http_deflate_html_bomb`: a page of 8 MB of badly nested HTML that comes as 20 kB of gzip.
//!
//! Whoever does not take gzip gets a plain page without an end instead.

use alloc::vec::Vec;

use super::{BYTE_EVERY_8_SECONDS, EVERY_8_SECONDS};
use crate::{
    identify::Protocol,
    pacer::Pace,
    script::{Cx, Heard, Pattern, Run, Step},
    wire::{
        deflate::{Repetition, Text, Wrapper},
        http::{self, Coding, Cue, Phase, Request},
    },
};

/// See the module.
pub(super) struct HttpDeflateHtmlBomb;

/// What whoever takes gzip inflates: 8,389,715 bytes.
static BOMB: Repetition = Repetition::new(&Wrapper::Gzip(CRC), &TEXT, 4_064);

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
        "20 kB of gzip that inflate to 8 MB of badly nested HTML"
    }

    fn caution(&self) -> Option<&'static str> {
        Some("it costs every visitor memory and time, search engines and researchers among them")
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Http)
    }

    fn pace(&self, run: &Run) -> Pace {
        match Phase::of(run) {
            // Byte by byte it would take months to go off.
            Phase::Telling if takes_it(run) => EVERY_8_SECONDS,
            _ => BYTE_EVERY_8_SECONDS,
        }
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match http::converse(run, heard, cx) {
            Cue::HeadSent => http::tell(run, cx),
            Cue::PartSent | Cue::Silence if takes_it(run) => http::tell_more_of(&BOMB, run, cx),
            Cue::PartSent | Cue::Silence => http::tell_on(run),
            Cue::Step(step) => step,
        }
    }

    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match (Phase::of(run), takes_it(run)) {
            (Phase::Heading | Phase::Ending, true) => {
                http::coded_head("gzip", BOMB.len(), run, cx, out);
            }
            (Phase::Heading | Phase::Ending, false) => http::head(run, cx, out),
            (Phase::Telling, true) => BOMB.read(run.position, http::PART, out),
            (Phase::Telling, false) => http::page(run.position, run, cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}

fn takes_it(run: &Run) -> bool {
    Request::of(run).accepts(Coding::Gzip)
}
