//! The sentences, headings and times that every form of the report for people has.

use super::{
    moment::Moment,
    summary::{Amount, Holds, LOGIN, Row, Summary, Table, seconds},
    timeline::MOST_HOURS,
};
use crate::report::units::{count, duration, harmless, in_words, plural, span};

/// The facts that have a table, with its heading.
pub(super) const TITLES: [(&str, &str); 15] = [
    ("user", "User names"),
    ("secret", "Passwords"),
    (LOGIN, "User names with passwords"),
    ("method", "Ways to log in"),
    ("ssh_ident", "SSH clients, by identification"),
    ("ssh_hassh", "SSH clients, by HASSH"),
    ("ssh_key", "SSH keys offered"),
    ("ja4", "TLS clients, by JA4"),
    ("tls_sni", "Names asked for in TLS"),
    ("http_user_agent", "User-Agents"),
    ("http_request", "HTTP requests"),
    ("http_host", "HTTP hosts"),
    ("smtp_helo", "Names in HELO and EHLO"),
    ("telnet_terminal", "Telnet terminals"),
    ("command", "Commands"),
];

/// What the attackers' time comes to.
pub(super) fn headline(summary: &Summary) -> String {
    let held = in_words(summary.held_seconds);
    let cost = summary.worker_cpu_seconds.map(in_words);
    let cost = cost.map(|cost| format!(" with {cost} of our CPU time")).unwrap_or_default();
    format!("tarpitd held {held} of attackers' time{cost}.")
}

/// How many clients were held at once, on average.
pub(super) fn at_once(summary: &Summary) -> String {
    let at_once = summary.held_at_once;
    #[expect(clippy::cast_sign_loss, reason = "a part of a number of clients")]
    let whole = at_once.round() as u64;
    if at_once < 99.95 { format!("{at_once:.1}") } else { count(whole) }
}

/// What a reader must know to take the figures for what they are.
pub(super) fn notes(summary: &Summary) -> Vec<String> {
    let Summary { trace, clients, .. } = summary;
    let mut notes = Vec::new();
    if clients.before > 0 {
        let before = plural(clients.before, "client");
        notes.push(format!("{before} came before the time that is shown."));
    }
    if clients.still > 0 {
        let (still, held) = (plural(clients.still, "client"), duration(clients.still_held_seconds));
        notes.push(format!(
            "{still} had no `close` line by the end; the time until then, {held}, is counted, \
             the bytes are not."
        ));
    }
    if summary.worker_cpu_seconds.is_some() {
        notes.push(
            "CPU time is that of the workers (`worker_cpu` in the trace), without the kernel's work \
             on packets."
                .to_owned(),
        );
    }
    if trace.repeated > 0 {
        let repeated = plural(trace.repeated, "line");
        notes.push(format!("{repeated} stood in more than one file; each was counted once."));
    }
    if trace.damaged > 0 {
        let damaged = plural(trace.damaged, "line");
        notes.push(format!("{damaged} could not be read."));
    }
    if trace.broken > 0 {
        let broken = plural(trace.broken, "file");
        notes.push(format!("{broken} could not be read to the end."));
    }
    if trace.left_out_of_hours > 0 {
        notes.push(format!(
            "The pictures show the last {} hours; {} before are in no hour and no day.",
            count(MOST_HOURS as u64),
            plural(trace.left_out_of_hours, "event")
        ));
    }
    if let Some(most) = summary.most_followed() {
        notes.push(format!(
            "More than {} clients were open at once; {} were counted at their end only.",
            count(most as u64),
            count(clients.unfollowed)
        ));
    }
    notes
}

/// How many different ones there are.
pub(super) fn about(table: &Table, one: &str, many: &str) -> String {
    let about = if table.too_low_by > 0 { "about " } else { "" };
    format!("{about}{} {}", count(table.distinct), if table.distinct == 1 { one } else { many })
}

/// The heading of a table, with how many rows it has of how many.
pub(super) fn titled(title: &str, table: &Table) -> String {
    let shown = table.rows.len() as u64;
    match (table.too_low_by, table.distinct > shown) {
        (0, false) => title.to_owned(),
        (0, true) => format!("{title} ({} of {})", count(shown), count(table.distinct)),
        _ => format!("{title} ({} of about {})", count(shown), count(table.distinct)),
    }
}

/// What a row is of.
pub(super) fn named(row: &Row) -> String {
    let mut name = harmless(&row.name);
    if let Some(owner) = &row.owner {
        name += " ";
        name += &harmless(owner);
    }
    if name.is_empty() { "(empty)".to_owned() } else { name }
}

/// The classes of stays, with what each is called.
pub(super) fn classes(holds: &Holds) -> impl Iterator<Item = (String, Amount)> {
    let mut from = 0;
    holds.distribution.iter().map(move |class| {
        let name = match class.below_seconds {
            Some(below) if from == 0 => format!("under {}", span(below)),
            Some(below) => format!("{} to {}", span(from), span(below)),
            None => format!("over {}", span(from)),
        };
        from = class.below_seconds.unwrap_or(0);
        (name, class.amount)
    })
}

/// From when until when, and how long that is.
pub(super) fn period(from: Moment, until: Moment) -> String {
    let length = duration(seconds(until.since(from)));
    format!("{} to {} UTC ({length})", minute(from), minute(until))
}

/// `2026-11-22`.
pub(super) fn day(moment: Moment) -> String {
    moment.to_string()[..10].to_owned()
}

/// `2026-11-22 07:52`.
pub(super) fn minute(moment: Moment) -> String {
    moment.to_string()[..16].replace('T', " ")
}

/// A count, as a picture needs it.
#[expect(clippy::cast_precision_loss, reason = "it is for a picture, or below 2^53")]
pub(super) fn exact(count: u64) -> f64 {
    count as f64
}
