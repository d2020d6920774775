//! Where the log and the clients' trace go.

use std::{fmt, num::NonZeroU32, path::PathBuf};

use super::Placed;

/// The settings of log and trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    /// Where the log goes.
    pub(crate) main: Placed<Sink>,
    pub(crate) level: Level,
    /// Where the clients' trace goes.
    pub(crate) client_trace: Placed<Sink>,
    /// Whether the trace has secrets in full.
    pub(crate) log_secrets: Placed<bool>,
    /// Whether the trace has users' names.
    pub(crate) log_users: bool,
    /// How the trace is written.
    pub(crate) format: Placed<TraceFormat>,
    /// How the trace writes moments.
    pub(crate) time: Placed<TimeForm>,
    /// How clients' addresses are written and shown.
    pub(crate) anonymize: Placed<Anonymize>,
    /// The most lines a second that the trace may have in the long run; `None`: no bound.
    pub(crate) trace_per_second: Placed<Option<NonZeroU32>>,
    /// Whether the trace is JSON on a terminal, too.
    pub(crate) json: bool,
}

impl Logging {
    /// Which personal data the trace leaves out.
    pub(crate) fn discretion(&self) -> Discretion {
        Discretion {
            log_secrets: *self.log_secrets,
            log_users: self.log_users,
            log_forwarded: *self.anonymize == Anonymize::None,
        }
    }
}

/// Which personal data the trace leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Discretion {
    /// Whether passwords and the like are written.
    pub(crate) log_secrets: bool,
    /// Whether users' names are written.
    pub(crate) log_users: bool,
    /// Whether the addresses that relays name in HTTP requests are written.
    pub(crate) log_forwarded: bool,
}

/// Where lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    File(PathBuf),
    Stderr,
    Stdout,
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stderr => f.write_str("<stderr>"),
            Self::Stdout => f.write_str("<stdout>"),
        }
    }
}

/// The level of a message in the log; later ones are graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    /// Clients that come and go; only `-v` asks for it.
    Clients,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// Each level that has a name in the configuration, the least grave first.
    pub(crate) const NAMED: [(Self, &'static str); 5] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
    ];

    /// The name in the configuration; [`Level::Clients`] has none of its own.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(level, _)| *level == self).map_or("info", |(_, name)| name)
    }
}

/// Whose lines the trace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceFormat {
    Cowrie,
    /// The Elastic Common Schema.
    Ecs,
    Endlessh,
    /// Our own.
    Jsonl,
}

impl TraceFormat {
    /// Every format.
    pub(crate) const ALL: [Self; 4] = [Self::Jsonl, Self::Ecs, Self::Cowrie, Self::Endlessh];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cowrie => "cowrie",
            Self::Ecs => "ecs",
            Self::Endlessh => "endlessh",
            Self::Jsonl => "jsonl",
        }
    }
}

/// How clients' addresses are written and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anonymize {
    /// As a hash under a key of the installation.
    Keyed,
    /// As they are.
    None,
    /// As their network.
    Prefix,
}

impl Anonymize {
    /// Every way.
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Prefix, Self::Keyed];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keyed => "keyed",
            Self::None => "none",
            Self::Prefix => "prefix",
        }
    }
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// Seconds since 1970, with six decimals.
    Epoch,
    /// RFC 3339, in UTC, with milliseconds.
    Rfc3339,
}

impl TimeForm {
    /// Every form.
    pub(crate) const ALL: [Self; 2] = [Self::Epoch, Self::Rfc3339];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Rfc3339 => "rfc3339",
        }
    }
}
