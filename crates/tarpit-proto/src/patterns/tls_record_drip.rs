//! `tls_record_drip`: the largest record that there is, dripped byte by byte and never completed
//! (RFC 8446, section 5.1).
//!
//! ```text
//!           hello whole, or 10 s without a byte             sent             sent but for a byte
//! Listening ───────────────────────────────────► Beginning ──────► Filling ───────────────► Done
//! ```
//! Nobody looks into a record before it is whole, and nearly everybody starts the clock anew with
//! every byte. It takes no cryptography, so it is also what holds those who cannot be afforded a
//! handshake. What is whole of it is in order: a `ServerHello` that echoes the client's session and
//! chooses among its suites. Its last byte is never sent.

use alloc::vec::Vec;
use core::time::Duration;

use super::BYTE_EVERY_8_SECONDS;
use crate::{
    identify::Protocol,
    pacer::Pace,
    phases,
    script::{Chunk, Cx, Ears, Heard, Manner, Pattern, Run, Said, Step},
    wire::tls::{self, ClientHello, Hello, Reading},
};

/// See the module.
pub(super) struct TlsRecordDrip;

phases! {
    enum Phase { Listening, Beginning, Filling, Done }
}

/// How long the rest of the client's message is waited for once it has stopped coming.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the record holds: as much as one may.
const RECORD: usize = 16 * 1_024;

/// How much filler is made at a time.
const FILLER: usize = 256;

impl Pattern for TlsRecordDrip {
    fn name(&self) -> &'static str {
        "tls_record_drip"
    }

    fn summary(&self) -> &'static str {
        "a TLS record that never becomes whole, byte by byte"
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
            (Phase::Listening, Heard::Said(said)) => listen(run, said, cx),
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

/// Waits for the whole hello, since all of it tells something of the client.
fn listen(run: &mut Run, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let bytes = said.rest();
    if let Some(hello) = Hello::read(bytes) {
        hello.tell(|fact, value| cx.learn(fact, value));
    } else if !said.is_full() && ClientHello::may_go_on(bytes) {
        return Step::Wait(cx.later(PATIENCE));
    }
    match ClientHello::read(bytes) {
        Reading::Hello(hello) => begin(run, &hello, cx),
        Reading::Garbled | Reading::Incomplete => begin(run, &ClientHello::unknown(), cx),
    }
}

/// Sends the part of the record that says something. [`Run::position`] is how much of it has been
/// sent since.
fn begin(run: &mut Run, hello: &ClientHello, cx: &mut Cx<'_>) -> Step {
    cx.ears = Ears::Deaf;
    run.enter(Phase::Beginning);
    let mut start = Vec::new();
    tls::long_hello(RECORD, hello, cx.entropy, &mut start);
    run.position = start.len() as u32;
    Step::Send(Manner::Prompt, Chunk::Boxed(start.into()))
}

/// The length of the next piece of filler; none in front of the record's last byte.
fn filler(run: &Run) -> usize {
    (tls::RECORD_HEADER + RECORD - 1).saturating_sub(run.position as usize).min(FILLER)
}
