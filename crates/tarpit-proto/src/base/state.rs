//! What a script remembers of one client: typed for its author, packed for the session.
//!
//! An author declares the state with [`states!`](crate::states) as an enum or struct whose parts
//! carry exactly what they need. Everything else is derived: how the state packs into the session's
//! 11 bytes, how it is saved for a hand-over, and how it is read again. A part that does not fit is
//! a `Box` of something that is [`Saved`]; a client that has one costs an allocation.

use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, fmt, marker::PhantomData};

use crate::base::time::{ClockChange, Time};

/// What a state is saved to.
#[doc(hidden)]
pub type Bytes = Vec<u8>;

/// How many bits of state a session has room for.
pub const STATE_BITS: u32 = 88;

/// One client's state, packed.
#[derive(Debug, Default)]
pub struct Run {
    pub(crate) words: [u8; STATE_BITS as usize / 8],
    /// The part that does not fit.
    pub(crate) boxed: Option<Box<dyn Boxed>>,
}

/// A part of a state that a new binary can take over.
pub trait Saved: Sized {
    /// Identifies the form of the saved state: another form has another number.
    const LAYOUT: u32;

    /// Writes it down for a hand-over.
    fn save(&self, out: &mut Vec<u8>);

    /// Reads what [`Saved::save`] wrote, and removes it from `saved`. `None`: it is not valid.
    fn load(saved: &mut &[u8]) -> Option<Self>;

    /// Converts its moments to another clock, after [`Saved::load`]. By default it has none.
    fn change_clock(&mut self, _change: ClockChange) {}

    /// What it is called where people see it: the variant that it is, or that its first part with
    /// a name is. Empty: it has none.
    fn name(&self) -> &'static str {
        ""
    }
}

/// A part of a state that a session keeps for a client.
pub trait Field: Saved {
    /// How many bits it takes.
    const BITS: u32;
    /// How many boxes it has at most.
    const BOXES: u32 = 0;

    /// Packs it.
    fn put(self, out: &mut Packer);

    /// Reads what [`Field::put`] packed.
    fn get(from: &mut Unpacker) -> Option<Self>;
}

/// A part of a state that lies in a box.
pub trait Boxed: Any + fmt::Debug + Send {
    /// Writes it down for a hand-over.
    fn save_boxed(&self, out: &mut Vec<u8>);
}

impl<T: Saved + Any + fmt::Debug + Send> Boxed for T {
    fn save_boxed(&self, out: &mut Vec<u8>) {
        self.save(out);
    }
}

/// Packs fields one behind the other.
#[derive(Debug, Default)]
pub struct Packer {
    bits: u128,
    filled: u32,
    boxed: Option<Box<dyn Boxed>>,
}

impl Packer {
    /// Appends the lowest `bits` bits of `value`.
    #[inline]
    pub fn push(&mut self, value: u64, bits: u32) {
        debug_assert!(bits == 64 || value >> bits == 0, "a value beyond its bits");
        self.bits |= u128::from(value) << self.filled;
        self.filled += bits;
    }
}

/// Unpacks what a [`Packer`] packed.
#[derive(Debug)]
pub struct Unpacker {
    bits: u128,
    boxed: Option<Box<dyn Boxed>>,
}

impl Unpacker {
    /// Takes the next `bits` bits, at most 64.
    #[inline]
    pub fn pull(&mut self, bits: u32) -> u64 {
        let value = self.bits & ((1 << bits) - 1);
        self.bits >>= bits;
        value as u64
    }
}

impl Run {
    /// Packs a state.
    #[inline]
    pub fn of<S: Field>(state: S) -> Self {
        const {
            assert!(S::BITS <= STATE_BITS, "a state takes at most 88 bits");
            assert!(S::BOXES <= 1, "a state has one boxed part at most");
        }
        let mut packer = Packer::default();
        state.put(&mut packer);
        let mut words = [0; STATE_BITS as usize / 8];
        words.copy_from_slice(&packer.bits.to_le_bytes()[..STATE_BITS as usize / 8]);
        Self { words, boxed: packer.boxed }
    }

