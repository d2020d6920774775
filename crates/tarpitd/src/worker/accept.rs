//! Newcomers: accepted, and held or refused.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
};

use rustix::net::sockopt;
use tarpit_proto::{
    handshake_budget::LoadLevel,
    script::Conn,
    session::{Cause, Input, Session},
};

use crate::{
    admit::{access::Verdict, room::Occupant},
    os::listen_socket::{Redirected, Trouble},
    report::{refusal::Refusal, trace::Seat},
    worker::{Worker, clients::Client, endpoints::Binding},
};

/// A connection that has been accepted.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) fd: OwnedFd,
    pub(super) conn: Conn,
    /// Whether its addresses may differ from those of its socket.
    pub(super) is_detoured: bool,
    pub(super) binding: Arc<Binding>,
}

impl Worker {
    /// Accepts waiting connections at all listeners, at each up to its budget.
    pub(super) fn accept_all(&mut self) {
        let refuses = self.load.level() == LoadLevel::Closed;
        for (address, error) in self.listeners.refuse(refuses, self.now, self.poll.registry()) {
            self.record.log().error(format_args!("cannot watch {address}: {error}; not served"));
        }
        let (ready, most) = self.listeners.take_ready(self.now);
        for index in ready {
            if self.listeners.are_paused() || self.accept(index, most) {
                self.listeners.note_ready(index);
            }
        }
    }

    /// Accepts waiting connections at one listener, up to a limit; says whether more may wait.
    fn accept(&mut self, index: u32, most: usize) -> bool {
        for _ in 0..most {
            let Some(listener) = self.listeners.get_mut(index) else { return false };
            match listener.socket.accept() {
                Ok((fd, client)) => {
                    let server = listener.socket.destination(fd.as_fd());
                    let conn = Conn { client, server, via: None };
                    let is_detoured = listener.socket.redirected() != Redirected::No;
                    let binding = Arc::clone(&listener.binding);
                    self.receive(Newcomer { fd, conn, is_detoured, binding }, index);
                }
                Err(Trouble::Nobody) => return false,
                Err(Trouble::Retry) => {}
                Err(Trouble::Shed(errno)) => {
                    self.listeners.pause(errno, self.now, self.record.log());
                    return true;
                }
                Err(Trouble::Fatal(errno)) => {
                    let registry = self.poll.registry();
                    self.listeners.lose(index, errno, registry, self.record.log());
                    return false;
                }
            }
        }
        true
    }

    /// Holds a newcomer, or refuses it.
    fn receive(&mut self, newcomer: Newcomer, listener: u32) {
        if newcomer.binding.relays.has(newcomer.conn.client.ip()) {
            return self.await_header(newcomer);
        }
        if !newcomer.binding.data {
            self.hold(newcomer, true);
            return;
        }
        let asker = self.take_awaited(listener, newcomer.conn.client.ip());
        let is_held = self.hold(newcomer, asker.is_some());
        // The eviction may have chosen the client that asked for this data connection.
        if let Some(asker) = asker.filter(|_| is_held.is_some()) {
            self.tell_of_data(asker);
        }
    }

    /// Refuses a newcomer that is not even looked at.
    pub(super) fn refuse(&mut self, newcomer: &Newcomer, refusal: Refusal) {
        let Newcomer { conn, binding, .. } = newcomer;
        let id = self.clients.new_id(&Session::open(self.now), *conn, self.now);
        self.record.refused(binding.subject(*conn, id), binding.counted(), refusal);
    }

    /// Holds a newcomer, and says where; or refuses it, always if it is not `expected`.
    pub(super) fn hold(&mut self, newcomer: Newcomer, expected: bool) -> Option<u32> {
        if expected && self.room.verdict(newcomer.conn.client.ip()) == Verdict::Health {
            self.check_health(newcomer);
            return None;
        }
        let admitted = self.admit(&newcomer, expected);
        let Newcomer { fd, conn, is_detoured, binding } = newcomer;
        let session = Session::open(self.now);
        let opened = session.opened(self.now);
        let id = self.clients.new_id(&session, conn, self.now);
        let about = binding.subject(conn, id);
        let lasting_id = is_detoured.then_some(id);
        let seat =
            Seat { fd: fd.as_raw_fd(), held: binding.port.held(), most: binding.max_clients };
        let added = admitted.and_then(|()| {
            self.clients.add(session, fd, &binding, (conn, lasting_id)).ok_or_else(|| {
                self.room.leave(&binding.port, conn.client.ip());
                Refusal::Addresses
            })
        });
        match added {
            Ok(index) => {
                self.record.opened(about, binding.counted(), opened, seat);
                if let Err(error) = self.watch(index) {
                    self.fail(index, &error);
                    return None;
                }
                self.drive(index, Input::Opened);
                Some(index)
            }
            Err(refusal) => {
                self.record.refused(about, binding.counted(), refusal);
                None
            }
        }
    }

    /// Counts a newcomer in, or says why it is refused.
    fn admit(&mut self, newcomer: &Newcomer, expected: bool) -> Result<(), Refusal> {
        match self.room.verdict(newcomer.conn.client.ip()) {
            Verdict::Allowed => {
                // Close without a reset: an allowed client, such as monitoring, must not see an
                // error. If this fails, the client is gone already.
                let _ = sockopt::set_socket_linger(&newcomer.fd, None);
                Err(Refusal::Allowed)
            }
            Verdict::Denied => Err(Refusal::Denied),
            Verdict::Health | Verdict::Held if !expected => Err(Refusal::Unawaited),
            Verdict::Health | Verdict::Held if self.load.level() == LoadLevel::Closed => {
                Err(Refusal::Pressed)
            }
            Verdict::Health | Verdict::Held => self.enter(newcomer),
        }
    }

    /// Counts a newcomer in. If there is no room, another client may be evicted for it.
    fn enter(&mut self, newcomer: &Newcomer) -> Result<(), Refusal> {
        let (address, binding) = (newcomer.conn.client.ip(), &newcomer.binding);
        let Err(refusal) = self.room.enter(&binding.port, binding.max_clients, address) else {
            return Ok(());
        };
        let occupant = |index| {
            let Client { slot, binding, conn, .. } = self.clients.get(index)?;
            Some(Occupant::new(conn.client.ip(), slot.session.opened(self.now), &binding.port))
        };
        let newcomer = (address, &*binding.port, binding.max_clients);
        let crowd = (self.clients.places(), occupant);
        let victim = self.room.victim(newcomer, refusal, self.now, crowd).ok_or(refusal)?;
        self.close(victim, Cause::Evicted);
        self.room.enter(&binding.port, binding.max_clients, address)
    }
}
