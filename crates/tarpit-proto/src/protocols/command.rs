//! Commands of SMTP (RFC 5321, section 2.4) and FTP (RFC 959, section 5.3): a verb in any case, and
//! perhaps an argument, on a line.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    base::{fact::Fact, said::Said},
    protocols::secret::{self, Shown},
    script::{Chunk, Cx, Manner, Step},
    states,
    wire::base64::Beyond,
};

/// How many commands are answered at once. No client needs as many to log in or to send mail. Each
/// further answer goes out at the pace, so that tarpitd does not listen faster than it speaks.
const PATIENCE: u8 = 20;

/// The silence in front of a whole reply to a client that may be guessing, before jitter. With it
/// the reply comes before the 20 seconds after which the first guessers of mail and file servers
/// give up.
pub(crate) const SILENCE: Duration = Duration::from_millis(16_500);

states! {
    /// How many of a client's commands were answered, up to 255.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Answered {
        pub(crate) count: u8,
    }

    /// Where a client stands in its lines.
    #[derive(Debug, Default)]
    pub(crate) enum Lines {
        /// In front of a line.
        #[default]
        Between,
        /// Inside a line that is longer than may wait.
        Overlong { line: Box<Overlong> },
    }

    /// A line that is longer than may wait: its beginning, and its length.
    #[derive(Debug, Default)]
    pub(crate) boxed struct Overlong {
        beginning: Vec<u8>,
        length: u64,
        /// What it ended with so far.
        end: [u8; 2],
    }
}

/// A line that a client sent.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    Command(Command<'a>),
    /// It is longer than what may wait, which no command is.
    Overlong(Box<Overlong>),
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    /// The first word, as it was written.
    pub(crate) verb: &'a [u8],
    /// What follows, without spaces around it.
    pub(crate) argument: &'a [u8],
    /// How many spaces stand between them.
    pub(crate) gap: usize,
}

/// A line that is an answer and no command: all of it, or its beginning.
pub(crate) struct Answer<'a> {
    pub(crate) words: Cow<'a, [u8]>,
    pub(crate) beyond: Beyond,
}

impl Answered {
    /// Answers one more.
    pub(crate) fn answer(&mut self) -> Step {
        Step::send(self.manner(), Chunk::Spoken)
    }

    /// Answers one more, in which manner.
    pub(crate) fn manner(&mut self) -> Manner {
        self.count = self.count.saturating_add(1);
        if self.count > PATIENCE { Manner::Drip } else { Manner::Prompt }
    }
}

impl Lines {
    /// Takes the next line that is a command; empty ones are passed over. `None`: none is whole
    /// yet.
    pub(crate) fn next<'a>(&mut self, said: &mut Said<'a>) -> Option<Line<'a>> {
        loop {
            let line = match self.read(said)? {
                Read::Line(line) => line,
                Read::Overlong(line) => return Some(Line::Overlong(line)),
            };
            let words = bare(line);
            if !words.is_empty() {
                let end = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
                let (verb, rest) = words.split_at(end);
                let argument = rest.trim_ascii_start();
                let gap = rest.len() - argument.len();
                return Some(Line::Command(Command { verb, argument, gap }));
            }
        }
    }

    /// Takes the next line, which is an answer and no command: it may be empty. `None`: it is not
    /// whole yet.
    pub(crate) fn answer<'a>(&mut self, said: &mut Said<'a>) -> Option<Answer<'a>> {
        Some(match self.read(said)? {
            Read::Line(line) => {
                Answer { words: Cow::Borrowed(line.trim_ascii()), beyond: Beyond::default() }
            }
            Read::Overlong(line) => {
                let beyond = line.beyond();
                Answer { words: Cow::Owned(line.beginning), beyond }
            }
        })
    }

    fn read<'a>(&mut self, said: &mut Said<'a>) -> Option<Read<'a>> {
        loop {
            let part = said.line()?;
            let is_end = part.last() == Some(&b'\n');
            let line = match (core::mem::take(self), is_end) {
                (Self::Between, true) => return Some(Read::Line(part)),
                (Self::Between, false) => Box::new(Overlong::begun(bare(part))),
                (Self::Overlong { mut line }, _) => {
                    line.go_on(part);
                    line
                }
            };
            if is_end {
                return Some(Read::Overlong(line));
            }
            *self = Self::Overlong { line };
        }
    }
}

