//! The report as text: a screenful or two, to be pasted into a chat.

use std::{env, fmt::Write as _};

use super::{
    moment::Moment,
    summary::{Amount, LOGIN, Row, Span, Summary, Table},
};
use crate::report::units::{bytes, count, duration, harmless, in_words, percent, plural};

/// The characters of which pictures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Ascii,
    Blocks,
}

/// The most characters of a name in a table.
const WIDE: usize = 60;

/// The width of the bars, and of the pictures over time.
const BAR: usize = 20;
const PICTURE: usize = 60;

impl Look {
    /// What the environment says of the terminal's characters.
    pub(super) fn of_terminal() -> Self {
        let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        let chosen = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let chosen = chosen.unwrap_or_default().to_ascii_lowercase();
        if chosen.contains("utf-8") || chosen.contains("utf8") { Self::Blocks } else { Self::Ascii }
    }

    /// A column whose height is `part` of `whole`.
    fn level(self, part: f64, whole: f64) -> char {
        let levels: &[char] = match self {
            Self::Ascii => &['_', '.', '-', '=', '+', '*', '#', '@'],
            Self::Blocks => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        };
        if part <= 0.0 || whole <= 0.0 {
            return ' ';
        }
        levels[steps(part, whole, levels.len()).clamp(1, levels.len()) - 1]
    }

    /// A bar whose length is `part` of `whole`.
    fn bar(self, part: f64, whole: f64) -> String {
        if part <= 0.0 || whole <= 0.0 {
            return String::new();
        }
        match self {
            Self::Ascii => "#".repeat(steps(part, whole, BAR).max(1)),
            Self::Blocks => {
                let eighths = steps(part, whole, 8 * BAR).max(1);
                let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
                "█".repeat(eighths / 8) + rest
            }
        }
    }
}

/// `part` of `whole`, in so many steps.
#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a small number of steps")]
fn steps(part: f64, whole: f64, all: usize) -> usize {
    (part / whole * all as f64).round() as usize
}

/// The whole report.
pub(super) fn render(summary: &Summary, look: Look) -> String {
    let mut text = Text { text: String::new(), look };
    if summary.clients.held == 0 && summary.clients.refused == 0 {
        let lines = plural(summary.trace.lines, "line");
        text.line(&format!("No client is in the trace ({lines})."));
        text.notes(summary);
        return text.text;
    }
    text.headline(summary);
    text.pictures(summary);
    text.holds(summary);
    text.tables(summary);
    text.longest(summary);
    text.notes(summary);
    text.text
}

