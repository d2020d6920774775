//! TLS records and the first messages of its handshake (RFC 5246, RFC 8446).

mod fingerprint;

use alloc::vec::Vec;

use crate::base::rng::Entropy;
pub(crate) use crate::wire::tls::fingerprint::{Hello, LONGEST_HELLO};

/// A record with a `HelloRequest` (RFC 5246, section 7.4.1.1).
pub(crate) const HELLO_REQUEST: [u8; 9] = [HANDSHAKE, 3, 3, 0, 4, 0, 0, 0, 0];

/// The record's type for handshake messages.
const HANDSHAKE: u8 = 22;

/// The messages' types.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// How long the header of a record is.
pub(crate) const RECORD_HEADER: usize = 5;

/// TLS 1.2, which every version calls itself in a record and in a `ServerHello`.
const VERSION: [u8; 2] = [3, 3];

/// The longest session identifier.
const LONGEST_SESSION: usize = 32;

/// What a client's first message says, as far as we answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello {
    /// The identifier of the session that it wants to resume, or a random one that it wants to see
    /// again; at most 32 bytes.
    session: Vec<u8>,
    /// The cipher suite we choose among those it offers.
    suite: u16,
}

/// What became of reading a [`ClientHello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is none, whatever follows.
    Garbled,
    /// It is one, whatever follows.
    Hello(ClientHello),
    /// More bytes are needed.
    Incomplete,
}

impl ClientHello {
    /// What to answer when nothing could be understood: no session, and the suite that most
    /// clients offer.
    pub(crate) fn unknown() -> Self {
        Self { session: Vec::new(), suite: PREFERRED[0] }
    }

    /// Whether more bytes may make a whole message of what there is, one that [`Hello`] reads.
    pub(crate) fn may_go_on(bytes: &[u8]) -> bool {
        bytes.first().is_none_or(|&first| first == HANDSHAKE)
            && Self::read(bytes) != Reading::Garbled
    }

    /// Reads a client's first bytes.
    pub(crate) fn read(bytes: &[u8]) -> Reading {
        match bytes.first() {
            None => Reading::Incomplete,
            Some(&HANDSHAKE) => Self::read_records(bytes),
            Some(0x80..) => Self::read_version_2(bytes),
            Some(_) => Reading::Garbled,
        }
    }

    /// Reads the message out of the records over which it may be spread.
    fn read_records(bytes: &[u8]) -> Reading {
        let mut message = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((header, body)) = rest.split_at_checked(RECORD_HEADER) {
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if header[0] != HANDSHAKE || length == 0 {
                return match Self::read_message(&message) {
                    Reading::Incomplete => Reading::Garbled,
                    whole => whole,
                };
            }
            let (part, after) = body.split_at(length.min(body.len()));
            message.extend_from_slice(part);
            rest = after;
        }
        Self::read_message(&message)
    }

    /// Reads the message up to the suites (RFC 8446, section 4.1.2).
    fn read_message(message: &[u8]) -> Reading {
        if message.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
            return Reading::Garbled;
        }
        // Type, length, version, random.
        let Some(rest) = message.get(4 + 2 + 32..) else {
            return Reading::Incomplete;
        };
        let Some((&length, rest)) = rest.split_first() else {
            return Reading::Incomplete;
        };
        if usize::from(length) > LONGEST_SESSION {
            return Reading::Garbled;
        }
        let Some((session, rest)) = rest.split_at_checked(length.into()) else {
            return Reading::Incomplete;
        };
        let Some((&length, rest)) = rest.split_first_chunk() else {
            return Reading::Incomplete;
        };
        match rest.get(..u16::from_be_bytes(length).into()) {
            Some(suites) => {
                let suite = choose(suites.chunks_exact(2).map(|two| [0, two[0], two[1]]));
                Reading::Hello(Self { session: session.to_vec(), suite })
            }
            None => Reading::Incomplete,
        }
    }

    /// Reads the old form (RFC 5246, appendix E.2), which has no session to echo.
    fn read_version_2(bytes: &[u8]) -> Reading {
        // Length, type, version, then the lengths of suites, session and challenge.
        let Some(&[_, _, kind, _, _, high, low, _, _, _, _]) = bytes.first_chunk() else {
            return Reading::Incomplete;
        };
        if kind != CLIENT_HELLO {
            return Reading::Garbled;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        match bytes.get(11..11 + length) {
            Some(suites) => {
                let suite =
                    choose(suites.chunks_exact(3).map(|three| [three[0], three[1], three[2]]));
                Reading::Hello(Self { session: Vec::new(), suite })
            }
            None => Reading::Incomplete,
        }
    }
}

/// The suites of TLS 1.2 that servers like best, in that order.
const PREFERRED: [u16; 10] =
    [0xC02F, 0xC030, 0xC02B, 0xC02C, 0xCCA8, 0xCCA9, 0xC013, 0xC014, 0x009C, 0x002F];

/// The suite to choose among `offered`, whose first byte is zero in all but the oldest.
fn choose(offered: impl Iterator<Item = [u8; 3]> + Clone) -> u16 {
    let offered = offered
        .filter(|suite| suite[0] == 0)
        .map(|suite| u16::from_be_bytes([suite[1], suite[2]]))
        .filter(|&suite| is_suite(suite));
    let best = PREFERRED.into_iter().find(|&suite| offered.clone().any(|one| one == suite));
    best.or_else(|| offered.clone().find(|&suite| !is_version_13(suite)))
        .or_else(|| offered.clone().next())
        .unwrap_or(PREFERRED[0])
}

/// Whether it is a suite and not a signal (RFC 5746, section 3.3, and RFC 7507) or grease.
fn is_suite(number: u16) -> bool {
    !is_grease(number) && !matches!(number, 0x00FF | 0x5600)
}

