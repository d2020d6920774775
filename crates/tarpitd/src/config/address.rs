//! Where a tarpit listens, as users write it: a host and one port or several.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
};

use crate::settings::{SocketName, is_public};

/// A host on which to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `*`: every address of both families.
    Any,
    Ip(IpAddr),
    /// `localhost`: the loopback addresses of both families.
    Localhost,
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare {
            "" => return Err("the host is empty: write `*` for every address".into()),
            "*" => return Ok(Self::Any),
            _ if bare.eq_ignore_ascii_case("localhost") => return Ok(Self::Localhost),
            _ => {}
        }
        let Ok(ip) = bare.parse::<IpAddr>() else {
            return Err(format!(
                "`{}` is not an IP address: names are not looked up, \
                 write an address, `localhost` or `*`",
                text.escape_debug()
            ));
        };
        // An IPv4-mapped address is its IPv4 form: IPv6 sockets take no IPv4 here.
        let ip = ip.to_canonical();
        if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(format!("no client can connect to {ip}: write an address of one machine"));
        }
        Ok(Self::Ip(ip))
    }

    /// The one or two addresses it stands for.
    fn ips(self) -> impl Iterator<Item = IpAddr> + Clone {
        let (v4, v6) = match self {
            Self::Any => (Some(Ipv4Addr::UNSPECIFIED), Some(Ipv6Addr::UNSPECIFIED)),
            Self::Ip(IpAddr::V4(ip)) => (Some(ip), None),
            Self::Ip(IpAddr::V6(ip)) => (None, Some(ip)),
            Self::Localhost => (Some(Ipv4Addr::LOCALHOST), Some(Ipv6Addr::LOCALHOST)),
        };
        v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6))
    }
}

/// The ports of one entry: one or several in a row. Port 0, which the kernel replaces, stands
/// alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports(RangeInclusive<u16>);

impl Ports {
    /// A port, or a range such as `8000-8010`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is not a port: write a number from 0 to 65535, or a range such as 8000-8010",
                text.escape_debug()
            )
        };
        let number = |text: &str| {
            // `parse` would also take a plus sign.
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number).ok_or_else(wrong)
        };
        let Some((first, last)) = text.split_once('-').filter(|(first, _)| !first.is_empty())
        else {
            return Ok(Self::single(number(text)?));
        };
        let range = number(first)?..=number(last)?;
        if range.is_empty() || range.contains(&0) {
            return Err(format!(
                "the range {text} is not valid: write the lower port first, from 1 on"
            ));
        }
        Ok(Self(range))
    }

    /// From the first to the last.
    pub(crate) fn range(self) -> RangeInclusive<u16> {
        self.0
    }

    /// Each of them.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.0.clone()
    }

    pub(super) fn single(port: u16) -> Self {
        Self(port..=port)
    }
}

/// Which sockets of the service manager `systemd` or `systemd:NAME` means; `None`: the text is no
/// such thing.
pub(super) fn socket_name(text: &str) -> Option<Result<SocketName, String>> {
    let name = match text.strip_prefix("systemd")? {
        "" => return Some(Ok(SocketName::Rest)),
        rest => rest.strip_prefix(':')?,
    };
    // As systemd has it (systemd.socket(5), FileDescriptorName=).
    let is_name = !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b':');
    Some(if is_name {
        Ok(SocketName::Named(name.to_owned()))
    } else {
        Err("write `systemd:NAME` with the FileDescriptorName= of the socket unit, or `systemd` \
             alone"
            .to_owned())
    })
}

/// One entry of what a tarpit listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) host: Host,
    pub(super) ports: Ports,
}

impl Bind {
    /// A host and its ports, as in `HOST:PORT`; an IPv6 host is in brackets. Errors list everything
    /// that is wrong; `form` is the right form.
    pub(super) fn parse(text: &str, form: &str) -> Result<Self, Vec<String>> {
        let in_brackets = text.starts_with('[').then(|| text.find("]:")).flatten();
        let cut = match in_brackets {
            Some(end) => Some((&text[..=end], &text[end + 2..])),
            None => text.split_once(':'),
        };
        let (host, port) = match cut {
            Some((_, port)) if port.contains(':') => {
                return Err(vec![format!("write {form}, with an IPv6 host in brackets")]);
            }
            Some(both) => both,
            None if Ports::parse(text).is_ok() => {
                return Err(vec![format!("the host is missing: write {form}, as in *:{text}")]);
            }
            None => return Err(vec![format!("the port is missing: write {form}")]),
        };
        match (Host::parse(host), Ports::parse(port)) {
            (Ok(host), Ok(ports)) => Ok(Self { host, ports }),
            (host, ports) => Err([host.err(), ports.err()].into_iter().flatten().collect()),
        }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let ports = self.ports.0.clone();
        self.host.ips().flat_map(move |ip| ports.clone().map(move |port| (ip, port).into()))
    }

    /// How many [`Bind::addresses`] there are.
    pub(super) fn count(&self) -> usize {
        self.host.ips().count() * self.ports.0.len()
    }

