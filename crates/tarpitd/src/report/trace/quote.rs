//! Clients' bytes, escaped so that they harm neither a reader nor a terminal.

use std::{borrow::Cow, fmt::Write as _};

use tarpit_proto::fact::Fact;

/// The value as text, if it is UTF-8; a letter that was cut at the end is left out.
pub(super) fn shown(value: &[u8]) -> Option<&str> {
    match std::str::from_utf8(value) {
        Ok(text) => Some(text),
        Err(error) if value.len() == Fact::SHOWN && error.error_len().is_none() => {
            std::str::from_utf8(&value[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// The JSON, with its strings escaped so that they cannot move a terminal's cursor or reverse its
/// writing direction. JSON itself escapes only the first 32 control characters.
pub(super) fn harmless(json: &str) -> Cow<'_, str> {
    if json.chars().all(|c| !is_harmful(c)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal may do anything but show this character.
fn is_harmful(c: char) -> bool {
    // JSON escapes quotes and backslashes itself.
    !matches!(c, '\'' | '"' | '\\') && c.escape_debug().nth(1).is_some()
}

/// RFC 4648, section 4.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * digit) & 0x3F) as usize];
            out.push(if digit > group.len() as u32 { '=' } else { letter.into() });
        }
    }
    out
}

/// Bytes as Python writes them: `b'...'`, or in double quotes if only single ones occur inside.
pub(super) fn repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.push('b');
    out.push(quote.into());
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            _ if byte == quote => {
                out.push('\\');
                out.push(byte.into());
            }
            b' '..=b'~' => out.push(byte.into()),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(quote.into());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_base64() {
        for (bytes, wanted) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xFF\xFE\xFD\xFC", "//79/A=="),
        ] {
            assert_eq!(base64(bytes), wanted);
        }
    }

    #[test]
    fn bytes_are_written_as_python_does() {
        for (bytes, wanted) in [
            (&b"SSH-"[..], "b'SSH-'"),
            (b"it's", "b\"it's\""),
            (b"'\"", "b'\\'\"'"),
            (b"\x00\x7f\xff\\", "b'\\x00\\x7f\\xff\\\\'"),
        ] {
            assert_eq!(repr(bytes), wanted);
        }
    }
}