    /// Takes the state out, for [`Run::of`] to be put back.
    #[inline]
    pub fn take<S: Field + Default>(&mut self) -> S {
        let mut bits = [0; 16];
        bits[..self.words.len()].copy_from_slice(&self.words);
        let bits = u128::from_le_bytes(bits);
        let state = S::get(&mut Unpacker { bits, boxed: self.boxed.take() });
        debug_assert!(state.is_some(), "a state that nobody packed");
        state.unwrap_or_default()
    }

    /// A copy, unless a part is boxed.
    pub(crate) fn copy(&self) -> Option<Self> {
        self.boxed.is_none().then_some(Self { words: self.words, boxed: None })
    }
}

impl<T: Saved + Any + fmt::Debug + Send> Field for Box<T> {
    const BITS: u32 = 0;
    const BOXES: u32 = 1;

    #[inline]
    fn put(self, out: &mut Packer) {
        out.boxed = Some(self);
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        let boxed: Box<dyn Any> = from.boxed.take()?;
        boxed.downcast().ok()
    }
}

impl<T: Saved> Saved for Box<T> {
    const LAYOUT: u32 = T::LAYOUT;

    fn save(&self, out: &mut Vec<u8>) {
        (**self).save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        T::load(saved).map(Self::new)
    }

    fn change_clock(&mut self, change: ClockChange) {
        (**self).change_clock(change);
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }
}

/// A boxed part that may be missing. It takes no bits, since a session knows whether it has a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybeBoxed<T>(pub Option<Box<T>>);

impl<T> Default for MaybeBoxed<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Saved> Saved for MaybeBoxed<T> {
    const LAYOUT: u32 = Option::<Box<T>>::LAYOUT;

    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        Saved::load(saved).map(Self)
    }

    fn change_clock(&mut self, change: ClockChange) {
        self.0.change_clock(change);
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }
}

impl<T: Saved + Any + fmt::Debug + Send> Field for MaybeBoxed<T> {
    const BITS: u32 = 0;
    const BOXES: u32 = 1;

    #[inline]
    fn put(self, out: &mut Packer) {
        if let Some(boxed) = self.0 {
            boxed.put(out);
        }
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        match from.boxed {
            Some(_) => Box::get(from).map(|boxed| Self(Some(boxed))),
            None => Some(Self(None)),
        }
    }
}

/// A part of a state that stays packed until it is asked for: a state is unpacked for every chunk
/// that is sent, and not every part of it matters then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<T> {
    bits: u64,
    part: PhantomData<T>,
}

impl<T: Field + Default> Packed<T> {
    /// Packs a part.
    pub fn of(part: T) -> Self {
        const { assert!(T::BITS <= u64::BITS && T::BOXES == 0, "a packed part is small") };
        let mut packer = Packer::default();
        part.put(&mut packer);
        Self { bits: packer.bits as u64, part: PhantomData }
    }

    /// The part.
    pub fn get(&self) -> T {
        let part = T::get(&mut Unpacker { bits: self.bits.into(), boxed: None });
        debug_assert!(part.is_some(), "a part that nobody packed");
        part.unwrap_or_default()
    }
}

impl<T: Field + Default> From<T> for Packed<T> {
    fn from(part: T) -> Self {
        Self::of(part)
    }
}

impl<T: Field + Default> Default for Packed<T> {
    fn default() -> Self {
        Self::of(T::default())
    }
}

impl<T: Field + Default> Saved for Packed<T> {
    const LAYOUT: u32 = T::LAYOUT;

    fn save(&self, out: &mut Vec<u8>) {
        self.get().save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        T::load(saved).map(Self::of)
    }

    fn change_clock(&mut self, change: ClockChange) {
        let mut part = self.get();
        part.change_clock(change);
        *self = Self::of(part);
    }

    fn name(&self) -> &'static str {
        self.get().name()
    }
}

impl<T: Field + Default> Field for Packed<T> {
    const BITS: u32 = T::BITS;

