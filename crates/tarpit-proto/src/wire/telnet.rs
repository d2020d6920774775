//! Telnet as a server reads it: lines, negotiation of options and sub-negotiations (RFC 854, RFC
//! 855), byte by byte, so that it makes no difference how they are cut.

use alloc::vec::Vec;

use crate::{base::state::Saved as _, states};

/// "Interpret as command", in front of every other.
pub(crate) const IAC: u8 = 0xFF;
/// Begins a sub-negotiation.
pub(crate) const SB: u8 = 0xFA;
/// Ends one.
pub(crate) const SE: u8 = 0xF0;
/// Does nothing.
pub(crate) const NOP: u8 = 0xF1;

/// Ctrl-C.
pub(crate) const INTERRUPT: u8 = 3;
/// Ctrl-D.
pub(crate) const END_OF_INPUT: u8 = 4;

states! {
    /// What one side says of an option.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) boxed enum Verb {
        /// The other side is to use it.
        Do,
        /// The other side is not to use it.
        Dont,
        /// This side will use it, or would like to.
        Will,
        /// This side will not use it.
        Wont,
    }
}

impl Verb {
    /// The byte that says so.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Do => 0xFD,
            Self::Dont => 0xFE,
            Self::Will => 0xFB,
            Self::Wont => 0xFC,
        }
    }
}

/// What a byte brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The client asks whether anybody is there (RFC 854, page 8).
    AreYouThere,
    /// The byte joined the line.
    Byte(u8),
    /// A control character, which joins no line, or the signal that stands for it.
    Control(u8),
    /// The line is whole; see [`Reader::line`].
    End,
    /// The last byte of the line was taken back.
    Erased,
    /// The client said this of an option.
    Said(Verb, u8),
    /// A sub-negotiation of this option; see [`Reader::told`].
    Told(u8),
}

states! {
    /// Where among the bytes of a client the reader stands, and what it keeps of them.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) boxed struct Reader {
        place: Place,
        line: Vec<u8>,
        told: Vec<u8>,
        /// How many more bytes the line has, and the sub-negotiation.
        line_beyond: u32,
        told_beyond: u32,
    }

    /// ```text
    ///          IAC            WILL..DONT
    ///   Text ──────► Command ───────────► Option(verb) ──► Text
    ///    │ ▲ CR         │ SB
    ///    ▼ │            ▼        IAC
    ///   Return      Subject ──► Matter(option) ◄──► MatterCommand(option) ──SE──► Text
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    boxed enum Place {
        #[default]
        Text,
        /// Behind a carriage return, which has ended the line: a line feed or NUL belongs to it.
        Return,
        /// Behind IAC.
        Command,
        /// Behind a verb: its option comes.
        Option { verb: Verb },
        /// Behind SB: its option comes.
        Subject,
        /// In a sub-negotiation.
        Matter { option: u8 },
        /// In one, behind IAC.
        MatterCommand { option: u8 },
    }
}

impl Reader {
    /// The most of a line that is kept, in bytes; the rest is counted.
    const LONGEST_LINE: usize = 256;

    /// The most of a sub-negotiation that is kept, in bytes; the rest is counted.
    const LONGEST_TOLD: usize = 64;

    /// The line as far as it came. After its end, call [`Reader::clear`].
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// How many bytes the line has that are not kept.
    pub(crate) fn line_beyond(&self) -> usize {
        self.line_beyond as usize
    }

    /// The sub-negotiation that has just come to its end.
    pub(crate) fn told(&self) -> &[u8] {
        &self.told
    }

    /// How many bytes it has that are not kept.
    pub(crate) fn told_beyond(&self) -> usize {
        self.told_beyond as usize
    }

    /// Begins a new line.
    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.line_beyond = 0;
    }

    /// Takes the next byte.
    pub(crate) fn take(&mut self, byte: u8) -> Option<Mark> {
        let before = core::mem::take(&mut self.place);
        match (before, byte) {
            (Place::Return, b'\n' | 0) => None,
            (Place::Text | Place::Return, IAC) => self.go(Place::Command),
            (Place::Text | Place::Return, byte) => self.text(byte),
            (Place::Command, 0xFB) => self.go(Place::Option { verb: Verb::Will }),
            (Place::Command, 0xFC) => self.go(Place::Option { verb: Verb::Wont }),
            (Place::Command, 0xFD) => self.go(Place::Option { verb: Verb::Do }),
            (Place::Command, 0xFE) => self.go(Place::Option { verb: Verb::Dont }),
            (Place::Command, SB) => self.go(Place::Subject),
            (Place::Command, IAC) => self.text(IAC),
            (Place::Command, 0xF4) => Some(Mark::Control(INTERRUPT)),
            (Place::Command, 0xF6) => Some(Mark::AreYouThere),
            (Place::Command, 0xEC) => Some(Mark::Control(END_OF_INPUT)),
            // A signal that means nothing to us.
            (Place::Command, _) => None,
            (Place::Option { verb }, option) => Some(Mark::Said(verb, option)),
            (Place::Subject, option) => {
                self.told.clear();
                self.told_beyond = 0;
                self.go(Place::Matter { option })
            }
            (Place::Matter { option }, IAC) => self.go(Place::MatterCommand { option }),
            (Place::Matter { option }, byte) => self.keep(option, byte),
            (Place::MatterCommand { option }, IAC) => self.keep(option, IAC),
            (Place::MatterCommand { option }, SE) => Some(Mark::Told(option)),
            // It was never ended: this is a command of its own.
            (Place::MatterCommand { .. }, byte) => {
                self.place = Place::Command;
                self.take(byte)
            }
        }
    }

    fn go(&mut self, place: Place) -> Option<Mark> {
        self.place = place;
        None
    }

    /// A byte of the line, or its end (RFC 854, page 11; many clients send one byte alone).
    fn text(&mut self, byte: u8) -> Option<Mark> {
        match byte {
            b'\n' => Some(Mark::End),
            b'\r' => {
                self.place = Place::Return;
                Some(Mark::End)
            }
            // Backspace and delete.
            0x08 | 0x7F if self.line_beyond > 0 => {
                self.line_beyond -= 1;
                None
            }
            0x08 | 0x7F => self.line.pop().map(|_| Mark::Erased),
            b' '.. | b'\t' if self.line.len() < Self::LONGEST_LINE => {
                self.line.push(byte);
                Some(Mark::Byte(byte))
            }
            b' '.. | b'\t' => {
                self.line_beyond = self.line_beyond.saturating_add(1);
                None
            }
            // Some end a line with it.
            0 => None,
            control => Some(Mark::Control(control)),
        }
    }

    fn keep(&mut self, option: u8, byte: u8) -> Option<Mark> {
        if self.told.len() < Self::LONGEST_TOLD {
            self.told.push(byte);
        } else {
            self.told_beyond = self.told_beyond.saturating_add(1);
        }
        self.go(Place::Matter { option })
    }
}