    /// Why the kernel would not give an address to both: it is the same, or one of them means every
    /// address of its family. `user` has the other one.
    pub(super) fn overlap(&self, other: &Self, user: &str) -> Option<String> {
        let first = *self.ports.0.start().max(other.ports.0.start());
        if first == 0 || first > *self.ports.0.end().min(other.ports.0.end()) {
            return None;
        }
        let both = |one: IpAddr| {
            let meets = move |other: &IpAddr| {
                one == *other
                    || one.is_ipv4() == other.is_ipv4()
                        && (one.is_unspecified() || other.is_unspecified())
            };
            Some((one, other.host.ips().find(meets)?))
        };
        let (one, other) = self.host.ips().find_map(both)?;
        let [at, theirs] = [one, other].map(|ip| SocketAddr::new(ip, first));
        Some(match () {
            () if one == other => format!("{at} is already used by {user}"),
            () if one.is_unspecified() => format!("{at} covers {theirs}, which is used by {user}"),
            () => format!("{at} is covered by {theirs}, which is used by {user}"),
        })
    }

    /// Whether only this machine can reach it.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.ips().all(|ip| ip.is_loopback())
    }

    /// Whether clients outside this machine and private networks may reach it.
    pub(super) fn is_public(&self) -> bool {
        self.host.ips().any(is_public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(host: &str, ports: &str) -> Bind {
        Bind { host: Host::parse(host).unwrap(), ports: Ports::parse(ports).unwrap() }
    }

    #[track_caller]
    fn check_addresses(host: &str, ports: &str, wanted: &[&str]) {
        let bind = bind(host, ports);
        let got: Vec<_> = bind.addresses().map(|address| address.to_string()).collect();
        assert_eq!(got, wanted);
        assert_eq!(bind.count(), wanted.len());
    }

    #[test]
    fn a_host_stands_for_its_families_and_a_range_for_its_ports() {
        check_addresses("127.0.0.1", "22", &["127.0.0.1:22"]);
        check_addresses("::", "22", &["[::]:22"]);
        check_addresses("[::1]", "0", &["[::1]:0"]);
        check_addresses("*", "22", &["0.0.0.0:22", "[::]:22"]);
        check_addresses("LocalHost", "65535", &["127.0.0.1:65535", "[::1]:65535"]);
        check_addresses("::ffff:10.0.0.1", "22", &["10.0.0.1:22"]);
        check_addresses("10.0.0.1", "80-82", &["10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82"]);
    }

    #[test]
    fn what_is_no_host_or_port_says_why() {
        for host in
            ["", "example.org", "127.0.0.1.5", "224.0.0.1", "ff02::1", "fe80::1%eth0", "[::1"]
        {
            assert!(Host::parse(host).is_err(), "{host}");
        }
        for ports in ["", "x", "-1", "70000", "+22", "22-", "23-22", "0-5", "1-2-3", " 22"] {
            assert!(Ports::parse(ports).is_err(), "{ports}");
        }
    }

    #[track_caller]
    fn check_overlap(one: (&str, &str), other: (&str, &str), wanted: Option<&str>) {
        let (one, other) = (bind(one.0, one.1), bind(other.0, other.1));
        let why = one.overlap(&other, "b");
        assert_eq!(why.as_deref().and_then(|why| why.split(' ').next()), wanted);
        assert_eq!(why.is_some(), other.overlap(&one, "b").is_some());
    }

    #[test]
    fn every_address_of_a_family_overlaps_each_of_it() {
        check_overlap(("127.0.0.1", "22"), ("127.0.0.1", "22"), Some("127.0.0.1:22"));
        check_overlap(("127.0.0.1", "22"), ("127.0.0.2", "22"), None);
        check_overlap(("127.0.0.1", "22"), ("127.0.0.1", "23"), None);
        check_overlap(("127.0.0.1", "22"), ("0.0.0.0", "22"), Some("127.0.0.1:22"));
        check_overlap(("127.0.0.1", "22"), ("::", "22"), None);
        check_overlap(("localhost", "20-25"), ("::1", "24-30"), Some("[::1]:24"));
        check_overlap(("*", "0"), ("*", "0"), None);
    }

    #[test]
    fn sockets_of_the_service_manager_are_named() {
        let named = |name: &str| Some(Ok(SocketName::Named(name.to_owned())));
        assert_eq!(socket_name("systemd"), Some(Ok(SocketName::Rest)));
        assert_eq!(socket_name("systemd:ssh"), named("ssh"));
        assert_eq!(socket_name("systemd:tarpitd.socket"), named("tarpitd.socket"));
        for wrong in ["systemd:", "systemd:a:b", "systemd:\t", "systemd:é"] {
            assert!(socket_name(wrong).is_some_and(|it| it.is_err()), "{wrong}");
        }
        for address in ["systemd22", "127.0.0.1:22", "system", "[::1]:22"] {
            assert_eq!(socket_name(address), None, "{address}");
        }
    }

    #[test]
    fn private_networks_are_not_public() {
        for (host, wanted) in [
            ("localhost", false),
            ("192.168.1.1", false),
            ("fd00::1", false),
            ("*", true),
            ("::", true),
            ("203.0.113.7", true),
        ] {
            assert_eq!(bind(host, "80").is_public(), wanted, "{host}");
        }
    }
}
