//! What the three holds do alike: they greet, wait for the client's identification line, offer to
//! exchange keys, and then send packets that clients must ignore (RFC 4253, sections 4.2 and 11.2).
//!
//! ```text
//!          first bytes match             line whole, or 2 s            sent
//! greeted ──────────────────► Listening ────────────────────► the offer ────► the hold's own
//! ```
//! The identification line and the offer come whole and at once, as from any server: what limits
//! there are in clients end with them. Under a rate the offer is begun without waiting for the
//! client's line, from which only our own pace is chosen.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        fact::Fact,
        pace::{Pace, Unit},
        said::Said,
        time::Wall,
    },
    persona::Persona,
    protocols::ssh::{clients::Client, server},
    script::{Chunk, Cx, Heard, Manner, Step},
    wire::{
        ssh::{self, Malformed},
        text,
    },
};

/// How long the rest of the client's identification line is waited for before keys are offered.
const PATIENCE: Duration = Duration::from_secs(2);

/// What follows upon something heard before keys are offered.
pub(super) enum Next<'a> {
    /// Keys are to be offered, to a client that has said its line or has taken too long.
    Offer(Option<Line<'a>>),
    /// It is too early.
    Step(Step),
}

/// A client's identification line.
pub(super) struct Line<'a> {
    /// The client that calls itself so.
    pub(super) client: Client,
    /// The line without its end.
    pub(super) text: &'a [u8],
    /// Whether it is one. Behind any other line nothing of the client can be understood.
    pub(super) is_genuine: bool,
}

impl Line<'_> {
    /// The client, after the trace has been told what it calls itself.
    pub(super) fn told(&self, cx: &mut Cx<'_>) -> Client {
        cx.learn(Fact::SshIdent, self.text);
        self.client
    }
}

/// The greeting.
pub(super) fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(server::identification(persona), out);
}

/// The pace of packets for a client, which may be unknown.
pub(super) fn pace(client: Option<Client>) -> Pace {
    let limits = client.unwrap_or(Client::UNKNOWN).limits();
    Pace { unit: Unit::Chunk, interval: limits.packets }
}

/// Hears a client to which no keys have been offered yet.
pub(super) fn listen<'a>(heard: Heard<'_, 'a>, cx: &mut Cx<'_>) -> Next<'a> {
    match heard {
        Heard::Opened if cx.profile.rate.is_none() => Next::Step(Step::wait(cx.later(PATIENCE))),
        Heard::Opened | Heard::Silence => Next::Offer(None),
        Heard::Said(said) => {
            if let Some(wait) = wait_before_offer(said).filter(|_| cx.profile.rate.is_none()) {
                // The line stays unread, and is heard behind our offer.
                let due = cx.now.after(cx.rng.jitter(wait));
                return Next::Step(Step::wait(Some(due)));
            }
            match line(said, cx) {
                Some(line) => Next::Offer(Some(line)),
                None => Next::Step(Step::KEEP),
            }
        }
        _ => Next::Step(Step::KEEP),
    }
}

/// How long the client whose line this is waits for our offer, if it is to wait.
fn wait_before_offer(said: &Said<'_>) -> Option<Duration> {
    let line = ssh::identification(&mut Said::new(said.rest(), false))?;
    let wait = Client::of(line).limits().offer;
    (!wait.is_zero() && !said.is_full()).then_some(wait)
}

/// The client's identification line, if it is whole.
pub(super) fn line<'a>(said: &mut Said<'a>, cx: &mut Cx<'_>) -> Option<Line<'a>> {
    let line = ssh::identification(said)?;
    let flaw = ssh::flaw(line);
    if let Some(flaw) = flaw {
        tell(flaw, cx);
    }
    Some(Line { client: Client::of(line), text: ssh::bare(line), is_genuine: flaw.is_none() })
}

/// Tells that the client broke the protocol. Nothing that it sends is heard from now on, so that
/// this is told once.
pub(super) fn tell(malformed: Malformed, cx: &mut Cx<'_>) {
    cx.malformed(Malformed::LAYER, malformed.reason());
}

/// Makes the persona's whole offer, with a new cookie; nothing will come of it.
pub(super) fn offer(cx: &mut Cx<'_>) -> Step {
    let mut cookie = [0; 16];
    cx.entropy.fill(&mut cookie);
    let mut out = Vec::new();
    ssh::offer(cookie, server::offer(&cx.profile.persona), &mut out);
    Step::send(Manner::Prompt, Chunk::Boxed(out.into()))
}
