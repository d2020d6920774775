//! Lines of text.

use alloc::vec::Vec;

use crate::rng::Rng;

/// Appends a line of random hexadecimal digits, CR LF ended.
///
/// It never starts with `SSH-`, and with its 10 to 34 bytes stays below what any client takes for
/// one line.
pub(crate) fn hex_line(rng: &mut Rng, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut random = [0; 16];
    let pairs = 4 + rng.below(13) as usize;
    rng.fill(&mut random[..pairs]);
    for byte in &random[..pairs] {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.extend_from_slice(b"\r\n");
}
