//! What the daemon is to do, from a file, the command line or the embedded default.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use tarpit_proto::{pacer::Rate, script::Pattern};

/// All that was asked for. Nothing in it needs to be checked again.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Threads that serve clients.
    pub(crate) workers: NonZeroUsize,
    /// Where host keys and the persona's seed are kept; `None`: they are new at each start.
    pub(crate) state_dir: Option<PathBuf>,
    /// Who the daemon becomes once it has opened its ports and files.
    pub(crate) user: Option<User>,
    /// The machine that is played: one of [`Persona::names`].
    ///
    /// [`Persona::names`]: tarpit_proto::persona::Persona::names
    pub(crate) persona: &'static str,
    /// What to serve, in the order in which it was written; never empty.
    pub(crate) tarpits: Vec<Tarpit>,
    pub(crate) limits: Limits,
    pub(crate) logging: Logging,
    /// Whether to serve the other addresses when one cannot be had.
    pub(crate) keep_going: bool,
    /// What its author should know, one line each.
    pub(crate) warnings: Vec<String>,
}

/// A pattern on its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Tarpit {
    pub(crate) name: String,
    pub(crate) pattern: &'static dyn Pattern,
    /// Where it listens; never empty. No two tarpits share an address, but for port 0.
    pub(crate) bind: Vec<SocketAddr>,
    /// `None`: the pattern keeps its own pace.
    pub(crate) rate: Option<Rate>,
    /// The most clients on each of the addresses; `None`: no cap.
    pub(crate) max_clients: Option<NonZeroU32>,
    /// Whether clients must show that they speak the pattern's protocol.
    pub(crate) client_validation: bool,
    pub(crate) client_trace: bool,
}

/// What all tarpits together may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) clients: ClientLimit,
    /// The most clients with one address; `None`: no cap.
    pub(crate) per_address: Option<NonZeroU32>,
    /// The most clients in one /24 (IPv6: /56); `None`: no cap.
    pub(crate) per_prefix: Option<NonZeroU32>,
    /// The most bytes a second to all clients; `None`: no cap.
    pub(crate) egress: Option<NonZeroU64>,
    /// The most bytes a day to all clients; `None`: no cap.
    pub(crate) egress_per_day: Option<NonZeroU64>,
}

/// The most clients in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientLimit {
    AtMost(NonZeroU32),
    /// As many as files may be open, less 64.
    FileLimit,
    Unlimited,
}

/// What is written where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    /// Where the log goes.
    pub(crate) main: Sink,
    pub(crate) level: Level,
    /// Where the clients' trace goes.
    pub(crate) client_trace: Sink,
}

/// Where lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    File(PathBuf),
    Stderr,
    Stdout,
}

/// How grave a message in the log is; a later one is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// A user of the system, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Ids { uid: u32, gid: Option<u32> },
    Name(String),
}

impl std::fmt::Display for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stderr => f.write_str("<stderr>"),
            Self::Stdout => f.write_str("<stdout>"),
        }
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ids { uid, gid: Some(gid) } => write!(f, "{uid}:{gid}"),
            Self::Ids { uid, gid: None } => write!(f, "{uid}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}