/// A whole line.
enum Read<'a> {
    Line(&'a [u8]),
    Overlong(Box<Overlong>),
}

impl<'a> Line<'a> {
    /// The command that it is, if it is one.
    pub(crate) fn command(&self) -> Option<Command<'a>> {
        match self {
            Self::Command(command) => Some(*command),
            Self::Overlong(_) => None,
        }
    }

    /// Whether it is a command with this verb, in any case.
    pub(crate) fn is(&self, verb: &str) -> bool {
        self.command().is_some_and(|command| command.is(verb))
    }
}

impl Command<'_> {
    /// Whether its verb is `verb`, in any case.
    pub(crate) fn is(&self, verb: &str) -> bool {
        self.verb.eq_ignore_ascii_case(verb.as_bytes())
    }

    /// Whether its verb is one of `verbs`, in any case.
    pub(crate) fn is_one_of(&self, verbs: &[&str]) -> bool {
        verbs.iter().any(|verb| self.is(verb))
    }

    /// Whether a client logs in by it, well or badly written: what it says behind that may be a
    /// password.
    pub(crate) fn is_login(&self) -> bool {
        Shown::login(self.verb, b"").is_some()
    }

    /// Tells of it as a command. While its client is `guessing`, whatever it says may be a
    /// password.
    pub(crate) fn tell(&self, guessing: bool, cx: &mut Cx<'_>) {
        let shown = match Shown::login(self.verb, self.argument) {
            None if guessing => return secret::learn_word(&self.words(), Beyond::default(), cx),
            None => Shown::line(self.argument, false),
            Some(shown) => {
                cx.learn(Fact::Command, &shown.line);
                return shown.tell(cx);
            }
        };
        let words = [self.verb, b" ", &shown.line].concat();
        cx.learn(Fact::Command, words.trim_ascii());
        shown.tell(cx);
    }

    /// The whole of it.
    fn words(&self) -> Vec<u8> {
        [self.verb, b" ", self.argument].concat().trim_ascii().to_vec()
    }
}

impl Overlong {
    /// How much of it is kept, in bytes: a verb, and as much as is told.
    pub(crate) const KEPT: usize = Fact::SHOWN + 64;

    /// A line that begins with `part`.
    fn begun(part: &[u8]) -> Self {
        let mut line = Self::default();
        line.go_on(part);
        line
    }

    /// Takes a further part.
    fn go_on(&mut self, part: &[u8]) {
        let room = Self::KEPT.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(&part[..part.len().min(room)]);
        let part = part.trim_ascii_end();
        self.length = self.length.saturating_add(part.len() as u64);
        if let [.., before, last] = *part {
            self.end = [before, last];
        } else if let [last] = *part {
            self.end = [self.end[1], last];
        }
    }

    /// What is not at hand of it.
    fn beyond(&self) -> Beyond {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let padding = self.end.iter().rev().take_while(|&&byte| byte == b'=').count();
        Beyond { bytes: length.saturating_sub(self.beginning.len()), padding }
    }

    /// Tells of it as if it had been a command. While its client is `guessing`, whatever it says
    /// may be a password.
    pub(crate) fn tell(&self, guessing: bool, cx: &mut Cx<'_>) {
        let words = &self.beginning[..];
        let end = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
        let (verb, rest) = words.split_at(end);
        let argument = rest.trim_ascii_start();
        let beyond = self.beyond();
        let command = Command { verb, argument, gap: rest.len() - argument.len() };
        let in_all = argument.len() + beyond.bytes;
        if command.is("USER") {
            secret::learn_name(argument, in_all, cx);
        } else if command.is("PASS") {
            cx.learn_part(Fact::Secret, argument, in_all);
            cx.learn(Fact::Method, b"password");
        } else if command.is_one_of(&["EHLO", "HELO", "LHLO"]) {
            cx.learn_part(Fact::SmtpHelo, argument, in_all);
        } else if command.is_one_of(&["MAIL", "RCPT"]) {
            let fact = if command.is("MAIL") { Fact::SmtpMailFrom } else { Fact::SmtpRcptTo };
            let start = argument.iter().position(|&byte| byte == b'<').map_or(0, |start| start + 1);
            let bracket = usize::from(start > 0 && self.end[1] == b'>');
            cx.learn_part(fact, &argument[start..], in_all.saturating_sub(start + bracket));
        } else if let Some(shown) = Shown::login(verb, argument) {
            cx.learn(Fact::Command, &shown.line);
            shown.tell_part(beyond, cx);
        } else if guessing {
            secret::learn_word(words, beyond, cx);
        } else {
            let shown = Shown::line(words, true);
            cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond.bytes);
            shown.tell(cx);
        }
    }
}

