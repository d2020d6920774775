//! The clients of one worker: a slot each, and what a slot leads to.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use tarpit_proto::{
    session::{Session, SessionId},
    time::Time,
};

use crate::{
    os::entropy::Keyed,
    slab::Slab,
    worker::{
        endpoints::{Binding, Endpoints},
        wheel::{Due, Link, Links, Wheel},
    },
};

/// What one held client costs.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) session: Session,
    /// The client's IPv4 address, or the place of its IPv6 address. It must be kept, since after a
    /// reset the kernel has forgotten it.
    peer: u32,
    port: u16,
    endpoint: u16,
    pub(super) fd: OwnedFd,
    link: Link,
}

const _: () = assert!(size_of::<Option<Slot>>() <= 56, "a slot is at most 56 bytes");

impl Links for Slab<Slot> {
    fn link(&mut self, index: u32) -> Option<&mut Link> {
        self.get_mut(index).map(|slot| &mut slot.link)
    }
}

/// All clients that a worker holds.
#[derive(Debug)]
pub(super) struct Clients {
    slots: Slab<Slot>,
    /// IPv6 addresses, for which a slot has no room.
    v6: Slab<Ipv6Addr>,
    wheel: Wheel,
    endpoints: Endpoints,
    /// Makes session ids that say nothing about the clients.
    ids: Keyed,
}

/// A client, borrowed for reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) slot: &'a Slot,
    pub(super) binding: &'a Binding,
    pub(super) address: SocketAddr,
    pub(super) server: SocketAddr,
}

/// A client whose turn it is.
#[derive(Debug)]
pub(super) struct ClientMut<'a> {
    pub(super) session: &'a mut Session,
    pub(super) binding: &'a Binding,
    pub(super) address: SocketAddr,
    pub(super) server: SocketAddr,
}

/// A client that was removed.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) slot: Slot,
    pub(super) binding: Arc<Binding>,
    pub(super) address: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Clients {
    /// No clients.
    pub(super) fn new() -> Self {
        Self {
            slots: Slab::new(),
            v6: Slab::new(),
            wheel: Wheel::new(),
            endpoints: Endpoints::default(),
            ids: Keyed::default(),
        }
    }

    /// Holds one more client, which connected to `server`; `None` if the worker has no number left
    /// for another endpoint.
    pub(super) fn add(
        &mut self,
        session: Session,
        fd: OwnedFd,
        address: SocketAddr,
        (binding, server): (&Arc<Binding>, SocketAddr),
    ) -> Option<u32> {
        let endpoint = self.endpoints.enter(binding, server)?;
        // An IPv4 client on an IPv6 socket cannot be: those are bound to IPv6 only.
        let peer = match address.ip() {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => self.v6.insert(ip),
        };
        let slot = Slot { session, peer, port: address.port(), endpoint, fd, link: Link::IDLE };
        Some(self.slots.insert(slot))
    }

    /// Removes a client.
    pub(super) fn remove(&mut self, index: u32) -> Option<Gone> {
        self.wheel.disarm(&mut self.slots, index);
        let slot = self.slots.remove(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let (binding, server) = (Arc::clone(&endpoint.binding), endpoint.server);
        let address = address(&slot, server, &self.v6);
        if address.is_ipv6() {
            self.v6.remove(slot.peer);
        }
        self.endpoints.leave(slot.endpoint);
        Some(Gone { slot, binding, address, server })
    }

    /// Makes a client due at `moment`, and at no other.
    pub(super) fn arm(&mut self, index: u32, moment: Time) {
        self.wheel.arm(&mut self.slots, index, moment);
    }

    /// Makes a client wait for news of its socket only.
    pub(super) fn disarm(&mut self, index: u32) {
        self.wheel.disarm(&mut self.slots, index);
    }

    /// Appends the clients that are due at `now`, and disarms them.
    pub(super) fn expire(&mut self, now: Time, due: &mut Due) {
        self.wheel.expire(&mut self.slots, now, due);
    }

    /// How long no client can become due; `None` if none ever does.
    pub(super) fn idle_for(&self, now: Time) -> Option<Duration> {
        self.wheel.idle_for(now)
    }

    /// The client at `index`, for its turn.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<ClientMut<'_>> {
        let slot = self.slots.get_mut(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let (binding, server) = (&*endpoint.binding, endpoint.server);
        let address = address(slot, server, &self.v6);
        Some(ClientMut { session: &mut slot.session, binding, address, server })
    }

    /// The client at `index`.
    pub(super) fn get(&self, index: u32) -> Option<Client<'_>> {
        let slot = self.slots.get(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let (binding, server) = (&*endpoint.binding, endpoint.server);
        Some(Client { slot, binding, address: address(slot, server, &self.v6), server })
    }

    /// The slot at `index`; cheaper than the whole client.
    pub(super) fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index)
    }

    /// The session id of the client at `index`.
    pub(super) fn id(&self, index: u32, now: Time) -> Option<SessionId> {
        let Client { slot, address, server, .. } = self.get(index)?;
        Some(self.id_of(&slot.session, address, server, now))
    }

    /// A session's id. It is not stored: it is a keyed hash of what the slot has.
    pub(super) fn id_of(
        &self,
        session: &Session,
        client: SocketAddr,
        server: SocketAddr,
        now: Time,
    ) -> SessionId {
        // Hashed in one piece, since every turn needs it.
        let mut key = [0; 44];
        key[..16].copy_from_slice(&bits(client.ip()).to_ne_bytes());
        key[16..32].copy_from_slice(&bits(server.ip()).to_ne_bytes());
        key[32..34].copy_from_slice(&client.port().to_ne_bytes());
        key[34..36].copy_from_slice(&server.port().to_ne_bytes());
        key[36..].copy_from_slice(&session.opened(now).as_millis().to_ne_bytes());
        let mut hasher = self.ids.build_hasher();
        hasher.write(&key);
        SessionId(hasher.finish())
    }

    /// Whether no client is held.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All clients have an index below this.
    pub(super) fn places(&self) -> u32 {
        self.slots.used()
    }

    /// The indices of all clients, in order.
    pub(super) fn indices(&self) -> Vec<u32> {
        self.slots.indices()
    }
}

/// The client's address; it has the family of the server's address.
fn address(slot: &Slot, server: SocketAddr, v6: &Slab<Ipv6Addr>) -> SocketAddr {
    let ip: IpAddr = if server.is_ipv4() {
        Ipv4Addr::from_bits(slot.peer).into()
    } else {
        v6.get(slot.peer).copied().unwrap_or(Ipv6Addr::UNSPECIFIED).into()
    };
    SocketAddr::new(ip, slot.port)
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}
