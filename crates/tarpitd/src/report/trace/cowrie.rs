//! An event as Cowrie would write it: by its event ids and keys where it has them.
//!
//! Other events have ids that begin with `tarpitd.`, and other keys have tarpitd's own names. What
//! one step taught is one event here and may be several of Cowrie's; then it is several lines.

use serde_json::Value;
use tarpit_proto::{
    fact::{Entry, Fact},
    ssh_offer::SshOffer,
};

use super::{
    Event, Happening, Kind, Learnt, Shown, Subject, fields::Fields, people::What, quote::repr,
};
use crate::{
    report::{geoip::Origin, timestamp::Micros},
    settings::Discretion,
};

/// Appends the lines to `out`.
pub(super) fn write(out: &mut Vec<u8>, discretion: Discretion, event: &Event<'_>) {
    let Happening::Learn { facts, told } = event.what else {
        let mut fields = common(id(event.what.kind()), discretion, event);
        add(&mut fields, event.what);
        return fields.write(out);
    };
    let learnt = Learnt { facts, told, discretion };
    let mut rest: Vec<_> = learnt.facts().collect();
    for (id, of) in GROUPS {
        let (group, others): (Vec<&Entry>, _) =
            rest.iter().partition(|entry| of.contains(&entry.fact));
        // A name without a secret is no login yet.
        if group.iter().any(|entry| entry.fact == of[0]) {
            write_facts(out, id, &group, &learnt, event);
            rest = others;
        }
    }
    if !rest.is_empty() {
        write_facts(out, id(Kind::Learn), &rest, &learnt, event);
    }
}

/// Events of Cowrie's with the facts that they consist of. The first fact makes the event.
const GROUPS: [(&str, &[Fact]); 5] = [
    ("cowrie.client.version", &[Fact::SshIdent]),
    ("cowrie.client.kex", &[Fact::SshHassh]),
    ("cowrie.client.fingerprint", &[Fact::SshKey, Fact::User, Fact::Method]),
    ("cowrie.login.failed", &[Fact::Secret, Fact::User, Fact::Method]),
    ("cowrie.command.input", &[Fact::Command]),
];

/// The key of the text of which `hassh` is the MD5.
pub(super) const HASSH_ALGORITHMS: &str = "hasshAlgorithms";

/// The keys of the lists of an SSH client's offer.
pub(super) const LISTS: [&str; SshOffer::LISTS] =
    ["kexAlgs", "keyAlgs", "encCS", "macCS", "compCS", "langCS"];

/// The id of an event that is one line.
pub(super) fn id(kind: Kind) -> &'static str {
    match kind {
        Kind::Close => "cowrie.session.closed",
        Kind::ConnError => "tarpitd.conn_error",
        Kind::Learn => "tarpitd.learn",
        Kind::Malformed => "tarpitd.malformed",
        Kind::Open => "cowrie.session.connect",
        Kind::Refuse => "tarpitd.refuse",
        Kind::Validate => "tarpitd.validate",
    }
}

/// The event that this fact makes.
pub(super) fn id_of(fact: Fact) -> &'static str {
    let makes = |(_, of): &&(&str, &[Fact])| of[0] == fact;
    GROUPS.iter().find(makes).map_or(id(Kind::Learn), |(id, _)| id)
}

/// The key of a fact.
pub(super) fn key(fact: Fact) -> &'static str {
    match fact {
        Fact::Command => "input",
        Fact::Secret => "password",
        Fact::SshHassh => "hassh",
        Fact::SshIdent => "version",
        Fact::SshKey => "fingerprint",
        Fact::User => "username",
        _ => fact.name(),
    }
}

/// What every line has.
fn common(id: &str, discretion: Discretion, event: &Event<'_>) -> Fields {
    let Event { wall, subject, what, .. } = *event;
    let Subject { name, pattern, client, server, session, .. } = subject;
    let mut fields = Fields::default();
    fields.set("eventid", id);
    fields.set("timestamp", Micros(wall).to_string());
    fields.set("session", format!("{:016x}", session.0));
    fields.set("src_ip", client.ip().to_string());
    fields.set("src_port", client.port());
    fields.set("dst_ip", server.ip().to_string());
    fields.set("dst_port", server.port());
    if let Some(protocol) = event.spoken() {
        fields.set("protocol", protocol);
    }
    if let Some(via) = subject.via {
        fields.set("via", via.to_string());
    }
    fields.set("sensor", name);
    fields.set("pattern", pattern);
    fields.set("message", What { what, discretion }.to_string());
    fields
}

/// Adds the details of the event.
fn add(fields: &mut Fields, what: Happening<'_>) {
    match what {
        Happening::Close { fd: _, held, sent, received, reason, repeats, untold, worker_cpu } => {
            fields.set("duration", held.as_secs_f64());
            fields.set("duration_ms", u64::try_from(held.as_millis()).unwrap_or(u64::MAX));
            fields.set("sent", sent);
            fields.set("received", received);
            fields.set("reason", reason);
            fields.set("repeats", repeats);
            fields.set("untold", untold);
            fields.set("worker_cpu", worker_cpu.as_secs_f64());
        }
        Happening::ConnError { err, msg } => {
            fields.set("err", err);
            fields.set("msg", msg);
        }
        Happening::Malformed { layer, reason } => {
            fields.set("layer", layer);
            fields.set("reason", reason);
        }
        Happening::Learn { .. } => {}
        Happening::Open(_, Origin { country, city, asn, as_org }) => {
            for (key, text) in [("country", country), ("city", city), ("as_org", as_org)] {
                if let Some(text) = text {
                    fields.set(key, text);
                }
            }
            if let Some(asn) = asn {
                fields.set("asn", asn);
            }
        }
        Happening::Refuse { reason } => fields.set("reason", reason),
        Happening::Validate { expected, data, comment } => {
            fields.set("expected", expected);
            fields.set("data", repr(data));
            fields.set("comment", comment);
        }
    }
}

/// Appends a line with these facts.
fn write_facts(
    out: &mut Vec<u8>,
    id: &str,
    facts: &[&Entry],
    learnt: &Learnt<'_>,
    event: &Event<'_>,
) {
    let mut fields = common(id, learnt.discretion, event);
    for entry in facts {
        let key = key(entry.fact);
        let (value, length) = learnt.told(entry);
        if let Some(value) = value {
            set(&mut fields, key, &value, |text| text.into());
        }
        if let Some(length) = length {
            fields.set(&format!("{key}_length"), length);
        }
        if let Some(offer) = &entry.offer {
            add_offer(&mut fields, offer);
        }
    }
    fields.write(out);
}

/// Adds the lists of which an SSH client's fingerprint is made.
fn add_offer(fields: &mut Fields, offer: &SshOffer) {
    let algorithms = offer.hassh_algorithms();
    set(fields, HASSH_ALGORITHMS, &Shown::whole(&algorithms), |text| text.into());
    for (key, list) in LISTS.into_iter().zip(offer.lists()) {
        set(fields, key, &Shown::whole(list), |names| names.split(',').collect());
    }
}

/// Sets a key to what becomes of the text, or its own key for what is no text.
fn set(fields: &mut Fields, key: &str, value: &Shown<'_>, of_text: fn(&str) -> Value) {
    match value {
        Shown::Base64(value) => fields.set(&format!("{key}_base64"), value.as_str()),
        Shown::Text(text) => fields.set(key, of_text(text)),
    }
}
