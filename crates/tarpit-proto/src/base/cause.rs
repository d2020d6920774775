//! Why a client's connection ended.

/// Why a client's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The owner dropped it by hand.
    Dropped,
    /// It was evicted for another client.
    Evicted,
    /// The connection failed in a way that has no name here.
    Failed,
    /// The pattern's course ended.
    Finished,
    /// The client closed its side while nothing could be sent to it, so nobody can tell whether it
    /// still reads.
    HalfClosed,
    /// The client closed its side without having sent anything, where the client speaks first.
    Left,
    /// A relay named a client in whose name the connection would have been refused.
    Refused,
    /// The client reset the connection, or answered our bytes with a reset after closing its side.
    Reset,
    /// The daemon was stopped.
    Stopped,
    /// The client vanished: it acknowledged nothing for too long.
    TimedOut,
}

impl Cause {
    /// All of them, with what each means, for the manual.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Dropped, "you dropped the client with `tarpitd drop`"),
        (Self::Evicted, "tarpitd disconnected the client to make room for another"),
        (
            Self::Failed,
            "the connection failed in another way; a `conn_error` line precedes this one",
        ),
        (Self::Finished, "the pattern ended"),
        (
            Self::HalfClosed,
            "the client closed its sending side, and the protocol allowed no byte at that moment to \
             test whether it still reads",
        ),
        (
            Self::Left,
            "the client closed its sending side and had sent nothing, where the client speaks first",
        ),
        (
            Self::Refused,
            "a relay in `[access] forwarded_from` named a client that `[access]` or a limit refuses",
        ),
        (
            Self::Reset,
            "the client reset the connection, or closed its sending side and answered the next byte \
             with a reset",
        ),
        (Self::Stopped, "the daemon was stopped"),
        (Self::TimedOut, "the client vanished: it acknowledged nothing for too long"),
    ];

    /// The name in traces and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Evicted => "evicted",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::HalfClosed => "half_closed",
            Self::Left => "left",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Stopped => "stopped",
            Self::TimedOut => "timed_out",
        }
    }
}
