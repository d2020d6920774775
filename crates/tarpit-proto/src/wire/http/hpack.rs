//! Fields of HTTP/2 requests (HPACK, RFC 7541), read without any memory of those before.
//!
//! We announce a table of no size, so a client that has heard us refers to nothing but the static
//! table; one that has not yet may refer to a field of its own that came before, which is then not
//! known to us. Of the static table the fields are kept that matter here.

use alloc::{borrow::Cow, vec::Vec};

use crate::wire::http::huffman::Decoder;

/// Tells the names and values in `block` one by one, up to its end or to what cannot be read. What
/// does not matter here is told as empty, and what is not known as [`EARLIER`]. Of a value that goes
/// on beyond the block its beginning is told, and what is missing.
pub(crate) fn fields(block: &[u8], tell: Tell<'_>) {
    let mut rest = block;
    while field(&mut rest, tell).is_some() {}
}

/// What a field is called that a client has sent before, and refers to now.
pub(crate) const EARLIER: &[u8] = b":earlier";

/// Who wants to know names, values, and what is missing of them.
type Tell<'a> = &'a mut dyn FnMut(&[u8], &[u8], Option<Missing>);

/// What is missing of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    /// How many bytes of the block it takes.
    pub(crate) bytes: usize,
    /// How they are read; `None`: they are the value's own.
    pub(crate) decoder: Option<Decoder>,
}

/// Appends a field.
pub(crate) fn write(name: Name, value: &str, out: &mut Vec<u8>) {
    match name as u8 {
        0 => {
            out.push(0);
            write_text("x-powered-by", out);
        }
        index @ 1..15 => out.push(index),
        index => out.extend_from_slice(&[15, index - 15]),
    }
    write_text(value, out);
}

/// Appends a string that is not coded (RFC 7541, section 5.2).
fn write_text(text: &str, out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..127 => out.push(length as u8),
        length => {
            out.push(127);
            let mut left = length - 127;
            while left > 0x7F {
                out.push(left as u8 | 0x80);
                left >>= 7;
            }
            out.push(left as u8);
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// The names of the fields that we send, by their places in the static table; 0 is the one that
/// does not stand there.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    PoweredBy = 0,
    Status = 8,
    AcceptRanges = 18,
    Allow = 22,
    ContentLength = 28,
    ContentRange = 30,
    ContentType = 31,
    Date = 33,
    ETag = 34,
    LastModified = 44,
    Location = 46,
    Server = 54,
    Vary = 59,
    WwwAuthenticate = 61,
}

/// Reads one field's representation (RFC 7541, section 6).
fn field(rest: &mut &[u8], tell: Tell<'_>) -> Option<()> {
    let first = *rest.first()?;
    let bits = match first {
        0x80.. => {
            let (name, value) = indexed(number(rest, 7)?);
            tell(name, value, None);
            return Some(());
        }
        // A new size of a table that we do not have.
        0x20..=0x3F => return number(rest, 5).map(|_| ()),
        0x40..=0x7F => 6,
        _ => 4,
    };
    let index = number(rest, bits)?;
    let name = match index {
        0 => match text(rest)? {
            (name, None) => name,
            (_, Some(_)) => return None,
        },
        _ => Cow::Borrowed(indexed(index).0),
    };
    let (value, missing) = text(rest)?;
    tell(&name, &value, missing);
    missing.is_none().then_some(())
}

/// The entries of the static table (RFC 7541, appendix A) that say what we want to know.
fn indexed(index: usize) -> (&'static [u8], &'static [u8]) {
    match index {
        1 => (b":authority", b""),
        2 => (b":method", b"GET"),
        3 => (b":method", b"POST"),
        4 => (b":path", b"/"),
        5 => (b":path", b"/index.html"),
        16 => (b"accept-encoding", b"gzip, deflate"),
        19 => (b"accept", b""),
        23 => (b"authorization", b""),
        35 => (b"expect", b""),
        38 => (b"host", b""),
        39 => (b"if-match", b""),
        40 => (b"if-modified-since", b""),
        41 => (b"if-none-match", b""),
        42 => (b"if-range", b""),
        43 => (b"if-unmodified-since", b""),
        49 => (b"proxy-authorization", b""),
        50 => (b"range", b""),
        58 => (b"user-agent", b""),
        62.. => (EARLIER, b""),
        _ => (b"", b""),
    }
}

/// A number whose first `bits` bits stand in the first byte (RFC 7541, section 5.1); of four more
/// bytes at most, which is beyond any block.
fn number(rest: &mut &[u8], bits: u32) -> Option<usize> {
    let (&first, mut after) = rest.split_first()?;
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        for shift in [0, 7, 14, 21] {
            let (&byte, left) = after.split_first()?;
            after = left;
            value += usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                *rest = after;
                return Some(value);
            }
        }
        return None;
    }
    *rest = after;
    Some(value)
}

/// A string (RFC 7541, section 5.2), or as much of it as there is.
fn text<'a>(rest: &mut &'a [u8]) -> Option<(Cow<'a, [u8]>, Option<Missing>)> {
    let is_coded = *rest.first()? & 0x80 != 0;
    let length = number(rest, 7)?;
    let (bytes, after) = rest.split_at(length.min(rest.len()));
    *rest = after;
    let lacks = |decoder| {
        let bytes = length - bytes.len();
        (bytes > 0).then_some(Missing { bytes, decoder })
    };
    if !is_coded {
        return Some((Cow::Borrowed(bytes), lacks(None)));
    }
    let (mut decoder, mut plain) = (Decoder::default(), Vec::new());
    decoder.read(bytes, &mut plain);
    Some((Cow::Owned(plain), lacks(Some(decoder))))
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::{string::String, vec};

    fn read(block: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        fields(block, &mut |name, value, missing| {
            let missing = missing.map_or(String::new(), |it| std::format!("+{}", it.bytes));
            all.push(std::format!("{}={}{missing}", name.escape_ascii(), value.escape_ascii()));
        });
        all
    }

    #[test]
    fn the_examples_of_the_standard_are_understood() {
        // Appendices C.3.1 and C.4.1: the same request, plain and coded.
        let wanted = vec![":method=GET", "=", ":path=/", ":authority=www.example.com"];
        assert_eq!(read(b"\x82\x86\x84\x41\x0fwww.example.com"), wanted);
        assert_eq!(
            read(b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
            wanted
        );
        // Appendix C.2: literals of all three kinds.
        assert_eq!(read(b"\x40\x0acustom-key\x0dcustom-header"), ["custom-key=custom-header"]);
        assert_eq!(read(b"\x04\x0c/sample/path"), [":path=/sample/path"]);
        assert_eq!(read(b"\x10\x08password\x06secret"), ["password=secret"]);
        // A table's size, a field of the client's own table, and a value behind a large index.
        assert_eq!(read(b"\x20\x3f\xe1\x1f\xbe\x0f\x2b\x01x"), [":earlier=", "user-agent=x"]);
    }

    #[test]
    fn what_is_cut_or_has_no_bound_ends_the_reading() {
        for block in [&b"\x82\x40\x0acust"[..], b"\x82\x7f\xff\xff\xff\xff\xff\x01", b"\x82\x41"] {
            assert_eq!(read(block), [":method=GET"], "{}", block.escape_ascii());
        }
        assert_eq!(read(b"\x04\x0c/sam"), [":path=/sam+8"]);
        assert_eq!(read(b"\x41\x8c\xf1\xe3\xc2\xe5"), [":authority=www.e+8"]);
    }
}
