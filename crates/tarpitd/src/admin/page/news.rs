//! All that the page shows, as one JSON object. The page's own program reads it, and nothing else.

use std::{cmp::Reverse, time::Duration};

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
        units::span,
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
    pub(super) held_seconds: u64,
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
            held_seconds: Duration::from_secs_f64(counts.held_days * 86_400.0).as_secs(),
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
