//! Networks, and the lists of those whose clients are not held.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A network, such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Network {
    family: Family,
    /// The address, with zeros after its prefix; IPv4 in the upper 32 bits.
    bits: u128,
    /// How many of the bits count.
    length: u8,
}

/// Which kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Whether clients outside this machine and private networks may reach this address.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

impl Network {
    /// The network of `length` bits that holds `ip`.
    pub(crate) fn of(ip: IpAddr, length: u8) -> Self {
        let (family, bits) = bits(ip);
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        Self { family, bits: bits & mask, length }
    }

    /// The network by which clients are counted: a /24, or for IPv6 a /56.
    pub(crate) fn around(ip: IpAddr) -> Self {
        Self::of(ip, if ip.is_ipv4() { 24 } else { 56 })
    }

    /// Whether `ip` is one of its addresses.
    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        let is_of_family = ip.is_ipv4() == (self.family == Family::V4);
        is_of_family && Self::of(ip, self.length) == self
    }

    /// Whether `ip` is the first of its addresses.
    pub(crate) fn starts_with(self, ip: IpAddr) -> bool {
        (self.family, self.bits) == bits(ip)
    }

    /// The first of its addresses.
    pub(crate) fn first(self) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::from_bits((self.bits >> 96) as u32).into(),
            Family::V6 => Ipv6Addr::from_bits(self.bits).into(),
        }
    }

    /// Whether each of its addresses is in one of these networks.
    pub(crate) fn is_covered_by(self, all: &BTreeSet<Self>) -> bool {
        let mut next = self.bits;
        // In the order of their first addresses.
        for one in all.iter().filter(|it| it.family == self.family && it.last() >= self.bits) {
            if one.bits > next {
                return false;
            }
            if one.last() >= self.last() {
                return true;
            }
            next = next.max(one.last() + 1);
        }
        false
    }

    /// The bits of the last of its addresses.
    fn last(self) -> u128 {
        self.bits | u128::MAX.checked_shr(self.length.into()).unwrap_or(0)
    }

    pub(crate) fn family(self) -> Family {
        self.family
    }

    /// How many bits its addresses share.
    pub(crate) fn length(self) -> u8 {
        self.length
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, bits, length } = *self;
        match family {
            Family::V4 => write!(f, "{}/{length}", Ipv4Addr::from_bits((bits >> 96) as u32)),
            Family::V6 => write!(f, "{}/{length}", Ipv6Addr::from_bits(bits)),
        }
    }
}

fn bits(ip: IpAddr) -> (Family, u128) {
    match ip {
        IpAddr::V4(ip) => (Family::V4, u128::from(ip.to_bits()) << 96),
        IpAddr::V6(ip) => (Family::V6, ip.to_bits()),
    }
}

/// The networks whose clients are not held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessLists {
    /// Their clients are closed at once.
    pub(crate) allow: BTreeSet<Network>,
    /// Their clients are reset at once.
    pub(crate) deny: BTreeSet<Network>,
    /// HTTP relays that name the client in a field.
    pub(crate) forwarded_from: BTreeSet<Network>,
    /// Load balancers and the like, whose health checks are answered.
    pub(crate) health: BTreeSet<Network>,
}
