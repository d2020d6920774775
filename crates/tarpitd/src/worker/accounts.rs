//! The clients' accounts of facts, found by the index of a client's slot.
//!
//! A slot has no room to spare, and with some patterns most clients never have a fact. So a
//! separate table leads from slots to accounts, with four bytes each, in pieces that are made when
//! the first of their clients needs one.

use std::num::NonZeroU32;

use tarpit_proto::account::Account;

use crate::slab::Slab;

/// A worker's accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    all: Slab<Account>,
    /// Where the account of a slot is, if it has one.
    places: Vec<Option<Box<[Option<AccountIndex>; SLOTS_TOGETHER]>>>,
}

/// How many slots share one piece of the table.
const SLOTS_TOGETHER: usize = 128;

/// An index in the slab plus one, so that "none" takes no room.
#[derive(Clone, Copy, Debug)]
struct AccountIndex(NonZeroU32);

impl AccountIndex {
    fn of(index: u32) -> Option<Self> {
        NonZeroU32::new(index.wrapping_add(1)).map(Self)
    }

    fn index(self) -> u32 {
        self.0.get() - 1
    }
}

impl Accounts {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { all: Slab::new(), places: Vec::new() }
    }

    /// The account of the client in `slot`, opened if there is none; `None` where there are more
    /// than can be numbered.
    pub(super) fn open(&mut self, slot: u32) -> Option<&mut Account> {
        let (piece, at) = split(slot);
        if piece >= self.places.len() {
            self.places.resize_with(piece + 1, || None);
        }
        let places = self.places[piece].get_or_insert_with(|| Box::new([None; SLOTS_TOGETHER]));
        if places[at].is_none() {
            places[at] = AccountIndex::of(self.all.insert(Account::new()));
        }
        self.all.get_mut(places[at]?.index())
    }

    /// The account of the client in `slot`, if there is one.
    pub(super) fn get(&self, slot: u32) -> Option<&Account> {
        let (piece, at) = split(slot);
        let place = self.places.get(piece)?.as_ref()?[at];
        self.all.get(place?.index())
    }

    /// Closes the account of the client in `slot`, who is gone.
    pub(super) fn close(&mut self, slot: u32) -> Option<Account> {
        let (piece, at) = split(slot);
        let place = self.places.get_mut(piece)?.as_mut()?[at].take();
        self.all.remove(place?.index())
    }

    /// What the client in `slot` is known to speak, where that had to be found out.
    pub(super) fn protocol(&self, slot: u32) -> Option<&'static str> {
        self.get(slot)?.protocol()
    }
}

fn split(slot: u32) -> (usize, usize) {
    (slot as usize / SLOTS_TOGETHER, slot as usize % SLOTS_TOGETHER)
}

#[cfg(test)]
mod tests {
    use tarpit_proto::{
        fact::{Entry, Fact},
        time::Time,
    };

    use super::*;
    use crate::os::entropy::Keyed;

    #[test]
    fn an_account_is_its_slots_until_it_is_closed() {
        let (mut accounts, keys) = (Accounts::new(), Keyed::default());
        let learn = |accounts: &mut Accounts, slot: u32, name: &str| {
            let fact = Entry::whole(Fact::Protocol, name.into());
            accounts.open(slot).unwrap().enter(&[fact], 0, Time::START, &keys);
        };
        for (slot, name) in [(700, "ssh"), (3, "http"), (701, "smtp")] {
            assert_eq!(accounts.protocol(slot), None);
            learn(&mut accounts, slot, name);
        }
        assert_eq!(accounts.protocol(700), Some("ssh"));
        assert_eq!(accounts.close(700).unwrap().protocol(), Some("ssh"));
        assert!(accounts.close(700).is_none());
        learn(&mut accounts, 4, "ftp");
        for (slot, wanted) in
            [(3, Some("http")), (4, Some("ftp")), (700, None), (701, Some("smtp"))]
        {
            assert_eq!(accounts.protocol(slot), wanted);
        }
    }
}
