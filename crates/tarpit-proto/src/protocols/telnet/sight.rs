//! What a telnet client says first.

use crate::wire::sighting::{ANY, Sighting, is, shape};

/// Verbs of FTP and SMTP that say nothing without an argument, and are names of users.
const VERBS_AND_NAMES: [&[u8]; 5] = [b"data", b"host", b"mail", b"site", b"user"];

/// A negotiation, or else a name: words that are not of another protocol (`None`). Nobody's name
/// begins with a control character, nor has one in it that begins as names of other alphabets and
/// binary protocols do.
pub(super) fn login(bytes: &[u8]) -> Option<Sighting> {
    match bytes {
        [0xFF, 0xFA..=0xFE, ..] => return Some(Sighting::Matches),
        [] | [0xFF | b'\r' | b'\n' | b'\t' | b' '..=b'~', ..] => {}
        [0x80..=0xFE, ..] => match foreign_name(bytes) {
            Sighting::Matches => {}
            other => return Some(other),
        },
        _ => return Some(Sighting::Differs),
    }
    if let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'))
        && VERBS_AND_NAMES.iter().any(|name| name.eq_ignore_ascii_case(&bytes[..end]))
    {
        return Some(Sighting::Matches);
    }
    None
}

/// The longest name in another alphabet whose end is waited for.
const LONGEST_NAME: usize = 128;

/// A line of text in any encoding that has ASCII in it: UTF-8, Latin-1, KOI8 and the like.
fn foreign_name(bytes: &[u8]) -> Sighting {
    for &byte in bytes.iter().take(LONGEST_NAME) {
        match byte {
            b'\r' | b'\n' => return Sighting::Matches,
            // Who types may take back.
            0x08 | b'\t' | b' '.. => {}
            _ => return Sighting::Differs,
        }
    }
    if bytes.len() < LONGEST_NAME { Sighting::Incomplete } else { Sighting::Matches }
}

/// A negotiation: what tells a telnet client from those of other protocols.
pub(super) fn negotiation(bytes: &[u8]) -> Sighting {
    shape(bytes, &[is(0xFF), (0xFB, 0xFE), ANY])
}
