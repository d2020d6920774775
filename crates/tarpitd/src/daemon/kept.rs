//! What goes on in the next daemon beside clients and counters.
//!
//! It consists of parts, each by its name, with a number for its form and its moment. They are handed
//! over beside the secrets that are in no file, and what tells of no client is in the state
//! directory, too, written every minute and at the end. A part that cannot be read costs nothing
//! else: it begins anew, and the log says so. So does one that this version does not know.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver, TryRecvError},
    },
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tarpit_proto::time::Time;

use super::{
    Daemon,
    hand_over::format::{DAMAGED_FILE, decode, encode, seal, unseal},
};
use crate::{
    admin::page::{self, PageState, SavedHistory},
    admit::egress::Spent,
    keys::state_dir::{KEPT, StateDir, Touch, UNUSABLE},
    os::clock::Clock,
    report::{log::Log, observed::saved::SavedFrequent},
    settings::{
        Settings,
        finding::{Finding, Gravity, plain},
    },
    worker,
};

/// Parts, and other things that go on, by their names.
pub(super) type Named = BTreeMap<String, Vec<u8>>;

/// What the file begins with.
const MAGIC: &[u8] = b"tarpitd kept\n";

/// The form of the file: a list of parts, each with a form of its own.
const FORM: u32 = 1;

/// A longer file is not ours: all parts of it have a fixed length, or nearly so.
const LONGEST: u64 = 64 << 10;

/// How often the file is written.
const SAVING: Duration = Duration::from_secs(60);

/// How long the workers may take to tell what they keep.
pub(super) const ASKED: Duration = Duration::from_millis(200);

