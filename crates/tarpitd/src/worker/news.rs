//! What a session tells goes to the worker's record, together with its client's account.

use tarpit_proto::{
    fact::Fact,
    protocols::Protocol,
    session::{Event, News},
};

use crate::{
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
}

impl News for SessionNews<'_> {
    fn tell(&mut self, event: Event<'_>) {
        let (about, record) = (self.about, &mut *self.record);
        if let Event::Learnt { facts, .. } = event {
            for entry in facts.iter().filter(|entry| entry.fact == Fact::Protocol) {
                record.identified(&entry.value);
            }
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
