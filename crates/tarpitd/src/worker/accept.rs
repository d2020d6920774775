//! Listeners: opened, reloaded, and emptied of the connections that wait; and who is let in.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use mio::{Interest, Token, unix::SourceFd};
use rustix::{io::Errno, net::sockopt};
use tarpit_proto::{
    handshake_budget::LoadLevel,
    session::{Cause, Input, Session},
};

use super::{
    LISTENERS, Listener, Notice, SHORTAGE, Slot, Worker,
    clients::{about, client},
};
use crate::{
    admit::{
        access::Verdict,
        eviction::{self, Candidate},
    },
    os::listen_socket::{self, Trouble, local_address},
    report::refusal::Refusal,
    settings::Evict,
    worker::{endpoints::Post, wheel::Link},
};

/// The most connections one listener takes in a turn, so that a storm delays no drip.
const ACCEPTS: usize = 128;

/// How long no connection is accepted after the system ran out of something.
const SHED: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn open_listener(&mut self, listener: Listener) -> io::Result<()> {
        let index = self.listeners.insert(listener);
        let Some(listener) = self.listeners.get(index) else { return Ok(()) };
        let fd = listener.socket.fd().as_raw_fd();
        let token = Token(LISTENERS + index as usize);
        let key = listener.key;
        if let Err(error) = self.registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            self.listeners.remove(index);
            // If nobody listens the daemon has ended.
            let _ = self.notify.send(Notice::ListenerLost(key));
            return Err(error);
        }
        self.note_ready(index);
        Ok(())
    }

    pub(super) fn note_ready(&mut self, listener: u32) {
        if let Some(one) = self.listeners.get_mut(listener)
            && !one.is_ready
        {
            one.is_ready = true;
            self.ready.push(listener);
        }
    }

    pub(super) fn reload(&mut self, stay: &[(u64, Arc<Post>)], new: Vec<Listener>) {
        let posts: HashMap<u64, &Arc<Post>> = stay.iter().map(|(key, post)| (*key, post)).collect();
        for index in self.listeners.indices() {
            let Some(listener) = self.listeners.get_mut(index) else { continue };
            match posts.get(&listener.key) {
                Some(&post) => {
                    listener.post = Arc::clone(post);
                    listener.socket.suit(post.profile.rate);
                }
                None => drop(self.listeners.remove(index)),
            }
        }
        for listener in new {
            let address = listener.socket.address();
            if let Err(error) = self.open_listener(listener) {
                self.record
                    .log()
                    .error(format_args!("cannot watch {address}: {error}; not served"));
            }
        }
    }

    /// Accepts the connections that wait at the listeners, of each up to its budget.
    pub(super) fn accept_all(&mut self) {
        match self.shed {
            Some(until) if until > self.now => return,
            _ => self.shed = None,
        }
        let ready = std::mem::take(&mut self.ready);
        for listener in ready {
            if let Some(one) = self.listeners.get_mut(listener) {
                one.is_ready = false;
            }
            if self.shed.is_some() || self.accept(listener) {
                self.note_ready(listener);
            }
        }
    }

    /// Accepts the connections that wait at one listener; says whether there may be more.
    pub(super) fn accept(&mut self, index: u32) -> bool {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get_mut(index) else { return false };
            match listener.socket.accept() {
                Ok((fd, client)) => {
                    let server = if listener.socket.is_wildcard() {
                        local_address(fd.as_fd()).unwrap_or(listener.socket.address())
                    } else {
                        listener.socket.address()
                    };
                    let post = Arc::clone(&listener.post);
                    if post.data {
                        let asker = self.take_awaited(index, client.ip());
                        let held = self.welcome(fd, client, server, &post, asker.is_some());
                        // To make room the asker itself may have had to go.
                        if let Some(asker) = asker.filter(|_| held) {
                            self.tell_of_data(asker);
                        }
                    } else {
                        self.welcome(fd, client, server, &post, true);
                    }
                }
                Err(Trouble::Nobody) => return false,
                Err(Trouble::Retry) => {}
                Err(Trouble::Shed(errno)) => {
                    self.shed = Some(self.now.after(SHED));
                    self.tell_shortage(errno);
                    return true;
                }
                Err(Trouble::Fatal(errno)) => {
                    let address = listener.socket.address();
                    self.record.log().error(format_args!(
                        "accept failed on {address}: {errno}; stopped listening there, send \
                         SIGHUP to open it again"
                    ));
                    // If nobody listens the daemon has ended.
                    let _ = self.notify.send(Notice::ListenerLost(listener.key));
                    self.listeners.remove(index);
                    return false;
                }
            }
        }
        true
    }

    pub(super) fn tell_shortage(&mut self, errno: Errno) {
        if self.shortage.is_some_and(|told| self.now.since(told) < SHORTAGE) {
            return;
        }
        self.shortage = Some(self.now);
        let (symbol, cure) = (listen_socket::symbol(errno), listen_socket::cure(errno));
        self.record.log().warning(format_args!(
            "accept paused: {symbol}: {errno}; {cure}. Held clients stay held."
        ));
    }

    /// Admits a newcomer, or refuses it, as it must be if it is not `expected`; says which.
    pub(super) fn welcome(
        &mut self,
        fd: OwnedFd,
        client: SocketAddr,
        server: SocketAddr,
        post: &Arc<Post>,
        expected: bool,
    ) -> bool {
        let entered = match self.access.verdict(client.ip()) {
            Verdict::Allowed => {
                // A goodbye, not a reset: whoever is allowed shall find nothing wrong. If this
                // fails it has gone already.
                let _ = sockopt::set_socket_linger(&fd, None);
                Err(Refusal::Allowed)
            }
            Verdict::Denied => Err(Refusal::Denied),
            Verdict::Held if !expected => Err(Refusal::Unawaited),
            Verdict::Held if self.load.level() == LoadLevel::Closed => Err(Refusal::Pressed),
            Verdict::Held => self.enter(client.ip(), post),
        };
        // An IPv4 client on an IPv6 socket cannot be: those are bound to IPv6 only.
        let session = Session::open(self.now);
        let id = self.id(&session, client, server);
        let endpoint = entered.and_then(|()| {
            self.endpoints.enter(post, server).ok_or_else(|| {
                self.admission.leave(&post.port, client.ip());
                Refusal::Addresses
            })
        });
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(refusal) => {
                let about = about(post, client, server, id);
                self.record.refused(about, refusal);
                return false;
            }
        };
        let peer = match client.ip() {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => self.v6.insert(ip),
        };
        let session_opened = session.opened(self.now);
        let index = self.slots.insert(Slot {
            session,
            peer,
            port: client.port(),
            endpoint,
            fd,
            link: Link::IDLE,
        });
        self.record.opened(about(post, client, server, id), session_opened);
        if let Err(error) = self.watch(index) {
            self.fail(index, &error);
            return false;
        }
        self.drive(index, Input::Opened);
        true
    }

    /// Counts a newcomer in; where there is no room, somebody may have to go for it.
    pub(super) fn enter(&mut self, who: IpAddr, post: &Arc<Post>) -> Result<(), Refusal> {
        let refusal = match self.admission.enter(&post.port, post.max_clients, who) {
            Err(refusal @ (Refusal::Clients | Refusal::Port)) => refusal,
            other => return other,
        };
        if self.evict == Evict::Refuse {
            return Err(refusal);
        }
        // Where a reload has lowered a cap, one who goes makes no room for another.
        if self.admission.is_exceeded(&post.port, post.max_clients) {
            return Err(refusal);
        }
        let among = (refusal == Refusal::Port).then(|| Arc::as_ptr(&post.port).addr());
        let mut eviction = self.evictions.remove(&among).unwrap_or_default();
        if eviction.is_empty() && self.now.since(self.looked) >= eviction::PAUSE {
            self.looked = self.now;
            let mut clients = self
                .slots
                .indices()
                .into_iter()
                .filter(|&index| among.is_none() || self.port_of(index) == among)
                .filter_map(|index| self.candidate(index));
            eviction.look(self.now, self.evict, &mut clients);
        }
        let prefix = self.admission.prefix(who);
        let victim = eviction.victim(self.evict, prefix, |index| {
            self.candidate(index).filter(|_| among.is_none() || self.port_of(index) == among)
        });
        if !eviction.is_empty() {
            self.evictions.insert(among, eviction);
        }
        let Some(victim) = victim else { return Err(refusal) };
        self.close(victim, Cause::Evicted);
        self.admission.enter(&post.port, post.max_clients, who)
    }

    /// A client as eviction sees it.
    pub(super) fn candidate(&self, index: u32) -> Option<Candidate> {
        let slot = self.slots.get(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let who = client(slot, endpoint.server, &self.v6).ip();
        let opened = slot.session.opened(self.now);
        Some(Candidate { index, opened, prefix: self.admission.prefix(who) })
    }

    /// What tells the port of a client from others.
    pub(super) fn port_of(&self, index: u32) -> Option<usize> {
        let slot = self.slots.get(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        Some(Arc::as_ptr(&endpoint.post.port).addr())
    }
}
