//! What a session reports about its client.

use crate::base::fact::Entry;

/// Gets the news of sessions.
pub trait News {
    /// Something happened.
    fn tell(&mut self, event: Event<'_>);
}

/// What a session reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Something was learnt of the client: facts that belong together, none of them twice.
    Learnt {
        /// What was learnt; never nothing.
        facts: &'a [Entry],
        /// How many more facts the same step had than one step may report.
        untold: usize,
    },
    /// The client broke its protocol, and nothing after that is understood. Each layer reports it
    /// at most once a client.
    Malformed {
        /// The protocol that it broke.
        layer: &'static str,
        /// What was wrong, in a few words.
        reason: &'static str,
    },
    /// A phrase was sent that the pattern wants in the log.
    Phrase(&'static str),
    /// The client's first bytes were checked.
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
    /// How many of the client's first bytes are reported.
    pub const SHOWN: usize = 4;
}
