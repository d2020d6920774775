//! The way through the service manager's store: held clients survive a restart of the unit.
//!
//! ```text
//!   old daemon        service manager          new daemon
//!      │ TERM ◄────────── │
//!      │ the workers pause
//!      │ ── sockets ────► │ (FDSTORE=1)
//!      │ writes their state to `state_dir`
//!      │ ends ──────────► │
//!                         │ ── sockets ───────────► │ (LISTEN_FDS)
//!                         │         reads the state │ and holds the clients
//!                         │ ◄─── FDSTOREREMOVE=1 ── │
//! ```
//! The service manager knows nothing of the clients and gives their sockets back in any order, so
//! the state names each by the kernel's cookie. It may also drop sockets: beyond
//! `FileDescriptorStoreMax=`, and all where the unit is stopped and not restarted. Their clients get
//! their `close` line from the next start.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
    process::ExitCode,
    time::Duration,
};

use rustix::net::{getpeername, sockopt};
use tarpit_proto::{script::Conn, session::SessionId};

use super::{
    super::{Daemon, FAREWELL, LAST_WORDS, ServiceManager},
    PATIENCE,
    format::{Client, DAMAGED_FILE, FORM, Stored, decode, encode, seal, unseal},
    take::Inheritance,
};
use crate::{
    admit::forwarded::Rank,
    keys::state_dir::{HELD, StateDir, Touch, UNUSABLE},
    os::{
        entropy::random,
        listen_socket::{self, canonical},
        passed_sockets::Passed,
    },
    report::live_line,
    settings::{
        Purpose, Settings,
        finding::{Finding, plain},
    },
    worker::hand_over::{Held, Lost, Moved, MovedClient, Origin, Stage},
};

/// The name by which the service manager keeps the sockets.
pub(in crate::daemon) const NAME: &str = "tarpitd-client";

/// What the file begins with; its form and a digest follow.
const MAGIC: &[u8] = b"tarpitd held clients\n";

/// A longer file is not ours: the state of as many clients as a store keeps is shorter.
const LONGEST: u64 = 64 << 20;

/// The most time until all workers pause. A worker that takes longer would hold up the stop.
const PAUSE: Duration = Duration::from_secs(1);

/// What an earlier daemon left for this one.
pub(in crate::daemon) struct Left {
    /// Clients that it held and whose sockets are gone.
    pub(in crate::daemon) lost: Lost,
    /// Sockets of which nothing is known.
    pub(in crate::daemon) bare: Vec<OwnedFd>,
    /// How many sockets came back.
    pub(in crate::daemon) came: usize,
    /// Whether there is a file with their state.
    has_file: bool,
}

/// Whether a socket that was passed is a client's.
pub(in crate::daemon) fn is_client(passed: &Passed) -> bool {
    passed.name == NAME && listen_socket::listens_at(passed.fd.as_fd()).is_err()
}

