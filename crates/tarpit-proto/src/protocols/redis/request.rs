//! What Redis clients say: arrays of bulk strings, and commands on a line, whose words may be quoted.
//! What is neither is refused in the words of Redis 7.0.

use alloc::{boxed::Box, vec::Vec};

use crate::{base::said::Said, protocols::command::Overlong, states};

/// How many words of a command are kept, and how many bytes of each; the rest is counted.
const MOST_WORDS: usize = 8;
const LONGEST_WORD: usize = Overlong::KEPT;

/// The most words that a client may say that a command has.
const MOST_IN_ARRAY: u32 = 1_024 * 1_024;
/// The most bytes that it may say that a word has.
const LONGEST_BULK: u32 = 512 * 1_024 * 1_024;

states! {
    /// A command that is not whole yet.
    #[derive(Debug, Default)]
    pub(super) boxed struct Request {
        /// How many words are still to come.
        words_left: u32,
        /// How much of the present word is still to come, with its end; `None`: its head comes.
        bulk_left: Option<u32>,
        /// Whether the present word is the last of those that are kept.
        is_kept: bool,
        command: Command,
    }

    /// A command: what is kept of it.
    #[derive(Debug, Default)]
    pub(super) boxed struct Command {
        pub(super) words: Vec<Word>,
        /// How many bytes the further words have, with a space in front of each.
        pub(super) beyond: u64,
    }

    /// The beginning of a word, and how long it is.
    #[derive(Debug, Default)]
    pub(super) boxed struct Word {
        pub(super) kept: Vec<u8>,
        pub(super) length: u32,
    }

    /// By what a client breaks the protocol.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Fault {
        ArrayLength,
        ArrayLine,
        BulkLength,
        BulkLine,
        /// Something else stands where a bulk string should.
        Expected { got: u8 },
        Inline,
        Quotes,
    }
}

impl Fault {
    /// Appends the words in which a server complains of it, behind which it closes the connection.
    pub(super) fn say(self, out: &mut Vec<u8>) {
        let words: &[u8] = match self {
            Self::ArrayLength => b"invalid multibulk length",
            Self::ArrayLine => b"too big mbulk count string",
            Self::BulkLength => b"invalid bulk length",
            Self::BulkLine => b"too big bulk count string",
            Self::Expected { got } => {
                let got = if matches!(got, b'\r' | b'\n') { b' ' } else { got };
                return out.extend([&b"expected '$', got '"[..], &[got], b"'"].concat());
            }
            Self::Inline => b"too big inline request",
            Self::Quotes => b"unbalanced quotes in request",
        };
        out.extend_from_slice(words);
    }
}

/// What came of a client's bytes.
pub(super) enum Reading {
    Broken(Fault),
    Command(Command),
    Incomplete,
}

/// Reads on, to the end of a command.
pub(super) fn read(request: &mut Option<Box<Request>>, said: &mut Said<'_>) -> Reading {
    let mut open = request.take().map_or_else(Request::default, |request| *request);
    loop {
        if let Some(left) = open.bulk_left {
            if !open.read_bulk(left, said) {
                break;
            }
            if open.words_left == 0 {
                return Reading::Command(open.command);
            }
            continue;
        }
        let Some(line) = said.line() else { break };
        let is_whole = line.ends_with(b"\n");
        match (open.words_left, line) {
            (0, [b'*', ..]) if !is_whole => return Reading::Broken(Fault::ArrayLine),
            (0, _) if !is_whole => return Reading::Broken(Fault::Inline),
            (0, [b'*', count @ ..]) => match number(count) {
                Some(count) if count <= MOST_IN_ARRAY.into() => {
                    // An array without words is passed over, however many it lacks.
                    open.words_left = u32::try_from(count).unwrap_or(0);
                }
                _ => return Reading::Broken(Fault::ArrayLength),
            },
            (0, words) => match inline(words) {
                Some(command) if command.words.is_empty() => {}
                Some(command) => return Reading::Command(command),
                None => return Reading::Broken(Fault::Quotes),
            },
            _ if !is_whole => return Reading::Broken(Fault::BulkLine),
            (_, [b'$', length @ ..]) => {
                let length = number(length).and_then(|length| u32::try_from(length).ok());
                match length.filter(|&length| length <= LONGEST_BULK) {
                    Some(length) => open.begin(length),
                    None => return Reading::Broken(Fault::BulkLength),
                }
            }
            (_, line) => {
                let got = line.first().copied().unwrap_or(b' ');
                return Reading::Broken(Fault::Expected { got });
            }
        }
    }
    if open.words_left > 0 {
        *request = Some(Box::new(open));
    }
    Reading::Incomplete
}

