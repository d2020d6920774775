//! What an HTTP client says first.

use crate::wire::sighting::{Sighting, is_token};

/// The methods of RFC 9110, 5789, 4918 and 3253: a request line that starts with one need not be
/// waited for to its end.
const METHODS: &[&[u8]] = &[
    b"CHECKIN",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LOCK",
    b"MERGE",
    b"MKCOL",
    b"MOVE",
    b"OPTIONS",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PUT",
    b"REPORT",
    b"SEARCH",
    b"TRACE",
    b"UNLOCK",
];

/// The longest line on which an unknown word may still turn out to be a method.
const LONGEST_REQUEST_LINE: usize = 512;

/// The longest word that may still turn out to be a method (RFC 9110, section 9.1 sets no bound).
const LONGEST_METHOD: usize = 32;

/// An HTTP request line (RFC 9112, section 3): a known method, or any token on a line that names
/// the protocol. Empty lines may stand in front of it (section 2.2).
pub(super) fn request_line(bytes: &[u8]) -> Sighting {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 4 {
        return Sighting::Differs;
    }
    let bytes = &bytes[blank..];
    let word = bytes.iter().take_while(|&&byte| is_token(byte)).count();
    if word > LONGEST_METHOD {
        return Sighting::Differs;
    }
    match bytes.get(word) {
        None => return Sighting::Incomplete,
        Some(b' ') if word > 0 => {}
        Some(_) => return Sighting::Differs,
    }
    if METHODS.contains(&&bytes[..word]) {
        return Sighting::Matches;
    }
    let bounded = &bytes[..bytes.len().min(LONGEST_REQUEST_LINE)];
    let end = bounded.iter().position(|&byte| byte == b'\n');
    let line = &bounded[..end.unwrap_or(bounded.len())];
    if line.windows(6).any(|window| window == b" HTTP/") {
        Sighting::Matches
    } else if end.is_some() || bytes.len() >= LONGEST_REQUEST_LINE {
        Sighting::Differs
    } else {
        Sighting::Incomplete
    }
}
