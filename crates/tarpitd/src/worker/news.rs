//! What a session tells goes to the worker's record, together with its client's account.

use std::net::SocketAddr;

use tarpit_proto::{
    fact::{Entry, Fact},
    protocols::Protocol,
    session::{Event, News},
};

use crate::{
    admit::{
        access::Access,
        forwarded::{self, Rank},
    },
    report::{record::Record, trace::Subject},
    worker::accounts::Accounts,
};

/// Hears what one session tells.
#[derive(Debug)]
pub(super) struct SessionNews<'a> {
    pub(super) record: &'a mut Record,
    pub(super) accounts: &'a mut Accounts,
    pub(super) about: Subject<'a>,
    /// What the client speaks if its first bytes are those expected.
    pub(super) expected: Option<&'static Protocol>,
    /// Where the client is held.
    pub(super) slot: u32,
    /// Whom the client forwards for.
    pub(super) forwarding: Forwarding<'a>,
}

/// What an HTTP relay says of its client.
#[derive(Debug)]
pub(super) struct Forwarding<'a> {
    pub(super) access: &'a Access,
    /// Who says it.
    pub(super) relay: SocketAddr,
    /// Whether it is a relay whose word counts.
    pub(super) is_trusted: bool,
    /// By which field of this request it has named the client.
    pub(super) rank: Rank,
    /// The client that it named in this turn.
    pub(super) named: Option<SocketAddr>,
}

impl Forwarding<'_> {
    /// Takes note of what the facts of one step name.
    fn note(&mut self, facts: &[Entry]) {
        if !self.is_trusted {
            return;
        }
        for entry in facts {
            let rank = Rank::of(entry.fact);
            if entry.fact == Fact::HttpRequest {
                // Another request, perhaps of another client.
                self.rank = Rank::Nothing;
            } else if rank > Rank::Nothing && rank >= self.rank {
                let named = forwarded::client(entry, |ip| self.access.forwards(ip));
                // A relay that names nobody (`unknown`) has the last word, too: what counts less
                // than its field may be the client's own.
                self.named = Some(named.unwrap_or(self.relay));
                self.rank = rank;
            }
        }
    }
}

impl News for SessionNews<'_> {
    fn tell(&mut self, event: Event<'_>) {
        if let Event::Learnt { facts, .. } = event {
            self.forwarding.note(facts);
            if let Some(client) = self.forwarding.named {
                self.about.via = Some(self.forwarding.relay).filter(|relay| *relay != client);
                self.about.client = client;
            }
        }
        let (about, record) = (self.about, &mut *self.record);
        if let Event::Learnt { facts, .. } = event {
            for entry in facts.iter().filter(|entry| entry.fact == Fact::Protocol) {
                record.identified(&entry.value);
            }
            record.noticed(about.session, facts);
        }
        match event {
            // Without a trace there is nothing that an account could keep short.
            Event::Learnt { facts, untold } if about.traced => {
                if let Some(account) = self.accounts.open(self.slot) {
                    record.learnt(about, account, facts, untold);
                }
            }
            Event::Learnt { .. } => {}
            Event::Malformed { layer, reason } => {
                record.malformed(about, self.accounts.protocol(self.slot), (layer, reason));
            }
            Event::Phrase(phrase) => record.phrase(about, phrase),
            Event::Validated { expected, data, comment } => {
                if let Some(protocol) = self.expected.filter(|_| expected) {
                    record.identified(protocol.name.as_bytes());
                }
                let protocol = self.accounts.protocol(self.slot);
                record.validated(about, protocol, expected, (data, comment));
            }
        }
    }
}
