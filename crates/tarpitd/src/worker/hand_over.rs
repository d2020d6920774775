//! Clients that go on in another daemon: what is told of each, and how it is held there.
//!
//! The old daemon keeps every client until the new one holds it. It only pauses, so that nothing
//! changes in between: what clients say waits in the kernel. What a worker keeps for a moment only,
//! such as a first answer that is late, is not told: the session makes it again.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use mio::unix::SourceFd;
use tarpit_proto::{
    account::Account,
    script::Conn,
    session::{Cause, Input, Resumed, Session, SessionId},
    time::Time,
};

use crate::{
    admit::forwarded::Rank,
    os::listen_socket::Redirected,
    report::observed::Observed,
    worker::{
        Worker,
        accept::Newcomer,
        clients::{Client, Gone},
        endpoints::Binding,
        listeners::Listener,
        pending::{Awaits, Pending, Waiting},
    },
};

/// A client on its way to another daemon.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) fd: OwnedFd,
    pub(crate) client: MovedClient,
}

/// What is told of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MovedClient {
    pub(crate) origin: Origin,
    pub(crate) conn: Conn,
    pub(crate) stage: Stage,
}

/// Where a client came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tarpit: String,
    /// The pattern of its listener.
    pub(crate) pattern: String,
    /// The address to which its listener is bound.
    pub(crate) bound: SocketAddr,
    /// Whether it is a data connection.
    pub(crate) is_data: bool,
}

/// How far a client has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its relay's header is awaited. Nothing of it was read.
    AwaitsHeader {
        is_detoured: bool,
    },
    /// A health check, whose request is awaited.
    AwaitsRequest,
    Held(Held),
}

/// What is told of a held client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: SessionId,
    /// Whether its addresses may change, so that its id cannot be made of them.
    pub(crate) is_detoured: bool,
    /// By which field an HTTP relay named it.
    pub(crate) rank: Rank,
    /// When it was saved.
    pub(crate) at: Time,
    /// The session, as [`Session::save`] writes it.
    pub(crate) session: Vec<u8>,
    /// Its account of facts, as [`Account::save`] writes it.
    pub(crate) account: Option<Vec<u8>>,
    /// The port at which its data connection is awaited.
    pub(crate) awaited_at: Option<u16>,
    /// How its program calls itself, if that is known.
    pub(crate) program: Option<String>,
}

/// Clients of an earlier daemon whose connections are gone.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) clients: Vec<MovedClient>,
    /// When that daemon ended, since 1970.
    pub(crate) at: Duration,
    /// Whether the counters that go on have their end already.
    pub(crate) are_counted: bool,
}

/// A listener on its way to another daemon.
#[derive(Debug)]
pub(crate) struct MovedListener {
    pub(crate) key: u64,
    pub(crate) fd: OwnedFd,
    pub(crate) redirected: Redirected,
}

/// Some of a worker's listeners and clients.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) listeners: Vec<MovedListener>,
    pub(crate) clients: Vec<Moved>,
    /// Clients that stay for now: their TLS handshake is under way.
    pub(crate) left: u64,
    /// Where to go on.
    pub(crate) next: Option<u32>,
}

/// What came of taking clients over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenOver {
    /// Clients that are held.
    pub(crate) held: u64,
    /// How many of them are held in silence, since this program does not know what was saved.
    pub(crate) unknown: u64,
}

/// The most listeners and clients told of at once: each has a second file descriptor meanwhile, and
/// a daemon that is at its limit of open files has few left.
pub(crate) const EXPORTED: usize = 32;

