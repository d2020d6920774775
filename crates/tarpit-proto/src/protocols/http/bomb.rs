//! A body that inflates beyond all measure, for clients that accept its coding; a plain page for
//! others.

use alloc::vec::Vec;

use crate::{
    base::pace::{BYTE_EVERY_8_SECONDS, EVERY_8_SECONDS, Pace},
    protocols::http::{
        At, Coding, Cue, Exchange, PART, coded_head, converse, head, page, reply, tell,
        tell_more_of, tell_on,
    },
    script::{Cx, Heard, Step},
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
    pub(crate) fn pace(&self, exchange: &Exchange) -> Pace {
        match exchange.at {
            // Byte by byte it would take months to go off.
            At::Telling { .. } if self.is_taken(exchange) => EVERY_8_SECONDS,
            _ => BYTE_EVERY_8_SECONDS,
        }
    }

    /// A step of its course.
    pub(crate) fn step(
        &self,
        exchange: &mut Exchange,
        heard: Heard<'_, '_>,
        cx: &mut Cx<'_>,
    ) -> Step {
        match converse(exchange, heard, cx) {
            Cue::HeadSent => tell(exchange, 0),
            Cue::PartSent { .. } | Cue::Silence if self.is_taken(exchange) => {
                tell_more_of(&self.body, exchange)
            }
            Cue::PartSent { .. } | Cue::Silence => tell_on(exchange),
            Cue::Step(step) => step,
        }
    }

    /// Appends the chunk that the state stands for.
    pub(crate) fn speak(&self, exchange: &Exchange, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match (&exchange.at, self.is_taken(exchange)) {
            (At::Heading { .. } | At::Ending, true) => {
                coded_head(self.name, self.body.len(), exchange, cx, out);
            }
            (At::Heading { .. } | At::Ending, false) => head(exchange, cx, out),
            (&At::Telling { part }, true) => self.body.read(part, PART, out),
            (&At::Telling { part }, false) => page(part, exchange.request, cx, out),
            _ => reply(exchange, cx, out),
        }
    }

    fn is_taken(&self, exchange: &Exchange) -> bool {
        exchange.request.accepts(self.coding)
    }
}
