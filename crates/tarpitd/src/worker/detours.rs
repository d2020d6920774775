//! Detours: the true addresses of clients that came by a redirect or a relay, for which a slot has
//! no room.

use std::net::{IpAddr, SocketAddr};

use tarpit_proto::{script::Conn, session::SessionId};

use crate::admit::forwarded::Rank;

/// What is kept of a client that came by a detour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detour {
    client: Place,
    server: Place,
    via: Option<Place>,
    /// Its session's id. It is kept, since the addresses of which it was made may change.
    pub(super) id: SessionId,
    /// By which field an HTTP relay named the client.
    pub(super) rank: Rank,
}

const _: () = assert!(size_of::<Detour>() <= 72, "a detour costs more than its slot");

/// An address without the parts of [`SocketAddr`] that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    ip: IpAddr,
    port: u16,
}

impl Detour {
    /// The detour of a client with these addresses.
    pub(super) fn new(conn: Conn, id: SessionId) -> Self {
        let Conn { client, server, via } = conn;
        let (client, server, via) = (client.into(), server.into(), via.map(Into::into));
        Self { client, server, via, id, rank: Rank::Nothing }
    }

    /// The relay that may name the client in an HTTP request.
    pub(super) fn speaker(&self) -> SocketAddr {
        let relay = self.via.filter(|_| self.rank > Rank::Nothing);
        relay.unwrap_or(self.client).into()
    }

    /// An HTTP relay has named the client, or nobody: then the relay is the client.
    pub(super) fn reveal(&mut self, client: SocketAddr, rank: Rank) {
        if self.rank == Rank::Nothing || self.via.is_none() {
            self.via = Some(self.client);
        }
        (self.client, self.rank) = (client.into(), rank);
    }

    /// The addresses.
    pub(super) fn conn(&self) -> Conn {
        Conn {
            client: self.client.into(),
            server: self.server.into(),
            via: self.via.filter(|via| *via != self.client).map(Into::into),
        }
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: address.port() }
    }
}

impl From<Place> for SocketAddr {
    fn from(Place { ip, port }: Place) -> Self {
        Self::new(ip, port)
    }
}
