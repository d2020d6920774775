//! `tls_record_drip`: the largest record that there is, dripped byte by byte and never completed
//! (RFC 8446, section 5.1).
//!
//! ```text
//!           hello whole, or 10 s without a byte             sent             sent but for a byte
//! Listening ───────────────────────────────────► Beginning ──────► Filling ───────────────► Done
//! ```
//! No client looks into a record before it is whole, and nearly every client starts its timeout
//! again with every byte. It takes no cryptography, so it also holds clients beyond the handshake
//! budget. The part that is sent is valid: a `ServerHello` that echoes the client's session and
//! chooses among its suites. Its last byte is never sent.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        pace::{BYTE_EVERY_8_SECONDS, Pace},
        said::Said,
    },
    protocols::tls::drip::{self, Drip, State},
    script::{About, Cx, Heard, Script, Step},
    wire::tls::{ClientHello, Hello, Reading},
};

/// See the module.
pub(crate) struct TlsRecordDrip;

/// How long the rest of the client's message is waited for once it has stopped coming.
const PATIENCE: Duration = Duration::from_secs(10);

/// The record: as long as one may be, or somewhat shorter; each installation has its own length.
/// Its last byte is never sent.
fn drip(cx: &Cx<'_>) -> Drip {
    Drip { record: 16 * 1_024 - drip::choice(cx, 1_500), withheld: 1 }
}

static ABOUT: About = About {
    protocol: Some(&super::TLS),
    ..About::new("tls_record_drip", "sends one record byte by byte and never completes it")
};

impl Script for TlsRecordDrip {
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
            (State::Listening, Heard::Said(said)) => listen(state, said, cx),
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

/// Waits for the whole hello, since all of it tells something of the client.
fn listen(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let bytes = said.rest();
    if let Some(hello) = Hello::read(bytes) {
        hello.tell(|fact, value| cx.learn(fact, value));
    } else if !said.is_full() && ClientHello::may_go_on(bytes) {
        return Step::wait(cx.later(PATIENCE));
    }
    match ClientHello::read(bytes) {
        Reading::Hello(hello) => drip(cx).begin(&hello, state, cx),
        Reading::Garbled | Reading::Incomplete => {
            drip(cx).begin(&ClientHello::unknown(), state, cx)
        }
    }
}
