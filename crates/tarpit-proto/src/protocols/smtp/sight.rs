//! What a mail client says first.

use crate::wire::sighting::{Sighting, auth, either, is_one_of, unshared, verb};

/// The commands of RFC 5321, 2034, 3207 and 4954 that may come first.
const VERBS: &[&[u8]] = &[
    b"AUTH",
    b"BDAT",
    b"DATA",
    b"EHLO",
    b"ETRN",
    b"EXPN",
    b"HELO",
    b"HELP",
    b"LHLO",
    b"MAIL",
    b"NOOP",
    b"QUIT",
    b"RCPT",
    b"RSET",
    b"STARTTLS",
    b"VRFY",
];

/// The mechanisms of `AUTH` that clients use (RFC 4954). What is none is a password for Redis.
const MECHANISMS: &[&[u8]] =
    &[b"CRAM-MD5", b"DIGEST-MD5", b"LOGIN", b"NTLM", b"PLAIN", b"SCRAM-SHA-1", b"XOAUTH2"];

/// A mail client's first command. Some write `AUTH=PLAIN`, as servers once named their mechanisms.
pub(super) fn command(bytes: &[u8]) -> Sighting {
    match bytes.split_first_chunk::<5>() {
        Some((first, _)) if first.eq_ignore_ascii_case(b"AUTH=") => Sighting::Matches,
        _ => verb(bytes, VERBS),
    }
}

/// The same where other protocols may be spoken, too.
pub(super) fn among_others(bytes: &[u8]) -> Sighting {
    let login = auth(bytes, |word| is_one_of(word, MECHANISMS));
    either(unshared(command(bytes), bytes), login)
}
