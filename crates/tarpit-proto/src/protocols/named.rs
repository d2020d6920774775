//! Protocols that are told apart and not held: one table, in alphabetical order.

use crate::{
    script::Protocol,
    wire::sighting::{ANY, Sighting, any_prefix, either, is, line, prefix, shape, verb},
};

pub(super) static ADB: Protocol =
    Protocol::named("adb", &[], |bytes| prefix(bytes, b"CNXN"), &[b"CNXN\x00\x00\x00\x01"]);

pub(super) static AJP: Protocol = Protocol::named(
    "ajp",
    &[],
    |bytes| prefix(bytes, b"\x12\x34\x00\x01"),
    &[b"\x12\x34\x00\x01\x0A"],
);

pub(super) static BITTORRENT: Protocol = Protocol::named(
    "bittorrent",
    &[],
    |bytes| prefix(bytes, b"\x13BitTorrent protocol"),
    &[b"\x13BitTorrent protocol"],
);

pub(super) static DNS: Protocol = Protocol::named(
    "dns",
    &[],
    dns,
    &[b"\x00\x1E\x00\x06\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version"],
);

pub(super) static GIOP: Protocol =
    Protocol::named("giop", &[], |bytes| prefix(bytes, b"GIOP"), &[b"GIOP\x01\x00\x01\x00"]);

pub(super) static IMAP: Protocol =
    Protocol::named("imap", &[143], imap, &[b"a1 CAPABILITY\r\n", b"A001 LOGIN a b\r\n"]);

pub(super) static IRC: Protocol =
    Protocol::named("irc", &[], |bytes| verb(bytes, &[b"NICK"]), &[b"NICK a\r\n"]);

pub(super) static JRMI: Protocol = Protocol::named(
    "jrmi",
    &[],
    |bytes| either(prefix(bytes, b"JRMI"), prefix(bytes, b"\xAC\xED\x00\x05")),
    &[b"JRMI\x00\x02K", b"\xAC\xED\x00\x05t"],
);

pub(super) static LDAP: Protocol = Protocol::named(
    "ldap",
    &[389],
    ldap,
    &[b"0\x0C\x02\x01\x01`\x07", b"0\x84\x00\x00\x00\x2D\x02\x01\x07c\x84"],
);

pub(super) static MEMCACHED: Protocol = Protocol::named(
    "memcached",
    &[11_211],
    memcached,
    &[
        b"stats\r\n",
        b"version\r\n",
        b"get k\r\n",
        b"\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00",
    ],
);

pub(super) static MONGODB: Protocol = Protocol::named(
    "mongodb",
    &[27_017],
    mongodb,
    &[b"\x3A\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xDD\x07\x00\x00\x00"],
);

pub(super) static MQTT: Protocol = Protocol::named(
    "mqtt",
    &[1_883],
    mqtt,
    &[b"\x10\x10\x00\x04MQTT\x04\x02", b"\x10\x80\x01\x00\x06MQIsdp\x03"],
);

pub(super) static MSSQL: Protocol = Protocol::named(
    "mssql",
    &[1_433],
    mssql,
    &[b"\x12\x01\x00\x34\x00\x00\x00\x00", b"\x10\x01\x00\x90\x00\x00\x01\x00"],
);

pub(super) static POP3: Protocol = Protocol::named(
    "pop3",
    &[110],
    |bytes| verb(bytes, &[b"APOP", b"CAPA", b"STLS"]),
    &[b"CAPA\r\n"],
);

pub(super) static POSTGRES: Protocol = Protocol::named(
    "postgres",
    &[5_432],
    postgres,
    &[b"\x00\x00\x00\x54\x00\x03\x00\x00user\x00", b"\x00\x00\x00\x08\x04\xD2\x16\x2F"],
);

pub(super) static RDP: Protocol = Protocol::named(
    "rdp",
    &[3_389],
    |bytes| shape(bytes, &[is(3), is(0), ANY, ANY, ANY, is(0xE0)]),
    &[b"\x03\x00\x00\x13\x0E\xE0\x00\x00\x00\x00\x00\x01\x00\x08\x00"],
);

pub(super) static RSYNC: Protocol =
    Protocol::named("rsync", &[], |bytes| prefix(bytes, b"@RSYNCD:"), &[b"@RSYNCD: 31.0\n"]);

pub(super) static RTSP: Protocol = Protocol::named(
    "rtsp",
    &[554, 8_554],
    |bytes| either(verb(bytes, RTSP_VERBS), line(bytes, RTSP_SHARED, b" RTSP/")),
    &[b"OPTIONS / RTSP/1.0\r\n\r\n", b"DESCRIBE rtsp://a/ RTSP/1.0\r\n"],
);

pub(super) static SIP: Protocol = Protocol::named(
    "sip",
    &[5_060],
    |bytes| either(verb(bytes, SIP_VERBS), line(bytes, SIP_SHARED, b" SIP/")),
    &[b"OPTIONS sip:nm SIP/2.0\r\n", b"INVITE sip:a@b SIP/2.0\r\n"],
);

pub(super) static SMB: Protocol = Protocol::named(
    "smb",
    &[139, 445],
    smb,
    &[b"\x00\x00\x00\xA4\xFFSMBr", b"\x00\x00\x00\xA4\xFESMB@", b"\x81\x00\x00\x44 C"],
);

pub(super) static SOCKS4: Protocol =
    Protocol::named("socks4", &[], socks4, &[b"\x04\x01\x00\x50\x7F\x00\x00\x01root\x00"]);

pub(super) static SOCKS5: Protocol = Protocol::named(
    "socks5",
    &[1_080],
    socks5,
    &[b"\x05\x01\x00", b"\x05\x04\x00\x01\x02\x80\x05\x01"],
);

pub(super) static T3: Protocol =
    Protocol::named("t3", &[], |bytes| prefix(bytes, b"t3 "), &[b"t3 12.2.1\n"]);

pub(super) static TNS: Protocol = Protocol::named(
    "tns",
    &[],
    |bytes| shape(bytes, &[(0, 3), ANY, is(0), is(0), is(1), ANY, is(0), is(0), is(1)]),
    &[b"\x00\x5A\x00\x00\x01\x00\x00\x00\x01\x36"],
);

pub(super) static VNC: Protocol = Protocol::named(
    "vnc",
    &[5_900, 5_901, 5_902],
    |bytes| prefix(bytes, b"RFB 00"),
    &[b"RFB 003.008\n"],
);

pub(super) static X11: Protocol = Protocol::named(
    "x11",
    &[],
    |bytes| either(prefix(bytes, b"l\0\x0B\0"), prefix(bytes, b"B\0\0\x0B")),
    &[b"l\0\x0B\0\0\0\0\0\0\0\0\0"],
);

pub(super) static XMPP: Protocol = Protocol::named(
    "xmpp",
    &[],
    |bytes| either(prefix(bytes, b"<?xml"), prefix(bytes, b"<stream")),
    &[b"<?xml version='1.0'?>", b"<stream:stream>"],
);

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
const MEMCACHED_COMMANDS: &[&[u8]] =
    &[b"add ", b"flush_all", b"get ", b"gets ", b"set ", b"stats", b"version"];

/// The longest tag of an IMAP client.
const LONGEST_TAG: usize = 8;

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
    either(any_prefix(bytes, MEMCACHED_COMMANDS), binary)
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
