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
    base::{
        pace::{Pace, Unit},
        time::Wall,
    },
    identify::Protocol,
    persona::Persona,
    phases,
    script::{About, Cx, Heard, ReadMode, Script, Step, legacy::Registers},
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

static ABOUT: About = About {
    protocol: Some(Protocol::Ssh),
    greet: Some(greet),
    ..About::new(
        "ssh_trans_hold",
        "offers a key exchange, then sends packets that clients must ignore, for ever",
    )
};

/// The greeting.
fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(persona.ssh(), out);
}

impl Script for SshTransHold {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, run: &Registers) -> Pace {
        // 0 while nothing is known of the client.
        Pace { unit: Unit::Chunk, interval: timing::ssh_interval(run.count) }
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) if cx.profile.rate.is_none() => {
                Step::wait(cx.later(PATIENCE))
            }
            (Phase::Listening, Heard::Opened | Heard::Silence) => offer(run, cx),
            (Phase::Listening, Heard::Said(said)) => match ssh::identification(said) {
                Some(line) => {
                    run.count = timing::ssh_row(line);
                    offer(run, cx)
                }
                None => Step::KEEP,
            },
            (Phase::Offering | Phase::Ignoring, Heard::Sent) => {
                run.enter(Phase::Ignoring);
                Step::DRIP
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ssh::ignore(&mut cx.rng, out);
    }
}

/// Sends the offer, and hears no more.
fn offer(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Offering);
    super::offer(cx)
}
