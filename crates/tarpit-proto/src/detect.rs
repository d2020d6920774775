//! First bytes to protocol where a port serves them all: the one table of what can be told apart.
//!
//! A later pattern needs one line here: its protocol in the row of [`TABLE`] that has only a name.
//! Hostile bytes are inputs, not errors: the answer is a verdict, for any bytes and any cut.

use alloc::vec::Vec;

use crate::{
    identify::{Protocol, Sighting, prefix, sight, verb},
    patterns,
    script::{
        Pattern,
        state::{Field, Packer, Saved, Unpacker, layout, load_name, save_name},
    },
};

/// A protocol that first bytes can show, whether a pattern speaks it or not.
#[derive(Debug)]
pub struct Spoken {
    /// Its name in lower case, as the trace has it.
    pub name: &'static str,
    /// The same, if there is a pattern for it.
    pub protocol: Option<Protocol>,
    sight: fn(&[u8]) -> Sighting,
}

/// What first bytes show.
#[derive(Clone, Copy, Debug)]
pub enum Detection {
    /// They may still become one of several; this is the likeliest, if there are any bytes.
    Incomplete(Option<&'static Spoken>),
    /// They are of this protocol, whatever follows.
    Shown(&'static Spoken),
    /// They are of none, whatever follows.
    Unknown,
}

/// The protocol of a client whose first bytes are `bytes`.
///
/// Where words belong to several protocols (`HELP`, `QUIT`, `AUTH`), the one that the client
/// `expects` to speak is meant, which is the one it was greeted in; a word that only says so much is
/// nobody's without it. A verdict other than [`Detection::Incomplete`] is final: more bytes never
/// change it, and after some 512 bytes there is one.
pub fn detect(bytes: &[u8], expects: Option<Protocol>) -> Detection {
    if bytes.is_empty() {
        return Detection::Incomplete(None);
    }
    let expected = TABLE.iter().find(|spoken| expects.is_some() && spoken.protocol == expects);
    if let (Some(spoken), Some(protocol)) = (expected, expects) {
        match sight(protocol, bytes) {
            Sighting::Differs => {}
            Sighting::Incomplete => return Detection::Incomplete(Some(spoken)),
            Sighting::Matches => return Detection::Shown(spoken),
        }
    }
    // The first row that does not differ decides, now or later.
    for spoken in TABLE {
        match (spoken.sight)(bytes) {
            Sighting::Differs => {}
            Sighting::Incomplete => return Detection::Incomplete(Some(spoken)),
            Sighting::Matches => return Detection::Shown(spoken),
        }
    }
    Detection::Unknown
}

impl Spoken {
    /// What speaks `protocol`.
    pub(crate) fn of(protocol: Protocol) -> Option<&'static Self> {
        TABLE.iter().find(|spoken| spoken.protocol == Some(protocol))
    }

    /// The pattern that serves its clients where the owner has named none.
    pub(crate) fn pattern(&self) -> Option<&'static dyn Pattern> {
        self.protocol.and_then(patterns::best_for)
    }

    /// Where it stands in the table, for a script that can keep no more than a number.
    pub(crate) fn number(&self) -> u8 {
        let place = TABLE.iter().position(|spoken| spoken.name == self.name);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// What is called `name`.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|spoken| spoken.name == name)
    }

    /// What stands there.
    pub(crate) fn numbered(number: u8) -> Option<&'static Self> {
        TABLE.get(usize::from(number))
    }
}

impl PartialEq for Spoken {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spoken {}

impl Saved for &'static Spoken {
    const LAYOUT: u32 = layout(b"spoken", 0);

    fn save(&self, out: &mut Vec<u8>) {
        save_name(self.name, out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        Spoken::named(load_name(saved)?)
    }
}

impl Field for &'static Spoken {
    const BITS: u32 = 7;

    fn put(self, out: &mut Packer) {
        out.push(self.number().into(), Self::BITS);
    }

    fn get(from: &mut Unpacker) -> Option<Self> {
        Spoken::numbered(u8::try_from(from.pull(Self::BITS)).ok()?)
    }
}

const _: () = assert!(TABLE.len() < 128, "a place in the table takes 7 bits");

/// A protocol that a pattern speaks.
const fn ours(name: &'static str, protocol: Protocol, sight: fn(&[u8]) -> Sighting) -> Spoken {
    Spoken { name, protocol: Some(protocol), sight }
}

/// A protocol that is told from others, and no more.
const fn named(name: &'static str, sight: fn(&[u8]) -> Sighting) -> Spoken {
    Spoken { name, protocol: None, sight }
}

