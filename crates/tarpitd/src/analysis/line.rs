//! One line of a trace, its texts borrowed from the bytes that were read.
//!
//! Most of a line is stepped over: the addresses are looked at where a client is opened or closed,
//! `meta` where it has facts or a reason.

use std::{
    borrow::Cow,
    collections::hash_map::DefaultHasher,
    fmt,
    hash::{Hash as _, Hasher as _},
};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};

use super::{address::Address, moment::Moment};

/// A line. Keys that it does not name are stepped over: a later tarpitd may have more.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) time: Moment,
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    pattern: Text<'a>,
    #[serde(borrow)]
    conn_info: &'a RawValue,
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<Text<'a>>,
    #[serde(borrow, default)]
    protocol: Option<Text<'a>>,
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    pub(super) sent: Option<u64>,
    #[serde(default)]
    pub(super) received: Option<u64>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(default)]
    worker_cpu: Option<f64>,
    #[serde(borrow, default)]
    country: Option<Text<'a>>,
    #[serde(default)]
    asn: Option<u32>,
    #[serde(borrow, default)]
    as_org: Option<Text<'a>>,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Close,
    Learn,
    Malformed,
    Open,
    Refuse,
    /// Of no interest here, or of a later tarpitd.
    Other,
}

/// Reads a line; the error says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Line<'_>, String> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|error| flaw(&error))?;
    let seconds = [line.duration, line.worker_cpu];
    if seconds.into_iter().flatten().any(|it| !(0.0..=LONGEST).contains(&it)) {
        return Err(format!("no duration is so long or negative: {seconds:?}"));
    }
    Ok(line)
}

/// The longest duration that is believed: a century, in seconds.
const LONGEST: f64 = 3.2e9;

fn flaw(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match error.classify() {
        Category::Eof => "it ends too early".to_owned(),
        Category::Syntax | Category::Io => format!("no JSON from column {} on", error.column()),
        Category::Data => {
            let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
            beginning(what, 80).escape_debug().to_string()
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn event(&self) -> Event {
        match &*self.event.0 {
            "close" => Event::Close,
            "learn" => Event::Learn,
            "malformed" => Event::Malformed,
            "open" => Event::Open,
            "refuse" => Event::Refuse,
            _ => Event::Other,
        }
    }

    /// The tarpit's name.
    pub(super) fn name(&self) -> &str {
        &self.name.0
    }

    pub(super) fn pattern(&self) -> &str {
        &self.pattern.0
    }

    pub(super) fn protocol(&self) -> Option<&str> {
        self.protocol.as_ref().map(|text| &*text.0)
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_ref().map(|text| &*text.0)
    }

    pub(super) fn country(&self) -> Option<&str> {
        self.country.as_ref().map(|text| &*text.0)
    }

    /// The number of the client's autonomous system and its owner's name.
    pub(super) fn system(&self) -> Option<(u32, &str)> {
        self.asn.map(|number| (number, self.as_org.as_ref().map_or("", |text| &text.0)))
    }

    /// In microseconds.
    pub(super) fn duration(&self) -> Option<u64> {
        self.duration.map(micros)
    }

    /// In microseconds.
    pub(super) fn worker_cpu(&self) -> Option<u64> {
        self.worker_cpu.map(micros)
    }

    /// The same number in all lines of one connection. The traces of tarpitd.py have no sessions:
    /// there the two addresses tell connections apart.
    pub(super) fn session(&self) -> u64 {
        let known = self.session.as_ref().and_then(|it| u64::from_str_radix(&it.0, 16).ok());
        known.unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            self.session.as_ref().map_or(self.conn_info.get(), |it| &it.0).hash(&mut hasher);
            hasher.finish()
        })
    }

    /// The client's address and port.
    pub(super) fn client(&self) -> Result<(Address, u16), String> {
        let ends: Ends<'_> =
            serde_json::from_str(self.conn_info.get()).map_err(|error| flaw(&error))?;
        Ok((Address::parse(&ends.peername.0.0), ends.peername.1))
    }

    /// The facts of `learn`, and the two reasons of `refuse` and `malformed`, by their names.
    /// What is neither text nor base64, such as a length, is left out.
    pub(super) fn facts(&self) -> Result<Facts<'a>, String> {
        let meta = self.meta.map_or("null", RawValue::get);
        serde_json::from_str(meta).map_err(|error| flaw(&error))
    }
}

#[expect(clippy::cast_sign_loss, reason = "checked when the line was read")]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// The beginning of a text, at most so many bytes.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A string that is borrowed unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Any)
    }
}

/// The two ends of a connection; only the client's is of interest.
#[derive(Deserialize)]
struct Ends<'a> {
    #[serde(borrow)]
    peername: Peer<'a>,
}

/// Address and port; for IPv6 two more numbers follow.
struct Peer<'a>(Text<'a>, u16);

impl<'de: 'a, 'a> Deserialize<'de> for Peer<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Peer<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("address and port")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Peer<'de>, A::Error> {
                let (Some(address), Some(port)) =
                    (elements.next_element()?, elements.next_element()?)
                else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Peer(address, port))
            }
        }

        deserializer.deserialize_seq(Elements)
    }
}

