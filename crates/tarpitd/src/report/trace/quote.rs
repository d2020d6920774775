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
