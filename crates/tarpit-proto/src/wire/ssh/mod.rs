//! SSH on the wire: the identification line (RFC 4253, section 4.2), and what packets are made of
//! (RFC 4251, section 5).

pub(crate) mod login;
mod malformed;
mod offer;
mod packet;

use alloc::vec::Vec;

use crate::base::said::Said;
pub(crate) use crate::wire::ssh::{
    malformed::Malformed,
    offer::{
        CIPHERS, CODES, COMPRESSIONS, ClientOffer, HOST_KEYS, KEY_EXCHANGES, LANGUAGES, Lists,
        Offer, kexinit_payload, offer,
    },
    packet::{LONGEST, Plain, ignore, packet, padding, payload, plain},
};

/// The longest identification line, with its end.
const LONGEST_IDENTIFICATION: usize = 255;

/// The numbers of messages.
pub(crate) const MSG_IGNORE: u8 = 2;
pub(crate) const MSG_KEXINIT: u8 = 20;
pub(crate) const MSG_NEWKEYS: u8 = 21;
pub(crate) const MSG_KEXDH_INIT: u8 = 30;
pub(crate) const MSG_KEXDH_REPLY: u8 = 31;
/// Those of a key exchange over a group that the client asks for (RFC 4419, section 5).
pub(crate) const MSG_GEX_GROUP: u8 = 31;
pub(crate) const MSG_GEX_INIT: u8 = 32;
pub(crate) const MSG_GEX_REPLY: u8 = 33;
pub(crate) const MSG_GEX_REQUEST: u8 = 34;
/// Those that belong to the method of the key exchange (RFC 4250, section 4.1.2).
pub(crate) const MSGS_OF_METHOD: core::ops::RangeInclusive<u8> = 30..=49;

/// Takes the client's identification line, or as much of it as may be one. `None`: it is not whole
/// yet.
pub(crate) fn identification<'a>(said: &mut Said<'a>) -> Option<&'a [u8]> {
    let rest = said.rest();
    let bounded = &rest[..rest.len().min(LONGEST_IDENTIFICATION)];
    match bounded.iter().position(|&byte| byte == b'\n') {
        Some(end) => Some(said.take(end + 1)),
        None if bounded.len() == LONGEST_IDENTIFICATION => Some(said.take(bounded.len())),
        None => None,
    }
}

/// What is wrong with such a line, if it is no identification.
pub(crate) fn flaw(line: &[u8]) -> Option<Malformed> {
    if !line.starts_with(b"SSH-") {
        Some(Malformed::NoIdentification)
    } else if !line.ends_with(b"\n") {
        Some(Malformed::IdentificationTooLong)
    } else {
        None
    }
}

/// An identification line without its end.
pub(crate) fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends a string with its length in front.
pub(crate) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The string at the front of `bytes`, and what follows it.
pub(crate) fn take_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// For the fuzzer and its replayed corpus: where an identification line ends does not depend on
/// the portions in which it comes.
#[doc(hidden)]
pub fn check_identification_has_one_end(bytes: &[u8]) {
    let mut found: Option<&[u8]> = None;
    for end in 0..=bytes.len().min(1_024) {
        let now = identification(&mut Said::new(&bytes[..end], false));
        assert!(found.is_none() || now == found, "at {end}");
        assert!(now.is_none_or(|line| line.len() <= LONGEST_IDENTIFICATION), "at {end}");
        found = now;
    }
    assert!(bytes.len() < LONGEST_IDENTIFICATION || found.is_some(), "it never ends");
}

/// Packets without keys are read the same however they are cut, whatever they say.
pub(crate) fn check_plain_packets_have_one_reading(bytes: &[u8]) {
    let (mut said, mut start) = (Said::new(bytes, false), 0);
    while let Plain::Payload(payload) = plain(&mut said) {
        let end = bytes.len() - said.rest().len();
        for cut in start..end {
            let part = plain(&mut Said::new(&bytes[start..cut], false));
            assert_eq!(part, Plain::Incomplete, "at {cut}");
        }
        if let Some(offer) = ClientOffer::read(payload) {
            assert_eq!(offer.hassh().len(), 32);
            offer.check_copy();
        }
        login::Request::read(payload);
        start = end;
    }
    login::Request::read(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_bare_without_its_end() {
        assert_eq!(bare(b"SSH-2.0-x\r\n"), b"SSH-2.0-x");
        assert_eq!(bare(b"SSH-2.0-x\n"), b"SSH-2.0-x");
        assert_eq!(bare(b"SSH-2.0-x"), b"SSH-2.0-x");
    }

    proptest! {
        #[test]
        fn an_identification_has_one_end(text in "(SSH-2.0-)?[ -~]{0,300}\r?\n?[ -~]{0,40}\n?") {
            check_identification_has_one_end(text.as_bytes());
        }
    }
}
