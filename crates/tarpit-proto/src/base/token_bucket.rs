//! A token bucket: tokens come in at a fixed rate and are saved up to a limit.
//!
//! Limits for all clients together are such buckets: handshakes, bytes, lines of the trace. A
//! bucket of 32 bytes for each client would be too much. So the pacer and a client's account keep
//! only the moment at which their bucket is full, or the next byte paid for: 4 bytes.

use crate::base::time::{Time, millis};

/// Tokens come in evenly, are saved up to a capacity, and are taken out.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Tokens a second, which is thousandths of a token a millisecond.
    per_second: u64,
    /// The most thousandths that are saved up.
    capacity: u64,
    /// Thousandths that are there.
    left: u64,
    /// The moment up to which tokens have come in.
    earned: Time,
}

/// The bucket counts in these parts of a token, so that each millisecond brings a whole number.
const PARTS: u64 = 1_000;

impl TokenBucket {
    /// A bucket that is full at `now`. All numbers of tokens are cut at 2^64 / 1000.
    pub fn full(capacity: u64, per_second: u64, now: Time) -> Self {
        let capacity = capacity.saturating_mul(PARTS);
        Self { per_second, capacity, left: capacity, earned: now }
    }

    /// A bucket in place of `old`, if there is one. Tokens taken out of `old` are missing here,
    /// too, so that a change of the limit does not bring them back.
    pub fn replacing(old: Option<Self>, capacity: u64, per_second: u64, now: Time) -> Self {
        let mut new = Self::full(capacity, per_second, now);
        if let Some(mut old) = old {
            old.earn(now);
            new.left = new.left.saturating_sub(old.capacity - old.left);
        }
        new
    }

    /// Adds the tokens up to `now`; those beyond the capacity are lost.
    pub fn earn(&mut self, now: Time) {
        let earned = self.per_second.saturating_mul(millis(now.since(self.earned)));
        self.left = self.left.saturating_add(earned).min(self.capacity);
        self.earned = self.earned.max(now);
    }

    /// Takes out this many tokens if there are enough; says whether there were.
    pub fn take(&mut self, tokens: u64) -> bool {
        let has = self.has(tokens);
        if has {
            self.charge(tokens);
        }
        has
    }

    /// Takes out this many tokens, or all: for a price that is known only afterwards.
    pub fn charge(&mut self, tokens: u64) {
        self.left = self.left.saturating_sub(tokens.saturating_mul(PARTS));
    }

    /// Puts back tokens that were not needed.
    pub fn put_back(&mut self, tokens: u64) {
        self.left = self.left.saturating_add(tokens.saturating_mul(PARTS)).min(self.capacity);
    }

    /// Whether there are this many tokens.
    pub fn has(&self, tokens: u64) -> bool {
        self.left >= tokens.saturating_mul(PARTS)
    }

    /// How many tokens may be saved up.
    pub fn capacity(&self) -> u64 {
        self.capacity / PARTS
    }

    /// How many whole tokens are there.
    pub fn left(&self) -> u64 {
        self.left / PARTS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_full_bucket_holds_its_capacity_and_no_more_comes_in() {
        let mut bucket = TokenBucket::full(10, 1, at(0));
        bucket.earn(at(86_400_000));
        assert_eq!(bucket.left(), 10);
        bucket.put_back(5);
        assert!(bucket.take(10) && !bucket.take(1));
    }

    #[test]
    fn each_millisecond_brings_its_part_however_often_one_asks() {
        for step in [1, 7, 999, 10_000] {
            let mut bucket = TokenBucket::full(5_000, 333, at(0));
            bucket.charge(5_000);
            for now in (0..=10_000).step_by(step) {
                bucket.earn(at(now));
            }
            bucket.earn(at(10_000));
            assert_eq!(bucket.left(), 3_330, "in steps of {step} ms");
        }
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_twice() {
        let mut bucket = TokenBucket::full(100, 10, at(5_000));
        bucket.charge(100);
        for now in [6_000, 5_000, 6_000] {
            bucket.earn(at(now));
        }
        assert_eq!(bucket.left(), 10);
    }

    #[test]
    fn another_bound_does_not_bring_back_what_was_taken() {
        let mut old = TokenBucket::full(100, 10, at(0));
        old.charge(60);
        // A second has brought 10 of the 60.
        assert_eq!(TokenBucket::replacing(Some(old), 100, 10, at(1_000)).left(), 50);
        assert_eq!(TokenBucket::replacing(Some(old), 200, 10, at(1_000)).left(), 150);
        assert_eq!(TokenBucket::replacing(Some(old), 20, 10, at(1_000)).left(), 0);
        assert_eq!(TokenBucket::replacing(None, 20, 10, at(1_000)).left(), 20);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut bucket = TokenBucket::full(u64::MAX, u64::MAX, at(0));
        bucket.earn(at(u64::MAX));
        bucket.put_back(u64::MAX);
        assert!(bucket.has(u64::MAX / PARTS));
        assert!(bucket.take(u64::MAX));
        assert_eq!(bucket.left(), 0);
        bucket.charge(u64::MAX);
        assert!(bucket.take(0));
    }

    proptest! {
        #[test]
        fn never_more_goes_than_the_capacity_and_what_came_in(
            capacity in 0_u64..1_000,
            per_second in 0_u64..10_000,
            turns in proptest::collection::vec((0_u64..2_000, 0_u64..500), 1..100),
        ) {
            let mut bucket = TokenBucket::full(capacity, per_second, at(0));
            let (mut now, mut taken) = (0, 0);
            for (wait, tokens) in turns {
                now += wait;
                bucket.earn(at(now));
                taken += if bucket.take(tokens) { tokens } else { 0 };
                prop_assert!(taken <= capacity + per_second * now / 1_000 + 1);
            }
        }
    }
}
