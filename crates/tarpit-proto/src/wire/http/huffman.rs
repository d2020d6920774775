//! The Huffman code of HPACK (RFC 7541, appendix B), read.
//!
//! The code is canonical: of two symbols the one with the shorter code, or else with the smaller
//! value, comes first. So the lengths say all.

use alloc::vec::Vec;

/// The symbols of each length in bits, in their order.
const SYMBOLS: [(u32, &[u8]); 21] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xC3\xD0"),
    (20, b"\x80\x82\x83\xA2\xB8\xC2\xE0\xE2"),
    (21, b"\x99\xA1\xA7\xAC\xB0\xB1\xB3\xD1\xD8\xD9\xE3\xE5\xE6"),
    (
        22,
        b"\x81\x84\x85\x86\x88\x92\x9A\x9C\xA0\xA3\xA4\xA9\xAA\xAD\xB2\xB5\xB9\xBA\xBB\xBD\xBE\xC4\
          \xC6\xE4\xE8\xE9",
    ),
    (
        23,
        b"\x01\x87\x89\x8A\x8B\x8C\x8D\x8F\x93\x95\x96\x97\x98\x9B\x9D\x9E\xA5\xA6\xA8\xAE\xAF\xB4\
          \xB6\xB7\xBC\xBF\xC5\xE7\xEF",
    ),
    (24, b"\x09\x8E\x90\x91\x94\x9F\xAB\xCE\xD7\xE1\xEC\xED"),
    (25, b"\xC7\xCF\xEA\xEB"),
    (26, b"\xC0\xC1\xC8\xC9\xCA\xCD\xD2\xD5\xDA\xDB\xEE\xF0\xF2\xF3\xFF"),
    (27, b"\xCB\xCC\xD3\xD4\xD6\xDD\xDE\xDF\xF1\xF4\xF5\xF6\xF7\xF8\xFA\xFB\xFC\xFD\xFE"),
    (
        28,
        b"\x02\x03\x04\x05\x06\x07\x08\x0B\x0C\x0E\x0F\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1A\x1B\
          \x1C\x1D\x1E\x1F\x7F\xDC\xF9",
    ),
    (30, b"\x0A\x0D\x16"),
];

/// Appends what `coded` means, up to its end or to what means nothing: at most 8 symbols for each
/// 5 bytes.
#[cfg(test)]
fn decode(coded: &[u8], out: &mut Vec<u8>) {
    Decoder::default().read(coded, out);
}

/// Reads a coded string that may come in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Decoder {
    /// The bits since the last symbol, and how many they are.
    code: u32,
    length: u32,
    /// The first code of that length, and the row of [`SYMBOLS`] that comes next.
    first: u32,
    row: usize,
}

impl Decoder {
    /// Appends what the next part means, up to its end or to what means nothing: the ones that fill
    /// the last byte do not.
    pub(crate) fn read(&mut self, coded: &[u8], out: &mut Vec<u8>) {
        for byte in coded {
            for place in (0..8).rev() {
                out.extend(self.symbol(u32::from(byte >> place & 1)));
            }
        }
    }

    /// The bits since the last symbol, and how many they are.
    pub(crate) fn begun(&self) -> (u32, u32) {
        (self.code, self.length)
    }

    /// One that has read `length` bits since the last symbol. `None`: no code is as long.
    pub(crate) fn amid(code: u32, length: u32) -> Option<Self> {
        let mut decoder = Self::default();
        for place in (0..length).rev() {
            decoder.symbol(code.checked_shr(place)? & 1);
        }
        Some(decoder)
    }

    /// Takes a bit; the symbol that it completes.
    fn symbol(&mut self, bit: u32) -> Option<u8> {
        // Behind the longest code nothing means anything any more.
        let (wanted, symbols) = *SYMBOLS.get(self.row)?;
        self.code = self.code << 1 | bit;
        self.first <<= 1;
        self.length += 1;
        if self.length < wanted {
            return None;
        }
        let place = self.code.checked_sub(self.first);
        let symbol = place.and_then(|place| symbols.get(place as usize)).copied();
        if symbol.is_some() {
            *self = Self::default();
        } else {
            self.first += symbols.len() as u32;
            self.row += 1;
        }
        symbol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_understood() {
        for (coded, wanted) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], &b"www.example.com"[..]),
            (b"\xa8\xeb\x10\x64\x9c\xbf", b"no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", b"custom-value"),
            (b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
            (b"", b""),
            (b"\xff\xff\xff\xff", b""),
        ] {
            let mut out = Vec::new();
            decode(coded, &mut out);
            assert_eq!(out, wanted, "{}", coded.escape_ascii());
        }
    }

    #[test]
    fn every_byte_has_one_code() {
        let mut all: Vec<u8> = SYMBOLS.iter().flat_map(|(_, symbols)| symbols.to_vec()).collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..=255));
    }
}
