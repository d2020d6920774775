//! Every event and every key of the trace, with what becomes of it in each format. The manual is
//! made from it, and tests compare it with what is written.

use std::borrow::Cow;

use tarpit_proto::fact::Fact;

use super::{Kind, cowrie, ecs, endlessh};

/// An event.
pub(crate) struct EventRow {
    pub(crate) kind: Kind,
    pub(crate) meaning: &'static str,
    /// The value of `event.type`.
    pub(crate) ecs: String,
    /// The value of `eventid`; facts may make others.
    pub(crate) cowrie: &'static str,
    /// The word of the line; `None`: there is no line.
    pub(crate) endlessh: Option<&'static str>,
}

/// A key.
pub(crate) struct KeyRow {
    /// The events that have it; empty: all of them.
    pub(crate) events: &'static [Kind],
    /// The key in our own format, behind those of the objects around it; empty: it has none there.
    pub(crate) name: Cow<'static, str>,
    pub(crate) meaning: Cow<'static, str>,
    /// The fields in the other formats, with commas between; empty: it is left out there.
    pub(crate) ecs: Cow<'static, str>,
    pub(crate) cowrie: Cow<'static, str>,
    pub(crate) endlessh: &'static str,
}

/// All events, in the order of a connection.
pub(crate) fn events() -> impl Iterator<Item = EventRow> {
    EVENTS.into_iter().map(|(kind, meaning)| {
        let word = match kind {
            Kind::Open => "ACCEPT",
            _ => "CLOSE",
        };
        EventRow {
            kind,
            meaning,
            ecs: ecs::types(kind).join(", "),
            cowrie: cowrie::id(kind),
            endlessh: endlessh::has(kind).then_some(word),
        }
    })
}

/// All keys, those of every event first.
pub(crate) fn keys() -> impl Iterator<Item = KeyRow> {
    let rows = KEYS.iter().map(|&(events, name, meaning, ecs, cowrie, endlessh)| KeyRow {
        events,
        name: name.into(),
        meaning: meaning.into(),
        ecs: ecs.into(),
        cowrie: cowrie.into(),
        endlessh,
    });
    // The protocol is a key of its own.
    let facts = Fact::ALL.iter().filter(|(fact, ..)| *fact != Fact::Protocol);
    rows.chain(facts.map(|&(fact, meaning, _)| KeyRow {
        events: &[Kind::Learn],
        name: format!("meta.{}", fact.name()).into(),
        meaning: meaning.into(),
        ecs: ecs::fields_of(fact).into(),
        cowrie: cowrie::key(fact).into(),
        endlessh: "",
    }))
}

/// The event of Cowrie's that this fact makes; `None`: none of its own.
pub(crate) fn cowrie_event(fact: Fact) -> Option<&'static str> {
    Some(cowrie::id_of(fact)).filter(|id| *id != cowrie::id(Kind::Learn))
}

const EVENTS: [(Kind, &str); Kind::ALL.len()] = [
    (Kind::Open, "A client connected. `meta` is null."),
    (
        Kind::Validate,
        "tarpitd compared the client's first bytes with the protocol. Absent where validation is \
         off.",
    ),
    (
        Kind::Learn,
        "The client revealed something. `meta` has the facts that belong together, by the names \
         below, such as `\"user\":\"root\",\"secret_length\":8,\"method\":\"password\"`. Each value is the \
         client's own text, or `{\"base64\":\"...\"}` where the text is not UTF-8. A longer value is \
         cut at 256 bytes, and `NAME_length` has its full length. Unless `log_secrets` is set, a \
         secret is written as `secret_length` only, and inside other values as `***`. If \
         `log_users` is false, a user is written as `user_length` only. Facts that come at \
         different times are different events, so on FTP or Telnet the secret follows its user in \
         an event of its own. A guess (the same user, secret and method) is written once for each \
         connection, compared with the last four. If an HTTP request repeats a guess, its line \
         omits the guess.",
    ),
    (
        Kind::Malformed,
        "The client broke its protocol, and tarpitd understands no more of it. The client stays \
         held. Written at most once for each layer of a connection.",
    ),
    (Kind::ConnError, "The connection failed."),
    (Kind::Close, "The connection ended. This is always its last line."),
    (Kind::Refuse, "tarpitd refused a new client. No other line is written about it."),
];

