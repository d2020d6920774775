//! Counters that go on over restarts: a file in the state directory, replaced each minute and at the
//! end.
//!
//! What is promised: no counter goes back, and of each tarpit `opened` less all of `closed` is what
//! is held. So whoever goes on counts each client's end once:
//! - After an upgrade, and where clients come back from the service manager's store, [`Past`] goes on,
//!   which has only those that have gone. The others are counted where they are held, or where it
//!   turns out that they are lost.
//! - Otherwise the file does. A client that was held when it was written has gone with the daemon,
//!   as `stopped`, whether that daemon was killed or its clients were lost by the store. What came
//!   and went after the last minute's file is missing: a daemon that is killed cannot tell it.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};
use tarpit_proto::session::Cause;

use crate::{
    admin::world::World,
    keys::state_dir::{COUNTERS, StateDir},
    report::{
        counter::HistogramCounts,
        refusal::Refusal,
        totals::{
            HOLD_BOUNDS, LATENESS_BOUNDS, PastCounts, PortCounts, TarpitCounts, WorkerCounts,
            protocols,
        },
        trace,
    },
    settings::finding::{Finding, plain},
};

/// The version of the file's form.
const VERSION: u32 = 1;

/// A longer file is not ours: one for as many tarpits as there can be is shorter.
const LONGEST: u64 = 32 << 20;

/// What earlier daemons counted, and where it is kept.
#[derive(Debug)]
pub(crate) struct Store {
    directory: StateDir,
    tarpits: BTreeMap<String, TarpitCounts>,
    ports: BTreeMap<u16, PortCounts>,
    pub(in crate::admin) workers: WorkerCounts,
    pub(in crate::admin) lost_lines: u64,
    /// Clients by country, and by the number of their autonomous system.
    pub(in crate::admin) countries: BTreeMap<String, u64>,
    pub(in crate::admin) systems: BTreeMap<u32, u64>,
    /// Whether the log has that it cannot be written.
    failing: AtomicBool,
}

/// What a daemon counted, for the one that goes on for it.
#[derive(Debug)]
pub(crate) struct Past {
    /// What goes on in the metrics; `None`: there were none.
    metrics: Option<Saved>,
    /// Of each tarpit since the start.
    pub(crate) tarpits: BTreeMap<String, PastCounts>,
}

/// A [`Past`] as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct SavedPast {
    metrics: Option<Saved>,
    /// Of clients that have gone.
    tarpits: BTreeMap<String, SavedTarpit>,
    /// Of all clients. Earlier versions lack it.
    #[serde(default)]
    told: BTreeMap<String, SavedTold>,
}

/// What no counter may go back behind.
#[derive(Debug, Serialize, Deserialize)]
struct SavedTold {
    opened: u64,
    held_millis: u64,
}

impl Past {
    /// What was counted, in bytes for [`Past::read`].
    pub(crate) fn write(world: &World) -> Vec<u8> {
        let now = world.clock.now();
        let (mut tarpits, mut told) = (BTreeMap::new(), BTreeMap::new());
        for tally in &*world.tallies {
            let PastCounts { gone, opened, held_millis } = tally.for_the_next(now);
            tarpits.insert(tally.name.clone(), SavedTarpit::of(&gone));
            told.insert(tally.name.clone(), SavedTold { opened, held_millis });
        }
        let metrics = (!world.metrics.bind.is_empty() || world.store.is_some()).then(|| {
            let store = world.store.as_deref();
            // The tarpits' own counts are beside these, and go on since the start.
            let earlier = store.map(|it| &it.tarpits).into_iter().flatten();
            let earlier = earlier.map(|(name, counts)| (name.clone(), SavedTarpit::of(counts)));
            let mut ports = store.map(|it| it.ports.clone()).unwrap_or_default();
            for tally in &*world.port_tallies {
                ports.entry(tally.port).or_default().add(&tally.of_the_gone());
            }
            Saved {
                ports: ports.iter().map(|(&port, it)| (port, SavedPort::of(it))).collect(),
                countries: world.countries(),
                systems: world.systems().into_iter().collect(),
                ..Saved::of(earlier.collect(), &world.worker_counts(), world.lost_lines())
            }
        });
        // Nothing in it can fail to be written.
        serde_json::to_vec(&SavedPast { metrics, tarpits, told }).unwrap_or_default()
    }

    /// What [`Past::write`] wrote; `None`: it is not readable here.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let SavedPast { metrics, tarpits, mut told } = serde_json::from_slice(bytes).ok()?;
        let tarpits = tarpits.into_iter().map(|(name, gone)| {
            let (opened, held_millis) =
                told.remove(&name).map_or((0, 0), |it| (it.opened, it.held_millis));
            (name, PastCounts { gone: gone.counts(), opened, held_millis })
        });
        let tarpits = tarpits.collect();
        Some(Self { metrics: metrics.filter(|it| it.version == VERSION), tarpits })
    }
}

impl Store {
    /// Goes on from what an earlier daemon counted; that is kept if there is a directory for it.
    /// `None`: that daemon had no metrics.
    pub(crate) fn going_on(directory: StateDir, past: &mut Past) -> Option<Self> {
        past.metrics.take().map(|saved| Self::of(saved, directory))
    }

