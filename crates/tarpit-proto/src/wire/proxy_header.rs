//! The header by which a relay names the client: the PROXY protocol, version 1 and 2, as
//! `proxy-protocol.txt` of its authors has it.

use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str,
};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They may still become a header.
    Incomplete,
    /// They are no header that can be used.
    Malformed(Malformed),
    /// A header of this length.
    Whole {
        /// In bytes.
        length: usize,
        /// The client's address and the one to which it connected; `None` if the relay speaks for
        /// itself or names no address of TCP.
        ends: Option<(SocketAddr, SocketAddr)>,
    },
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It did not come, or not whole, in the time for it.
    Absent,
    /// An address or a port in it cannot be read.
    Address,
    /// The first bytes are none of a header.
    NoHeader,
    /// It is longer than tarpitd reads.
    TooLong,
    /// Its version, its command or the kind of its addresses does not exist.
    Version,
}

impl Malformed {
    /// The layer that is broken.
    pub const LAYER: &str = "proxy";

    /// All of them, with what each means, for the manual.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Absent, "the header was not complete within 2 seconds"),
        (Self::Address, "an address or a port in the header cannot be read"),
        (Self::NoHeader, "the first bytes are no header"),
        (Self::TooLong, "the header is longer than tarpitd reads, which is 2 KiB"),
        (Self::Version, "the version, the command or the kind of addresses does not exist"),
    ];

    /// Its name in the trace.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Address => "address",
            Self::NoHeader => "no header",
            Self::TooLong => "too long",
            Self::Version => "version",
        }
    }
}

/// The longest header that is read. Version 2 may carry what the relay knows of TLS: a few hundred
/// bytes, with a name from a certificate.
pub const MOST: usize = 2_048;

/// What version 1 begins with, and how long its line may be at most, with its end.
const V1: &[u8] = b"PROXY ";
const V1_MOST: usize = 107;

/// What version 2 begins with.
const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// How long version 2 is before the addresses.
const V2_HEAD: usize = 16;

/// Reads a header at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let begins = |signature: &[u8]| {
        let common = bytes.len().min(signature.len());
        bytes[..common] == signature[..common]
    };
    let reading = if begins(V1) {
        line(bytes)
    } else if begins(V2) {
        binary(bytes)
    } else {
        Err(Malformed::NoHeader)
    };
    match reading {
        Ok(Some((length, ends))) => Reading::Whole { length, ends },
        Ok(None) => Reading::Incomplete,
        Err(malformed) => Reading::Malformed(malformed),
    }
}

/// The length of a whole header, and what it names; `None` if it is incomplete.
type Whole = Option<(usize, Option<(SocketAddr, SocketAddr)>)>;

/// Version 1, such as `PROXY TCP4 192.0.2.7 198.51.100.1 40000 22`.
fn line(bytes: &[u8]) -> Result<Whole, Malformed> {
    let within = &bytes[..bytes.len().min(V1_MOST)];
    let Some(end) = within.windows(2).position(|two| two == b"\r\n") else {
        return if within.len() < V1_MOST { Ok(None) } else { Err(Malformed::TooLong) };
    };
    let text = bytes.get(V1.len()..end).ok_or(Malformed::NoHeader)?;
    let text = str::from_utf8(text).map_err(|_| Malformed::Address)?;
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let ends = match kind {
        "TCP4" => Some(named::<Ipv4Addr>(rest)?),
        "TCP6" => Some(named::<Ipv6Addr>(rest)?),
        // What follows is to be ignored.
        "UNKNOWN" => None,
        _ => return Err(Malformed::Version),
    };
    Ok(Some((end + 2, ends)))
}

/// Two addresses and two ports, the client's first.
fn named<Ip: str::FromStr + Into<IpAddr>>(
    text: &str,
) -> Result<(SocketAddr, SocketAddr), Malformed> {
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or(Malformed::Address);
    let (client, server, client_port, server_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err(Malformed::Address);
    }
    let end = |ip: &str, port: &str| {
        let ip: Ip = ip.parse().map_err(|_| Malformed::Address)?;
        // `parse` would also take a plus sign.
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or(Malformed::Address)?;
        Ok(SocketAddr::new(ip.into().to_canonical(), port))
    };
    Ok((end(client, client_port)?, end(server, server_port)?))
}

/// Version 2: a signature, what it is, its length, addresses, and more that is of no use here.
fn binary(bytes: &[u8]) -> Result<Whole, Malformed> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    let Some(&[command, kind, upper, lower]) = bytes.get(V2.len()..V2_HEAD) else {
        return match bytes.get(V2.len()) {
            None | Some(&(LOCAL | PROXY)) => Ok(None),
            Some(_) => Err(Malformed::Version),
        };
    };
    let length = V2_HEAD + usize::from(u16::from_be_bytes([upper, lower]));
    let families = matches!(kind >> 4, 0..=3) && matches!(kind & 0xF, 0..=2);
    if !matches!(command, LOCAL | PROXY) || !families {
        return Err(Malformed::Version);
    }
    if length > MOST {
        return Err(Malformed::TooLong);
    }
    let Some(body) = bytes.get(V2_HEAD..length) else { return Ok(None) };
    let ends = match (command, kind) {
        (PROXY, 0x11) => {
            let (addresses, _) = body.split_first_chunk::<12>().ok_or(Malformed::Address)?;
            let end = |ip: usize, port: usize| {
                let mut octets = [0; 4];
                octets.copy_from_slice(&addresses[ip..ip + 4]);
                let port = u16::from_be_bytes([addresses[port], addresses[port + 1]]);
                SocketAddr::new(octets.into(), port)
            };
            Some((end(0, 8), end(4, 10)))
        }
        (PROXY, 0x21) => {
            let (addresses, _) = body.split_first_chunk::<36>().ok_or(Malformed::Address)?;
            let end = |ip: usize, port: usize| {
                let mut octets = [0; 16];
                octets.copy_from_slice(&addresses[ip..ip + 16]);
                let port = u16::from_be_bytes([addresses[port], addresses[port + 1]]);
                SocketAddr::new(IpAddr::from(octets).to_canonical(), port)
            };
            Some((end(0, 32), end(16, 34)))
        }
        // The relay's own check, or addresses of no TCP.
        _ => None,
    };
    Ok(Some((length, ends)))
}

