//! Counters and histograms that one thread writes and every thread may read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter. Only one thread writes it, so counting takes no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.set(self.get().wrapping_add(count));
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.set(self.get().wrapping_sub(count));
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counts in classes of values: `B` bounds, and one class more for what is above all of them.
#[derive(Debug)]
pub(crate) struct Histogram<const B: usize> {
    /// How many values are at most this, in ascending order.
    bounds: &'static [u64; B],
    within: [Counter; B],
    above: Counter,
    sum: Counter,
}

impl<const B: usize> Histogram<B> {
    pub(crate) fn new(bounds: &'static [u64; B]) -> Self {
        debug_assert!(bounds.is_sorted());
        let within = std::array::from_fn(|_| Counter::default());
        Self { bounds, within, above: Counter::default(), sum: Counter::default() }
    }

    /// Counts a value so many times.
    pub(crate) fn observe(&self, value: u64, times: u64) {
        let class = self.bounds.partition_point(|&bound| bound < value);
        self.within.get(class).unwrap_or(&self.above).add(times);
        self.sum.add(value.saturating_mul(times));
    }

    pub(crate) fn counts(&self) -> HistogramCounts<B> {
        let within = std::array::from_fn(|class| self.within[class].get());
        HistogramCounts { within, above: self.above.get(), sum: self.sum.get() }
    }
}

/// What a histogram has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistogramCounts<const B: usize> {
    /// Each class by itself.
    pub(crate) within: [u64; B],
    pub(crate) above: u64,
    /// Of all values.
    pub(crate) sum: u64,
}

impl<const B: usize> Default for HistogramCounts<B> {
    fn default() -> Self {
        Self { within: [0; B], above: 0, sum: 0 }
    }
}

impl<const B: usize> HistogramCounts<B> {
    pub(crate) fn add(&mut self, other: &Self) {
        add_each(&mut self.within, &other.within);
        self.above = self.above.saturating_add(other.above);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Adds counts to counts, place by place. Some come from a file, where any number may stand.
pub(crate) fn add_each(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_the_first_class_that_has_it() {
        let histogram = Histogram::new(&[10, 20]);
        for (value, times) in [(0, 1), (10, 2), (11, 1), (20, 1), (21, 3)] {
            histogram.observe(value, times);
        }
        let mut counts = histogram.counts();
        assert_eq!(counts, HistogramCounts { within: [3, 2], above: 3, sum: 114 });
        counts.add(&histogram.counts());
        assert_eq!(counts, HistogramCounts { within: [6, 4], above: 6, sum: 228 });
    }
}