    fn of(saved: Saved, directory: StateDir) -> Self {
        let tarpits = saved.tarpits.iter().map(|(name, it)| (name.clone(), it.counts())).collect();
        let ports = saved.ports.iter().map(|(&port, it)| (port, it.counts())).collect();
        let workers = saved.workers();
        let Saved { lost_lines, countries, systems, .. } = saved;
        let failing = AtomicBool::new(false);
        Self { directory, tarpits, ports, workers, lost_lines, countries, systems, failing }
    }

    /// Reads what was counted, if there is a directory for it. A file that cannot be used is told
    /// and kept under another name, and counting starts anew.
    pub(crate) fn open(directory: StateDir) -> Option<(Self, Option<Finding>)> {
        if !directory.is_kept() {
            return None;
        }
        let (saved, told) = match load(&directory) {
            Ok(saved) => (saved.map(Saved::ended).unwrap_or_default(), None),
            Err(unusable) => (Saved::default(), Some(unusable.put_aside(&directory))),
        };
        Some((Self::of(saved, directory), told))
    }

    /// What earlier daemons counted of the tarpit of this name.
    pub(in crate::admin) fn tarpit(&self, name: &str) -> TarpitCounts {
        self.tarpits.get(name).copied().unwrap_or_default()
    }

    /// What earlier daemons counted at a port.
    pub(in crate::admin) fn port(&self, port: u16) -> PortCounts {
        self.ports.get(&port).copied().unwrap_or_default()
    }

    /// Writes all that was ever counted.
    pub(crate) fn save(&self, world: &World) {
        let now = world.clock.now();
        let tarpits = world.tallies.iter().map(|tally| {
            let counts = world.tarpit_counts(tally, tally.counts(now));
            (tally.name.clone(), SavedTarpit::of(&counts))
        });
        let ports = world.port_tallies.iter();
        let ports = ports.map(|it| (it.port, SavedPort::of(&world.port_counts(it))));
        let saved = Saved {
            ports: ports.collect(),
            countries: world.countries(),
            systems: world.systems().into_iter().collect(),
            ..Saved::of(tarpits.collect(), &world.worker_counts(), world.lost_lines())
        };
        let written = serde_json::to_vec(&saved)
            .map_err(io::Error::other)
            .and_then(|bytes| self.directory.replace(COUNTERS, &bytes));
        match written {
            Ok(()) => self.failing.store(false, Relaxed),
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    world.log.error(format_args!(
                        "cannot save the counters of the metrics in {}: {}; after a restart they \
                         go on from what was saved last",
                        self.path().display(),
                        plain(&error)
                    ));
                }
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path_of(COUNTERS)
    }
}

/// Why a file is of no use.
enum Unusable {
    Damaged(String),
    Version(u32),
}

/// What was saved, if anything was.
fn load(directory: &StateDir) -> Result<Option<Saved>, Unusable> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
    let bytes = match directory.read(COUNTERS, LONGEST) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(Unusable::Damaged(plain(&error))),
    };
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

impl Unusable {
    /// Gives the file another name, and tells of it.
    fn put_aside(self, directory: &StateDir) -> Finding {
        let (end, why) = match self {
            Self::Damaged(why) => {
                ("damaged".to_owned(), format!("these counters are damaged ({why})"))
            }
            Self::Version(version) => (
                format!("version-{version}"),
                format!("another version of tarpitd wrote these counters (form {version})"),
            ),
        };
        directory.put_aside(COUNTERS, &end, &why, "the metrics start at 0")
    }
}

