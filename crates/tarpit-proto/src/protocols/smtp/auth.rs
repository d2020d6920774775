//! `AUTH` by `PLAIN` and `LOGIN` (RFC 4954): what is asked, and what the answers tell.

use crate::{
    base::fact::Fact,
    protocols::{
        command::{Answer, Command},
        secret,
        smtp::reply::Reply,
    },
    script::Cx,
    states,
    wire::base64::{self, Beyond},
};

states! {
    /// What a client was asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Question {
        /// Name and password in one word (RFC 4616, section 2).
        Both,
        Name,
        Password,
    }
}

/// Asks for what is missing, or judges what came with the command (RFC 4954, section 4).
pub(crate) fn begin(command: Command<'_>, cx: &mut Cx<'_>) -> Reply {
    let argument = command.argument;
    let end = argument.iter().position(u8::is_ascii_whitespace).unwrap_or(argument.len());
    let (mechanism, initial) = argument.split_at(end);
    let initial = initial.trim_ascii();
    let is_plain = mechanism.eq_ignore_ascii_case(b"PLAIN");
    if !is_plain && !mechanism.eq_ignore_ascii_case(b"LOGIN") {
        command.tell(true, cx);
        return Reply::AuthMechanism;
    }
    match (is_plain, initial.is_empty()) {
        (true, true) => Reply::Plain,
        (false, true) => Reply::User,
        (true, false) => judge_both(initial, Beyond::default(), cx),
        (false, false) => {
            learn_name(initial, Beyond::default(), cx);
            Reply::Password
        }
    }
}

impl Question {
    /// Judges the answer, or asks for what is missing still.
    pub(crate) fn answered(self, answer: &Answer<'_>, cx: &mut Cx<'_>) -> Reply {
        let (line, beyond) = (&*answer.words, answer.beyond);
        match self {
            _ if line == b"*" => Reply::AuthCancelled,
            Self::Both => judge_both(line, beyond, cx),
            Self::Name => {
                learn_name(line, beyond, cx);
                Reply::Password
            }
            Self::Password => {
                learn_word(Fact::Secret, line, beyond, cx);
                cx.learn(Fact::Method, b"login");
                judge(cx)
            }
        }
    }
}

fn judge_both(word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) -> Reply {
    secret::learn_both(word, beyond, cx);
    cx.learn(Fact::Method, b"plain");
    judge(cx)
}

fn judge(cx: &Cx<'_>) -> Reply {
    if cx.poisons() { Reply::AuthWelcome } else { Reply::AuthRefused }
}

/// Tells of a name in base64. What stands behind it, or was sent for a name and is none, may be a
/// password.
fn learn_name(words: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    let (word, rest) = secret::name(words);
    let of_name = if rest.is_empty() { beyond } else { Beyond::default() };
    match base64::decode_part(word, of_name) {
        Some((plain, _)) if plain.contains(&0) => secret::learn_both(word, of_name, cx),
        Some((plain, length)) => cx.learn_part(Fact::User, &plain, length),
        None => cx.learn_part(Fact::User, word, word.len() + of_name.bytes),
    }
    if !rest.is_empty() {
        learn_word(Fact::Secret, rest, beyond, cx);
    }
}

/// Tells of a word in base64, as it is if it is none.
fn learn_word(fact: Fact, word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    match base64::decode_part(word, beyond) {
        Some((plain, length)) => cx.learn_part(fact, &plain, length),
        None => cx.learn_part(fact, word, word.len() + beyond.bytes),
    }
}
