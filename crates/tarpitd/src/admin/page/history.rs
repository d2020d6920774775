//! What the page shows of the last 24 hours: how many clients were held, and how many came.

use std::{collections::VecDeque, time::Duration};

/// How often a sample is taken.
pub(crate) const SAMPLED_EVERY: Duration = Duration::from_secs(300);

/// Samples in an hour.
const HOUR: usize = 12;

/// Samples in a day.
const DAY: usize = 24 * HOUR;

/// The samples of the last day, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Sample>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    held: u64,
    /// Clients that had come since the daemon's start.
    opened: u64,
}

impl History {
    pub(super) fn sample(&mut self, held: u64, opened: u64) {
        if self.0.len() == DAY {
            self.0.pop_front();
        }
        self.0.push_back(Sample { held, opened });
    }

    /// How many were held, the oldest sample first.
    pub(super) fn held(&self) -> Vec<u64> {
        self.0.iter().map(|sample| sample.held).collect()
    }

    /// How many clients came in each of the last 24 hours, the oldest first. The last hour is the
    /// present one, which ends now with `opened` clients since the start. The first sample is of
    /// the page's own begin: clients from before are of no hour.
    pub(super) fn hours(&self, opened: u64) -> Vec<u64> {
        let before = |hours: usize| match self.0.len().checked_sub(hours * HOUR) {
            Some(place) if hours > 0 => self.0.get(place).map_or(0, |sample| sample.opened),
            Some(_) => opened,
            // Nobody came before the first sample as far as the page knows.
            None => self.0.front().map_or(0, |sample| sample.opened),
        };
        (0..24).rev().map(|hour| before(hour).saturating_sub(before(hour + 1))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_kept_and_no_more() {
        let mut history = History::default();
        assert_eq!((history.held(), history.hours(0)), (vec![], vec![0; 24]));
        for sample in 0..1_000 {
            history.sample(sample % 7, sample * 10);
        }
        assert_eq!(history.held().len(), DAY);
        assert_eq!(history.held().last(), Some(&(999 % 7)));
        // Ten clients in each 5 minutes, and three since the last sample.
        let hours = history.hours(9_993);
        assert_eq!(hours, [vec![120; 23], vec![9_993 - 9_880]].concat());
        assert_eq!(hours.iter().sum::<u64>(), 9_993 - (1_000 - DAY as u64) * 10);
    }

    #[test]
    fn clients_before_the_first_hour_ends_are_of_this_hour() {
        let mut history = History::default();
        history.sample(0, 0);
        history.sample(4, 4);
        assert_eq!(history.hours(6), [vec![0; 23], vec![6]].concat());
    }
}
