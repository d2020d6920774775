//! The totals since the start, for the log and the live line.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tarpit_proto::time::Time;

use crate::report::{trace::Kind, trace_bound::LeftOut};

/// One worker's counters. Only that worker writes them; every thread may read.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    opened: AtomicU64,
    closed: AtomicU64,
    refused: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Lines of the trace that were left out, by event.
    left_out: [AtomicU64; Kind::ALL.len()],
    /// Milliseconds for which closed clients were held.
    held_millis: AtomicU64,
    /// The sum of the moments at which the present clients connected, in milliseconds.
    since_millis: AtomicU64,
}

impl Totals {
    /// A client was opened.
    pub(crate) fn open(&self, at: Time) {
        self.opened.fetch_add(1, Relaxed);
        self.since_millis.fetch_add(at.as_millis(), Relaxed);
    }

    /// A client that connected at `opened` was closed at `now`.
    pub(crate) fn close(&self, opened: Time, now: Time) {
        self.closed.fetch_add(1, Relaxed);
        self.since_millis.fetch_sub(opened.as_millis(), Relaxed);
        let held = u64::try_from(now.since(opened).as_millis()).unwrap_or(u64::MAX);
        self.held_millis.fetch_add(held, Relaxed);
    }

    /// A new client was refused.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Bytes were sent.
    pub(crate) fn send(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes were received.
    pub(crate) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    /// A line of the trace was left out.
    pub(crate) fn leave_out(&self, kind: Kind) {
        self.left_out[kind as usize].fetch_add(1, Relaxed);
    }
}

/// All workers' counters added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) opened: u64,
    pub(crate) held: u64,
    pub(crate) refused: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Lines of the trace that were left out, by event.
    pub(crate) left_out: LeftOut,
    /// The time for which all clients together were held, closed ones included.
    pub(crate) time: Duration,
}

impl Sum {
    /// The sum over `all` at `now`.
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a Totals>, now: Time) -> Self {
        let mut sum = Self::default();
        for one in all {
            let opened = one.opened.load(Relaxed);
            let held = opened.saturating_sub(one.closed.load(Relaxed));
            let present = (held * now.as_millis()).saturating_sub(one.since_millis.load(Relaxed));
            sum.opened += opened;
            sum.held += held;
            sum.refused += one.refused.load(Relaxed);
            sum.sent += one.sent.load(Relaxed);
            sum.received += one.received.load(Relaxed);
            for (sum, one) in sum.left_out.iter_mut().zip(&one.left_out) {
                *sum += one.load(Relaxed);
            }
            sum.time += Duration::from_millis(one.held_millis.load(Relaxed) + present);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_held_counts_the_gone_and_the_present() {
        let totals = Totals::default();
        let at = Time::from_millis;
        totals.open(at(1_000));
        totals.open(at(2_000));
        totals.close(at(1_000), at(5_000));
        let sum = Sum::of([&totals], at(10_000));
        assert_eq!((sum.opened, sum.held, sum.time), (2, 1, Duration::from_secs(12)));
    }
}
