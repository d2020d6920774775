//! The clients' trace: one JSON object a line, keys in a fixed order.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use serde::{
    Serialize,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;
use tarpit_proto::{
    fact::{Entry, Fact},
    session::SessionId,
};

use crate::config::Discretion;

/// A line of the trace. The names and the order of the first six keys are a promise.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    time: Seconds,
    event: &'static str,
    name: &'a str,
    pattern: &'a str,
    conn_info: Ends,
    meta: Meta<'a>,
    session: String,
    #[serde(flatten)]
    end: Option<End>,
}

/// Whose line it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The tarpit's name.
    pub(crate) name: &'a str,
    /// The pattern's name.
    pub(crate) pattern: &'a str,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) session: SessionId,
    /// Whether the tarpit's clients are traced at all.
    pub(crate) traced: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    Close {
        held: Duration,
        sent: u64,
        received: u64,
        reason: &'static str,
    },
    ConnError {
        err: &'a str,
        msg: &'a str,
    },
    /// Facts that belong together.
    Learn {
        facts: &'a [Entry],
        discretion: Discretion,
    },
    Open,
    Refuse {
        reason: &'static str,
    },
    Validate {
        expected: bool,
        data: &'a [u8],
        comment: &'a str,
    },
}

/// Appends the line to `out`.
pub(crate) fn write(out: &mut Vec<u8>, wall: Duration, subject: Subject<'_>, what: Happening<'_>) {
    let mut end = None;
    let (event, meta) = match what {
        Happening::Close { held, sent, received, reason } => {
            end = Some(End { duration: Seconds(held), sent, received, reason });
            ("close", Meta::Close { request: repr(b"") })
        }
        Happening::ConnError { err, msg } => ("conn_error", Meta::ConnError { err, msg }),
        Happening::Learn { facts, discretion } => {
            ("learn", Meta::Learn(Learnt { facts, discretion }))
        }
        Happening::Open => ("open", Meta::Nothing),
        Happening::Refuse { reason } => ("refuse", Meta::Refuse { reason }),
        Happening::Validate { expected, data, comment } => {
            ("validate", Meta::Validate { expected, data: repr(data), comment })
        }
    };
    let Subject { name, pattern, client, server, session, .. } = subject;
    let line = Line {
        time: Seconds(wall),
        event,
        name,
        pattern,
        conn_info: Ends { peername: End4or6::of(client), sockname: End4or6::of(server) },
        meta,
        session: format!("{:016x}", session.0),
        end,
    };
    let before = out.len();
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    } else {
        // A line is whole or absent.
        debug_assert!(false, "a line that is no JSON");
        out.truncate(before);
    }
}

/// What stands behind the reference's keys when a client is gone.
#[derive(Debug, Serialize)]
struct End {
    duration: Seconds,
    sent: u64,
    received: u64,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Ends {
    peername: End4or6,
    sockname: End4or6,
}

/// An address as Python's sockets have it: two elements, or four for IPv6.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum End4or6 {
    V4(String, u16),
    V6(String, u16, u32, u32),
}

impl End4or6 {
    fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self::V4(v4.ip().to_string(), v4.port()),
            SocketAddr::V6(v6) => {
                Self::V6(v6.ip().to_string(), v6.port(), v6.flowinfo(), v6.scope_id())
            }
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Meta<'a> {
    Close { request: String },
    ConnError { err: &'a str, msg: &'a str },
    Learn(Learnt<'a>),
    Nothing,
    Refuse { reason: &'static str },
    Validate { expected: bool, data: String, comment: &'a str },
}

/// Facts by their names.
#[derive(Clone, Copy, Debug)]
struct Learnt<'a> {
    facts: &'a [Entry],
    discretion: Discretion,
}

impl Learnt<'_> {
    /// Whether more of a fact is written than its length.
    fn shows(&self, fact: Fact) -> bool {
        match fact {
            Fact::Secret => self.discretion.log_secrets,
            Fact::User => self.discretion.log_users,
            _ => true,
        }
    }
}

impl Serialize for Learnt<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for Entry { fact, value, length } in self.facts {
            let (name, shows) = (fact.name(), self.shows(*fact));
            if shows {
                map.serialize_entry(name, &Text(value))?;
            }
            if !shows || *length > value.len() {
                map.serialize_entry(&format_args!("{name}_length"), length)?;
            }
        }
        map.end()
    }
}

/// What a client sent: a string where it is UTF-8, else in base64.
#[derive(Clone, Copy, Debug)]
struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &base64(self.0))?;
        map.end()
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * digit) & 0x3F) as usize];
            out.push(if digit > group.len() as u32 { '=' } else { letter.into() });
        }
    }
    out
}

