//! Commands of SMTP (RFC 5321, section 2.4) and FTP (RFC 959, section 5.3): a verb in any case, and
//! perhaps an argument, on a line.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    base::{fact::Fact, said::Said},
    protocols::secret::{self, Shown},
    script::{Cx, Step, legacy::Registers, state::Saved},
    wire::base64::Beyond,
};

/// A line that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    /// The first word, as it was written. None in a line that was too long to be understood.
    verb: &'a [u8],
    /// What follows, without spaces around it.
    pub(crate) argument: &'a [u8],
}

impl Command<'_> {
    /// Whether its verb is `verb`, in any case.
    pub(crate) fn is(&self, verb: &str) -> bool {
        self.verb.eq_ignore_ascii_case(verb.as_bytes())
    }

    /// Its verb, as it was written.
    pub(crate) fn verb(&self) -> &[u8] {
        self.verb
    }

    /// Whether a client logs in by it, well or badly written: what it says behind that may be a
    /// password.
    pub(crate) fn is_login(&self) -> bool {
        Shown::login(self.verb, b"").is_some()
    }

    /// Tells of it as a command. While its client is `guessing`, whatever it says may be a password.
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

/// How many commands are answered at once. Nobody who means to log in or to send mail needs as
/// many; whoever says more gets each further answer at the pace, so that we are no faster a
/// listener than we are a talker.
const PATIENCE: u32 = 20;

/// The silence in front of a whole reply to a client that may be guessing, before jitter. With it
/// the reply comes before the 20 seconds after which the first guessers of mail and file servers
/// give up.
pub(crate) const SILENCE: Duration = Duration::from_millis(16_500);

/// Says the answer that `run` stands for, counting it in [`Registers::position`].
pub(crate) fn answer(run: &mut Registers) -> Step {
    run.position = run.position.saturating_add(1);
    if run.position > PATIENCE { Step::DRIP } else { Step::PROMPT }
}

/// The flag in [`Registers::mark`] of a client that is amid a line longer than what may wait.
const AMID_LINE: u32 = 1;

/// Takes the next command; empty lines are passed over. `None`: none is whole yet.
///
/// A line that is longer than what may wait is passed over too, and its end counts as a command
/// without a verb. The lowest bit of [`Registers::mark`] is kept for that.
pub(crate) fn next<'a>(said: &mut Said<'a>, run: &mut Registers) -> Option<Command<'a>> {
    next_of(said, run, false)
}

/// The same; of a line that is too long enough is kept in [`Registers::big`] to be told. Whoever has got a
/// command without a verb takes it by [`tell_overlong`].
pub(crate) fn next_kept<'a>(said: &mut Said<'a>, run: &mut Registers) -> Option<Command<'a>> {
    next_of(said, run, true)
}

fn next_of<'a>(said: &mut Said<'a>, run: &mut Registers, keeps: bool) -> Option<Command<'a>> {
    loop {
        let line = said.line()?;
        let was_amid = run.mark & AMID_LINE != 0;
        let is_whole = line.last() == Some(&b'\n');
        if keeps && (was_amid || !is_whole) {
            Overlong::keep(run, was_amid, line);
        }
        if !is_whole {
            run.mark |= AMID_LINE;
            continue;
        }
        run.mark &= !AMID_LINE;
        if was_amid {
            return Some(Command { verb: b"", argument: b"" });
        }
        let words = bare(line);
        if !words.is_empty() {
            let end = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
            let (verb, argument) = words.split_at(end);
            return Some(Command { verb, argument: argument.trim_ascii() });
        }
    }
}

/// A line that is an answer and no command: all of it, or its beginning.
pub(crate) struct Answer<'a> {
    pub(crate) words: Cow<'a, [u8]>,
    pub(crate) beyond: Beyond,
}

/// Takes the next line, which is an answer and no command: it may be empty. `None`: it is not whole
/// yet.
pub(crate) fn answer_line<'a>(said: &mut Said<'a>, run: &mut Registers) -> Option<Answer<'a>> {
    loop {
        let line = said.line()?;
        let was_amid = run.mark & AMID_LINE != 0;
        let is_whole = line.last() == Some(&b'\n');
        if was_amid || !is_whole {
            Overlong::keep(run, was_amid, line);
        }
        if !is_whole {
            run.mark |= AMID_LINE;
            continue;
        }
        run.mark &= !AMID_LINE;
        return Some(match Overlong::take(run) {
            Some(overlong) if was_amid => {
                let beyond = overlong.beyond(0);
                Answer { words: Cow::Owned(overlong.beginning), beyond }
            }
            _ => Answer { words: Cow::Borrowed(line.trim_ascii()), beyond: Beyond::default() },
        });
    }
}

/// The beginning of a line that is longer than what may wait, and how long it is. A hand-over
/// forgets it.
#[derive(Debug, Default)]
struct Overlong {
    beginning: Vec<u8>,
    length: usize,
    /// What it ended with so far.
    end: [u8; 2],
}