/// The entries of `meta` that are text.
#[derive(Debug, Default)]
pub(super) struct Facts<'a>(pub(super) Vec<(Text<'a>, Text<'a>)>);

/// The most entries that are looked at; tarpitd writes at most 64.
const MOST: usize = 128;

impl<'de: 'a, 'a> Deserialize<'de> for Facts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Meta;

        impl<'de> Visitor<'de> for Meta {
            type Value = Facts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Facts<'de>, E> {
                Ok(Facts::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts<'de>, A::Error> {
                let mut facts = Vec::new();
                while let Some(name) = map.next_key()? {
                    let Value(value) = map.next_value()?;
                    if let Some(value) = value.filter(|_| facts.len() < MOST) {
                        facts.push((name, value));
                    }
                }
                Ok(Facts(facts))
            }
        }

        deserializer.deserialize_any(Meta)
    }
}

/// A value of `meta`, if it is text.
struct Value<'a>(Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value(Some(Text(Cow::Borrowed(text)))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value(Some(Text(Cow::Owned(text.to_owned())))))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Value<'de>, E> {
                Ok(Value(None))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value<'de>, E> {
                Ok(Value(None))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Value<'de>, E> {
                Ok(Value(None))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value<'de>, E> {
                Ok(Value(None))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value<'de>, E> {
                Ok(Value(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Value<'de>, A::Error> {
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value(None))
            }

            /// Bytes that are no text: `{"base64":"..."}`.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let mut text = None;
                while let Some(name) = map.next_key::<Text<'_>>()? {
                    let Value(value) = map.next_value()?;
                    if name.0 == "base64" {
                        text = value.map(|it| Text(Cow::Owned(format!("base64:{}", it.0))));
                    }
                }
                Ok(Value(text))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        r#"{"time":1795333948.007999,"event":"open","name":"a","pattern":"ssh","conn_info":{"sockname":["::1",22,0,0],"peername":["::1",4022,0,0]},"session":"0123456789abcdef","country":"DE","asn":64500,"as_org":"Köln \u202e"}"#,
        r#"{"time":"2026-11-22T07:52:28.007Z","event":"learn","name":"a","pattern":"ssh","conn_info":{"peername":["192.0.2.7",1]},"meta":{"user":{"base64":"/w=="},"secret_length":8,"list":[1,{"x":null}]}}"#,
        r#"{"time":1795333949,"event":"close","name":"a","pattern":"ssh","conn_info":{"peername":["192.0.2.7",1]},"meta":{"request":"b''"},"duration":1.5,"sent":1,"received":2,"reason":"reset","worker_cpu":0.00012}"#,
    ];

    /// Reads everything of a line, as the sums do; the flaws that were found.
    fn read(bytes: &[u8]) -> Vec<String> {
        let line = match parse(bytes) {
            Ok(line) => line,
            Err(flaw) => return vec![flaw],
        };
        let _ = (line.event(), line.name(), line.pattern(), line.session(), line.system());
        let _ = (line.duration(), line.worker_cpu(), line.protocol(), line.reason());
        [line.client().err(), line.facts().err()].into_iter().flatten().collect()
    }

    #[test]
    fn whole_lines_have_no_flaw() {
        for line in LINES {
            assert_eq!(read(line.as_bytes()), [""; 0], "{line}");
        }
        let learn = parse(LINES[1].as_bytes()).unwrap();
        let facts = learn.facts().unwrap().0;
        let facts: Vec<_> = facts.iter().map(|(name, value)| (&*name.0, &*value.0)).collect();
        assert_eq!(facts, [("user", "base64:/w==")], "what is no text is left out");
    }

    /// Every line with each of its bytes replaced by others, and cut behind it.
    #[test]
    fn a_damaged_line_is_one_short_harmless_sentence_and_never_a_panic() {
        let mut damaged = 0;
        for line in LINES {
            for place in 0..line.len() {
                let cut = line.as_bytes()[..place].to_vec();
                let replaced =
                    [0, b'\n', b'"', b'{', b']', b'-', b'9', b'\\', 0x1B, 0xFF].map(|byte| {
                        let mut line = line.as_bytes().to_vec();
                        line[place] = byte;
                        line
                    });
                for bytes in replaced.into_iter().chain([cut]) {
                    for flaw in read(&bytes) {
                        damaged += 1;
                        assert!(!flaw.is_empty() && flaw.len() < 400, "{flaw}");
                        assert!(!flaw.chars().any(char::is_control), "{flaw:?}");
                    }
                }
            }
        }
        assert!(damaged > 1_000, "{damaged}");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = "[".repeat(100_000) + &"]".repeat(100_000);
        let with = |key| LINES[2].replacen("\"meta\":", &format!("\"{key}\":{nested},\"m\":"), 1);
        for key in ["meta", "conn_info"] {
            assert!(!read(with(key).as_bytes()).is_empty(), "{key}");
        }
        assert_eq!(
            read(with("later").as_bytes()),
            [""; 0],
            "a key of a later version is passed over"
        );
        let many: Vec<_> = (0..10_000).map(|n| format!("\"k{n}\":\"v\"")).collect();
        let line = LINES[2].replacen("\"request\":\"b''\"", &many.join(","), 1);
        assert_eq!(parse(line.as_bytes()).unwrap().facts().unwrap().0.len(), MOST);
    }
}
