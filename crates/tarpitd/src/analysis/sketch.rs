//! Counting in fixed memory: the most frequent keys of a stream, how many different ones there are,
//! and how its durations are distributed.

use std::{
    borrow::Borrow,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash},
    mem,
};

use crate::os::entropy::{HashMap, Keyed};

/// The most frequent keys with their counts, in room for so many keys.
///
/// As long as the keys fit, all counts are exact. When one more comes, the rarer half is forgotten,
/// and from then on a count may be too low: by as much as a key that comes anew may have had before
/// (the idea of "space saving", Metwally and others 2005, with a bound below instead of above).
#[derive(Debug)]
pub(super) struct Top<K> {
    room: usize,
    counts: HashMap<K, Count>,
    /// No key that was forgotten had more than this.
    forgotten: u64,
    /// Counts the different keys once some were forgotten.
    distinct: Option<Distinct>,
}

/// What is known of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// How often it came, since it was last forgotten.
    pub(super) times: u64,
    /// How often it may have come before.
    missed: u64,
    /// The time held that belongs to it, in microseconds.
    pub(super) held: u64,
}

impl<K: Hash + Eq + Ord> Top<K> {
    /// Nothing is counted yet. A table doubles its memory when it is 7/8 full, so these are the
    /// numbers that leave no room unused.
    pub(super) fn new(bits: u32) -> Self {
        let room = (1 << bits) / 8 * 7;
        Self { room, counts: HashMap::default(), forgotten: 0, distinct: None }
    }

    /// Counts a key `times` times, and `held` microseconds with it.
    pub(super) fn add<Q>(&mut self, key: &Q, times: u64, held: u64)
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        let count = if let Some(count) = self.counts.get_mut(key) {
            count
        } else {
            if self.counts.len() >= self.room {
                self.forget();
            }
            if let Some(distinct) = &mut self.distinct {
                distinct.add(key);
            }
            let new = Count { missed: self.forgotten, ..Count::default() };
            self.counts.entry(K::from(key)).or_insert(new)
        };
        count.times += times;
        count.held = count.held.saturating_add(held);
    }

    /// Forgets the rarer half. Which keys these are depends on counts only, so the same trace gives
    /// the same report.
    fn forget(&mut self) {
        if self.distinct.is_none() {
            let mut distinct = Distinct::new();
            self.counts.keys().for_each(|key| distinct.add(key));
            self.distinct = Some(distinct);
        }
        let most = |count: &Count| count.times + count.missed;
        let mut all: Vec<_> = self.counts.values().map(most).collect();
        let middle = all.len() / 2;
        let (_, &mut median, _) = all.select_nth_unstable(middle);
        self.forgotten = self.forgotten.max(median);
        // A new table: in the old one, what was removed would take room until the table doubles.
        let fresh = HashMap::with_capacity_and_hasher(self.room, Keyed::default());
        let all = mem::replace(&mut self.counts, fresh);
        self.counts.extend(all.into_iter().filter(|(_, count)| most(count) > median));
    }

    /// The most frequent keys, most frequent first.
    pub(super) fn ranked(&self, most: usize) -> Vec<(&K, Count)> {
        let mut all: Vec<_> = self.counts.iter().map(|(key, count)| (key, *count)).collect();
        all.sort_unstable_by(|(a, x), (b, y)| {
            (y.times, y.held).cmp(&(x.times, x.held)).then_with(|| a.cmp(b))
        });
        all.truncate(most);
        all
    }

    /// How many different keys came: exact while nothing was forgotten.
    pub(super) fn distinct(&self) -> u64 {
        self.distinct.as_ref().map_or(self.counts.len() as u64, Distinct::estimate)
    }

    /// How much too low a count may be at most; 0 while all are exact.
    pub(super) fn too_low_by(&self) -> u64 {
        self.forgotten
    }
}

/// How many different keys there are, within about one percent (`HyperLogLog`, Flajolet and others
/// 2007).
#[derive(Debug)]
struct Distinct {
    registers: Vec<u8>,
}

impl Distinct {
    /// 2^14 registers: a standard error of 1.04 / 2^7, which is 0.8 percent.
    const BITS: u32 = 14;

    fn new() -> Self {
        Self { registers: vec![0; 1 << Self::BITS] }
    }

    fn add<Q: Hash + ?Sized>(&mut self, key: &Q) {
        // The same keys every time: the same trace gives the same report.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let register = &mut self.registers[(hash >> (64 - Self::BITS)) as usize];
        let rank = (hash << Self::BITS).leading_zeros().min(64 - Self::BITS) + 1;
        *register = (*register).max(rank as u8);
    }

    fn estimate(&self) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "small numbers, and an estimate")]
        let (all, zeros) = (
            self.registers.len() as f64,
            self.registers.iter().map(|rank| u64::from(*rank == 0)).sum::<u64>() as f64,
        );
        let harmonic: f64 = self.registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / all) * all * all / harmonic;
        let few = raw <= 2.5 * all && zeros > 0.0;
        let estimate = if few { all * (all / zeros).ln() } else { raw };
        #[expect(clippy::cast_sign_loss, reason = "never negative")]
        {
            estimate.round() as u64
        }
    }
}