/// Reads what an earlier daemon left in the state directory, and finds the clients of these sockets.
/// A file that cannot be used is told and kept under another name.
pub(in crate::daemon) fn find(
    settings: &Settings,
    sockets: Vec<Passed>,
) -> (Option<Inheritance>, Left, Option<Finding>) {
    let directory = StateDir::new(settings.state_dir.clone(), Touch::Keep);
    let came = sockets.len();
    let bare: Vec<_> = sockets.into_iter().map(|socket| socket.fd).collect();
    let read = if directory.is_kept() { directory.read(HELD, LONGEST) } else { Ok(None) };
    let stored =
        read.map_err(|error| plain(&error)).and_then(|file| file.as_deref().map(parse).transpose());
    let mut left = Left { lost: Lost::default(), bare: Vec::new(), came, has_file: false };
    let (stored, told) = match stored {
        Ok(stored) => (stored, None),
        Err(why) => {
            let cost = "the clients that systemd has kept are held in silence";
            (None, Some(directory.put_aside(HELD, UNUSABLE, &why, cost)))
        }
    };
    let Some(Stored { state, at, clients }) = stored else {
        left.bare = bare;
        return (None, left, told);
    };
    left.has_file = true;
    let mut by_cookie = BTreeMap::new();
    for fd in bare {
        match sockopt::socket_cookie(&fd) {
            Ok(cookie) => drop(by_cookie.insert(cookie, fd)),
            Err(_) => left.bare.push(fd),
        }
    }
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for (cookie, worker, client) in clients {
        let client = MovedClient::from(client);
        match by_cookie.remove(&cookie) {
            Some(fd) => found.push((worker as usize, Moved { fd, client })),
            None => lost.push(client),
        }
    }
    left.bare.extend(by_cookie.into_values());
    // Where nothing goes on, the counters of the state directory do: see there.
    left.lost = Lost { clients: lost, at, are_counted: found.is_empty() };
    // Without clients nothing goes on: neither the clock nor the keys of the sessions.
    let Some(clock) = state.clock().filter(|_| !found.is_empty()) else {
        left.bare.extend(found.into_iter().map(|(_, moved)| moved.fd));
        return (None, left, told);
    };
    let inheritance = Inheritance { clients: found, ..Inheritance::of(state, clock) };
    (Some(inheritance), left, told)
}

/// What a file has, or why it is of no use.
fn parse(file: &[u8]) -> Result<Stored, String> {
    decode(unseal(MAGIC, FORM, file)?).ok_or_else(|| DAMAGED_FILE.to_owned())
}

/// The file for this.
fn compose(stored: &Stored) -> Vec<u8> {
    seal(MAGIC, FORM, &encode(stored))
}

impl Daemon {
    /// Whether a restart of the unit can keep the clients.
    pub(in crate::daemon) fn has_store(&self) -> bool {
        self.manager.as_ref().is_some_and(|manager| manager.store() > 0)
            && self.identity.state_dir().is_kept()
    }

    /// Ends and leaves the clients to the next daemon, through the service manager's store. If that
    /// fails, the clients are closed.
    pub(in crate::daemon) fn stop_for_restart(mut self, watched: bool) -> ExitCode {
        self.refuse_arrivals();
        match self.leave_clients() {
            Ok(0) => self.workers.go_on(),
            Ok(clients) => {
                let begun = self.clock.now();
                if watched {
                    live_line::end();
                }
                self.notify_manager(ServiceManager::stops);
                self.surfaces.stop();
                let draft = self.draft();
                let left = || FAREWELL.saturating_sub(self.clock.now().since(begun));
                self.workers.leave(left().saturating_sub(LAST_WORDS));
                let farewell = format_args!(
                    "stopped; systemd keeps the sockets of held clients for the next start: \
                     {clients}"
                );
                self.write_last(draft, left, farewell);
                return ExitCode::SUCCESS;
            }
            Err(why) => {
                self.forget_stored();
                self.workers.go_on();
                self.log.error(format_args!(
                    "the clients cannot be kept for a restart: {why}; they are closed"
                ));
            }
        }
        self.stop(watched);
        ExitCode::SUCCESS
    }

    /// Gives the sockets to the service manager and writes the state of all clients; says how many
    /// these are.
    fn leave_clients(&mut self) -> Result<usize, String> {
        if !self.workers.pause(PAUSE) {
            return Err("a worker is too busy".to_owned());
        }
        let Some(manager) = &mut self.manager else { return Ok(0) };
        let (mut clients, mut room) = (Vec::new(), manager.store());
        for worker in 0..self.workers.len() {
            let mut next = Some(0);
            while let Some(from) = next {
                let some = self.workers.export(worker, (from, true), PATIENCE)?;
                next = some.next;
                let kept: Vec<_> = some.clients.iter().take(room).map(|it| it.fd.as_fd()).collect();
                room -= kept.len();
                manager.keep(NAME, &kept).map_err(|error| plain(&error))?;
                for Moved { fd, client } in some.clients {
                    let cookie = sockopt::socket_cookie(&fd);
                    let cookie = cookie.map_err(|errno| plain(&errno.into()))?;
                    clients.push((
                        cookie,
                        u32::try_from(worker).unwrap_or(0),
                        Client::from(client),
                    ));
                }
            }
        }
        let count = clients.len();
        if count > 0 {
            let stored = Stored { state: self.state(), at: self.clock.wall(), clients };
            let directory = self.identity.state_dir();
            directory.replace(HELD, &compose(&stored)).map_err(|error| {
                format!("{}: {}", directory.path_of(HELD).display(), plain(&error))
            })?;
        }
        Ok(count)
    }

