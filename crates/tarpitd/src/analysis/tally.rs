//! The sums over all lines. Their memory has a bound, whatever the lines say: what has few different
//! values is summed exactly, the rest as `sketch.rs` does it.

use std::{cmp::Reverse, collections::BinaryHeap, fmt};

use tarpit_proto::{fact::Fact, patterns};

use super::{
    address::{Address, Network},
    line::{self, Event, Line},
    moment::Moment,
    names::{Names, Sum},
    sketch::{Durations, Top},
    timeline::Timeline,
};
use crate::os::entropy::HashMap;

/// From when until when lines count; time held is cut to it. It never ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    since: Moment,
    until: Moment,
}

impl Window {
    /// `None` if nothing lies between these moments.
    pub(crate) fn new(since: Moment, until: Moment) -> Option<Self> {
        (since < until).then_some(Self { since, until })
    }
}

/// Which trace a line is from: files that only rotation set apart are one.
pub(super) type Series = u16;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Tally {
    window: Window,
    /// How many of the longest stays are kept.
    most_longest: usize,

    /// Clients that were opened and not closed as yet, by their sessions.
    present: HashMap<u64, Present>,
    /// Clients that were not followed, since too many were open at once.
    pub(super) unfollowed: u64,
    /// The last moment of each trace.
    ends: Vec<Moment>,
    pub(super) first: Option<Moment>,
    pub(super) last: Moment,

    pub(super) opened: u64,
    /// Clients that were there before the first line, or before the window.
    pub(super) before: u64,
    /// Clients that are there at the end, and for how long they were held, in microseconds.
    pub(super) still: (u64, u64),
    /// In microseconds.
    pub(super) held: u128,
    /// What of it was held within the trace's time, in microseconds.
    pub(super) held_within: u128,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// In microseconds; `None` where no line has it.
    pub(super) worker_cpu: Option<u64>,
    pub(super) timeline: Timeline,
    pub(super) stays: Stays,
    longest: BinaryHeap<Reverse<Stay>>,

    pub(super) tarpits: Names,
    pub(super) protocols: Names,
    patterns: Names,
    /// The protocols of the patterns, by the patterns' numbers.
    spoken: Vec<u16>,
    pub(super) reasons: Names,
    pub(super) refused: Names,
    pub(super) malformed: Names,
    pub(super) countries: Names,
    pub(super) addresses: Top<Address>,
    pub(super) networks: Top<Network>,
    pub(super) systems: Top<System>,
    /// The names of the systems' owners.
    pub(super) owners: HashMap<u32, Box<str>>,
    /// A table for each fact, in the order of [`Fact::ALL`].
    pub(super) facts: Vec<Top<Box<str>>>,
    /// Users with their passwords, where both are written.
    pub(super) logins: Top<Box<str>>,
}

/// The number of an autonomous system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct System(pub(super) u32);

impl From<&System> for System {
    fn from(system: &System) -> Self {
        *system
    }
}

/// A client that is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Present {
    pub(super) opened: Moment,
    pub(super) address: Address,
    pub(super) port: u16,
    pub(super) tarpit: u16,
    pub(super) protocol: u16,
    country: u16,
    system: u32,
    series: Series,
}

/// For how long a client was held. The order is that of the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stay {
    /// In microseconds.
    pub(super) held: u64,
    pub(super) client: Present,
    /// Whether it is held still.
    pub(super) present: bool,
}

/// How the time of a stay is counted.
#[derive(Debug)]
pub(super) struct Stays {
    /// Clients and microseconds, for each of [`Stays::BELOW`] and what is longer.
    pub(super) classes: [(u64, u64); Self::BELOW.len() + 1],
    pub(super) durations: Durations,
}

impl Stays {
    /// Where the classes end, in seconds.
    pub(super) const BELOW: [u64; 9] =
        [1, 10, 60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 30 * 86_400];

    fn add(&mut self, held: u64) {
        let class = Self::BELOW.partition_point(|below| below * 1_000_000 <= held);
        self.classes[class].0 += 1;
        self.classes[class].1 = self.classes[class].1.saturating_add(held);
        self.durations.add(held);
    }
}

/// The most clients that are followed at once. They take 58 MB, in a table that doubles when it is
/// 7/8 full.
pub(super) const MOST_PRESENT: usize = (1 << 20) / 8 * 7;

/// The most owners of systems: all that there are.
const MOST_OWNERS: usize = 1 << 17;

/// The most bytes of a fact that are kept; tarpitd writes no more.
const SHOWN: usize = Fact::SHOWN;

/// How many different keys are counted exactly: 229,376 addresses and networks, 28,672 names and
/// passwords, 7,168 values of other facts. The last two can be long.
const ADDRESSES: u32 = 18;
const GUESSES: u32 = 15;
const FACTS: u32 = 13;

