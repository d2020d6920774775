//! The parsed settings: the types that every floor above reads. `config` makes them.

mod admin;
pub(crate) mod finding;
mod logging;
mod network;
mod place;
mod sandbox;

use std::{
    collections::BTreeSet,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use tarpit_proto::{pacer::Rate, script::Pattern};

pub(crate) use self::{
    admin::{
        AdminAddress, Compat, Control, Metrics, SocketAccess, Surface, SurfaceBind, Token, Web,
    },
    logging::{Anonymize, Discretion, Level, Logging, Sink, TimeForm, TraceFormat},
    network::{AccessLists, Family, Network, is_public},
    place::{Place, Placed},
    sandbox::SandboxMode,
};

/// The whole configuration. Nothing in it needs to be checked again.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Threads that serve clients.
    pub(crate) workers: NonZeroUsize,
    /// Whether sends may go by `io_uring`.
    pub(crate) io_uring: bool,
    /// The directory for host keys and the persona's seed; `None`: they are new at each start.
    pub(crate) state_dir: Option<Placed<PathBuf>>,
    /// The user that the daemon becomes once it has opened its ports and files.
    pub(crate) user: Option<Placed<User>>,
    /// The tarpits, in the order of the file; never empty.
    pub(crate) tarpits: Vec<Tarpit>,
    pub(crate) limits: Limits,
    /// Clients that are not held.
    pub(crate) access: AccessLists,
    pub(crate) logging: Logging,
    /// Files with databases that tell where clients come from.
    pub(crate) geoip: Vec<Placed<PathBuf>>,
    pub(crate) metrics: Metrics,
    pub(crate) control: Control,
    pub(crate) web: Web,
    /// How far the daemon confines itself.
    pub(crate) sandbox: Placed<SandboxMode>,
    /// The configuration's own file; `None` if it is in none.
    pub(crate) file: Option<PathBuf>,
    /// Where the process number is written.
    pub(crate) pid_file: Option<PathBuf>,
    /// Whether to serve the other addresses when one cannot be opened.
    pub(crate) keep_going: bool,
    /// Warnings for the author, one line each.
    pub(crate) warnings: Vec<finding::Finding>,
}

impl Settings {
    /// Whether the clients of any tarpit are traced.
    pub(crate) fn is_traced(&self) -> bool {
        self.tarpits.iter().any(|tarpit| tarpit.client_trace)
    }

    /// All addresses on which this many workers listen.
    pub(crate) fn wanted(&self, workers: usize) -> Vec<Wanted> {
        let mut all = Vec::new();
        for (index, tarpit) in self.tarpits.iter().enumerate() {
            let clients = tarpit.addresses();
            all.extend(clients.map(|at| Wanted { index, at, purpose: Purpose::Clients }));
            let hosts: BTreeSet<_> = tarpit.addresses().map(|at| at.ip()).collect();
            for host in hosts {
                let ports = tarpit.passive_ports.iter().enumerate();
                all.extend(ports.map(|(place, &port)| {
                    let purpose = Purpose::Data(place % workers.max(1));
                    Wanted { index, at: SocketAddr::new(host, port), purpose }
                }));
            }
        }
        all
    }

    /// All sockets of the admin server.
    pub(crate) fn surfaces(&self) -> Vec<SurfaceBind> {
        let metrics = self.metrics.bind.iter().map(|bind| SurfaceBind {
            surface: Surface::Metrics,
            at: bind.value.clone(),
            access: SocketAccess::GROUP,
            place: bind.place.clone(),
        });
        let Control { socket, group } = &self.control;
        let control = socket.iter().map(|socket| SurfaceBind {
            surface: Surface::Control,
            at: AdminAddress::Unix(socket.value.clone()),
            access: match group {
                Some(group) => SocketAccess { group: Some(*group), ..SocketAccess::GROUP },
                None => SocketAccess::OWNER,
            },
            place: socket.place.clone(),
        });
        let web = self.web.bind.iter().map(|bind| SurfaceBind {
            surface: Surface::Web,
            at: bind.value.clone(),
            access: SocketAccess::GROUP,
            place: bind.place.clone(),
        });
        control.chain(metrics).chain(web).collect()
    }
}

