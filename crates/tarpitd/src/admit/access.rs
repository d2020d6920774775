//! What happens to a new client by its address alone.

use std::{collections::BTreeSet, net::IpAddr};

use crate::settings::{AccessLists, Family, Network};

/// The lists of networks, looked up by the longest prefix.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    lists: AccessLists,
    /// The prefix lengths that occur, the longest first: one lookup each, however long the lists.
    v4: Vec<u8>,
    v6: Vec<u8>,
}

/// What happens to a new client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is closed at once.
    Allowed,
    /// It is reset at once.
    Denied,
    /// It is a health check: it is answered and closed.
    Health,
    /// It is held, if there is room.
    Held,
}

impl Access {
    pub(crate) fn new(lists: AccessLists) -> Self {
        let lengths = |family: Family| {
            let all = lists.allow.iter().chain(&lists.deny).chain(&lists.health);
            let lengths = all.filter(|network| network.family() == family).map(|it| it.length());
            lengths.collect::<BTreeSet<_>>().into_iter().rev().collect()
        };
        Self { v4: lengths(Family::V4), v6: lengths(Family::V6), lists }
    }

    /// Whether `ip` is of a relay that names its clients in HTTP requests.
    pub(crate) fn forwards(&self, ip: IpAddr) -> bool {
        self.lists.forwarded_from.iter().any(|network| network.contains(ip))
    }

    /// What happens to `ip`: the longest prefix decides. In both lists, it is allowed.
    pub(crate) fn verdict(&self, ip: IpAddr) -> Verdict {
        let lengths = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        for &length in lengths {
            let network = Network::of(ip, length);
            if self.lists.allow.contains(&network) {
                return Verdict::Allowed;
            }
            if self.lists.health.contains(&network) {
                return Verdict::Health;
            }
            if self.lists.deny.contains(&network) {
                return Verdict::Denied;
            }
        }
        Verdict::Held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(all: &[(&str, u8)]) -> BTreeSet<Network> {
        all.iter().map(|(ip, length)| Network::of(ip.parse().unwrap(), *length)).collect()
    }

    fn verdict(allow: &[(&str, u8)], deny: &[(&str, u8)], ip: &str) -> Verdict {
        let lists =
            AccessLists { allow: networks(allow), deny: networks(deny), ..AccessLists::default() };
        Access::new(lists).verdict(ip.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_decides() {
        let allow = [("192.0.2.0", 24), ("2001:db8::", 32), ("203.0.113.7", 32)];
        let deny = [("192.0.2.128", 25), ("203.0.113.0", 24), ("0.0.0.0", 0)];
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
        assert_eq!(verdict(&[("10.0.0.0", 8)], &[("10.0.0.0", 8)], "10.1.1.1"), Verdict::Allowed);
        assert_eq!(verdict(&[], &[], "127.0.0.1"), Verdict::Held);
        // A network of one family holds no address of the other.
        assert_eq!(verdict(&[], &[("::", 0)], "127.0.0.1"), Verdict::Held);
        assert_eq!(verdict(&[("0.0.0.0", 0)], &[], "2001:db8::1"), Verdict::Held);
    }
}
