//! `endlessh`: random hexadecimal lines for ever, after an SSH client has shown itself.
//!
//! They stand where lines may stand in front of the identification string (RFC 4253, section 4.2).
//! OpenSSH takes 1024 of them, which is more than two hours.
//!
//! A client that says nothing is told the identification line, so that a scanner records an SSH
//! server, and so is a client of another protocol.

use alloc::vec::Vec;
use core::time::Duration;

use crate::base::pace::EVERY_15_SECONDS;
use crate::{
    base::pace::Pace,
    identify::Protocol,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
    wire::text,
};

/// See the module.
pub(crate) struct Endlessh;

/// Below the 5 to 6 seconds for which scanners listen in silence, and above what SSH clients need
/// to show themselves.
const SILENCE: Duration = Duration::from_secs(2);

impl Pattern for Endlessh {
    fn name(&self) -> &'static str {
        "endlessh"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["misc_endlessh"]
    }

    fn summary(&self) -> &'static str {
        "sends random hexadecimal lines to SSH clients, for ever"
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Ssh)
    }

    fn pace(&self, _run: &Run) -> Pace {
        EVERY_15_SECONDS
    }

    fn refuse(&self, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::line(cx.profile.persona.ssh(), out);
    }

    fn null_probe_after(&self) -> Option<Duration> {
        Some(SILENCE)
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

    fn speak(&self, _run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        text::hex_line(&mut cx.rng, out);
    }
}
