//! `tls_slow_hello`: one long `ServerHello`, dripped byte by byte (RFC 5246, section 7.4.1.3).
//!
//! ```text
//!           hello read, or 2 s              sent             sent, to the record's end
//! Listening ──────────────────► Beginning ───────► Filling ────────────────────────────► Done
//! ```
//! Clients wait until a record is whole before they look into it, and nearly all of them start
//! their timeout again with every byte. The message is valid: it echoes the client's session and
//! chooses among its suites. After that there is silence.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, Pace},
    protocols::tls::drip::{self, Drip, State},
    script::{About, Cx, Heard, Script, Step},
    wire::tls::{ClientHello, Reading},
};

/// See the module.
pub(crate) struct TlsSlowHello;

/// How long the rest of the client's message is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The record: nearly as long as one may be, and on each installation of another length.
fn drip(cx: &Cx<'_>) -> Drip {
    Drip { record: 14_800 + drip::choice(cx, 1_500), withheld: 0 }
}

static ABOUT: About = About {
    protocol: Some(&super::TLS),
    ..About::new("tls_slow_hello", "sends one long ServerHello, byte by byte")
};

impl Script for TlsSlowHello {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (*state, heard) {
            (State::Listening, Heard::Opened) => Step::wait(cx.later(PATIENCE)),
            (State::Listening, Heard::Said(said)) => match ClientHello::read(said.rest()) {
                Reading::Hello(hello) => drip(cx).begin(&hello, state, cx),
                Reading::Incomplete if !said.is_full() => Step::KEEP,
                Reading::Garbled | Reading::Incomplete => {
                    drip(cx).begin(&ClientHello::unknown(), state, cx)
                }
            },
            (State::Listening, Heard::Silence) => {
                drip(cx).begin(&ClientHello::unknown(), state, cx)
            }
            (_, heard) => drip(cx).go_on(state, &heard),
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        drip(cx).speak(*state, cx, out);
    }
}
