//! Room for newcomers: who comes in, and who goes for a newcomer where there is none.

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

/// One worker's part in deciding who comes in; the counts are all workers' together.
#[derive(Debug)]
pub(crate) struct Room {
    admission: Arc<Admission>,
    access: Arc<Access>,
    policy: Evict,
    /// Who may have to go: of all clients (`None`), and of those of each full port.
    evictions: HashMap<Option<PortId>, Eviction>,
    /// When clients were last looked at for that.
    looked: Time,
}

/// What tells ports apart: where they lie in memory.
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

    /// What becomes of a newcomer by its address alone.
    pub(crate) fn verdict(&self, address: IpAddr) -> Verdict {
        self.access.verdict(address)
    }

    /// Counts a new client in, or says at which cap it fails.
    pub(crate) fn enter(&self, port: &Port, most: u32, address: IpAddr) -> Result<(), Refusal> {
        self.admission.enter(port, most, address)
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
            // Nobody makes room for a newcomer that has too many clients of its own.
            _ => return None,
        };
        // Where a reload has lowered a cap, one client that goes makes no room for another.
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
