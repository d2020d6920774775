//! The clients' trace: one JSON object a line, keys in a fixed order.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use serde::{Serialize, ser::Error as _};
use serde_json::value::RawValue;
use tarpit_proto::session::SessionId;

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
    /// `value` is absent where it is kept secret.
    Learn {
        fact: &'static str,
        value: Option<&'a [u8]>,
        length: usize,
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
        Happening::Learn { fact, value, length } => {
            ("learn", Meta::Learn { fact, value: value.map(repr), length })
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
    Close {
        request: String,
    },
    ConnError {
        err: &'a str,
        msg: &'a str,
    },
    Learn {
        fact: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        length: usize,
    },
    Nothing,
    Refuse {
        reason: &'static str,
    },
    Validate {
        expected: bool,
        data: String,
        comment: &'a str,
    },
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

    #[test]
    fn what_is_learnt_is_told_and_a_secret_by_its_length() {
        let user = Happening::Learn { fact: "user", value: Some(b"ro\"ot\n"), length: 6 };
        let text = line(user, "192.0.2.7:1");
        let meta = r#""meta":{"fact":"user","value":"b'ro\"ot\\n'","length":6}"#;
        assert!(text.contains(meta), "{text}");
        let secret = Happening::Learn { fact: "secret", value: None, length: 8 };
        let text = line(secret, "192.0.2.7:1");
        assert!(text.contains(r#""meta":{"fact":"secret","length":8}"#), "{text}");
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
