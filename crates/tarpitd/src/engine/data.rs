//! Data connections: second ones, which clients are asked to open and nobody else may.
//!
//! A data connection is held like any other client, by the pattern that the first one's names for
//! it; all that ties the two together is that it was awaited. Each worker has ports of its own for
//! them, so that it is found where its first connection is.

use std::{collections::HashMap, net::IpAddr};

use tarpit_proto::session::{Input, SessionId};

use super::{
    Door, Worker,
    clients::{client, session_id},
};
use crate::{berths::Post, slab::Slab};

/// Who is awaited where: at most one port for each client.
#[derive(Debug, Default)]
pub(super) struct Awaited(HashMap<(IpAddr, u16), Asker>);

/// The client that is to open a data connection.
#[derive(Clone, Copy, Debug)]
struct Asker {
    slot: u32,
    /// Tells whether the slot is still the same client's.
    id: SessionId,
}

impl Awaited {
    /// Awaits the client in `slot` on a port of its tarpit's on which nobody of its address is
    /// awaited yet; `None` if there is none.
    pub(super) fn ask(
        &mut self,
        doors: &Slab<Door>,
        post: &Post,
        (who, at): (IpAddr, IpAddr),
        (slot, id): (u32, SessionId),
    ) -> Option<u16> {
        self.forget(slot);
        let serves = |door: &&Door| {
            let ip = door.listener.address().ip();
            let here = ip == at || (ip.is_unspecified() && ip.is_ipv4() == at.is_ipv4());
            door.post.data && door.post.name == post.name && here
        };
        let doors = doors.indices().into_iter().filter_map(|index| doors.get(index));
        let mut ports = doors.filter(serves).map(|door| door.listener.address().port());
        let free = ports.find(|&port| !self.0.contains_key(&(who, port)))?;
        self.0.insert((who, free), Asker { slot, id });
        Some(free)
    }

    /// The client in `slot` is gone, or asks anew.
    pub(super) fn forget(&mut self, slot: u32) {
        if !self.0.is_empty() {
            self.0.retain(|_, asker| asker.slot != slot);
        }
    }

    fn take(&mut self, who: IpAddr, port: u16) -> Option<Asker> {
        self.0.remove(&(who, port))
    }
}

impl Worker {
    /// The slot of the client that was to come to this door from `who`, if any was.
    pub(super) fn is_awaited(&mut self, door: u32, who: IpAddr) -> Option<u32> {
        let port = self.doors.get(door)?.listener.address().port();
        let Asker { slot, id } = self.awaited.take(who, port)?;
        let asker = self.slots.get(slot)?;
        let server = self.berths.get(asker.berth)?.server;
        let client = client(asker, server, &self.v6);
        let same = session_id(&self.ids, &asker.session, client, server, self.now) == id;
        same.then_some(slot)
    }

    /// Tells a client that its data connection has come.
    pub(super) fn tell_of_data(&mut self, slot: u32) {
        self.drive(slot, Input::DataOpened);
    }
}
