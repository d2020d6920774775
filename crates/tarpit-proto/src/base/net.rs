//! The network of an address, by which clients are grouped: an IPv4 /24 or an IPv6 /56.

use core::net::IpAddr;

/// A network of clients: the first 24 bits of an IPv4 address, or the first 56 of an IPv6 address.
///
/// Providers hand out IPv6 networks of 56 bits to one customer, so a longer prefix would count one
/// customer as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u64);

/// Set in the key of an IPv6 network, so that it never equals that of an IPv4 network.
const IPV6: u64 = 1 << 56;

impl Prefix {
    /// The network of `address`. An IPv4 address that is written as an IPv6 one
    /// (`::ffff:192.0.2.1`) belongs to its IPv4 network.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u64::from(address.to_bits() >> 8)),
            IpAddr::V6(address) => Self(IPV6 | (address.to_bits() >> 72) as u64),
        }
    }

    /// The network as a number: different networks have different numbers, below 2^57.
    pub const fn key(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str) -> Prefix {
        Prefix::of(address.parse().expect("an address"))
    }

    #[test]
    fn an_ipv4_network_has_24_bits() {
        assert_eq!(prefix("192.0.2.1"), prefix("192.0.2.250"));
        assert_ne!(prefix("192.0.2.1"), prefix("192.0.3.1"));
        assert_eq!(prefix("192.0.2.1").key(), 0xC0_00_02);
    }

    #[test]
    fn an_ipv6_network_has_56_bits() {
        assert_eq!(prefix("2001:db8:1:100::1"), prefix("2001:db8:1:1ff::2"));
        assert_ne!(prefix("2001:db8:1:100::1"), prefix("2001:db8:1:200::1"));
        assert!(prefix("ffff:ffff:ffff:ffff::").key() < 1 << 57);
    }

    #[test]
    fn no_network_of_one_family_equals_one_of_the_other() {
        assert_ne!(prefix("::1"), prefix("0.0.0.1"));
        assert_ne!(prefix("0:0:c0:2::1"), prefix("192.0.2.1"));
        assert_eq!(prefix("::ffff:192.0.2.3"), prefix("192.0.2.1"));
    }
}
