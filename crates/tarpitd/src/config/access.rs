//! Addresses that are not held: those to let go, and those to refuse.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A network, such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    family: Family,
    /// The address; one of IPv4 in the upper 32 bits.
    bits: u128,
    /// How many of the bits count.
    length: u8,
}

/// How many bits of an IPv4-mapped address stand before the address (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, l)| (ip, Some(l)));
        let wrong = || {
            format!(
                "`{}` is no network: write an address, or one with a prefix length as in \
                 192.0.2.0/24 or 2001:db8::/32",
                text.escape_debug()
            )
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        let length: u8 = match length {
            None => whole,
            Some(text) => text.parse().ok().filter(|&length| length <= whole).ok_or_else(wrong)?,
        };
        let (ip, length) = match ip.to_canonical() {
            // Clients have no mapped addresses here: a network of them is one of IPv4.
            IpAddr::V4(mapped) if ip.is_ipv6() => {
                let within = length.checked_sub(MAPPED).ok_or_else(|| {
                    format!(
                        "`{}` is an IPv4-mapped network shorter than /{MAPPED}, which holds IPv4 \
                         addresses and others: write the IPv4 network itself, such as {}/8",
                        text.escape_debug(),
                        Ipv4Addr::from_bits(mapped.to_bits() & 0xFF00_0000)
                    )
                })?;
                (IpAddr::V4(mapped), within)
            }
            _ => (ip, length),
        };
        let (family, bits) = bits(ip);
        let network = Self { family, bits, length };
        if network.bits & !mask(network.length) == 0 {
            return Ok(network);
        }
        let network = Self { bits: network.bits & mask(network.length), ..network };
        Err(format!("`{}` has bits behind its prefix: write {network}", text.escape_debug()))
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

/// Which kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    V4,
    V6,
}

/// What becomes of a newcomer, judged by its address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is closed at once.
    Allowed,
    /// It is reset at once.
    Denied,
    /// It is held, if there is room.
    Held,
}

/// Both lists, found by the longest prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// For each prefix length of a family that occurs, the networks of that length.
    networks: BTreeMap<(Family, u8), Networks>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Networks {
    allowed: BTreeSet<u128>,
    denied: BTreeSet<u128>,
}

impl Access {
    /// Adds a network whose clients are let go.
    pub(crate) fn allow(&mut self, network: Network) {
        self.networks
            .entry((network.family, network.length))
            .or_default()
            .allowed
            .insert(network.bits);
    }

    /// Adds a network whose clients are refused.
    pub(crate) fn deny(&mut self, network: Network) {
        self.networks
            .entry((network.family, network.length))
            .or_default()
            .denied
            .insert(network.bits);
    }

    /// The networks whose clients are let go.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = Network> {
        self.all(|networks| &networks.allowed)
    }

    /// The networks whose clients are refused.
    pub(crate) fn denied(&self) -> impl Iterator<Item = Network> {
        self.all(|networks| &networks.denied)
    }

    fn all(&self, which: fn(&Networks) -> &BTreeSet<u128>) -> impl Iterator<Item = Network> {
        self.networks.iter().flat_map(move |(&(family, length), networks)| {
            which(networks).iter().map(move |&bits| Network { family, bits, length })
        })
    }

    /// What becomes of `ip`: the longest prefix decides; in both lists, it is allowed.
    pub(crate) fn verdict(&self, ip: IpAddr) -> Verdict {
        let (family, bits) = bits(ip);
        for (&(_, length), networks) in self.networks.range((family, 0)..=(family, 128)).rev() {
            let network = bits & mask(length);
            if networks.allowed.contains(&network) {
                return Verdict::Allowed;
            }
            if networks.denied.contains(&network) {
                return Verdict::Denied;
            }
        }
        Verdict::Held
    }
}

fn bits(ip: IpAddr) -> (Family, u128) {
    match ip {
        IpAddr::V4(ip) => (Family::V4, u128::from(ip.to_bits()) << 96),
        IpAddr::V6(ip) => (Family::V6, ip.to_bits()),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allow: &[&str], deny: &[&str], ip: &str) -> Verdict {
        let mut access = Access::default();
        for text in allow {
            access.allow(text.parse().unwrap());
        }
        for text in deny {
            access.deny(text.parse().unwrap());
        }
        access.verdict(ip.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_decides() {
        let allow = ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"];
        let deny = ["192.0.2.128/25", "203.0.113.0/24", "0.0.0.0/0"];
        for (ip, wanted) in [
            ("192.0.2.1", Verdict::Allowed),
            ("192.0.2.129", Verdict::Denied),
            ("203.0.113.7", Verdict::Allowed),
            ("203.0.113.8", Verdict::Denied),
            ("2001:db8:1::1", Verdict::Allowed),
            ("2001:db9::1", Verdict::Held),
            ("8.8.8.8", Verdict::Denied),
        ] {
            assert_eq!(verdict(&allow, &deny, ip), wanted, "{ip}");
        }
        assert_eq!(verdict(&["10.0.0.0/8"], &["10.0.0.0/8"], "10.1.1.1"), Verdict::Allowed);
        assert_eq!(verdict(&[], &[], "127.0.0.1"), Verdict::Held);
        // A network of one family holds nobody of the other.
        assert_eq!(verdict(&[], &["::/0"], "127.0.0.1"), Verdict::Held);
        assert_eq!(verdict(&["0.0.0.0/0"], &[], "2001:db8::1"), Verdict::Held);
    }

    #[test]
    fn a_network_is_written_as_it_is_read_and_nonsense_is_named() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.0.2.1/32"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in ["", "example.org", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24/1", "/8"] {
            assert!(text.parse::<Network>().unwrap_err().contains("is no network"), "{text}");
        }
        for (mapped, wanted) in [
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("::ffff:c000:200/128", "192.0.2.0/32"),
        ] {
            assert_eq!(mapped.parse::<Network>().unwrap().to_string(), wanted);
        }
        let error = "::ffff:0.0.0.0/95".parse::<Network>().unwrap_err();
        assert!(error.contains("shorter than /96") && error.contains("0.0.0.0/8"), "{error}");
        let error = "::ffff:192.0.2.7/120".parse::<Network>().unwrap_err();
        assert!(error.ends_with("write 192.0.2.0/24"), "{error}");
        let error = "192.0.2.7/24".parse::<Network>().unwrap_err();
        assert!(error.ends_with("write 192.0.2.0/24"), "{error}");
    }
}