    #[inline]
    fn put(self, out: &mut Packer) {
        out.push(self.bits, Self::BITS);
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        Some(Self { bits: from.pull(Self::BITS), part: PhantomData })
    }
}

impl<T: Saved> Saved for Option<T> {
    const LAYOUT: u32 = layout(b"?", T::LAYOUT);

    fn save(&self, out: &mut Vec<u8>) {
        out.push(self.is_some().into());
        if let Some(some) = self {
            some.save(out);
        }
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        if bool::load(saved)? { T::load(saved).map(Some) } else { Some(None) }
    }

    fn change_clock(&mut self, change: ClockChange) {
        if let Some(some) = self {
            some.change_clock(change);
        }
    }

    fn name(&self) -> &'static str {
        self.as_ref().map_or("", Saved::name)
    }
}

impl<T: Field> Field for Option<T> {
    const BITS: u32 = 1 + T::BITS;
    const BOXES: u32 = T::BOXES;

    #[inline]
    fn put(self, out: &mut Packer) {
        out.push(self.is_some().into(), 1);
        if let Some(some) = self {
            some.put(out);
        }
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        match from.pull(1) {
            0 => Some(None),
            _ => T::get(from).map(Some),
        }
    }
}

impl Saved for () {
    const LAYOUT: u32 = layout(b"nothing", 0);

    fn save(&self, _out: &mut Vec<u8>) {}

