//! The finished figures: what every form of the report shows, and what `--json` prints as it stands.

use std::fmt::Display;

use serde::Serialize;
use tarpit_proto::fact::Fact;

use super::{
    moment::{DAY, HOUR, Moment},
    names::{Names, Sum},
    sketch::{Count, Top},
    tally::{MOST_PRESENT, Present, Stay, Stays, Tally},
    timeline::Hour,
};

/// All figures. A later version adds keys; a key that changes its meaning changes `version`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) version: u32,
    pub(super) trace: Trace,
    pub(super) clients: Clients,
    pub(super) held_seconds: f64,
    /// Clients held at the same time, on average.
    pub(super) held_at_once: f64,
    pub(super) worker_cpu_seconds: Option<f64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) holds: Holds,
    pub(super) hours: Vec<Span>,
    pub(super) days: Vec<Span>,
    /// By hour of the day, UTC.
    pub(super) hours_of_day: [Amount; 24],
    pub(super) tarpits: Vec<Row>,
    pub(super) protocols: Vec<Row>,
    pub(super) close_reasons: Vec<Row>,
    pub(super) refused: Vec<Row>,
    pub(super) malformed: Vec<Row>,
    pub(super) countries: Vec<Row>,
    pub(super) systems: Table,
    pub(super) networks: Table,
    pub(super) addresses: Table,
    pub(super) facts: Vec<FactTable>,
    pub(super) longest: Vec<Long>,
}

/// What was read.
#[derive(Debug, Default, Serialize)]
pub(super) struct Trace {
    pub(super) files: usize,
    pub(super) lines: u64,
    pub(super) from: Moment,
    pub(super) until: Moment,
    /// Lines that are none of a trace.
    pub(super) damaged: u64,
    /// Lines that stood in more than one file.
    pub(super) repeated: u64,
    /// Files that could not be read, or not to their ends.
    pub(super) broken: u64,
    /// Events that are in no hour, since there were too many hours.
    pub(super) left_out_of_hours: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Clients {
    /// All clients that were held at any moment of the trace.
    pub(super) held: u64,
    pub(super) opened: u64,
    /// Clients that were there when the trace begins.
    pub(super) before: u64,
    /// Clients that are there when the trace ends.
    pub(super) still: u64,
    pub(super) still_held_seconds: f64,
    pub(super) refused: u64,
    /// Clients of which only the end was counted: too many were open at once.
    pub(super) unfollowed: u64,
}

/// Clients, and the time for which they were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Amount {
    pub(super) clients: u64,
    pub(super) held_seconds: f64,
}

/// An hour or a day.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Span {
    pub(super) from: Moment,
    #[serde(flatten)]
    pub(super) amount: Amount,
}

/// For how long clients were held.
#[derive(Debug, Serialize)]
pub(super) struct Holds {
    pub(super) median_seconds: f64,
    pub(super) p90_seconds: f64,
    pub(super) p99_seconds: f64,
    pub(super) longest_seconds: f64,
    pub(super) distribution: Vec<Class>,
}

#[derive(Debug, Serialize)]
pub(super) struct Class {
    /// The class ends below this; `None` for the last one.
    pub(super) below_seconds: Option<u64>,
    #[serde(flatten)]
    pub(super) amount: Amount,
}

/// A name with its sums.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<u64>,
    /// The owner of an autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
}

/// The most frequent of many.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    /// How many different ones there are; an estimate unless the table is exact.
    pub(super) distinct: u64,
    /// By how much a count may be too low at most; 0: the table is exact.
    pub(super) too_low_by: u64,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub(super) struct FactTable {
    pub(super) fact: &'static str,
    #[serde(flatten)]
    pub(super) table: Table,
}

/// One of the longest stays.
#[derive(Debug, Serialize)]
pub(super) struct Long {
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) tarpit: String,
    pub(super) protocol: String,
    pub(super) opened: Moment,
    pub(super) held_seconds: f64,
    /// Whether it is held still.
    pub(super) present: bool,
}

/// The name of the table of users with their passwords.
pub(super) const LOGIN: &str = "login";

impl Summary {
    /// The figures of a finished tally, `most` rows a table.
    pub(super) fn new(tally: &Tally, trace: &Trace, most: usize) -> Self {
        let (from, until) = (tally.first.unwrap_or_default(), tally.last);
        let hours = tally.timeline.hours();
        let hours_of_day = by_clock(&hours);
        let held_seconds = whole_seconds(tally.held);
        let span = seconds(until.since(from));
        let refused = rows(&tally.refused, most, false);
        Self {
            version: 1,
            trace: Trace { from, until, left_out_of_hours: tally.timeline.left_out(), ..*trace },
            clients: Clients {
                held: tally.opened + tally.before,
                opened: tally.opened,
                before: tally.before,
                still: tally.still.0,
                still_held_seconds: seconds(tally.still.1),
                refused: tally.refused.ranked().iter().map(|(_, sum)| sum.times).sum(),
                unfollowed: tally.unfollowed,
            },
            held_seconds,
            held_at_once: if span > 0.0 { whole_seconds(tally.held_within) / span } else { 0.0 },
            worker_cpu_seconds: tally.worker_cpu.map(seconds),
            sent: tally.sent,
            received: tally.received,
            holds: Holds::of(&tally.stays, tally.longest().first().map_or(0, |stay| stay.held)),
            days: spans(&hours, DAY),
            hours: spans(&hours, HOUR),
            hours_of_day,
            tarpits: rows(&tally.tarpits, most, true),
            protocols: rows(&tally.protocols, most, true),
            close_reasons: rows(&tally.reasons, most, false),
            refused,
            malformed: rows(&tally.malformed, most, false),
            countries: countries(tally, most),
            systems: systems(tally, most),
            networks: table(&tally.networks, most, true),
            addresses: table(&tally.addresses, most, true),
            facts: facts(tally, most),
            longest: longest(tally, most),
        }
    }