/// The text so far.
struct Text {
    text: String,
    look: Look,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }

    /// A heading, after an empty line.
    fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.line(heading);
    }

    fn headline(&mut self, summary: &Summary) {
        self.line(&headline(summary));
        self.text.push('\n');
        let Summary { trace, clients, holds, .. } = summary;
        self.line(&format!("  {:<10}{}", "time", period(trace.from, trace.until)));
        let mut who = format!(
            "{} from {} in {}",
            plural(clients.held, "client"),
            about(&summary.addresses, "address", "addresses"),
            about(&summary.networks, "network", "networks"),
        );
        if clients.refused > 0 {
            // Writing to a string cannot fail.
            let _ = write!(who, "; {} refused", count(clients.refused));
        }
        self.line(&format!("  {:<10}{who}", "clients"));
        let mut held = format!("{:.1} at once on average", summary.held_at_once);
        if clients.still > 0 {
            // As above.
            let _ = write!(held, "; {} still there at the end", count(clients.still));
        }
        self.line(&format!("  {:<10}{held}", "held"));
        self.line(&format!(
            "  {:<10}half left within {}, 90% within {}; the longest stayed {}",
            "stays",
            duration(holds.median_seconds),
            duration(holds.p90_seconds),
            duration(holds.longest_seconds),
        ));
        self.line(&format!(
            "  {:<10}{} sent, {} received",
            "bytes",
            bytes(summary.sent),
            bytes(summary.received)
        ));
    }

    /// Clients and time held over the days and over the hours of the day.
    fn pictures(&mut self, summary: &Summary) {
        let (spans, unit) =
            if summary.days.len() > 2 { (&summary.days, "day") } else { (&summary.hours, "hour") };
        if spans.len() > 1 {
            let group = spans.len().div_ceil(PICTURE);
            let title = match group {
                1 => format!("By {unit} (UTC)"),
                _ => format!("By {group} {unit}s (UTC)"),
            };
            let groups: Vec<_> = spans.chunks(group).map(sum).collect();
            let most = largest(&groups, |amount| exact(amount.clients));
            let longest = largest(&groups, |amount| amount.held_seconds);
            self.heading(&title);
            let named = |from: Moment| if unit == "day" { day(from) } else { minute(from) };
            self.picture(
                "clients",
                groups.iter().map(|(_, it)| exact(it.clients)),
                &format!("most {} on {}", count(most.1.clients), named(most.0)),
            );
            self.picture(
                "held",
                groups.iter().map(|(_, it)| it.held_seconds),
                &format!("most {} on {}", duration(longest.1.held_seconds), named(longest.0)),
            );
        }
        if summary.hours.len() > 24 {
            self.heading("By hour of the day (UTC), 0 to 23");
            let hours = &summary.hours_of_day;
            self.picture("clients", hours.iter().map(|it| exact(it.clients)), "");
            self.picture("held", hours.iter().map(|it| it.held_seconds), "");
        }
    }

    fn picture(&mut self, name: &str, parts: impl Iterator<Item = f64> + Clone, note: &str) {
        let most = parts.clone().fold(0.0, f64::max);
        let columns: String = parts.map(|part| self.look.level(part, most)).collect();
        self.line(&format!("  {name:<10}{columns}  {note}"));
    }

    fn holds(&mut self, summary: &Summary) {
        let classes = &summary.holds.distribution;
        let all: u64 = classes.iter().map(|class| class.amount.clients).sum();
        let most = classes.iter().map(|class| class.amount.clients).max().unwrap_or(0);
        self.heading("How long they stayed");
        let mut from = 0;
        for class in classes {
            let name = match class.below_seconds {
                Some(below) if from == 0 => format!("under {}", duration(exact(below))),
                Some(below) => format!("{} to {}", duration(exact(from)), duration(exact(below))),
                None => format!("over {}", duration(exact(from))),
            };
            from = class.below_seconds.unwrap_or(0);
            let Amount { clients, held_seconds } = class.amount;
            if clients > 0 {
                self.line(&format!(
                    "  {name:<16}{:>11} {:>6} {:>12}  {}",
                    count(clients),
                    percent(exact(clients), exact(all)),
                    duration(held_seconds),
                    self.look.bar(exact(clients), exact(most)),
                ));
            }
        }
    }

    fn tables(&mut self, summary: &Summary) {
        self.rows("Protocols", &summary.protocols, 0);
        self.rows("Tarpits", &summary.tarpits, 0);
        self.rows("Countries", &summary.countries, 0);
        self.table("Autonomous systems", &summary.systems);
        self.table("Networks", &summary.networks);
        self.table("Addresses", &summary.addresses);
        for (fact, title) in TITLES {
            if let Some(table) = summary.fact(fact) {
                self.table(title, table);
            }
        }
        self.rows("Why connections ended", &summary.close_reasons, 0);
        self.rows("Refused clients, by limit", &summary.refused, 0);
        self.rows("Broken protocols", &summary.malformed, 0);
    }

    fn table(&mut self, title: &str, table: &Table) {
        if table.rows.is_empty() {
            return;
        }
        let shown = table.rows.len() as u64;
        let title = match (table.too_low_by, table.distinct > shown) {
            (0, false) => title.to_owned(),
            (0, true) => format!("{title} ({} of {})", count(shown), count(table.distinct)),
            _ => format!("{title} ({} of about {})", count(shown), count(table.distinct)),
        };
        self.rows(&title, &table.rows, table.too_low_by);
    }

    fn rows(&mut self, title: &str, rows: &[Row], too_low_by: u64) {
        let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.heading(title);
        if too_low_by > 0 {
            self.line(&format!(
                "  approximate: a count may be up to {} too low",
                count(too_low_by)
            ));
        }
        let names: Vec<_> = rows.iter().map(name).collect();
        let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(16);
        for (row, name) in rows.iter().zip(names) {
            let held =
                row.held_seconds.map_or(String::new(), |held| format!("{:>12}", duration(held)));
            self.line(&format!(
                "  {name:<wide$}{:>11}{held}  {}",
                count(row.count),
                self.look.bar(exact(row.count), exact(most)),
            ));
        }
    }

    fn longest(&mut self, summary: &Summary) {
        if summary.longest.is_empty() {
            return;
        }
        self.heading("The longest stays");
        let wide = summary.longest.iter().map(|long| long.address.len()).max().unwrap_or(0).max(16);
        for long in &summary.longest {
            let tarpit = &harmless(&long.tarpit);
            let protocol = &harmless(&long.protocol);
            let on =
                if tarpit == protocol { tarpit.clone() } else { format!("{tarpit} ({protocol})") };
            let still = if long.present { ", still there" } else { "" };
            self.line(&format!(
                "  {:<wide$}{:>11}  since {} on {on}{still}",
                harmless(&long.address),
                duration(long.held_seconds),
                minute(long.opened),
            ));
        }
    }

    fn notes(&mut self, summary: &Summary) {
        let notes = notes(summary);
        if !notes.is_empty() {
            self.heading("Notes");
            for note in notes {
                self.line(&format!("  {note}"));
            }
        }
    }
}

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
            "{still} had no `close` line by the end; their time until then, {held}, is counted."
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
fn about(table: &Table, one: &str, many: &str) -> String {
    let about = if table.too_low_by > 0 { "about " } else { "" };
    format!("{about}{} {}", count(table.distinct), if table.distinct == 1 { one } else { many })
}

/// What a row is of, cut to a width that fits.
pub(super) fn name(row: &Row) -> String {
    let mut name = harmless(&row.name);
    if let Some(owner) = &row.owner {
        name += " ";
        name += &harmless(owner);
    }
    if name.is_empty() {
        return "(empty)".to_owned();
    }
    if name.chars().count() > WIDE {
        name = name.chars().take(WIDE - 3).collect::<String>() + "...";
    }
    name
}

/// The first of the largest ones.
fn largest(groups: &[(Moment, Amount)], size: impl Fn(&Amount) -> f64) -> (Moment, Amount) {
    let first = groups.iter().rev().max_by(|(_, a), (_, b)| size(a).total_cmp(&size(b)));
    first.copied().unwrap_or_default()
}

fn sum(spans: &[Span]) -> (Moment, Amount) {
    let mut amount = Amount::default();
    for span in spans {
        amount.add(span.amount);
    }
    (spans.first().map_or(Moment::default(), |span| span.from), amount)
}

/// From when until when, and how long that is.
pub(super) fn period(from: Moment, until: Moment) -> String {
    let length = duration(super::summary::seconds(until.since(from)));
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
