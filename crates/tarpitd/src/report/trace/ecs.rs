//! An event by the Elastic Common Schema: what has a field there stands in it, and everything else
//! is a label.

use tarpit_proto::fact::{Entry, Fact};

use super::{
    Event, Happening, Kind, Learnt, Shown, Subject, fields::Fields, people::What, quote::repr,
};
use crate::{
    report::{geoip::Origin, timestamp::Timestamp},
    settings::Discretion,
};

/// The version of the schema.
const VERSION: &str = "9.4.0";

/// Appends the line to `out`.
pub(super) fn write(out: &mut Vec<u8>, discretion: Discretion, event: &Event<'_>) {
    let Event { wall, subject, what, .. } = *event;
    let Subject { name, pattern, client, server, session, .. } = subject;
    let mut fields = Fields::default();
    fields.set("@timestamp", Timestamp(wall).to_string());
    fields.set("ecs.version", VERSION);
    fields.set("event.kind", "event");
    fields.set("event.category", vec!["network"]);
    fields.set("event.type", types(what.kind()).to_vec());
    fields.set("event.module", "tarpitd");
    fields.set("event.dataset", "tarpitd.trace");
    fields.set("event.action", what.kind().name());
    fields.set("message", What { what, discretion }.to_string());
    fields.set("source.ip", client.ip().to_string());
    fields.set("source.port", client.port());
    fields.set("destination.ip", server.ip().to_string());
    fields.set("destination.port", server.port());
    fields.set("network.transport", "tcp");
    fields.set("network.type", if server.is_ipv4() { "ipv4" } else { "ipv6" });
    if let Some(protocol) = event.spoken() {
        fields.set("network.protocol", protocol);
    }
    if let Some(via) = subject.via {
        fields.set("labels.via", via.to_string());
    }
    fields.set("labels.tarpit", name);
    fields.set("labels.pattern", pattern);
    fields.set("labels.session", format!("{:016x}", session.0));
    add(&mut fields, discretion, what);
    fields.write(out);
}

/// `event.type`: what kind of news of a connection it is.
pub(super) fn types(kind: Kind) -> [&'static str; 2] {
    match kind {
        Kind::Close => ["connection", "end"],
        Kind::ConnError => ["connection", "info"],
        Kind::Learn | Kind::Malformed | Kind::Validate => ["protocol", "info"],
        Kind::Open => ["connection", "start"],
        Kind::Refuse => ["connection", "denied"],
    }
}

/// Adds the details of the event.
fn add(fields: &mut Fields, discretion: Discretion, what: Happening<'_>) {
    match what {
        Happening::Close { fd: _, held, sent, received, reason, repeats, untold, worker_cpu } => {
            fields.set("event.duration", u64::try_from(held.as_nanos()).unwrap_or(u64::MAX));
            fields.set("event.reason", reason);
            fields.set("source.bytes", received);
            fields.set("destination.bytes", sent);
            // Labels are strings.
            fields.set("labels.repeats", repeats.to_string());
            fields.set("labels.untold", untold.to_string());
            fields.set("labels.worker_cpu", format!("{:.6}", worker_cpu.as_secs_f64()));
        }
        Happening::ConnError { err, msg } => {
            fields.set("error.type", err);
            fields.set("error.message", msg);
        }
        Happening::Learn { facts, told } => {
            let learnt = Learnt { facts, told, discretion };
            for entry in learnt.facts() {
                add_fact(fields, &learnt, entry);
            }
        }
        Happening::Malformed { layer, reason } => {
            fields.set("event.reason", reason);
            fields.set("labels.layer", layer);
        }
        Happening::Open(_, Origin { country, city, asn, as_org }) => {
            let mut set = |field, text: Option<&str>| {
                if let Some(text) = text {
                    fields.set(field, text);
                }
            };
            set("source.geo.country_iso_code", country);
            set("source.geo.city_name", city);
            set("source.as.organization.name", as_org);
            if let Some(asn) = asn {
                fields.set("source.as.number", asn);
            }
        }
        Happening::Refuse { reason } => fields.set("event.reason", reason),
        Happening::Validate { expected, data, comment } => {
            fields.set("event.outcome", if expected { "success" } else { "failure" });
            fields.set("labels.data", repr(data));
            fields.set("labels.comment", comment);
        }
    }
}

fn add_fact(fields: &mut Fields, learnt: &Learnt<'_>, entry: &Entry) {
    let name = entry.fact.name();
    let (value, length) = learnt.told(entry);
    match value {
        None => {}
        Some(Shown::Base64(value)) => fields.set(&format!("labels.{name}_base64"), value),
        Some(Shown::Text(value)) => match (entry.fact, parts(value)) {
            (Fact::HttpRequest, Some((method, url, version))) if length.is_none() => {
                fields.set("http.request.method", method);
                fields.set("url.original", url);
                fields.set("http.version", version);
            }
            // A mail may have several of them.
            (Fact::SmtpMailFrom | Fact::SmtpRcptTo, _) => {
                fields.set(&field(entry.fact), vec![value]);
            }
            (fact, _) => fields.set(&field(fact), value),
        },
    }
    if let Some(length) = length {
        fields.set(&format!("labels.{name}_length"), length.to_string());
    }
}

/// The fields of a fact: the one in which it stands, or all between which it is divided.
pub(super) fn fields_of(fact: Fact) -> String {
    match fact {
        Fact::HttpRequest => {
            format!("http.request.method, url.original, http.version, {}", field(fact))
        }
        _ => field(fact),
    }
}

/// The field of a fact that is text.
fn field(fact: Fact) -> String {
    match fact {
        Fact::HttpUserAgent => "user_agent.original".into(),
        Fact::Ja3 => "tls.client.ja3".into(),
        Fact::SmtpMailFrom => "email.from.address".into(),
        Fact::SmtpRcptTo => "email.to.address".into(),
        Fact::TlsSni => "tls.client.server_name".into(),
        Fact::User => "user.name".into(),
        _ => format!("labels.{}", fact.name()),
    }
}

/// Method, target and version of an HTTP request's line, if it has all three.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let version = version.strip_prefix("HTTP/")?;
    let is_whole = words.next().is_none() && !method.is_empty() && !target.is_empty();
    is_whole.then_some((method, target, version))
}
