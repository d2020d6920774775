//! What a TLS client says first.

use crate::wire::sighting::Sighting;

/// A handshake record that opens with a ClientHello (RFC 8446, section 5.1), or the old form of
/// one (RFC 5246, appendix E.2).
pub(super) fn client_hello(bytes: &[u8]) -> Sighting {
    let wanted: &[fn(u8) -> bool] = match bytes.first() {
        None => return Sighting::Incomplete,
        Some(0x16) => &[|_| true, |b| b == 3, |b| b <= 4, |b| b <= 0x48, |_| true, |b| b == 1],
        // Also that of SSL 2, whose version stands the other way round.
        Some(0x80..) if bytes.get(3) == Some(&0) => {
            &[|_| true, |_| true, |b| b == 1, |_| true, |b| b == 2]
        }
        Some(0x80..) => &[|_| true, |_| true, |b| b == 1, |b| b == 3, |b| b <= 4],
        Some(_) => return Sighting::Differs,
    };
    if !bytes.iter().zip(wanted).all(|(&byte, fits)| fits(byte)) {
        Sighting::Differs
    } else if bytes.len() < wanted.len() {
        Sighting::Incomplete
    } else {
        Sighting::Matches
    }
}
