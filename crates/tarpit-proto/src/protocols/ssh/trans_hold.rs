//! `ssh_trans_hold`: an SSH server that offers to exchange keys and then only sends packets that
//! clients must ignore (RFC 4253, sections 7.1 and 11.2).
//!
//! ```text
//!          first bytes match             line whole, or 2 s            sent
//! greeted ──────────────────► Listening ────────────────────► Offering ────► Ignoring, for ever
//! ```
//! The identification line and the offer come whole and at once, as from any server: what limits
//! there are in clients end with them. The offer is one that the persona's release makes; it must
//! not promise a strict key exchange, in which our packets would be an error.
//!
//! Under a rate the offer is begun without waiting for the client's identification, from which
//! only our own pace is chosen.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::pace::{Pace, Unit},
    identify::Protocol,
    phases,
    script::{Cx, Heard, Pattern, ReadMode, Run, Step},
    timing,
    wire::{ssh, text},
};

/// See the module.
pub(crate) struct SshTransHold;

phases! {
    enum Phase { Listening, Offering, Ignoring }
}

/// How long the rest of the client's identification line is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Pattern for SshTransHold {
    fn name(&self) -> &'static str {
        "ssh_trans_hold"
    }

    fn summary(&self) -> &'static str {
        "offers a key exchange, then sends packets that clients must ignore, for ever"
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Ssh)
    }

    fn pace(&self, run: &Run) -> Pace {
        // 0 while nothing is known of the client.
        Pace { unit: Unit::Chunk, interval: timing::ssh_interval(run.count) }
    }

    fn greet(&self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> bool {
        text::line(cx.profile.persona.ssh(), out);
        true
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) if cx.profile.rate.is_none() => {
                Step::Wait(cx.later(PATIENCE))
            }
            (Phase::Listening, Heard::Opened | Heard::Silence) => offer(run, cx),
            (Phase::Listening, Heard::Said(said)) => match ssh::identification(said) {
                Some(line) => {
                    run.count = timing::ssh_row(line);
                    offer(run, cx)
                }
                None => Step::Keep,
            },
            (Phase::Offering | Phase::Ignoring, Heard::Sent) => {
                run.enter(Phase::Ignoring);
                Step::DRIP
            }
            _ => Step::Keep,
        }
    }

    fn speak(&self, _run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ssh::ignore(&mut cx.rng, out);
    }
}

/// Sends the offer, and hears no more.
fn offer(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Offering);
    ssh::offer(cx)
}
