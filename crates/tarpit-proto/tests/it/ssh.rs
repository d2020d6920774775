//! SSH as a client sees it: what stands behind the identification line.

pub(crate) use crate::ssh_packets::{client_offer, offer_of, packet, stringed};

pub(crate) const IDENTIFICATION: &[u8] = b"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4\r\n";
/// The key exchange methods that the server of that line offers.
pub(crate) const KEY_EXCHANGES: &str = "curve25519-sha256,curve25519-sha256@libssh.org,\
    diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
    ecdh-sha2-nistp521,ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256";
pub(crate) const CLIENT: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n";

/// The payloads of the packets behind the identification line, each of which must be well formed.
pub(crate) fn packets(sent: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = sent.strip_prefix(IDENTIFICATION).expect("the identification line");
    let mut payloads = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        assert_eq!((4 + length) % 8, 0, "a multiple of the block");
        let Some((packet, after)) = after.split_at_checked(length) else {
            break;
        };
        let padding = usize::from(packet[0]);
        assert!((4..12).contains(&padding), "padding {padding}");
        payloads.push(packet[1..length - padding].to_vec());
        rest = after;
    }
    payloads
}

/// A string with its length in front, and what follows.
pub(crate) fn string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk().expect("a length");
    rest.split_at(u32::from_be_bytes(*length) as usize)
}

/// The cookie and the lists of an offer.
pub(crate) fn offer(payload: &[u8]) -> (&[u8], Vec<&str>) {
    assert_eq!(payload[0], 20);
    let (cookie, mut rest) = payload[1..].split_at(16);
    let mut lists = Vec::new();
    for _ in 0..10 {
        let (names, after) = string(rest);
        lists.push(core::str::from_utf8(names).expect("names"));
        rest = after;
    }
    assert_eq!(rest, [0; 5]);
    (cookie, lists)
}
