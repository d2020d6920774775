//! An event as one short line for a person: time, client, what happened.

use std::{fmt, io::Write as _};

use tarpit_proto::{account::Told, fact::Entry, time::Wall};

use super::{Event, Happening, Learnt, Subject, quote::shown};
use crate::{report::geoip::Origin, settings::Discretion};

/// Appends the line to `out`. A client's bytes cannot move the cursor.
pub(super) fn write(out: &mut Vec<u8>, discretion: Discretion, event: &Event<'_>) {
    let Event { wall, subject: Subject { name, client, via, .. }, protocol, what } = *event;
    let date = Wall(wall.as_secs()).date();
    let spoken = protocol.map(|protocol| format!(" ({protocol})")).unwrap_or_default();
    let via = via.map(|relay| format!(" via {relay}")).unwrap_or_default();
    let what = What { what, discretion };
    // Writing to memory cannot fail.
    let _ = writeln!(
        out,
        "{:02}:{:02}:{:02} {client}{via} {name}{spoken}: {what}",
        date.hour, date.minute, date.second
    );
}

/// What happened, in words.
pub(super) struct What<'a> {
    pub(super) what: Happening<'a>,
    pub(super) discretion: Discretion,
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Happening::Close { held, sent, received, reason, .. } => {
                let held = held.as_secs_f64();
                write!(
                    f,
                    "closed after {held:.1} s ({reason}), sent {sent} B, received {received} B"
                )
            }
            Happening::ConnError { msg, .. } => write!(f, "connection failed: {msg}"),
            Happening::Learn { facts, told } => self.learn(facts, told, f),
            Happening::Malformed { layer, reason } => write!(f, "malformed {layer} ({reason})"),
            Happening::Open(_, origin) => {
                f.write_str("opened")?;
                from(origin, f)
            }
            Happening::Refuse { reason } => write!(f, "refused ({reason})"),
            Happening::Validate { expected, data, comment } => {
                let verdict =
                    if expected { "speaks the protocol" } else { "speaks another protocol" };
                write!(f, "{verdict}, begins with {}", Escaped(data))?;
                if comment.is_empty() { Ok(()) } else { write!(f, " ({comment})") }
            }
        }
    }
}

/// Where a client comes from, as far as it is known.
fn from(origin: Origin<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Origin { country, city, asn, as_org } = origin;
    let system = asn.map(|asn| format!("AS{asn}"));
    let parts = [city, country, system.as_deref(), as_org];
    for (index, part) in parts.into_iter().flatten().enumerate() {
        let before = if index == 0 { " from " } else { ", " };
        write!(f, "{before}{}", Escaped(part.as_bytes()))?;
    }
    Ok(())
}

impl What<'_> {
    fn learn(&self, facts: &[Entry], told: Told, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let learnt = Learnt { facts, told, discretion: self.discretion };
        for (index, entry) in learnt.facts().enumerate() {
            let Entry { fact, value, length, .. } = entry;
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} ", fact.name())?;
            if !learnt.shows(*fact) {
                write!(f, "of {length} bytes")?;
            } else if *length > value.len() {
                write!(f, "{}... ({length} bytes)", Escaped(value))?;
            } else {
                write!(f, "{}", Escaped(value))?;
            }
        }
        Ok(())
    }
}

/// A client's bytes, as text if they are text, without anything that a terminal would act upon.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = shown(self.0) else { return write!(f, "{}", self.0.escape_ascii()) };
        for c in text.chars() {
            if matches!(c, '\'' | '"') {
                write!(f, "{c}")?;
            } else {
                write!(f, "{}", c.escape_debug())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tarpit_proto::fact::Fact;

    use super::{
        super::{
            Form,
            tests::{NOWHERE, SEAT, entries, styled},
        },
        *,
    };

    fn line(what: Happening<'_>, protocol: Option<&str>) -> String {
        let discretion = Discretion { log_secrets: false, log_users: true, log_forwarded: true };
        styled(what, "192.0.2.7:40000", discretion, Form::People, protocol)
    }

    #[test]
    fn each_event_is_a_short_line() {
        let facts = entries(&[
            (Fact::User, b"it's \x1b[2J\xC2\x9B", 300),
            (Fact::Secret, b"toor", 4),
            (Fact::Method, b"\xFF\x1b", 2),
        ]);
        let close = Happening::Close {
            fd: 9,
            held: Duration::from_millis(12_340),
            sent: 340,
            received: 20,
            reason: "left",
            repeats: 0,
            untold: 0,
            worker_cpu: Duration::ZERO,
        };
        for (what, wanted) in [
            (Happening::Open(SEAT, NOWHERE), "opened"),
            (
                Happening::Open(
                    SEAT,
                    Origin {
                        country: Some("DE"),
                        city: Some("K\u{9b}ln"),
                        asn: Some(64_500),
                        as_org: None,
                    },
                ),
                r"opened from K\u{9b}ln, DE, AS64500",
            ),
            (close, "closed after 12.3 s (left), sent 340 B, received 20 B"),
            (
                Happening::Learn { facts: &facts, told: Told::All },
                r"user it's \u{1b}[2J\u{9b}... (300 bytes), secret of 4 bytes, method \xff\x1b",
            ),
            (
                Happening::Validate { expected: false, data: b"GET\n", comment: "no" },
                r"speaks another protocol, begins with GET\n (no)",
            ),
            (Happening::Malformed { layer: "ssh", reason: "mac" }, "malformed ssh (mac)"),
            (Happening::Refuse { reason: "per_address" }, "refused (per_address)"),
        ] {
            assert_eq!(line(what, None), format!("07:52:28 192.0.2.7:40000 my_ssh: {wanted}\n"));
        }
        let text = line(Happening::Open(SEAT, NOWHERE), Some("redis"));
        assert_eq!(text, "07:52:28 192.0.2.7:40000 my_ssh (redis): opened\n");
    }
}