/// All of them. Where two could still be meant the upper one is waited for.
static TABLE: &[Spoken] = &[
    ours("ssh", Protocol::Ssh, |bytes| sight(Protocol::Ssh, bytes)),
    ours("tls", Protocol::Tls, |bytes| sight(Protocol::Tls, bytes)),
    ours("telnet", Protocol::Telnet, |bytes| shape(bytes, &[is(0xFF), (0xFB, 0xFE), ANY])),
    ours("ftp", Protocol::Ftp, ftp),
    ours("smtp", Protocol::Smtp, smtp),
    named("redis", redis),
    named("pop3", |bytes| verb(bytes, &[b"APOP", b"CAPA", b"STLS"])),
    named("rtsp", |bytes| either(verb(bytes, RTSP_VERBS), line(bytes, RTSP_SHARED, b" RTSP/"))),
    named("sip", |bytes| either(verb(bytes, SIP_VERBS), line(bytes, SIP_SHARED, b" SIP/"))),
    ours("http", Protocol::Http, |bytes| sight(Protocol::Http, bytes)),
    named("imap", imap),
    named("memcached", memcached),
    named("irc", |bytes| verb(bytes, &[b"NICK"])),
    named("vnc", |bytes| prefix(bytes, b"RFB 00")),
    named("rsync", |bytes| prefix(bytes, b"@RSYNCD:")),
    named("xmpp", |bytes| either(prefix(bytes, b"<?xml"), prefix(bytes, b"<stream"))),
    named("jrmi", |bytes| either(prefix(bytes, b"JRMI"), prefix(bytes, b"\xAC\xED\x00\x05"))),
    named("adb", |bytes| prefix(bytes, b"CNXN")),
    named("giop", |bytes| prefix(bytes, b"GIOP")),
    named("t3", |bytes| prefix(bytes, b"t3 ")),
    named("bittorrent", |bytes| prefix(bytes, b"\x13BitTorrent protocol")),
    named("x11", |bytes| either(prefix(bytes, b"l\0\x0B\0"), prefix(bytes, b"B\0\0\x0B"))),
    named("ajp", |bytes| prefix(bytes, b"\x12\x34\x00\x01")),
    named("rdp", |bytes| shape(bytes, &[is(3), is(0), ANY, ANY, ANY, is(0xE0)])),
    named("socks5", socks5),
    named("socks4", socks4),
    named("mssql", mssql),
    named("mqtt", mqtt),
    named("ldap", ldap),
    named("smb", smb),
    named("postgres", postgres),
    named("tns", |bytes| {
        shape(bytes, &[(0, 3), ANY, is(0), is(0), is(1), ANY, is(0), is(0), is(1)])
    }),
    named("dns", dns),
    // The vaguest comes last: of its first bytes two may be anything.
    named("mongodb", mongodb),
];

/// Words that say no more than that lines are spoken.
const SHARED: &[&[u8]] = &[b"AUTH", b"HELP", b"NOOP", b"QUIT"];

/// The mechanisms of FTP's `AUTH` (RFC 4217 and 2228), and of SMTP's that clients use (RFC 4954).
/// What is neither is a password for Redis.
const FTP_MECHANISMS: &[&[u8]] = &[b"GSSAPI", b"SSL", b"TLS", b"TLS-C", b"TLS-P"];
const SMTP_MECHANISMS: &[&[u8]] =
    &[b"CRAM-MD5", b"DIGEST-MD5", b"LOGIN", b"NTLM", b"PLAIN", b"SCRAM-SHA-1", b"XOAUTH2"];

/// Commands of Redis that worms and scanners begin with in its inline form.
const REDIS_VERBS: &[&[u8]] = &[
    b"CLIENT",
    b"COMMAND",
    b"CONFIG",
    b"ECHO",
    b"FLUSHALL",
    b"INFO",
    b"KEYS",
    b"PING",
    b"SELECT",
    b"SLAVEOF",
];

/// Methods of RFC 2326 that no other protocol has, and those that their line must tell.
const RTSP_VERBS: &[&[u8]] =
    &[b"ANNOUNCE", b"DESCRIBE", b"PAUSE", b"PLAY", b"RECORD", b"REDIRECT", b"SETUP", b"TEARDOWN"];
const RTSP_SHARED: &[&[u8]] = &[b"GET_PARAMETER ", b"OPTIONS ", b"SET_PARAMETER "];

