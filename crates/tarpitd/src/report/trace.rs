//! The clients' trace: one JSON object a line, keys in a fixed order; or a line for people.

mod people;

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use serde::{
    Serialize,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;
use tarpit_proto::{
    account::Told,
    fact::{Entry, Fact},
    session::SessionId,
};

use crate::{
    report::timestamp::Timestamp,
    settings::{Discretion, TimeForm},
};

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) discretion: Discretion,
    pub(crate) form: Form,
}

/// For whom lines are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// For programs: JSON.
    Json(TimeForm),
    /// For somebody who looks on at a terminal.
    People,
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
        /// Guesses that were not told again, and facts beyond the bound of a connection.
        repeats: u32,
        untold: u32,
    },
    ConnError {
        err: &'a str,
        msg: &'a str,
    },
    /// Facts that belong together; of those of a guess none, where it has been told.
    Learn {
        facts: &'a [Entry],
        told: Told,
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

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Close,
    ConnError,
    Learn,
    Open,
    Refuse,
    Validate,
}

impl Kind {
    /// All of them; each stands at the place of its number.
    pub(crate) const ALL: [Self; 6] =
        [Self::Close, Self::ConnError, Self::Learn, Self::Open, Self::Refuse, Self::Validate];

    /// The name in the trace.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::ConnError => "conn_error",
            Self::Learn => "learn",
            Self::Open => "open",
            Self::Refuse => "refuse",
            Self::Validate => "validate",
        }
    }

    /// Whether it is left out last, where not all can be written.
    pub(crate) fn comes_first(self) -> bool {
        matches!(self, Self::Close | Self::Open)
    }
}

impl Happening<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Happening::Close { .. } => Kind::Close,
            Happening::ConnError { .. } => Kind::ConnError,
            Happening::Learn { .. } => Kind::Learn,
            Happening::Open => Kind::Open,
            Happening::Refuse { .. } => Kind::Refuse,
            Happening::Validate { .. } => Kind::Validate,
        }
    }
}

/// Appends the line to `out`. `protocol` is what the client is known to speak, where that had to be
/// found out.
pub(crate) fn write(
    out: &mut Vec<u8>,
    wall: Duration,
    style: Style,
    subject: Subject<'_>,
    protocol: Option<&str>,
    what: Happening<'_>,
) {
    match style.form {
        Form::Json(time) => {
            let time = Moment { wall, form: time };
            write_json(out, time, style.discretion, subject, protocol, what);
        }
        Form::People => people::write(out, wall, style.discretion, subject, protocol, what),
    }
}

fn write_json(
    out: &mut Vec<u8>,
    time: Moment,
    discretion: Discretion,
    subject: Subject<'_>,
    protocol: Option<&str>,
    what: Happening<'_>,
) {
    let mut end = None;
    let event = what.kind().name();
    let meta = match what {
        Happening::Close { held, sent, received, reason, repeats, untold } => {
            let duration = Seconds(held);
            end = Some(End { duration, sent, received, reason, repeats, untold });
            Meta::Close { request: repr(b"") }
        }
        Happening::ConnError { err, msg } => Meta::ConnError { err, msg },
        Happening::Learn { facts, told } => Meta::Learn(Learnt { facts, told, discretion }),
        Happening::Open => Meta::Nothing,
        Happening::Refuse { reason } => Meta::Refuse { reason },
        Happening::Validate { expected, data, comment } => {
            Meta::Validate { expected, data: repr(data), comment }
        }
    };
    let Subject { name, pattern, client, server, session, .. } = subject;
    let line = Line {
        time,
        event,
        name,
        pattern,
        conn_info: Ends { peername: End4or6::of(client), sockname: End4or6::of(server) },
        meta,
        session: format!("{:016x}", session.0),
        protocol,
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

/// A line of the trace. The names and the order of the first six keys are a promise.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: Moment,
    event: &'static str,
    name: &'a str,
    pattern: &'a str,
    conn_info: Ends,
    meta: Meta<'a>,
    session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(flatten)]
    end: Option<End>,
}

/// What stands behind the reference's keys when a client is gone.
#[derive(Debug, Serialize)]
struct End {
    duration: Seconds,
    sent: u64,
    received: u64,
    reason: &'static str,
    repeats: u32,
    untold: u32,
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
    told: Told,
    discretion: Discretion,
}

impl<'a> Learnt<'a> {
    /// Those that are written. The protocol has a key of its own.
    fn facts(&self) -> impl Iterator<Item = &'a Entry> {
        let told = self.told;
        self.facts.iter().filter(move |Entry { fact, .. }| {
            *fact != Fact::Protocol && !(told == Told::Beside && fact.is_of_guess())
        })
    }

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
        for Entry { fact, value, length } in self.facts() {
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
        if let Some(text) = shown(self.0) {
            let json = harmless(text).map_err(S::Error::custom)?;
            return RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &base64(self.0))?;
        map.end()
    }
}

