//! The text of a mail: how much of it comes and where it ends (RFC 5321, section 4.1.1.4; RFC 3030
//! for `BDAT`), and the addresses on its envelope.

use crate::{base::said::Said, protocols::secret, states};

states! {
    /// The text that is under way.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Text {
        /// A part of it by its length, behind `BDAT`.
        Counted { left: u32, is_last: bool },
        /// All of it behind `DATA`, to a line with a single dot.
        Dotted { dot: Dot },
    }

    /// Where the search stands for the line with a single dot that ends a mail (RFC 5321, section
    /// 4.1.1.4), whatever ends its lines: where we see an end, nothing is lost by it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Dot {
        /// Within a line.
        Line,
        /// Behind a dot at the start of a line, and a carriage return.
        Return,
        /// Behind a dot at the start of a line.
        Single,
        /// At the start of a line.
        Start,
    }
}

impl Text {
    /// What stands behind `DATA`.
    pub(crate) const DATA: Self = Self::Dotted { dot: Dot::Start };

    /// The part that `BDAT` announces (RFC 3030, section 2). `None`: where it ends is not known.
    pub(crate) fn part(argument: &[u8]) -> Option<Self> {
        let mut words = argument.split(u8::is_ascii_whitespace);
        let left = core::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        let is_last = words.any(|word| word.eq_ignore_ascii_case(b"LAST"));
        Some(Self::Counted { left, is_last })
    }

    /// Whether nothing of it is missing.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Self::Counted { left: 0, .. })
    }

    /// Reads on, at most `room` bytes. Returns how many it read, and whether the text has ended.
    pub(crate) fn read(&mut self, said: &mut Said<'_>, room: usize) -> (usize, bool) {
        let bytes = &said.rest()[..said.rest().len().min(room)];
        let end = match self {
            Self::Counted { left, .. } => {
                let rest = *left as usize;
                *left = left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                (rest <= bytes.len()).then_some(rest)
            }
            Self::Dotted { dot } => dot.read(bytes),
        };
        (said.take(end.unwrap_or(bytes.len())).len(), end.is_some())
    }
}

impl Dot {
    /// Reads on, and says how many bytes belong to the mail if its end is among them.
    fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, &byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (Self::Single | Self::Return, b'\n') => return Some(place + 1),
                (_, b'\n') => Self::Start,
                (Self::Start, b'.') => Self::Single,
                (Self::Single, b'\r') => Self::Return,
                _ => Self::Line,
            };
        }
        None
    }
}

/// The address in what follows `MAIL` and `RCPT`, without the words around it.
pub(crate) fn path(argument: &[u8]) -> &[u8] {
    let start = argument.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1);
    let words = argument[start..].trim_ascii();
    let bare = words.strip_prefix(b"<").and_then(|rest| rest.split(|&byte| byte == b'>').next());
    bare.unwrap_or_else(|| secret::name(words).0)
}

/// Whether what follows `MAIL` or `RCPT` begins with this word, in any case.
pub(crate) fn names(argument: &[u8], word: &[u8]) -> bool {
    argument.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The size of a mail that its sender names behind its address (RFC 1870, section 4).
pub(crate) fn size(argument: &[u8]) -> Option<u64> {
    let mut words = argument.split(u8::is_ascii_whitespace);
    let size = words.find(|word| names(word, b"SIZE="))?;
    core::str::from_utf8(&size[5..]).ok()?.parse().ok()
}

/// For the fuzzer and its replayed corpus: where a mail ends does not depend on the portions in
/// which it comes.
#[doc(hidden)]
pub fn check_mail_has_one_end(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(1_000)];
    let whole = Dot::Start.read(bytes);
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        let mut dot = Dot::Start;
        let end = dot.read(first).or_else(|| dot.read(second).map(|end| cut + end));
        assert_eq!(end, whole, "cut at {cut}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mail_ends_with_a_dot_alone_on_its_line() {
        for (mail, end) in [
            (&b".\r\n"[..], Some(3)),
            (b"a\r\n.\r\nQUIT\r\n", Some(6)),
            (b"a\n.\n", Some(4)),
            (b"a\r\n..\r\n. \r\na.\r\n.\r", None),
        ] {
            assert_eq!(Dot::Start.read(mail), end, "{}", mail.escape_ascii());
        }
    }

    #[test]
    fn a_part_ends_where_its_length_says() {
        let mut text = Text::part(b"5 last").expect("a part");
        let mut said = Said::new(b"abcdQUIT", false);
        assert_eq!(text.read(&mut said, 3), (3, false));
        assert!(matches!(text, Text::Counted { left: 2, is_last: true }));
        assert_eq!((text.read(&mut said, 3), said.rest()), ((2, true), &b"UIT"[..]));
        for argument in [&b""[..], b"x", b"-1", b"4294967296"] {
            assert!(Text::part(argument).is_none());
        }
    }

    proptest! {
        #[test]
        fn mails_have_one_end(mail in "([.a]{0,2}\r?\n?){0,9}") {
            check_mail_has_one_end(mail.as_bytes());
        }
    }
}