/// A pattern on its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Tarpit {
    pub(crate) name: String,
    pub(crate) pattern: &'static dyn Pattern,
    /// Where it listens; empty only where `sockets` is not. No two tarpits share an address, but
    /// for port 0.
    pub(crate) bind: Vec<Placed<SocketAddr>>,
    /// Sockets that the service manager opens for it. At a start their addresses come to `bind`.
    pub(crate) sockets: Vec<Placed<SocketName>>,
    /// `None`: the pattern keeps its own pace.
    pub(crate) rate: Option<Rate>,
    /// The most clients on each of the addresses; `None`: no cap.
    pub(crate) max_clients: Placed<Option<NonZeroU32>>,
    /// Whether clients must show that they speak the pattern's protocol.
    pub(crate) client_validation: bool,
    pub(crate) client_trace: bool,
    /// The machine that it imitates: one of [`Persona::names`].
    ///
    /// [`Persona::names`]: tarpit_proto::persona::Persona::names
    pub(crate) persona: &'static str,
    /// Whether clients may be told that they got in.
    pub(crate) poison: bool,
    /// `None`: as each port of a tarpit says.
    pub(crate) strict_lock: Option<bool>,
    /// The owner's certificate for TLS; `None`: self-signed ones.
    pub(crate) certificate: Option<Certificate>,
    /// What is inside TLS; `None`: HTTP.
    pub(crate) inner: Option<&'static dyn Pattern>,
    /// Where data connections arrive: each port belongs to one worker, in turn.
    pub(crate) passive_ports: Placed<Vec<u16>>,
    /// Where clients are told to open them; `None`: at the address that they connected to.
    pub(crate) passive_address: Option<Ipv4Addr>,
    pub(crate) route: Route,
}

/// Which sockets of the service manager a tarpit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SocketName {
    /// All of this name.
    Named(String),
    /// All that no other tarpit names.
    Rest,
}

impl fmt::Display for SocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "systemd:{name}"),
            Self::Rest => f.write_str("systemd"),
        }
    }
}

/// How clients reach a tarpit, if not directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Whether the firewall directs connections for other ports to it.
    pub(crate) redirected: bool,
    /// Relays that name the client in a PROXY header.
    pub(crate) proxy_from: BTreeSet<Network>,
}

impl Tarpit {
    /// Where it listens for clients.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.bind.iter().map(|bind| bind.value)
    }

    /// The place of this address in the configuration.
    pub(crate) fn place(&self, wanted: Wanted) -> Option<&Place> {
        match wanted.purpose {
            Purpose::Clients => {
                let bind = self.bind.iter().find(|bind| bind.value == wanted.at)?;
                bind.place.as_ref()
            }
            Purpose::Data(_) => self.passive_ports.place.as_ref(),
        }
    }
}

/// An address on which to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The tarpit's place among [`Settings::tarpits`].
    pub(crate) index: usize,
    pub(crate) at: SocketAddr,
    pub(crate) purpose: Purpose,
}

/// Which connections arrive at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everybody's, at any worker.
    Clients,
    /// Data connections of the clients of the worker with this number.
    Data(usize),
}

/// Files with a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Certificate {
    pub(crate) cert: Placed<PathBuf>,
    pub(crate) key: Placed<PathBuf>,
}

/// Limits for all tarpits together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) clients: Placed<ClientLimit>,
    /// The most clients with one address; `None`: no cap.
    pub(crate) per_address: Placed<Option<NonZeroU32>>,
    /// The most clients in one /24 (IPv6: /56); `None`: no cap.
    pub(crate) per_prefix: Placed<Option<NonZeroU32>>,
    /// The most bytes a second to all clients; `None`: no cap.
    pub(crate) egress: Placed<Option<NonZeroU64>>,
    /// The most bytes a day to all clients; `None`: no cap.
    pub(crate) egress_per_day: Placed<Option<NonZeroU64>>,
    /// The most key exchanges a second; `None`: no cap.
    pub(crate) handshakes_per_second: Placed<Option<NonZeroU32>>,
    /// The most of a core that each worker may use, in percent; `None`: no cap.
    pub(crate) cpu: Placed<Option<NonZeroU32>>,
    pub(crate) evict: Evict,
}

/// Which client goes when a cap in all or of a port is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evict {
    /// A client of the prefix that has the most, unless the new client's would then have as many.
    NoisiestPrefix,
    /// The client that has been held for the longest time.
    Oldest,
    /// The new client.
    Refuse,
}

impl Evict {
    /// Every policy.
    pub(crate) const ALL: [Self; 3] = [Self::NoisiestPrefix, Self::Oldest, Self::Refuse];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoisiestPrefix => "noisiest-prefix",
            Self::Oldest => "oldest",
            Self::Refuse => "refuse",
        }
    }
}

/// The most clients in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientLimit {
    AtMost(NonZeroU32),
    /// The limit of open files, less one for each listener and 64.
    FileLimit,
    Unlimited,
}

/// A user of the system, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Ids { uid: u32, gid: Option<u32> },
    Name(String),
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ids { uid, gid: Some(gid) } => write!(f, "{uid}:{gid}"),
            Self::Ids { uid, gid: None } => write!(f, "{uid}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}
