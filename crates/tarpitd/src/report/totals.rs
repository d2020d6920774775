//! What is counted: for each tarpit, and for each worker as a whole.
//!
//! Only the worker itself writes its counters, so that counting costs it next to nothing; whoever
//! asks adds them up.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tarpit_proto::{
    handshake_budget::{Begun, LoadLevel},
    protocols,
    session::Cause,
    time::Time,
};

use crate::report::{
    counter::{Counter, Histogram, HistogramCounts, add_each},
    refusal::Refusal,
    trace::Kind,
    trace_bound::LeftOut,
};

/// What is counted of one tarpit, by all workers.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The tarpit's name.
    pub(crate) name: String,
    /// What earlier daemons counted of clients that have gone, where this one goes on for them.
    past: Mutex<TarpitCounts>,
    /// How many clients they had told of as opened. Some of these may still be on their way here.
    told_opened: u64,
    workers: Box<[TarpitTotals]>,
    /// The most time held that was told so far, in milliseconds: a client that turns out to have
    /// vanished takes back the time since its last sign of life, and a counter may not go back.
    told_millis: AtomicU64,
}

/// What one worker counts of one tarpit. A cache line of its own keeps workers from each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct TarpitTotals {
    opened: Counter,
    closed: [Counter; Cause::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
    sent: Counter,
    received: Counter,
    time: TimeHeld,
}

/// The time for which clients are held.
#[derive(Debug, Default)]
struct TimeHeld {
    /// Milliseconds for which closed clients were held.
    closed_millis: Counter,
    /// The sum of the moments at which the present clients connected, in milliseconds.
    since_millis: Counter,
}

/// What is counted at one port of the server, by all workers.
#[derive(Debug)]
pub(crate) struct PortTally {
    pub(crate) port: u16,
    workers: Box<[PortTotals]>,
    /// As [`Tally::told_millis`].
    told_millis: AtomicU64,
}

/// What one worker counts at one port.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct PortTotals {
    opened: Counter,
    closed: Counter,
    sent: Counter,
    time: TimeHeld,
}

/// The counts of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortCounts {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) sent: u64,
    pub(crate) held_millis: u64,
}

/// What earlier daemons counted of a tarpit, for the one that goes on for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PastCounts {
    /// Of clients that have gone: the others are counted again where they are held.
    pub(crate) gone: TarpitCounts,
    /// Of all clients.
    pub(crate) opened: u64,
    pub(crate) held_millis: u64,
}

/// Where a client is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) tarpit: &'a Tally,
    /// `None`: ports are not counted.
    pub(crate) port: Option<&'a PortTally>,
}

/// The counts of a tarpit, or of all tarpits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TarpitCounts {
    pub(crate) opened: u64,
    pub(crate) closed: [u64; Cause::ALL.len()],
    pub(crate) refused: [u64; Refusal::ALL.len()],
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Milliseconds for which all clients together were held, present ones included.
    pub(crate) held_millis: u64,
}

impl Tally {
    /// Nothing counted yet, by so many workers.
    #[cfg(test)]
    pub(crate) fn new(name: &str, workers: usize) -> Self {
        Self::going_on(name, workers, PastCounts::default())
    }

    /// Goes on from what earlier daemons counted.
    pub(crate) fn going_on(name: &str, workers: usize, before: PastCounts) -> Self {
        let PastCounts { gone, opened, held_millis } = before;
        let workers = std::iter::repeat_with(TarpitTotals::default).take(workers).collect();
        Self {
            name: name.to_owned(),
            past: Mutex::new(gone),
            told_opened: opened,
            workers,
            told_millis: AtomicU64::new(held_millis),
        }
    }

    /// What was counted since the start, for a daemon that holds the present clients from now on.
    pub(crate) fn for_the_next(&self, now: Time) -> PastCounts {
        let all = self.counts(now);
        let opened = self.opened_told(all.opened);
        PastCounts { gone: self.of_the_gone(), opened, held_millis: all.held_millis }
    }

    /// How many clients to tell of where so many are counted as opened: no fewer than were told
    /// before, though some of them may still be on their way here.
    pub(crate) fn opened_told(&self, counted: u64) -> u64 {
        counted.max(self.told_opened)
    }

    /// What was counted since the start of clients that have gone.
    fn of_the_gone(&self) -> TarpitCounts {
        let mut sum = self.past();
        for worker in &self.workers {
            let counts = worker.counts(Time::START);
            let opened = counts.closed.iter().sum();
            sum.add(&TarpitCounts {
                opened,
                held_millis: worker.time.closed_millis.get(),
                ..counts
            });
        }
        sum
    }

