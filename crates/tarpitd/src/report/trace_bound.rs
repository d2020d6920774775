//! How many lines the trace may have: a token bucket over all clients of a worker.
//!
//! Half of the bucket is reserved for `open` and `close`; other events are left out first.

use std::{num::NonZeroU32, time::Duration};

use tarpit_proto::{time::Time, token_bucket::TokenBucket};

use crate::report::trace::Kind;

/// How many lines may be written, and which were left out.
#[derive(Debug)]
pub(crate) struct TraceBound {
    /// Lines that may be written; `None`: no bound.
    lines: Option<TokenBucket>,
    /// The lines left out since the first one, and the moment of the last one.
    leaving_out: Option<(LeftOut, Time)>,
}

/// Lines left out, by event, in the order of [`Kind::ALL`].
pub(crate) type LeftOut = [u64; Kind::ALL.len()];

/// What the log should say about the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundNews {
    /// Lines are left out from now on.
    Begun,
    /// No line was left out for a while; this many were.
    Over(LeftOut),
}

/// The bucket holds the lines of this many seconds.
pub(crate) const BURST: u64 = 600;

/// A line of this many bytes counts as one, a longer line as several: so the bytes have a bound,
/// too.
pub(crate) const SHORT: usize = 512;

/// How long after the last omitted line leaving out is over.
const QUIET: Duration = Duration::from_secs(60);

impl TraceBound {
    /// No bound as yet.
    pub(crate) fn new() -> Self {
        Self { lines: None, leaving_out: None }
    }

    /// Sets the lines a second. Lines already written still count.
    pub(crate) fn set(&mut self, rate: Option<NonZeroU32>, now: Time) {
        self.lines = rate.map(|rate| {
            let rate = rate.get().into();
            TokenBucket::replacing(self.lines, rate * BURST, rate, now)
        });
    }

    /// How many lines are missing in the bucket at `now`: the next daemon must not write them again.
    pub(crate) fn spent(&self, now: Time) -> u64 {
        self.lines.map_or(0, |mut lines| {
            lines.earn(now);
            lines.capacity() - lines.left()
        })
    }

    /// Goes on from what an earlier daemon has written.
    pub(crate) fn go_on(&mut self, spent: u64) {
        if let Some(lines) = &mut self.lines {
            lines.charge(spent);
        }
    }

    /// Whether a line of this kind may be written at `now`.
    pub(crate) fn allows(&mut self, kind: Kind, now: Time) -> (bool, Option<BoundNews>) {
        let Some(lines) = &mut self.lines else { return (true, None) };
        lines.earn(now);
        let kept = if kind.comes_first() { 0 } else { lines.capacity() / 2 };
        if lines.has(kept + 1) && lines.take(1) {
            return (true, None);
        }
        let begun = self.leaving_out.is_none();
        let (left_out, last) = self.leaving_out.get_or_insert(([0; Kind::ALL.len()], now));
        left_out[kind as usize] += 1;
        *last = now;
        (false, begun.then_some(BoundNews::Begun))
    }

    /// Counts the bytes of an allowed line: a line of more than [`SHORT`] counts as several.
    pub(crate) fn charge(&mut self, bytes: usize) {
        if let Some(lines) = &mut self.lines {
            lines.charge((bytes.saturating_sub(1) / SHORT) as u64);
        }
    }

    /// Whether it is over.
    pub(crate) fn ends(&mut self, now: Time) -> Option<BoundNews> {
        let (left_out, _) = self.leaving_out.take_if(|(_, last)| now.since(*last) >= QUIET)?;
        Some(BoundNews::Over(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn bound(rate: u32) -> TraceBound {
        let mut bound = TraceBound::new();
        bound.set(NonZeroU32::new(rate), at(0));
        bound
    }

    /// How many of 100,000 are allowed at that moment.
    fn allowed(bound: &mut TraceBound, kind: Kind, now: Time) -> usize {
        (0..100_000).filter(|_| bound.allows(kind, now).0).count()
    }

    #[test]
    fn half_of_a_burst_is_for_who_comes_and_goes() {
        let mut bound = bound(10);
        assert_eq!(bound.allows(Kind::Learn, at(0)), (true, None));
        assert_eq!(allowed(&mut bound, Kind::Learn, at(0)), 2_999);
        assert_eq!(allowed(&mut bound, Kind::Close, at(0)), 3_000);
        assert_eq!(allowed(&mut bound, Kind::Open, at(0)), 0);
        // A day brings a burst and no more.
        assert_eq!(allowed(&mut bound, Kind::Open, at(86_400_000)), 6_000);
    }

    #[test]
    fn over_a_day_no_more_is_written_than_the_bound_says() {
        let mut bound = bound(10);
        let mut lines = 0;
        for second in 0..86_400 {
            lines += (0..50).filter(|_| bound.allows(Kind::Refuse, at(second * 1_000)).0).count();
        }
        assert!((10 * 86_300..=10 * 86_400 + 6_000).contains(&lines), "{lines}");
    }

    #[test]
    fn a_long_line_counts_as_several() {
        let mut bound = bound(10);
        let left = |bound: &TraceBound| bound.lines.unwrap().left();
        for (bytes, cost) in [(0, 1), (512, 1), (513, 2), (10_000, 20)] {
            let before = left(&bound);
            assert!(bound.allows(Kind::Learn, at(0)).0);
            bound.charge(bytes);
            assert_eq!(before - left(&bound), cost, "{bytes}");
        }
    }

    #[test]
    fn leaving_out_is_told_at_its_begin_and_its_end() {
        let mut bound = bound(1);
        assert_eq!(allowed(&mut bound, Kind::Open, at(0)), 600);
        let mut said: Vec<_> = (0..3).map(|_| bound.allows(Kind::Open, at(1)).1).collect();
        said.push(bound.ends(at(60_000)));
        assert_eq!(said, [None; 4], "it has been told by then");
        let Some(BoundNews::Over(left_out)) = bound.ends(at(60_001)) else { panic!("not over") };
        assert_eq!(left_out[Kind::Open as usize], 100_000 - 600 + 3);
        assert_eq!(left_out.iter().sum::<u64>(), 100_000 - 600 + 3);
        assert_eq!(bound.ends(at(200_000)), None);
    }

    #[test]
    fn without_a_bound_all_is_written_and_a_new_one_forgets_nothing() {
        let mut bound = bound(0);
        assert_eq!(allowed(&mut bound, Kind::Learn, at(0)), 100_000);
        bound.set(NonZeroU32::new(10), at(0));
        assert_eq!(allowed(&mut bound, Kind::Open, at(0)), 6_000);
        bound.set(NonZeroU32::new(11), at(0));
        assert_eq!(allowed(&mut bound, Kind::Open, at(0)), 600);
    }

    #[test]
    fn what_was_written_is_missing_in_the_next_daemon() {
        let mut before = bound(10);
        let all = allowed(&mut before, Kind::Open, at(0)) as u64;
        assert_eq!((before.spent(at(0)), before.spent(at(60_000))), (all, all - 600));
        let mut next = bound(10);
        next.go_on(before.spent(at(60_000)));
        assert_eq!(allowed(&mut next, Kind::Open, at(0)), 600);
        next.go_on(u64::MAX);
        assert_eq!(TraceBound::new().spent(at(0)), 0, "without a bound");
    }
}
