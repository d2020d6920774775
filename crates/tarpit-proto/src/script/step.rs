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
    /// The answer to [`Step::OPEN_DATA`]: the port on which the client is awaited, or `None` where
    /// the listener has no ports for that.
    DataPort(Option<u16>),
    /// The client will send nothing more. It may still read: what the script says next, now or when
    /// its wait is over, begins to go out at once, and a client that is gone answers with a reset.
    HalfClosed,
    /// The client has been let through, and greeted if there is a greeting.
    Opened,
    /// The client's bytes since what was taken last.
    Said(&'b mut Said<'a>),
    /// The answer to [`Step::SECURE`].
    Secured(Security),
    /// The chunk has been sent, to its last byte.
    Sent,
    /// The wait is over.
    Silence,
}

/// Whether a connection could be secured beneath the running script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// What is said and heard from now on is encrypted, which the script does not notice.
    Ready {
        /// What its hello shows that the client bears.
        limits: Limits,
        /// How long the handshake took.
        spent: Duration,
    },
    /// There is no certificate, or no handshake can be afforded: go on in the clear.
    Unavailable,
}

/// What a client has behind it when a pattern takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// What the handshake showed that it bears.
    pub limits: Limits,
    /// How long it has waited, in that handshake. Clients that limit handshake and answer together
    /// would be lost if it were not taken off the first wait.
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
    /// What becomes of the client's bytes from now on; `None`: what became of them before.
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
    /// Goes on with what it was doing.
    pub const KEEP: Self = Self::of(Action::Keep);
    /// Asks for a second connection from the same client; answered by [`Heard::DataPort`].
    pub const OPEN_DATA: Self = Self::of(Action::OpenData);
    /// Sends what [`Script::speak`](super::Script::speak) says at once, but at the rate if the user
    /// set one.
    pub const PROMPT: Self = Self::spoken(Manner::Prompt);
    /// Sends nothing until the client says something, if ever.
    pub const REST: Self = Self::of(Action::Wait(None));
    /// Asks to secure the connection beneath the script; answered by [`Heard::Secured`].
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

    /// Becomes another pattern, which then hears [`Heard::Opened`] and does not greet.
    pub fn become_pattern(pattern: &'static dyn Pattern) -> Self {
        Self::of(Action::Become(pattern))
    }

    /// Becomes another pattern behind its greeting, if it has one.
    pub fn hand_on(pattern: &'static dyn Pattern) -> Self {
        Self::of(Action::HandOn { pattern, before: Before::NOTHING })
    }

    /// The same for a client behind a handshake, of which the pattern finds in
    /// [`Cx::before`](super::Cx::before) what it showed.
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

    /// The same, and the client's bytes are not read from now on, so that its sending stalls.
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
    /// At once, but under a rate that the user set it is paid for like a drip.
    Prompt,
    /// At once and in one piece: greetings, refusals, and other lines that no rate may split.
    Whole,
}

/// Where a chunk's bytes come from.
#[derive(Debug)]
pub enum Chunk {
    /// Bytes that cannot be made again, kept until they are sent; at most [`MAX_CHUNK`].
    Boxed(Box<[u8]>),
    /// What [`Script::speak`](super::Script::speak) makes of the run's state.
    Spoken,
}

states! {
    /// What becomes of the client's bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ReadMode {
        /// The script hears them.
        Deliver,
        /// They are read and dropped, so that its leaving is noticed.
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