impl Tally {
    pub(super) fn new(window: Window, most_longest: usize) -> Self {
        let table = |(fact, ..): &(Fact, _, _)| match fact {
            Fact::Secret | Fact::User => Top::new(GUESSES),
            _ => Top::new(FACTS),
        };
        Self {
            window,
            most_longest,
            present: HashMap::default(),
            unfollowed: 0,
            ends: Vec::new(),
            first: None,
            last: Moment::default(),
            opened: 0,
            before: 0,
            still: (0, 0),
            held: 0,
            held_within: 0,
            sent: 0,
            received: 0,
            worker_cpu: None,
            timeline: Timeline::default(),
            stays: Stays { classes: Default::default(), durations: Durations::new() },
            longest: BinaryHeap::new(),
            tarpits: Names::new(),
            protocols: Names::new(),
            patterns: Names::new(),
            spoken: Vec::new(),
            reasons: Names::new(),
            refused: Names::new(),
            malformed: Names::new(),
            countries: Names::new(),
            addresses: Top::new(ADDRESSES),
            networks: Top::new(ADDRESSES),
            systems: Top::new(FACTS),
            owners: HashMap::default(),
            facts: Fact::ALL.iter().map(table).collect(),
            logins: Top::new(GUESSES),
        }
    }

    /// Counts a line. The error says what is wrong with it; then nothing of it was counted.
    pub(super) fn add(&mut self, line: &Line<'_>, series: Series) -> Result<(), String> {
        let Window { since, until } = self.window;
        let counts = (since..until).contains(&line.time);
        match line.event() {
            Event::Close => self.close(line, series)?,
            // A client that came before is followed, to know since when.
            Event::Open if line.time < until => self.open(line, series)?,
            Event::Learn if counts => self.learn(line)?,
            Event::Malformed if counts => {
                let facts = line.facts()?.0;
                let parts: Vec<_> = facts.iter().map(|(_, value)| &*value.0).collect();
                count(&mut self.malformed, &parts.join(": "));
            }
            Event::Refuse if counts => {
                for (_, reason) in line.facts()?.0 {
                    count(&mut self.refused, &reason.0);
                }
            }
            _ => {}
        }
        self.recognise(line);
        self.reach(line.time, series);
        Ok(())
    }

    /// On a port for several protocols a later line than `open` says what a client speaks. Who has
    /// not left has no other.
    fn recognise(&mut self, line: &Line<'_>) {
        if let Some(protocol) = line.protocol()
            && let Some(client) = self.present.get_mut(&line.session())
        {
            client.protocol = self.protocols.number(protocol);
        }
    }

    /// A trace goes on at least until then. One that begins before the window, or goes on behind it,
    /// fills it up to that end.
    pub(super) fn reach(&mut self, time: Moment, series: Series) {
        let time = time.clamp(self.window.since, self.window.until);
        self.first = Some(self.first.unwrap_or(time).min(time));
        self.last = self.last.max(time);
        let series = usize::from(series);
        if self.ends.len() <= series {
            self.ends.resize(series + 1, Moment::default());
        }
        self.ends[series] = self.ends[series].max(time);
    }

    fn open(&mut self, line: &Line<'_>, series: Series) -> Result<(), String> {
        let client = self.client(line, series)?;
        if line.time >= self.window.since {
            self.opened += 1;
            self.timeline.came(line.time);
        }
        if self.present.len() < MOST_PRESENT {
            self.present.insert(line.session(), client);
        } else {
            self.unfollowed += 1;
        }
        Ok(())
    }

    /// The client of a line, opened when the line was written.
    fn client(&mut self, line: &Line<'_>, series: Series) -> Result<Present, String> {
        let (address, port) = line.client()?;
        let (system, owner) = line.system().unwrap_or_default();
        if !owner.is_empty() && self.owners.len() < MOST_OWNERS {
            let owner = || line::beginning(owner, 64).into();
            self.owners.entry(system).or_insert_with(owner);
        }
        Ok(Present {
            opened: line.time,
            address,
            port,
            tarpit: self.tarpits.number(line.name()),
            protocol: self.protocol(line),
            country: self.countries.number(line.country().unwrap_or_default()),
            system,
            series,
        })
    }

    /// The client's protocol: as the line says, or the one that the pattern speaks.
    fn protocol(&mut self, line: &Line<'_>) -> u16 {
        if let Some(protocol) = line.protocol() {
            return self.protocols.number(protocol);
        }
        let pattern = self.patterns.number(line.pattern());
        if usize::from(pattern) == self.spoken.len() {
            let spoken = || patterns::named(line.pattern())?.protocol().map(|it| it.name);
            let spoken = self.protocols.number(spoken().unwrap_or("any"));
            self.spoken.push(spoken);
        }
        self.spoken[usize::from(pattern)]
    }

