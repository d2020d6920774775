//! Lengths of few bits, so that what is remembered of a client stays small.

use alloc::vec::Vec;

use crate::base::state::{Field, Packer, Saved, Unpacker};

/// A length of so many bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Length<const BITS: u32>(pub(crate) u32);

impl<const BITS: u32> Length<BITS> {
    /// The longest.
    pub(crate) const MOST: u32 = (1 << BITS) - 1;
}

impl<const BITS: u32> Saved for Length<BITS> {
    const LAYOUT: u32 = u32::LAYOUT;

    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        u32::load(saved).filter(|&length| length <= Self::MOST).map(Self)
    }
}

impl<const BITS: u32> Field for Length<BITS> {
    const BITS: u32 = BITS;

    fn put(self, out: &mut Packer) {
        out.push(self.0.into(), Self::BITS);
    }

    fn get(from: &mut Unpacker) -> Option<Self> {
        u32::try_from(from.pull(Self::BITS)).ok().map(Self)
    }
}
