//! One long record, dripped: a `ServerHello` that says something at its beginning, and filler in an
//! extension to its end.

use alloc::vec::Vec;

use crate::{
    base::rng::lasting,
    script::{Chunk, Cx, Heard, Manner, Step},
    states,
    wire::tls::{ClientHello, RECORD_HEADER, long_hello},
};

states! {
    /// Where a client stands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum State {
        /// Its hello is not whole yet.
        #[default]
        Listening,
        /// The part of the record that says something goes out.
        Beginning {
            /// How long that part is.
            length: u16,
        },
        /// Filler goes out, after this many bytes.
        Filling { begun: u16 },
        /// All is said.
        Done,
    }
}

/// A record to be dripped.
pub(crate) struct Drip {
    /// What the record says it holds, in bytes.
    pub(crate) record: u16,
    /// How much of that is kept back for ever.
    pub(crate) withheld: u16,
}

/// The installation's own number below `span`, so that no length is common to all.
pub(crate) fn choice(cx: &Cx<'_>, span: u16) -> u16 {
    /// Whoever sees one choice must not know others that are made by the same number.
    const PLACE: u64 = 0x746C_7300;
    let number = lasting(cx.profile.persona.number(), PLACE, u64::from(span));
    (number % u32::from(span.max(1))) as u16
}

/// How much filler is made at a time.
const FILLER: u16 = 256;

impl Drip {
    /// Sends the part of the record that says something.
    pub(crate) fn begin(&self, hello: &ClientHello, state: &mut State, cx: &mut Cx<'_>) -> Step {
        let mut start = Vec::new();
        long_hello(self.record.into(), hello, cx.entropy, &mut start);
        // A hello's answer is some hundred bytes long.
        *state = State::Beginning { length: start.len() as u16 };
        Step::send(Manner::Prompt, Chunk::Boxed(start.into())).discarding()
    }

    /// Goes on behind what has been sent, and falls silent where nothing is left.
    pub(crate) fn go_on(&self, state: &mut State, heard: &Heard<'_, '_>) -> Step {
        let begun = match (*state, heard) {
            (State::Beginning { length }, Heard::Sent) => length,
            (State::Filling { begun }, Heard::Sent) => begun + self.filler(begun),
            _ => return Step::KEEP,
        };
        if self.filler(begun) == 0 {
            *state = State::Done;
            return Step::REST;
        }
        *state = State::Filling { begun };
        Step::DRIP
    }

    /// Appends the piece of filler that is due.
    pub(crate) fn speak(&self, state: State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        if let State::Filling { begun } = state {
            let mut bytes = [0; FILLER as usize];
            cx.rng.fill(&mut bytes);
            out.extend_from_slice(&bytes[..self.filler(begun).into()]);
        }
    }

    /// The length of the next piece; none at the end.
    fn filler(&self, begun: u16) -> u16 {
        let end = RECORD_HEADER as u16 + self.record - self.withheld;
        end.saturating_sub(begun).min(FILLER)
    }
}
