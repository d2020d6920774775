//! Lines of text.

use alloc::{string::String, vec::Vec};

use crate::base::rng::Rng;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends a line of random hexadecimal digits, CR LF ended.
///
/// It never starts with `SSH-`, and with its 10 to 34 bytes stays below what any client takes for
/// one line.
pub(crate) fn hex_line(rng: &mut Rng, out: &mut Vec<u8>) {
    // Drawn at once and appended at once: the line is made again for each of its bytes that is sent.
    let mut random = [0; 1 + 16];
    rng.fill(&mut random);
    let [length, bytes @ ..] = random;
    let digits = 2 * (4 + usize::from(length) * 13 / 256);
    let mut line = [0; 34];
    for (pair, byte) in line.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    line[digits..digits + 2].copy_from_slice(b"\r\n");
    out.extend_from_slice(&line[..digits + 2]);
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