/// The file. Counts stand behind their names, so that a list may grow.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    version: u32,
    tarpits: BTreeMap<String, SavedTarpit>,
    /// Where ports are counted.
    #[serde(default)]
    ports: BTreeMap<u16, SavedPort>,
    identified: BTreeMap<String, u64>,
    left_out: BTreeMap<String, u64>,
    hold_millis: SavedHistogram,
    lateness_micros: SavedHistogram,
    ssh_handshakes: u64,
    tls_handshakes: u64,
    lost_lines: u64,
    /// Absent in the files of daemons that looked nothing up.
    #[serde(default)]
    countries: BTreeMap<String, u64>,
    #[serde(default)]
    systems: BTreeMap<u32, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedTarpit {
    opened: u64,
    closed: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    sent: u64,
    received: u64,
    held_millis: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedPort {
    opened: u64,
    closed: u64,
    sent: u64,
    held_millis: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedHistogram {
    bounds: Vec<u64>,
    within: Vec<u64>,
    above: u64,
    sum: u64,
}

impl Saved {
    fn of(tarpits: BTreeMap<String, SavedTarpit>, counts: &WorkerCounts, lost_lines: u64) -> Self {
        Self {
            version: VERSION,
            tarpits,
            ports: BTreeMap::new(),
            identified: named(protocols(), &counts.identified),
            left_out: named(events(), &counts.left_out),
            hold_millis: SavedHistogram::of(&HOLD_BOUNDS, &counts.hold),
            lateness_micros: SavedHistogram::of(&LATENESS_BOUNDS, &counts.lateness),
            ssh_handshakes: counts.ssh_handshakes,
            tls_handshakes: counts.tls_handshakes,
            lost_lines,
            countries: BTreeMap::new(),
            systems: BTreeMap::new(),
        }
    }

    /// The same after the end of the daemon that wrote it: nobody is held any more.
    fn ended(mut self) -> Self {
        for tarpit in self.tarpits.values_mut() {
            let held = tarpit.counts().held();
            let stopped = tarpit.closed.entry(Cause::Stopped.name().to_owned()).or_insert(0);
            *stopped = stopped.saturating_add(held);
        }
        for port in self.ports.values_mut() {
            port.closed = port.opened;
        }
        self
    }

    fn workers(&self) -> WorkerCounts {
        WorkerCounts {
            identified: protocols().map(|name| count(&self.identified, name)).collect(),
            left_out: trace::Kind::ALL.map(|kind| count(&self.left_out, kind.name())),
            hold: self.hold_millis.counts(&HOLD_BOUNDS),
            lateness: self.lateness_micros.counts(&LATENESS_BOUNDS),
            ssh_handshakes: self.ssh_handshakes,
            tls_handshakes: self.tls_handshakes,
            load_level: 0,
        }
    }
}

impl SavedTarpit {
    fn of(counts: &TarpitCounts) -> Self {
        let causes = Cause::ALL.iter().map(|(cause, _)| cause.name());
        let refusals = Refusal::ALL.iter().map(|refusal| refusal.name());
        Self {
            opened: counts.opened,
            closed: named(causes, &counts.closed),
            refused: named(refusals, &counts.refused),
            sent: counts.sent,
            received: counts.received,
            held_millis: counts.held_millis,
        }
    }

    fn counts(&self) -> TarpitCounts {
        TarpitCounts {
            opened: self.opened,
            closed: Cause::ALL.map(|(cause, _)| count(&self.closed, cause.name())),
            refused: Refusal::ALL.map(|refusal| count(&self.refused, refusal.name())),
            sent: self.sent,
            received: self.received,
            held_millis: self.held_millis,
        }
    }
}

impl SavedPort {
    fn of(&PortCounts { opened, closed, sent, held_millis }: &PortCounts) -> Self {
        Self { opened, closed, sent, held_millis }
    }

    fn counts(&self) -> PortCounts {
        let &Self { opened, closed, sent, held_millis } = self;
        PortCounts { opened, closed, sent, held_millis }
    }
}

impl SavedHistogram {
    fn of<const B: usize>(bounds: &[u64; B], counts: &HistogramCounts<B>) -> Self {
        Self {
            bounds: bounds.to_vec(),
            within: counts.within.to_vec(),
            above: counts.above,
            sum: counts.sum,
        }
    }

    /// The counts; none if they have other bounds, since they cannot be sorted into these.
    fn counts<const B: usize>(&self, bounds: &[u64; B]) -> HistogramCounts<B> {
        match <[u64; B]>::try_from(&*self.within) {
            Ok(within) if self.bounds == bounds => {
                HistogramCounts { within, above: self.above, sum: self.sum }
            }
            _ => HistogramCounts::default(),
        }
    }
}

fn events() -> impl Iterator<Item = &'static str> {
    trace::Kind::ALL.iter().map(|kind| kind.name())
}

/// The counts above 0, each behind its name.
fn named<'a>(names: impl Iterator<Item = &'a str>, counts: &[u64]) -> BTreeMap<String, u64> {
    let all = names.zip(counts).filter(|&(_, count)| *count > 0);
    all.map(|(name, &count)| (name.to_owned(), count)).collect()
}

fn count(counts: &BTreeMap<String, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_what_is_read() {
        let mut counts = TarpitCounts { opened: 7, sent: 8, received: 9, ..Default::default() };
        (counts.closed[2], counts.refused[3], counts.held_millis) = (5, 6, 10);
        let mut workers = WorkerCounts {
            identified: protocols().zip(1..).map(|(_, count)| count).collect(),
            ssh_handshakes: 3,
            tls_handshakes: 4,
            ..Default::default()
        };
        (workers.hold.within[1], workers.hold.sum, workers.lateness.above) = (1, 4_000, 2);
        let tarpits = BTreeMap::from([("a \"b\"".to_owned(), SavedTarpit::of(&counts))]);
        let bytes = serde_json::to_vec(&Saved::of(tarpits, &workers, 11)).unwrap();
        let saved: Saved = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(saved.tarpits["a \"b\""].counts(), counts);
        assert_eq!((saved.workers(), saved.lost_lines), (workers, 11));
    }

    #[test]
    fn a_histogram_with_other_bounds_starts_anew_and_nothing_else_does() {
        let counts = WorkerCounts { ssh_handshakes: 1, ..Default::default() };
        let mut saved = Saved::of(BTreeMap::new(), &counts, 0);
        saved.hold_millis = SavedHistogram { bounds: vec![1], within: vec![9], above: 9, sum: 9 };
        assert_eq!(saved.workers().hold, HistogramCounts::default());
        assert_eq!(saved.workers().ssh_handshakes, 1);
    }
}
