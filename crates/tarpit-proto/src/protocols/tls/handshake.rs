//! `tls`: a real handshake, and another pattern inside (RFC 8446, RFC 5246).
//!
//! ```text
//!          handshake done         sent
//! Securing ──────────────► Greeting ──► the pattern inside
//!     │ none can be afforded
//!     └────────────────────► tls_record_drip
//! ```
//! Some clients give the handshake ten seconds in all, whatever comes meanwhile, and the rest as
//! long as something comes: only those who are let in stay.

use alloc::vec::Vec;

use crate::{base::pace::BYTE_EVERY_8_SECONDS, protocols::tls::record_drip::TlsRecordDrip};
use crate::{
    base::{fact::Fact, pace::Pace},
    handing,
    identify::Protocol,
    phases,
    script::{Cx, Heard, Pattern, Run, Security, Step},
};

/// See the module.
pub(crate) struct Tls;

phases! {
    enum Phase { Securing, Greeting }
}

impl Pattern for Tls {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn summary(&self) -> &'static str {
        "completes the handshake, then holds the client by another pattern inside (`inner`)"
    }

    fn secures(&self) -> bool {
        true
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Tls)
    }

    fn carries(&self) -> bool {
        true
    }

    fn pace(&self, _run: &Run) -> Pace {
        // Nothing of its own drips.
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Securing, Heard::Opened) => Step::Secure,
            (Phase::Securing, Heard::Secured(Security::Ready)) => {
                let Some(inner) = crate::patterns::inside(self, cx.profile.inner) else {
                    return Step::REST;
                };
                if let Some(protocol) = inner.protocol() {
                    cx.learn(Fact::Protocol, protocol.name().as_bytes());
                }
                handing::hand_on(run, Phase::Greeting, inner, cx)
            }
            (Phase::Securing, Heard::Secured(Security::Unavailable)) => {
                Step::Become(&TlsRecordDrip)
            }
            (Phase::Greeting, Heard::Sent) => handing::arrive(run),
            _ => Step::Keep,
        }
    }

    // Its one chunk, the greeting of the pattern inside, is boxed.
    fn speak(&self, _run: &Run, _cx: &mut Cx<'_>, _out: &mut Vec<u8>) {}
}