/// A part: its name, and the number of its form.
struct Part(&'static str, u8);

/// What the page shows of the last day.
const DAY: Part = Part("day", 1);

/// What was spent of the bytes of `egress_per_day`.
const EGRESS: Part = Part("egress", 1);

/// The names, secrets and networks that came most often. It tells of clients, so it is in no file.
const FREQUENT: Part = Part("frequent", 1);

/// Lines spent of the trace's bound. After a restart there is room for new ones.
const LINES: Part = Part("lines", 1);

/// The pins of `strict_lock`, a list for each worker. They tell of clients, too.
const PINS: Part = Part("pins", 1);

impl Part {
    /// Adds it to others, as it is at this moment since 1970.
    fn write<T: Serialize>(&self, at: Duration, value: &T, all: &mut Named) {
        let &Self(name, form) = self;
        all.insert(name.to_owned(), encode(&(form, at, value)));
    }

    /// Takes it from others, with its age. One of another form is reported.
    fn take<T: DeserializeOwned>(
        &self,
        now: Duration,
        all: &mut Named,
        unreadable: &mut Vec<Finding>,
    ) -> Option<(Duration, T)> {
        let &Self(name, form) = self;
        let bytes = all.remove(name)?;
        let read = bytes.strip_prefix(&[form]).and_then(decode::<(Duration, T)>);
        if read.is_none() {
            let what = format!(
                "what the last daemon kept as `{name}` cannot be read here: it begins anew"
            );
            unreadable.push(Finding::new(Gravity::Warning, None, what));
        }
        read.map(|(at, value)| (now.saturating_sub(at), value))
    }
}

/// What an earlier daemon kept.
#[derive(Default)]
pub(super) struct Kept {
    spent: Option<Spent>,
    /// The page's last day, and how long ago that was.
    day: Option<(Duration, SavedHistory)>,
    lines: u64,
    frequent: Option<SavedFrequent>,
    pins: Vec<Vec<u8>>,
    /// Whether its clients and its counts go on here, too.
    counts_on: bool,
    /// What could not be read.
    pub(super) unreadable: Vec<Finding>,
}

impl Kept {
    /// Takes all parts out of what goes on by its name. `counts_on`: clients and counts go on, too.
    pub(super) fn take(named: &mut Named, clock: Clock, counts_on: bool) -> Self {
        let (now, mut unreadable) = (clock.wall(), Vec::new());
        let spent = EGRESS.take::<Spent>(now, named, &mut unreadable);
        Self {
            spent: spent.and_then(|(age, spent)| spent.after(age)),
            day: DAY.take(now, named, &mut unreadable),
            lines: LINES.take(now, named, &mut unreadable).map_or(0, |(_, it)| it),
            frequent: FREQUENT.take(now, named, &mut unreadable).map(|(_, it)| it),
            pins: PINS.take(now, named, &mut unreadable).map(|(_, it)| it).unwrap_or_default(),
            counts_on,
            unreadable,
        }
    }

    /// Reads what the state directory has. A file that cannot be used is told and kept under
    /// another name.
    pub(super) fn read(settings: &Settings, clock: Clock) -> Self {
        let directory = StateDir::new(settings.state_dir.clone(), Touch::Keep);
        if !directory.is_kept() {
            return Self::default();
        }
        let read = directory.read(KEPT, LONGEST).map_err(|error| plain(&error));
        let parsed = read.and_then(|file| {
            let Some(file) = file else { return Ok(Named::new()) };
            decode(unseal(MAGIC, FORM, &file)?).ok_or_else(|| DAMAGED_FILE.to_owned())
        });
        match parsed {
            Ok(mut named) => Self::take(&mut named, clock, false),
            Err(why) => {
                let cost = "the bytes of `egress_per_day` and the page's last day begin anew";
                Self {
                    unreadable: vec![directory.put_aside(KEPT, UNUSABLE, &why, cost)],
                    ..Self::default()
                }
            }
        }
    }

    /// The page's last day, if that is to go on.
    pub(super) fn page(&mut self, now: Time) -> Option<PageState> {
        let (away, saved) = self.day.take()?;
        Some(PageState::going_on(saved, away, self.counts_on, now))
    }

    /// The share of each worker that there is under these settings.
    pub(super) fn of_workers(&mut self, settings: &Settings) -> Vec<worker::kept::Kept> {
        let workers = settings.workers.get();
        let spent = self.spent.map(|spent| spent.share(workers));
        let anonymize = settings.logging.anonymize.name();
        let frequent = self.frequent.take().and_then(|it| it.load(anonymize));
        let pins: Arc<[Vec<u8>]> = std::mem::take(&mut self.pins).into();
        let share = |worker| worker::kept::Kept {
            spent,
            lines: self.lines.div_ceil(workers as u64),
            frequent: frequent.as_ref().map(|it| it.share(worker, workers)),
            pins: Arc::clone(&pins),
        };
        (0..workers).map(share).collect()
    }
}

/// The file in the state directory, while the daemon runs.
pub(super) struct Keeping {
    due: Time,
    /// Disconnected once the last draft is written.
    under_way: Option<Receiver<Infallible>>,
    /// Whether the log has that it cannot be written.
    failing: Arc<AtomicBool>,
}

impl Keeping {
    pub(super) fn new(now: Time) -> Self {
        Self { due: now.after(SAVING), under_way: None, failing: Arc::default() }
    }
}

/// The file, about to be written.
pub(super) struct Draft {
    directory: StateDir,
    parts: Named,
    failing: Arc<AtomicBool>,
    log: Log,
}

impl Draft {
    /// Writes it in place of the last one.
    pub(super) fn write(self) {
        let file = seal(MAGIC, FORM, &encode(&self.parts));
        match self.directory.replace(KEPT, &file) {
            Ok(()) => self.failing.store(false, Relaxed),
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    self.log.error(format_args!(
                        "cannot save {}: {}; after a restart the bytes of `egress_per_day` and \
                         the page's last day go on from what was saved last",
                        self.directory.path_of(KEPT).display(),
                        plain(&error)
                    ));
                }
            }
        }
    }
}

