//! Where people and machines look at the daemon: the surfaces of the admin server.

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf};

use super::{Place, Placed};

/// What the admin server serves at a socket. Each surface has its own routes and rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Surface {
    /// Status, held clients, and what the owner may do to them; for the daemon's own user.
    Control,
    /// Counters for Prometheus; read only.
    Metrics,
    /// A page for people; read only.
    Web,
}

impl Surface {
    /// Every surface.
    pub(crate) const ALL: [Self; 3] = [Self::Control, Self::Metrics, Self::Web];

    /// The name of its table in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Metrics => "metrics",
            Self::Web => "web",
        }
    }

    /// The longest body of a request, in bytes.
    pub(crate) fn longest_body(self) -> usize {
        match self {
            Self::Control | Self::Metrics | Self::Web => 0,
        }
    }
}

/// Where a surface listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AdminAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A surface at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurfaceBind {
    pub(crate) surface: Surface,
    pub(crate) at: AdminAddress,
    pub(crate) access: SocketAccess,
    /// Where `at` is written.
    pub(crate) place: Option<Place>,
}

/// Who may connect to a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketAccess {
    pub(crate) mode: u32,
    /// The socket's group; `None`: the daemon's.
    pub(crate) group: Option<u32>,
}

impl SocketAccess {
    /// The daemon's user and group.
    pub(crate) const GROUP: Self = Self { mode: 0o660, group: None };

    /// The daemon's user, and nobody else.
    pub(crate) const OWNER: Self = Self { mode: 0o600, group: None };
}

/// The settings of the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Where they are served; empty: nowhere.
    pub(crate) bind: Vec<Placed<AdminAddress>>,
    /// Whose names stand beside tarpitd's own.
    pub(crate) compat: Compat,
    /// How many addresses have series of their own; `None`: no address.
    pub(crate) top_clients: Placed<Option<NonZeroU32>>,
}

impl Metrics {
    /// Whether ports are counted, too.
    pub(crate) fn count_ports(&self) -> bool {
        self.compat == Compat::EndlesshGo && !self.bind.is_empty()
    }

    /// How many of the busiest addresses are to be known.
    pub(crate) fn busiest(&self) -> usize {
        if self.count_ports() { self.top_clients.map_or(0, |most| most.get() as usize) } else { 0 }
    }
}

/// Another program whose metric names are served, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compat {
    EndlesshGo,
    #[default]
    None,
}

impl Compat {
    /// Every program.
    pub(crate) const ALL: [Self; 2] = [Self::EndlesshGo, Self::None];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EndlesshGo => "endlessh-go",
            Self::None => "none",
        }
    }
}

/// The settings of the control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// Where it is; `None`: there is none.
    pub(crate) socket: Option<Placed<PathBuf>>,
    /// The group whose members may use it; `None`: only the daemon's user may.
    pub(crate) group: Option<u32>,
}

/// The settings of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Web {
    /// Where it is served; empty: nowhere.
    pub(crate) bind: Vec<Placed<AdminAddress>>,
    /// What readers must show; `None`: nothing.
    pub(crate) token: Option<Placed<Token>>,
}

/// A secret that the page's readers share.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
