//! The context of a script: what it may read and use.

use core::time::Duration;

use crate::{
    base::{
        fact::{Fact, Facts},
        handshake_budget::HandshakeBudget,
        rng::{Entropy, Rng},
        time::{Time, Wall},
    },
    script::{Before, Conn, Profile, ReadMode},
};

/// Which protocol a port of ours speaks to a client's network, where the first one that was decided
/// is to be the only one.
pub trait Pinned {
    /// What is spoken to the client's network, if that was decided.
    fn pinned(&mut self, conn: &Conn, now: Time) -> Option<&'static str>;

    /// What is spoken there from now on: `protocol`, unless another one was decided before.
    fn pin(&mut self, conn: &Conn, protocol: &'static str, now: Time) -> &'static str;
}

/// What a script may know and use while it steps or speaks.
pub struct Cx<'a> {
    /// The present.
    pub now: Time,
    /// The same by the calendar; for [`Script::speak`](super::Script::speak) the moment at which
    /// the client came.
    pub wall: Wall,
    /// The client's own generator, for jitter and filler.
    pub rng: Rng,
    /// The system's randomness, for what must not be guessed. Not for
    /// [`Script::speak`](super::Script::speak).
    pub entropy: &'a mut dyn Entropy,
    /// What may be spent at present. Not for [`Script::speak`](super::Script::speak), nor in answer
    /// to [`Heard::Sent`], which may be heard ahead.
    pub budget: &'a mut HandshakeBudget,
    /// Which protocols were shown to networks.
    pub(crate) pins: &'a mut dyn Pinned,
    /// The listener's settings.
    pub profile: &'a Profile,
    /// The connection's addresses.
    pub conn: &'a Conn,
    /// What becomes of the client's bytes at present; a [`Step`](super::Step) changes it.
    pub(crate) read_mode: ReadMode,
    /// Whether TLS is beneath the script, so that there can be no more of it.
    pub(crate) secured: bool,
    /// For [`Script::open`](super::Script::open): what the client has behind it.
    pub before: Before,
    /// Things learnt in this step, to be told to the outside.
    pub(crate) notes: Notes,
}

/// What a step may tell of; one of each kind, and some facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) facts: Facts,
    pub(crate) malformed: Option<(&'static str, &'static str)>,
    pub(crate) phrase: Option<&'static str>,
    pub(crate) validated: Option<(bool, &'static str)>,
}

impl Cx<'_> {
    /// Whether a protocol that may be secured midway should say so: there is a certificate, and no
    /// TLS yet.
    pub(crate) fn offers_tls(&self) -> bool {
        self.profile.tls.is_some() && !self.secured
    }

    /// Whether a handshake of TLS could be made now.
    pub(crate) fn affords_tls(&self) -> bool {
        self.budget.has_room() && self.budget.affords(HandshakeBudget::TLS_COST)
    }

    /// Whether the client may be told that it got in.
    pub(crate) fn poisons(&self) -> bool {
        debug_assert!(self.profile.any_pattern(|it| it.uses().poison), "a pattern hides this");
        self.profile.poison
    }

    /// Whether the owner wants the port to speak one protocol only, if anything was said about it.
    pub(crate) fn strict_lock(&self) -> Option<bool> {
        debug_assert!(self.profile.any_pattern(|it| it.uses().pins), "a pattern hides this");
        self.profile.strict_lock
    }

    /// Lets the log have a phrase that was sent.
    pub fn log_phrase(&mut self, phrase: &'static str) {
        self.notes.phrase = Some(phrase);
    }

    /// Tells what was learnt of the client. Of a value [`Fact::SHOWN`] bytes are told, and its
    /// length. What one step learns is told together.
    pub fn learn(&mut self, fact: Fact, value: &[u8]) {
        self.learn_part(fact, value, value.len());
    }

    /// Tells what was learnt of the client where only the beginning of the value is at hand, which
    /// has `length` bytes.
    pub fn learn_part(&mut self, fact: Fact, beginning: &[u8], length: usize) {
        self.notes.facts.add(fact, beginning, length);
    }

    /// Tells that the client broke the protocol of this layer, after which no more of it is
    /// understood. To be told at most once a client.
    pub fn malformed(&mut self, layer: &'static str, reason: &'static str) {
        self.notes.malformed = Some((layer, reason));
    }

    /// Tells whether the client's first bytes, which wait to be heard, are of the protocol.
    pub(crate) fn validated(&mut self, expected: bool, comment: &'static str) {
        self.notes.validated = Some((expected, comment));
    }

    /// The moment `wait` from now, for [`Step::wait`].
    pub fn later(&self, wait: Duration) -> Option<Time> {
        Some(self.now.after(wait))
    }
}
