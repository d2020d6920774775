//! Data connections, as FTP has them: accepted only from clients that were told to open one.
//!
//! A data connection is held like any other client, by the pattern that `About::data` of the first
//! one's pattern names. The two are independent from then on. Each worker has its own ports for
//! data connections, so that the connection arrives at the worker that awaits it.

use std::net::IpAddr;

use tarpit_proto::{
    script::Conn,
    session::{Input, SessionId},
};

use crate::{
    os::entropy::HashMap,
    worker::{
        Worker,
        clients::Client,
        endpoints::Binding,
        listeners::{Listener, Listeners},
    },
};

/// Which clients are awaited at which ports: at most one port for each client.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    askers: HashMap<Meant, Asker>,
    /// The same by the client's slot, for the end of each client.
    by_slot: HashMap<u32, Meant>,
}

/// An awaited connection: from this address, to this port.
type Meant = (IpAddr, u16);

/// The client that is to open a data connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    slot: u32,
    /// Tells whether the slot is still the same client's.
    id: SessionId,
}

impl Awaited {
    /// Awaits the client in `slot` on a port of its tarpit at which no other client of its address
    /// is awaited; `None` if there is no such port.
    pub(super) fn ask(
        &mut self,
        listeners: &Listeners,
        binding: &Binding,
        (who, at): (IpAddr, IpAddr),
        (slot, id): (u32, SessionId),
    ) -> Option<u16> {
        self.forget(slot);
        let serves = |listener: &&Listener| {
            let ip = listener.socket.address().ip();
            let here = ip == at || (ip.is_unspecified() && ip.is_ipv4() == at.is_ipv4());
            listener.binding.data && listener.binding.name == binding.name && here
        };
        let mut ports =
            listeners.iter().filter(serves).map(|listener| listener.socket.address().port());
        let free = ports.find(|&port| !self.askers.contains_key(&(who, port)))?;
        self.put((who, free), Asker { slot, id });
        Some(free)
    }

    /// The port at which the client in `slot` is awaited, if it is.
    pub(super) fn port_of(&self, slot: u32) -> Option<u16> {
        self.by_slot.get(&slot).map(|&(_, port)| port)
    }

    /// Awaits the client in `slot`, which has this address, at a port again.
    pub(super) fn resume(&mut self, (who, port): (IpAddr, u16), slot: u32, id: SessionId) {
        self.put((who, port), Asker { slot, id });
    }

    /// The client in `slot` is gone, or asks anew.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(meant) = self.by_slot.remove(&slot) {
            self.askers.remove(&meant);
        }
    }

    fn put(&mut self, meant: Meant, asker: Asker) {
        self.askers.insert(meant, asker);
        self.by_slot.insert(asker.slot, meant);
    }

    fn take(&mut self, who: IpAddr, port: u16) -> Option<Asker> {
        let asker = self.askers.remove(&(who, port))?;
        self.by_slot.remove(&asker.slot);
        Some(asker)
    }
}

impl Worker {
    /// Awaits a client's second connection; says at which port, if one is free.
    pub(super) fn await_data(&mut self, index: u32, id: SessionId) -> Option<u16> {
        let Client { binding, conn: Conn { client, server, .. }, .. } = self.clients.get(index)?;
        self.awaited.ask(&self.listeners, binding, (client.ip(), server.ip()), (index, id))
    }

    /// The client that is awaited at this listener from `who`, if there is one and it is still
    /// held.
    pub(super) fn take_awaited(&mut self, listener: u32, who: IpAddr) -> Option<Asker> {
        let port = self.listeners.get(listener)?.socket.address().port();
        self.awaited.take(who, port).filter(|&asker| self.is_here(asker))
    }

    /// Tells a client that its data connection has come.
    pub(super) fn tell_of_data(&mut self, asker: Asker) {
        if self.is_here(asker) {
            self.drive(asker.slot, Input::DataOpened);
        }
    }

    /// Whether the slot is still the client's.
    fn is_here(&self, Asker { slot, id }: Asker) -> bool {
        self.clients.id(slot, self.now) == Some(id)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const WHO: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn asker(slot: u32) -> Asker {
        Asker { slot, id: SessionId(slot.into()) }
    }

    #[test]
    fn a_client_is_awaited_until_it_comes_or_goes() {
        let mut awaited = Awaited::default();
        awaited.put((WHO, 1), asker(7));
        awaited.put((WHO, 2), asker(8));
        awaited.forget(9);
        assert_eq!(awaited.take(WHO, 1).map(|it| it.slot), Some(7));
        assert!(awaited.take(WHO, 1).is_none(), "one connection only");
        awaited.put((WHO, 1), asker(9));
        awaited.forget(7);
        awaited.forget(8);
        assert!(awaited.take(WHO, 2).is_none(), "its client is gone");
        assert_eq!(awaited.take(WHO, 1).map(|it| it.slot), Some(9), "another client's");
        assert!(awaited.askers.is_empty() && awaited.by_slot.is_empty());
    }
}
