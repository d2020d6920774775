//! What a script hears, and what it answers.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{
    base::{cause::Cause, said::Said, time::Time},
    script::{Pattern, tls::Limits},
    states,
};

/// What a script hears.
#[derive(Debug)]
pub enum Heard<'a, 'b> {
    /// The client has opened the data connection that was asked for.
    DataOpened,
    /// The answer to [`Step::OPEN_DATA`]: the port on which the client is awaited, or `None` if the
    /// listener has no port for it.
    DataPort(Option<u16>),
    /// The client will send nothing more, but may still read. The first byte of what the script
    /// sends next goes out at once, and a client that is gone answers it with a reset.
    HalfClosed,
    /// The client was handed on to this script, after the greeting if there is one.
    Opened,
    /// The client's bytes that the script has not taken yet.
    Said(&'b mut Said<'a>),
    /// The answer to [`Step::SECURE`].
    Secured(Security),
    /// The chunk has been sent, to its last byte.
    Sent,
    /// The wait is over.
    Silence,
}

/// Whether TLS now runs beneath the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From now on everything is encrypted. The script does not notice.
    Ready {
        /// The client's limits, as its hello shows them.
        limits: Limits,
        /// How long the handshake took.
        spent: Duration,
    },
    /// There is no certificate, or the budget allows no handshake: go on in plain text.
    Unavailable,
}

/// What happened to a client before a pattern takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// The client's limits, as the handshake showed them.
    pub limits: Limits,
    /// How long it has waited in that handshake. The first wait is shorter by this, or clients that
    /// limit handshake and answer together would leave.
    pub spent: Duration,
}

impl Before {
    /// It has only just come.
    pub const NOTHING: Self = Self { limits: Limits::NONE, spent: Duration::ZERO };
}

/// What a script does next.
#[derive(Debug)]
pub struct Step {
    pub(crate) action: Action,
    /// The read mode from now on; `None`: as before.
    pub(crate) read_mode: Option<ReadMode>,
}

/// The part of a [`Step`] that the client notices.
#[derive(Debug)]
pub(crate) enum Action {
    Become(&'static dyn Pattern),
    Close(Cause),
    HandOn { pattern: &'static dyn Pattern, before: Before },
    Keep,
    OpenData,
    Secure,
    Send(Manner, Chunk),
    Wait(Option<Time>),
}

impl Step {
    /// Sends what [`Script::speak`](super::Script::speak) says, at the pace or rate.
    pub const DRIP: Self = Self::spoken(Manner::Drip);
    /// Changes nothing.
    pub const KEEP: Self = Self::of(Action::Keep);
    /// Asks for a second connection from the same client; answered by [`Heard::DataPort`].
    pub const OPEN_DATA: Self = Self::of(Action::OpenData);
    /// Sends what [`Script::speak`](super::Script::speak) says at once, but at the rate if the user
    /// set one.
    pub const PROMPT: Self = Self::spoken(Manner::Prompt);
    /// Sends nothing until the client says something, if ever.
    pub const REST: Self = Self::of(Action::Wait(None));
    /// Asks for TLS beneath the script; answered by [`Heard::Secured`].
    pub const SECURE: Self = Self::of(Action::Secure);
    /// Sends what [`Script::speak`](super::Script::speak) says at once and in one piece, whatever
    /// the rate.
    pub const WHOLE: Self = Self::spoken(Manner::Whole);

    const fn of(action: Action) -> Self {
        Self { action, read_mode: None }
    }

    const fn spoken(manner: Manner) -> Self {
        Self::of(Action::Send(manner, Chunk::Spoken))
    }

    /// Hands the client on to another pattern, which hears [`Heard::Opened`], without its greeting.
    pub fn become_pattern(pattern: &'static dyn Pattern) -> Self {
        Self::of(Action::Become(pattern))
    }

    /// Hands the client on to another pattern, after its greeting if it has one.
    pub fn hand_on(pattern: &'static dyn Pattern) -> Self {
        Self::of(Action::HandOn { pattern, before: Before::NOTHING })
    }

    /// The same after a handshake: [`Cx::before`](super::Cx::before) tells the pattern what the
    /// handshake showed.
    pub fn hand_on_secured(pattern: &'static dyn Pattern, limits: Limits, spent: Duration) -> Self {
        Self::of(Action::HandOn { pattern, before: Before { limits, spent } })
    }

    /// Ends the connection.
    pub fn close(cause: Cause) -> Self {
        Self::of(Action::Close(cause))
    }

    /// Sends a chunk; [`Heard::Sent`] follows its last byte.
    pub fn send(manner: Manner, chunk: Chunk) -> Self {
        Self::of(Action::Send(manner, chunk))
    }

    /// Sends nothing until that moment, then hears [`Heard::Silence`]; for ever if `None`.
    pub fn wait(until: Option<Time>) -> Self {
        Self::of(Action::Wait(until))
    }

    /// The same, and the script hears the client's bytes from now on.
    #[must_use]
    pub fn delivering(self) -> Self {
        Self { read_mode: Some(ReadMode::Deliver), ..self }
    }

    /// The same, and the client's bytes are read and dropped from now on.
    #[must_use]
    pub fn discarding(self) -> Self {
        Self { read_mode: Some(ReadMode::Discard), ..self }
    }

    /// The same, and the client's bytes are no longer read, so that its sending stalls.
    #[must_use]
    pub fn pausing(self) -> Self {
        Self { read_mode: Some(ReadMode::Paused), ..self }
    }
}

/// The largest chunk, in bytes.
pub const MAX_CHUNK: usize = 16 * 1024;

/// How a chunk goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// At the pattern's pace, one interval after the last; or at the rate that the user set.
    Drip,
    /// At once; but if the user set a rate, it is counted.
    Prompt,
    /// At once and in one piece: greetings, refusals, and other lines that no rate may split.
    Whole,
}

/// Where a chunk's bytes come from.
#[derive(Debug)]
pub enum Chunk {
    /// Bytes that cannot be made again, kept until they are sent; at most [`MAX_CHUNK`].
    Boxed(Box<[u8]>),
    /// The bytes that [`Script::speak`](super::Script::speak) makes of the state.
    Spoken,
}

states! {
    /// What happens to the client's bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ReadMode {
        /// The script hears them.
        Deliver,
        /// They are read and dropped, so that its end is noticed.
        Discard,
        /// None come any more: the client has closed its side. The session sets this, and it stays.
        Ended,
        /// They are not read: the client's own sending stalls.
        Paused,
    }
}

impl ReadMode {
    /// Whether the client's bytes should be read.
    pub(crate) fn listen(self) -> bool {
        matches!(self, Self::Deliver | Self::Discard)
    }
}
