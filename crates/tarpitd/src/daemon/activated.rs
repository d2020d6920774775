//! Socket activation: the sockets that the service manager has opened, and which tarpit has which.
//!
//! The daemon keeps every socket until it ends, so a reload can give one to another tarpit. All
//! workers accept at the same socket, since it has no twin for each of them as an address has that
//! tarpitd binds itself: a newcomer wakes every worker, and the first one takes it.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    os::fd::{AsFd as _, BorrowedFd},
};

use super::plan::overlap;
use crate::{
    os::{
        listen_socket::{self, ListenSocket, Use},
        passed_sockets::Passed,
    },
    settings::{
        Placed, Purpose, Settings, SocketName, Tarpit, Wanted,
        finding::{Finding, Gravity},
        is_public,
    },
};

/// The sockets that this process was started with.
#[derive(Debug, Default)]
pub(super) struct Activated(Vec<Socket>);

/// One of them.
#[derive(Debug)]
struct Socket {
    passed: Passed,
    /// Where it listens, or why it is of no use.
    at: Result<SocketAddr, &'static str>,
}

impl Socket {
    /// Where it listens, or why it cannot be served.
    fn usable(&self) -> Result<SocketAddr, String> {
        let name = self.passed.name.escape_debug();
        self.at.map_err(|why| {
            format!(
                "the socket `{name}` {why}: write ListenStream= with a port and Accept=no in the \
                 socket unit"
            )
        })
    }
}

impl Activated {
    /// Those of all that was passed to this process.
    pub(super) fn new(passed: Vec<Passed>) -> Self {
        let socket = |passed: Passed| {
            let at = listen_socket::listens_at(passed.fd.as_fd());
            Socket { passed, at }
        };
        Self(passed.into_iter().map(socket).collect())
    }

