//! For how long clients are watched, and how long they have to stay.

use std::time::Duration;

/// How long clients are watched.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// When a client that is still there is ended.
    pub(crate) cap: Duration,
    /// How long a client without a limit of its own has to stay.
    pub(crate) wanted: Duration,
}

impl Span {
    /// The promise of the manual: two minutes, with some room above.
    pub(crate) const FULL: Self =
        Self { cap: Duration::from_secs(130), wanted: Duration::from_secs(120) };
    /// For the ordinary tests.
    pub(crate) const SHORT: Self =
        Self { cap: Duration::from_secs(40), wanted: Duration::from_secs(40) };
}
