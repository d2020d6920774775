//! Admission: limits for all clients, for each port, for each address and for each prefix.
//!
//! All workers share the counts without locks. The tables have room for 20,000 clients from the
//! start, and take another part, twice as large, only when those before it are full.

use std::{
    hash::BuildHasher as _,
    net::{IpAddr, SocketAddr},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use tarpit_proto::net::Prefix;

use crate::{os::entropy::Keyed, report::refusal::Refusal};

/// The caps in force; 0 stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Clients in all.
    pub(crate) clients: u32,
    /// Clients from one address.
    pub(crate) per_address: u32,
    /// Clients from one [`Prefix`].
    pub(crate) per_prefix: u32,
}

/// A bound port and how many it holds.
#[derive(Debug)]
pub(crate) struct Port {
    /// Where it is bound.
    pub(crate) address: SocketAddr,
    held: AtomicU32,
}

impl Port {
    /// A port that holds no client.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, held: AtomicU32::new(0) }
    }

    /// How many clients it holds.
    pub(crate) fn held(&self) -> u32 {
        self.held.load(Relaxed)
    }
}

/// The counts.
#[derive(Debug)]
pub(crate) struct Admission {
    clients: AtomicU32,
    /// The caps, which a reload may change.
    cap_clients: AtomicU32,
    cap_address: AtomicU32,
    cap_prefix: AtomicU32,
    hasher: Keyed,
    addresses: Counts,
    prefixes: Counts,
}

impl Admission {
    /// Counts of no client.
    pub(crate) fn new(caps: Caps) -> Self {
        let admission = Self {
            clients: AtomicU32::new(0),
            cap_clients: AtomicU32::new(0),
            cap_address: AtomicU32::new(0),
            cap_prefix: AtomicU32::new(0),
            hasher: Keyed::default(),
            addresses: Counts::new(),
            prefixes: Counts::new(),
        };
        admission.set(caps);
        admission
    }

    /// Puts other caps in force. Clients that are held stay.
    pub(crate) fn set(&self, caps: Caps) {
        self.cap_clients.store(caps.clients, Relaxed);
        self.cap_address.store(caps.per_address, Relaxed);
        self.cap_prefix.store(caps.per_prefix, Relaxed);
    }

    /// Counts a new client in, or says at which cap it fails.
    pub(crate) fn enter(&self, port: &Port, max_clients: u32, who: IpAddr) -> Result<(), Refusal> {
        // The newcomer's own limits first: no client is evicted for a newcomer that would then be
        // refused all the same.
        let (address, prefix) = self.hashes(who);
        if !self.addresses.enter(address, self.cap_address.load(Relaxed)) {
            return Err(Refusal::Address);
        }
        if !self.prefixes.enter(prefix, self.cap_prefix.load(Relaxed)) {
            self.addresses.leave(address);
            return Err(Refusal::Prefix);
        }
        let refusal = if count_up(&self.clients, self.cap_clients.load(Relaxed)).is_none() {
            Refusal::Clients
        } else if count_up(&port.held, max_clients).is_none() {
            self.clients.fetch_sub(1, Relaxed);
            Refusal::Port
        } else {
            return Ok(());
        };
        self.addresses.leave(address);
        self.prefixes.leave(prefix);
        Err(refusal)
    }

    /// Counts a client in that an earlier daemon let in, whatever the caps are.
    pub(crate) fn readmit(&self, port: &Port, who: IpAddr) {
        let (address, prefix) = self.hashes(who);
        self.addresses.enter(address, 0);
        self.prefixes.enter(prefix, 0);
        self.clients.fetch_add(1, Relaxed);
        port.held.fetch_add(1, Relaxed);
    }

    /// Counts a client that was let in under another address from now on, or says at which cap that
    /// fails.
    pub(crate) fn rename(&self, from: IpAddr, to: IpAddr) -> Result<(), Refusal> {
        let (address, prefix) = self.hashes(to);
        if !self.addresses.enter(address, self.cap_address.load(Relaxed)) {
            return Err(Refusal::Address);
        }
        if !self.prefixes.enter(prefix, self.cap_prefix.load(Relaxed)) {
            self.addresses.leave(address);
            return Err(Refusal::Prefix);
        }
        let (address, prefix) = self.hashes(from);
        self.addresses.leave(address);
        self.prefixes.leave(prefix);
        Ok(())
    }

    /// Whether more are held than the caps in all and of the port allow.
    pub(crate) fn is_exceeded(&self, port: &Port, max_clients: u32) -> bool {
        let above = |held: &AtomicU32, cap: u32| cap != 0 && held.load(Relaxed) > cap;
        above(&self.clients, self.cap_clients.load(Relaxed)) || above(&port.held, max_clients)
    }

