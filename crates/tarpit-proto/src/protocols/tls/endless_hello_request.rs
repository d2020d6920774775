//! `tls_endless_hello_request`: messages that ask a TLS client to begin anew, for ever (RFC 5246,
//! section 7.4.1.1).
//!
//! A client that has begun already must ignore them. OpenSSL does; `GnuTLS` and Go leave at the
//! first, and are better held by `tls_slow_hello`.

use alloc::vec::Vec;

use crate::base::pace::EVERY_8_SECONDS;
use crate::{
    base::pace::Pace,
    identify::Protocol,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
    wire::tls,
};

/// See the module.
pub(crate) struct TlsEndlessHelloRequest;

impl Pattern for TlsEndlessHelloRequest {
    fn name(&self) -> &'static str {
        "tls_endless_hello_request"
    }

    fn summary(&self) -> &'static str {
        "asks the client to begin the handshake again, for ever"
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Tls)
    }

    fn pace(&self, _run: &Run) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, _run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened | Heard::Sent => {
                cx.read_mode = ReadMode::Discard;
                Step::DRIP
            }
            _ => Step::Keep,
        }
    }

    fn speak(&self, _run: &Run, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&tls::HELLO_REQUEST);
    }
}