    /// The table of a fact, if the trace has any of it.
    pub(super) fn fact(&self, name: &str) -> Option<&Table> {
        self.facts.iter().find(|it| it.fact == name).map(|it| &it.table)
    }

    /// How many clients are followed at once at most, where that was too few.
    pub(super) fn most_followed(&self) -> Option<usize> {
        (self.clients.unfollowed > 0).then_some(MOST_PRESENT)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float tells microseconds for 285 years")]
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "the sum is shown in seconds")]
fn whole_seconds(micros: u128) -> f64 {
    micros as f64 / 1e6
}

impl Amount {
    pub(super) fn add(&mut self, more: Self) {
        self.clients += more.clients;
        self.held_seconds += more.held_seconds;
    }

    fn of(hour: Hour) -> Self {
        Self { clients: hour.clients, held_seconds: seconds(hour.held) }
    }
}

impl Holds {
    fn of(stays: &Stays, longest: u64) -> Self {
        let quantile = |percent| seconds(stays.durations.quantile(percent).min(longest));
        let ends = Stays::BELOW.into_iter().map(Some).chain([None]);
        let classes = ends.zip(stays.classes).map(|(below_seconds, (clients, held))| Class {
            below_seconds,
            amount: Amount { clients, held_seconds: seconds(held) },
        });
        Self {
            median_seconds: quantile(50),
            p90_seconds: quantile(90),
            p99_seconds: quantile(99),
            longest_seconds: seconds(longest),
            distribution: classes.collect(),
        }
    }
}

/// Sums over hours of the day.
fn by_clock(hours: &[Hour]) -> [Amount; 24] {
    let mut day = [Amount::default(); 24];
    for hour in hours {
        day[(hour.number % 24) as usize].add(Amount::of(*hour));
    }
    day
}

/// The same by spans of so many microseconds, without gaps.
fn spans(hours: &[Hour], length: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for hour in hours {
        let from = Moment(hour.number * HOUR / length * length);
        match spans.last_mut() {
            Some(last) if last.from == from => last.amount.add(Amount::of(*hour)),
            _ => spans.push(Span { from, amount: Amount::of(*hour) }),
        }
    }
    spans
}

fn rows(names: &Names, most: usize, of_clients: bool) -> Vec<Row> {
    let row = |(name, sum): (&str, Sum)| Row {
        name: name.to_owned(),
        count: sum.times,
        held_seconds: of_clients.then(|| seconds(sum.held)),
        sent: of_clients.then_some(sum.sent),
        received: of_clients.then_some(sum.received),
        owner: None,
    };
    names.ranked().into_iter().take(most).map(row).collect()
}

/// The countries, where the trace has any.
fn countries(tally: &Tally, most: usize) -> Vec<Row> {
    let mut rows = rows(&tally.countries, usize::MAX, true);
    if rows.iter().all(|row| row.name.is_empty()) {
        return Vec::new();
    }
    for row in &mut rows {
        if row.name.is_empty() {
            "unknown".clone_into(&mut row.name);
        }
    }
    rows.truncate(most);
    rows
}

fn table<K: Ord + std::hash::Hash + Eq + Display>(
    top: &Top<K>,
    most: usize,
    of_clients: bool,
) -> Table {
    let row = |(key, count): (&K, Count)| Row {
        name: key.to_string(),
        count: count.times,
        held_seconds: of_clients.then(|| seconds(count.held)),
        sent: None,
        received: None,
        owner: None,
    };
    Table {
        distinct: top.distinct(),
        too_low_by: top.too_low_by(),
        rows: top.ranked(most).into_iter().map(row).collect(),
    }
}

fn systems(tally: &Tally, most: usize) -> Table {
    let mut table = table(&tally.systems, most, true);
    for row in &mut table.rows {
        let number = row.name.trim_start_matches("AS").parse().ok();
        row.owner = number.and_then(|number| tally.owners.get(&number)).map(ToString::to_string);
    }
    table
}

fn facts(tally: &Tally, most: usize) -> Vec<FactTable> {
    let names = Fact::ALL.iter().map(|(fact, ..)| fact.name());
    let tables = names.zip(&tally.facts).chain([(LOGIN, &tally.logins)]);
    let known = tables.filter(|(_, top)| top.distinct() > 0);
    known.map(|(fact, top)| FactTable { fact, table: table(top, most, false) }).collect()
}

fn longest(tally: &Tally, most: usize) -> Vec<Long> {
    let long = |stay: &&Stay| {
        let Present { opened, address, port, tarpit, protocol, .. } = &stay.client;
        Long {
            address: address.to_string(),
            port: *port,
            tarpit: tally.tarpits.name(*tarpit).to_owned(),
            protocol: tally.protocols.name(*protocol).to_owned(),
            opened: *opened,
            held_seconds: seconds(stay.held),
            present: stay.present,
        }
    };
    tally.longest().iter().take(most).map(long).collect()
}
