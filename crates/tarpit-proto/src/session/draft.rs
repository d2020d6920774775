//! The bytes of one transmission: made from the script's state, asked ahead under a rate.

use alloc::vec::Vec;

use super::Doing;
use super::{
    World,
    turn::{Turn, cx, wall_before},
};
use crate::{
    base::{
        handshake_budget::HandshakeBudget,
        pace::{Pace, Unit},
        rng::{Entropy, Purpose},
        time::Time,
    },
    script::{
        Action, Before, Chunk, Conn, Cx, Heard, MAX_CHUNK, Manner, Notes, Pinned, ReadMode, Run,
        Step,
    },
    transport::LONGEST_SAID,
};

/// Bytes on their way out, lent by the caller; one serves all sessions of a worker.
#[derive(Debug, Default)]
pub struct Draft {
    pub(super) bytes: Vec<u8>,
    /// The chunk being made.
    chunk: Vec<u8>,
    /// Where in `bytes` a chunk ends, and what follows it.
    pub(super) marks: Vec<Mark>,
    /// Whether `bytes` end with a chunk whose successor has not been asked for.
    pub(super) complete: bool,
    pub(super) form: Form,
    /// The pattern's own pace for the chunk that `bytes` begin in.
    pub(super) pace: Pace,
}

impl Draft {
    /// What is to be sent, after [`Output::Transmit`](crate::session::Output::Transmit).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What a draft keeps room for: short words in bytes, and marks.
    const SHORT: usize = 256;
    const FEW: usize = 1;

    /// A draft that has room for short words from the start.
    pub fn small() -> Self {
        Self {
            bytes: Vec::with_capacity(Self::SHORT),
            chunk: Vec::with_capacity(Self::SHORT),
            marks: Vec::with_capacity(Self::FEW),
            ..Self::default()
        }
    }

    /// Gives back what more than short words took, so that many drafts can be kept.
    pub fn trim(&mut self) {
        self.bytes.clear();
        self.chunk.clear();
        self.marks.clear();
        self.bytes.shrink_to(Self::SHORT);
        self.chunk.shrink_to(Self::SHORT);
        self.marks.shrink_to(Self::FEW);
    }
}

/// What the bytes of a draft are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Form {
    /// What is said.
    #[default]
    Plain,
    /// What the transport owes.
    Owed,
    /// A record with this many bytes of text.
    Sealed(usize),
}

/// The state of a script once the bytes up to `end` have gone out.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) end: usize,
    pub(super) run: Run,
    pub(super) step: Step,
    pub(super) read_mode: ReadMode,
    pub(super) notes: Notes,
}

/// The most that one transmission holds, in bytes. More is sent in several.
const MAX_DRAFT: usize = 16 * 1024;

/// The most chunks that one transmission holds.
const MAX_MARKS: usize = 1_024;

impl Turn<'_, '_> {
    /// Makes the bytes that go out now, at most `allowance`; says whether there are any.
    ///
    /// Under a rate that allows more than the present chunk, the script is asked ahead for the
    /// chunks that follow, and its state after each is marked, so that many short lines go out in
    /// one transmission. Nothing of that counts until [`super::Input::Wrote`] tells how far it went.
    pub(super) fn draft(&mut self, allowance: usize, draft: &mut Draft) -> bool {
        let most = if self.live.transport.is_some() { LONGEST_SAID } else { MAX_DRAFT };
        draft.bytes.clear();
        draft.marks.clear();
        let start = self.sent() - u64::from(self.live.offset);
        let mut run = core::mem::take(&mut self.live.run);
        draft.pace = self.render(start, &mut run, draft);
        self.live.run = run;
        let limit = match draft.pace.unit {
            Unit::Byte if self.keeps_own_pace() => 1,
            Unit::Byte | Unit::Chunk => allowance.min(most),
        };
        let offset = usize::from(self.live.offset).min(draft.chunk.len());
        draft.complete = append(draft, offset, limit);
        if draft.bytes.is_empty() {
            debug_assert!(false, "{} has nothing to say", self.pattern().name());
            self.live.doing = Doing::Resting;
            return false;
        }
        if self.world.profile.rate.is_some() && !self.live.doing.states() {
            self.draft_ahead(limit, draft);
        }
        draft.form = Form::Plain;
        if let Some(transport) = &self.live.transport {
            draft.form = Form::Sealed(draft.bytes.len());
            transport.seal(&mut draft.bytes);
        }
        true
    }

