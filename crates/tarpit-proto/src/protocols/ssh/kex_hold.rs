//! `ssh_kex_hold`: an SSH server that offers to exchange keys, hears what the client offers, and
//! never goes on (RFC 4253, sections 7 and 11.2).
//!
//! ```text
//!          first bytes match             line whole, or 2 s            sent
//! greeted ──────────────────► Listening ────────────────────► Offering ────► Holding ─┐
//!                                                                               ▲     │ a packet
//!                                                                               └─────┘ to ignore
//! ```
//! Nothing is computed, so the whole list of the persona's release is offered. Most clients wait
//! for the next step of a key exchange without a limit of their own; the others get packets that
//! they must ignore, as often as `timing.rs` says.
//!
//! `ssh_trans_hold` does the same to a client, and hears no more of it than its identification
//! line: it is what users of other tarpits expect under that name. This one tells who the client
//! is: the line, and the fingerprint of its offer.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        fact::Fact,
        pace::{Pace, Unit},
        said::Said,
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
pub(crate) struct SshKexHold;

phases! {
    enum Phase { Listening, Offering, Holding }
}

/// How long the rest of the client's identification line is waited for before keys are offered.
const PATIENCE: Duration = Duration::from_secs(2);

static ABOUT: About = About {
    protocol: Some(Protocol::Ssh),
    greet: Some(greet),
    ..About::new(
        "ssh_kex_hold",
        "offers a key exchange, records the client's fingerprint, and never goes on",
    )
};

/// The greeting.
fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(persona.ssh(), out);
}

impl Script for SshKexHold {
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
            (Phase::Listening, Heard::Said(said)) => {
                if introduce(run, said, cx) {
                    offer(run, cx)
                } else {
                    Step::KEEP
                }
            }
            (Phase::Offering | Phase::Holding, Heard::Sent) => {
                run.enter(Phase::Holding);
                Step::DRIP
            }
            (Phase::Holding, Heard::Said(said)) => {
                if introduce(run, said, cx) {
                    hear_offer(said, cx);
                }
                Step::KEEP
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        ssh::ignore(&mut cx.rng, out);
    }
}

/// Whether the client has told its name, which is its identification line; now or before.
fn introduce(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> bool {
    if run.count == 0 {
        let Some(line) = ssh::identification(said) else { return false };
        cx.learn(Fact::SshIdent, ssh::bare(line));
        run.count = timing::ssh_row(line);
    }
    true
}

/// Sends our offer.
fn offer(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    run.enter(Phase::Offering);
    super::offer(cx)
}

/// Hears the client's offer, and nothing after it. A packet to be ignored may stand before it.
fn hear_offer(said: &mut Said<'_>, cx: &mut Cx<'_>) {
    loop {
        let payload = match ssh::plain(said) {
            ssh::Plain::Incomplete => return,
            ssh::Plain::Broken => break,
            ssh::Plain::Payload(payload) => payload,
        };
        if let Some(offer) = ssh::ClientOffer::read(payload) {
            cx.learn(Fact::SshHassh, offer.hassh().as_bytes());
            break;
        }
    }
    said.take_all();
    cx.read_mode = ReadMode::Discard;
}