    /// Counts a client out that [`Admission::enter`] let in.
    pub(crate) fn leave(&self, port: &Port, who: IpAddr) {
        let (address, prefix) = self.hashes(who);
        self.addresses.leave(address);
        self.prefixes.leave(prefix);
        port.held.fetch_sub(1, Relaxed);
        self.clients.fetch_sub(1, Relaxed);
    }

    /// How many are held from the prefix of `who`, and the prefix's hash.
    pub(crate) fn prefix(&self, who: IpAddr) -> (u32, u64) {
        let (_, prefix) = self.hashes(who);
        (self.prefixes.count(prefix), prefix)
    }

    fn hashes(&self, who: IpAddr) -> (u64, u64) {
        (self.hasher.hash_one(who), self.hasher.hash_one(Prefix::of(who)))
    }
}

/// Counts one up unless `cap` is reached; 0 is no cap.
fn count_up(count: &AtomicU32, cap: u32) -> Option<u32> {
    count.fetch_update(Relaxed, Relaxed, |held| (cap == 0 || held < cap).then_some(held + 1)).ok()
}

/// How many of each kind are held, in a table with open addressing that has several parts.
///
/// An entry is the upper 40 bits of a hash, and a count below them. An entry whose count is zero is
/// free for any hash. If two workers count a newcomer at the same moment, they may take two entries
/// for it, and its limit is looser by one for a while. That is the price of having no lock.
#[derive(Debug)]
struct Counts {
    parts: [OnceLock<Box<[AtomicU64]>>; PARTS],
}

/// The part of an entry that is the count.
const COUNT: u64 = (1 << 24) - 1;

/// Entries of the first part: room for 20,000 clients from as many places. It is made and written
/// at the start, so that no crowd of that size makes the tables grow.
const FIRST: usize = 1 << 15;

/// The smallest page of memory there is.
const PAGE: usize = 4_096;

/// Each part is twice as large as the one before; together they have room for 20 million.
const PARTS: usize = 10;

/// How far from its place an entry may lie within a part. If no entry is free there, the next part
/// is made; beyond the last part only the limit of all clients counts.
///
/// Most entries lie a step or two away, and a search ends at the first entry that was never used.
/// But of tables that count 20,000, one in a hundred has an entry more than 64 steps away.
const REACH: usize = 256;

impl Counts {
    fn new() -> Self {
        let counts = Self { parts: [const { OnceLock::new() }; PARTS] };
        counts.make_part(0);
        counts
    }

    fn make_part(&self, index: usize) {
        if let Some(part) = self.parts.get(index) {
            part.get_or_init(|| {
                let entries: Box<[_]> = (0..FIRST << index).map(|_| AtomicU64::new(0)).collect();
                // The kernel gives memory of zeros only when it is written: write to each page.
                for entry in entries.iter().step_by(PAGE / size_of::<AtomicU64>()) {
                    entry.store(0, Relaxed);
                }
                entries
            });
        }
    }