    fn draft_ahead(&mut self, limit: usize, draft: &mut Draft) {
        if self.live.boxed.is_some() {
            // It would be rendered again in place of what follows it.
            return;
        }
        let first = self.live.run.copy();
        let Some(mut run) = first else { return };
        let mut read_mode = self.live.read_mode;
        while draft.complete && draft.bytes.len() < limit && draft.marks.len() < MAX_MARKS {
            let sent = self.sent() + draft.bytes.len() as u64;
            let rng = self.rng(Purpose::Step, sent);
            let pattern = self.pattern();
            let secured = self.live.transport.is_some();
            let mut cx = cx(self.world, self.now, rng, read_mode, secured);
            let step = pattern.step(&mut run, Heard::Sent, &mut cx);
            let notes = cx.notes;
            read_mode = step.read_mode.unwrap_or(read_mode);
            let Some(marked) = run.copy() else { return };
            let goes_on = matches!(
                step.action,
                Action::Send(Manner::Drip | Manner::Prompt, Chunk::Spoken)
            )
                // A pattern that begins to listen first hears what waits.
                && (!matches!(read_mode, ReadMode::Deliver | ReadMode::Ended) || self.live.inbox.is_empty());
            draft.marks.push(Mark { end: draft.bytes.len(), run: marked, step, read_mode, notes });
            draft.complete = false;
            if goes_on {
                self.render(sent, &mut run, draft);
                draft.complete = append(draft, 0, limit);
            }
        }
    }

    /// Makes the chunk that `run` stands for and that begins after `start` bytes, and says at which
    /// pace it goes.
    fn render(&self, start: u64, run: &mut Run, draft: &mut Draft) -> Pace {
        draft.chunk.clear();
        if let Some(boxed) = &self.live.boxed {
            draft.chunk.extend_from_slice(boxed);
            return self.pattern().pace(run);
        }
        let rng = self.rng(Purpose::Chunk, start);
        // The system's randomness is not for chunks, which must come out the same again.
        let mut nothing = NoEntropy;
        let mut none = HandshakeBudget::new(1, self.now);
        let mut no_pins = NoPins;
        // The same at every attempt, also by the clock of another daemon.
        let held = self.session.held(self.now);
        let World { profile, conn, start, .. } = *self.world;
        let mut cx = Cx {
            now: self.now,
            wall: wall_before(start, self.now, held),
            rng,
            entropy: &mut nothing,
            budget: &mut none,
            pins: &mut no_pins,
            profile,
            conn,
            read_mode: self.live.read_mode,
            secured: self.live.transport.is_some(),
            before: Before::NOTHING,
            notes: Notes::default(),
        };
        let pace = self.pattern().speak(run, &mut cx, &mut draft.chunk);
        debug_assert!(draft.chunk.len() <= MAX_CHUNK, "a chunk beyond its bound");
        draft.chunk.truncate(MAX_CHUNK);
        pace
    }
}

/// Appends the chunk from `offset` on, up to the draft's `limit`; says whether to its end.
fn append(draft: &mut Draft, offset: usize, limit: usize) -> bool {
    let rest = &draft.chunk[offset..];
    let part = &rest[..rest.len().min(limit - draft.bytes.len())];
    draft.bytes.extend_from_slice(part);
    part.len() == rest.len() && !rest.is_empty()
}

/// Stands in where nothing is decided for a network.
struct NoPins;

impl Pinned for NoPins {
    fn pinned(&mut self, _conn: &Conn, _now: Time) -> Option<&'static str> {
        None
    }

    fn pin(&mut self, _conn: &Conn, protocol: &'static str, _now: Time) -> &'static str {
        debug_assert!(false, "a chunk decides nothing");
        protocol
    }
}

/// Stands in where no randomness of the system's may be used.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&mut self, _out: &mut [u8]) {
        debug_assert!(false, "a chunk cannot be made again from randomness that is new each time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_that_held_long_words_keeps_room_for_short_ones_only() {
        let room = |draft: &Draft| {
            (draft.bytes.capacity(), draft.chunk.capacity(), draft.marks.capacity())
        };
        let mut draft = Draft::small();
        let small = room(&draft);
        draft.bytes.resize(MAX_DRAFT, b'x');
        draft.chunk.resize(MAX_DRAFT, b'x');
        draft.marks.reserve(MAX_MARKS);
        draft.trim();
        assert_eq!((room(&draft), draft.bytes()), (small, &[][..]));
    }
}
