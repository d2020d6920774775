//! How the daemon is: one model for `tarpitd status`, `tarpitd top`, the page, and other programs.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    admin::world::World,
    report::{
        observed::{Frequent, Tried},
        sketch::{Counted, merged},
        totals::TarpitCounts,
    },
    worker::{
        Command,
        roster::{OldestClient, Question},
    },
};

/// The number of this form of the status. It changes when a key changes its meaning or goes; new
/// keys may come without.
pub(crate) const FORMAT: u32 = 1;

/// How many of the most frequent things are told.
const FREQUENT: usize = 20;

/// How the daemon is. It is documented in tarpitd(1): names and meanings stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) format: u32,
    pub(crate) version: String,
    /// When the daemon started: seconds since 1970.
    pub(crate) since: u64,
    pub(crate) uptime_seconds: u64,
    /// Missing from daemons before there was this key.
    #[serde(default)]
    pub(crate) process: About,
    /// Of all tarpits together.
    pub(crate) total: Counts,
    pub(crate) tarpits: Vec<Tarpit>,
    /// How much is given up to stay within the limits: 0 nothing, 5 even new clients.
    pub(crate) load_level: u64,
    pub(crate) trace: Trace,
    /// Each limit in force, with its reason.
    pub(crate) limits: Vec<String>,
    pub(crate) networks: Vec<Frequency>,
    pub(crate) users: Vec<Frequency>,
    /// Empty without `log_secrets`.
    pub(crate) secrets: Vec<Frequency>,
}

/// The process and its files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) pid: u32,
    /// The number of the user that it runs as.
    pub(crate) user: u32,
    /// `None`: there is no file, such as with `-s`.
    pub(crate) configuration: Option<String>,
    pub(crate) log: String,
    pub(crate) trace: String,
    /// When the configuration was last reloaded: seconds since 1970.
    pub(crate) reloaded: Option<u64>,
}

/// What was counted since the start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) held: u64,
    pub(crate) opened: u64,
    pub(crate) refused: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// The time for which all clients together were held.
    pub(crate) held_days: f64,
    pub(crate) bytes_per_client_hour: u64,
}

/// A tarpit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tarpit {
    pub(crate) name: String,
    /// `None`: a reload has removed the tarpit, and its last clients are held.
    pub(crate) pattern: Option<String>,
    pub(crate) addresses: Vec<String>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    pub(crate) longest: Option<Longest>,
}

/// The client that is held longest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Longest {
    pub(crate) client: String,
    pub(crate) held_seconds: u64,
}

/// How the trace is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// Lines that could not be written.
    pub(crate) lost_lines: u64,
    /// Lines beyond `trace_per_second`.
    pub(crate) left_out_lines: u64,
}

/// How often something came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frequency {
    /// A client's own text, except for networks: escape it wherever it is shown.
    pub(crate) name: String,
    pub(crate) count: u64,
    /// By how much the count may be too high.
    pub(crate) over: u64,
}

/// What only the daemon's own thread knows; a reload makes a new one.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) process: About,
    /// Each tarpit's name, pattern and addresses.
    pub(crate) tarpits: Vec<(String, String, Vec<String>)>,
    /// Each limit with its reason.
    pub(crate) limits: Vec<String>,
}

/// How the daemon is now; `None`: a worker is stuck.
pub(in crate::admin) async fn status(world: &World) -> Option<Status> {
    let now = world.clock.now();
    let mut longest = longest(world).await?;
    let frequent = world.ask_all(|answer| Command::Ask(Question::Frequent(answer))).await?;
    let mut total = TarpitCounts::default();
    let mut tarpits = Vec::new();
    for tally in &*world.tallies {
        let counts = tally.counts(now);
        total.add(&counts);
        let known = world.in_force.tarpits.iter().find(|(name, ..)| *name == tally.name);
        if known.is_none() && counts.held() == 0 {
            continue;
        }
        let oldest = longest.remove(&tally.name);
        tarpits.push(Tarpit {
            name: tally.name.clone(),
            pattern: known.map(|(_, pattern, _)| pattern.clone()),
            addresses: known.map(|(.., addresses)| addresses.clone()).unwrap_or_default(),
            counts: Counts::of(&counts),
            longest: oldest.map(|oldest| Longest {
                client: oldest.client.to_string(),
                held_seconds: now.since(oldest.opened).as_secs(),
            }),
        });
    }
    let workers = world.workers.iter().map(|worker| worker.totals().counts());
    let (mut level, mut left_out) = (0, 0);
    for counts in workers {
        level = level.max(counts.load_level);
        left_out += counts.left_out.iter().sum::<u64>();
    }
    let (mut networks, mut users, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
    for Frequent { networks: one, users: two, secrets: three } in frequent {
        networks.push(one);
        users.push(two);
        secrets.push(three);
    }
    let uptime = now.as_millis() / 1_000;
    Some(Status {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: world.clock.wall().as_secs().saturating_sub(uptime),
        uptime_seconds: uptime,
        process: world.in_force.process.clone(),
        total: Counts::of(&total),
        tarpits,
        load_level: level,
        trace: Trace { lost_lines: world.trace.lost(), left_out_lines: left_out },
        limits: world.in_force.limits.clone(),
        networks: frequencies(&merged(networks, FREQUENT), ToString::to_string),
        users: frequencies(&merged(users, FREQUENT), Tried::text),
        secrets: frequencies(&merged(secrets, FREQUENT), Tried::text),
    })
}

impl Counts {
    fn of(counts: &TarpitCounts) -> Self {
        let per_hour = u128::from(counts.sent) * 3_600_000 / u128::from(counts.held_millis.max(1));
        Self {
            held: counts.held(),
            opened: counts.opened,
            refused: counts.refused.iter().sum(),
            sent: counts.sent,
            received: counts.received,
            held_days: Duration::from_millis(counts.held_millis).as_secs_f64() / 86_400.0,
            bytes_per_client_hour: u64::try_from(per_hour).unwrap_or(u64::MAX),
        }
    }
}

/// The client of each tarpit that is held longest.
async fn longest(world: &World) -> Option<BTreeMap<String, OldestClient>> {
    let mut all: BTreeMap<String, OldestClient> = BTreeMap::new();
    for worker in 0..world.workers.len() {
        let mut next = Some(0);
        while let Some(from) = next {
            let ask = |answer| Command::Ask(Question::Oldest { from, answer });
            let oldest = world.ask(worker, ask).await?;
            next = oldest.next;
            for client in oldest.clients {
                let known = all.get(&client.tarpit).is_some_and(|it| it.opened <= client.opened);
                if !known {
                    all.insert(client.tarpit.clone(), client);
                }
            }
        }
    }
    Some(all)
}

fn frequencies<K>(all: &[Counted<K>], name: impl Fn(&K) -> String) -> Vec<Frequency> {
    let one = |Counted { thing, count, over }: &Counted<K>| Frequency {
        name: name(thing),
        count: *count,
        over: *over,
    };
    all.iter().map(one).collect()
}