    fn close(&mut self, line: &Line<'_>, series: Series) -> Result<(), String> {
        let mut client = self.client(line, series)?;
        let opened = self.present.remove(&line.session());
        match (&opened, line.duration()) {
            (Some(opened), _) => {
                client.opened = opened.opened;
                // Only `open` says where a client is from.
                (client.country, client.system) = (opened.country, opened.system);
            }
            (None, Some(duration)) => client.opened = line.time.before(duration),
            (None, None) => {}
        }
        let held = line.duration().unwrap_or_else(|| line.time.since(client.opened));
        let end = client.opened.after(held);
        let Window { since, until } = self.window;
        if client.opened >= until || end < since {
            return Ok(());
        }
        if line.time >= since && line.time < until {
            count(&mut self.reasons, line.reason().unwrap_or("unknown"));
            if let Some(used) = line.worker_cpu() {
                self.worker_cpu = Some(self.worker_cpu.unwrap_or(0).saturating_add(used));
            }
        }
        let (sent, received) = (line.sent.unwrap_or(0), line.received.unwrap_or(0));
        self.sent = self.sent.saturating_add(sent);
        self.received = self.received.saturating_add(received);
        if opened.is_none() || client.opened < since {
            self.before += 1;
        }
        // It may be the first line of all.
        self.reach(line.time, series);
        self.leave(client, end, Sum { sent, received, ..Sum::default() }, false);
        Ok(())
    }

    /// Counts a client's whole stay.
    fn leave(&mut self, client: Present, end: Moment, bytes: Sum, present: bool) {
        let Window { since, until } = self.window;
        let (start, end) = (client.opened.max(since), end.min(until));
        let held = end.since(start);
        self.held += u128::from(held);
        self.stays.add(held);
        // Time held before the trace begins is in no hour, lest its first hours look empty.
        let within = start.max(self.first.unwrap_or(start));
        self.held_within += u128::from(end.since(within));
        self.timeline.held(within, end);
        let sum = Sum { times: 1, held, ..bytes };
        self.tarpits.add(client.tarpit, sum);
        self.protocols.add(client.protocol, sum);
        self.countries.add(client.country, sum);
        self.addresses.add(&client.address, 1, held);
        if let Some(network) = client.address.network() {
            self.networks.add(&network, 1, held);
        }
        if client.system != 0 {
            self.systems.add(&System(client.system), 1, held);
        }
        let is_long = self.longest.peek().is_none_or(|Reverse(least)| held >= least.held);
        if is_long || self.longest.len() < self.most_longest {
            self.longest.push(Reverse(Stay { held, client, present }));
            if self.longest.len() > self.most_longest {
                self.longest.pop();
            }
        }
    }

    fn learn(&mut self, line: &Line<'_>) -> Result<(), String> {
        let facts = line.facts()?.0;
        let (mut user, mut secret) = (None, None);
        for (name, value) in &facts {
            let value = line::beginning(&value.0, SHOWN);
            let Some(index) = Fact::ALL.iter().position(|(fact, ..)| fact.name() == name.0) else {
                continue;
            };
            self.facts[index].add(value, 1, 0);
            match Fact::ALL[index].0 {
                Fact::Secret => secret = Some(value),
                Fact::User => user = Some(value),
                _ => {}
            }
        }
        if let (Some(user), Some(secret)) = (user, secret) {
            self.logins.add(&*format!("{user} {secret}"), 1, 0);
        }
        Ok(())
    }

    /// Counts the clients that are present still: until the last moment of their trace.
    pub(super) fn finish(&mut self) {
        let mut present: Vec<_> = self.present.drain().collect();
        // The order of the table differs from run to run.
        present.sort_unstable_by(|(a, x), (b, y)| (x.opened, a).cmp(&(y.opened, b)));
        for (_, client) in present {
            let end = self.ends.get(usize::from(client.series)).copied().unwrap_or_default();
            let end = end.min(self.window.until).max(client.opened);
            if client.opened < self.window.since {
                self.before += 1;
            }
            self.still.0 += 1;
            self.still.1 += end.since(client.opened.max(self.window.since));
            self.leave(client, end, Sum::default(), true);
        }
    }

    /// The longest stays, the longest first.
    pub(super) fn longest(&self) -> Vec<&Stay> {
        let mut all: Vec<_> = self.longest.iter().map(|Reverse(stay)| stay).collect();
        all.sort_unstable_by(|a, b| {
            b.held.cmp(&a.held).then_with(|| a.client.opened.cmp(&b.client.opened))
        });
        all
    }
}

fn count(names: &mut Names, name: &str) {
    let number = names.number(name);
    names.add(number, Sum { times: 1, ..Sum::default() });
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}