    /// What the daemon before has counted in all, now that it has ended.
    pub(crate) fn go_on_from(&self, gone: TarpitCounts) {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner) = gone;
    }

    fn past(&self) -> TarpitCounts {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this worker counts.
    pub(crate) fn of(&self, worker: usize) -> &TarpitTotals {
        &self.workers[worker]
    }

    /// What was counted since the start.
    pub(crate) fn counts(&self, now: Time) -> TarpitCounts {
        let mut sum = self.past();
        for worker in &self.workers {
            sum.add(&worker.counts(now));
        }
        let before = self.told_millis.fetch_max(sum.held_millis, Relaxed);
        sum.held_millis = sum.held_millis.max(before);
        sum
    }
}

impl TarpitTotals {
    /// A client was opened.
    pub(crate) fn open(&self, at: Time) {
        self.opened.add(1);
        self.time.open(at);
    }

    /// A client that connected at `opened` was closed, with its last sign of life at `end`.
    pub(crate) fn close(&self, opened: Time, end: Time, cause: Cause) {
        self.closed[place(cause)].add(1);
        self.time.close(opened, end);
    }

    /// A client that connected at `opened` is counted by another daemon.
    pub(crate) fn give_away(&self, opened: Time) {
        self.opened.subtract(1);
        self.time.give_away(opened);
    }

    /// A new client was refused.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].add(1);
    }

    /// Bytes were sent.
    pub(crate) fn send(&self, bytes: usize) {
        self.sent.add(bytes as u64);
    }

    /// Bytes were received.
    pub(crate) fn receive(&self, bytes: usize) {
        self.received.add(bytes as u64);
    }

    fn counts(&self, now: Time) -> TarpitCounts {
        // The closed ones first: a client that goes in the meantime is not closed before it opened.
        let closed = self.closed.each_ref().map(Counter::get);
        let opened = self.opened.get();
        let held = opened.saturating_sub(closed.iter().sum());
        TarpitCounts {
            opened,
            closed,
            refused: self.refused.each_ref().map(Counter::get),
            sent: self.sent.get(),
            received: self.received.get(),
            held_millis: self.time.millis(held, now),
        }
    }
}

impl PortTally {
    /// Nothing counted yet, by so many workers.
    pub(crate) fn new(port: u16, workers: usize) -> Self {
        let workers = std::iter::repeat_with(PortTotals::default).take(workers).collect();
        Self { port, workers, told_millis: AtomicU64::new(0) }
    }

    /// What this worker counts.
    pub(crate) fn of(&self, worker: usize) -> &PortTotals {
        &self.workers[worker]
    }

    /// What was counted since the start of clients that have gone.
    pub(crate) fn of_the_gone(&self) -> PortCounts {
        let mut sum = PortCounts::default();
        for worker in &self.workers {
            let closed = worker.closed.get();
            let held_millis = worker.time.closed_millis.get();
            sum.add(&PortCounts { opened: closed, closed, sent: worker.sent.get(), held_millis });
        }
        sum
    }

    /// What was counted since the start.
    pub(crate) fn counts(&self, now: Time) -> PortCounts {
        let mut sum = PortCounts::default();
        for worker in &self.workers {
            let closed = worker.closed.get();
            let opened = worker.opened.get();
            sum.add(&PortCounts {
                opened,
                closed,
                sent: worker.sent.get(),
                held_millis: worker.time.millis(opened.saturating_sub(closed), now),
            });
        }
        let before = self.told_millis.fetch_max(sum.held_millis, Relaxed);
        sum.held_millis = sum.held_millis.max(before);
        sum
    }
}

impl PortTotals {
    pub(crate) fn open(&self, at: Time) {
        self.opened.add(1);
        self.time.open(at);
    }

    pub(crate) fn give_away(&self, opened: Time) {
        self.opened.subtract(1);
        self.time.give_away(opened);
    }

    pub(crate) fn close(&self, opened: Time, end: Time) {
        self.closed.add(1);
        self.time.close(opened, end);
    }

    pub(crate) fn send(&self, bytes: usize) {
        self.sent.add(bytes as u64);
    }
}

impl PortCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.opened, other.opened),
            (&mut self.closed, other.closed),
            (&mut self.sent, other.sent),
            (&mut self.held_millis, other.held_millis),
        ] {
            *sum = sum.saturating_add(count);
        }
    }
}

impl TimeHeld {
    fn open(&self, at: Time) {
        self.since_millis.add(at.as_millis());
    }

    fn give_away(&self, opened: Time) {
        self.since_millis.subtract(opened.as_millis());
    }

    fn close(&self, opened: Time, end: Time) {
        self.since_millis.subtract(opened.as_millis());
        self.closed_millis.add(millis(end.since(opened)));
    }