    fn load(_saved: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Field for () {
    const BITS: u32 = 0;

    #[inline]
    fn put(self, _out: &mut Packer) {}

    fn get(_from: &mut Unpacker) -> Option<Self> {
        Some(())
    }
}

impl Saved for bool {
    const LAYOUT: u32 = layout(b"bool", 0);

    fn save(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        match u8::load(saved)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Field for bool {
    const BITS: u32 = 1;

    #[inline]
    fn put(self, out: &mut Packer) {
        out.push(self.into(), 1);
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        Some(from.pull(1) == 1)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Saved for $number {
            const LAYOUT: u32 = layout(stringify!($number).as_bytes(), 0);

            fn save(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn load(saved: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = saved.split_first_chunk()?;
                *saved = rest;
                Some(Self::from_be_bytes(*bytes))
            }
        }

        impl Field for $number {
            const BITS: u32 = Self::BITS;

            #[inline]
            fn put(self, out: &mut Packer) {
                out.push(self.into(), Self::BITS);
            }

            #[inline]
            fn get(from: &mut Unpacker) -> Option<Self> {
                Some(from.pull(Self::BITS) as Self)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Saved for Time {
    const LAYOUT: u32 = layout(b"time", 0);

    fn save(&self, out: &mut Vec<u8>) {
        self.as_millis().save(out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        u64::load(saved).map(Self::from_millis)
    }

    fn change_clock(&mut self, change: ClockChange) {
        *self = change.moment(*self);
    }
}

impl<T: Saved> Saved for Vec<T> {
    const LAYOUT: u32 = layout(b"list", T::LAYOUT);

    fn save(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).save(out);
        for item in self {
            item.save(out);
        }
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let length = u32::load(saved)?;
        (0..length).map(|_| T::load(saved)).collect()
    }

    fn change_clock(&mut self, change: ClockChange) {
        for item in self {
            item.change_clock(change);
        }
    }
}

impl<T: Saved + Copy + Default, const N: usize> Saved for [T; N] {
    const LAYOUT: u32 = layout(b"array", T::LAYOUT ^ N as u32);

    fn save(&self, out: &mut Vec<u8>) {
        for item in self {
            item.save(out);
        }
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let mut items = [T::default(); N];
        for item in &mut items {
            *item = T::load(saved)?;
        }
        Some(items)
    }

    fn change_clock(&mut self, change: ClockChange) {
        for item in self {
            item.change_clock(change);
        }
    }
}

impl<T: Field + Copy + Default, const N: usize> Field for [T; N] {
    const BITS: u32 = T::BITS * N as u32;
    const BOXES: u32 = T::BOXES * N as u32;

    #[inline]
    fn put(self, out: &mut Packer) {
        for item in self {
            item.put(out);
        }
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        let mut items = [T::default(); N];
        for item in &mut items {
            *item = T::get(from)?;
        }
        Some(items)
    }
}

/// Saves a name, for fields that stand for a row of a table or a variant.
pub fn save_name(name: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
}

/// Reads what [`save_name`] wrote.
pub fn load_name<'a>(saved: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(u8::load(saved)?);
    let (name, rest) = saved.split_at_checked(length)?;
    *saved = rest;
    core::str::from_utf8(name).ok()
}

/// A layout's number, made of `text` and of what stands in front of it (FNV-1a).
pub const fn layout(text: &[u8], before: u32) -> u32 {
    let mut hash = before ^ 0x811C_9DC5;
    let mut place = 0;
    while place < text.len() {
        hash = (hash ^ text[place] as u32).wrapping_mul(0x0100_0193);
        place += 1;
    }
    hash
}

/// How many bits `count` variants need.
pub const fn bits_for(count: u32) -> u32 {
    if count <= 1 { 0 } else { u32::BITS - (count - 1).leading_zeros() }
}

/// The larger of two numbers.
pub const fn larger(one: u32, other: u32) -> u32 {
    if one > other { one } else { other }
}

/// Declares what a script remembers of one client, or a part of it.
///
/// Each item is an enum or struct as in Rust, but without tuples. Variants are saved by name, so
/// their order may change from one binary to the next. A `boxed` item may have parts of any length,
/// and is used in a `Box`.
///
/// ```
/// use tarpit_proto::{base::state::Run, states};
///
/// states! {
///     #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
///     pub enum State {
///         #[default]
///         Listening,
///         Listing { line: u16, is_last: bool },
///     }
/// }
///
/// let mut run = Run::of(State::Listing { line: 7, is_last: false });
/// assert_eq!(run.take::<State>(), State::Listing { line: 7, is_last: false });
/// ```
///
/// A session has room for one box, so that a state with two does not compile:
///
/// ```compile_fail,E0080
/// use tarpit_proto::{base::state::Run, states};
///
/// states! {
///     #[derive(Debug)]
///     pub boxed struct Long { text: Vec<u8> }
///
///     #[derive(Debug)]
///     pub struct State { one: Box<Long>, other: Option<Box<Long>> }
/// }
///
/// let long = || Box::new(Long { text: Vec::new() });
/// let run = Run::of(State { one: long(), other: Some(long()) });
/// ```
#[macro_export]
macro_rules! states {
    () => {};
    (@saved_enum $name:ident { $($variant:ident { $($field:ident : $type:ty,)* })* }) => {
        impl $crate::base::state::Saved for $name {
            const LAYOUT: u32 = {
                let mut all = $crate::base::state::layout(b"enum", 0);
                $(
                    let layout = $crate::base::state::layout(stringify!($variant).as_bytes(), 0);
                    $(
                        let layout = $crate::base::state::layout(
                            stringify!($field).as_bytes(),
                            layout ^ <$type as $crate::base::state::Saved>::LAYOUT,
                        );
                    )*
                    // A sum is the same in any order.
                    all = all.wrapping_add(layout);
                )*
                all
            };

            fn save(&self, out: &mut $crate::base::state::Bytes) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        $crate::base::state::save_name(stringify!($variant), out);
                        $($crate::base::state::Saved::save($field, out);)*
                    })*
                }
            }

            fn load(saved: &mut &[u8]) -> Option<Self> {
                let name = $crate::base::state::load_name(saved)?;
                $(if name == stringify!($variant) {
                    return Some(Self::$variant {
                        $($field: <$type as $crate::base::state::Saved>::load(saved)?,)*
                    });
                })*
                None
            }

            #[allow(unused_variables, reason = "an enum without fields has no moments")]
            fn change_clock(&mut self, change: $crate::base::time::ClockChange) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        $($crate::base::state::Saved::change_clock($field, change);)*
                    })*
                }
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)*
                }
            }
        }
    };
    (@saved_struct $name:ident { $($field:ident : $type:ty,)* }) => {
        impl $crate::base::state::Saved for $name {
            const LAYOUT: u32 = {
                let mut layout = $crate::base::state::layout(b"struct", 0);
                $(
                    layout = $crate::base::state::layout(
                        stringify!($field).as_bytes(),
                        layout ^ <$type as $crate::base::state::Saved>::LAYOUT,
                    );
                )*
                layout
            };

            fn save(&self, out: &mut $crate::base::state::Bytes) {
                $($crate::base::state::Saved::save(&self.$field, out);)*
            }

            fn load(saved: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: <$type as $crate::base::state::Saved>::load(saved)?,)* })
            }

            fn change_clock(&mut self, change: $crate::base::time::ClockChange) {
                $($crate::base::state::Saved::change_clock(&mut self.$field, change);)*
            }

            fn name(&self) -> &'static str {
                let names = [$($crate::base::state::Saved::name(&self.$field)),*];
                names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis boxed enum $name:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident $({ $($(#[$field_meta:meta])* $field:ident : $type:ty),* $(,)? })?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$variant_meta])* $variant $({ $($(#[$field_meta])* $field: $type),* })?,)*
        }
        $crate::states!(@saved_enum $name { $($variant { $($($field : $type,)*)? })* });
        $crate::states!($($rest)*);
    };
    (
        $(#[$meta:meta])*
        $vis:vis boxed struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)* }
        $crate::states!(@saved_struct $name { $($field : $type,)* });
        $crate::states!($($rest)*);
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident $({ $($(#[$field_meta:meta])* $field:ident : $type:ty),* $(,)? })?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$variant_meta])* $variant $({ $($(#[$field_meta])* $field: $type),* })?,)*
        }
        $crate::states!(@saved_enum $name { $($variant { $($($field : $type,)*)? })* });
        const _: () = {
            /// The variants' places.
            enum Place { $($variant),* }
            const TAG: u32 =
                $crate::base::state::bits_for([$(stringify!($variant)),*].len() as u32);

            impl $crate::base::state::Field for $name {
                const BITS: u32 = {
                    let most = 0;
                    $(
                        let most = $crate::base::state::larger(
                            most,
                            0 $($(+ <$type as $crate::base::state::Field>::BITS)*)?,
                        );
                    )*
                    TAG + most
                };
                const BOXES: u32 = {
                    let most = 0;
                    $(
                        let most = $crate::base::state::larger(
                            most,
                            0 $($(+ <$type as $crate::base::state::Field>::BOXES)*)?,
                        );
                    )*
                    most
                };

                #[inline]
                fn put(self, out: &mut $crate::base::state::Packer) {
                    match self {
                        $(Self::$variant { $($($field),*)? } => {
                            out.push(Place::$variant as u64, TAG);
                            $($($crate::base::state::Field::put($field, out);)*)?
                        })*
                    }
                }

                #[inline]
                fn get(from: &mut $crate::base::state::Unpacker) -> Option<Self> {
                    match from.pull(TAG) {
                        $(place if place == Place::$variant as u64 => Some(Self::$variant {
                            $($(
                                $field: <$type as $crate::base::state::Field>::get(from)?,
                            )*)?
                        }),)*
                        _ => None,
                    }
                }
            }
        };
        $crate::states!($($rest)*);
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)* }
        $crate::states!(@saved_struct $name { $($field : $type,)* });
        impl $crate::base::state::Field for $name {
            const BITS: u32 = 0 $(+ <$type as $crate::base::state::Field>::BITS)*;
            const BOXES: u32 = 0 $(+ <$type as $crate::base::state::Field>::BOXES)*;

            #[inline]
            fn put(self, out: &mut $crate::base::state::Packer) {
                $($crate::base::state::Field::put(self.$field, out);)*
            }

            #[inline]
            fn get(from: &mut $crate::base::state::Unpacker) -> Option<Self> {
                Some(Self {
                    $($field: <$type as $crate::base::state::Field>::get(from)?,)*
                })
            }
        }
        $crate::states!($($rest)*);
    };
}

#[cfg(test)]
mod tests;
