//! What Exim finds wrong in the addresses of `MAIL`, `RCPT` and `VRFY` (RFC 5321, section 4.1.2), in
//! its words: it says back what it read.
//!
//! Exim 4.96 was asked. Where an address is quoted, commented or foreign its own parser would be
//! needed to tell, and nothing is found wrong: a genuine mail must not be refused for it.

use alloc::{boxed::Box, format, string::String};

use crate::protocols::smtp::{mail, reply::Reply};

/// Whose address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Recipient,
    Sender,
}

/// What is answered to an address that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A reply without the client's words.
    Plain(Reply),
    /// The client's words, and what is wrong with them.
    Told(Box<str>),
}

/// The longest address that is said back, in bytes: longer ones than a mail server must bear (RFC
/// 5321, section 4.5.3.1.3).
const LONGEST: usize = 260;

/// What stands behind `FROM:` or `TO:`. `None`: Exim takes the line for no command, since its
/// commands end with the colon and have one space in them.
pub(crate) fn operand(party: Party, gap: usize, argument: &[u8]) -> Option<&[u8]> {
    let word: &[u8] = match party {
        Party::Recipient => b"TO:",
        Party::Sender => b"FROM:",
    };
    (gap == 1 && mail::names(argument, word)).then(|| &argument[word.len()..])
}

/// What is wrong with it, if anything is.
pub(crate) fn fault(party: Party, operand: &[u8]) -> Option<Fault> {
    let mut text = operand.trim_ascii();
    if text.is_empty() {
        return Some(Fault::Plain(match party {
            Party::Recipient => Reply::NoRecipientAddress,
            Party::Sender => Reply::NoSenderAddress,
        }));
    }
    if party == Party::Sender {
        match without_parameters(text) {
            Ok(address) => text = address,
            Err(reply) => return Some(Fault::Plain(reply)),
        }
    }
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !b"\"(),;:\\%".contains(byte);
    if text.len() > LONGEST || !text.iter().all(is_plain) {
        return None;
    }
    let text = core::str::from_utf8(text).ok()?;
    let reason = wrong(party, text)?;
    Some(Fault::Told(format!("{text}: {reason}").into()))
}

/// What is wrong with a name that somebody asks about.
pub(crate) fn unqualified(name: &[u8]) -> Option<Box<str>> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if name.is_empty() || name.len() > LONGEST || !name.iter().all(is_plain) {
        return None;
    }
    let name = core::str::from_utf8(name).ok()?;
    Some(format!("{name}: {}", no_domain(Party::Recipient)).into())
}

/// An address without the parameters behind it, from the last one on, as far as Exim knows them.
fn without_parameters(mut text: &[u8]) -> Result<&[u8], Reply> {
    while let Some(blank) = text.iter().rposition(|&byte| byte == b' ') {
        let mut words = text[blank + 1..].splitn(2, |&byte| byte == b'=');
        let (name, value) = (words.next().unwrap_or_default(), words.next());
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("BODY") {
            let is_right = |value: &[u8]| {
                value.eq_ignore_ascii_case(b"7BIT") || value.eq_ignore_ascii_case(b"8BITMIME")
            };
            if !value.is_some_and(is_right) {
                return Err(Reply::BadBodyType);
            }
        } else if is("SMTPUTF8") {
            return Err(Reply::Utf8NotOffered);
        } else if !["AUTH", "ENVID", "PRDR", "RET", "SIZE"].into_iter().any(is) {
            break;
        }
        text = text[..blank].trim_ascii_end();
    }
    Ok(text)
}

/// The reason why Exim takes this for no address.
fn wrong(party: Party, text: &str) -> Option<String> {
    let (inside, behind) = match text.strip_prefix('<') {
        None => (text, Some("")),
        Some(rest) => match rest.split_once('>') {
            Some((inside, behind)) => (inside, Some(behind)),
            None => (rest, None),
        },
    };
    if inside.contains('<') {
        return None;
    }
    let Some((local, domain)) = inside.split_once('@') else {
        return wrong_name(party, inside, behind?);
    };
    if local.is_empty() {
        return (text.starts_with('<') && behind.is_some()).then(|| "no local part".into());
    }
    // A phrase may stand in front of an address, and a literal for its domain.
    if local.contains(' ') || domain.starts_with('[') {
        return None;
    }
    let is_of_domain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    let end = domain.find(|letter| !is_of_domain(letter)).unwrap_or(domain.len());
    let name = &domain[..end];
    if name.starts_with('-') || name.split('.').any(str::is_empty) {
        return Some("domain missing or malformed".into());
    }
    let start = text.find('@')? + 1 + end;
    let rest = match behind {
        None if end == domain.len() => return Some("'>' missing at end of address".into()),
        Some(behind) if end == domain.len() => behind,
        _ => &text[start..],
    };
    // What Exim makes of a recipient's parameters is another matter.
    if rest.is_empty() || party == Party::Recipient && rest.starts_with(' ') {
        return None;
    }
    let rest = rest.trim_start();
    let before = &text[..text.len() - rest.len()];
    Some(format!("malformed address: {rest} may not follow {before}"))
}

