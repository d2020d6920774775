//! First bytes to protocol: which one a client speaks, or whether it speaks the one expected.
//!
//! Hostile bytes are inputs, not errors: the answer is a verdict, for any bytes and any cut.

/// A protocol that clients speak to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 959.
    Ftp,
    /// RFC 9112, and the opening of RFC 9113.
    Http,
    /// RFC 5321.
    Smtp,
    /// RFC 4253.
    Ssh,
    /// RFC 854.
    Telnet,
    /// RFC 5246 and RFC 8446.
    Tls,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ftp, Self::Http, Self::Smtp, Self::Ssh, Self::Telnet, Self::Tls];

    /// The protocol's name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Http => "http",
            Self::Smtp => "smtp",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
            Self::Tls => "tls",
        }
    }
}

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

/// Whether a client whose first bytes are `bytes` speaks `protocol`.
///
/// A verdict other than [`Sighting::Incomplete`] is final: more bytes never change it.
pub fn sight(protocol: Protocol, bytes: &[u8]) -> Sighting {
    match protocol {
        Protocol::Ftp => ftp_command(bytes),
        Protocol::Http => request_line(bytes),
        Protocol::Smtp => mail_command(bytes),
        Protocol::Ssh => prefix(bytes, b"SSH-"),
        Protocol::Telnet => login(bytes),
        Protocol::Tls => client_hello(bytes),
    }
}

/// The commands of RFC 959, 2228, 2389, 2428, 3659 and 4217 that may come first.
const FTP_VERBS: &[&[u8]] = &[
    b"ABOR", b"ACCT", b"ALLO", b"APPE", b"AUTH", b"CDUP", b"CLNT", b"CWD", b"DELE", b"EPRT",
    b"EPSV", b"FEAT", b"HELP", b"HOST", b"LANG", b"LIST", b"MDTM", b"MKD", b"MLSD", b"MLST",
    b"MODE", b"NLST", b"NOOP", b"OPTS", b"PASS", b"PASV", b"PBSZ", b"PORT", b"PROT", b"PWD",
    b"QUIT", b"REIN", b"REST", b"RETR", b"RMD", b"RNFR", b"RNTO", b"SITE", b"SIZE", b"SMNT",
    b"STAT", b"STOR", b"STOU", b"STRU", b"SYST", b"TYPE", b"USER", b"XCRC", b"XPWD",
];

