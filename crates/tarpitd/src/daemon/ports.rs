//! Ports: opening them, or saying why one cannot be opened.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::io::Errno;

use super::{activated::Activated, files::CURE, hand_over::take::Inherited};
use crate::{
    keys::state_dir::Touch,
    os::{
        listen_socket::{self, ListenSocket, NAT_ONLY, Presence, Redirected, Use},
        login,
        port_owner::{Owner, Owners},
    },
    settings::{
        Place, Purpose, Settings, SurfaceBind, Tarpit, Wanted,
        finding::{Finding, Gravity, plain},
    },
};

/// The sockets of one address: one for each worker, or one for the worker whose data connections
/// arrive there.
pub(super) struct Opened {
    pub(super) wanted: Wanted,
    pub(super) sockets: Vec<ListenSocket>,
}

impl Opened {
    /// Whether this machine has the address.
    pub(super) fn presence(&self) -> Presence {
        self.sockets.first().map_or(Presence::Present, ListenSocket::presence)
    }

    /// Whether NAT leads to it, and TPROXY would if this process had the right.
    pub(super) fn is_by_nat(&self) -> bool {
        self.sockets.iter().any(|socket| socket.redirected() == Redirected::ByNat)
    }

    /// Goes on with the sockets of an earlier daemon, if it had any for this address. Also says for how
    /// many workers none can be opened beside them.
    fn inherit(
        wanted: Wanted,
        tarpit: &Tarpit,
        workers: usize,
        inherited: &mut Inherited,
    ) -> Option<(Self, usize)> {
        let mut sockets = inherited.listeners(&tarpit.name, wanted);
        let address = sockets.first()?.address();
        let redirected = tarpit.route.redirected && wanted.purpose == Purpose::Clients;
        let purpose = Use { rate: tarpit.rate, shared: true, redirected };
        for socket in &mut sockets {
            socket.suit(purpose);
        }
        let count = match wanted.purpose {
            Purpose::Clients => workers,
            Purpose::Data(_) => 1,
        };
        while sockets.len() < count {
            // A socket of a single worker shares its port with no other.
            match ListenSocket::bind(address, purpose) {
                Ok(socket) => sockets.push(socket),
                Err(_) => break,
            }
        }
        let lacking = count.saturating_sub(sockets.len());
        Some((Self { wanted, sockets }, lacking))
    }

    /// Listens on an address, or says why it cannot.
    pub(super) fn open(
        wanted: Wanted,
        tarpit: &Tarpit,
        (workers, activated): (usize, &Activated),
    ) -> Result<Self, Box<Unbound>> {
        let count = match wanted.purpose {
            Purpose::Clients => workers,
            Purpose::Data(_) => 1,
        };
        let bind = || -> io::Result<Vec<ListenSocket>> {
            let shared = count > 1;
            let redirected = tarpit.route.redirected && wanted.purpose == Purpose::Clients;
            let purpose = Use { rate: tarpit.rate, shared, redirected };
            if let Some(sockets) = activated.open(wanted, tarpit, (purpose, workers)) {
                return sockets;
            }
            if shared {
                listen_socket::probe(wanted.at)?;
            }
            let first = ListenSocket::bind(wanted.at, purpose)?;
            let address = first.address();
            let mut all = vec![first];
            for _ in 1..count {
                all.push(ListenSocket::bind(address, purpose)?);
            }
            Ok(all)
        };
        match bind() {
            Ok(sockets) => Ok(Self { wanted, sockets }),
            Err(error) => {
                let passed = activated.name_at(wanted.at).map(str::to_owned);
                let unbound = Unbound::new(Spot::of(wanted, tarpit), error);
                Err(Box::new(Unbound { passed, ..unbound }))
            }
        }
    }
}

/// The result of opening addresses.
#[derive(Default)]
pub(super) struct Found {
    pub(super) opened: Vec<Opened>,
    /// Addresses that cannot be opened.
    pub(super) unbound: Vec<Finding>,
    /// Notes and warnings about other addresses.
    pub(super) told: Vec<Finding>,
}

