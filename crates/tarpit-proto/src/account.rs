//! A client's account of facts, so that no fact is written twice and no client fills the disk.
//!
//! All facts of all protocols pass through it. It decides which facts of an event are written, and
//! counts the others: guesses that were written already, and facts beyond the bound of a
//! connection.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash as _, Hasher as _};

use crate::{
    base::{
        fact::{Entry, Fact},
        state::{Saved as _, load_name, save_name},
        time::Time,
    },
    protocols,
};

/// An account of one client's facts, made at its first fact.
#[derive(Debug)]
pub struct Account {
    /// Keyed hashes of the last guesses that were written, the newest first.
    guesses: [Mark; GUESSES],
    /// The user's name that was written last, for protocols that send name and secret separately.
    user: u32,
    /// What was written last that is not a guess.
    beside: u32,
    /// The second at which the bucket of events would be full again.
    full_at: u32,
    repeats: u32,
    untold: u32,
    protocol: Seen,
}

const _: () = assert!(size_of::<Option<Account>>() <= 48, "an account is at most 48 bytes");

/// The form of saved accounts; another form has another number.
const FORMAT: u8 = 1;

/// How many guesses are remembered.
const GUESSES: usize = 4;

/// The part of a keyed hash that is kept: enough that no two guesses share it by chance.
type Mark = [u8; 6];

/// The client's protocol, on a port for several.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Nothing,
    /// The protocol with this number in the table of those that first bytes show.
    Numbered(u8),
    /// First bytes of no protocol.
    Unknown,
}

/// Which part of an event to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All of it.
    All,
    /// All but the guess in it, which was written before.
    Beside,
    /// Nothing.
    Nothing,
}

impl Account {
    /// The most events of a connection at once.
    pub const BURST: u32 = 32;

    /// After these, one event in this many seconds.
    pub const INTERVAL: u32 = 30;

    /// An empty account.
    pub fn new() -> Self {
        Self {
            guesses: [[0; 6]; GUESSES],
            user: 0,
            beside: 0,
            full_at: 0,
            repeats: 0,
            untold: 0,
            protocol: Seen::Nothing,
        }
    }

    /// Enters an event of `facts`; `untold` more were learnt with them. Says which part to write at
    /// `now`. The hashes of one account must always have the same keys.
    pub fn enter(
        &mut self,
        facts: &[Entry],
        untold: usize,
        now: Time,
        keys: &impl BuildHasher,
    ) -> Told {
        self.leave_untold(untold);
        for entry in facts.iter().filter(|entry| entry.fact == Fact::Protocol) {
            self.protocol = Seen::named(&entry.value);
        }
        let hash = |of: fn(Fact) -> bool, salt: u32| {
            let chosen = facts.iter().filter(|entry| of(entry.fact));
            hash_of(chosen, salt, keys)
        };
        let has = |of: fn(Fact) -> bool| facts.iter().any(|entry| of(entry.fact));
        let is_beside = |fact: Fact| !fact.is_of_guess() && fact != Fact::Protocol;
        let (guess, beside) =
            (hash(Fact::is_of_guess, self.claimed(facts)), low(hash(is_beside, 0)));
        let (proves, names, more) = (has(Fact::proves), has(Fact::is_of_guess), has(is_beside));
        let told = match (proves, names) {
            (true, _) if self.guesses.contains(&mark(guess)) => {
                self.repeats = self.repeats.saturating_add(1);
                if more && beside != self.beside { Told::Beside } else { Told::Nothing }
            }
            // A name is written again only after another one.
            (false, true) if low(guess) == self.user && !more => Told::Nothing,
            (false, false) if !more => Told::Nothing,
            _ => Told::All,
        };
        if told == Told::Nothing {
            return told;
        }
        if !self.affords(now) {
            self.leave_untold(facts.iter().filter(|entry| entry.fact != Fact::Protocol).count());
            return Told::Nothing;
        }
        if more {
            self.beside = beside;
        }
        match (told, proves, names) {
            (Told::All, true, _) => {
                self.guesses.rotate_right(1);
                self.guesses[0] = mark(guess);
            }
            (Told::All, false, true) => self.user = low(guess),
            _ => {}
        }
        told
    }

    /// Guesses that were not written again.
    pub fn repeats(&self) -> u32 {
        self.repeats
    }

    /// Facts beyond the bound of a connection.
    pub fn untold(&self) -> u32 {
        self.untold
    }

