//! Lines of text.

use alloc::{string::String, vec::Vec};

use crate::rng::Rng;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends a line of random hexadecimal digits, CR LF ended.
///
/// It never starts with `SSH-`, and with its 10 to 34 bytes stays below what any client takes for
/// one line.
pub(crate) fn hex_line(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut random = [0; 16];
    let pairs = 4 + rng.below(13) as usize;
    rng.fill(&mut random[..pairs]);
    for byte in &random[..pairs] {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.extend_from_slice(b"\r\n");
}

/// All of `bytes` in hexadecimal digits, small ones.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

/// Appends `words` as a line, CR LF ended.
pub(crate) fn line(words: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(words.as_bytes());
    out.extend_from_slice(b"\r\n");
}
