//! An event as a JSON object on one line, keys in a fixed order.

use std::{net::SocketAddr, time::Duration};

use serde::{
    Serialize,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;

use super::{
    Event, Happening, Learnt, Shown, Subject,
    quote::{harmless, repr},
};
use crate::{
    report::{geoip::Origin, timestamp::Timestamp},
    settings::{Discretion, TimeForm},
};

/// Appends the line to `out`.
pub(super) fn write(out: &mut Vec<u8>, form: TimeForm, discretion: Discretion, event: &Event<'_>) {
    let Event { wall, subject, protocol, what } = *event;
    let (mut end, mut from) = (None, None);
    let event = what.kind().name();
    let meta = match what {
        Happening::Close { fd: _, held, sent, received, reason, repeats, untold, worker_cpu } => {
            let (duration, worker_cpu) = (Seconds(held), Seconds(worker_cpu));
            end = Some(End { duration, sent, received, reason, repeats, untold, worker_cpu });
            Meta::Close { request: repr(b"") }
        }
        Happening::ConnError { err, msg } => Meta::ConnError { err, msg },
        Happening::Learn { facts, told } => Meta::Learn(Learnt { facts, told, discretion }),
        Happening::Malformed { layer, reason } => Meta::Malformed { layer, reason },
        Happening::Open(_, origin) => {
            from = Some(Provenance::of(origin));
            Meta::Nothing
        }
        Happening::Refuse { reason } => Meta::Refuse { reason },
        Happening::Validate { expected, data, comment } => {
            Meta::Validate { expected, data: repr(data), comment }
        }
    };
    let Subject { name, pattern, client, server, via, session, .. } = subject;
    let line = Line {
        time: Moment { wall, form },
        event,
        name,
        pattern,
        conn_info: Ends { peername: Endpoint::of(client), sockname: Endpoint::of(server) },
        meta,
        session: format!("{:016x}", session.0),
        protocol,
        via: via.map(Endpoint::of),
        from,
        end,
    };
    let before = out.len();
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    } else {
        // A line is written whole or not at all.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<Endpoint>,
    #[serde(flatten)]
    from: Option<Provenance<'a>>,
    #[serde(flatten)]
    end: Option<End>,
}

/// Keys of `open` where it is known where the client comes from.
#[derive(Debug, Serialize)]
struct Provenance<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_org: Option<Shown<'a>>,
}

impl<'a> Provenance<'a> {
    fn of(Origin { country, city, asn, as_org }: Origin<'a>) -> Self {
        let [country, city, as_org] = [country, city, as_org].map(|text| text.map(Shown::Text));
        Self { country, city, asn, as_org }
    }
}

/// Keys of `close` that tarpitd.py does not have; they come last.
#[derive(Debug, Serialize)]
struct End {
    duration: Seconds,
    sent: u64,
    received: u64,
    reason: &'static str,
    repeats: u32,
    untold: u32,
    worker_cpu: Seconds,
}

#[derive(Debug, Serialize)]
struct Ends {
    peername: Endpoint,
    sockname: Endpoint,
}

/// An address as Python's sockets have it: two elements, or four for IPv6.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Endpoint {
    V4(String, u16),
    V6(String, u16, u32, u32),
}

impl Endpoint {
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
    Malformed { layer: &'static str, reason: &'static str },
    Nothing,
    Refuse { reason: &'static str },
    Validate { expected: bool, data: String, comment: &'a str },
}

impl Serialize for Learnt<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for entry in self.facts() {
            let name = entry.fact.name();
            let (value, length) = self.told(entry);
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
            if let Some(length) = length {
                map.serialize_entry(&format_args!("{name}_length"), &length)?;
            }
        }
        map.end()
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Base64(value) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", value)?;
                map.end()
            }
            Self::Text(text) => {
                let json = serde_json::to_string(text).map_err(S::Error::custom)?;
                let json = harmless(&json).into_owned();
                RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
            }
        }
    }
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
        // Six digits always; formatting a float would drop trailing zeros.
        let digits = format!("{}.{:06}", self.0.as_secs(), self.0.subsec_micros());
        RawValue::from_string(digits).map_err(S::Error::custom)?.serialize(serializer)
    }
}