/// Whether the number stands for nothing, only to be passed over (RFC 8701).
fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 15 == 10
}

/// Whether the suite is one of TLS 1.3.
fn is_version_13(suite: u16) -> bool {
    suite >> 8 == 0x13
}

/// Appends the beginning of a record that holds one `ServerHello` of `length` bytes, to the middle
/// of an extension that nobody knows and that reaches to the record's end. Any bytes may follow.
///
/// Clients skip an extension they do not know, so what comes out in the end is a message that they
/// can go on from: in TLS 1.3 if that is all that the client speaks, in 1.2 otherwise.
pub(crate) fn long_hello(
    length: usize,
    hello: &ClientHello,
    entropy: &mut dyn Entropy,
    out: &mut Vec<u8>,
) {
    let mut random = [0; 32 + 32 + 2];
    entropy.fill(&mut random);
    let (random, rest) = random.split_at(32);
    let (share, number) = rest.split_at(32);
    let end = out.len() + RECORD_HEADER + length;
    let short = |number: usize| (number as u16).to_be_bytes();

    out.push(HANDSHAKE);
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(&short(length));
    out.extend_from_slice(&[SERVER_HELLO, 0]);
    out.extend_from_slice(&short(length - 4));
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(random);
    out.push(hello.session.len() as u8);
    out.extend_from_slice(&hello.session);
    out.extend_from_slice(&hello.suite.to_be_bytes());
    out.push(0);
    out.extend_from_slice(&short(end - out.len() - 2));
    if is_version_13(hello.suite) {
        // supported_versions: 1.3; key_share: a point of X25519, which any 32 bytes are.
        out.extend_from_slice(&[0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32]);
        out.extend_from_slice(share);
    } else {
        // renegotiation_info, without which OpenSSL leaves (RFC 5746, section 3.4).
        out.extend_from_slice(&[0xFF, 1, 0, 1, 0]);
    }
    // Between what is assigned at the low end, and grease and private use further up.
    out.extend_from_slice(&[0x10 | number[0] & 7, number[1]]);
    out.extend_from_slice(&short(end - out.len() - 2));
}

/// For the fuzzer and its replayed corpus: a final reading is never changed by more bytes, and
/// what is answered to it is well formed.
#[doc(hidden)]
pub fn check_readings_are_final(bytes: &[u8]) {
    struct Still;
    impl Entropy for Still {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0x5A);
        }
    }
    fingerprint::check_bounds(bytes);
    let mut reading = Reading::Incomplete;
    for end in 0..=bytes.len().min(1_024) {
        let now = ClientHello::read(&bytes[..end]);
        assert!(reading == Reading::Incomplete || now == reading, "at {end}");
        reading = now;
    }
    if let Reading::Hello(hello) = reading {
        let mut out = Vec::new();
        long_hello(1_024, &hello, &mut Still, &mut out);
        assert!(out.len() < 160);
        let last = [out[out.len() - 2], out[out.len() - 1]];
        assert_eq!(out.len() + usize::from(u16::from_be_bytes(last)), RECORD_HEADER + 1_024);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELLO: &[u8] = include_bytes!("../../../tests/corpus/client_hello.bin");

    fn read(bytes: &[u8]) -> ClientHello {
        match ClientHello::read(bytes) {
            Reading::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn session_and_suite_are_found_also_over_several_records() {
        let hello = read(HELLO);
        assert_eq!(hello.session, HELLO[44..76]);
        assert_eq!(hello.suite, 0xC02F);
        let mut spread = Vec::new();
        for part in HELLO[5..].chunks(50) {
            spread.extend_from_slice(&[22, 3, 1, 0, part.len() as u8]);
            spread.extend_from_slice(part);
        }
        assert_eq!(read(&spread), hello);
    }

    #[test]
    fn the_old_form_is_understood() {
        let hello =
            b"\x80\x1C\x01\x03\x01\x00\x09\x00\x00\x00\x10\x07\x00\xC0\x00\x00\xFF\x00\x00\x35";
        assert_eq!(read(hello), ClientHello { session: Vec::new(), suite: 0x0035 });
    }

    #[test]
    fn what_is_no_hello_is_known_for_it() {
        for bytes in [&b"GET /"[..], b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", b"\x80\x03\x04...."] {
            let padded = [bytes, &[0; 16]].concat();
            assert_eq!(ClientHello::read(&padded), Reading::Garbled, "{bytes:?}");
        }
    }

    #[test]
    fn a_suite_is_chosen_that_was_offered_and_is_one() {
        let chosen = |offered: &[u16]| {
            choose(offered.iter().map(|suite| {
                let [high, low] = suite.to_be_bytes();
                [0, high, low]
            }))
        };
        assert_eq!(chosen(&[0x1301, 0xC030, 0xC02F]), 0xC02F);
        assert_eq!(chosen(&[0x1A1A, 0x00FF, 0x1302, 0x0033]), 0x0033);
        assert_eq!(chosen(&[0x1A1A, 0x1302, 0x1301]), 0x1302);
        assert_eq!(chosen(&[0x5600]), 0xC02F);
    }

    proptest! {
        #[test]
        fn readings_are_final(
            changes in prop::collection::vec((0_usize..140, any::<u8>()), 0..4),
            length in 0..HELLO.len(),
        ) {
            let mut bytes = HELLO[..length].to_vec();
            for (place, byte) in changes {
                if let Some(changed) = bytes.get_mut(place) {
                    *changed = byte;
                }
            }
            check_readings_are_final(&bytes);
        }

        #[test]
        fn readings_of_anything_are_final(
            first in prop_oneof![Just(0x16_u8), Just(0x80), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            check_readings_are_final(&[&[first][..], &rest].concat());
        }
    }
}