    /// The time of all clients, of which `held` are present.
    fn millis(&self, held: u64, now: Time) -> u64 {
        let present = held.saturating_mul(now.as_millis());
        self.closed_millis.get() + present.saturating_sub(self.since_millis.get())
    }
}

impl TarpitCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { opened, closed, refused, sent, received, held_millis } = other;
        add_each(&mut self.closed, closed);
        add_each(&mut self.refused, refused);
        for (sum, count) in [
            (&mut self.opened, opened),
            (&mut self.sent, sent),
            (&mut self.received, received),
            (&mut self.held_millis, held_millis),
        ] {
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many clients are held.
    pub(crate) fn held(&self) -> u64 {
        self.opened.saturating_sub(self.closed.iter().sum())
    }
}

/// How long clients are held, in milliseconds.
pub(crate) static HOLD_BOUNDS: [u64; 18] = {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    [
        SECOND,
        5 * SECOND,
        10 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        3 * DAY,
        7 * DAY,
        14 * DAY,
        30 * DAY,
    ]
};

/// How late clients are served, in microseconds.
pub(crate) static LATENESS_BOUNDS: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// The protocols that a client can be known to speak; the last one is none of those known.
pub(crate) fn protocols() -> impl Iterator<Item = &'static str> {
    protocols::ALL.iter().map(|protocol| protocol.name).chain(["unknown"])
}

/// What one worker counts over all tarpits.
#[derive(Debug)]
pub(crate) struct WorkerTotals {
    /// Clients known to speak a protocol, in the order of [`protocols()`].
    identified: Box<[Counter]>,
    /// Lines of the trace that were left out, by event.
    left_out: [Counter; Kind::ALL.len()],
    /// For how long closed clients were held.
    hold: Histogram<{ HOLD_BOUNDS.len() }>,
    /// How late due clients were served.
    lateness: Histogram<{ LATENESS_BOUNDS.len() }>,
    ssh_handshakes: Counter,
    tls_handshakes: Counter,
    health_checks: Counter,
    load_level: Counter,
}

/// The counts of a worker, or of all workers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerCounts {
    /// Clients known to speak a protocol, in the order of [`protocols()`].
    pub(crate) identified: Vec<u64>,
    pub(crate) left_out: LeftOut,
    pub(crate) hold: HistogramCounts<{ HOLD_BOUNDS.len() }>,
    pub(crate) lateness: HistogramCounts<{ LATENESS_BOUNDS.len() }>,
    pub(crate) ssh_handshakes: u64,
    pub(crate) tls_handshakes: u64,
    /// The greatest of all workers, as a place in [`LoadLevel::STEPS`].
    pub(crate) load_level: u64,
}

impl WorkerTotals {
    /// A client is known to speak the protocol of this name.
    pub(crate) fn identify(&self, protocol: &[u8]) {
        let place = protocols().position(|known| known.as_bytes() == protocol);
        if let Some(counter) = place.and_then(|place| self.identified.get(place)) {
            counter.add(1);
        }
    }

    /// A line of the trace was left out.
    pub(crate) fn leave_out(&self, kind: Kind) {
        self.left_out[kind as usize].add(1);
    }

    /// A client that was held for so long is gone.
    pub(crate) fn hold(&self, time: Duration) {
        self.hold.observe(millis(time), 1);
    }

    /// So many clients were served that late.
    pub(crate) fn serve(&self, clients: usize, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.lateness.observe(micros, clients as u64);
    }

    /// A health check came.
    pub(crate) fn check_health(&self) {
        self.health_checks.add(1);
    }

    /// The load level, and how many handshakes have begun since the start.
    pub(crate) fn press(&self, level: LoadLevel, begun: Begun) {
        self.load_level.set(level as u64);
        self.ssh_handshakes.set(begun.ssh);
        self.tls_handshakes.set(begun.tls);
    }

    pub(crate) fn counts(&self) -> WorkerCounts {
        WorkerCounts {
            identified: self.identified.iter().map(Counter::get).collect(),
            left_out: self.left_out.each_ref().map(Counter::get),
            hold: self.hold.counts(),
            lateness: self.lateness.counts(),
            ssh_handshakes: self.ssh_handshakes.get(),
            tls_handshakes: self.tls_handshakes.get(),
            load_level: self.load_level.get(),
        }
    }
}

impl Default for WorkerTotals {
    fn default() -> Self {
        Self {
            identified: protocols().map(|_| Counter::default()).collect(),
            left_out: std::array::from_fn(|_| Counter::default()),
            hold: Histogram::new(&HOLD_BOUNDS),
            lateness: Histogram::new(&LATENESS_BOUNDS),
            ssh_handshakes: Counter::default(),
            tls_handshakes: Counter::default(),
            health_checks: Counter::default(),
            load_level: Counter::default(),
        }
    }
}

