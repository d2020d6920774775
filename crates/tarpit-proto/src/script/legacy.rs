//! Numbers that patterns pack by hand; each pattern that has a typed state has none of them.

use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

use super::state::{Boxed, Field, Packer, Saved, Unpacker};

/// What a script remembers of one client. The meaning of the numbers is the pattern's own.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    pub(crate) phase: u8,
    pub(crate) count: u16,
    pub(crate) position: u32,
    pub(crate) mark: u32,
    pub(crate) big: Option<Box<dyn Boxed>>,
}

impl Registers {
    pub(crate) fn enter(&mut self, phase: impl Into<u8>) {
        self.phase = phase.into();
    }
}

impl dyn Boxed {
    pub(crate) fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Saved for Registers {
    const LAYOUT: u32 = 0;

    fn save(&self, out: &mut Vec<u8>) {
        self.phase.save(out);
        self.count.save(out);
        self.position.save(out);
        self.mark.save(out);
        if let Some(big) = &self.big {
            big.save_boxed(out);
        }
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let phase = u8::load(saved)?;
        let (count, position, mark) = (u16::load(saved)?, u32::load(saved)?, u32::load(saved)?);
        Some(Self { phase, count, position, mark, big: None })
    }
}

impl Field for Registers {
    const BITS: u32 = 88;

    fn put(self, out: &mut Packer) {
        self.phase.put(out);
        self.count.put(out);
        self.position.put(out);
        self.mark.put(out);
        out.put_boxed(self.big);
    }

    fn get(from: &mut Unpacker) -> Option<Self> {
        let phase = u8::get(from)?;
        let (count, position, mark) = (u16::get(from)?, u32::get(from)?, u32::get(from)?);
        Some(Self { phase, count, position, mark, big: from.take_boxed() })
    }
}

/// Names the phases of a pattern: an enum whose variants become [`Registers::phase`] and back.
#[macro_export]
macro_rules! phases {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $first:ident $(, $rest:ident)* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $first $(, $rest)* }

        impl $name {
            $vis fn of(run: &$crate::script::legacy::Registers) -> Self {
                $(if run.phase == Self::$rest as u8 { return Self::$rest; })*
                Self::$first
            }
        }

        impl From<$name> for u8 {
            fn from(phase: $name) -> Self {
                phase as Self
            }
        }
    };
}
