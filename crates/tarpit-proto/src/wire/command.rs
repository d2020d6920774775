//! Commands of SMTP (RFC 5321, section 2.4) and FTP (RFC 959, section 5.3): a verb in any case, and
//! perhaps an argument, on a line.

use alloc::vec::Vec;

use crate::{
    fact::Fact,
    script::{Cx, Run, Said, Step},
    wire::secret::Shown,
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

    /// Tells of it as a command. While its client is `guessing`, whatever it says may be a password.
    pub(crate) fn tell(&self, guessing: bool, cx: &mut Cx<'_>) {
        let shown = match Shown::login(self.verb, self.argument) {
            None if guessing => return cx.learn(Fact::Secret, &self.words()),
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

/// Says the answer that `run` stands for, counting it in [`Run::position`].
pub(crate) fn answer(run: &mut Run) -> Step {
    run.position = run.position.saturating_add(1);
    if run.position > PATIENCE { Step::DRIP } else { Step::PROMPT }
}

/// The flag in [`Run::mark`] of a client that is amid a line longer than what may wait.
const AMID_LINE: u32 = 1;

/// Takes the next command; empty lines are passed over. `None`: none is whole yet.
///
/// A line that is longer than what may wait is passed over too, and its end counts as a command
/// without a verb. The lowest bit of [`Run::mark`] is kept for that.
pub(crate) fn next<'a>(said: &mut Said<'a>, run: &mut Run) -> Option<Command<'a>> {
    loop {
        let line = said.line()?;
        let was_amid = run.mark & AMID_LINE != 0;
        if line.last() != Some(&b'\n') {
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

/// Takes the next line, which is an answer and no command: it may be empty. `None`: it is not whole
/// yet. Of a line that is longer than what may wait, its end is the answer.
pub(crate) fn answer_line<'a>(said: &mut Said<'a>, run: &mut Run) -> Option<&'a [u8]> {
    loop {
        let line = said.line()?;
        if line.last() == Some(&b'\n') {
            run.mark &= !AMID_LINE;
            return Some(line.trim_ascii());
        }
        run.mark |= AMID_LINE;
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
    let mut run = Run::default();
    let mut start = 0;
    for end in 0..=bytes.len() {
        let mut said = Said::new(&bytes[start..end], false);
        while let Some(command) = next(&mut said, &mut run) {
            assert_eq!(next(&mut whole, &mut Run::default()), Some(command), "at {end}");
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
        let (mut said, mut run) = (Said::new(bytes, full), Run::default());
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
        let mut run = Run::default();
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