impl Worker {
    /// Tells of listeners and clients from this place on. Behind the listeners come clients that are
    /// held, and then those that are no clients yet.
    pub(super) fn export(&mut self, from: u32, all: bool) -> io::Result<Exported> {
        let held = self.listeners.places();
        let pending = held.saturating_add(self.clients.places());
        let end = pending.saturating_add(self.pending.places());
        let (mut listeners, mut clients, mut left) = (Vec::new(), Vec::new(), 0);
        for place in from..end {
            if listeners.len() + clients.len() == EXPORTED {
                return Ok(Exported { listeners, clients, left, next: Some(place) });
            }
            if place < held {
                listeners.extend(self.listeners.get(place).map(Listener::export).transpose()?);
            } else if place < pending {
                let index = place - held;
                if all || self.is_movable(index) {
                    clients.extend(self.export_held(index)?);
                } else {
                    left += 1;
                }
            } else {
                let waiting = self.pending.get(place - pending);
                clients.extend(waiting.map(export_waiting).transpose()?);
            }
        }
        Ok(Exported { listeners, clients, left, next: None })
    }

    /// Serves no newcomer from now on, and of the clients only those that are not held by the next
    /// daemon yet.
    pub(super) fn stay(&mut self) {
        let registry = self.poll.registry();
        // As they are closed, nothing is lost where one cannot be taken from the poll.
        drop(self.listeners.refuse(true, self.now, registry));
        self.listeners.close_all();
        for index in self.clients.indices() {
            if self.is_movable(index) {
                self.let_go(index);
            }
        }
        self.pending = Pending::new();
    }

    /// Hands on clients whose handshake is done, or with `all` every client.
    pub(super) fn release(&mut self, all: bool) -> io::Result<Exported> {
        let (mut clients, mut left) = (Vec::new(), 0);
        for index in self.clients.indices() {
            if clients.len() < EXPORTED && (all || self.is_movable(index)) {
                clients.extend(self.export_held(index)?);
                self.let_go(index);
            } else {
                left += 1;
            }
        }
        Ok(Exported { listeners: Vec::new(), clients, left, next: None })
    }

    /// Whether all of a client can be told.
    fn is_movable(&self, index: u32) -> bool {
        self.clients.slot(index).is_none_or(|slot| slot.session.can_be_saved())
    }

    /// Forgets a client that the next daemon holds.
    fn let_go(&mut self, index: u32) {
        self.awaited.forget(index);
        self.reading.shares.forget(index);
        self.accounts.close(index);
        let Some(Gone { slot, binding, conn, .. }) = self.clients.remove(index, self.now) else {
            return;
        };
        // Closing it here ends no news of it, since it is open there.
        let _ = self.poll.registry().deregister(&mut SourceFd(&slot.fd.as_raw_fd()));
        self.record.gave_away(conn.client, binding.counted(), slot.session.opened(self.now));
        self.room.leave(&binding.port, conn.client.ip());
    }

    fn export_held(&mut self, index: u32) -> io::Result<Option<Moved>> {
        let Some(client) = self.clients.get(index) else { return Ok(None) };
        let Client { slot, binding, conn, lasting_id } = client;
        let (fd, origin) = (slot.fd.try_clone()?, Origin::of(binding));
        let (id, is_detoured) = (self.clients.id_of(&client, self.now), lasting_id.is_some());
        let Some(turn) = self.clients.get_mut(index) else { return Ok(None) };
        let (session, (_, rank)) =
            (turn.session.save(self.now, &turn.binding.profile), turn.speaker);
        let held = Held {
            id,
            is_detoured,
            rank,
            at: self.now,
            session,
            account: self.accounts.get(index).map(Account::save),
            awaited_at: self.awaited.port_of(index),
            program: self.record.observed().and_then(|it: &Observed| it.program(id)),
        };
        let client = MovedClient { origin, conn, stage: Stage::Held(held) };
        Ok(Some(Moved { fd, client }))
    }

    /// Holds clients of an earlier daemon, each under its binding. The clock goes on, too.
    pub(super) fn take_over(&mut self, clients: Vec<(Moved, Arc<Binding>)>) -> TakenOver {
        let mut taken = TakenOver::default();
        for (Moved { fd, client: MovedClient { conn, stage, .. } }, binding) in clients {
            let newcomer = |is_detoured, binding| Newcomer { fd, conn, is_detoured, binding };
            match stage {
                Stage::AwaitsHeader { is_detoured } => {
                    self.await_header(newcomer(is_detoured, binding));
                }
                Stage::AwaitsRequest => self.await_request(newcomer(false, binding)),
                Stage::Held(held) => {
                    let is_known = self.resume(newcomer(held.is_detoured, binding), &held);
                    taken.held += u64::from(is_known.is_some());
                    taken.unknown += u64::from(is_known == Some(false));
                }
            }
        }
        taken
    }