    /// Counts `hash` up; `false` if it has reached `cap`.
    fn enter(&self, hash: u64, cap: u32) -> bool {
        loop {
            let (place, entry, counted) = match self.find(hash) {
                Found::Own(_, entry) if cap != 0 && entry & COUNT >= u64::from(cap) => {
                    return false;
                }
                Found::Own(_, entry) if entry & COUNT == COUNT => return true,
                Found::Own(place, entry) => (place, entry, entry + 1),
                Found::Vacant(place, entry) => (place, entry, hash & !COUNT | 1),
                Found::Full(parts) if parts < PARTS => {
                    self.make_part(parts);
                    continue;
                }
                Found::Full(_) => return true,
            };
            if place.compare_exchange(entry, counted, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
    }

    fn count(&self, hash: u64) -> u32 {
        match self.find(hash) {
            Found::Own(_, entry) => (entry & COUNT) as u32,
            Found::Full(_) | Found::Vacant(..) => 0,
        }
    }

    fn leave(&self, hash: u64) {
        while let Found::Own(place, entry) = self.find(hash) {
            if place.compare_exchange(entry, entry - 1, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// The entry of `hash`, or else a free place for it.
    fn find(&self, hash: u64) -> Found<'_> {
        let mut vacant = None;
        let mut parts = 0;
        for part in self.parts.iter().map_while(OnceLock::get) {
            parts += 1;
            let mask = part.len() - 1;
            for step in 0..REACH {
                let place = &part[(hash as usize).wrapping_add(step) & mask];
                let entry = place.load(Relaxed);
                if entry & COUNT > 0 && entry & !COUNT == hash & !COUNT {
                    return Found::Own(place, entry);
                }
                if entry & COUNT == 0 {
                    vacant = vacant.or(Some((place, entry)));
                }
                if entry == 0 {
                    // Never used: nothing lies behind it.
                    break;
                }
            }
        }
        vacant.map_or(Found::Full(parts), |(place, entry)| Found::Vacant(place, entry))
    }
}

/// What was found of a hash.
enum Found<'a> {
    /// Nothing, in so many parts.
    Full(usize),
    Own(&'a AtomicU64, u64),
    Vacant(&'a AtomicU64, u64),
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const CAPS: Caps = Caps { clients: 50, per_address: 3, per_prefix: 5 };

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(bits).into()
    }

    fn port() -> Port {
        Port::new("127.0.0.1:22".parse().unwrap())
    }

    #[test]
    fn each_cap_refuses_by_its_own_name_and_lets_in_again_after_a_leave() {
        let (admission, port) = (Admission::new(CAPS), port());
        let one = v4(0x0A00_0001);
        for _ in 0..3 {
            assert_eq!(admission.enter(&port, 0, one), Ok(()));
        }
        assert_eq!(admission.enter(&port, 0, one), Err(Refusal::Address));
        assert_eq!(admission.enter(&port, 0, v4(0x0A00_0002)), Ok(()));
        assert_eq!(admission.enter(&port, 0, v4(0x0A00_0003)), Ok(()));
        assert_eq!(admission.enter(&port, 0, v4(0x0A00_0004)), Err(Refusal::Prefix));
        assert_eq!(admission.enter(&port, 5, v4(0x0B00_0001)), Err(Refusal::Port));
        admission.leave(&port, one);
        assert_eq!(admission.clients.load(Relaxed), 4);
        assert_eq!(admission.enter(&port, 5, v4(0x0A00_0004)), Ok(()));
        admission.set(Caps { clients: 5, ..CAPS });
        assert_eq!(admission.enter(&port, 0, v4(0x0C00_0001)), Err(Refusal::Clients));
    }

    #[test]
    fn a_client_that_turns_out_to_be_another_counts_as_that_one() {
        let (admission, port) = (Admission::new(CAPS), port());
        let (relay, client) = (v4(0x0A00_0001), v4(0x0B00_0001));
        for _ in 0..4 {
            assert_eq!(admission.enter(&port, 0, relay), Ok(()));
            let renamed = admission.rename(relay, client);
            assert_eq!(renamed.is_ok(), admission.prefix(relay).0 == 0);
        }
        assert_eq!(admission.rename(relay, client), Err(Refusal::Address));
        assert_eq!((admission.prefix(relay).0, admission.prefix(client).0), (1, 3));
        admission.leave(&port, client);
        assert_eq!(admission.rename(relay, client), Ok(()));
        assert_eq!(admission.clients.load(Relaxed), 3);
    }

    #[test]
    fn a_v6_prefix_is_56_bits() {
        let (admission, port) = (Admission::new(CAPS), port());
        for host in 0..5_u128 {
            let who = Ipv6Addr::from_bits(0x2001_0db8_0000_0000 << 64 | host << 64 | host);
            assert_eq!(admission.enter(&port, 0, who.into()), Ok(()));
        }
        let same = Ipv6Addr::from_bits(0x2001_0db8_0000_00ff << 64);
        assert_eq!(admission.enter(&port, 0, same.into()), Err(Refusal::Prefix));
        let other = Ipv6Addr::from_bits(0x2001_0db8_0000_0100 << 64);
        assert_eq!(admission.enter(&port, 0, other.into()), Ok(()));
    }

    #[test]
    fn a_house_of_twenty_thousand_networks_needs_one_part() {
        for _ in 0..100 {
            let counts = Admission::new(Caps { clients: 0, per_address: 0, per_prefix: 1 });
            let port = port();
            for network in 0..20_000 {
                assert_eq!(counts.enter(&port, 0, v4(network << 8)), Ok(()));
            }
            assert!(counts.prefixes.parts[1].get().is_none());
        }
    }

    #[test]
    fn a_full_house_is_counted_exactly_and_emptied_to_the_last() {
        let caps = Caps { clients: 0, per_address: 1, per_prefix: 256 };
        let (admission, port) = (Admission::new(caps), port());
        for (round, size) in [20_000, 20_000, 100_000, 20_000, 1_000].into_iter().enumerate() {
            let base = round as u32 * 0x0100_0000;
            for host in 0..size {
                assert_eq!(admission.enter(&port, 0, v4(base + host)), Ok(()), "{host}");
            }
            for host in (0..size).step_by(97) {
                assert_eq!(admission.enter(&port, 0, v4(base + host)), Err(Refusal::Address));
            }
            for host in 0..size {
                admission.leave(&port, v4(base + host));
            }
            assert_eq!(admission.clients.load(Relaxed), 0);
        }
        let parts = admission.addresses.parts.iter().map_while(OnceLock::get);
        assert!(parts.clone().count() > 1);
        assert!(parts.flatten().all(|entry| entry.load(Relaxed) & COUNT == 0));
    }
}
