//! `tls_endless_hello_request`: messages that ask a TLS client to begin again, for ever (RFC 5246,
//! section 7.4.1.1).
//!
//! A client that has begun already must ignore them. OpenSSL does; `GnuTLS` and Go leave at the
//! first, and are better held by `tls_slow_hello`.

use alloc::vec::Vec;

use crate::{
    base::pace::{EVERY_8_SECONDS, Pace},
    script::{About, Cx, Heard, Script, Step},
    wire::tls,
};

/// See the module.
pub(crate) struct TlsEndlessHelloRequest;

static ABOUT: About = About {
    protocol: Some(&super::TLS),
    ..About::new(
        "tls_endless_hello_request",
        "asks the client to begin the handshake again, for ever",
    )
};

impl Script for TlsEndlessHelloRequest {
    type State = ();

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, (): &()) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, (): &mut (), heard: Heard<'_, '_>, _cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened => Step::DRIP.discarding(),
            Heard::Sent => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, (): &(), _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&tls::HELLO_REQUEST);
    }
}