    /// Writes the end of clients of an earlier daemon whose connections are gone.
    pub(super) fn close_lost(&mut self, lost: Lost, bindings: Vec<Arc<Binding>>) {
        let Lost { clients, at, are_counted } = lost;
        for (MovedClient { conn, stage, .. }, binding) in clients.into_iter().zip(bindings) {
            let Stage::Held(Held { id, at: end, session, account, .. }) = stage else { continue };
            let Resumed { session, .. } = Session::resume(end, &binding.profile, &session);
            let about = binding.subject(conn, id);
            let counted = (!are_counted).then(|| binding.counted());
            let account = account.as_deref().and_then(Account::load).unwrap_or_default();
            self.record.closed_before((about, counted), &account, &session, (end, at));
        }
        self.record.flush();
    }

    /// Holds a client again; says whether this program knows all that was saved. `None`: it cannot
    /// be held.
    fn resume(&mut self, newcomer: Newcomer, held: &Held) -> Option<bool> {
        let Newcomer { fd, conn, is_detoured, binding } = newcomer;
        let &Held { id, rank, at, ref session, ref account, awaited_at, .. } = held;
        let Resumed { session, is_known } = Session::resume(at, &binding.profile, session);
        let opened = session.opened(at);
        // Another program may make other ids of the same addresses and key.
        let keeps_id = is_detoured || self.clients.new_id(&session, conn, at) != id;
        let added = self.clients.add(session, fd, &binding, (conn, keeps_id.then_some(id)));
        let about = binding.subject(conn, id);
        let Some(index) = added else {
            let counted = binding.counted();
            let Resumed { session, .. } = Session::resume(at, &binding.profile, &held.session);
            let account = account.as_deref().and_then(Account::load).unwrap_or_default();
            let error = io::Error::other("it is at one of too many addresses");
            self.record.taken_over(about, counted, opened, None);
            self.record.failed(about, account.protocol(), &error);
            // Its connection is closed already.
            let whom = (about, counted);
            self.record.closed(whom, &account, &session, -1, Cause::Failed, self.now);
            return None;
        };
        if is_detoured {
            self.clients.set_rank(index, rank);
        }
        self.room.readmit(&binding.port, conn.client.ip());
        self.record.taken_over(about, binding.counted(), opened, held.program.as_deref());
        let account = account.as_deref().and_then(Account::load);
        if let Some((known, account)) =
            account.and_then(|it| Some((self.accounts.open(index)?, it)))
        {
            *known = account;
        }
        if let Some(port) = awaited_at {
            self.awaited.resume((conn.client.ip(), port), index, id);
        }
        match self.watch(index) {
            Ok(()) => self.drive(index, Input::Due),
            Err(error) => self.fail(index, &error),
        }
        Some(is_known)
    }
}

/// Tells of a connection that is no client yet.
fn export_waiting(waiting: &Waiting) -> io::Result<Moved> {
    let Newcomer { fd, conn, is_detoured, binding } = &waiting.newcomer;
    let stage = match waiting.awaits {
        Awaits::Header => Stage::AwaitsHeader { is_detoured: *is_detoured },
        Awaits::Request => Stage::AwaitsRequest,
    };
    let client = MovedClient { origin: Origin::of(binding), conn: *conn, stage };
    Ok(Moved { fd: fd.try_clone()?, client })
}

impl Origin {
    fn of(binding: &Binding) -> Self {
        Self {
            tarpit: binding.name.clone(),
            pattern: binding.profile.pattern.name().to_owned(),
            bound: binding.port.address,
            is_data: binding.data,
        }
    }
}