    /// The client's protocol, if it had to be found out; `unknown` for a protocol without a name
    /// here.
    pub fn protocol(&self) -> Option<&'static str> {
        match self.protocol {
            Seen::Nothing => None,
            Seen::Numbered(number) => protocols::at(number).map(|protocol| protocol.name),
            Seen::Unknown => Some(UNKNOWN),
        }
    }

    /// Saves it for a hand-over to a daemon with the same clock and the same keys, for
    /// [`Account::load`].
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        FORMAT.save(&mut out);
        self.guesses.concat().save(&mut out);
        for number in [self.user, self.beside, self.full_at, self.repeats, self.untold] {
            number.save(&mut out);
        }
        save_name(self.protocol().unwrap_or_default(), &mut out);
        out
    }

    /// The account that [`Account::save`] wrote; `None`: it is not valid. A protocol that this
    /// binary does not know is `unknown`.
    pub fn load(mut saved: &[u8]) -> Option<Self> {
        let saved = &mut saved;
        if u8::load(saved)? != FORMAT {
            return None;
        }
        let mut guesses = [[0; 6]; GUESSES];
        let marks: Vec<u8> = Vec::load(saved)?;
        if marks.len() != guesses.as_flattened().len() {
            return None;
        }
        guesses.as_flattened_mut().copy_from_slice(&marks);
        let mut account = Self { guesses, ..Self::new() };
        for number in [
            &mut account.user,
            &mut account.beside,
            &mut account.full_at,
            &mut account.repeats,
            &mut account.untold,
        ] {
            *number = u32::load(saved)?;
        }
        let name = load_name(saved)?;
        if !name.is_empty() {
            account.protocol = Seen::named(name.as_bytes());
        }
        saved.is_empty().then_some(account)
    }

    /// Takes an event's token out of the bucket, if there is one.
    fn affords(&mut self, now: Time) -> bool {
        let now = u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX);
        let full_at = self.full_at.max(now).saturating_add(Self::INTERVAL);
        let affords = full_at - now <= Self::BURST * Self::INTERVAL;
        if affords {
            self.full_at = full_at;
        }
        affords
    }

    /// The user to which a secret belongs that came without a name.
    fn claimed(&self, facts: &[Entry]) -> u32 {
        if facts.iter().any(|entry| entry.fact == Fact::User) { 0 } else { self.user }
    }

    fn leave_untold(&mut self, facts: usize) {
        let facts = u32::try_from(facts).unwrap_or(u32::MAX);
        self.untold = self.untold.saturating_add(facts);
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of what has none.
const UNKNOWN: &str = "unknown";

impl Seen {
    fn named(name: &[u8]) -> Self {
        let protocol = core::str::from_utf8(name).ok().and_then(protocols::named);
        protocol.map_or(Self::Unknown, |protocol| Self::Numbered(protocols::place(protocol)))
    }
}

/// A keyed hash over facts, and over `salt`.
fn hash_of<'a>(facts: impl Iterator<Item = &'a Entry>, salt: u32, keys: &impl BuildHasher) -> u64 {
    let mut hasher = keys.build_hasher();
    salt.hash(&mut hasher);
    for Entry { fact, value, length, .. } in facts {
        (fact, value, length).hash(&mut hasher);
    }
    hasher.finish()
}

fn mark(hash: u64) -> Mark {
    let [mark @ .., _, _] = hash.to_be_bytes();
    mark
}

