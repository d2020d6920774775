//! The clients of one worker: a slot each, and what a slot leads to.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use tarpit_proto::{
    script::Conn,
    session::{Session, SessionId},
    time::Time,
};

use crate::{
    admit::forwarded::Rank,
    os::entropy::Keyed,
    slab::Slab,
    worker::{
        detours::Detour,
        endpoints::{Binding, Endpoint, Endpoints},
        wheel::{Due, Link, Links, Wheel},
    },
};

/// What one held client costs.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) session: Session,
    /// The client's IPv4 address, or the place of its IPv6 address or of its detour. It must be
    /// kept, since after a reset the kernel has forgotten it.
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
    addresses: Addresses,
    wheel: Wheel,
    endpoints: Endpoints,
    /// Makes session ids that say nothing about the clients.
    ids: Keyed,
}

/// Addresses for which a slot has no room.
#[derive(Debug)]
struct Addresses {
    /// IPv6 addresses of clients.
    v6: Slab<Ipv6Addr>,
    /// All addresses of clients that came by a redirect or a relay.
    detours: Slab<Detour>,
}

/// A client, borrowed for reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) slot: &'a Slot,
    pub(super) binding: &'a Binding,
    pub(super) conn: Conn,
    /// The id of its session, if that is kept.
    pub(super) lasting_id: Option<SessionId>,
}

/// A client whose turn it is.
#[derive(Debug)]
pub(super) struct ClientMut<'a> {
    pub(super) session: &'a mut Session,
    pub(super) binding: &'a Binding,
    pub(super) conn: Conn,
    /// The peer that may name the client in an HTTP request, and by which field it did.
    pub(super) speaker: (SocketAddr, Rank),
}

/// A client that was removed.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) slot: Slot,
    pub(super) binding: Arc<Binding>,
    pub(super) conn: Conn,
    pub(super) id: SessionId,
}

impl Clients {
    /// No clients; `ids` makes their session ids.
    pub(super) fn new(ids: Keyed) -> Self {
        Self {
            slots: Slab::new(),
            addresses: Addresses { v6: Slab::new(), detours: Slab::new() },
            wheel: Wheel::new(),
            endpoints: Endpoints::default(),
            ids,
        }
    }

    /// Holds one more client; `None` if the worker has no number left for another endpoint. `id`
    /// is given if it came by a detour.
    pub(super) fn add(
        &mut self,
        session: Session,
        fd: OwnedFd,
        binding: &Arc<Binding>,
        (conn, id): (Conn, Option<SessionId>),
    ) -> Option<u32> {
        let server = id.is_none().then_some(conn.server);
        let endpoint = self.endpoints.enter(binding, server)?;
        // An IPv4 client on an IPv6 socket cannot be: those are bound to IPv6 only.
        let peer = match (id, conn.client.ip()) {
            (Some(id), _) => self.addresses.detours.insert(Detour::new(conn, id)),
            (None, IpAddr::V4(ip)) => ip.to_bits(),
            (None, IpAddr::V6(ip)) => self.addresses.v6.insert(ip),
        };
        let port = conn.client.port();
        Some(self.slots.insert(Slot { session, peer, port, endpoint, fd, link: Link::IDLE }))
    }

    /// Keeps all addresses of a client from now on, as if it had come by a detour; `false` if the
    /// worker has no number left for another endpoint.
    pub(super) fn detour(&mut self, index: u32, now: Time) -> bool {
        let Some(Client { binding: _, conn, lasting_id, .. }) = self.get(index) else {
            return false;
        };
        let id = self.id(index, now);
        let (None, Some(id)) = (lasting_id, id) else { return true };
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let Some(direct) = self.endpoints.get(slot.endpoint) else { return false };
        let binding = Arc::clone(&direct.binding);
        let Some(detoured) = self.endpoints.enter(&binding, None) else { return false };
        if let Some(direct) = self.endpoints.get(slot.endpoint) {
            self.addresses.forget(slot, direct);
        }
        self.endpoints.leave(slot.endpoint);
        slot.endpoint = detoured;
        slot.peer = self.addresses.detours.insert(Detour::new(conn, id));
        true
    }