    /// All of them, by their names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        self.0.iter().map(|socket| (socket.passed.name.as_str(), socket.passed.fd.as_fd()))
    }

    /// Adds to each tarpit's addresses those of its sockets. Says what is in the way, and which
    /// socket nobody uses.
    pub(super) fn give_to(&self, settings: &mut Settings) -> Vec<Finding> {
        let others = Others::of(settings);
        let mut findings = Vec::new();
        for tarpit in &mut settings.tarpits {
            for wanted in &tarpit.sockets {
                let chosen = self.chosen(wanted, &others);
                let addresses = chosen.and_then(|all| -> Result<Vec<_>, _> {
                    all.into_iter().map(Socket::usable).collect()
                });
                match addresses {
                    Ok(addresses) => {
                        findings.extend(self.cautions(tarpit, wanted, &addresses));
                        let placed = |value| Placed { value, place: wanted.place.clone() };
                        tarpit.bind.extend(addresses.into_iter().map(placed));
                    }
                    Err(what) => {
                        let what = format!("{}: `{wanted}`: {what}", tarpit.name);
                        findings.push(Finding::new(Gravity::Refused, wanted.place.as_ref(), what));
                    }
                }
            }
        }
        findings.extend(self.unused(&others));
        findings
    }

    /// A socket at this address for each of so many workers, if the tarpit has one from here.
    pub(super) fn open(
        &self,
        Wanted { at, purpose, .. }: Wanted,
        tarpit: &Tarpit,
        (usage, workers): (Use, usize),
    ) -> Option<io::Result<Vec<ListenSocket>>> {
        if tarpit.sockets.is_empty() || purpose != Purpose::Clients {
            return None;
        }
        let socket = self.0.iter().find(|socket| socket.at == Ok(at))?;
        let open = |_| ListenSocket::activate(socket.passed.fd.try_clone()?, at, usage);
        Some((0..workers).map(open).collect())
    }

    /// The name of a socket that keeps others from this address.
    pub(super) fn name_at(&self, at: SocketAddr) -> Option<&str> {
        let is_there = |socket: &&Socket| socket.at.is_ok_and(|other| overlap(other, at));
        self.0.iter().find(is_there).map(|socket| socket.passed.name.as_str())
    }

    /// The sockets that are meant, or why there are none.
    fn chosen(&self, wanted: &SocketName, others: &Others) -> Result<Vec<&Socket>, String> {
        let is_meant = |socket: &&Socket| match wanted {
            SocketName::Named(name) => socket.passed.name == *name,
            SocketName::Rest => !others.names.contains(&socket.passed.name),
        };
        let chosen: Vec<_> = self.0.iter().filter(is_meant).collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        Err(match wanted {
            _ if self.0.is_empty() => {
                "systemd has passed no socket (LISTEN_FDS): start tarpitd by \
                                       its socket unit, or write an address"
                    .to_owned()
            }
            SocketName::Named(name) => format!(
                "systemd has passed no socket of this name, but {}: write one of these, or \
                 FileDescriptorName={name} in the socket unit",
                self.names()
            ),
            SocketName::Rest => format!(
                "other tarpits name every socket that systemd has passed ({}): remove this, or \
                 write an address",
                self.names()
            ),
        })
    }

    /// What the owner of a tarpit should know of its sockets.
    fn cautions(
        &self,
        tarpit: &Tarpit,
        wanted: &Placed<SocketName>,
        addresses: &[SocketAddr],
    ) -> Vec<Finding> {
        let warning = |what| Finding::new(Gravity::Warning, wanted.place.as_ref(), what);
        let mut found = Vec::new();
        if let Some(caution) = tarpit.pattern.about().caution
            && addresses.iter().any(|at| is_public(at.ip()))
        {
            let pattern = tarpit.pattern.name();
            found.push(warning(format!("`{pattern}` is open to the world here: {caution}")));
        }
        let takes_both = |at: &SocketAddr| {
            let mut all = self.0.iter().filter(|socket| socket.at == Ok(*at));
            all.any(|socket| listen_socket::takes_both_families(socket.passed.fd.as_fd()))
        };
        if let Some(at) = addresses.iter().find(|at| takes_both(at))
            && !tarpit.passive_ports.is_empty()
        {
            found.push(warning(format!(
                "{}: data connections of clients with IPv4 find nobody, since one socket ({at}) \
                 takes both families: write BindIPv6Only=ipv6-only and a ListenStream= for each \
                 family in the socket unit",
                tarpit.name
            )));
        }
        found
    }

    /// Sockets of which no tarpit has the name.
    fn unused(&self, others: &Others) -> Vec<Finding> {
        let is_unused =
            |socket: &&Socket| !others.has_rest && !others.names.contains(&socket.passed.name);
        let unused = self.0.iter().filter(is_unused);
        let warning = |socket: &Socket| {
            let name = socket.passed.name.escape_debug();
            let at = socket.at.map(|at| format!(" ({at})")).unwrap_or_default();
            let what = format!(
                "no tarpit uses the socket `{name}`{at} that systemd has passed: write \
                 `bind = \"systemd:{name}\"`, or remove it from the socket unit"
            );
            Finding::new(Gravity::Warning, None, what)
        };
        unused.map(warning).collect()
    }

    /// The names of all, for a message.
    fn names(&self) -> String {
        let names: BTreeSet<_> = self.0.iter().map(|socket| &socket.passed.name).collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
        names.join(", ")
    }
}

/// What a check cannot see, since systemd passes sockets only at a start.
pub(super) fn notes(settings: &Settings) -> Vec<Finding> {
    let all = settings.tarpits.iter().flat_map(|tarpit| {
        tarpit.sockets.iter().map(|wanted| {
            let what = format!(
                "{}: `{wanted}`: systemd passes the socket at a start; `systemctl status` of the \
                 socket unit shows it",
                tarpit.name
            );
            Finding::new(Gravity::Note, wanted.place.as_ref(), what)
        })
    });
    all.collect()
}

/// The sockets that tarpits name.
struct Others {
    names: BTreeSet<String>,
    /// Whether a tarpit has the sockets that no tarpit names.
    has_rest: bool,
}

impl Others {
    fn of(settings: &Settings) -> Self {
        let (mut names, mut has_rest) = (BTreeSet::new(), false);
        for name in settings.tarpits.iter().flat_map(|tarpit| &tarpit.sockets) {
            match &name.value {
                SocketName::Named(name) => drop(names.insert(name.clone())),
                SocketName::Rest => has_rest = true,
            }
        }
        Self { names, has_rest }
    }
}