/// The low 32 bits.
fn low(hash: u64) -> u32 {
    (hash & 0xFFFF_FFFF) as u32
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec::Vec;
    use std::hash::RandomState;

    use super::*;

    /// An account with its keys, and what it says of events in turn.
    struct Book(Account, RandomState, Time);

    impl Book {
        fn new() -> Self {
            Self(Account::new(), RandomState::new(), Time::from_millis(5_000))
        }

        fn enter(&mut self, facts: &[(Fact, &str)]) -> Told {
            let entry =
                |&(fact, value): &(Fact, &str)| Entry::whole(fact, value.as_bytes().to_vec());
            let facts: Vec<_> = facts.iter().map(entry).collect();
            self.0.enter(&facts, 0, self.2, &self.1)
        }

        fn counts(&self) -> (u32, u32) {
            (self.0.repeats(), self.0.untold())
        }
    }

    const USER: Fact = Fact::User;
    const SECRET: Fact = Fact::Secret;
    const METHOD: Fact = Fact::Method;

    #[test]
    fn a_guess_is_told_once_as_long_as_it_is_among_the_last_four() {
        let mut book = Book::new();
        for round in 0..9 {
            let told = book.enter(&[(USER, "root"), (SECRET, "toor"), (METHOD, "plain")]);
            assert_eq!(told == Told::All, round == 0);
        }
        assert_eq!(book.counts(), (8, 0));
        // The same by another method, or of another name, is another guess.
        assert_eq!(book.enter(&[(USER, "root"), (SECRET, "toor"), (METHOD, "login")]), Told::All);
        assert_eq!(book.enter(&[(USER, "admin"), (SECRET, "toor"), (METHOD, "plain")]), Told::All);
        assert_eq!(book.enter(&[(USER, "roott"), (SECRET, "oor"), (METHOD, "plain")]), Told::All);
        assert_eq!(
            book.enter(&[(USER, "root"), (SECRET, "toor"), (METHOD, "plain")]),
            Told::Nothing
        );
        assert_eq!(book.enter(&[(USER, "a"), (SECRET, "b")]), Told::All);
        assert_eq!(book.enter(&[(USER, "root"), (SECRET, "toor"), (METHOD, "plain")]), Told::All);
        assert_eq!(book.counts(), (9, 0));
    }

    #[test]
    fn a_secret_behind_its_name_is_compared_with_it() {
        let mut book = Book::new();
        for (name, secret, told) in [
            ("root", "a", [Told::All, Told::All]),
            ("root", "b", [Told::Nothing, Told::All]),
            ("root", "a", [Told::Nothing, Told::Nothing]),
            // Who reads the trace must see whose secret it is.
            ("admin", "a", [Told::All, Told::All]),
            ("root", "a", [Told::All, Told::Nothing]),
        ] {
            let got = [book.enter(&[(USER, name)]), book.enter(&[(SECRET, secret)])];
            assert_eq!(got, told, "{name} {secret}");
        }
        assert_eq!(book.counts(), (2, 0));
    }

    #[test]
    fn a_guess_that_was_told_is_left_out_of_a_new_request() {
        let mut book = Book::new();
        let mut ask = |path, secret| {
            book.enter(&[(Fact::HttpRequest, path), (USER, "root"), (SECRET, secret)])
        };
        assert_eq!(ask("/a", "x"), Told::All);
        assert_eq!(ask("/a", "x"), Told::Nothing);
        assert_eq!(ask("/b", "x"), Told::Beside);
        assert_eq!(ask("/b", "x"), Told::Nothing);
        assert_eq!(ask("/b", "y"), Told::All);
        assert_eq!(book.counts(), (3, 0));
    }

    #[test]
    fn a_burst_is_told_and_then_one_event_in_each_interval() {
        let mut book = Book::new();
        let day = 86_400;
        let mut told = 0;
        for second in 0..day {
            book.2 = Time::from_millis(5_000 + second * 1_000);
            told +=
                u32::from(book.enter(&[(Fact::Command, "a"), (Fact::SmtpHelo, "b")]) == Told::All);
        }
        let bound = Account::BURST + day as u32 / Account::INTERVAL;
        assert!((bound - 1..=bound).contains(&told), "{told} of at most {bound}");
        assert_eq!(book.counts(), (0, 2 * (day as u32 - told)));
        // A client that is quiet for long has a burst again, and no more.
        book.2 = Time::from_millis(10 * day * 1_000);
        let again = (0..100).filter(|_| book.enter(&[(Fact::Command, "a")]) == Told::All).count();
        assert_eq!(again, Account::BURST as usize);
    }

    #[test]
    fn a_saved_account_tells_what_it_would_have_told() {
        let mut book = Book::new();
        book.enter(&[(Fact::Protocol, "memcached"), (USER, "root"), (SECRET, "a")]);
        book.enter(&[(USER, "root"), (SECRET, "a")]);
        book.enter(&[(METHOD, "plain")]);
        let saved = book.0.save();
        let mut again = Book(Account::load(&saved).unwrap(), book.1.clone(), book.2);
        assert_eq!((again.0.protocol(), again.counts()), (Some("memcached"), book.counts()));
        for facts in [[(USER, "root"), (SECRET, "a")], [(USER, "root"), (SECRET, "b")]] {
            assert_eq!(again.enter(&facts), book.enter(&facts));
        }
        assert_eq!(again.0.save(), book.0.save());
        for length in 0..saved.len() {
            assert!(Account::load(&saved[..length]).is_none(), "{length}");
        }
        assert!(Account::load(&[&saved[..], &[0]].concat()).is_none());
        assert_eq!(Account::load(&Account::new().save()).unwrap().protocol(), None);
    }

    #[test]
    fn a_protocol_is_kept_and_is_no_event() {
        let mut book = Book::new();
        assert_eq!(book.0.protocol(), None);
        for name in ["tls", "memcached", "unknown"] {
            assert_eq!(book.enter(&[(Fact::Protocol, name)]), Told::Nothing);
            assert_eq!(book.0.protocol(), Some(name));
        }
        assert_eq!(book.counts(), (0, 0));
    }
}