    /// A relay, which has come by a detour, has named its client.
    pub(super) fn reveal(&mut self, index: u32, client: SocketAddr, rank: Rank) {
        let Some(slot) = self.slots.get(index) else { return };
        let endpoint = self.endpoints.get(slot.endpoint);
        if endpoint.is_some_and(|endpoint| endpoint.server.is_none())
            && let Some(detour) = self.addresses.detours.get_mut(slot.peer)
        {
            detour.reveal(client, rank);
        }
    }

    /// A client that has come by a detour was named by an HTTP relay in this field.
    pub(super) fn set_rank(&mut self, index: u32, rank: Rank) {
        let Some(slot) = self.slots.get(index) else { return };
        if let Some(detour) = self.addresses.detours.get_mut(slot.peer) {
            detour.rank = rank;
        }
    }

    /// Removes a client at `now`.
    pub(super) fn remove(&mut self, index: u32, now: Time) -> Option<Gone> {
        self.wheel.disarm(&mut self.slots, index);
        let slot = self.slots.remove(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let (conn, lasting_id) = self.addresses.of(&slot, endpoint);
        let id = lasting_id.unwrap_or_else(|| self.new_id(&slot.session, conn, now));
        let binding = Arc::clone(&endpoint.binding);
        self.addresses.forget(&slot, endpoint);
        self.endpoints.leave(slot.endpoint);
        Some(Gone { slot, binding, conn, id })
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
        let (conn, _) = self.addresses.of(slot, endpoint);
        let speaker = self.addresses.speaker(slot.peer, endpoint, conn);
        Some(ClientMut { session: &mut slot.session, binding: &endpoint.binding, conn, speaker })
    }

    /// The client at `index`.
    pub(super) fn get(&self, index: u32) -> Option<Client<'_>> {
        let slot = self.slots.get(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let (conn, lasting_id) = self.addresses.of(slot, endpoint);
        Some(Client { slot, binding: &endpoint.binding, conn, lasting_id })
    }

    /// The slot at `index`; cheaper than the whole client.
    pub(super) fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index)
    }

    /// The session id of the client at `index`.
    pub(super) fn id(&self, index: u32, now: Time) -> Option<SessionId> {
        Some(self.id_of(&self.get(index)?, now))
    }

    /// A client's session id.
    pub(super) fn id_of(&self, client: &Client<'_>, now: Time) -> SessionId {
        let Client { slot, conn, lasting_id, .. } = client;
        lasting_id.unwrap_or_else(|| self.new_id(&slot.session, *conn, now))
    }

    /// The id of a session with these addresses. It is not stored: it is a keyed hash of what the
    /// slot has.
    pub(super) fn new_id(&self, session: &Session, conn: Conn, now: Time) -> SessionId {
        let Conn { client, server, .. } = conn;
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

impl Addresses {
    /// A client's addresses, and its session's id if that is kept.
    fn of(&self, slot: &Slot, endpoint: &Endpoint) -> (Conn, Option<SessionId>) {
        let Some(server) = endpoint.server else {
            let unknown = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), slot.port);
            return match self.detours.get(slot.peer) {
                Some(detour) => (detour.conn(), Some(detour.id)),
                None => (Conn { client: unknown, server: unknown, via: None }, None),
            };
        };
        // The client's address has the family of the server's address.
        let ip: IpAddr = if server.is_ipv4() {
            Ipv4Addr::from_bits(slot.peer).into()
        } else {
            self.v6.get(slot.peer).copied().unwrap_or(Ipv6Addr::UNSPECIFIED).into()
        };
        (Conn { client: SocketAddr::new(ip, slot.port), server, via: None }, None)
    }

    /// The peer that may name the client in an HTTP request, and by which field it did.
    fn speaker(&self, peer: u32, endpoint: &Endpoint, conn: Conn) -> (SocketAddr, Rank) {
        let detour = if endpoint.server.is_none() { self.detours.get(peer) } else { None };
        detour.map_or((conn.client, Rank::Nothing), |it| (it.speaker(), it.rank))
    }

    /// Forgets a client's addresses.
    fn forget(&mut self, slot: &Slot, endpoint: &Endpoint) {
        match endpoint.server {
            None => drop(self.detours.remove(slot.peer)),
            Some(SocketAddr::V6(_)) => drop(self.v6.remove(slot.peer)),
            Some(SocketAddr::V4(_)) => {}
        }
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}
