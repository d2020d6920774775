//! All that the page shows, as one JSON object. The page's own program reads it, and nothing else.

use std::{cmp::Reverse, fmt::Write as _, time::Duration};

use serde::Serialize;

use crate::{
    admin::{
        control::{
            held::first,
            status::{self, Counts, Frequency, Status},
        },
        world::World,
    },
    report::{
        held::HeldClient,
        totals::{HOLD_BOUNDS, WorkerCounts, protocols},
    },
    worker::roster::Order,
};

use super::{PageState, history::SAMPLED_EVERY};

/// How many clients are listed.
const LISTED: usize = 10;

/// How many names stand in each list of the most frequent.
const NAMED: usize = 12;

#[derive(Debug, Serialize)]
pub(super) struct News {
    pub(super) about: String,
    #[serde(flatten)]
    pub(super) total: Figures,
    pub(super) tarpits: Vec<TarpitNews>,
    day: Day,
    hours: Vec<u64>,
    durations: Vec<Stays>,
    protocols: Vec<Named>,
    /// `None` without a database of countries.
    countries: Option<Vec<Named>>,
    longest: Vec<ClientNews>,
    newest: Vec<ClientNews>,
    networks: Vec<Named>,
    users: Vec<Named>,
    /// `None` where no secret was told: without `log_secrets` there are none.
    passwords: Option<Vec<Named>>,
}

/// What was counted since the start.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) held: u64,
    pub(super) opened: u64,
    pub(super) refused: u64,
    pub(super) sent: u64,
    pub(super) held_seconds: f64,
    pub(super) bytes_a_client_hour: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct TarpitNews {
    pub(super) name: String,
    pub(super) pattern: String,
    #[serde(flatten)]
    pub(super) figures: Figures,
    pub(super) longest: Option<LongestNews>,
}

#[derive(Debug, Serialize)]
pub(super) struct LongestNews {
    pub(super) address: String,
    pub(super) seconds: u64,
}

/// Held clients over the last day.
#[derive(Debug, Serialize)]
struct Day {
    /// Seconds from one sample to the next.
    every: u64,
    held: Vec<u64>,
    now: u64,
}

/// How many clients that are gone stayed this long.
#[derive(Debug, Serialize)]
struct Stays {
    /// Seconds; `None`: longer than all others.
    to: Option<u64>,
    clients: u64,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    clients: u64,
}

#[derive(Debug, Serialize)]
struct ClientNews {
    address: String,
    tarpit: String,
    protocol: Option<String>,
    seconds: u64,
    sent: u64,
    says: Option<String>,
}

impl News {
    /// The news of now; `None`: a worker is stuck.
    pub(super) async fn of(world: &World, page: &PageState) -> Option<Self> {
        let status = status::status(world).await?;
        let longest = first(world, Order::Oldest, LISTED).await?;
        let newest = first(world, Order::Newest, LISTED).await?;
        let counts = since_start(world);
        let Status { version, uptime_seconds, total, tarpits, networks, users, secrets, .. } =
            status;
        let history = page.history();
        Some(Self {
            about: format!("{version}, up for {}", span(uptime_seconds)),
            tarpits: tarpits
                .into_iter()
                .map(|tarpit| TarpitNews {
                    name: tarpit.name,
                    pattern: tarpit.pattern.unwrap_or_else(|| "removed".to_owned()),
                    figures: Figures::of(&tarpit.counts),
                    longest: tarpit.longest.map(|longest| LongestNews {
                        address: longest.client,
                        seconds: longest.held_seconds,
                    }),
                })
                .collect(),
            day: Day { every: SAMPLED_EVERY.as_secs(), held: history.held(), now: total.held },
            hours: history.hours(total.opened),
            durations: durations(&counts),
            protocols: ranked(
                protocols().zip(&counts.identified).map(|(name, &clients)| (name.into(), clients)),
            ),
            countries: world.origins.as_ref().map(|origins| ranked(origins.countries())),
            longest: longest.into_iter().map(ClientNews::of).collect(),
            newest: newest.into_iter().map(ClientNews::of).collect(),
            networks: frequent(networks),
            users: frequent(users),
            passwords: (!secrets.is_empty()).then(|| frequent(secrets)),
            total: Figures::of(&total),
        })
    }
}

impl Figures {
    fn of(counts: &Counts) -> Self {
        Self {
            held: counts.held,
            opened: counts.opened,
            refused: counts.refused,
            sent: counts.sent,
            held_seconds: counts.held_days * 86_400.0,
            bytes_a_client_hour: counts.bytes_per_client_hour,
        }
    }
}

impl ClientNews {
    fn of(client: HeldClient) -> Self {
        Self {
            address: client.client.to_string(),
            tarpit: client.tarpit,
            protocol: client.protocol,
            seconds: client.held_seconds,
            sent: client.sent,
            says: client.program,
        }
    }
}

/// What the workers counted since the start.
fn since_start(world: &World) -> WorkerCounts {
    let mut sum = WorkerCounts::default();
    for worker in &*world.workers {
        sum.add(&worker.totals().counts());
    }
    sum
}

fn durations(counts: &WorkerCounts) -> Vec<Stays> {
    let bounds = HOLD_BOUNDS.iter().map(|millis| Some(millis / 1_000)).chain([None]);
    let clients = counts.hold.within.iter().chain([&counts.hold.above]);
    bounds.zip(clients).map(|(to, &clients)| Stays { to, clients }).collect()
}

/// Those with any clients, those with most first.
fn ranked(all: impl IntoIterator<Item = (String, u64)>) -> Vec<Named> {
    let all = all.into_iter().filter(|&(_, clients)| clients > 0);
    let mut all: Vec<_> = all.map(|(name, clients)| Named { name, clients }).collect();
    all.sort_by_key(|one| Reverse(one.clients));
    all
}

fn frequent(all: Vec<Frequency>) -> Vec<Named> {
    let all = all.into_iter().take(NAMED);
    all.map(|one| Named { name: one.name, clients: one.count }).collect()
}

/// Seconds as people say them, in the two greatest units; the page's program says the same.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let Some(first) = UNITS.iter().position(|(_, size)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let (unit, size) = UNITS[first];
    let mut text = format!("{} {unit}", seconds / size);
    if let Some((unit, smaller)) = UNITS.get(first + 1) {
        let rest = seconds % size / smaller;
        if rest > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, " {rest} {unit}");
        }
    }
    text
}

/// Bytes as people say them; the page's program says the same.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut size = 1_u64;
    while count / size >= 1_000 && unit + 1 < UNITS.len() {
        size *= 1_000;
        unit += 1;
    }
    let tenths = (u128::from(count) * 10 + u128::from(size) / 2) / u128::from(size);
    if unit > 0 && tenths < 1_000 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        let whole = (u128::from(count) + u128::from(size) / 2) / u128::from(size);
        format!("{whole} {}", UNITS[unit])
    }
}

/// How many seconds a float of them is, for [`span`].
pub(super) fn whole_seconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_said_in_great_units() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (90_000, "1 d 1 h"),
            (86_401, "1 d"),
        ] {
            assert_eq!(span(seconds), said);
        }
        for (count, said) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (123_456, "123 kB"),
            (18_234_111, "18.2 MB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(count), said);
        }
    }
}