/// Events, our key, its meaning, the fields of ECS, the keys of Cowrie, those of endlessh.
type Row = (&'static [Kind], &'static str, &'static str, &'static str, &'static str, &'static str);

const KEYS: &[Row] = &[
    (
        &[],
        "time",
        "When the event happened, in seconds since 1970 with six decimals, or as `[logging] time` \
         says.",
        "@timestamp",
        "timestamp",
        "the first word",
    ),
    (&[], "event", "What happened; see below.", "event.action", "eventid", "the second word"),
    (&[], "name", "The tarpit's name.", "labels.tarpit", "sensor", ""),
    (&[], "pattern", "The pattern's name.", "labels.pattern", "pattern", ""),
    (
        &[],
        "conn_info.peername",
        "The client's address, an array of IP address and port, and for IPv6 also flow label and \
         scope.",
        "source.ip, source.port",
        "src_ip, src_port",
        "host, port",
    ),
    (
        &[],
        "conn_info.sockname",
        "The server's address, in the same form.",
        "destination.ip, destination.port",
        "dst_ip, dst_port",
        "",
    ),
    (&[], "meta", "Details of the event; see below.", "", "", ""),
    (
        &[],
        "session",
        "16 hexadecimal digits, the same in all lines of one connection.",
        "labels.session",
        "session",
        "",
    ),
    (
        &[],
        "protocol",
        "The protocol that the client speaks, on a port that serves several. With `auto` the key \
         appears once the first bytes have shown the protocol: a name that `tarpitd` knows, whether \
         or not a pattern speaks it, or `unknown`. Inside TLS, with `auto` and with `tls`, it is \
         the protocol of the inner pattern, once the handshake is complete. Before that it is \
         `tls` with `auto`, and absent with `tls`. In the formats `ecs` and `cowrie` it is the \
         protocol of the tarpit's pattern where it is absent here.",
        "network.protocol",
        "protocol",
        "",
    ),
    (
        &[],
        "via",
        "The address of the relay that named the client, in the form of `peername`. Absent where \
         the client connected itself; see BEHIND A RELAY.",
        "labels.via",
        "via",
        "",
    ),
    (
        &[Kind::Open],
        "country",
        "The country of the client's address, two letters by ISO 3166. This key and the next three \
         are there where a database of `[geoip]` knows the address.",
        "source.geo.country_iso_code",
        "country",
        "",
    ),
    (&[Kind::Open], "city", "Its city, in English.", "source.geo.city_name", "city", ""),
    (&[Kind::Open], "asn", "The number of its autonomous system.", "source.as.number", "asn", ""),
    (
        &[Kind::Open],
        "as_org",
        "The organization that runs this system.",
        "source.as.organization.name",
        "as_org",
        "",
    ),
    (&[Kind::Validate], "meta.expected", "Whether they fit.", "event.outcome", "expected", ""),
    (&[Kind::Validate], "meta.data", "At most 4 of these bytes.", "labels.data", "data", ""),
    (&[Kind::Validate], "meta.comment", "What they show.", "labels.comment", "comment", ""),
    (&[Kind::Malformed], "meta.layer", "The protocol; see below.", "labels.layer", "layer", ""),
    (&[Kind::Malformed], "meta.reason", "What is wrong.", "event.reason", "reason", ""),
    (&[Kind::ConnError], "meta.err", "The kind of error.", "error.type", "err", ""),
    (&[Kind::ConnError], "meta.msg", "The system's text.", "error.message", "msg", ""),
    (&[Kind::Close], "meta.request", "Empty.", "", "", ""),
    (
        &[Kind::Close],
        "duration",
        "How long the client was held, in seconds. `event.duration` is in nanoseconds.",
        "event.duration",
        "duration, duration_ms",
        "time",
    ),
    (
        &[Kind::Close],
        "sent",
        "Bytes sent to the client. Within TLS those before encryption, without the handshake.",
        "destination.bytes",
        "sent",
        "bytes",
    ),
    (
        &[Kind::Close],
        "received",
        "Bytes from the client, TLS and its handshake included.",
        "source.bytes",
        "received",
        "",
    ),
    (&[Kind::Close], "reason", "Why it ended; see below.", "event.reason", "reason", ""),
    (
        &[Kind::Close],
        "repeats",
        "Guesses that were not written again.",
        "labels.repeats",
        "repeats",
        "",
    ),
    (
        &[Kind::Close],
        "untold",
        "Facts beyond the limit of a connection: 32 `learn` events at once, then one in 30 \
         seconds.",
        "labels.untold",
        "untold",
        "",
    ),
    (
        &[Kind::Close],
        "worker_cpu",
        "The seconds of CPU time that the worker used since its previous `close` line, for all its \
         clients. The sum over all `close` lines is what holding them cost.",
        "labels.worker_cpu",
        "worker_cpu",
        "",
    ),
    (
        &[Kind::Refuse],
        "meta.reason",
        "The key of the limit that was reached (`clients`, `per_address`, `per_prefix`, \
         `max_clients` or `cpu`), `proxy_from` where 1024 relays' connections already wait for \
         their header, or `allowed` or `denied` where `[access]` names its address.",
        "event.reason",
        "reason",
        "",
    ),
    (
        &[Kind::Learn],
        "meta.NAME_length",
        "The full length of a value that is cut or not written, in bytes.",
        "labels.NAME_length",
        "NAME_length",
        "",
    ),
    (
        &[Kind::Learn],
        "meta.NAME.base64",
        "A value that is not UTF-8.",
        "labels.NAME_base64",
        "NAME_base64",
        "",
    ),
    (
        &[Kind::Learn],
        "",
        "The text of which `hassh` is the MD5: the lists of key exchanges, ciphers, authentication \
         codes and compressions, with semicolons between them.",
        "",
        "hasshAlgorithms",
        "",
    ),
    (
        &[Kind::Learn],
        "",
        "What an SSH client offers: arrays of names of key exchanges, host keys, ciphers, \
         authentication codes, compressions and languages, for what the client sends. They and \
         `hasshAlgorithms` are never cut. A list that is not UTF-8 is one text in base64.",
        "",
        "kexAlgs, keyAlgs, encCS, macCS, compCS, langCS",
        "",
    ),
    (&[], "", "What happened, in words.", "message", "message", ""),
    (
        &[],
        "",
        "The same in every event.",
        "ecs.version, event.kind, event.category, event.module, event.dataset, network.transport",
        "",
        "",
    ),
    (&[], "", "The kind of event.", "event.type", "", ""),
    (&[], "", "`ipv4` or `ipv6`.", "network.type", "", ""),
    (&[Kind::Open, Kind::Close], "", "The connection's file descriptor.", "", "", "fd"),
    (
        &[Kind::Open],
        "",
        "How many clients the port holds, and how many it may hold (`max_clients`).",
        "",
        "",
        "n",
    ),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use serde_json::Value;
    use tarpit_proto::{account::Told, fact::Entry};

    use super::{
        super::{
            Event, Form, Happening, Style, Subject,
            tests::{SEAT, entries, offer, styled, subject},
            write,
        },
        *,
    };
    use crate::{
        report::{anonymize::Anonymizer, geoip::Origin},
        settings::{Discretion, TimeForm},
    };

    /// Every kind of event, the facts whole, cut, and not in UTF-8.
    fn each(check: &mut dyn FnMut(Happening<'_>)) {
        let close = Happening::Close {
            fd: 9,
            held: Duration::from_secs(1),
            sent: 1,
            received: 1,
            reason: "left",
            repeats: 0,
            untold: 0,
            worker_cpu: Duration::ZERO,
        };
        for what in [
            Happening::Open(
                SEAT,
                Origin {
                    country: Some("DE"),
                    city: Some("Berlin"),
                    asn: Some(64_500),
                    as_org: Some("Example"),
                },
            ),
            Happening::Validate { expected: true, data: b"SSH-", comment: "" },
            Happening::Malformed { layer: "ssh", reason: "mac" },
            Happening::ConnError { err: "OSError", msg: "no" },
            close,
            Happening::Refuse { reason: "clients" },
        ] {
            check(what);
        }
        for value in [&b"GET / HTTP/1.1"[..], b"root", b"\xFF"] {
            for length in [value.len(), 5_000] {
                let all: Vec<Entry> = Fact::ALL
                    .iter()
                    .flat_map(|(fact, ..)| entries(&[(*fact, value, length)]))
                    .map(|entry| match entry.fact {
                        Fact::SshHassh => Entry { offer: Some(Box::new(offer(value))), ..entry },
                        _ => entry,
                    })
                    .collect();
                check(Happening::Learn { facts: &all, told: Told::All });
            }
        }
    }

    /// The paths to all values, for a path to which `is_leaf` no deeper ones.
    fn paths(
        value: &Value,
        before: &str,
        is_leaf: &dyn Fn(&str) -> bool,
        to: &mut BTreeSet<String>,
    ) {
        match value {
            Value::Object(object) if !is_leaf(before) => {
                for (key, value) in object {
                    let dot = if before.is_empty() { "" } else { "." };
                    paths(value, &format!("{before}{dot}{key}"), is_leaf, to);
                }
            }
            _ => drop(to.insert(before.to_owned())),
        }
    }

    /// The name in a row that stands for this key: of a fact's length and its base64 there is one
    /// row for all.
    fn general(key: &str) -> String {
        for (ending, row) in [("_length", "NAME_length"), ("base64", "NAME")] {
            if let Some(name) = key.strip_suffix(ending) {
                let place = name.find("meta.").map_or("", |_| "meta.");
                let place = name.find("labels.").map_or(place, |_| "labels.");
                let joint = name.chars().last().filter(|_| row == "NAME");
                let joint = joint.map(|joint| format!("{joint}base64")).unwrap_or_default();
                return format!("{place}{row}{joint}");
            }
        }
        key.to_owned()
    }

    /// All keys that are written in `form`.
    fn written(form: Form) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        each(&mut |what| {
            let via = Some("198.51.100.7:1".parse().unwrap());
            let subject = Subject { via, ..subject("192.0.2.7:1") };
            let event = Event { wall: Duration::ZERO, subject, protocol: Some("ssh"), what };
            let discretion = Discretion { log_secrets: true, log_users: true, log_forwarded: true };
            let style = Style { discretion, form, anonymizer: Anonymizer::Whole };
            let mut lines = Vec::new();
            write(&mut lines, style, &event);
            for line in str::from_utf8(&lines).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let mut keys = BTreeSet::new();
                paths(&line, "", &|_| false, &mut keys);
                found.extend(keys.iter().map(|key| general(key)));
            }
        });
        found
    }

    fn listed(column: impl Fn(&KeyRow) -> String) -> BTreeSet<String> {
        let all = keys().map(|row| column(&row)).collect::<Vec<_>>().join(", ");
        all.split(", ").filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_that_is_written_has_its_row_and_every_row_is_written() {
        let own = written(Form::Json(TimeForm::Epoch));
        let own_rows = listed(|row| row.name.to_string());
        assert_eq!(own, own_rows);
        assert_eq!(written(Form::Ecs), listed(|row| row.ecs.to_string()));
        assert_eq!(written(Form::Cowrie), listed(|row| row.cowrie.to_string()));
    }

    #[test]
    fn every_event_has_its_row_and_its_id() {
        let kinds: Vec<_> = events().map(|row| row.kind as usize).collect();
        assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), Kind::ALL.len());
        each(&mut |what| {
            let row = events().find(|row| row.kind == what.kind()).unwrap();
            let discretion = Discretion { log_secrets: true, log_users: true, log_forwarded: true };
            let line = styled(what, "192.0.2.7:1", discretion, Form::Endlessh, None);
            match row.endlessh {
                Some(word) => assert!(line.contains(&format!("Z {word} host=")), "{line}"),
                None => assert_eq!(line, ""),
            }
            let lines = styled(what, "192.0.2.7:1", discretion, Form::Cowrie, None);
            for line in lines.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let id = line["eventid"].as_str().unwrap();
                let by_fact = || Fact::ALL.iter().any(|(fact, ..)| cowrie_event(*fact) == Some(id));
                assert!(id == row.cowrie || row.kind == Kind::Learn && by_fact(), "{id}");
            }
        });
    }
}