/// The line without its end, spaces, and the telnet signals that FTP's clients send in front of
/// `ABOR` (RFC 959, section 4.1.3).
fn bare(line: &[u8]) -> &[u8] {
    let signals = line.iter().take_while(|&&byte| byte >= 0xF0).count();
    line[signals..].trim_ascii()
}

/// For the fuzzer and its replayed corpus: commands do not depend on the portions in which they
/// come, nor their verbs on the case.
#[doc(hidden)]
pub fn check_commands_have_one_reading(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(1_000)];
    let mut whole = Said::new(bytes, false);
    let mut next_whole = || Lines::default().next(&mut whole).and_then(|line| line.command());
    let mut lines = Lines::default();
    let mut start = 0;
    for end in 0..=bytes.len() {
        let mut said = Said::new(&bytes[start..end], false);
        while let Some(command) = lines.next(&mut said).and_then(|line| line.command()) {
            assert_eq!(next_whole(), Some(command), "at {end}");
            let verb = command.verb.to_ascii_lowercase();
            assert!(core::str::from_utf8(&verb).map_or(true, |verb| command.is(verb)), "at {end}");
        }
        start += said.taken();
    }
    assert_eq!(next_whole(), None);
    assert!(matches!(lines, Lines::Between), "nothing was too long");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::string::{String, ToString as _};

    fn commands(bytes: &[u8], full: bool) -> Vec<String> {
        let (mut said, mut lines) = (Said::new(bytes, full), Lines::default());
        let mut found = Vec::new();
        while let Some(command) = lines.next(&mut said).and_then(|line| line.command()) {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            found.push(std::format!("{}|{}", text(command.verb), text(command.argument)));
        }
        found
    }

    #[test]
    fn a_command_is_a_verb_and_the_rest_of_its_line() {
        let said = b"user  root \r\n\r\n \r\nNOOP\nSITE CHMOD 7 x\r\n\xFF\xF4\xFF\xF2ABOR\r\nQUI";
        assert_eq!(commands(said, false), ["user|root", "NOOP|", "SITE|CHMOD 7 x", "ABOR|"]);
    }

    #[test]
    fn a_line_without_end_is_no_command_and_is_told_with_its_length() {
        let mut lines = Lines::default();
        assert!(lines.next(&mut Said::new(&[b'a'; 400], true)).is_none());
        assert!(lines.next(&mut Said::new(&[b'a'; 400], true)).is_none());
        let mut said = Said::new(b"a=\nNOOP\n", false);
        let Some(Line::Overlong(line)) = lines.next(&mut said) else { panic!("a long line") };
        assert_eq!((line.beginning.len(), line.length), (Overlong::KEPT, 802));
        assert_eq!((line.beyond().bytes, line.beyond().padding), (802 - Overlong::KEPT, 1));
        assert!(lines.next(&mut said).is_some_and(|line| line.is("noop")));
    }

    proptest! {
        #[test]
        fn commands_have_one_reading(text in "([A-Za-z]{0,5}[ \\t]{0,2}[ -~]{0,9}\r?\n?){0,20}") {
            check_commands_have_one_reading(text.as_bytes());
        }

        #[test]
        fn any_bytes_have_one_reading(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            check_commands_have_one_reading(&bytes);
        }
    }
}
