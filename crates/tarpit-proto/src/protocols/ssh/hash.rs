//! The hashes of a key exchange, which can be saved before they are finished.

use alloc::{boxed::Box, vec::Vec};

use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512, digest::common::hazmat::SerializableState};

use crate::{
    base::state::{Saved, layout},
    states,
};

states! {
    /// A hash that is not finished.
    #[derive(Clone)]
    pub(super) boxed enum Hash {
        Sha1 { state: Sha1 },
        Sha256 { state: Sha256 },
        Sha384 { state: Box<Sha384> },
        Sha512 { state: Box<Sha512> },
    }
}

impl Hash {
    pub(super) fn sha1() -> Self {
        Self::Sha1 { state: Sha1::new() }
    }

    pub(super) fn sha256() -> Self {
        Self::Sha256 { state: Sha256::new() }
    }

    pub(super) fn sha384() -> Self {
        Self::Sha384 { state: Box::default() }
    }

    pub(super) fn sha512() -> Self {
        Self::Sha512 { state: Box::default() }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1 { state } => state.update(bytes),
            Self::Sha256 { state } => state.update(bytes),
            Self::Sha384 { state } => state.update(bytes),
            Self::Sha512 { state } => state.update(bytes),
        }
    }

    /// Adds a string with its length in front.
    pub(super) fn add_string(&mut self, bytes: &[u8]) {
        self.add(&(bytes.len() as u32).to_be_bytes());
        self.add(bytes);
    }

    pub(super) fn end(self) -> Vec<u8> {
        match self {
            Self::Sha1 { state } => state.finalize().to_vec(),
            Self::Sha256 { state } => state.finalize().to_vec(),
            Self::Sha384 { state } => state.finalize().to_vec(),
            Self::Sha512 { state } => state.finalize().to_vec(),
        }
    }
}

/// Saves a hash as so many bytes, under a name.
macro_rules! saved {
    ($hash:ty, $name:literal, $bytes:literal) => {
        impl Saved for $hash {
            const LAYOUT: u32 = layout($name, 0);

            fn save(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.serialize());
            }

            fn load(saved: &mut &[u8]) -> Option<Self> {
                let state: [u8; $bytes] = Saved::load(saved)?;
                Self::deserialize(&state.into()).ok()
            }
        }
    };
}

saved!(Sha1, b"sha1", 92);
saved!(Sha256, b"sha256", 104);
saved!(Sha384, b"sha384", 208);
saved!(Sha512, b"sha512", 208);
