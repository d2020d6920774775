//! `http_deflate_size_bomb`: 1 MB of deflate that inflates to 1 GB of zero bytes.
//!
//! HTTP's deflate is the zlib format (RFC 9110, section 8.4.1.2). Whoever does not take it gets a
//! plain page without an end instead.

use alloc::vec::Vec;

use crate::{
    base::pace::Pace,
    identify::Protocol,
    protocols::http::{Bomb, Coding},
    script::{Cx, Heard, Pattern, Run, Step},
    wire::deflate::{Repetition, Text, Wrapper},
};

/// See the module.
pub(crate) struct HttpDeflateSizeBomb;

/// What whoever takes deflate inflates: 1,073,280,517 bytes.
static BOMB: Bomb = Bomb {
    coding: Coding::Deflate,
    name: "deflate",
    body: Repetition::new(&Wrapper::ZlibOfZeros, &TEXT, 520_000),
};

const TEXT: Text = Text { letters: &[0], preface: b"", unit: &[0] };

impl Pattern for HttpDeflateSizeBomb {
    fn name(&self) -> &'static str {
        "http_deflate_size_bomb"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["http_deflate_bomb"]
    }

    fn summary(&self) -> &'static str {
        "sends 1 MB of deflate that inflates to 1 GB of zero bytes"
    }

    fn caution(&self) -> Option<&'static str> {
        Some("it costs every visitor a gigabyte of memory, search engines and researchers too")
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
