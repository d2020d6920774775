//! A body that inflates beyond all measure, for clients that accept its coding; a plain page for
//! others.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, EVERY_8_SECONDS, Pace},
    protocols::http::{
        Coding, Cue, PART, Phase, Request, coded_head, converse, head, page, reply, tell,
        tell_more_of, tell_on,
    },
    script::{Cx, Heard, Step, legacy::Registers},
    wire::deflate::Repetition,
};

/// A bomb: what is sent, and what it is called.
pub(crate) struct Bomb {
    pub(crate) coding: Coding,
    /// The coding's name in `Content-Encoding`.
    pub(crate) name: &'static str,
    pub(crate) body: Repetition,
}

impl Bomb {
    /// The pace of a client in this state.
    pub(crate) fn pace(&self, run: &Registers) -> Pace {
        match Phase::of(run) {
            // Byte by byte it would take months to go off.
            Phase::Telling if self.is_taken(run) => EVERY_8_SECONDS,
            _ => BYTE_EVERY_8_SECONDS,
        }
    }

    /// A step of its course.
    pub(crate) fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match converse(run, heard, cx) {
            Cue::HeadSent => tell(run, cx),
            Cue::PartSent | Cue::Silence if self.is_taken(run) => tell_more_of(&self.body, run, cx),
            Cue::PartSent | Cue::Silence => tell_on(run),
            Cue::Step(step) => step,
        }
    }

    /// Appends the chunk that `run` stands for.
    pub(crate) fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match (Phase::of(run), self.is_taken(run)) {
            (Phase::Heading | Phase::Ending, true) => {
                coded_head(self.name, self.body.len(), run, cx, out);
            }
            (Phase::Heading | Phase::Ending, false) => head(run, cx, out),
            (Phase::Telling, true) => self.body.read(run.position, PART, out),
            (Phase::Telling, false) => page(run.position, run, cx, out),
            _ => reply(run, cx, out),
        }
    }

    fn is_taken(&self, run: &Registers) -> bool {
        Request::of(run).accepts(self.coding)
    }
}