/// Seconds with six decimals.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Digits as they stand, since a float's own rendering drops zeros at the end.
        let digits = format!("{}.{:06}", self.0.as_secs(), self.0.subsec_micros());
        RawValue::from_string(digits).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Bytes as Python writes them: `b'...'`, or in double quotes if only single ones occur inside.
pub(crate) fn repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.push('b');
    out.push(quote.into());
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            _ if byte == quote => {
                out.push('\\');
                out.push(byte.into());
            }
            b' '..=b'~' => out.push(byte.into()),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(quote.into());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: Happening<'_>, client: &str) -> String {
        let mut out = Vec::new();
        let subject = Subject {
            name: "my_ssh",
            pattern: "ssh_trans_hold",
            client: client.parse().unwrap(),
            server: "198.51.100.1:22".parse().unwrap(),
            session: SessionId(0xAB),
            traced: true,
        };
        write(&mut out, Duration::from_micros(1_795_333_948_123_456), subject, what);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_come_in_the_promised_order() {
        assert_eq!(
            line(Happening::Open, "192.0.2.7:40000"),
            "{\"time\":1795333948.123456,\"event\":\"open\",\"name\":\"my_ssh\",\
             \"pattern\":\"ssh_trans_hold\",\"conn_info\":{\"peername\":[\"192.0.2.7\",40000],\
             \"sockname\":[\"198.51.100.1\",22]},\"meta\":null,\
             \"session\":\"00000000000000ab\"}\n"
        );
        let close = Happening::Close {
            held: Duration::from_millis(1_502),
            sent: 23,
            received: 9,
            reason: "left",
        };
        let text = line(close, "[2001:db8::7]:40000");
        assert!(text.contains("\"peername\":[\"2001:db8::7\",40000,0,0]"), "{text}");
        assert!(
            text.ends_with(
                "\"meta\":{\"request\":\"b''\"},\"session\":\"00000000000000ab\",\
                 \"duration\":1.502000,\"sent\":23,\"received\":9,\"reason\":\"left\"}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn hostile_bytes_stay_within_their_string() {
        let text = line(
            Happening::Validate { expected: false, data: b"\"}\n\x1b", comment: "no" },
            "192.0.2.7:1",
        );
        assert!(text.contains(r#""data":"b'\"}\\n\\x1b'""#), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    fn meta(facts: &[(Fact, &[u8], usize)], log_secrets: bool, log_users: bool) -> String {
        let facts: Vec<_> = facts
            .iter()
            .map(|&(fact, value, length)| Entry { fact, value: value.to_vec(), length })
            .collect();
        let discretion = Discretion { log_secrets, log_users };
        let text = line(Happening::Learn { facts: &facts, discretion }, "192.0.2.7:1");
        let (_, meta) = text.split_once("\"meta\":").unwrap();
        meta.split_once(",\"session\"").unwrap().0.to_owned()
    }

    #[test]
    fn what_a_step_taught_is_told_by_name_and_a_secret_by_its_length() {
        let guess: [(Fact, &[u8], usize); 3] = [
            (Fact::User, "r\"öt\n".as_bytes(), 6),
            (Fact::Secret, b"let'mein", 8),
            (Fact::Method, b"password", 8),
        ];
        let told = r#"{"user":"r\"öt\n","secret":"let'mein","method":"password"}"#;
        assert_eq!(meta(&guess, true, true), told);
        let told = r#"{"user":"r\"öt\n","secret_length":8,"method":"password"}"#;
        assert_eq!(meta(&guess, false, true), told);
        let told = r#"{"user_length":6,"secret":"let'mein","method":"password"}"#;
        assert_eq!(meta(&guess, true, false), told);
        let bytes: [(Fact, &[u8], usize); 2] =
            [(Fact::HttpHost, b"caf\xE9", 4), (Fact::HttpUserAgent, b"cut", 6_000)];
        let told = r#"{"http_host":{"base64":"Y2Fm6Q=="},"http_user_agent":"cut","http_user_agent_length":6000}"#;
        assert_eq!(meta(&bytes, false, false), told);
    }

    #[test]
    fn bytes_become_base64() {
        for (bytes, wanted) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xFF\xFE\xFD\xFC", "//79/A=="),
        ] {
            assert_eq!(base64(bytes), wanted);
        }
    }

    #[test]
    fn bytes_are_written_as_python_does() {
        for (bytes, wanted) in [
            (&b"SSH-"[..], "b'SSH-'"),
            (b"it's", "b\"it's\""),
            (b"'\"", "b'\\'\"'"),
            (b"\x00\x7f\xff\\", "b'\\x00\\x7f\\xff\\\\'"),
        ] {
            assert_eq!(repr(bytes), wanted);
        }
    }
}
