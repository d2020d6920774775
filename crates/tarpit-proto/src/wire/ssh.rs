//! SSH before keys are agreed on: the identification line (RFC 4253, section 4.2) and packets
//! (sections 6, 7.1 and 11.2).

use alloc::vec::Vec;

use crate::{rng::Rng, script::Said};

/// The longest identification line, with its end.
const LONGEST_IDENTIFICATION: usize = 255;

/// The numbers of messages.
const MSG_IGNORE: u8 = 2;
const MSG_KEXINIT: u8 = 20;

/// What packets are padded to while nothing is encrypted.
const BLOCK: usize = 8;

/// The least padding of a packet.
const LEAST_PADDING: usize = 4;

/// What a server offers besides key exchange methods, as every OpenSSH from 8.9 to 9.2 does:
/// host keys, then ciphers, codes of authentication, compressions and languages, each of them
/// from the client and to it.
const OFFERS: [&str; 9] =
    [HOST_KEYS, CIPHERS, CIPHERS, CODES, CODES, COMPRESSIONS, COMPRESSIONS, "", ""];
const HOST_KEYS: &str = "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519";
const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,\
    aes128-gcm@openssh.com,aes256-gcm@openssh.com";
const CODES: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,\
    hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,\
    umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
const COMPRESSIONS: &str = "none,zlib@openssh.com";

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

/// Appends the packet by which a server offers its algorithms.
///
/// Its padding is zero, as OpenSSH's is before there are keys.
pub(crate) fn kexinit(cookie: [u8; 16], key_exchanges: &str, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    payload.push(MSG_KEXINIT);
    payload.extend_from_slice(&cookie);
    string(key_exchanges.as_bytes(), &mut payload);
    for names in OFFERS {
        string(names.as_bytes(), &mut payload);
    }
    // No guessed packet follows, and nothing is reserved.
    payload.extend_from_slice(&[0; 5]);
    packet(&payload, |_| {}, out);
}

/// Appends a packet that every client must ignore, of 16 or 24 bytes.
pub(crate) fn ignore(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut data = [0; 8];
    let length = 1 + rng.below(data.len() as u32) as usize;
    rng.fill(&mut data[..length]);
    let mut payload = Vec::with_capacity(32);
    payload.push(MSG_IGNORE);
    string(&data[..length], &mut payload);
    packet(&payload, |padding| rng.fill(padding), out);
}

/// Appends a packet whose padding, zero at first, `fill` may fill.
fn packet(payload: &[u8], fill: impl FnOnce(&mut [u8]), out: &mut Vec<u8>) {
    let length = 4 + 1 + payload.len();
    let padding = LEAST_PADDING + (BLOCK - (length + LEAST_PADDING) % BLOCK) % BLOCK;
    out.extend_from_slice(&((1 + payload.len() + padding) as u32).to_be_bytes());
    out.push(padding as u8);
    out.extend_from_slice(payload);
    let start = out.len();
    out.resize(start + padding, 0);
    fill(&mut out[start..]);
}

/// Appends a string with its length in front (RFC 4251, section 5).
fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn an_identification_has_one_end(text in "(SSH-2.0-)?[ -~]{0,300}\r?\n?[ -~]{0,40}\n?") {
            check_identification_has_one_end(text.as_bytes());
        }
    }
}
