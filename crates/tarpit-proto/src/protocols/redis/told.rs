//! What is told of a client's commands. What proves a user, and what a key is set to, is told as a
//! secret; of a command that is not known to be harmless no more is shown than its first argument,
//! which is a key.

use alloc::vec::Vec;

use super::request::{Command, Word};
use crate::{base::fact::Fact, protocols::secret::Shown, script::Cx};

/// Commands whose arguments are all shown, but for passwords, as are those of `MIGRATE`.
const OPEN: &[&str] =
    &["CLIENT", "CONFIG", "INFO", "KEYS", "MODULE", "REPLICAOF", "SELECT", "SLAVEOF"];

/// Commands of whose arguments none is shown: they are programs.
const CLOSED: &[&str] =
    &["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO", "FUNCTION", "SCRIPT"];

/// What stands in front of the options of `MIGRATE`: host, port, key, database and time.
const IN_FRONT_OF_OPTIONS: usize = 5;

/// The user and the password by which a command would log its client in; `None`: it is another one.
pub(super) fn credentials(command: &Command) -> Option<&[Word]> {
    let (name, arguments) = command.words.split_first()?;
    if name.is("AUTH") {
        return Some(arguments);
    }
    let place = arguments.iter().skip(1).position(|word| word.is("AUTH"))?;
    let behind = &arguments[place + 2..];
    name.is("HELLO").then_some(&behind[..behind.len().min(2)])
}

/// Tells of a command.
pub(super) fn tell(command: &Command, cx: &mut Cx<'_>) {
    let [name, arguments @ ..] = &command.words[..] else { return };
    match credentials(command) {
        None | Some([]) => {}
        Some([secret]) => return tell_guess(None, &[secret], 0, cx),
        Some([user, secret]) if command.beyond == 0 || name.is("HELLO") => {
            return tell_guess(Some(user), &[secret], 0, cx);
        }
        // No server takes so many, so that all may be one password.
        Some(words) => {
            return tell_guess(None, &words.iter().collect::<Vec<_>>(), command.beyond, cx);
        }
    }
    let parts = Parts::of(name, arguments);
    let (in_line, in_secret) =
        if parts.is_open { (command.beyond, 0) } else { (0, command.beyond) };
    if let Some(user) = parts.user {
        cx.learn_part(Fact::User, &user.kept, user.length as usize);
    }
    if !parts.hidden.is_empty() {
        learn_secret(&parts.hidden, in_secret, cx);
    }
    let (arguments, length) = joined(&parts.shown, in_line);
    // Such as the password that a worm would set: `CONFIG SET requirepass`.
    if let Some(shown) = Shown::login(&name.kept, &arguments).filter(|_| parts.may_hold_login) {
        cx.learn(Fact::Command, &shown.line);
        return shown.tell(cx);
    }
    let beyond = name.length as usize - name.kept.len() + length - arguments.len();
    let line = [&name.kept[..], &arguments].join(&b' ');
    let shown = Shown::line(line.trim_ascii_end(), beyond > 0);
    cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond);
    shown.tell(cx);
}

/// A command's arguments, by what is told of them.
struct Parts<'a> {
    user: Option<&'a Word>,
    hidden: Vec<&'a Word>,
    shown: Vec<&'a Word>,
    /// Whether what is shown may hold a login that is to be looked for.
    may_hold_login: bool,
    /// Whether words that were not kept are of those that are shown.
    is_open: bool,
}

impl<'a> Parts<'a> {
    fn of(name: &Word, arguments: &'a [Word]) -> Self {
        if name.is("MIGRATE") {
            return Self::of_migration(arguments);
        }
        let is_open = OPEN.iter().any(|verb| name.is(verb));
        let most = match () {
            () if is_open => usize::MAX,
            () if CLOSED.iter().any(|verb| name.is(verb)) => 0,
            () if name.is("ACL") => 2,
            () => 1,
        };
        let (shown, hidden) = arguments.split_at(most.min(arguments.len()));
        Self {
            user: None,
            hidden: hidden.iter().collect(),
            shown: shown.iter().collect(),
            may_hold_login: true,
            is_open,
        }
    }

    /// It names the user and the password for the server that it would write to.
    fn of_migration(arguments: &'a [Word]) -> Self {
        let mut options = arguments.iter().skip(IN_FRONT_OF_OPTIONS);
        let place = options.position(|word| word.is("AUTH") || word.is("AUTH2"));
        let start = place.map_or(arguments.len(), |place| IN_FRONT_OF_OPTIONS + place + 1);
        let (front, rest) = arguments.split_at(start);
        let has_user = front.last().is_some_and(|word| word.is("AUTH2"));
        let (credentials, behind) = rest.split_at(rest.len().min(if has_user { 2 } else { 1 }));
        let (user, secret) = match credentials {
            [user, secret] => (Some(user), Some(secret)),
            [user] if has_user => (Some(user), None),
            _ => (None, credentials.first()),
        };
        Self {
            user,
            hidden: secret.into_iter().collect(),
            shown: front.iter().chain(behind).collect(),
            may_hold_login: false,
            is_open: true,
        }
    }
}

/// Tells of a guess; its words are one secret, which goes on for so many bytes.
fn tell_guess(user: Option<&Word>, secret: &[&Word], beyond: u64, cx: &mut Cx<'_>) {
    if let Some(user) = user {
        cx.learn_part(Fact::User, &user.kept, user.length as usize);
    }
    learn_secret(secret, beyond, cx);
    cx.learn(Fact::Method, b"password");
}

fn learn_secret(words: &[&Word], beyond: u64, cx: &mut Cx<'_>) {
    let (secret, length) = joined(words, beyond);
    cx.learn_part(Fact::Secret, &secret, length);
}

/// The words in one, as far as they are kept, and how long that is with `beyond` more bytes.
fn joined(words: &[&Word], beyond: u64) -> (Vec<u8>, usize) {
    let kept: Vec<_> = words.iter().map(|word| &word.kept[..]).collect();
    let lost: u64 = words.iter().map(|word| u64::from(word.length) - word.kept.len() as u64).sum();
    let kept = kept.join(&b' ');
    let length = (kept.len() as u64).saturating_add(lost).saturating_add(beyond);
    (kept, usize::try_from(length).unwrap_or(usize::MAX))
}
