//! Endpoints: what clients share, kept once. That is their profile and the server address to which
//! they connected, unless each came by a detour of its own.

use std::{net::SocketAddr, sync::Arc};

use tarpit_proto::{
    script::{Conn, Profile},
    session::SessionId,
};

use crate::{
    admit::{admission::Port, relays::Relays},
    os::{entropy::HashMap, listen_socket::Use},
    report::{
        totals::{Counted, PortTally, Tally},
        trace::Subject,
    },
};

/// A profile with its name, limits and port. Never changed; a reload makes a new one, and the
/// old one lives until its last client is gone.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The tarpit's name.
    pub(crate) name: String,
    pub(crate) profile: Profile,
    /// The most clients on the port; 0: no cap.
    pub(crate) max_clients: u32,
    pub(crate) traced: bool,
    /// Whether it is for data connections: only awaited clients are accepted.
    pub(crate) data: bool,
    /// Whether the firewall directs connections for other ports here.
    pub(crate) redirected: bool,
    /// Which peers name the client in a header.
    pub(crate) relays: Arc<Relays>,
    pub(crate) port: Arc<Port>,
    /// Where the tarpit's clients are counted.
    pub(crate) tally: Arc<Tally>,
    /// Where the port's clients are counted, if ports are.
    pub(crate) port_tally: Option<Arc<PortTally>>,
}

impl Binding {
    /// Where its clients are counted.
    pub(super) fn counted(&self) -> Counted<'_> {
        Counted { tarpit: &self.tally, port: self.port_tally.as_deref() }
    }

    /// What its sockets are for.
    pub(super) fn purpose(&self) -> Use {
        Use { rate: self.profile.rate, redirected: self.redirected, ..Use::default() }
    }

    /// What trace and log say of a client that is held under this.
    pub(super) fn subject(&self, conn: Conn, session: SessionId) -> Subject<'_> {
        let pattern = self.profile.pattern.name();
        let Conn { client, server, via } = conn;
        Subject { name: &self.name, pattern, client, server, via, session, traced: self.traced }
    }
}

/// A server address, with the settings of the clients that connected to it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) binding: Arc<Binding>,
    /// `None`: each of its clients came by a detour.
    pub(crate) server: Option<SocketAddr>,
    clients: u32,
}

/// A worker's endpoints, each with a number short enough for a slot.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    all: Vec<Option<Endpoint>>,
    /// The number of the endpoint of a binding (by its address in memory) and an address of ours.
    numbers: HashMap<(usize, Option<SocketAddr>), u16>,
    free: Vec<u16>,
}

impl Endpoints {
    /// The endpoint for one more client of `binding` that connected to `server` or came by a detour;
    /// `None` if there are 65,536 endpoints already.
    pub(crate) fn enter(
        &mut self,
        binding: &Arc<Binding>,
        server: Option<SocketAddr>,
    ) -> Option<u16> {
        let key = (Arc::as_ptr(binding).addr(), server);
        let index = if let Some(&index) = self.numbers.get(&key) {
            index
        } else {
            let endpoint = Some(Endpoint { binding: Arc::clone(binding), server, clients: 0 });
            let index = self.free.pop().or_else(|| u16::try_from(self.all.len()).ok())?;
            match self.all.get_mut(usize::from(index)) {
                Some(place) => *place = endpoint,
                None => self.all.push(endpoint),
            }
            self.numbers.insert(key, index);
            index
        };
        if let Some(Some(endpoint)) = self.all.get_mut(usize::from(index)) {
            endpoint.clients += 1;
        }
        Some(index)
    }

    /// Counts one client less. The endpoint ends with its last client.
    pub(crate) fn leave(&mut self, index: u16) {
        let Some(place) = self.all.get_mut(usize::from(index)) else { return };
        let Some(endpoint) = place else { return };
        endpoint.clients -= 1;
        if endpoint.clients == 0 {
            self.numbers.remove(&(Arc::as_ptr(&endpoint.binding).addr(), endpoint.server));
            *place = None;
            self.free.push(index);
        }
    }

    /// The endpoint with that number.
    pub(crate) fn get(&self, index: u16) -> Option<&Endpoint> {
        self.all.get(usize::from(index))?.as_ref()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tarpit_proto::{patterns, persona::Persona, rng::Seed};

    use super::*;

    fn binding() -> Arc<Binding> {
        named("a")
    }

    /// What the clients of a port of that tarpit have in common.
    pub(in crate::worker) fn named(tarpit: &str) -> Arc<Binding> {
        let persona = Persona::default_for(&Seed([0; 32]));
        let profile = Profile::new(patterns::ALL[0], persona);
        let port = Arc::new(Port::new("127.0.0.1:22".parse().unwrap()));
        Arc::new(Binding {
            name: tarpit.into(),
            profile,
            max_clients: 0,
            traced: false,
            data: false,
            redirected: false,
            relays: Arc::default(),
            port,
            tally: Arc::new(Tally::new(tarpit, 1)),
            port_tally: None,
        })
    }

    fn server(number: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from_bits(number), 22).into()
    }

    #[test]
    fn clients_with_the_same_in_common_share_an_endpoint_until_the_last_has_left() {
        let (mut endpoints, one, two) = (Endpoints::default(), binding(), binding());
        let first = endpoints.enter(&one, Some(server(1))).unwrap();
        assert_eq!(endpoints.enter(&one, Some(server(1))), Some(first));
        assert_ne!(endpoints.enter(&two, Some(server(1))), Some(first));
        assert_ne!(endpoints.enter(&one, Some(server(2))), Some(first));
        endpoints.leave(first);
        assert_eq!(endpoints.get(first).unwrap().server, Some(server(1)));
        endpoints.leave(first);
        assert!(endpoints.get(first).is_none());
        assert_eq!(endpoints.enter(&two, Some(server(9))), Some(first), "the place is used again");
        assert_eq!(Arc::strong_count(&one), 2);
    }

    #[test]
    fn there_are_as_many_as_a_slot_can_number() {
        let (mut endpoints, binding) = (Endpoints::default(), binding());
        for number in 0..=u32::from(u16::MAX) {
            assert!(endpoints.enter(&binding, Some(server(number))).is_some());
        }
        assert_eq!(endpoints.enter(&binding, Some(server(1 << 20))), None);
        endpoints.leave(7);
        assert!(endpoints.enter(&binding, Some(server(1 << 20))).is_some());
    }
}