/// A verdict on a beginning is never taken back, and a header never ends outside of what came.
#[doc(hidden)]
pub fn check_headers_have_one_reading(bytes: &[u8]) {
    let whole = read(bytes);
    if let Reading::Whole { length, .. } = whole {
        assert!(length <= bytes.len().min(MOST), "{length} of {}", bytes.len());
        assert_eq!(read(&bytes[..length]), whole, "what follows is no part of it");
    }
    if bytes.len() >= MOST {
        assert_ne!(whole, Reading::Incomplete, "it is awaited for ever");
    }
    let mut decided = None;
    for end in 0..=bytes.len().min(MOST) {
        let reading = read(&bytes[..end]);
        if let Some(before) = decided {
            assert_eq!(reading, before, "taken back at {end}");
        }
        if reading != Reading::Incomplete {
            decided = Some(reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], wanted: Option<(&str, &str)>) {
        let ends =
            wanted.map(|(client, server)| (client.parse().unwrap(), server.parse().unwrap()));
        let more = [bytes, b"SSH-2.0-x\r\n"].concat();
        assert_eq!(read(&more), Reading::Whole { length: bytes.len(), ends });
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Reading::Incomplete, "{end}");
        }
        check_headers_have_one_reading(&more);
    }

    #[track_caller]
    fn check_malformed(bytes: &[u8], wanted: Malformed) {
        assert_eq!(read(bytes), Reading::Malformed(wanted), "{}", bytes.escape_ascii());
        check_headers_have_one_reading(bytes);
    }

    fn v2(command: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&V2[..], &[command, kind], &length, body].concat()
    }

    #[test]
    fn a_line_names_both_ends() {
        check(
            b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 22\r\n",
            Some(("192.0.2.7:40000", "198.51.100.1:22")),
        );
        check(
            b"PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 40000 22\r\n",
            Some(("[2001:db8::7]:40000", "198.51.100.1:22")),
        );
        check(b"PROXY UNKNOWN\r\n", None);
        check(b"PROXY UNKNOWN ffff::1 whatever 1 2\r\n", None);
    }

    #[test]
    fn bytes_name_both_ends_and_more_is_skipped() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x9C, 0x40, 0, 22];
        let ends = Some(("192.0.2.7:40000", "198.51.100.1:22"));
        check(&v2(0x21, 0x11, &v4), ends);
        check(&v2(0x21, 0x11, &[&v4[..], &[4, 0, 3, 1, 2, 3]].concat()), ends);
        let v6 = [
            Ipv6Addr::from_bits(7).octets(),
            Ipv4Addr::new(198, 51, 100, 1).to_ipv6_mapped().octets(),
        ];
        let v6 = [v6.as_flattened(), &[0x9C, 0x40, 0, 22]].concat();
        check(&v2(0x21, 0x21, &v6), Some(("[::7]:40000", "198.51.100.1:22")));
        // A check of the relay itself, and addresses that are not of TCP.
        check(&v2(0x20, 0x11, &v4), None);
        check(&v2(0x20, 0, &[]), None);
        check(&v2(0x21, 0x31, &[b'/'; 216]), None);
    }

    #[test]
    fn what_is_no_header_says_why() {
        for (bytes, wanted) in [
            (&b"SSH-2.0-x\r\n"[..], Malformed::NoHeader),
            (b"\r\n\r\nGET", Malformed::NoHeader),
            (b"PROXY\r\n", Malformed::NoHeader),
            (b"PROXY TCP5 1 2 3 4\r\n", Malformed::Version),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", Malformed::Address),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 +22\r\n", Malformed::Address),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 65536\r\n", Malformed::Address),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 22 \r\n", Malformed::Address),
            (b"PROXY TCP4 ::1 ::1 40000 22\r\n", Malformed::Address),
            (b"PROXY TCP6 \xFF ::1 40000 22\r\n", Malformed::Address),
            (&[b"PROXY ", &[b'A'; 101][..]].concat(), Malformed::TooLong),
            (&v2(0x21, 0x11, &[1; 11]), Malformed::Address),
            (&v2(0x21, 0x21, &[1; 35]), Malformed::Address),
            (&v2(0x31, 0x11, &[1; 12]), Malformed::Version),
            (&v2(0x22, 0x11, &[1; 12]), Malformed::Version),
            (&v2(0x21, 0x41, &[1; 12]), Malformed::Version),
            (&v2(0x21, 0x11, &[1; MOST]), Malformed::TooLong),
        ] {
            check_malformed(bytes, wanted);
        }
    }
}
