//! `tls`: a real handshake, and another pattern inside (RFC 8446, RFC 5246).
//!
//! ```text
//!          handshake done         sent
//! Securing ──────────────► Greeting ──► the pattern inside
//!     │ none can be afforded
//!     └────────────────────► tls_record_drip
//! ```
//! Some clients give the handshake ten seconds in all, and what follows as long as bytes come: only
//! a complete handshake holds them.

use alloc::vec::Vec;

use crate::{
    base::{
        fact::Fact,
        pace::{BYTE_EVERY_8_SECONDS, Pace},
    },
    protocols::tls::record_drip::TlsRecordDrip,
    script::{About, Cx, Heard, Script, Security, Step, Uses},
};

/// See the module.
pub(crate) struct Tls;

static ABOUT: About = About {
    protocol: Some(&super::TLS),
    uses: Uses { tls: true, ..Uses::NOTHING },
    inner: Some(&crate::protocols::http::hold::HttpHold),
    ..About::new(
        "tls",
        "completes the handshake, then holds the client by another pattern inside (`inner`)",
    )
};

impl Script for Tls {
    type State = ();

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, (): &()) -> Pace {
        // Nothing of its own drips.
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, (): &mut (), heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened => Step::SECURE,
            Heard::Secured(Security::Ready { limits, spent }) => {
                let Some(inner) = cx.profile.inner.or(ABOUT.inner) else { return Step::REST };
                if let Some(protocol) = inner.protocol() {
                    cx.learn(Fact::Protocol, protocol.name.as_bytes());
                }
                Step::hand_on_secured(inner, limits, spent)
            }
            Heard::Secured(Security::Unavailable) => Step::become_pattern(&TlsRecordDrip),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, (): &(), _cx: &mut Cx<'_>, _out: &mut Vec<u8>) {}
}
