//! What a session reports about its client.

use crate::base::fact::Entry;

/// Gets the news of sessions.
pub trait News {
    /// Something happened.
    fn tell(&mut self, event: Event<'_>);
}

/// What a session tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Something was learnt of the client: facts that belong together, none of them twice.
    Learnt {
        /// What was learnt; never nothing.
        facts: &'a [Entry],
        /// How many facts of the same step are beyond what one step may tell.
        untold: usize,
    },
    /// The client broke its protocol, after which no more of it is understood. Each layer tells so
    /// at most once a client.
    Malformed {
        /// The protocol that it broke.
        layer: &'static str,
        /// What was wrong, in a few words.
        reason: &'static str,
    },
    /// A phrase was sent that its pattern wants to see in the log.
    Phrase(&'static str),
    /// The client's first bytes were looked at.
    Validated {
        /// Whether they are of the protocol.
        expected: bool,
        /// The first of them, at most [`Event::SHOWN`].
        data: &'a [u8],
        /// Why, or nothing.
        comment: &'static str,
    },
}

impl Event<'_> {
    /// How many of the client's first bytes are told.
    pub const SHOWN: usize = 4;
}
