//! One long record, dripped: a `ServerHello` that says something at its beginning, and filler in an
//! extension to its end.

use alloc::vec::Vec;

use crate::{
    phases,
    script::{Chunk, Cx, Manner, ReadMode, Step, legacy::Registers},
    wire::tls::{ClientHello, RECORD_HEADER, long_hello},
};

phases! {
    /// Where a client stands. [`Registers::position`] is how much of the record has been begun.
    pub(crate) enum Phase { Listening, Beginning, Filling, Done }
}

/// A record to be dripped.
pub(crate) struct Drip {
    /// What the record says it holds, in bytes.
    pub(crate) record: usize,
    /// How much of that is kept back for ever.
    pub(crate) withheld: usize,
}

/// How much filler is made at a time.
const FILLER: usize = 256;

impl Drip {
    /// Sends the part of the record that says something.
    pub(crate) fn begin(&self, hello: &ClientHello, run: &mut Registers, cx: &mut Cx<'_>) -> Step {
        cx.read_mode = ReadMode::Discard;
        run.enter(Phase::Beginning);
        let mut start = Vec::new();
        long_hello(self.record, hello, cx.entropy, &mut start);
        run.position = start.len() as u32;
        Step::send(Manner::Prompt, Chunk::Boxed(start.into()))
    }

    /// Goes on behind what has been sent, and falls silent where nothing is left.
    pub(crate) fn go_on(&self, run: &mut Registers) -> Step {
        if Phase::of(run) == Phase::Beginning {
            run.enter(Phase::Filling);
            return Step::DRIP;
        }
        run.position += self.filler(run) as u32;
        if self.filler(run) > 0 {
            return Step::DRIP;
        }
        run.enter(Phase::Done);
        Step::REST
    }

    /// Appends the piece of filler that is due.
    pub(crate) fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let mut bytes = [0; FILLER];
        cx.rng.fill(&mut bytes);
        out.extend_from_slice(&bytes[..self.filler(run)]);
    }

    /// The length of the next piece; none at the end.
    fn filler(&self, run: &Registers) -> usize {
        let end = RECORD_HEADER + self.record - self.withheld;
        end.saturating_sub(run.position as usize).min(FILLER)
    }
}
