//! What a client of SSH writes while nothing is encrypted. The tests of the daemon use it, too.

/// A client of today's, by the lists of its offer.
pub(crate) const COMMON: [&str; 10] = [
    "curve25519-sha256",
    "ssh-ed25519",
    "aes128-ctr",
    "aes128-ctr",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
];

/// A packet while nothing is encrypted.
pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let mut out = u32::try_from(1 + payload.len() + padding).expect("small").to_be_bytes().to_vec();
    out.push(u8::try_from(padding).expect("small"));
    out.extend_from_slice(payload);
    out.resize(out.len() + padding, 0);
    out
}

/// A string with its length in front.
pub(crate) fn stringed(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u32::try_from(bytes.len()).expect("small").to_be_bytes();
    [&length[..], bytes].concat()
}

/// The payload of an offer of these lists.
pub(crate) fn offer_of(lists: [impl AsRef<[u8]>; 10]) -> Vec<u8> {
    let mut payload = vec![20; 17];
    for list in lists {
        payload.extend(stringed(list));
    }
    payload.extend([0; 5]);
    payload
}

/// A client's packet by which it offers one of each.
pub(crate) fn client_offer() -> Vec<u8> {
    packet(&offer_of(COMMON))
}
