//! `tls_slow_hello`: one long `ServerHello`, dripped byte by byte (RFC 5246, section 7.4.1.3).
//!
//! ```text
//!           hello read, or 2 s              sent             sent, to the record's end
//! Listening ──────────────────► Beginning ───────► Filling ────────────────────────────► Done
//! ```
//! Clients wait for a record to be whole before they look into it, and nearly all of them start
//! their clocks anew with every byte. The message makes sense in the end: it echoes the client's
//! session and chooses among its suites. After that there is silence.

use alloc::vec::Vec;
use core::time::Duration;

use super::BYTE_EVERY_8_SECONDS;
use crate::{
    identify::Protocol,
    pacer::Pace,
    phases,
    script::{Chunk, Cx, Ears, Heard, Manner, Pattern, Run, Step},
    wire::tls::{self, ClientHello, Reading},
};

/// See the module.
pub(super) struct TlsSlowHello;

phases! {
    enum Phase { Listening, Beginning, Filling, Done }
}

/// How long the rest of the client's message is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the record holds.
const RECORD: usize = 0x3E63;

/// How much filler is made at a time.
const FILLER: usize = 256;

impl Pattern for TlsSlowHello {
    fn name(&self) -> &'static str {
        "tls_slow_hello"
    }

    fn summary(&self) -> &'static str {
        "one long TLS ServerHello, byte by byte"
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Tls)
    }

    fn pace(&self, _run: &Run) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) => Step::Wait(cx.later(PATIENCE)),
            (Phase::Listening, Heard::Said(said)) => match ClientHello::read(said.rest()) {
                Reading::Hello(hello) => begin(run, &hello, cx),
                Reading::Incomplete if !said.is_full() => Step::Keep,
                Reading::Garbled | Reading::Incomplete => begin(run, &ClientHello::unknown(), cx),
            },
            (Phase::Listening, Heard::Silence) => begin(run, &ClientHello::unknown(), cx),
            (Phase::Beginning, Heard::Sent) => {
                run.enter(Phase::Filling);
                Step::DRIP
            }
            (Phase::Filling, Heard::Sent) => {
                run.position += filler(run) as u32;
                if filler(run) > 0 {
                    return Step::DRIP;
                }
                run.enter(Phase::Done);
                Step::REST
            }
            _ => Step::Keep,
        }
    }

    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let mut bytes = [0; FILLER];
        cx.rng.fill(&mut bytes);
        out.extend_from_slice(&bytes[..filler(run)]);
    }
}

/// Sends the part of the message that says something. [`Run::position`] is how much of the record
/// has been sent since.
fn begin(run: &mut Run, hello: &ClientHello, cx: &mut Cx<'_>) -> Step {
    cx.ears = Ears::Deaf;
    run.enter(Phase::Beginning);
    let mut start = Vec::new();
    tls::long_hello(RECORD, hello, cx.entropy, &mut start);
    run.position = start.len() as u32;
    Step::Send(Manner::Prompt, Chunk::Boxed(start.into()))
}

/// The length of the next piece of filler; none where the record ends.
fn filler(run: &Run) -> usize {
    (tls::RECORD_HEADER + RECORD).saturating_sub(run.position as usize).min(FILLER)
}