/// The value as text, if it is UTF-8, but for a letter that was cut at the end.
fn shown(value: &[u8]) -> Option<&str> {
    match std::str::from_utf8(value) {
        Ok(text) => Some(text),
        Err(error) if value.len() == Fact::SHOWN && error.error_len().is_none() => {
            std::str::from_utf8(&value[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// The text as a JSON string in which nothing moves a terminal's cursor or turns its writing
/// around: JSON itself has only the first 32 control characters escaped.
fn harmless(text: &str) -> serde_json::Result<String> {
    let json = serde_json::to_string(text)?;
    if json.chars().all(|c| !is_harmful(c)) {
        return Ok(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// Whether a terminal may do something at this character other than show it.
fn is_harmful(c: char) -> bool {
    // Of quotes and backslashes JSON takes care itself.
    !matches!(c, '\'' | '"' | '\\') && c.escape_debug().nth(1).is_some()
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

/// When something happened.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: Duration,
    form: TimeForm,
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            TimeForm::Epoch => Seconds(self.wall).serialize(serializer),
            TimeForm::Rfc3339 => serializer.collect_str(&Timestamp(self.wall)),
        }
    }
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

    const DISCREET: Discretion = Discretion { log_secrets: false, log_users: true };

    /// When everything happens in tests.
    const WALL: Duration = Duration::from_micros(1_795_333_948_123_456);

    pub(super) fn subject(client: &str) -> Subject<'_> {
        Subject {
            name: "my_ssh",
            pattern: "ssh_trans_hold",
            client: client.parse().unwrap(),
            server: "198.51.100.1:22".parse().unwrap(),
            session: SessionId(0xAB),
            traced: true,
        }
    }

    pub(super) fn entries(facts: &[(Fact, &[u8], usize)]) -> Vec<Entry> {
        let entry = |&(fact, value, length): &(Fact, &[u8], usize)| Entry {
            fact,
            value: value.to_vec(),
            length,
        };
        facts.iter().map(entry).collect()
    }

    fn line(what: Happening<'_>, client: &str) -> String {
        styled(what, client, DISCREET, Form::Json(TimeForm::Epoch), None)
    }

    pub(super) fn styled(
        what: Happening<'_>,
        client: &str,
        discretion: Discretion,
        form: Form,
        protocol: Option<&str>,
    ) -> String {
        let mut out = Vec::new();
        write(&mut out, WALL, Style { discretion, form }, subject(client), protocol, what);
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
            repeats: 8,
            untold: 0,
        };
        let text = line(close, "[2001:db8::7]:40000");
        assert!(text.contains("\"peername\":[\"2001:db8::7\",40000,0,0]"), "{text}");
        assert!(
            text.ends_with(
                "\"meta\":{\"request\":\"b''\"},\"session\":\"00000000000000ab\",\
                 \"duration\":1.502000,\"sent\":23,\"received\":9,\"reason\":\"left\",\"repeats\":8,\
                 \"untold\":0}\n"
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
        meta_of(facts, Told::All, Discretion { log_secrets, log_users })
    }

    fn meta_of(facts: &[(Fact, &[u8], usize)], told: Told, discretion: Discretion) -> String {
        let learn = Happening::Learn { facts: &entries(facts), told };
        let text = styled(learn, "192.0.2.7:1", discretion, Form::Json(TimeForm::Epoch), None);
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
    fn time_and_protocol_stand_where_they_are_promised() {
        let form = Form::Json(TimeForm::Rfc3339);
        let text = styled(Happening::Open, "192.0.2.7:1", DISCREET, form, Some("redis"));
        assert!(text.starts_with("{\"time\":\"2026-11-22T07:52:28.123Z\",\"event\":\"open\""));
        assert!(text.ends_with("\"session\":\"00000000000000ab\",\"protocol\":\"redis\"}\n"));
    }

    #[test]
    fn a_guess_that_was_told_and_the_protocol_are_no_facts_of_an_event() {
        let facts: [(Fact, &[u8], usize); 4] = [
            (Fact::Protocol, b"http", 4),
            (Fact::HttpRequest, b"GET /", 5),
            (Fact::User, b"root", 4),
            (Fact::Secret, b"toor", 4),
        ];
        let told = r#"{"http_request":"GET /"}"#;
        assert_eq!(meta_of(&facts, Told::Beside, DISCREET), told);
        let told = r#"{"http_request":"GET /","user":"root","secret_length":4}"#;
        assert_eq!(meta_of(&facts, Told::All, DISCREET), told);
    }

    #[test]
    fn nothing_in_a_value_moves_a_cursor() {
        let value = "a\u{9b}2J\u{7f}\u{202e}\u{1f600}\u{e0001}\u{1b}".as_bytes();
        let told = r#"{"user":"a\u009b2J\u007f\u202e😀\udb40\udc01\u001b"}"#;
        let text = meta(&[(Fact::User, value, value.len())], false, true);
        assert_eq!(text, told);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["user"].as_str().unwrap().as_bytes(), value);
    }

    #[test]
    fn a_letter_that_was_cut_makes_no_base64() {
        let mut value = vec![b'a'; Fact::SHOWN - 1];
        value.push("ö".as_bytes()[0]);
        let text = meta(&[(Fact::User, &value, 300)], false, true);
        assert_eq!(text, format!("{{\"user\":\"{}\",\"user_length\":300}}", "a".repeat(255)));
        // So much came of it, and no more.
        assert!(meta(&[(Fact::User, b"a\xC3", 2)], false, true).contains("base64"));
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
