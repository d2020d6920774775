//! What the three holds do alike: they greet, wait for the client's identification line and offer,
//! offer to exchange keys themselves, and then send packets that clients must ignore (RFC 4253,
//! sections 4.2 and 11.2).
//!
//! ```text
//!     first bytes match               line             offer, or 0.3 s          sent
//! greeted ────► Listening, for a line ────► for an offer ────► our offer ────► the hold's own
//!                        └─────────────── 2 s ──────────────────┘
//! ```
//! The identification line comes whole and at once, and so does the offer behind the client's: what
//! limits there are in clients end with them. A client that waits for our offer before it makes its
//! own gets it a moment later. Under a rate the offer is begun without waiting for the client's line,
//! from which only our own pace is chosen.

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
    protocols::ssh::{clients::Client, names::ended_for, server},
    script::{Chunk, Cx, Heard, Manner, Step},
    states,
    wire::{
        ssh::{self, ClientOffer, Lists, Malformed, Plain},
        text,
    },
};

/// How long the rest of the client's identification line is waited for before keys are offered.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the client's offer is waited for behind its line: 300 ms with the jitter. Nearly all
/// clients send both together.
const OFFER_PATIENCE: Duration = Duration::from_millis(270);

/// The most milliseconds by which an offer is later than the table of clients has it: the same wait
/// for everybody would be a mark.
const LATENESS: u32 = 300;

states! {
    /// What of a client is awaited before keys are offered to it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Awaited {
        Line,
        Offer,
    }
}

/// What follows upon something heard before keys are offered.
pub(super) enum Next<'a> {
    /// Keys are to be offered, to a client that has said its line or has taken too long.
    Offer(Option<Line<'a>>),
    /// It is too early.
    Step(Step),
    /// Keys are offered with this step, and nothing can come of it. The client is heard no more.
    VainOffer(Line<'a>, Step),
}

/// A client's identification line.
pub(super) struct Line<'a> {
    /// The client that calls itself so.
    pub(super) client: Client,
    /// The line without its end.
    pub(super) text: &'a [u8],
    /// Whether it is one. Behind any other line nothing of the client can be understood.
    pub(super) is_genuine: bool,
    /// The offer behind it, if nothing of that is heard again.
    offer: Option<ClientOffer<'a>>,
}

impl Line<'_> {
    /// The client, after the trace has been told what it calls itself.
    pub(super) fn told(&self, cx: &mut Cx<'_>) -> Client {
        cx.learn(Fact::SshIdent, self.text);
        if let Some(offer) = &self.offer {
            learn(offer, cx);
        }
        self.client
    }
}

/// What stands behind a client's line.
pub(super) enum Behind<'a> {
    Broken(Malformed),
    Incomplete,
    Offer(ClientOffer<'a>),
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
pub(super) fn listen<'a>(heard: Heard<'_, 'a>, awaited: &mut Awaited, cx: &mut Cx<'_>) -> Next<'a> {
    match heard {
        Heard::Opened if cx.profile.rate.is_none() => Next::Step(Step::wait(cx.later(PATIENCE))),
        // What was said so far stays unread, and is heard behind our offer.
        Heard::Opened | Heard::Silence => Next::Offer(None),
        Heard::Said(said) => read(said, awaited, cx),
        _ => Next::Step(Step::KEEP),
    }
}

/// Reads the client's line, once it is known what stands behind it.
fn read<'a>(said: &mut Said<'a>, awaited: &mut Awaited, cx: &mut Cx<'_>) -> Next<'a> {
    let mut ahead = Said::new(said.rest(), said.is_full());
    let Some(identification) = ssh::identification(&mut ahead) else {
        return Next::Step(Step::KEEP);
    };
    let mut lists = server::lists(cx.profile);
    let mut vain = None;
    if ssh::flaw(identification).is_none() {
        let behind = client_offer(&mut ahead);
        let late = Client::of(identification).limits().offer;
        let is_early = !late.is_zero() || matches!(behind, Behind::Incomplete);
        if is_early && !said.is_full() {
            if *awaited == Awaited::Offer {
                return Next::Step(Step::KEEP);
            }
            *awaited = Awaited::Offer;
            let wait = if late.is_zero() {
                cx.rng.jitter(OFFER_PATIENCE)
            } else {
                late + Duration::from_millis(cx.rng.below(LATENESS).into())
            };
            return Next::Step(Step::wait(cx.later(wait)));
        }
        if let Behind::Offer(theirs) = behind
            && let Some(ended) = ended_for(&theirs, &lists)
        {
            lists = ended;
            vain = Some(theirs);
        }
    }
    match line(said, cx) {
        None => Next::Step(Step::KEEP),
        Some(line) if line.is_genuine && vain.is_none() => Next::Offer(Some(line)),
        Some(line) => Next::VainOffer(Line { offer: vain, ..line }, offer(&lists, cx).discarding()),
    }
}

/// Takes what stands behind the client's line, up to its offer. A packet to be ignored may stand
/// before that.
pub(super) fn client_offer<'a>(said: &mut Said<'a>) -> Behind<'a> {
    loop {
        match ssh::plain(said) {
            Plain::Incomplete => return Behind::Incomplete,
            Plain::Broken(malformed) => return Behind::Broken(malformed),
            Plain::Payload(payload) if payload[0] == ssh::MSG_KEXINIT => {
                let offer = ClientOffer::read(payload);
                return offer.map_or(Behind::Broken(Malformed::Offer), Behind::Offer);
            }
            Plain::Payload(_) => {}
        }
    }
}

/// The client's identification line, if it is whole.
pub(super) fn line<'a>(said: &mut Said<'a>, cx: &mut Cx<'_>) -> Option<Line<'a>> {
    let line = ssh::identification(said)?;
    let flaw = ssh::flaw(line);
    if let Some(flaw) = flaw {
        tell(flaw, cx);
    }
    let (client, text) = (Client::of(line), ssh::bare(line));
    Some(Line { client, text, is_genuine: flaw.is_none(), offer: None })
}

/// Tells by what a client that makes this offer is known again.
pub(super) fn learn(offer: &ClientOffer<'_>, cx: &mut Cx<'_>) {
    cx.learn_hassh(&offer.hassh(), || offer.copied());
}

/// Tells that the client broke the protocol. Nothing that it sends is heard from now on, so that
/// this is told once.
pub(super) fn tell(malformed: Malformed, cx: &mut Cx<'_>) {
    cx.malformed(Malformed::LAYER, malformed.reason());
}

/// Makes an offer of these lists, with a new cookie; nothing will come of it.
pub(super) fn offer(lists: &Lists, cx: &mut Cx<'_>) -> Step {
    let mut cookie = [0; 16];
    cx.entropy.fill(&mut cookie);
    let mut out = Vec::new();
    ssh::offer(cookie, lists, &mut out);
    Step::send(Manner::Prompt, Chunk::Boxed(out.into()))
}