/// Opens all addresses that are not open already, or with [`Touch::Look`] only checks whether it could.
pub(super) fn open_all(
    settings: &Settings,
    touch: Touch,
    (activated, inherited): (&Activated, &mut Inherited),
) -> Found {
    let (mut opened, mut unbound, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let (mut absent, mut lacking) = (Vec::new(), Vec::new());
    let workers = settings.workers.get();
    for wanted in settings.wanted(workers) {
        let tarpit = &settings.tarpits[wanted.index];
        // What the service manager has opened is served as that has it.
        let inherits = activated.name_at(wanted.at).is_none();
        if let Some((one, lacking)) =
            inherits.then(|| Opened::inherit(wanted, tarpit, workers, inherited)).flatten()
        {
            opened.push(one);
            if lacking > 0 {
                let what = format!(
                    "{}: {}: {lacking} of {workers} workers cannot listen here before a restart: \
                     the earlier daemon had one worker",
                    tarpit.name, wanted.at
                );
                told.push(Finding::new(Gravity::Warning, tarpit.place(wanted), what));
            }
            continue;
        }
        let found = match touch {
            Touch::Keep => Opened::open(wanted, tarpit, (workers, activated)).map(|one| {
                let presence = one.presence();
                opened.push(one);
                presence
            }),
            Touch::Look => listen_socket::look(wanted.at)
                .map_err(|error| Box::new(Unbound::new(Spot::of(wanted, tarpit), error))),
        };
        if touch == Touch::Look && tarpit.route.redirected && !listen_socket::may_tproxy(wanted.at)
        {
            let what = format!("{}: {}: {NAT_ONLY}", tarpit.name, wanted.at);
            told.push(Finding::new(Gravity::Warning, tarpit.place(wanted), what));
        }
        match found {
            Ok(Presence::Present) => {}
            Ok(Presence::Absent) => absent.push(Spot::of(wanted, tarpit)),
            Err(problem) if problem.is_for_lack_of_ipv6(tarpit.addresses()) => {
                lacking.push(*problem);
            }
            Err(problem) => unbound.push(*problem),
        }
    }
    let warn = |one: &Unbound| one.finding(Gravity::Warning);
    told.extend(absences(absent));
    told.extend(grouped(lacking).iter().map(warn));
    let mut refused = Vec::new();
    for one in grouped(unbound) {
        match one.note().filter(|_| touch == Touch::Look) {
            Some(note) => told.push(note),
            None => refused.push(one.at_start()),
        }
    }
    Found { opened, unbound: refused, told }
}

/// Finds which processes use busy addresses, and merges equal findings of several addresses.
pub(super) fn grouped(all: Vec<Unbound>) -> Vec<Unbound> {
    let owners = all.iter().any(Unbound::is_busy).then(Owners::look);
    let login = owners.as_ref().and_then(|_| login::present());
    let mut groups: Vec<Unbound> = Vec::new();
    for mut one in all {
        if let Some(owners) = owners.as_ref().filter(|_| one.is_busy()) {
            one.owner = owners.of(one.spot.first);
            one.has_login = login.is_some_and(|login| login.came_to(one.spot.first));
        }
        match groups.iter_mut().find(|group| group.is_like(&one)) {
            Some(group) => group.spot.more += 1,
            None => groups.push(one),
        }
    }
    groups
}

/// Warns of addresses that this machine does not have yet.
pub(super) fn absences(spots: Vec<Spot>) -> Vec<Finding> {
    let mut groups: Vec<Spot> = Vec::new();
    for spot in spots {
        match groups.iter_mut().find(|group| group.place == spot.place) {
            Some(group) => group.more += 1,
            None => groups.push(spot),
        }
    }
    let warning = |spot: &Spot| {
        let what = format!(
            "{}: {spot}: this machine does not have this address yet (see `ip address`); clients \
             can connect once it has",
            spot.name
        );
        Finding::new(Gravity::Warning, spot.place.as_ref(), what)
    };
    groups.iter().map(warning).collect()
}

/// One address, or several that are written at the same place.
pub(super) struct Spot {
    place: Option<Place>,
    /// The tarpit or the surface.
    name: String,
    first: SocketAddr,
    /// How many others there are.
    more: usize,
}

impl Spot {
    pub(super) fn of(wanted: Wanted, tarpit: &Tarpit) -> Self {
        Self {
            place: tarpit.place(wanted).cloned(),
            name: tarpit.name.clone(),
            first: wanted.at,
            more: 0,
        }
    }

    /// The port of a surface.
    pub(super) fn of_surface(bind: &SurfaceBind, at: SocketAddr) -> Self {
        Self { place: bind.place.clone(), name: bind.surface.name().into(), first: at, more: 0 }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        match self.more {
            0 => Ok(()),
            1 => write!(f, " and 1 other address"),
            more => write!(f, " and {more} other addresses"),
        }
    }
}

/// An address that cannot be opened.
pub(super) struct Unbound {
    spot: Spot,
    error: io::Error,
    /// The process that uses it, if that was looked up.
    owner: Owner,
    /// Whether the present SSH login came to it.
    has_login: bool,
    /// The name of the socket that systemd has opened there.
    passed: Option<String>,
}

impl Unbound {
    /// That the system refuses a spot, with `error`.
    pub(super) fn new(spot: Spot, error: io::Error) -> Self {
        Self { spot, error, owner: Owner::Unknown, has_login: false, passed: None }
    }

    /// Whether a process has the address already.
    pub(super) fn is_busy(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }

    /// Whether only IPv6 is missing, and the same port is served over IPv4, as with `*` and
    /// `localhost`.
    pub(super) fn is_for_lack_of_ipv6(&self, mut all: impl Iterator<Item = SocketAddr>) -> bool {
        let ip = match self.spot.first.ip() {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            _ => return false,
        };
        let lacks = matches!(self.errno(), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT));
        lacks && all.any(|other| other.ip() == ip)
    }

    /// Why it cannot be opened, and what to do.
    pub(super) fn finding(&self, gravity: Gravity) -> Finding {
        Finding::new(gravity, self.spot.place.as_ref(), self.what())
    }

    /// The refusal that this is.
    pub(super) fn gravity(&self) -> Gravity {
        let hidden = self.is_busy() && self.owner == Owner::Unknown;
        // Root may see that it is a tarpitd.
        if hidden { Gravity::Rights } else { Gravity::of(&self.error) }
    }

    /// Why a start cannot open it.
    pub(super) fn at_start(&self) -> Finding {
        self.finding(self.gravity())
    }

    /// Why a reload cannot open it: the running daemon may have dropped the right that it needs.
    pub(super) fn at_reload(&self) -> Finding {
        let is_privileged = self.spot.first.port() < 1_024;
        if !is_privileged || Errno::from_io_error(&self.error) != Some(Errno::ACCESS) {
            return self.at_start();
        }
        let what = format!(
            "{}; the running daemon has neither: `tarpitd upgrade` starts one that may have it",
            self.what()
        );
        Finding::new(Gravity::Rights, self.spot.place.as_ref(), what)
    }

    /// That a tarpitd has it, if one has.
    pub(super) fn note(&self) -> Option<Finding> {
        let Owner::Tarpitd { pid } = self.owner else { return None };
        let Spot { place, name, .. } = &self.spot;
        let what = format!("{name}: {}: held by the running tarpitd (pid {pid})", self.spot);
        Some(Finding::new(Gravity::Note, place.as_ref(), what))
    }

    /// Whether one line can report both. If files run out or another tarpitd has the addresses, the
    /// places in the file may differ.
    fn is_like(&self, other: &Self) -> bool {
        let is_out_of_files = matches!(self.errno(), Some(Errno::MFILE | Errno::NFILE));
        let is_ours = matches!(self.owner, Owner::Tarpitd { .. });
        let is_near = is_out_of_files || is_ours || self.spot.place == other.spot.place;
        is_near && self.errno() == other.errno() && self.owner == other.owner
    }

    fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.error)
    }

    /// That the present login came to it: "in use" would tempt its owner to stop the program.
    fn of_login(&self) -> String {
        let program = match &self.owner {
            Owner::Other { pid, name } => format!("`{}` (pid {pid})", name.escape_debug()),
            Owner::Tarpitd { .. } | Owner::Unknown => "sshd".to_owned(),
        };
        let Spot { name, .. } = &self.spot;
        format!(
            "{name}: cannot listen on {}: your present SSH login came to it, and {program} serves \
             it; choose another port or address, or move sshd to another port first and log in there",
            self.spot
        )
    }

    fn what(&self) -> String {
        if let (Some(name), true) = (&self.passed, self.is_busy()) {
            return format!(
                "{}: cannot listen on {}: systemd has opened it for tarpitd; write `systemd:{}` in \
                 its place",
                self.spot.name,
                self.spot,
                name.escape_debug()
            );
        }
        let cure = match (self.errno(), &self.owner) {
            (Some(Errno::ADDRINUSE), Owner::Other { .. } | Owner::Unknown) if self.has_login => {
                return self.of_login();
            }
            (Some(Errno::ADDRINUSE), Owner::Other { pid, name }) => &format!(
                "`{}` (pid {pid}) uses it; stop that program or choose another port",
                name.escape_debug()
            ),
            (Some(Errno::ADDRINUSE), Owner::Tarpitd { pid }) => &format!(
                "the running tarpitd (pid {pid}) uses it; stop that one or choose another port"
            ),
            (Some(Errno::ADDRINUSE), Owner::Unknown) => {
                "another program uses it (root can see which); stop that one or choose another port"
            }
            (Some(Errno::ADDRNOTAVAIL), _) => "this machine has no such address; see `ip address`",
            (Some(Errno::ACCESS), _) if self.spot.first.port() >= 1_024 => {
                "a security policy such as SELinux forbids it; allow it or choose another port"
            }
            (Some(Errno::ACCESS), _) => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
            (Some(Errno::AFNOSUPPORT), _) => "this machine has no IPv6; use IPv4 addresses",
            (Some(Errno::INVAL), _) if self.spot.first.is_ipv6() => {
                "tarpitd cannot listen on link-local addresses (fe80::); choose another one"
            }
            (Some(Errno::MFILE), _) => CURE,
            (Some(Errno::NFILE), _) => "raise the sysctl fs.file-max",
            (Some(Errno::NOBUFS | Errno::NOMEM), _) => "give the system more memory",
            _ => "choose another address",
        };
        let Spot { name, .. } = &self.spot;
        format!("{name}: cannot listen on {}: {}; {cure}", self.spot, plain(&self.error))
    }
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at_start().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_is_the_same_for_many_addresses_is_told_once() {
        let text = "[tarpits.a]\npattern = 'endlessh'\nbind = ['127.0.0.1:1-495', '127.0.0.2:1']\n\
                    [tarpits.b]\npattern = 'endlessh'\nbind = '127.0.0.3:1'\n";
        let settings = config::parse("x", text).unwrap();
        let told = |errno: Errno| -> Vec<_> {
            let wanted = settings.wanted(1);
            let unbound = wanted
                .into_iter()
                .map(|it| Unbound::new(Spot::of(it, &settings.tarpits[it.index]), errno.into()))
                .collect();
            grouped(unbound).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(Errno::MFILE),
            [format!(
                "x:3:9: a: cannot listen on 127.0.0.1:1 and 496 other addresses: \
                 Too many open files; {CURE}"
            )]
        );
        let denied = told(Errno::ACCESS);
        assert_eq!(denied.len(), 3, "one for each entry: {denied:?}");
        assert!(denied[0].contains("127.0.0.1:1 and 494 other addresses"), "{denied:?}");
        assert!(denied[2].starts_with("x:6:8: b: cannot listen on 127.0.0.3:1: "), "{denied:?}");
    }
}
