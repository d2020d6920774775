//! `endlessh`: random hexadecimal lines for ever, after an SSH client has shown itself.
//!
//! They stand where lines may stand in front of the identification string (RFC 4253, section 4.2).
//! OpenSSH takes 1024 of them, which is more than two hours.
//!
//! A client that says nothing is told the identification line, so that a scanner records an SSH
//! server, and so is a client of another protocol.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        pace::{EVERY_15_SECONDS, Pace},
        time::Wall,
    },
    persona::Persona,
    protocols::ssh::server,
    script::{About, Cx, Heard, Script, Step},
    wire::text,
};

/// See the module.
pub(crate) struct Endlessh;

/// Below the 5 to 6 seconds for which scanners listen in silence, and above what SSH clients need
/// to show themselves.
const SILENCE: Duration = Duration::from_secs(2);

static ABOUT: About = About {
    aliases: &["misc_endlessh"],
    protocol: Some(&super::SSH),
    refuse: Some(refuse),
    null_probe_after: Some(SILENCE),
    ..About::new("endlessh", "sends random hexadecimal lines to SSH clients, for ever")
};

/// What strangers are told.
fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(server::identification(persona), out);
}

impl Script for Endlessh {
    type State = ();

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &()) -> Pace {
        EVERY_15_SECONDS
    }

    fn step(&self, _state: &mut (), heard: Heard<'_, '_>, _cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Opened | Heard::Sent => Step::DRIP.discarding(),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _state: &(), cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::hex_line(&mut cx.rng, out);
    }
}
