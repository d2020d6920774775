//! Room for newcomers: which of them are held, and which client is evicted if there is no room.

use std::{net::IpAddr, sync::Arc};

use tarpit_proto::time::Time;

use crate::{
    admit::{
        access::{Access, Verdict},
        admission::{Admission, Port},
        eviction::{self, Candidate, Eviction},
    },
    os::entropy::HashMap,
    report::refusal::Refusal,
    settings::Evict,
};

/// One worker's view of admission. The counts are shared by all workers.
#[derive(Debug)]
pub(crate) struct Room {
    admission: Arc<Admission>,
    access: Arc<Access>,
    policy: Evict,
    /// Victims of eviction: among all clients (`None`), and among the clients of each full port.
    evictions: HashMap<Option<PortId>, Eviction>,
    /// When the last search for victims was.
    looked: Time,
}

/// What identifies a port: its address in memory.
type PortId = usize;

/// A client that takes up room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occupant {
    pub(crate) address: IpAddr,
    pub(crate) opened: Time,
    port: PortId,
}

impl Occupant {
    /// A client at `address` that came to `port`.
    pub(crate) fn new(address: IpAddr, opened: Time, port: &Port) -> Self {
        Self { address, opened, port: id(port) }
    }
}

impl Room {
    /// Room by these rules.
    pub(crate) fn new(admission: Arc<Admission>, access: Arc<Access>, policy: Evict) -> Self {
        let evictions = HashMap::default();
        Self { admission, access, policy, evictions, looked: Time::START }
    }

    /// Puts other rules in force. Clients that are held stay.
    pub(crate) fn set(&mut self, access: Arc<Access>, policy: Evict) {
        self.access = access;
        self.policy = policy;
        self.evictions.clear();
    }

    /// What happens to a newcomer by its address alone.
    pub(crate) fn verdict(&self, address: IpAddr) -> Verdict {
        self.access.verdict(address)
    }

    /// Counts a new client in, or says at which cap it fails.
    pub(crate) fn enter(&self, port: &Port, most: u32, address: IpAddr) -> Result<(), Refusal> {
        self.admission.enter(port, most, address)
    }

    /// Counts a client in that an earlier daemon let in.
    pub(crate) fn readmit(&self, port: &Port, address: IpAddr) {
        self.admission.readmit(port, address);
    }

    /// Counts a client under another address, or says at which cap that fails.
    pub(crate) fn rename(&self, from: IpAddr, to: IpAddr) -> Result<(), Refusal> {
        self.admission.rename(from, to)
    }

    /// The lists of networks in force.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Counts a client out that [`Room::enter`] let in.
    pub(crate) fn leave(&self, port: &Port, address: IpAddr) {
        self.admission.leave(port, address);
    }

    /// A client that has to go so that [`Room::enter`], which has failed with `refusal`, lets the
    /// newcomer in. `occupant` tells of the client in each of the `places`, if there is one.
    pub(crate) fn victim(
        &mut self,
        (newcomer, port, most): (IpAddr, &Port, u32),
        refusal: Refusal,
        now: Time,
        (places, occupant): (u32, impl Fn(u32) -> Option<Occupant>),
    ) -> Option<u32> {
        let among = match refusal {
            Refusal::Clients => None,
            Refusal::Port => Some(id(port)),
            // No client is evicted if the newcomer's own address or prefix has too many.
            _ => return None,
        };
        // After a reload lowered a limit, evicting one client does not make room for another.
        if self.policy == Evict::Refuse || self.admission.is_exceeded(port, most) {
            return None;
        }
        let candidate = |index| {
            let Occupant { address, opened, port } = occupant(index)?;
            let is_among = among.is_none_or(|among| among == port);
            is_among.then(|| Candidate { index, opened, prefix: self.admission.prefix(address) })
        };
        let mut eviction = self.evictions.remove(&among).unwrap_or_default();
        if eviction.is_empty() && now.since(self.looked) >= eviction::PAUSE {
            self.looked = now;
            eviction.look(now, self.policy, &mut (0..places).filter_map(candidate));
        }
        let victim = eviction.victim(self.policy, self.admission.prefix(newcomer), candidate);
        if !eviction.is_empty() {
            self.evictions.insert(among, eviction);
        }
        victim
    }
}

fn id(port: &Port) -> PortId {
    std::ptr::from_ref(port).addr()
}
