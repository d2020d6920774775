//! Ports: opened for those who are to come to them, or what is in the way.

use std::{
    cell::OnceCell,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::io::Errno;

use crate::{
    config::{Config, Place, Purpose, Tarpit, Wanted},
    listener::{self, Listener},
    port_owner::{Owner, Owners},
};

/// The listeners of one address: one for each worker, or for the one whose data connections come
/// there.
pub(super) struct Opened {
    pub(super) wanted: Wanted,
    pub(super) listeners: Vec<Listener>,
}

impl Opened {
    /// Listens on an address, or says what is in the way.
    pub(super) fn open(
        wanted: Wanted,
        tarpit: &Tarpit,
        workers: usize,
    ) -> Result<Self, Box<Unbound>> {
        let count = match wanted.purpose {
            Purpose::Clients => workers,
            Purpose::Data(_) => 1,
        };
        let bind = || -> io::Result<Vec<Listener>> {
            let shared = count > 1;
            if shared {
                listener::probe(wanted.at)?;
            }
            let first = Listener::bind(wanted.at, tarpit.rate, shared)?;
            let address = first.address();
            let mut all = vec![first];
            for _ in 1..count {
                all.push(Listener::bind(address, tarpit.rate, shared)?);
            }
            Ok(all)
        };
        match bind() {
            Ok(listeners) => Ok(Self { wanted, listeners }),
            Err(error) => {
                let (name, place) = (tarpit.name.clone(), tarpit.place(wanted).cloned());
                let (asked, owner) = (wanted.at, Owner::Unknown);
                Err(Box::new(Unbound { place, name, asked, error, owner }))
            }
        }
    }
}

/// Opens all addresses; what is in the way goes to `problems`. Second comes what is lacking on this
/// machine and is made up for by the rest.
pub(super) fn open_all(config: &Config, problems: &mut Vec<String>) -> (Vec<Opened>, Vec<String>) {
    let (mut opened, mut lacking) = (Vec::new(), Vec::new());
    let (workers, owners) = (config.workers.get(), OnceCell::new());
    for wanted in config.wanted(workers) {
        let tarpit = &config.tarpits[wanted.index];
        match Opened::open(wanted, tarpit, workers) {
            Ok(one) => opened.push(one),
            Err(problem) if problem.is_for_lack_of_ipv6(tarpit) => {
                lacking.push(problem.to_string());
            }
            Err(problem) if problem.is_busy() => {
                let owner = owners.get_or_init(Owners::look).of(problem.asked);
                problems.push(Unbound { owner, ..*problem }.to_string());
            }
            Err(problem) => problems.push(problem.to_string()),
        }
    }
    (opened, lacking)
}

/// An address that cannot be had.
pub(super) struct Unbound {
    /// Where it is written.
    place: Option<Place>,
    name: String,
    asked: SocketAddr,
    error: io::Error,
    /// Who has it, if that was looked up.
    owner: Owner,
}

impl Unbound {
    /// Whether somebody has the address already.
    pub(super) fn is_busy(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }

    /// Whether the machine only lacks IPv6 and the same was asked for over IPv4, as `*` and
    /// `localhost` do.
    pub(super) fn is_for_lack_of_ipv6(&self, tarpit: &Tarpit) -> bool {
        let ip = match self.asked.ip() {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            _ => return false,
        };
        let lacks = matches!(
            Errno::from_io_error(&self.error),
            Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
        );
        lacks && tarpit.bind.iter().any(|other| other.ip() == ip)
    }
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, name, asked, error, owner } = self;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        let cure = match (error.kind(), owner) {
            (io::ErrorKind::AddrInUse, Owner::Other { pid, name }) => &format!(
                "`{}` (pid {pid}) has it; stop that one or take another port",
                name.escape_debug()
            ),
            (io::ErrorKind::AddrInUse, Owner::Tarpitd { pid }) => &format!(
                "a tarpitd that is running (pid {pid}) has it; stop that one or take another port"
            ),
            (io::ErrorKind::AddrInUse, Owner::Unknown) => {
                "another program has it; stop that one or take another port"
            }
            (io::ErrorKind::AddrNotAvailable, _) => {
                "this machine has no such address; see `ip address`"
            }
            (io::ErrorKind::PermissionDenied, _) => {
                "ports below 1024 need root or CAP_NET_BIND_SERVICE"
            }
            _ => "choose another address",
        };
        write!(f, "{name}: cannot listen on {asked}: {error}; {cure}")
    }
}