/// Durations in classes that are at most 1/32 wide, so that a quantile is right within 3 percent.
#[derive(Debug)]
pub(super) struct Durations {
    classes: Vec<u64>,
    all: u64,
}

impl Durations {
    /// The bits of a number below its highest one that choose the class.
    const BITS: u32 = 5;

    pub(super) fn new() -> Self {
        Self { classes: vec![0; (64 + 1) << Self::BITS], all: 0 }
    }

    /// Counts a duration.
    pub(super) fn add(&mut self, micros: u64) {
        self.classes[Self::class(micros)] += 1;
        self.all += 1;
    }

    fn class(micros: u64) -> usize {
        let high = micros.checked_ilog2().unwrap_or(0);
        if high < Self::BITS {
            return micros as usize;
        }
        let within = (micros >> (high - Self::BITS)) as usize & ((1 << Self::BITS) - 1);
        (((high - Self::BITS + 1) as usize) << Self::BITS) + within
    }

    /// The least duration of a class.
    fn least(class: usize) -> u64 {
        let (octave, within) = (class >> Self::BITS, (class & ((1 << Self::BITS) - 1)) as u64);
        match u32::try_from(octave).unwrap_or(u32::MAX).checked_sub(1) {
            None => within,
            // The end of the last class does not fit.
            Some(shift) => {
                let least = u128::from((1 << Self::BITS) + within) << shift.min(64);
                u64::try_from(least).unwrap_or(u64::MAX)
            }
        }
    }

    /// The duration that `percent` percent are shorter than; 0 if there is none at all.
    pub(super) fn quantile(&self, percent: u64) -> u64 {
        let rank = self.all.saturating_sub(1) * percent / 100;
        let mut before = 0;
        let class = self.classes.iter().position(|count| {
            before += count;
            before > rank
        });
        class.map_or(0, |class| {
            let (least, next) = (Self::least(class), Self::least(class + 1));
            least + (next - least) / 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bits: u32, keys: impl Iterator<Item = u64>) -> Top<Box<str>> {
        let mut top = Top::new(bits);
        keys.for_each(|key| top.add(&*key.to_string(), 1, key));
        top
    }

    #[test]
    fn what_fits_is_exact() {
        let top = counted(4, (0..14).chain(3..9).chain([5]));
        assert_eq!((top.distinct(), top.too_low_by()), (14, 0));
        let first: Vec<_> = top.ranked(3).into_iter().map(|(key, it)| (&**key, it.times)).collect();
        assert_eq!(first, [("5", 3), ("8", 2), ("7", 2)], "the longer held first");
    }

    #[test]
    fn a_stream_of_strangers_hides_no_frequent_key_and_costs_no_memory() {
        // Every tenth is one of three; all others come once.
        let key = |n: u64| if n.is_multiple_of(10) { n / 10 % 3 } else { 1_000 + n };
        let all = 1_000_000;
        let top = counted(10, (0..all).map(key));
        assert!(top.counts.capacity() <= 896, "{}", top.counts.capacity());
        let first = top.ranked(3);
        let mut names: Vec<_> = first.iter().map(|(key, _)| &***key).collect();
        names.sort_unstable();
        assert_eq!(names, ["0", "1", "2"]);
        for (_, count) in first {
            let wanted = all / 30;
            assert!((wanted - top.too_low_by()..=wanted + 1).contains(&count.times), "{count:?}");
        }
        // No better bound is possible for a stream and a room of this size than their ratio.
        assert!(top.too_low_by() <= 4 * all / 896, "{}", top.too_low_by());
        let real = all * 9 / 10 + 3;
        assert!(top.distinct().abs_diff(real) < real / 30, "{}", top.distinct());
    }

    #[test]
    fn few_and_many_are_told_apart_within_some_percent() {
        for count in [10_u64, 1_000, 30_000, 300_000] {
            let mut distinct = Distinct::new();
            (0..count).for_each(|key| distinct.add(&key.to_string()));
            let off = distinct.estimate().abs_diff(count);
            assert!(off <= count / 30, "{count}: {}", distinct.estimate());
        }
    }

    #[test]
    fn quantiles_are_right_within_three_percent() {
        let mut durations = Durations::new();
        assert_eq!(durations.quantile(50), 0);
        (1..=100_000).for_each(|micros| durations.add(micros * 1_000));
        for (percent, wanted) in [(1, 1_000_000), (50, 50_000_000), (90, 90_000_000)] {
            let off = durations.quantile(percent).abs_diff(wanted);
            assert!(off <= wanted * 3 / 100, "{percent}: {}", durations.quantile(percent));
        }
        // The whole range has classes, and each begins where the one before ends.
        for micros in [0, 1, 31, 32, 33, 63, 64, 1 << 40, u64::MAX] {
            let class = Durations::class(micros);
            assert!(Durations::least(class) <= micros, "{micros}");
            assert!(micros == u64::MAX || Durations::least(class + 1) > micros, "{micros}");
        }
        durations.add(u64::MAX);
        assert!(durations.quantile(100) > u64::MAX / 100 * 97);
    }
}