    fn forget_stored(&mut self) {
        if let Some(manager) = &mut self.manager {
            manager.forget(NAME);
        }
    }

    /// Holds sockets of which nothing is known in silence, writes the end of clients whose sockets
    /// are gone, and tells what became of all.
    pub(in crate::daemon) fn settle(&mut self, left: Left) {
        let Left { lost, bare, came, has_file } = left;
        if came == 0 && !has_file {
            return;
        }
        let silent: Vec<_> = bare.into_iter().filter_map(|fd| self.unknown(fd)).collect();
        let count = self.hold_all(silent).held;
        if count > 0 {
            self.log.warning(format_args!(
                "restart: clients of which nothing is known are held in silence: {count}"
            ));
        }
        if !lost.clients.is_empty() {
            self.log.notice(format_args!(
                "restart: clients whose sockets systemd has not kept were disconnected at the last \
                 stop: {}",
                lost.clients.len()
            ));
            let bindings = lost.clients.iter();
            let bindings =
                bindings.map(|it| self.served.binding_of(&it.origin, &self.identity.seed));
            let bindings = bindings.collect();
            self.workers.close_lost(lost, bindings);
        }
        // All are this daemon's now: what the service manager keeps, no close would end.
        self.forget_stored();
        if has_file {
            let directory = self.identity.state_dir();
            if let Err(error) = directory.remove(HELD) {
                self.log.error(format_args!(
                    "{}: {}: remove this file, or the next start believes it",
                    directory.path_of(HELD).display(),
                    plain(&error)
                ));
            }
        }
    }

    /// A client of which only the socket is known; `None`: it has left.
    fn unknown(&self, fd: OwnedFd) -> Option<(usize, Moved)> {
        let client: SocketAddr = getpeername(&fd).ok()??.try_into().ok()?;
        let server = listen_socket::local_address(fd.as_fd())?;
        let ports = self.served.ports();
        let clients = || ports.iter().filter(|port| port.purpose == Purpose::Clients);
        let is_there = |bound: SocketAddr| bound.port() == server.port();
        let port = clients().find(|port| is_there(port.bound)).or_else(|| clients().next())?;
        let tarpits = &self.served.settings.tarpits;
        let tarpit = tarpits.iter().find(|tarpit| tarpit.name == port.tarpit)?;
        let origin = Origin {
            tarpit: tarpit.name.clone(),
            pattern: tarpit.pattern.name().to_owned(),
            bound: port.bound,
            is_data: false,
        };
        let held = Held {
            id: SessionId(u64::from_ne_bytes(random())),
            is_detoured: false,
            rank: Rank::default(),
            at: self.clock.now(),
            session: Vec::new(),
            account: None,
            awaited_at: None,
            program: None,
        };
        let conn = Conn { client: canonical(client), server, via: None };
        let client = MovedClient { origin, conn, stage: Stage::Held(held) };
        Some((0, Moved { fd, client }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{os::clock::Clock, worker::HashKeys};

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let state = super::super::format::State::new(Clock::start(), HashKeys::new());
        let file = compose(&Stored { state, at: Duration::from_secs(7), clients: Vec::new() });
        assert_eq!(parse(&file).map(|it| it.at), Ok(Duration::from_secs(7)));
        for place in 0..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 1;
            assert!(parse(&damaged).is_err(), "{place}");
            assert!(parse(&file[..place]).is_err(), "{place}");
        }
    }
}
