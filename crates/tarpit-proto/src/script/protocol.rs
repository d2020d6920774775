//! What is known of a protocol: one value, from which everything else derives it.

use alloc::string::String;
use core::fmt;

use super::{KnownClient, KnownClients, Pattern, Words};
use crate::{base::fact::Fact, persona::Persona, wire::sighting::Sighting};

/// A protocol that clients speak to us.
///
/// Two are the same if they are one static.
pub struct Protocol {
    /// Its name in lower case, as the trace has it.
    pub name: &'static str,
    /// What users expect on its ports, by the name under which they know it.
    pub service: &'static str,
    /// Its usual ports, those that need rights first.
    pub ports: &'static [u16],
    /// Other ports on which its clients are expected.
    pub also_on: &'static [u16],
    /// Who speaks first.
    pub first: Side,
    /// Whether a client that is expected to speak it does.
    pub sight: Sight,
    /// The same where other protocols may be spoken, too; `None`: as if it were expected.
    pub among_others: Option<fn(&[u8]) -> Sighting>,
    /// Whether its patterns make sense of any bytes, so that unknown clients may be served by them.
    pub bears_anything: bool,
    /// What clients say first: the whole of it for tests and benchmarks, then other beginnings.
    pub openings: &'static [&'static [u8]],
    /// The line by which a server shows itself before the client has said anything.
    pub greet: Option<Words>,
    /// What a client of another protocol is told.
    pub refuse: Option<Words>,
    /// The server that a persona runs, as it calls itself and as scanners record it; `None` if it
    /// shows none.
    pub plays: Option<fn(&Persona) -> String>,
    /// How to try it from a shell: `{ip}` and `{port}` stand for the address, `{address}` for both.
    pub try_it: &'static str,
    /// What its clients are recorded with and held by, in one line.
    pub reason: &'static str,
    /// What its clients teach the trace.
    pub facts: &'static [Fact],
    /// The clients of it that were tried: by what they are known, and what they bear. Its patterns
    /// choose by these rows.
    pub clients: &'static dyn KnownClients,
    /// Its patterns; the first is served where the owner has named none. Empty: it is told from
    /// others and not held.
    pub patterns: &'static [&'static dyn Pattern],
}

/// One of the two that talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connects.
    Client,
    /// Who is connected to.
    Server,
}

/// How first bytes are looked at.
pub enum Sight {
    /// They tell by themselves.
    Own(fn(&[u8]) -> Sighting),
    /// They tell, or else (`None`) they are of this protocol if they are of no other.
    Rest(fn(&[u8]) -> Option<Sighting>),
}

/// For a protocol none of whose clients differ in what they bear.
pub const NO_CLIENTS: &dyn KnownClients = {
    const NOBODY: &[KnownClient<()>] = &[];
    &NOBODY
};

impl Protocol {
    /// A protocol that is told from others and not held. The server is expected to speak first on
    /// none of its `ports`.
    pub const fn named(
        name: &'static str,
        ports: &'static [u16],
        sight: fn(&[u8]) -> Sighting,
        openings: &'static [&'static [u8]],
    ) -> Self {
        Self {
            name,
            service: name,
            ports,
            also_on: &[],
            first: Side::Client,
            sight: Sight::Own(sight),
            among_others: None,
            bears_anything: false,
            openings,
            greet: None,
            refuse: None,
            plays: None,
            try_it: "",
            reason: "",
            facts: &[],
            clients: NO_CLIENTS,
            patterns: &[],
        }
    }

    /// The pattern that serves its clients where the owner has named none.
    pub fn best(&self) -> Option<&'static dyn Pattern> {
        self.patterns.first().copied()
    }

    /// Whether its clients are expected on this port.
    pub fn is_on(&self, port: u16) -> bool {
        self.ports.contains(&port) || self.also_on.contains(&port)
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Protocol {}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
