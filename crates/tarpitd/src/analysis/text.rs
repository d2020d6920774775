//! The report as text: a screenful or two, to be pasted into a chat.

use std::{env, fmt::Write as _};

use super::{
    parts::Parts,
    summary::{Amount, Row, Span, Summary, Table},
    words::{
        TITLES, about, at_once, classes, exact, headline, minute, named, notes, period, titled,
    },
};
use crate::report::units::{bytes, count, duration, harmless, percent, plural};

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

/// The most hours that are shown one by one.
const HOURS: usize = 49;

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
        let mut held = format!("{} at once on average", at_once(summary));
        if clients.still > 0 {
            // As above.
            let _ = write!(held, "; {} still there at the end", count(clients.still));
        }
        self.line(&format!("  {:<10}{held}", "held"));
        self.line(&format!(
            "  {:<10}half up to {}, 90% up to {}; the longest {}",
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
        if let Some(parts) = Parts::of(summary, PICTURE, HOURS) {
            self.heading(&parts.title);
            let label = |it: &Span| parts.unit.label(it.from);
            let most = parts.largest(|amount| exact(amount.clients));
            let most = most.map(|it| format!("most {} on {}", count(it.amount.clients), label(it)));
            let clients = parts.spans.iter().map(|it| exact(it.amount.clients));
            self.picture("clients", clients, &most.unwrap_or_default());
            let most = parts.largest(|amount| amount.held_seconds);
            let most = most
                .map(|it| format!("most {} on {}", duration(it.amount.held_seconds), label(it)));
            let held = parts.spans.iter().map(|it| it.amount.held_seconds);
            self.picture("held", held, &most.unwrap_or_default());
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
        let all: u64 = summary.holds.distribution.iter().map(|class| class.amount.clients).sum();
        let most = summary.holds.distribution.iter().map(|class| class.amount.clients).max();
        self.heading("How long they stayed");
        for (name, Amount { clients, held_seconds }) in classes(&summary.holds) {
            if clients > 0 {
                self.line(&format!(
                    "  {name:<16}{:>11} {:>6} {:>12}  {}",
                    count(clients),
                    percent(exact(clients), exact(all)),
                    duration(held_seconds),
                    self.look.bar(exact(clients), exact(most.unwrap_or(0))),
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
        self.rows(&titled(title, table), &table.rows, table.too_low_by);
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

/// What a row is of, cut to a width that fits.
fn name(row: &Row) -> String {
    let mut name = named(row);
    if name.chars().count() > WIDE {
        name = name.chars().take(WIDE - 3).collect::<String>() + "...";
    }
    name
}
