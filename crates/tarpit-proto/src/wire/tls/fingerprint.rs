//! What a whole `ClientHello` tells of its sender: names it asks for, and fingerprints of the way
//! in which it asks (RFC 8446, section 4.1.2; JA3 and JA4 by their definitions).

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::{
    base::fact::Fact,
    wire::{
        text,
        tls::{CLIENT_HELLO, HANDSHAKE, RECORD_HEADER},
    },
};

/// The longest `ClientHello` that is looked at, in bytes with its records' headers. The longest of
/// real clients have two kilobytes.
pub(crate) const LONGEST_HELLO: usize = 4 * 1_024;

/// The most extensions, suites and the like that count.
const MOST: usize = 256;

/// Numbers of extensions (RFC 8446, section 4.2, and RFC 7301).
const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;

/// A `ClientHello`, as far as it tells something of its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hello {
    version: u16,
    suites: Vec<u16>,
    extensions: Vec<u16>,
    groups: Vec<u16>,
    point_formats: Vec<u16>,
    signatures: Vec<u16>,
    versions: Vec<u16>,
    /// The name that it asks for; empty if none.
    pub(crate) name: Vec<u8>,
    /// The protocols that it would speak inside.
    pub(crate) protocols: Vec<Vec<u8>>,
}

impl Hello {
    /// Reads a client's first bytes. `None`: its hello is not whole, or is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut message = Vec::new();
        let mut rest = &bytes[..bytes.len().min(LONGEST_HELLO)];
        while let Some((header, body)) = rest.split_at_checked(RECORD_HEADER) {
            if header[0] != HANDSHAKE {
                break;
            }
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            let (part, after) = body.split_at(length.min(body.len()));
            message.extend_from_slice(part);
            rest = after;
        }
        Self::read_message(&message)
    }

    fn read_message(message: &[u8]) -> Option<Self> {
        let mut message = Reader(message);
        if message.byte()? != CLIENT_HELLO {
            return None;
        }
        let length = usize::from(message.byte()?) << 16 | usize::from(message.short()?);
        let mut body = Reader(message.bytes(length)?);
        let mut hello = Self { version: body.short()?, ..Self::default() };
        body.bytes(32)?;
        body.short_list()?;
        hello.suites = numbers(body.list()?);
        body.short_list()?;
        // Before TLS 1.2 there may be no extensions at all.
        let mut extensions = Reader(body.list().unwrap_or_default());
        while let Some((number, data)) = extensions.extension() {
            if hello.extensions.len() < MOST {
                hello.extensions.push(number);
            }
            // What an extension lacks is as good as absent.
            let _ = hello.note(number, Reader(data));
        }
        Some(hello)
    }

    /// Notes what an extension says; `None` if it is cut short.
    fn note(&mut self, number: u16, mut data: Reader<'_>) -> Option<()> {
        match number {
            SERVER_NAME => {
                let mut names = Reader(data.list()?);
                // Only names of hosts are defined.
                (names.byte()? == 0).then_some(())?;
                self.name = names.list()?.to_vec();
            }
            GROUPS => self.groups = numbers(data.list()?),
            POINT_FORMATS => {
                self.point_formats = data.short_list()?.iter().map(|&byte| byte.into()).collect();
            }
            SIGNATURES => self.signatures = numbers(data.list()?),
            VERSIONS => self.versions = numbers(data.short_list()?),
            ALPN => {
                let mut protocols = Reader(data.list()?);
                while let Some(protocol) = protocols.short_list() {
                    // None is named by nothing (RFC 7301, section 3.1).
                    if !protocol.is_empty() && self.protocols.len() < MOST {
                        self.protocols.push(protocol.to_vec());
                    }
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Tells `learn` each fact.
    pub(crate) fn tell(&self, mut learn: impl FnMut(Fact, &[u8])) {
        learn(Fact::Ja3, self.ja3().as_bytes());
        learn(Fact::Ja4, self.ja4().as_bytes());
        if !self.protocols.is_empty() {
            learn(Fact::TlsAlpn, &self.protocols.join(&b","[..]));
        }
        if !self.name.is_empty() {
            learn(Fact::TlsSni, &self.name);
        }
    }

    /// Whether `protocol` is among those that it would speak inside.
    pub(crate) fn offers(&self, protocol: &[u8]) -> bool {
        self.protocols.iter().any(|one| one == protocol)
    }

    /// The newest version that it offers.
    pub(crate) fn newest(&self) -> u16 {
        plain(&self.versions).max().unwrap_or(self.version)
    }

    /// The suites that it offers, grease among them.
    pub(crate) fn suites(&self) -> &[u16] {
        &self.suites
    }

    /// Whether it has the extension of that number.
    pub(crate) fn extends(&self, number: u16) -> bool {
        self.extensions.contains(&number)
    }

    /// Whether it sees whether servers bear numbers that stand for nothing (RFC 8701).
    pub(crate) fn has_grease(&self) -> bool {
        let numbers = self.suites.iter().chain(&self.extensions);
        numbers.copied().any(crate::wire::tls::is_grease)
    }

    /// Numbers as they stand, without those that only see whether servers bear them.
    fn ja3(&self) -> String {
        let text = format!(
            "{},{},{},{},{}",
            self.version,
            decimal(&self.suites),
            decimal(&self.extensions),
            decimal(&self.groups),
            decimal(&self.point_formats)
        );
        text::hexadecimal(&Md5::digest(text))
    }

    /// Numbers sorted, so that a client which shuffles them stays recognisable.
    fn ja4(&self) -> String {
        let version = match self.newest() {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            0x0002 => "s2",
            _ => "00",
        };
        let named = if self.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
        let suites = plain(&self.suites).count().min(99);
        let extensions = plain(&self.extensions).count().min(99);
        let mut first = String::from("00");
        if let Some([start, .., end] | [start @ end]) = self.protocols.first().map(|it| &it[..]) {
            let ends = [*start, *end];
            first = if ends.iter().all(u8::is_ascii_alphanumeric) {
                ends.map(char::from).iter().collect()
            } else {
                let both = text::hexadecimal(&ends);
                [&both[..1], &both[3..]].concat()
            };
        }
        let mut rest: Vec<_> = plain(&self.extensions)
            .filter(|number| ![SERVER_NAME, ALPN].contains(number))
            .collect();
        rest.sort_unstable();
        let mut tail = hexadecimal(&rest);
        if !self.signatures.is_empty() {
            tail.push('_');
            tail += &hexadecimal(&plain(&self.signatures).collect::<Vec<_>>());
        }
        let mut sorted: Vec<_> = plain(&self.suites).collect();
        sorted.sort_unstable();
        let part = |text: &str, empty: bool| {
            if empty { "0".repeat(12) } else { text::hexadecimal(&Sha256::digest(text)[..6]) }
        };
        format!(
            "t{version}{named}{suites:02}{extensions:02}{first}_{}_{}",
            part(&hexadecimal(&sorted), sorted.is_empty()),
            part(&tail, extensions == 0),
        )
    }
}

/// The numbers without grease (RFC 8701).
fn plain(numbers: &[u16]) -> impl Iterator<Item = u16> {
    numbers.iter().copied().filter(|&number| !crate::wire::tls::is_grease(number))
}

fn decimal(numbers: &[u16]) -> String {
    let mut text = String::new();
    for number in plain(numbers) {
        let dash = if text.is_empty() { "" } else { "-" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{dash}{number}");
    }
    text
}

fn hexadecimal(numbers: &[u16]) -> String {
    let mut text = String::new();
    for number in numbers {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

/// Big-endian numbers out of a list's bytes.
fn numbers(bytes: &[u8]) -> Vec<u16> {
    let two = |two: &[u8]| u16::from_be_bytes([two[0], two[1]]);
    bytes.chunks_exact(2).map(two).take(MOST).collect()
}

/// Takes fields off the front of bytes; `None` where there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A list with its length in two bytes.
    fn list(&mut self) -> Option<&'a [u8]> {
        let length = self.short()?;
        self.bytes(length.into())
    }

    /// A list with its length in one byte.
    fn short_list(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.bytes(length.into())
    }

    fn extension(&mut self) -> Option<(u16, &'a [u8])> {
        Some((self.short()?, self.list()?))
    }
}

/// For the fuzzer and its replayed corpus: what is told of any hello is bounded.
pub(crate) fn check_bounds(bytes: &[u8]) {
    if let Some(hello) = Hello::read(bytes) {
        assert_eq!(hello.ja3().len(), 32);
        assert_eq!(hello.ja4().len(), 36, "{}", hello.ja4());
        hello.tell(|_, value| assert!(!value.is_empty() && value.len() <= LONGEST_HELLO));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str) -> Vec<u16> {
        let number = |text| u16::from_str_radix(text, 16).expect("a number");
        text.split(',').map(number).collect()
    }

    #[test]
    fn fingerprints_are_those_of_their_definitions() {
        // The example in JA4's definition: a browser's hello, with grease.
        let mut suites = numbered(
            "0a0a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
        );
        suites.rotate_left(3);
        let hello = Hello {
            version: 0x0303,
            suites,
            extensions: numbered(
                "1a1a,0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,001b,4469,\
                 0015",
            ),
            signatures: numbered("0403,0804,0401,0503,0805,0501,0806,0601"),
            versions: numbered("3a3a,0304,0303"),
            name: b"a.example".to_vec(),
            protocols: alloc::vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..Hello::default()
        };
        assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        // The example in JA3's definition.
        let hello = Hello {
            version: 769,
            suites: alloc::vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: alloc::vec![0, 10, 11],
            groups: alloc::vec![23, 24, 25],
            point_formats: alloc::vec![0],
            ..Hello::default()
        };
        assert_eq!(hello.ja3(), "ada70206e40642a3e4461f35503241d5");
    }

    #[test]
    fn a_hello_is_read_when_it_is_whole() {
        let bytes = include_bytes!("../../../tests/corpus/client_hello.bin");
        let hello = Hello::read(bytes).expect("a whole hello");
        assert!(hello.suites.contains(&0xC02F));
        for end in 0..bytes.len() {
            assert_eq!(Hello::read(&bytes[..end]), None, "{end}");
        }
        let mut spread = Vec::new();
        for part in bytes[5..].chunks(50) {
            spread.extend_from_slice(&[22, 3, 1, 0, part.len() as u8]);
            spread.extend_from_slice(part);
        }
        assert_eq!(Hello::read(&spread), Some(hello));
    }
}