/// The commands of RFC 5321, 2034, 3207 and 4954 that may come first.
const SMTP_VERBS: &[&[u8]] = &[
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

/// The methods of RFC 9110, 5789, 4918 and 3253: a request line that starts with one need not be
/// waited for to its end.
const METHODS: &[&[u8]] = &[
    b"CHECKIN",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LOCK",
    b"MERGE",
    b"MKCOL",
    b"MOVE",
    b"OPTIONS",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PUT",
    b"REPORT",
    b"SEARCH",
    b"TRACE",
    b"UNLOCK",
];

/// The longest line on which an unknown word may still turn out to be a method.
const LONGEST_REQUEST_LINE: usize = 512;

/// The longest word that may still turn out to be a method (RFC 9110, section 9.1 sets no bound).
const LONGEST_METHOD: usize = 32;

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

/// A command line behind the telnet signals that FTP clients may send in front of `ABOR` and
/// `STAT` (RFC 959, section 4.1.3). No verb begins with such a byte.
fn ftp_command(bytes: &[u8]) -> Sighting {
    let signals = bytes.iter().take_while(|&&byte| byte >= 0xF0).count();
    if signals > MOST_SIGNALS { Sighting::Differs } else { verb(&bytes[signals..], FTP_VERBS) }
}

/// The most bytes of telnet signals in front of a command; clients send four, or three where the
/// urgent one of them travels apart.
const MOST_SIGNALS: usize = 16;

/// A command line that starts with one of `verbs`, in any case.
pub(crate) fn verb(bytes: &[u8], verbs: &[&[u8]]) -> Sighting {
    let end = bytes.iter().position(|byte| !byte.is_ascii_alphabetic());
    let word = &bytes[..end.unwrap_or(bytes.len())];
    let is_start =
        |verb: &&&[u8]| verb.len() >= word.len() && verb[..word.len()].eq_ignore_ascii_case(word);
    let mut candidates = verbs.iter().filter(is_start);
    match end {
        None if candidates.next().is_some() => Sighting::Incomplete,
        Some(end) if matches!(bytes[end], b' ' | b'\r' | b'\n') && !word.is_empty() => {
            if candidates.any(|verb| verb.len() == word.len()) {
                Sighting::Matches
            } else {
                Sighting::Differs
            }
        }
        _ => Sighting::Differs,
    }
}

/// A mail client's first command. Some write `AUTH=PLAIN`, as servers once named their mechanisms.
fn mail_command(bytes: &[u8]) -> Sighting {
    match bytes.split_first_chunk::<5>() {
        Some((first, _)) if first.eq_ignore_ascii_case(b"AUTH=") => Sighting::Matches,
        _ => verb(bytes, SMTP_VERBS),
    }
}

/// An HTTP request line (RFC 9112, section 3): a known method, or any token on a line that names
/// the protocol. Empty lines may stand in front of it (section 2.2).
fn request_line(bytes: &[u8]) -> Sighting {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 4 {
        return Sighting::Differs;
    }
    let bytes = &bytes[blank..];
    let word = bytes.iter().take_while(|&&byte| is_token(byte)).count();
    if word > LONGEST_METHOD {
        return Sighting::Differs;
    }
    match bytes.get(word) {
        None => return Sighting::Incomplete,
        Some(b' ') if word > 0 => {}
        Some(_) => return Sighting::Differs,
    }
    if METHODS.contains(&&bytes[..word]) {
        return Sighting::Matches;
    }
    let bounded = &bytes[..bytes.len().min(LONGEST_REQUEST_LINE)];
    let end = bounded.iter().position(|&byte| byte == b'\n');
    let line = &bounded[..end.unwrap_or(bounded.len())];
    if line.windows(6).any(|window| window == b" HTTP/") {
        Sighting::Matches
    } else if end.is_some() || bytes.len() >= LONGEST_REQUEST_LINE {
        Sighting::Differs
    } else {
        Sighting::Incomplete
    }
}

/// Whether a token may hold the byte, such as a method (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Verbs of FTP and SMTP that say nothing without an argument, and are names of users.
const VERBS_AND_NAMES: [&[u8]; 5] = [b"data", b"host", b"mail", b"site", b"user"];

/// A negotiation, or else a name: words that are not of another protocol. Nobody's name begins with
/// a control character, nor has one in it that begins as names of other alphabets and binary
/// protocols do.
fn login(bytes: &[u8]) -> Sighting {
    match bytes {
        [0xFF, 0xFA..=0xFE, ..] => return Sighting::Matches,
        [] | [0xFF | b'\r' | b'\n' | b'\t' | b' '..=b'~', ..] => {}
        [0x80..=0xFE, ..] => match foreign_name(bytes) {
            Sighting::Matches => {}
            other => return other,
        },
        _ => return Sighting::Differs,
    }
    if let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'))
        && VERBS_AND_NAMES.iter().any(|name| name.eq_ignore_ascii_case(&bytes[..end]))
    {
        return Sighting::Matches;
    }
    let others = Protocol::ALL.into_iter().filter(|&other| other != Protocol::Telnet);
    let verdicts = others.map(|other| sight(other, bytes));
    // What is of none of them is a name; what is of one is none.
    verdicts.fold(Sighting::Matches, |verdict, other| match (verdict, other) {
        (Sighting::Differs, _) | (_, Sighting::Matches) => Sighting::Differs,
        (_, Sighting::Incomplete) => Sighting::Incomplete,
        (verdict, Sighting::Differs) => verdict,
    })
}

/// The longest name in another alphabet whose end is waited for.
const LONGEST_NAME: usize = 128;

/// A line of text in any encoding that has ASCII in it: UTF-8, Latin-1, KOI8 and the like.
fn foreign_name(bytes: &[u8]) -> Sighting {
    for &byte in bytes.iter().take(LONGEST_NAME) {
        match byte {
            b'\r' | b'\n' => return Sighting::Matches,
            // Who types may take back.
            0x08 | b'\t' | b' '.. => {}
            _ => return Sighting::Differs,
        }
    }
    if bytes.len() < LONGEST_NAME { Sighting::Incomplete } else { Sighting::Matches }
}

/// A handshake record that opens with a ClientHello (RFC 8446, section 5.1), or the old form of
/// one (RFC 5246, appendix E.2).
fn client_hello(bytes: &[u8]) -> Sighting {
    let wanted: &[fn(u8) -> bool] = match bytes.first() {
        None => return Sighting::Incomplete,
        Some(0x16) => &[|_| true, |b| b == 3, |b| b <= 4, |b| b <= 0x48, |_| true, |b| b == 1],
        Some(0x80..) => &[|_| true, |_| true, |b| b == 1, |b| b == 3, |b| b <= 4],
        Some(_) => return Sighting::Differs,
    };
    if !bytes.iter().zip(wanted).all(|(&byte, fits)| fits(byte)) {
        Sighting::Differs
    } else if bytes.len() < wanted.len() {
        Sighting::Incomplete
    } else {
        Sighting::Matches
    }
}

/// For the fuzzer and its replayed corpus: a final verdict is never changed by more bytes.
#[doc(hidden)]
pub fn check_verdicts_are_final(bytes: &[u8]) {
    for protocol in Protocol::ALL {
        let mut verdict = Sighting::Incomplete;
        for end in 0..=bytes.len() {
            let now = sight(protocol, &bytes[..end]);
            assert!(verdict == Sighting::Incomplete || now == verdict, "{protocol:?} at {end}");
            verdict = now;
        }
        assert!(
            bytes.len() < 1024 || verdict != Sighting::Incomplete,
            "{protocol:?} never decides"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_protocol_knows_its_own_and_no_other() {
        let openings: [(Protocol, &[&[u8]]); 6] = [
            (
                Protocol::Ftp,
                &[
                    b"USER root\r\n",
                    b"user a\n",
                    b"FEAT\r\n",
                    b"Pass x\r\n",
                    b"\xFF\xF4\xFF\xF2ABOR\r\n",
                    b"\xFF\xF4\xF2STAT\r\n",
                ],
            ),
            (
                Protocol::Http,
                &[
                    b"GET / HTTP/1.0\r\n\r\n",
                    b"POST /x HTTP/1.1\r\n",
                    b"\r\nOPTIONS * HTTP/1.1\r\n",
                    b"get / HTTP/1.1\r\n",
                    b"FROBNICATE / HTTP/1.1\r\n",
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                ],
            ),
            (Protocol::Smtp, &[b"EHLO x\r\n", b"helo y\r\n", b"STARTTLS\r\n", b"auth=PLAIN x\r\n"]),
            (Protocol::Ssh, &[b"SSH-2.0-Go\r\n", b"SSH-1.5-x\r\n"]),
            (
                Protocol::Telnet,
                &[
                    b"\xFF\xFB\x22\xFF\xFC\x18",
                    b"\xFF\xFE\x01root\r\0",
                    b"\xFF\xFA\x18\0xterm\xFF\xF0",
                    b"root\r\n",
                    b"admin\r\0",
                    b"\r\nmother\n",
                    // In UTF-8, Latin-1 and KOI8.
                    "\u{fc}ser\r\n".as_bytes(),
                    b"\xFCser\r\n",
                    b"\xFB\xC1\xDB\xC1\r\0",
                ],
            ),
            (
                Protocol::Tls,
                &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC", b"\x80\x2E\x01\x03\x01\x00"],
            ),
        ];
        for (spoken, examples) in openings {
            for &bytes in examples {
                for expected in Protocol::ALL {
                    let wanted =
                        if expected == spoken { Sighting::Matches } else { Sighting::Differs };
                    assert_eq!(sight(expected, bytes), wanted, "{bytes:?} as {expected:?}");
                }
            }
        }
    }

    #[test]
    fn what_may_still_match_is_waited_for() {
        for (protocol, bytes) in [
            (Protocol::Ssh, &b"SS"[..]),
            (Protocol::Http, b"GE"),
            (Protocol::Http, b"FROB /"),
            (Protocol::Ftp, b"us"),
            (Protocol::Ftp, b"\xFF\xF4"),
            (Protocol::Ftp, b"\xFF\xF4\xFF\xF2AB"),
            (Protocol::Smtp, b"EHL"),
            (Protocol::Telnet, b"us"),
            (Protocol::Telnet, b"\xFF"),
            (Protocol::Telnet, b"GET"),
            (Protocol::Telnet, b"\xFB\xC1"),
            (Protocol::Tls, b"\x16\x03"),
        ] {
            assert_eq!(sight(protocol, bytes), Sighting::Incomplete, "{bytes:?}");
        }
    }

    #[test]
    fn a_verb_alone_may_be_a_name() {
        for (bytes, wanted) in [
            (&b"user"[..], Sighting::Incomplete),
            (b"user\r\n", Sighting::Matches),
            (b"Mail\n", Sighting::Matches),
            (b"user root\r\n", Sighting::Differs),
            (b"quit\r\n", Sighting::Differs),
        ] {
            assert_eq!(sight(Protocol::Telnet, bytes), wanted, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn verdicts_are_final(bytes in prop::collection::vec(any::<u8>(), 0..1_100)) {
            check_verdicts_are_final(&bytes);
        }

        #[test]
        fn verdicts_behind_signals_are_final(
            signals in prop::collection::vec(0xDF_u8.., 0..200),
            text in "(ABOR|STAT|EHLO|[A-Za-z]{0,9})[ \r\n]{0,2}",
        ) {
            check_verdicts_are_final(&[&signals[..], text.as_bytes()].concat());
        }

        #[test]
        fn verdicts_on_text_are_final(text in "(GET|HELO|user|FROB|SSH-|[A-Za-z]{0,40})[ /\r\n]{0,3}[ -~]{0,40}( HTTP/1.1)?\r?\n?") {
            check_verdicts_are_final(text.as_bytes());
        }
    }
}
