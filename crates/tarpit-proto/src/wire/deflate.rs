//! Compressed streams that say one short text over and over (RFC 1950, 1951, 1952), made from
//! their position: nothing is ever compressed, and nothing of them is stored but the start of one.
//!
//! A stream is one block. Its Huffman code gives one bit to the longest match (258 bytes) and one
//! bit to the only distance, which is the text's length, so that each match takes two bits and the
//! distance's extra ones. The text stands there once as literals; all that follows is the same
//! match, and eight of these fill whole bytes: the cycle. So, with bits and not to scale:
//!
//! ```text
//! │ wrapper │ block header │ text │ match match │ cycle │ cycle │ ... │ end │ checksum │
//! └──────────────────── opening ────────────────┘                     └── closing ─────┘
//! ```

use alloc::vec::Vec;

/// A text repeated until its length is what was wanted.
pub(crate) struct Repetition {
    opening: Bits,
    /// Eight matches.
    cycle: Bits,
    cycles: u32,
    closing: Bits,
}

/// What a stream repeats.
pub(crate) struct Text {
    /// The literals that have a code, in ascending order. With the end of the block they must be
    /// a power of two.
    pub(crate) letters: &'static [u8],
    /// What stands in front, once.
    pub(crate) preface: &'static [u8],
    /// What is repeated.
    pub(crate) unit: &'static [u8],
}

/// How a stream is wrapped.
pub(crate) enum Wrapper {
    /// With this CRC-32 of what it inflates to.
    Gzip(u32),
    /// Only for zero bytes, whose Adler-32 is known without reading them.
    ZlibOfZeros,
}

/// What the longest match stands for, in bytes.
const MATCH: u64 = 258;
/// As many as fill whole bytes, whatever bits each takes.
const CYCLE_MATCHES: usize = 8;

impl Repetition {
    /// `text` with `cycles` times eight matches behind its first ones.
    ///
    /// Meant for constants; what does not fit stops the build.
    pub(crate) const fn new(wrapper: &Wrapper, text: &Text, cycles: u32) -> Self {
        let ends = text.letters.len() + 1;
        assert!(ends.is_power_of_two(), "the code would be incomplete");
        // One bit less for the longest match, and then all alike.
        let width = ends.trailing_zeros() + 1;
        let distance = Distance::of(text.unit.len());
        let mut opening = match wrapper {
            Wrapper::Gzip(_) => Bits::NONE.bytes(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3]),
            Wrapper::ZlibOfZeros => Bits::NONE.bytes(&[0x78, 0xDA]),
        };
        opening = header(opening, text, width, &distance);
        let mut index = 0;
        while index < text.preface.len() {
            opening = literal(opening, text, width, text.preface[index]);
            index += 1;
        }
        index = 0;
        while index < text.unit.len() {
            opening = literal(opening, text, width, text.unit[index]);
            index += 1;
        }
        let mut matches = 0;
        while opening.count % 8 != 0 {
            opening = one_match(opening, &distance);
            matches += 1;
        }
        let mut cycle = Bits::NONE;
        index = 0;
        while index < CYCLE_MATCHES {
            cycle = one_match(cycle, &distance);
            index += 1;
        }
        matches += CYCLE_MATCHES as u64 * cycles as u64;
        let inflated = (text.preface.len() + text.unit.len()) as u64 + MATCH * matches;
        // The end of the block is the last of its codes, all ones.
        let end = Bits::NONE.number((1 << width) - 1, width).filled();
        let closing = match wrapper {
            Wrapper::Gzip(crc) => {
                // The length counts modulo 2^32.
                end.bytes(&crc.to_le_bytes()).bytes(&(inflated as u32).to_le_bytes())
            }
            Wrapper::ZlibOfZeros => {
                // The one sum stays 1 and is added to the other for every byte.
                let adler = ((inflated % 65_521) as u32) << 16 | 1;
                end.bytes(&adler.to_be_bytes())
            }
        };
        Self { opening, cycle, cycles, closing }
    }

    /// The compressed length, in bytes.
    pub(crate) const fn len(&self) -> u32 {
        self.opening.len() + self.cycle.len() * self.cycles + self.closing.len()
    }

    /// Appends at most `count` bytes from `position` on.
    pub(crate) fn read(&self, position: u32, count: u32, out: &mut Vec<u8>) {
        let repeated = self.opening.len() + self.cycle.len() * self.cycles;
        let end = self.len().min(position.saturating_add(count));
        out.extend((position..end).map(|at| {
            if at < self.opening.len() {
                self.opening.at(at)
            } else if at < repeated {
                self.cycle.at((at - self.opening.len()) % self.cycle.len())
            } else {
                self.closing.at(at - repeated)
            }
        }));
    }
}