impl Daemon {
    /// Everything that goes on by its name, for a daemon that takes over.
    pub(super) fn named(&self) -> Named {
        let mut named = self.identity.state_dir().remembered();
        let of_workers = self.workers.kept(ASKED);
        named.append(&mut self.parts(&of_workers));
        let now = self.clock.wall();
        let lines = of_workers.iter().fold(0_u64, |sum, it| sum.saturating_add(it.lines));
        if lines > 0 {
            LINES.write(now, &lines, &mut named);
        }
        let pins: Vec<_> = of_workers.iter().flat_map(|it| it.pins.iter()).collect();
        if !pins.is_empty() {
            PINS.write(now, &pins, &mut named);
        }
        let anonymize = self.served.settings.logging.anonymize.name();
        let frequent = of_workers.into_iter().filter_map(|it| it.frequent);
        if let Some(frequent) = SavedFrequent::of(frequent, anonymize) {
            FREQUENT.write(now, &frequent, &mut named);
        }
        named
    }

    /// The parts that tell of no client, as they are now.
    fn parts(&self, of_workers: &[worker::kept::Kept]) -> Named {
        let (now, mut all) = (self.clock.wall(), Named::new());
        if let Some(spent) = Spent::sum(of_workers.iter().filter_map(|it| it.spent)) {
            EGRESS.write(now, &spent, &mut all);
        }
        if let Some(day) = page::save(&self.world()) {
            DAY.write(now, &day, &mut all);
        }
        all
    }

    /// Whether there is a file.
    fn has_file(&self) -> bool {
        let is_wanted = self.served.settings.limits.egress_per_day.is_some() || self.page.is_some();
        is_wanted && self.identity.state_dir().is_kept()
    }

    /// The file for the next start, if there is one.
    pub(super) fn draft(&self) -> Option<Draft> {
        self.has_file().then(|| Draft {
            directory: self.identity.state_dir().clone(),
            parts: self.parts(&self.workers.kept(ASKED)),
            failing: Arc::clone(&self.keeping.failing),
            log: self.log.clone(),
        })
    }

    /// How long until the file is to be written; `None`: there is none.
    pub(super) fn until_kept(&self) -> Option<Duration> {
        self.has_file().then(|| self.keeping.due.since(self.clock.now()))
    }

    /// Writes the file now and then, in a thread of its own: a disk that hangs must not hold up the
    /// daemon.
    pub(super) fn keep(&mut self) {
        let now = self.clock.now();
        if self.until_kept() != Some(Duration::ZERO) {
            return;
        }
        self.keeping.due = now.after(SAVING);
        let is_over = |it: &Receiver<Infallible>| it.try_recv() == Err(TryRecvError::Disconnected);
        if !self.keeping.under_way.as_ref().is_none_or(is_over) {
            return;
        }
        let Some(draft) = self.draft() else { return };
        let (done, under_way) = mpsc::channel();
        let write = move || {
            draft.write();
            drop(done);
        };
        // Without memory for a thread, the next minute tries again.
        if thread::Builder::new().stack_size(128 * 1024).spawn(write).is_ok() {
            self.keeping.under_way = Some(under_way);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_cannot_be_read_is_told_and_costs_no_other() {
        let clock = Clock::start();
        let spent = Spent { bytes: 7, day_left: Duration::from_secs(60) };
        let parts = || {
            let mut all = Named::from([("seed".to_owned(), vec![1])]);
            EGRESS.write(clock.wall(), &spent, &mut all);
            LINES.write(clock.wall(), &9_u64, &mut all);
            all
        };
        let mut all = parts();
        let kept = Kept::take(&mut all, clock, true);
        assert_eq!((kept.spent.map(|it| it.bytes), kept.lines), (Some(7), 9));
        assert!(kept.unreadable.is_empty() && kept.day.is_none());
        assert_eq!(all.into_keys().collect::<Vec<_>>(), ["seed"], "what is no part stays");
        let good = parts().remove(EGRESS.0).unwrap_or_default();
        let damages = [vec![], good[..good.len() - 1].to_vec(), [&[2], &good[1..]].concat()];
        for damage in damages {
            let mut all = parts();
            all.insert(EGRESS.0.to_owned(), damage);
            let kept = Kept::take(&mut all, clock, true);
            assert_eq!((kept.spent, kept.lines), (None, 9));
            assert!(kept.unreadable[0].to_string().contains("`egress` cannot be read here"));
        }
    }
}
