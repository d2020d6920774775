//! In which form long tests run.

use std::time::Duration;

use crate::client::span::Span;

/// The form of tests that could take minutes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// As long as it takes to see all that the manual promises.
    Full,
    /// Some twenty seconds each; a real client has twice as long, since its first guesses take that.
    Short,
}

impl Form {
    /// The form that a command asks for.
    pub(crate) fn of(is_full: bool) -> Self {
        if is_full { Self::Full } else { Self::Short }
    }

    /// For how long real clients are watched.
    pub(crate) fn span(self) -> Span {
        match self {
            Self::Full => Span::FULL,
            Self::Short => Span::SHORT,
        }
    }

    /// For how long the daemon bears a mixed crowd.
    pub(crate) fn soak(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(60),
            Self::Short => Duration::from_secs(20),
        }
    }
}
