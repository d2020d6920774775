//! Who may come in: caps in all, for each port, for each address and for each prefix.
//!
//! All workers share the counts without locks. The tables have a fixed size, so that no crowd of
//! clients makes them grow.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// The caps in force; 0 stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Clients in all.
    pub(crate) clients: u32,
    /// Clients from one address.
    pub(crate) per_address: u32,
    /// Clients from one prefix: /24 or /56.
    pub(crate) per_prefix: u32,
}

/// Why a newcomer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many from its address.
    Address,
    /// Its address is to be let go.
    Allowed,
    /// Too many in all.
    Clients,
    /// Its address is to be refused.
    Denied,
    /// Too many on this port.
    Port,
    /// Too many from its prefix.
    Prefix,
}

impl Refusal {
    /// The name in traces and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "per_address",
            Self::Allowed => "allowed",
            Self::Clients => "clients",
            Self::Denied => "denied",
            Self::Port => "max_clients",
            Self::Prefix => "per_prefix",
        }
    }
}

/// A bound port and how many it holds.
#[derive(Debug)]
pub(crate) struct Port {
    /// Where it is bound.
    pub(crate) address: SocketAddr,
    held: AtomicU32,
}

impl Port {
    /// A port that holds nobody.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, held: AtomicU32::new(0) }
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
    hasher: RandomState,
    addresses: Counts,
    prefixes: Counts,
}

impl Admission {
    /// Counts for at most `most` clients, all zero.
    pub(crate) fn new(caps: Caps, most: u32) -> Self {
        let admission = Self {
            clients: AtomicU32::new(0),
            cap_clients: AtomicU32::new(0),
            cap_address: AtomicU32::new(0),
            cap_prefix: AtomicU32::new(0),
            hasher: RandomState::new(),
            addresses: Counts::new(most),
            prefixes: Counts::new(most),
        };
        admission.set(caps);
        admission
    }

    /// Puts other caps in force. Whoever is held already stays.
    pub(crate) fn set(&self, caps: Caps) {
        self.cap_clients.store(caps.clients, Relaxed);
        self.cap_address.store(caps.per_address, Relaxed);
        self.cap_prefix.store(caps.per_prefix, Relaxed);
    }

    /// Counts a newcomer in, or says at which cap it fails.
    pub(crate) fn enter(&self, port: &Port, max_clients: u32, who: IpAddr) -> Result<(), Refusal> {
        let all = self.cap_clients.load(Relaxed);
        count_up(&self.clients, all).ok_or(Refusal::Clients)?;
        if count_up(&port.held, max_clients).is_none() {
            self.clients.fetch_sub(1, Relaxed);
            return Err(Refusal::Port);
        }
        let (address, prefix) = self.hashes(who);
        let refusal = if !self.addresses.enter(address, self.cap_address.load(Relaxed)) {
            Refusal::Address
        } else if !self.prefixes.enter(prefix, self.cap_prefix.load(Relaxed)) {
            self.addresses.leave(address);
            Refusal::Prefix
        } else {
            return Ok(());
        };
        self.clients.fetch_sub(1, Relaxed);
        port.held.fetch_sub(1, Relaxed);
        Err(refusal)
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
        let prefix = match who {
            IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
            // Marked, so that it meets no prefix of the other family.
            IpAddr::V6(ip) => (ip.to_bits() >> 72) as u64 | 1 << 63,
        };
        (self.hasher.hash_one(who), self.hasher.hash_one(prefix))
    }
}

/// Counts one up unless `cap` is reached; 0 is no cap.
fn count_up(count: &AtomicU32, cap: u32) -> Option<u32> {
    count.fetch_update(Relaxed, Relaxed, |held| (cap == 0 || held < cap).then_some(held + 1)).ok()
}

/// How many of each kind are held, in a table of fixed size with open addressing.
///
/// An entry is a hash's upper bits and a count below them. One whose count has sunk to zero is
/// free for anybody. Two workers that count a newcomer at the same moment may take two entries
/// for it, which makes its cap looser by one for a while: a price worth having no lock.
#[derive(Debug)]
struct Counts {
    entries: Box<[AtomicU64]>,
}

/// The part of an entry that is the count.
const COUNT: u64 = (1 << 24) - 1;

/// How far from its place an entry may lie. At the tables' load of at most 5/8 nothing in practice
/// lies as far; what finds no place is not counted, and only the caps in all hold it.
const REACH: usize = 128;

impl Counts {
    fn new(most: u32) -> Self {
        let places = (most as usize).saturating_mul(8).div_ceil(5).next_power_of_two().max(256);
        Self { entries: (0..places).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts `hash` up; `false` if it has reached `cap`.
    fn enter(&self, hash: u64, cap: u32) -> bool {
        loop {
            let mut vacant = None;
            let mut own = None;
            for place in self.places(hash) {
                let entry = place.load(Relaxed);
                if entry & COUNT == 0 {
                    vacant = vacant.or(Some((place, entry)));
                    if entry == 0 {
                        break;
                    }
                } else if entry & !COUNT == hash & !COUNT {
                    own = Some((place, entry));
                    break;
                }
            }
            let (place, entry, counted) = match (own, vacant) {
                (Some((_, entry)), _) if cap != 0 && entry & COUNT >= u64::from(cap) => {
                    return false;
                }
                (Some((_, entry)), _) if entry & COUNT == COUNT => return true,
                (Some((place, entry)), _) => (place, entry, entry + 1),
                (None, Some((place, entry))) => (place, entry, hash & !COUNT | 1),
                (None, None) => return true,
            };
            if place.compare_exchange(entry, counted, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
    }

    fn count(&self, hash: u64) -> u32 {
        for place in self.places(hash) {
            let entry = place.load(Relaxed);
            if entry == 0 {
                break;
            }
            if entry & !COUNT == hash & !COUNT && entry & COUNT > 0 {
                return (entry & COUNT) as u32;
            }
        }
        0
    }

    fn leave(&self, hash: u64) {
        for place in self.places(hash) {
            let counted = place.fetch_update(Relaxed, Relaxed, |entry| {
                (entry & !COUNT == hash & !COUNT && entry & COUNT > 0).then(|| entry - 1)
            });
            if counted.is_ok() || place.load(Relaxed) == 0 {
                return;
            }
        }
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let mask = self.entries.len() - 1;
        (0..REACH).map(move |step| &self.entries[(hash as usize).wrapping_add(step) & mask])
    }
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
        let (admission, port) = (Admission::new(CAPS, 100), port());
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
    fn a_v6_prefix_is_56_bits() {
        let (admission, port) = (Admission::new(CAPS, 100), port());
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
    fn a_full_house_is_counted_exactly_and_emptied_to_the_last() {
        let caps = Caps { clients: 0, per_address: 1, per_prefix: 256 };
        let (admission, port) = (Admission::new(caps, 20_000), port());
        for round in 0..5_u32 {
            let base = round * 0x0100_0000;
            for host in 0..20_000 {
                assert_eq!(admission.enter(&port, 0, v4(base + host)), Ok(()), "{host}");
            }
            for host in (0..20_000).step_by(97) {
                assert_eq!(admission.enter(&port, 0, v4(base + host)), Err(Refusal::Address));
            }
            for host in 0..20_000 {
                admission.leave(&port, v4(base + host));
            }
            assert_eq!(admission.clients.load(Relaxed), 0);
        }
        assert!(admission.addresses.entries.iter().all(|e| e.load(Relaxed) & COUNT == 0));
    }
}