/// For the fuzzer and its replayed corpus: nothing grows beyond its bound, what is written down at
/// any place is read again, and a line that was cleared has left nothing behind.
#[doc(hidden)]
pub fn check_telnet_is_read_the_same_wherever_it_is_cut(bytes: &[u8]) {
    let mut whole = Reader::default();
    for (place, &byte) in bytes.iter().enumerate() {
        let mut saved = Vec::new();
        whole.save(&mut saved);
        saved.push(7);
        let mut rest = &saved[..];
        let loaded = Reader::load(&mut rest);
        let Some(mut handed) = loaded else { panic!("not read again at {place}") };
        assert_eq!((&handed, rest), (&whole, &[7][..]), "at {place}");
        let mark = whole.take(byte);
        assert_eq!(handed.take(byte), mark, "at {place}");
        assert_eq!(handed, whole, "at {place}");
        assert!(whole.line.len() <= Reader::LONGEST_LINE, "at {place}");
        assert!(whole.told.len() <= Reader::LONGEST_TOLD, "at {place}");
        if mark == Some(Mark::End) {
            whole.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::{
        format,
        string::{String, ToString as _},
    };

    /// What is read, one word for each thing.
    fn read(bytes: &[u8]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for &byte in bytes {
            match reader.take(byte) {
                Some(Mark::End) => {
                    found.push(reader.line().escape_ascii().to_string());
                    reader.clear();
                }
                Some(Mark::Said(verb, option)) => found.push(format!("{verb:?} {option}")),
                Some(Mark::Told(option)) => {
                    found.push(format!("{option}: {}", reader.told().escape_ascii()));
                }
                Some(Mark::AreYouThere | Mark::Byte(_) | Mark::Control(_) | Mark::Erased)
                | None => {}
            }
        }
        found
    }

    #[test]
    fn a_line_ends_in_any_of_four_ways() {
        assert_eq!(read(b"a\r\nb\r\0c\nd\re\r\r\n"), ["a", "b", "c", "d", "e", ""]);
        assert_eq!(read(b"rooo\x08\x7Fot\x01\x00\r\n"), ["root"]);
        assert_eq!(read(b"a\xFF\xFFb\xFF\xF1c\n"), [r"a\xffbc"]);
    }

    #[test]
    fn options_and_what_is_told_of_them_stand_anywhere() {
        let bytes = b"ro\xFF\xFB\x18ot\xFF\xFA\x18\0xterm\xFF\xFF\xFF\xF0\r\n\xFF\xFE\x01";
        assert_eq!(read(bytes), ["Will 24", r"24: \x00xterm\xff", "root", "Dont 1"]);
        // Never ended, but a command follows.
        assert_eq!(read(b"\xFF\xFA\x18\0x\xFF\xFD\x01a\n"), ["Do 1", "a"]);
    }

    #[test]
    fn what_is_too_long_is_cut_off() {
        let long = [&[b'a'; 1_000][..], b"\n"].concat();
        assert_eq!(read(&long)[0].len(), Reader::LONGEST_LINE);
        let mut reader = Reader::default();
        // What is taken back does not count.
        for &byte in &[&[b'a'; 300][..], b"\x08\x7F"].concat() {
            reader.take(byte);
        }
        assert_eq!((reader.line().len(), reader.line_beyond()), (Reader::LONGEST_LINE, 42));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_the_same_however_cut(
            bytes in prop::collection::vec(
                prop_oneof![Just(IAC), Just(SB), Just(SE), Just(b'\r'), 0xF9_u8.., any::<u8>()],
                0..600,
            ),
        ) {
            check_telnet_is_read_the_same_wherever_it_is_cut(&bytes);
        }
    }
}