/// The same of RFC 3261 and its extensions.
const SIP_VERBS: &[&[u8]] = &[
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"INVITE",
    b"MESSAGE",
    b"PRACK",
    b"PUBLISH",
    b"REFER",
    b"REGISTER",
    b"SUBSCRIBE",
    b"UPDATE",
];
const SIP_SHARED: &[&[u8]] = &[b"NOTIFY ", b"OPTIONS "];

/// What IMAP clients say first behind a tag (RFC 9051, section 6).
const IMAP_VERBS: &[&[u8]] =
    &[b"AUTHENTICATE", b"CAPABILITY", b"ID", b"LOGIN", b"LOGOUT", b"NOOP", b"SELECT", b"STARTTLS"];

/// Memcached's own commands, which have one case.
const MEMCACHED: &[&[u8]] =
    &[b"add ", b"flush_all", b"get ", b"gets ", b"set ", b"stats", b"version"];

/// The longest line that is waited for.
const LONGEST_LINE: usize = 512;

/// The longest tag of an IMAP client.
const LONGEST_TAG: usize = 8;

/// A byte within bounds, both included.
type Bounds = (u8, u8);

const ANY: Bounds = (0, 0xFF);

const fn is(byte: u8) -> Bounds {
    (byte, byte)
}

/// Bytes that lie within `wanted`, one by one.
fn shape(bytes: &[u8], wanted: &[Bounds]) -> Sighting {
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
fn either(one: Sighting, other: Sighting) -> Sighting {
    match (one, other) {
        (Sighting::Matches, _) | (_, Sighting::Matches) => Sighting::Matches,
        (Sighting::Incomplete, _) | (_, Sighting::Incomplete) => Sighting::Incomplete,
        (Sighting::Differs, Sighting::Differs) => Sighting::Differs,
    }
}

/// One of these beginnings.
fn any_prefix(bytes: &[u8], beginnings: &[&[u8]]) -> Sighting {
    beginnings.iter().map(|one| prefix(bytes, one)).fold(Sighting::Differs, either)
}

/// A line that begins with one of these and goes on with `mark`.
fn line(bytes: &[u8], beginnings: &[&[u8]], mark: &[u8]) -> Sighting {
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

/// A command of `protocol` that is of no other.
fn alone(protocol: Protocol, bytes: &[u8]) -> Sighting {
    match sight(protocol, bytes) {
        Sighting::Matches if verb(bytes, SHARED) == Sighting::Matches => Sighting::Differs,
        sighting => sighting,
    }
}

/// `AUTH` with an argument whose first word is one that `is_meant`.
fn auth(bytes: &[u8], is_meant: fn(&[u8]) -> bool) -> Sighting {
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

fn is_one_of(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

fn ftp(bytes: &[u8]) -> Sighting {
    let secured = auth(bytes, |word| is_one_of(word, FTP_MECHANISMS));
    either(alone(Protocol::Ftp, bytes), secured)
}

fn smtp(bytes: &[u8]) -> Sighting {
    let login = auth(bytes, |word| is_one_of(word, SMTP_MECHANISMS));
    either(alone(Protocol::Smtp, bytes), login)
}

/// An array of bulk strings, or a command on a line.
fn redis(bytes: &[u8]) -> Sighting {
    let login = auth(bytes, |word| !word.is_empty());
    let array = match bytes.split_first() {
        Some((b'*', rest)) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match digits {
                0 if rest.is_empty() => Sighting::Incomplete,
                1..=7 => prefix(&rest[digits..], b"\r\n$"),
                _ => Sighting::Differs,
            }
        }
        _ => Sighting::Differs,
    };
    either(array, either(verb(bytes, REDIS_VERBS), login))
}

/// A tag and a command.
fn imap(bytes: &[u8]) -> Sighting {
    let tag = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    match bytes.get(tag) {
        _ if tag > LONGEST_TAG => Sighting::Differs,
        None => Sighting::Incomplete,
        Some(b' ') if tag > 0 => verb(&bytes[tag + 1..], IMAP_VERBS),
        Some(_) => Sighting::Differs,
    }
}

/// A command on a line, or the head of a binary request.
fn memcached(bytes: &[u8]) -> Sighting {
    let binary = shape(bytes, &[is(0x80), (0, 0x2B), ANY, ANY, (0, 0x20), is(0)]);
    either(any_prefix(bytes, MEMCACHED), binary)
}

/// So many methods as it says, none of them twice (RFC 1928, section 3).
fn socks5(bytes: &[u8]) -> Sighting {
    let count = match *bytes {
        [] | [5] => return Sighting::Incomplete,
        [5, count @ 1..=32, ..] => usize::from(count),
        _ => return Sighting::Differs,
    };
    let methods = &bytes[2..bytes.len().min(2 + count)];
    let twice = methods.iter().enumerate().any(|(at, method)| methods[..at].contains(method));
    match methods.len() {
        _ if twice => Sighting::Differs,
        heard if heard < count => Sighting::Incomplete,
        _ => Sighting::Matches,
    }
}

/// A request to connect or bind, to a port that is one, with the start of a name.
fn socks4(bytes: &[u8]) -> Sighting {
    if bytes.len() >= 4 && bytes[2..4] == [0, 0] {
        return Sighting::Differs;
    }
    shape(bytes, &[is(4), (1, 2), ANY, ANY, ANY, ANY, ANY, ANY, ANY])
}

/// A packet of TDS: PRELOGIN or LOGIN7, of less than 512 bytes or more, to no process yet.
fn mssql(bytes: &[u8]) -> Sighting {
    let prelogin = shape(bytes, &[is(0x12), (0, 1), (0, 1), ANY, is(0), is(0)]);
    either(prelogin, shape(bytes, &[is(0x10), is(1), (0, 0x0F), ANY, is(0), is(0)]))
}

/// CONNECT: behind a length of up to four bytes, the protocol's name.
fn mqtt(bytes: &[u8]) -> Sighting {
    let Some((&first, rest)) = bytes.split_first() else { return Sighting::Incomplete };
    let longer = rest.iter().take_while(|&&byte| byte >= 0x80).count();
    match rest.get(longer + 1..) {
        _ if first != 0x10 || longer > 3 => Sighting::Differs,
        None => Sighting::Incomplete,
        Some(name) => either(prefix(name, b"\0\x04MQTT"), prefix(name, b"\0\x06MQIsdp")),
    }
}

/// A message that binds, searches, extends or unbinds (RFC 4511, section 4.1.1).
fn ldap(bytes: &[u8]) -> Sighting {
    let length = match *bytes {
        [] | [0x30] => return Sighting::Incomplete,
        [0x30, 0..=0x7F, ..] => 1,
        [0x30, long @ 0x81..=0x84, ..] => usize::from(long - 0x80) + 1,
        _ => return Sighting::Differs,
    };
    let rest = bytes.get(1 + length..).unwrap_or_default();
    let id = match *rest {
        [] | [2] => return Sighting::Incomplete,
        [2, id @ 1..=4, ..] => usize::from(id),
        _ => return Sighting::Differs,
    };
    match rest.get(2 + id) {
        None => Sighting::Incomplete,
        Some(0x42 | 0x60 | 0x63 | 0x77) => Sighting::Matches,
        Some(_) => Sighting::Differs,
    }
}

/// A message behind its length, or the session service's request.
fn smb(bytes: &[u8]) -> Sighting {
    let direct =
        shape(bytes, &[is(0), is(0), ANY, ANY, (0xFC, 0xFF), is(b'S'), is(b'M'), is(b'B')]);
    either(direct, prefix(bytes, b"\x81\x00\x00\x44"))
}

/// A startup message of version 3, or a request for TLS, GSSAPI or a cancellation.
fn postgres(bytes: &[u8]) -> Sighting {
    let start = shape(bytes, &[is(0), is(0), ANY, ANY, is(0), is(3), is(0), (0, 2)]);
    either(start, shape(bytes, &[is(0), is(0), ANY, ANY, is(4), is(0xD2), is(0x16), (0x2E, 0x30)]))
}

/// A query over TCP of at most one question (RFC 1035, section 4.1.1).
fn dns(bytes: &[u8]) -> Sighting {
    const HEADER: u8 = 12;
    if let [0, 0..HEADER, ..] = bytes {
        return Sighting::Differs;
    }
    let none = is(0);
    let mut wanted = [none; 14];
    (wanted[0], wanted[1], wanted[2], wanted[3]) = ((0, 3), ANY, ANY, ANY);
    (wanted[4], wanted[5], wanted[7], wanted[13]) = ((0, 0x7F), ANY, (0, 1), (0, 1));
    shape(bytes, &wanted)
}

/// A header: its length, two numbers, and one of four operations, each in four bytes of which the
/// least comes first.
fn mongodb(bytes: &[u8]) -> Sighting {
    let mut wanted = [ANY; 16];
    (wanted[2], wanted[3]) = (is(0), is(0));
    (wanted[12], wanted[13], wanted[14], wanted[15]) = ((0xD4, 0xDD), is(7), is(0), is(0));
    match bytes.get(12) {
        Some(0xD4 | 0xDA | 0xDC | 0xDD) | None => shape(bytes, &wanted),
        Some(_) => Sighting::Differs,
    }
}

/// For the fuzzer and its replayed corpus: a final verdict is never changed by more bytes, whatever
/// the client expects.
#[doc(hidden)]
pub fn check_detections_are_final(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(2 * LONGEST_LINE)];
    for expects in Protocol::ALL.into_iter().map(Some).chain([None]) {
        let mut verdict = Detection::Incomplete(None);
        for end in 0..=bytes.len() {
            let now = detect(&bytes[..end], expects);
            let stays = match (verdict, now) {
                (Detection::Incomplete(_), _) | (Detection::Unknown, Detection::Unknown) => true,
                (Detection::Shown(then), Detection::Shown(now)) => then.name == now.name,
                _ => false,
            };
            assert!(stays, "{expects:?} at {end}: {verdict:?}, then {now:?}");
            verdict = now;
        }
        let open = matches!(verdict, Detection::Incomplete(_));
        assert!(bytes.len() < LONGEST_LINE + 4 || !open, "{expects:?} never decides");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::{collections::HashSet, vec::Vec};

    /// What each row is told by.
    const OPENINGS: &[(&str, &[&[u8]])] = &[
        ("ssh", &[b"SSH-2.0-Go\r\n"]),
        ("tls", &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC", b"\x80\x2E\x01\x03\x01\x00"]),
        ("telnet", &[b"\xFF\xFD\x03\xFF\xFB\x18", b"\xFF\xFB\x01\xFF\xFB\x03"]),
        ("ftp", &[b"USER root\r\n", b"auth tls\r\n", b"FEAT\r\n", b"\xFF\xF4\xFF\xF2ABOR\r\n"]),
        ("smtp", &[b"EHLO x\r\n", b"helo y\r\n", b"AUTH LOGIN\r\n", b"AUTH PLAIN AGEAYg==\r\n"]),
        (
            "redis",
            &[
                b"*1\r\n$4\r\nPING\r\n",
                b"PING\r\n",
                b"info\r\n",
                b"AUTH foobared\r\n",
                b"KEYS *\r\n",
            ],
        ),
        ("pop3", &[b"CAPA\r\n"]),
        ("rtsp", &[b"OPTIONS / RTSP/1.0\r\n\r\n", b"DESCRIBE rtsp://a/ RTSP/1.0\r\n"]),
        ("sip", &[b"OPTIONS sip:nm SIP/2.0\r\n", b"INVITE sip:a@b SIP/2.0\r\n"]),
        (
            "http",
            &[
                b"GET / HTTP/1.0\r\n\r\n",
                b"OPTIONS / HTTP/1.0\r\n\r\n",
                b"get / HTTP/1.1\r\n",
                b"CONNECT a:443 HTTP/1.1\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ],
        ),
        ("imap", &[b"a1 CAPABILITY\r\n", b"A001 LOGIN a b\r\n"]),
        (
            "memcached",
            &[
                b"stats\r\n",
                b"version\r\n",
                b"get k\r\n",
                b"\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00",
            ],
        ),
        ("irc", &[b"NICK a\r\n"]),
        ("vnc", &[b"RFB 003.008\n"]),
        ("rsync", &[b"@RSYNCD: 31.0\n"]),
        ("xmpp", &[b"<?xml version='1.0'?>", b"<stream:stream>"]),
        ("jrmi", &[b"JRMI\x00\x02K", b"\xAC\xED\x00\x05t"]),
        ("adb", &[b"CNXN\x00\x00\x00\x01"]),
        ("giop", &[b"GIOP\x01\x00\x01\x00"]),
        ("t3", &[b"t3 12.2.1\n"]),
        ("bittorrent", &[b"\x13BitTorrent protocol"]),
        ("x11", &[b"l\0\x0B\0\0\0\0\0\0\0\0\0"]),
        ("ajp", &[b"\x12\x34\x00\x01\x0A"]),
        ("rdp", &[b"\x03\x00\x00\x13\x0E\xE0\x00\x00\x00\x00\x00\x01\x00\x08\x00"]),
        ("socks5", &[b"\x05\x01\x00", b"\x05\x04\x00\x01\x02\x80\x05\x01"]),
        ("socks4", &[b"\x04\x01\x00\x50\x7F\x00\x00\x01root\x00"]),
        ("mssql", &[b"\x12\x01\x00\x34\x00\x00\x00\x00", b"\x10\x01\x00\x90\x00\x00\x01\x00"]),
        ("mqtt", &[b"\x10\x10\x00\x04MQTT\x04\x02", b"\x10\x80\x01\x00\x06MQIsdp\x03"]),
        ("ldap", &[b"0\x0C\x02\x01\x01`\x07", b"0\x84\x00\x00\x00\x2D\x02\x01\x07c\x84"]),
        ("smb", &[b"\x00\x00\x00\xA4\xFFSMBr", b"\x00\x00\x00\xA4\xFESMB@", b"\x81\x00\x00\x44 C"]),
        (
            "postgres",
            &[b"\x00\x00\x00\x54\x00\x03\x00\x00user\x00", b"\x00\x00\x00\x08\x04\xD2\x16\x2F"],
        ),
        ("tns", &[b"\x00\x5A\x00\x00\x01\x00\x00\x00\x01\x36"]),
        ("dns", &[b"\x00\x1E\x00\x06\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version"]),
        ("mongodb", &[b"\x3A\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xDD\x07\x00\x00\x00"]),
    ];

    fn shown(bytes: &[u8], expects: Option<Protocol>) -> &'static str {
        match detect(bytes, expects) {
            Detection::Incomplete(_) => "?",
            Detection::Shown(spoken) => spoken.name,
            Detection::Unknown => "-",
        }
    }

    #[test]
    fn every_row_is_told_by_its_own_and_has_one() {
        for &(wanted, openings) in OPENINGS {
            for &opening in openings {
                assert_eq!(shown(opening, None), wanted, "{}", opening.escape_ascii());
                check_detections_are_final(opening);
            }
        }
        let tested: Vec<_> = OPENINGS.iter().map(|(name, _)| *name).collect();
        let known: Vec<_> = TABLE.iter().map(|spoken| spoken.name).collect();
        assert_eq!(tested, known);
        assert_eq!(known.iter().collect::<HashSet<_>>().len(), known.len());
        for (number, spoken) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(spoken.number()), number);
        }
    }

    #[test]
    fn every_protocol_of_ours_has_a_row_and_is_called_the_same() {
        for protocol in Protocol::ALL {
            assert_eq!(Spoken::of(protocol).map(|spoken| spoken.name), Some(protocol.name()));
        }
    }

    #[test]
    fn shared_words_mean_what_the_client_expects() {
        for (bytes, expects, wanted) in [
            (&b"HELP\r\n"[..], None, "-"),
            (b"HELP\r\n", Some(Protocol::Ftp), "ftp"),
            (b"HELP\r\n", Some(Protocol::Smtp), "smtp"),
            (b"QUIT\r\n", Some(Protocol::Ssh), "-"),
            (b"AUTH x\r\n", Some(Protocol::Smtp), "smtp"),
            (b"AUTH LOGIN\r\n", Some(Protocol::Ssh), "smtp"),
            (b"USER a\r\n", Some(Protocol::Smtp), "ftp"),
            (b"GET / HTTP/1.1\r\n", Some(Protocol::Ssh), "http"),
            (b"abc", None, "?"),
            (b"hello\r\n", None, "-"),
            (b"\xDE\xAD\xBE\xEF", None, "-"),
            (b"", Some(Protocol::Ftp), "?"),
        ] {
            assert_eq!(shown(bytes, expects), wanted, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn detections_are_final(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            check_detections_are_final(&bytes);
        }

        #[test]
        fn detections_of_small_numbers_are_final(bytes in prop::collection::vec(0_u8..6, 0..24)) {
            check_detections_are_final(&bytes);
        }

        #[test]
        fn what_begins_like_something_known_is_final(
            row in 0..OPENINGS.len(),
            keep in 0_usize..40,
            more in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let opening = OPENINGS[row].1[keep % OPENINGS[row].1.len()];
            let kept = &opening[..keep.min(opening.len())];
            check_detections_are_final(&[kept, &more].concat());
        }

        #[test]
        fn detections_of_lines_are_final(
            word in "(AUTH|OPTIONS|GET_PARAMETER|stats|get|a1|HELP|\\*1|[A-Za-z]{0,9})",
            rest in "[ /\r\n]{0,2}[ -~]{0,30}( HTTP/1.1| RTSP/1.0| SIP/2.0)?\r?\n?",
        ) {
            check_detections_are_final(&[word.as_bytes(), rest.as_bytes()].concat());
        }
    }
}
