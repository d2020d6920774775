//! Whom an HTTP relay forwards for, by the fields that it adds (RFC 7239; X-Forwarded-For and
//! X-Real-IP have no standard).

use std::net::{IpAddr, SocketAddr};

use tarpit_proto::fact::{Entry, Fact};

/// How much a kind of field counts. A relay sets one of them and may pass the others on as the
/// client wrote them, so that the first of these that is there must be the relay's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    #[default]
    Nothing,
    XRealIp,
    Forwarded,
    XForwardedFor,
}

impl Rank {
    /// Every rank, in their order.
    pub(crate) const ALL: [Self; 4] =
        [Self::Nothing, Self::XRealIp, Self::Forwarded, Self::XForwardedFor];

    /// What this fact counts.
    pub(crate) fn of(fact: Fact) -> Self {
        match fact {
            Fact::HttpForwarded => Self::Forwarded,
            Fact::HttpXForwardedFor => Self::XForwardedFor,
            Fact::HttpXRealIp => Self::XRealIp,
            _ => Self::Nothing,
        }
    }
}

/// The client that a field names; port 0 if it has none. Each relay adds the one before it at the
/// end, so this is the last that is no relay of ours. A field whose end is missing names nobody.
pub(crate) fn client(entry: &Entry, is_relay: impl Fn(IpAddr) -> bool) -> Option<SocketAddr> {
    if entry.length != entry.value.len() {
        return None;
    }
    let text = str::from_utf8(&entry.value).ok()?;
    let mut named = None;
    for item in text.rsplit(',') {
        let node = match entry.fact {
            Fact::HttpForwarded => parameter(item)?,
            _ => item.trim(),
        };
        let address = address(node)?;
        named = Some(address);
        if !is_relay(address.ip()) {
            break;
        }
    }
    named
}

/// The value of `for` in an element of `Forwarded`.
fn parameter(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with or without a port; IPv6 may have brackets.
fn address(node: &str) -> Option<SocketAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let alone = bare.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 0));
    let address = alone.or_else(|| node.parse().ok())?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fact: Fact, value: &str, wanted: Option<&str>) {
        let entry = Entry::whole(fact, value.into());
        let is_relay = |ip: IpAddr| ip.to_string().starts_with("10.");
        let wanted = wanted.map(|address| address.parse().unwrap());
        assert_eq!(client(&entry, is_relay), wanted, "{value}");
        let cut = Entry { length: value.len() + 1, ..entry };
        assert_eq!(client(&cut, is_relay), None);
    }

    #[test]
    fn the_last_that_is_no_relay_is_the_client() {
        let fact = Fact::HttpXForwardedFor;
        check(fact, "192.0.2.7", Some("192.0.2.7:0"));
        check(fact, "1.1.1.1, 192.0.2.7 , 10.0.0.2,10.0.0.1", Some("192.0.2.7:0"));
        check(fact, "10.0.0.9, 10.0.0.1", Some("10.0.0.9:0"));
        check(fact, "192.0.2.7:4000", Some("192.0.2.7:4000"));
        check(fact, "::ffff:192.0.2.7", Some("192.0.2.7:0"));
        check(fact, "[2001:db8::7]:4000", Some("[2001:db8::7]:4000"));
        check(fact, "anything, 2001:db8::7", Some("[2001:db8::7]:0"));
        check(Fact::HttpXRealIp, "192.0.2.7", Some("192.0.2.7:0"));
        for nobody in ["", "unknown", "192.0.2.7,", "a.example", "1.1.1.1, unknown, 10.0.0.1"] {
            check(fact, nobody, None);
        }
    }

    #[test]
    fn forwarded_has_the_client_in_a_parameter() {
        let fact = Fact::HttpForwarded;
        check(fact, "for=192.0.2.7", Some("192.0.2.7:0"));
        check(
            fact,
            "for=1.1.1.1, By=10.0.0.1;FOR=\"[2001:db8::7]:80\";proto=http",
            Some("[2001:db8::7]:80"),
        );
        check(fact, "for=192.0.2.7;proto=https,for=10.0.0.1", Some("192.0.2.7:0"));
        for nobody in ["for=_hidden", "proto=http", "for=unknown", "for"] {
            check(fact, nobody, None);
        }
    }

    #[test]
    fn a_header_that_relays_usually_set_counts_most() {
        assert!(Rank::of(Fact::HttpXForwardedFor) > Rank::of(Fact::HttpForwarded));
        assert!(Rank::of(Fact::HttpForwarded) > Rank::of(Fact::HttpXRealIp));
        assert!(Rank::of(Fact::HttpHost) < Rank::of(Fact::HttpXRealIp));
    }
}
