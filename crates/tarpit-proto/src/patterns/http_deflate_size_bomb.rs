//! `http_deflate_size_bomb`: 1 MB of deflate that inflates to 1 GB of zero bytes.
//!
//! HTTP's deflate is the zlib format (RFC 9110, section 8.4.1.2). Whoever does not take it gets a
//! plain page without an end instead.

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
pub(super) struct HttpDeflateSizeBomb;

/// What whoever takes deflate inflates: 1,073,280,517 bytes.
static BOMB: Repetition = Repetition::new(&Wrapper::ZlibOfZeros, &TEXT, 520_000);

const TEXT: Text = Text { letters: &[0], preface: b"", unit: &[0] };

impl Pattern for HttpDeflateSizeBomb {
    fn name(&self) -> &'static str {
        "http_deflate_size_bomb"
    }

    fn summary(&self) -> &'static str {
        "1 MB of deflate that inflates to 1 GB of nothing"
    }

    fn caution(&self) -> Option<&'static str> {
        Some(
            "it costs every visitor a gigabyte of memory, search engines and researchers among them",
        )
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
                http::coded_head("deflate", BOMB.len(), run, cx, out);
            }
            (Phase::Heading | Phase::Ending, false) => http::head(run, cx, out),
            (Phase::Telling, true) => BOMB.read(run.position, http::PART, out),
            (Phase::Telling, false) => http::page(run.position, run, cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}

fn takes_it(run: &Run) -> bool {
    Request::of(run).accepts(Coding::Deflate)
}