/// A distance's code (RFC 1951, section 3.2.5): the symbol, and the extra bits with their value.
struct Distance {
    symbol: u32,
    extra_bits: u32,
    extra: u32,
}

impl Distance {
    const fn of(length: usize) -> Self {
        assert!(length > 0 && length <= 32 * 1024, "no distance stands for that");
        let back = length as u32 - 1;
        if back < 4 {
            return Self { symbol: back, extra_bits: 0, extra: 0 };
        }
        // Two symbols for each power of two, told apart by the bit behind the first.
        let extra_bits = back.ilog2() - 1;
        Self {
            symbol: 2 * back.ilog2() + (back >> extra_bits & 1),
            extra_bits,
            extra: back & ((1 << extra_bits) - 1),
        }
    }
}

/// Appends the start of a last block with its own Huffman codes (RFC 1951, section 3.2.7).
const fn header(bits: Bits, text: &Text, width: u32, distance: &Distance) -> Bits {
    assert!(width != 1, "there would be two codes of one bit");
    // All 286 lengths of literals and matches, distances up to ours, and the lengths of these
    // lengths up to the last that is used.
    let mut bits = bits.number(1, 1).number(2, 2);
    bits = bits.number(286 - 257, 5).number(distance.symbol, 5).number(18 - 4, 4);
    // Only three lengths are used: none with one bit, 1 and the width with two.
    let mut index = 0;
    while index < ORDER.len() {
        let own = match ORDER[index] {
            0 => 1,
            length if length == 1 || length == width => 2,
            _ => 0,
        };
        bits = bits.number(own, 3);
        index += 1;
    }
    let mut symbol = 0;
    while symbol < LONGEST {
        let used = symbol == END || letter(text, symbol).is_some();
        bits = if used { bits.code(0b11, 2) } else { bits.code(0, 1) };
        symbol += 1;
    }
    bits = bits.code(0b10, 2);
    let mut symbol = 0;
    while symbol < distance.symbol {
        bits = bits.code(0, 1);
        symbol += 1;
    }
    bits.code(0b10, 2)
}

/// The symbol that ends a block, and that of the longest match.
const END: u32 = 256;
const LONGEST: u32 = 285;

/// The order in which the lengths of code lengths stand, up to that of length 1.
const ORDER: [u32; 18] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];

/// The place of a literal among all.
const fn letter(text: &Text, symbol: u32) -> Option<u32> {
    let mut index = 0;
    while index < text.letters.len() {
        if text.letters[index] as u32 == symbol {
            return Some(index as u32);
        }
        index += 1;
    }
    None
}

const fn literal(bits: Bits, text: &Text, width: u32, byte: u8) -> Bits {
    // The longest match has the code 0, so that all others begin with a one.
    match letter(text, byte as u32) {
        Some(index) => bits.code((1 << (width - 1)) | index, width),
        None => panic!("the text has a letter without a code"),
    }
}

const fn one_match(bits: Bits, distance: &Distance) -> Bits {
    bits.code(0, 1).code(0, 1).number(distance.extra, distance.extra_bits)
}

/// Bits as DEFLATE packs them: from the lowest of each byte up.
#[derive(Clone, Copy)]
struct Bits {
    packed: [u8; 160],
    count: u32,
}

impl Bits {
    const NONE: Self = Self { packed: [0; 160], count: 0 };

