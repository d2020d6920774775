//! The context of a script: what it may read and use.

use core::time::Duration;

use crate::{
    base::{
        fact::{Fact, Facts},
        handshake_budget::HandshakeBudget,
        rng::{Entropy, Rng},
        ssh_offer::SshOffer,
        time::{Time, Wall},
    },
    script::{Before, Conn, Profile, ReadMode},
};

/// Which protocol a port speaks to a client's network, if the first one decided is to be the only
/// one.
pub trait Pinned {
    /// The protocol for the client's network, if it was decided.
    fn pinned(&mut self, conn: &Conn, now: Time) -> Option<&'static str>;

    /// The protocol for it from now on: `protocol`, unless another one was decided before.
    fn pin(&mut self, conn: &Conn, protocol: &'static str, now: Time) -> &'static str;
}

/// What a script may know and use while it steps or speaks.
pub struct Cx<'a> {
    /// The present.
    pub now: Time,
    /// The same by the calendar; for [`Script::speak`](super::Script::speak) the moment at which
    /// the client connected.
    pub wall: Wall,
    /// The client's own generator, for jitter and filler.
    pub rng: Rng,
    /// The system's randomness, for secrets. Not for
    /// [`Script::speak`](super::Script::speak).
    pub entropy: &'a mut dyn Entropy,
    /// What may be spent at present. Not for [`Script::speak`](super::Script::speak), nor in answer
    /// to [`Heard::Sent`](super::Heard::Sent), which may be heard ahead.
    pub budget: &'a mut HandshakeBudget,
    /// Which protocols were shown to networks.
    pub(crate) pins: &'a mut dyn Pinned,
    /// The listener's settings.
    pub profile: &'a Profile,
    /// The connection's addresses.
    pub conn: &'a Conn,
    /// The present read mode; a [`Step`](super::Step) changes it.
    pub(crate) read_mode: ReadMode,
    /// Whether TLS is beneath the script already.
    pub(crate) secured: bool,
    /// For [`Script::open`](super::Script::open): what the client has behind it.
    pub before: Before,
    /// What this step reports.
    pub(crate) notes: Notes,
}

/// The reports of a step: one of each kind, and some facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) facts: Facts,
    pub(crate) malformed: Option<(&'static str, &'static str)>,
    pub(crate) phrase: Option<&'static str>,
    pub(crate) validated: Option<(bool, &'static str)>,
}

impl Cx<'_> {
    /// Whether the server should offer STARTTLS: there is a certificate, and no TLS yet.
    pub(crate) fn offers_tls(&self) -> bool {
        self.profile.tls.is_some() && !self.secured
    }

    /// Whether a TLS handshake could begin now.
    pub(crate) fn affords_tls(&self) -> bool {
        self.budget.has_room() && self.budget.affords(HandshakeBudget::TLS_COST)
    }

    /// Whether the client may be told that it got in.
    pub(crate) fn poisons(&self) -> bool {
        debug_assert!(self.profile.any_pattern(|it| it.uses().poison), "a pattern hides this");
        self.profile.poison
    }

    /// Whether the owner wants the port to speak one protocol only, if the owner chose.
    pub(crate) fn strict_lock(&self) -> Option<bool> {
        debug_assert!(self.profile.any_pattern(|it| it.uses().pins), "a pattern hides this");
        self.profile.strict_lock
    }

    /// Reports a phrase that was sent to the log.
    pub fn log_phrase(&mut self, phrase: &'static str) {
        self.notes.phrase = Some(phrase);
    }

    /// Reports a fact: the first [`Fact::SHOWN`] bytes of its value, and its length. Facts of one
    /// step are reported together.
    pub fn learn(&mut self, fact: Fact, value: &[u8]) {
        self.learn_part(fact, value, value.len());
    }

    /// Reports a fact of `length` bytes if only the beginning of its value is known.
    pub fn learn_part(&mut self, fact: Fact, beginning: &[u8], length: usize) {
        self.notes.facts.add(fact, beginning, length);
    }

    /// Reports an SSH client's fingerprint, and where it is wanted the offer that it stands for.
    pub(crate) fn learn_hassh(&mut self, hassh: &str, offer: impl FnOnce() -> SshOffer) {
        let offer = self.profile.tells_ssh_offers.then(offer);
        self.notes.facts.add_hassh(hassh, offer);
    }

    /// Reports that the client broke the protocol of this layer, and that nothing after that is
    /// understood. At most once a client.
    pub fn malformed(&mut self, layer: &'static str, reason: &'static str) {
        self.notes.malformed = Some((layer, reason));
    }

    /// Reports whether the client's first bytes, which still wait, are of the protocol.
    pub(crate) fn validated(&mut self, expected: bool, comment: &'static str) {
        self.notes.validated = Some((expected, comment));
    }

    /// The moment `wait` from now, for [`Step::wait`](super::Step::wait).
    pub fn later(&self, wait: Duration) -> Option<Time> {
        Some(self.now.after(wait))
    }
}
