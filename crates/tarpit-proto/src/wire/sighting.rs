//! What first bytes show: verdicts, and what they are made of.
//!
//! Hostile bytes are inputs, not errors: the answer is a verdict, for any bytes and any cut, and one
//! other than [`Sighting::Incomplete`] is final.

/// What a client's first bytes say of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// They are of another protocol, whatever follows.
    Differs,
    /// They may still become either.
    Incomplete,
    /// They are of the protocol, whatever follows.
    Matches,
}

/// Words that say no more than that lines are spoken.
pub(crate) const SHARED: &[&[u8]] = &[b"AUTH", b"HELP", b"NOOP", b"QUIT"];

/// The longest line that is waited for.
pub(crate) const LONGEST_LINE: usize = 512;

/// These bytes, to the last one.
pub(crate) fn prefix(bytes: &[u8], wanted: &[u8]) -> Sighting {
    let seen = bytes.len().min(wanted.len());
    if bytes[..seen] != wanted[..seen] {
        Sighting::Differs
    } else if seen < wanted.len() {
        Sighting::Incomplete
    } else {
        Sighting::Matches
    }
}

/// A command line that starts with one of `verbs`, in any case.
pub(crate) fn verb(bytes: &[u8], verbs: &[&[u8]]) -> Sighting {
    let end = bytes.iter().position(|byte| !byte.is_ascii_alphabetic());
    let word = &bytes[..end.unwrap_or(bytes.len())];
    // Lengths first: most verbs have another, and all protocols look at the first bytes of a client.
    let is_verb = |verb: &&[u8]| verb.len() == word.len() && verb.eq_ignore_ascii_case(word);
    let may_become =
        |verb: &&[u8]| verb.len() >= word.len() && verb[..word.len()].eq_ignore_ascii_case(word);
    match end {
        None if verbs.iter().any(may_become) => Sighting::Incomplete,
        Some(end) if matches!(bytes[end], b' ' | b'\r' | b'\n') && verbs.iter().any(is_verb) => {
            Sighting::Matches
        }
        _ => Sighting::Differs,
    }
}

/// A byte within bounds, both included.
pub(crate) type Bounds = (u8, u8);

pub(crate) const ANY: Bounds = (0, 0xFF);

pub(crate) const fn is(byte: u8) -> Bounds {
    (byte, byte)
}

/// Bytes that lie within `wanted`, one by one.
pub(crate) fn shape(bytes: &[u8], wanted: &[Bounds]) -> Sighting {
    let fits = |(&byte, &(least, most)): (&u8, &Bounds)| (least..=most).contains(&byte);
    if !bytes.iter().zip(wanted).all(fits) {
        Sighting::Differs
    } else if bytes.len() < wanted.len() {
        Sighting::Incomplete
    } else {
        Sighting::Matches
    }
}

/// What is shown by one or the other.
pub(crate) fn either(one: Sighting, other: Sighting) -> Sighting {
    match (one, other) {
        (Sighting::Matches, _) | (_, Sighting::Matches) => Sighting::Matches,
        (Sighting::Incomplete, _) | (_, Sighting::Incomplete) => Sighting::Incomplete,
        (Sighting::Differs, Sighting::Differs) => Sighting::Differs,
    }
}

/// One of these beginnings.
pub(crate) fn any_prefix(bytes: &[u8], beginnings: &[&[u8]]) -> Sighting {
    beginnings.iter().map(|one| prefix(bytes, one)).fold(Sighting::Differs, either)
}

/// A line that begins with one of these and goes on with `mark`.
pub(crate) fn line(bytes: &[u8], beginnings: &[&[u8]], mark: &[u8]) -> Sighting {
    match any_prefix(bytes, beginnings) {
        Sighting::Matches => match whole_line(bytes) {
            _ if has(bytes, mark) => Sighting::Matches,
            None if bytes.len() < LONGEST_LINE => Sighting::Incomplete,
            _ => Sighting::Differs,
        },
        other => other,
    }
}

/// Whether the first line, as far as it is looked at, holds `mark`.
fn has(bytes: &[u8], mark: &[u8]) -> bool {
    let bounded = &bytes[..bytes.len().min(LONGEST_LINE)];
    let line = whole_line(bounded).unwrap_or(bounded);
    line.windows(mark.len()).any(|window| window == mark)
}

/// The first line without its end, if it is whole within bounds.
fn whole_line(bytes: &[u8]) -> Option<&[u8]> {
    let bounded = &bytes[..bytes.len().min(LONGEST_LINE)];
    bounded.iter().position(|&byte| byte == b'\n').map(|end| &bounded[..end])
}

/// A command that is of no other protocol: what is shown of it, unless lines of many kinds begin so.
pub(crate) fn unshared(sighting: Sighting, bytes: &[u8]) -> Sighting {
    match sighting {
        Sighting::Matches if verb(bytes, SHARED) == Sighting::Matches => Sighting::Differs,
        sighting => sighting,
    }
}

/// `AUTH` with an argument whose first word is one that `is_meant`.
pub(crate) fn auth(bytes: &[u8], is_meant: fn(&[u8]) -> bool) -> Sighting {
    match verb(bytes, &[b"AUTH"]) {
        Sighting::Matches => match whole_line(bytes) {
            Some(line) => {
                let word = line[b"AUTH".len()..].trim_ascii();
                let end = word.iter().position(u8::is_ascii_whitespace).unwrap_or(word.len());
                if is_meant(&word[..end]) { Sighting::Matches } else { Sighting::Differs }
            }
            None if bytes.len() < LONGEST_LINE => Sighting::Incomplete,
            None => Sighting::Differs,
        },
        other => other,
    }
}

pub(crate) fn is_one_of(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a token may hold the byte, such as a method (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