/// A number in the only form that servers take: without a plus, spaces or zeros in front, and with
/// both bytes of the line's end behind.
fn number(line: &[u8]) -> Option<i64> {
    let text = line.strip_suffix(b"\r\n")?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = text == b"0" || digits.first().is_some_and(|&digit| digit != b'0');
    let is_number = is_plain && digits.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

impl Request {
    /// A word of this length begins.
    fn begin(&mut self, length: u32) {
        let command = &mut self.command;
        self.is_kept = command.words.len() < MOST_WORDS;
        if self.is_kept {
            command.words.push(Word { kept: Vec::new(), length });
        } else {
            command.beyond = command.beyond.saturating_add(u64::from(length) + 1);
        }
        // With its end, which is two bytes.
        self.bulk_left = Some(length + 2);
    }

    /// Reads on in the present word, of which so much is still to come. Says whether it is whole.
    fn read_bulk(&mut self, left: u32, said: &mut Said<'_>) -> bool {
        let bytes = said.take(left as usize);
        if let Some(word) = self.command.words.last_mut().filter(|_| self.is_kept) {
            let body = bytes.len().min(left.saturating_sub(2) as usize);
            let room = LONGEST_WORD.saturating_sub(word.kept.len());
            word.kept.extend_from_slice(&bytes[..body.min(room)]);
        }
        let left = left - bytes.len() as u32;
        self.bulk_left = (left > 0).then_some(left);
        if left == 0 {
            self.words_left -= 1;
        }
        left == 0
    }
}

impl Command {
    fn add(&mut self, word: Word) {
        if self.words.len() < MOST_WORDS {
            self.words.push(word);
        } else {
            self.beyond = self.beyond.saturating_add(u64::from(word.length) + 1);
        }
    }
}

impl Word {
    /// Whether it is this word, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kept.eq_ignore_ascii_case(word.as_bytes())
    }

    fn push(&mut self, byte: u8) {
        if self.kept.len() < LONGEST_WORD {
            self.kept.push(byte);
        }
        self.length += 1;
    }
}

/// Where a word on a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Double,
    None,
    Single,
}

/// The words of a command on a line. `None`: its quotes do not match, or a word goes on behind one.
fn inline(line: &[u8]) -> Option<Command> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut rest = line.strip_suffix(b"\r").unwrap_or(line);
    let mut command = Command::default();
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Some(command);
        }
        let (word, behind) = first_word(rest)?;
        command.add(word);
        rest = behind;
    }
}

/// The first word, without its quotes, and what stands behind it.
fn first_word(mut rest: &[u8]) -> Option<(Word, &[u8])> {
    let mut word = Word::default();
    let mut quote = Quote::None;
    loop {
        let (byte, behind) = match (quote, rest) {
            (Quote::None, [] | [b' ' | b'\t' | b'\r' | b'\n' | 0, ..]) => {
                return Some((word, rest));
            }
            (_, []) => return None,
            (Quote::None, [b'"', behind @ ..]) => {
                (quote, rest) = (Quote::Double, behind);
                continue;
            }
            (Quote::None, [b'\'', behind @ ..]) => {
                (quote, rest) = (Quote::Single, behind);
                continue;
            }
            (Quote::Double, [b'"', behind @ ..]) | (Quote::Single, [b'\'', behind @ ..]) => {
                let is_end = behind.first().is_none_or(|&byte| is_blank(byte));
                return is_end.then_some((word, behind));
            }
            (Quote::Double, [b'\\', escape @ ..]) => escaped(escape)?,
            (Quote::Single, [b'\\', b'\'', behind @ ..]) => (b'\'', behind),
            (_, [byte, behind @ ..]) => (*byte, behind),
        };
        word.push(byte);
        rest = behind;
    }
}

/// The byte that stands behind a backslash, and what follows it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if let [b'x', high, low, behind @ ..] = text
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        return Some(((high * 16 + low) as u8, behind));
    }
    let (byte, behind) = text.split_first()?;
    let byte = match byte {
        b'a' => 0x07,
        b'b' => 0x08,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => *other,
    };
    Some((byte, behind))
}

/// Whether it stands between words.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 0 | 0x09..=0x0D)
}