impl Overlong {
    /// How much of it is kept, in bytes: a verb, and as much as is told.
    const KEPT: usize = Fact::SHOWN + 64;

    /// Takes a part of such a line; `goes_on` says that it is not the first.
    fn keep(run: &mut Registers, goes_on: bool, part: &[u8]) {
        let part = if goes_on { part } else { bare(part) };
        let mut overlong = Self::take(run).filter(|_| goes_on).unwrap_or_default();
        let room = Self::KEPT.saturating_sub(overlong.beginning.len());
        overlong.beginning.extend_from_slice(&part[..part.len().min(room)]);
        let part = part.trim_ascii_end();
        overlong.length = overlong.length.saturating_add(part.len());
        if let [.., before, last] = *part {
            overlong.end = [before, last];
        } else if let [last] = *part {
            overlong.end = [overlong.end[1], last];
        }
        run.big = Some(Box::new(overlong));
    }

    fn take(run: &mut Registers) -> Option<Self> {
        run.big.take().and_then(|mut big| big.as_any_mut().downcast_mut().map(core::mem::take))
    }

    /// What is not at hand of what begins at `start`.
    fn beyond(&self, start: usize) -> Beyond {
        let kept = self.beginning.len().max(start);
        let padding = self.end.iter().rev().take_while(|&&byte| byte == b'=').count();
        Beyond { bytes: self.length.saturating_sub(kept), padding }
    }
}

impl Saved for Overlong {
    const LAYOUT: u32 = 0;

    fn save(&self, _out: &mut Vec<u8>) {}

    fn load(_saved: &mut &[u8]) -> Option<Self> {
        None
    }
}

/// Tells of a line that was too long to be a command as if it had been one. While its client is
/// `guessing`, whatever it says may be a password.
pub(crate) fn tell_overlong(run: &mut Registers, guessing: bool, cx: &mut Cx<'_>) {
    let Some(overlong) = Overlong::take(run) else { return };
    let words = &overlong.beginning[..];
    let end = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
    let (verb, rest) = words.split_at(end);
    let argument = rest.trim_ascii_start();
    let beyond = overlong.beyond(0).bytes;
    let command = Command { verb, argument };
    let in_all = argument.len() + beyond;
    if command.is("USER") {
        secret::learn_name(argument, in_all, cx);
    } else if command.is("PASS") {
        cx.learn_part(Fact::Secret, argument, in_all);
        cx.learn(Fact::Method, b"password");
    } else if command.is("EHLO") || command.is("HELO") || command.is("LHLO") {
        cx.learn_part(Fact::SmtpHelo, argument, in_all);
    } else if command.is("MAIL") || command.is("RCPT") {
        let fact = if command.is("MAIL") { Fact::SmtpMailFrom } else { Fact::SmtpRcptTo };
        let start = argument.iter().position(|&byte| byte == b'<').map_or(0, |start| start + 1);
        let bracket = usize::from(start > 0 && overlong.end[1] == b'>');
        cx.learn_part(fact, &argument[start..], in_all - start - bracket);
    } else if let Some(shown) = Shown::login(verb, argument) {
        cx.learn(Fact::Command, &shown.line);
        shown.tell_part(overlong.beyond(0), cx);
    } else if guessing {
        secret::learn_word(words, overlong.beyond(0), cx);
    } else {
        let shown = Shown::line(words, true);
        cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond);
        shown.tell(cx);
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
    let mut run = Registers::default();
    let mut start = 0;
    for end in 0..=bytes.len() {
        let mut said = Said::new(&bytes[start..end], false);
        while let Some(command) = next(&mut said, &mut run) {
            assert_eq!(next(&mut whole, &mut Registers::default()), Some(command), "at {end}");
            let verb = command.verb.to_ascii_lowercase();
            assert!(core::str::from_utf8(&verb).map_or(true, |verb| command.is(verb)), "at {end}");
        }
        start += said.taken();
    }
    assert_eq!(next(&mut whole, &mut run), None);
    assert_eq!(run.mark, 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::string::{String, ToString as _};

    fn commands(bytes: &[u8], full: bool) -> Vec<String> {
        let (mut said, mut run) = (Said::new(bytes, full), Registers::default());
        let mut found = Vec::new();
        while let Some(command) = next(&mut said, &mut run) {
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
    fn a_line_without_end_is_one_command_that_nobody_knows() {
        let mut run = Registers::default();
        assert_eq!(next(&mut Said::new(&[b'a'; 64], true), &mut run), None);
        assert_eq!(next(&mut Said::new(&[b'a'; 64], true), &mut run), None);
        let mut said = Said::new(b"aa\nNOOP\n", false);
        let mut verb = || next(&mut said, &mut run).expect("a command").verb;
        assert_eq!((verb(), verb()), (&b""[..], &b"NOOP"[..]));
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