/// The same of an address without a domain, with what stands behind it.
fn wrong_name(party: Party, name: &str, behind: &str) -> Option<String> {
    match party {
        // The sender of a bounce.
        Party::Sender if name.trim().is_empty() => None,
        Party::Recipient if name.trim().is_empty() => {
            Some("missing or malformed local part".into())
        }
        Party::Recipient if name.eq_ignore_ascii_case("postmaster") => None,
        // A phrase, or the beginning of one, may stand in front of an address.
        _ => (!name.contains(' ') && behind.is_empty()).then(|| no_domain(party).into()),
    }
}

fn no_domain(party: Party) -> &'static str {
    match party {
        Party::Recipient => "recipient address must contain a domain",
        Party::Sender => "sender address must contain a domain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(party: Party, operand: &str) -> Option<String> {
        fault(party, operand.as_bytes()).map(|fault| match fault {
            Fault::Plain(reply) => format!("{reply:?}"),
            Fault::Told(words) => words.into(),
        })
    }

    #[test]
    fn what_exim_finds_wrong_is_found_wrong_in_its_words() {
        for (operand, wanted) in [
            (" root", "root: sender address must contain a domain"),
            ("<root>", "<root>: sender address must contain a domain"),
            ("", "NoSenderAddress"),
            ("<a@b.c", "<a@b.c: '>' missing at end of address"),
            ("<a@b..c>", "<a@b..c>: domain missing or malformed"),
            ("<a@-b.c>", "<a@-b.c>: domain missing or malformed"),
            ("root@", "root@: domain missing or malformed"),
            ("<@b.c>", "<@b.c>: no local part"),
            ("<a@b_c.d>", "<a@b_c.d>: malformed address: _c.d> may not follow <a@b"),
            ("<a@b@c>", "<a@b@c>: malformed address: @c> may not follow <a@b"),
            ("<a@b c>", "<a@b c>: malformed address: c> may not follow <a@b "),
            ("a@b.c>", "a@b.c>: malformed address: > may not follow a@b.c"),
            ("<a@b.c>x", "<a@b.c>x: malformed address: x may not follow <a@b.c>"),
            ("<a@b.c> FOO=1", "<a@b.c> FOO=1: malformed address: FOO=1 may not follow <a@b.c> "),
            ("<a@b.c> BODY=9BIT", "BadBodyType"),
            ("<a@b.c> SIZE=3 SMTPUTF8", "Utf8NotOffered"),
        ] {
            assert_eq!(told(Party::Sender, operand).as_deref(), Some(wanted), "{operand}");
        }
        for (operand, wanted) in [
            ("<>", "<>: missing or malformed local part"),
            ("<root>", "<root>: recipient address must contain a domain"),
            ("<a@b.c", "<a@b.c: '>' missing at end of address"),
            ("", "NoRecipientAddress"),
        ] {
            assert_eq!(told(Party::Recipient, operand).as_deref(), Some(wanted), "{operand}");
        }
    }

    #[test]
    fn nothing_is_wrong_with_what_a_genuine_sender_may_say() {
        for operand in [
            "<a@b.c>",
            " <a@b.c> ",
            "a@b.c",
            "<>",
            "< >",
            "Name <a@b.c>",
            "<\"a b\"@c.d>",
            "<@x,@y:a@b.c>",
            "<a..b@c.d>",
            "<a@[192.0.2.1]>",
            "<a@\u{e9}.c>",
            "<a@b.c> body=8bitmime size=3 AUTH=<> RET=HDRS ENVID=x",
            "(x)<a@b.c>",
        ] {
            assert_eq!(told(Party::Sender, operand), None, "{operand}");
        }
        for operand in ["<postmaster>", "<Postmaster>", "<a@b.c>", "<a@b.c> NOTIFY=NEVER ORCPT=x"] {
            assert_eq!(told(Party::Recipient, operand), None, "{operand}");
        }
        assert_eq!(unqualified(b"a@b.c"), None);
        assert!(unqualified(b"root").is_some());
    }

    #[test]
    fn whatever_the_address_is_what_is_said_back_is_one_short_line() {
        let letters = "<>@.- a[]\"\r\n\u{e9}=";
        for seed in 0..20_000_u32 {
            let mut state = seed;
            let mut next = |below: usize| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as usize % below
            };
            let length = next(12);
            let text: String = (0..length).filter_map(|_| letters.chars().nth(next(15))).collect();
            for party in [Party::Recipient, Party::Sender] {
                let told = told(party, &text).unwrap_or_default();
                assert!(!told.contains(['\r', '\n']) && told.is_ascii(), "{text:?}: {told:?}");
            }
        }
        let long = format!("<{}@b..c>", "a".repeat(300));
        assert_eq!(told(Party::Sender, &long), None);
    }
}
