//! The listeners that clients are sent to: a pattern's own port, or one that serves every protocol.

/// A kind of listener.
#[derive(PartialEq)]
pub(crate) struct Listener {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// Its pattern.
    pub(crate) pattern: &'static str,
    /// Further lines of its configuration.
    pub(crate) keys: &'static str,
    /// The port that it must have, if that matters to it.
    pub(crate) port: Option<u16>,
}

impl Listener {
    /// A pattern on a port of its own.
    pub(crate) const fn of(pattern: &'static str) -> Self {
        Self { name: pattern, pattern, keys: "", port: None }
    }

    /// A pattern at a rate at which nothing waits, for what would leave before it has seen much.
    pub(crate) const fn fast(name: &'static str, pattern: &'static str) -> Self {
        Self { name, pattern, keys: "rate_limit = 1000\n", port: None }
    }

    /// One port for all protocols, of which clients that wait for the server are told what is usual
    /// for the port.
    pub(crate) const fn auto(name: &'static str, port: u16) -> Self {
        Self { name, pattern: "auto", keys: "", port: Some(port) }
    }
}

/// One port for all protocols, whichever is free.
pub(crate) static AUTO: Listener = Listener { name: "auto", pattern: "auto", keys: "", port: None };
