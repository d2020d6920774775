//! Clients' addresses as they are written and shown: whole, cut to their network, or hashed.
//!
//! Everything that writes or shows an address asks here: the trace in each of its formats, the log,
//! and whatever people look at. Decisions about a client, and look-ups of where it comes from, use
//! the address itself.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How addresses are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anonymizer {
    /// As a keyed hash, in the form of an IPv6 address.
    Keyed(Key),
    /// As the first address of their network.
    Prefix,
    #[default]
    Whole,
}

/// The key of the hashes. Whoever has it can find the address behind a hash by trying all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// How many bits of an address stay, by family.
const PREFIX_V4: u32 = 24;
const PREFIX_V6: u32 = 48;

/// The first byte of a hash. Addresses of `fd00::/8` are for private networks (RFC 4193), so a hash
/// is never the address of somebody else, and every reader of addresses takes it for one.
const HASHED: u8 = 0xFD;

impl Anonymizer {
    /// A client's address and port as they are shown.
    pub(crate) fn shown(&self, client: SocketAddr) -> SocketAddr {
        match self {
            // IPv6 has a flow label and a scope, too.
            Self::Whole => client,
            Self::Keyed(_) | Self::Prefix => {
                SocketAddr::new(self.shown_ip(client.ip()), client.port())
            }
        }
    }

    /// What a client says, with its own address in it as it is shown. `None` if nothing has to be
    /// changed.
    pub(crate) fn hidden(&self, client: IpAddr, said: &[u8]) -> Option<Vec<u8>> {
        if matches!(self, Self::Whole) {
            return None;
        }
        let shown = self.shown_ip(client);
        let hide = |said: &[u8], form: fn(IpAddr) -> String| {
            replaced(said, form(client).as_bytes(), form(shown).as_bytes())
        };
        let once = hide(said, |ip| ip.to_string());
        hide(once.as_deref().unwrap_or(said), with_commas).or(once)
    }

    /// A client's address as it is shown.
    pub(crate) fn shown_ip(&self, ip: IpAddr) -> IpAddr {
        match (self, ip) {
            (Self::Keyed(key), _) => hashed(key, ip).into(),
            (Self::Prefix, IpAddr::V4(ip)) => {
                IpAddr::V4((ip.to_bits() >> (32 - PREFIX_V4) << (32 - PREFIX_V4)).into())
            }
            (Self::Prefix, IpAddr::V6(ip)) => {
                IpAddr::V6((ip.to_bits() >> (128 - PREFIX_V6) << (128 - PREFIX_V6)).into())
            }
            (Self::Whole, _) => ip,
        }
    }
}

/// The address as IPv4 clients write it in FTP's PORT.
fn with_commas(ip: IpAddr) -> String {
    ip.to_string().replace('.', ",")
}

/// `text` with `new` in every place of `old`; `None` if there is no such place.
fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.windows(old.len()).position(|part| part == old) {
        out.extend_from_slice(&rest[..place]);
        out.extend_from_slice(new);
        rest = &rest[place + old.len()..];
    }
    (rest.len() < text.len()).then(|| {
        out.extend_from_slice(rest);
        out
    })
}

/// 120 bits of the address's HMAC-SHA-256, behind [`HASHED`].
fn hashed(Key(key): &Key, ip: IpAddr) -> Ipv6Addr {
    let mut octets = [HASHED; 16];
    // HMAC takes a key of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        match ip {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        octets[1..].copy_from_slice(&mac.finalize().into_bytes()[..15]);
    }
    octets.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(anonymizer: Anonymizer, client: &str) -> String {
        anonymizer.shown(client.parse().unwrap()).to_string()
    }

    #[test]
    fn a_network_is_all_that_a_prefix_leaves() {
        for (client, wanted) in [
            ("192.0.2.77:40000", "192.0.2.0:40000"),
            ("255.255.255.255:1", "255.255.255.0:1"),
            ("[2001:db8:1:2:3:4:5:6]:40000", "[2001:db8:1::]:40000"),
            ("[ffff:ffff:ffff:ffff::1]:1", "[ffff:ffff:ffff::]:1"),
        ] {
            assert_eq!(shown(Anonymizer::Prefix, client), wanted);
            assert_eq!(shown(Anonymizer::Whole, client), client);
        }
    }

    #[test]
    fn a_hash_is_the_same_for_the_same_address_and_key_and_for_no_other() {
        let keyed = |byte: u8| Anonymizer::Keyed(Key([byte; 32]));
        // As Python's `hmac` has it.
        let first = shown(keyed(7), "192.0.2.77:40000");
        assert_eq!(first, "[fd52:a6a1:9200:ebe0:f537:151a:a6ab:273d]:40000");
        assert_eq!(shown(keyed(7), "192.0.2.77:40001").split(']').next(), first.split(']').next());
        for (byte, client) in [(7, "192.0.2.78:40000"), (8, "192.0.2.77:40000")] {
            assert_ne!(shown(keyed(byte), client), first);
        }
        assert!(shown(keyed(7), "[2001:db8::1]:1").starts_with("[fd"));
    }

    #[test]
    fn a_client_that_names_its_own_address_does_not_give_it_away() {
        let ip = |text: &str| text.parse().unwrap();
        for (client, said, wanted) in [
            ("192.0.2.77", "PORT 192,0,2,77,200,13", Some("PORT 192,0,2,0,200,13")),
            ("192.0.2.77", "[192.0.2.77]", Some("[192.0.2.0]")),
            ("192.0.2.77", "192.0.2.77,192,0,2,77", Some("192.0.2.0,192,0,2,0")),
            ("2001:db8:1:2::7", "EPRT |2|2001:db8:1:2::7|1|", Some("EPRT |2|2001:db8:1::|1|")),
            ("192.0.2.77", "192.0.2.7", None),
            ("192.0.2.77", "", None),
        ] {
            let hidden = Anonymizer::Prefix.hidden(ip(client), said.as_bytes());
            assert_eq!(hidden.as_deref(), wanted.map(str::as_bytes), "{said}");
            assert_eq!(Anonymizer::Whole.hidden(ip(client), said.as_bytes()), None);
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        let text = format!("{:?}", Anonymizer::Keyed(Key([0x5A; 32])));
        assert_eq!(text, "Keyed(Key)");
    }
}