    /// Adds a number of `width` bits, its lowest bit first.
    const fn number(mut self, number: u32, width: u32) -> Self {
        let mut place = 0;
        while place < width {
            let bit = (number >> place & 1) as u8;
            self.packed[(self.count / 8) as usize] |= bit << (self.count % 8);
            self.count += 1;
            place += 1;
        }
        self
    }

    /// Adds a Huffman code of `width` bits, its highest bit first.
    const fn code(self, code: u32, width: u32) -> Self {
        let mut bits = self;
        let mut place = width;
        while place > 0 {
            place -= 1;
            bits = bits.number(code >> place & 1, 1);
        }
        bits
    }

    /// Adds whole bytes.
    const fn bytes(self, bytes: &[u8]) -> Self {
        let mut bits = self;
        let mut index = 0;
        while index < bytes.len() {
            bits = bits.number(bytes[index] as u32, 8);
            index += 1;
        }
        bits
    }

    /// Fills the last byte.
    const fn filled(mut self) -> Self {
        self.count = self.count.next_multiple_of(8);
        self
    }

    /// The length in bytes, of which all are filled.
    const fn len(&self) -> u32 {
        self.count / 8
    }

    fn at(&self, index: u32) -> u8 {
        self.packed.get(index as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use miniz_oxide::inflate::{decompress_to_vec, decompress_to_vec_zlib};

    use super::*;

    extern crate std;

    const ZEROS: Text = Text { letters: &[0], preface: b"", unit: &[0] };

    fn whole(stream: &Repetition, portion: u32) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < stream.len() as usize {
            stream.read(out.len() as u32, portion, &mut out);
        }
        out
    }

    #[test]
    fn zeros_inflate_to_what_their_checksum_covers() {
        for cycles in [0, 1, 100] {
            let stream = Repetition::new(&Wrapper::ZlibOfZeros, &ZEROS, cycles);
            let inflated = decompress_to_vec_zlib(&whole(&stream, 7)).expect("a valid stream");
            assert!(inflated.iter().all(|&byte| byte == 0));
            let rest = inflated.len() - 258 * 8 * cycles as usize;
            assert!(rest < 258 * 8, "{rest}");
        }
    }

    #[test]
    fn a_text_is_repeated_behind_its_preface() {
        let text = Text { letters: b"abcdefg", preface: b"gfe", unit: b"abcdabcd" };
        let stream = Repetition::new(&Wrapper::Gzip(0x0102_0304), &text, 3);
        let bytes = whole(&stream, 1_000);
        let inflated = decompress_to_vec(&bytes[10..]).expect("a valid stream");
        assert!(inflated.starts_with(b"gfeabcdabcdabcd"));
        assert!(inflated[3..].chunks(4).all(|part| b"abcd".starts_with(part)));
        let length = (inflated.len() as u32).to_le_bytes();
        assert_eq!(bytes[bytes.len() - 8..], [&[4, 3, 2, 1], &length[..]].concat());
    }

    #[test]
    fn distances_have_the_codes_of_the_standard() {
        for (length, symbol, extra_bits, extra) in [
            (1, 0, 0, 0),
            (4, 3, 0, 0),
            (6, 4, 1, 1),
            (7, 5, 1, 0),
            (24, 8, 3, 7),
            (32_768, 29, 13, 8_191),
        ] {
            let got = Distance::of(length);
            assert_eq!((got.symbol, got.extra_bits, got.extra), (symbol, extra_bits, extra));
        }
    }

    #[test]
    fn portions_of_any_size_make_the_same_stream() {
        let stream = Repetition::new(&Wrapper::ZlibOfZeros, &ZEROS, 50);
        let bytes = whole(&stream, u32::MAX);
        assert_eq!(bytes.len(), stream.len() as usize);
        assert_eq!(vec![whole(&stream, 1), whole(&stream, 33)], vec![bytes.clone(), bytes]);
        let mut nothing = Vec::new();
        stream.read(stream.len(), 10, &mut nothing);
        assert!(nothing.is_empty());
    }
}
