//! Known clients: what each shows, by which it is known, and what it bears.

use alloc::vec::Vec;
use core::fmt;

use crate::wire::tls::Hello;

/// A client that was tried with the patterns of a protocol.
#[derive(Debug)]
pub struct KnownClient<L: 'static> {
    /// Its name, by which it is saved for a hand-over. No two clients of a protocol have one name.
    pub name: &'static str,
    /// What it is known by.
    pub sign: Sign,
    /// What it bears, and so how it is held.
    pub limits: L,
}

impl<L> KnownClient<L> {
    /// One that calls itself something with `part` in it.
    pub const fn contains(name: &'static str, part: &'static [u8], limits: L) -> Self {
        Self { name, sign: Sign::Contains(part), limits }
    }

    /// One that says `words`.
    pub const fn says(name: &'static str, words: &'static [u8], limits: L) -> Self {
        Self { name, sign: Sign::Says(words), limits }
    }
}

/// What a client is known by.
pub enum Sign {
    /// It calls itself something that contains this.
    Contains(&'static [u8]),
    /// Its hello in TLS.
    Hello(HelloSign),
    /// It says this, in small letters or large ones.
    Says(&'static [u8]),
}

/// What is looked for in a hello.
pub struct HelloSign(pub(crate) fn(&Hello) -> bool);

/// The known clients of a protocol, in the order in which they are tried.
pub trait KnownClients: Sync {
    /// The name and the sign of each.
    fn signs(&self) -> Vec<(&'static str, &'static Sign)>;
}

impl<L: Sync> KnownClients for &'static [KnownClient<L>] {
    fn signs(&self) -> Vec<(&'static str, &'static Sign)> {
        self.iter().map(|client| (client.name, &client.sign)).collect()
    }
}

impl Sign {
    /// Whether these words of a client bear the sign.
    pub fn fits(&self, words: &[u8]) -> bool {
        match self {
            Self::Contains(part) => words.windows(part.len()).any(|window| window == *part),
            Self::Hello(_) => false,
            Self::Says(all) => words.eq_ignore_ascii_case(all),
        }
    }

    /// Whether this hello of a client bears the sign.
    pub(crate) fn fits_hello(&self, hello: &Hello) -> bool {
        match self {
            Self::Contains(_) | Self::Says(_) => false,
            Self::Hello(HelloSign(fits)) => fits(hello),
        }
    }
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contains(part) => write!(f, "contains {}", part.escape_ascii()),
            Self::Hello(_) => f.write_str("a hello of TLS"),
            Self::Says(all) => write!(f, "says {}", all.escape_ascii()),
        }
    }
}

/// The place of the first client whose sign `words` bear.
pub fn find<L>(clients: &[KnownClient<L>], words: &[u8]) -> Option<usize> {
    clients.iter().position(|client| client.sign.fits(words))
}