impl WorkerCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            identified,
            left_out,
            hold,
            lateness,
            ssh_handshakes,
            tls_handshakes,
            load_level,
        } = other;
        self.identified.resize(identified.len().max(self.identified.len()), 0);
        add_each(&mut self.identified, identified);
        add_each(&mut self.left_out, left_out);
        self.hold.add(hold);
        self.lateness.add(lateness);
        self.ssh_handshakes = self.ssh_handshakes.saturating_add(*ssh_handshakes);
        self.tls_handshakes = self.tls_handshakes.saturating_add(*tls_handshakes);
        self.load_level = self.load_level.max(*load_level);
    }
}

/// The totals since the start, for the log and the live line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) opened: u64,
    pub(crate) held: u64,
    pub(crate) refused: u64,
    pub(crate) health_checks: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Lines of the trace that were left out, by event.
    pub(crate) left_out: LeftOut,
    /// The time for which all clients together were held, closed ones included.
    pub(crate) time: Duration,
}

impl Sum {
    /// The sum over all tarpits and workers at `now`.
    pub(crate) fn of<'a>(
        tallies: impl IntoIterator<Item = &'a Tally>,
        workers: impl IntoIterator<Item = &'a WorkerTotals>,
        now: Time,
    ) -> Self {
        let mut all = TarpitCounts::default();
        for tally in tallies {
            all.add(&tally.past());
            for worker in &tally.workers {
                all.add(&worker.counts(now));
            }
        }
        let mut left_out = LeftOut::default();
        let mut health_checks = 0;
        for worker in workers {
            health_checks += worker.health_checks.get();
            add_each(&mut left_out, &worker.left_out.each_ref().map(Counter::get));
        }
        Self {
            opened: all.opened,
            held: all.held(),
            refused: all.refused.iter().sum(),
            health_checks,
            sent: all.sent,
            received: all.received,
            left_out,
            time: Duration::from_millis(all.held_millis),
        }
    }
}

/// The place of a cause in [`Cause::ALL`].
fn place(cause: Cause) -> usize {
    cause as usize
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_held_counts_the_gone_and_the_present() {
        let tally = Tally::new("a", 2);
        let at = Time::from_millis;
        tally.of(0).open(at(1_000));
        tally.of(1).open(at(2_000));
        tally.of(0).close(at(1_000), at(5_000), Cause::Reset);
        let sum = Sum::of([&tally], [&WorkerTotals::default()], at(10_000));
        assert_eq!((sum.opened, sum.held, sum.time), (2, 1, Duration::from_secs(12)));
    }

    #[test]
    fn a_client_that_vanished_long_ago_takes_no_time_back() {
        let tally = Tally::new("a", 1);
        let at = Time::from_millis;
        tally.of(0).open(at(0));
        assert_eq!(tally.counts(at(900_000)).held_millis, 900_000);
        tally.of(0).close(at(0), at(100_000), Cause::TimedOut);
        assert_eq!(tally.counts(at(901_000)).held_millis, 900_000);
        tally.of(0).open(at(901_000));
        assert_eq!(tally.counts(at(1_711_000)).held_millis, 910_000);
    }

    #[test]
    fn a_tally_that_goes_on_counts_what_the_first_one_would_have_counted() {
        let (at, tally) = (Time::from_millis, Tally::new("a", 2));
        tally.of(0).open(at(1_000));
        tally.of(1).open(at(2_000));
        tally.of(1).send(7);
        tally.of(0).close(at(1_000), at(5_000), Cause::Reset);
        let next = Tally::going_on("a", 1, tally.for_the_next(at(8_000)));
        // One client is on its way, and no counter goes back meanwhile.
        let early = next.counts(at(8_000));
        assert_eq!((early.opened, next.opened_told(early.opened), early.held()), (1, 2, 0));
        assert_eq!(early.held_millis, 4_000 + 6_000);
        next.of(0).open(at(2_000));
        assert_eq!(next.counts(at(9_000)), tally.counts(at(9_000)));
        let sum = |tally| Sum::of([tally], [&WorkerTotals::default()], at(10_000));
        assert_eq!(sum(&next), sum(&tally));
    }

    #[test]
    fn each_cause_and_each_refusal_has_its_place() {
        for (index, (cause, _)) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(place(cause), index);
        }
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index);
        }
    }

    #[test]
    fn a_protocol_is_counted_by_its_name_and_nothing_else_is() {
        let totals = WorkerTotals::default();
        for name in ["ssh", "unknown", "ssh", "nonsense"] {
            totals.identify(name.as_bytes());
        }
        let counts = protocols().zip(totals.counts().identified);
        let counts: Vec<_> = counts.filter(|&(_, count)| count > 0).collect();
        assert_eq!(counts, [("ssh", 2), ("unknown", 1)]);
    }
}
