//! Packets while nothing is encrypted (RFC 4253, sections 6 and 11).

use alloc::vec::Vec;

use crate::{
    base::{rng::Rng, said::Said},
    wire::ssh::{MSG_IGNORE, Malformed},
};

/// What packets are padded to while nothing is encrypted, and at least.
const BLOCK: usize = 8;

/// The least padding of a packet.
const LEAST_PADDING: usize = 4;

/// The most that a packet's length may say (section 6.1).
pub(crate) const LONGEST: usize = 35_000;

/// What the client's next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plain<'a> {
    /// No packet, or one that is longer than can be waited for.
    Broken(Malformed),
    /// A packet that is not whole yet.
    Incomplete,
    /// A packet's payload, which is not empty.
    Payload(&'a [u8]),
}

/// Takes the client's next packet.
pub(crate) fn plain<'a>(said: &mut Said<'a>) -> Plain<'a> {
    let Some((length, _)) = said.rest().split_first_chunk() else {
        return Plain::Incomplete;
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(2..=LONGEST).contains(&length) {
        return Plain::Broken(Malformed::PacketLength);
    }
    if said.rest().len() < 4 + length {
        return if said.is_full() {
            Plain::Broken(Malformed::PacketTooLong)
        } else {
            Plain::Incomplete
        };
    }
    let packet = &said.take(4 + length)[4..];
    payload(packet).map_or(Plain::Broken(Malformed::Padding), Plain::Payload)
}

/// What a packet holds behind its length: the payload, which is not empty, without the padding.
pub(crate) fn payload(packet: &[u8]) -> Option<&[u8]> {
    let (&padding, rest) = packet.split_first()?;
    let length = rest.len().checked_sub(padding.into())?;
    (length > 0).then(|| &rest[..length])
}

/// Appends a packet that every client must ignore, of 16 or 24 bytes.
pub(crate) fn ignore(rng: &mut Rng, out: &mut Vec<u8>) {
    // What decides the length of the data, the data, and the padding, drawn in one go: this is the
    // turn of nearly every client.
    let mut drawn = [0; 4 + 8 + LEAST_PADDING + BLOCK - 1];
    rng.fill(&mut drawn);
    let [a, b, c, d, random @ ..] = drawn;
    let length = 1 + (u32::from_le_bytes([a, b, c, d]) >> 29) as u8;
    let payload = [MSG_IGNORE, 0, 0, 0, length];
    let behind = payload.len() + usize::from(length);
    let padding = padding(4 + 1 + behind, BLOCK);
    out.extend_from_slice(&((1 + behind + padding) as u32).to_be_bytes());
    out.push(padding as u8);
    out.extend_from_slice(&payload);
    out.extend_from_slice(&random[..usize::from(length) + padding]);
}

/// Appends a packet whose padding, zero at first, `fill` may fill.
pub(crate) fn packet(payload: &[u8], fill: impl FnOnce(&mut [u8]), out: &mut Vec<u8>) {
    let padding = padding(4 + 1 + payload.len(), BLOCK);
    out.extend_from_slice(&((1 + payload.len() + padding) as u32).to_be_bytes());
    out.push(padding as u8);
    out.extend_from_slice(payload);
    let start = out.len();
    out.resize(start + padding, 0);
    fill(&mut out[start..]);
}

/// How much is padded behind `length` bytes to come to a multiple of `block`.
pub(crate) fn padding(length: usize, block: usize) -> usize {
    LEAST_PADDING + (block - (length + LEAST_PADDING) % block) % block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_padded_to_a_multiple_of_eight_by_four_bytes_or_more() {
        for length in 0..40 {
            let mut out = Vec::new();
            packet(&[7; 40][..length], |padding| padding.fill(9), &mut out);
            let stated = u32::from_be_bytes(*out.first_chunk().expect("a length")) as usize;
            assert_eq!((stated + 4, out.len() % 8), (out.len(), 0), "{length}");
            assert!((4..12).contains(&out[4]), "{length}: {}", out[4]);
            assert!(out[5 + length..].iter().all(|&byte| byte == 9), "{length}");
            assert_eq!(out.len(), 5 + length + usize::from(out[4]), "{length}");
        }
    }

    #[test]
    fn a_packet_is_read_when_it_is_whole_and_no_nonsense() {
        let read = |bytes: &[u8]| match plain(&mut Said::new(bytes, false)) {
            Plain::Payload(payload) => Ok(payload.to_vec()),
            Plain::Broken(malformed) => Err(malformed.reason()),
            Plain::Incomplete => Err("incomplete"),
        };
        let mut bytes = Vec::new();
        packet(b"abc", |_| {}, &mut bytes);
        assert_eq!(read(&bytes), Ok(b"abc".to_vec()));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err("incomplete"), "{end}");
        }
        assert_eq!(read(&[0, 0, 0, 0, 0]), Err("packet length"), "no padding");
        assert_eq!(read(&[0, 0, 0, 5, 4, 0, 0, 0, 0]), Err("padding"), "no payload");
        assert_eq!(read(&[0, 0, 0, 5, 9, 0, 0, 0, 0]), Err("padding"), "more padding than packet");
        assert_eq!(read(b"GET / HTTP/1.0\r\n"), Err("packet length"));
        let long = plain(&mut Said::new(&[0, 0, 80, 0, 4], true));
        assert_eq!(long, Plain::Broken(Malformed::PacketTooLong), "no room for it");
    }
}
