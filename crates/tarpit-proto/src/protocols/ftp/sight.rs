//! What an FTP client says first.

use crate::wire::sighting::{Sighting, auth, either, is_one_of, unshared, verb};

/// The commands of RFC 959, 2228, 2389, 2428, 3659 and 4217 that may come first.
const VERBS: &[&[u8]] = &[
    b"ABOR", b"ACCT", b"ALLO", b"APPE", b"AUTH", b"CDUP", b"CLNT", b"CWD", b"DELE", b"EPRT",
    b"EPSV", b"FEAT", b"HELP", b"HOST", b"LANG", b"LIST", b"MDTM", b"MKD", b"MLSD", b"MLST",
    b"MODE", b"NLST", b"NOOP", b"OPTS", b"PASS", b"PASV", b"PBSZ", b"PORT", b"PROT", b"PWD",
    b"QUIT", b"REIN", b"REST", b"RETR", b"RMD", b"RNFR", b"RNTO", b"SITE", b"SIZE", b"SMNT",
    b"STAT", b"STOR", b"STOU", b"STRU", b"SYST", b"TYPE", b"USER", b"XCRC", b"XPWD",
];

/// The mechanisms of FTP's `AUTH` (RFC 4217 and 2228). What is none is a password for Redis.
const MECHANISMS: &[&[u8]] = &[b"GSSAPI", b"SSL", b"TLS", b"TLS-C", b"TLS-P"];

/// A command line behind the telnet signals that FTP clients may send in front of `ABOR` and
/// `STAT` (RFC 959, section 4.1.3). No verb begins with such a byte.
pub(super) fn command(bytes: &[u8]) -> Sighting {
    let signals = bytes.iter().take_while(|&&byte| byte >= 0xF0).count();
    if signals > MOST_SIGNALS { Sighting::Differs } else { verb(&bytes[signals..], VERBS) }
}

/// The most bytes of telnet signals in front of a command; clients send four, or three where the
/// urgent one of them travels apart.
const MOST_SIGNALS: usize = 16;

/// The same where other protocols may be spoken, too.
pub(super) fn among_others(bytes: &[u8]) -> Sighting {
    let secured = auth(bytes, |word| is_one_of(word, MECHANISMS));
    either(unshared(command(bytes), bytes), secured)
}
