//! A client's address or network, as small as it can be: there are many of them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An address, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
    /// Not an address: something else was put in its place after tarpitd wrote it.
    Other(Box<str>),
}

/// A network: the address without its last bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Network(Address);

/// The most bytes of a text in an address's place that are kept.
const SHOWN: usize = 64;

impl Address {
    pub(super) fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(IpAddr::V4(v4)) => Self::V4(v4.octets()),
            Ok(IpAddr::V6(v6)) => Self::V6(v6.octets()),
            Err(_) => Self::Other(super::line::beginning(text, SHOWN).into()),
        }
    }

    /// The /24 or /56 that it belongs to, as in `[limits] per_prefix`. An address of `fd00::/8` has
    /// none: with `anonymize = "keyed"` the trace has such a hash in the address's place.
    pub(super) fn network(&self) -> Option<Network> {
        let mut network = self.clone();
        match &mut network {
            Self::V4(octets) => octets[3..].fill(0),
            Self::V6([0xFD, ..]) | Self::Other(_) => return None,
            Self::V6(octets) => octets[7..].fill(0),
        }
        Some(Network(network))
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

impl From<&Network> for Network {
    fn from(network: &Network) -> Self {
        network.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(octets) => Ipv4Addr::from(*octets).fmt(f),
            Self::V6(octets) => Ipv6Addr::from(*octets).fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if matches!(self.0, Address::V6(_)) { 56 } else { 24 };
        write!(f, "{}/{bits}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_those_of_the_limits() {
        for (address, network) in [
            ("192.0.2.7", Some("192.0.2.0/24")),
            ("2001:db8:1:2ff::7", Some("2001:db8:1:200::/56")),
            ("fd12:3456:789a::7", None),
            ("h-1f3a", None),
        ] {
            let address = Address::parse(address);
            assert_eq!(address.network().map(|it| it.to_string()).as_deref(), network);
        }
    }

    #[test]
    fn addresses_are_small() {
        assert!(size_of::<Address>() <= 24);
    }
}
