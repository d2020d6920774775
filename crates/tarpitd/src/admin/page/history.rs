//! What the page shows of the last 24 hours: how many clients were held, and how many came.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};
use tarpit_proto::time::Time;

/// How often a sample is taken.
pub(crate) const SAMPLED_EVERY: Duration = Duration::from_secs(300);

/// Samples in an hour.
const HOUR: usize = 12;

/// Samples in a day.
const DAY: usize = 24 * HOUR;

/// The samples of the last day, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    /// When the last one was taken, and how many clients had come since the daemon's start.
    last: Time,
    opened: u64,
    /// Clients that came after the last sample of an earlier daemon, to that one.
    earlier: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    held: u64,
    /// Clients that came since the sample before. For the first one these are of no hour.
    came: u64,
}

/// A history, for the next daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedHistory {
    samples: Vec<Sample>,
    /// The time since the last one, the clients that came in it, and those up to it.
    since_last: Duration,
    came: u64,
    opened: u64,
}

impl History {
    pub(super) fn sample(&mut self, held: u64, opened: u64, now: Time) {
        let came = if self.samples.is_empty() { 0 } else { self.came(opened) };
        self.push(Sample { held, came });
        (self.last, self.opened, self.earlier) = (now, opened, 0);
    }

    /// What the next daemon goes on from.
    pub(super) fn save(&self, opened: u64, now: Time) -> SavedHistory {
        SavedHistory {
            samples: self.samples.iter().copied().collect(),
            since_last: now.since(self.last),
            came: self.came(opened),
            opened: self.opened,
        }
    }

    /// Goes on from what an earlier daemon saved, so long ago. `counts_on`: its clients are counted
    /// here, too. A daemon that was away held nobody meanwhile.
    pub(super) fn going_on(
        saved: SavedHistory,
        away: Duration,
        counts_on: bool,
        now: Time,
    ) -> Self {
        let SavedHistory { samples, since_last, came, opened } = saved;
        let before = samples.len().saturating_sub(DAY);
        let mut history = Self {
            samples: samples.into_iter().skip(before).collect(),
            last: now,
            opened: if counts_on { opened } else { 0 },
            earlier: if counts_on { 0 } else { came },
        };
        let held = match history.samples.back() {
            Some(last) if away < SAMPLED_EVERY => last.held,
            _ => 0,
        };
        // To the nearest one: the next sample comes a whole span from now.
        let halves = since_last.saturating_add(away).as_secs() / (SAMPLED_EVERY.as_secs() / 2);
        let missing = usize::try_from(halves.div_ceil(2)).unwrap_or(DAY).min(DAY);
        for place in 0..missing {
            let came = if place == 0 { came } else { 0 };
            history.push(Sample { held, came });
        }
        if missing > 0 {
            history.opened = history.opened.saturating_add(if counts_on { came } else { 0 });
            history.earlier = 0;
        }
        history
    }

    /// How many were held, the oldest sample first.
    pub(super) fn held(&self) -> Vec<u64> {
        self.samples.iter().map(|sample| sample.held).collect()
    }

    /// How many clients came in each of the last 24 hours, the oldest first. The last hour is the
    /// present one, which ends now with `opened` clients since the start. The first sample is of
    /// the page's own begin: clients from before are of no hour.
    pub(super) fn hours(&self, opened: u64) -> Vec<u64> {
        let mut hours = vec![0_u64; 24];
        let samples = self.samples.iter().rev().map(|sample| sample.came);
        let came = [self.came(opened)].into_iter().chain(samples).take(DAY);
        for (place, came) in came.enumerate() {
            let hour = &mut hours[23 - place / HOUR];
            *hour = hour.saturating_add(came);
        }
        hours
    }

    /// How many came since the last sample.
    fn came(&self, opened: u64) -> u64 {
        self.earlier.saturating_add(opened.saturating_sub(self.opened))
    }

    fn push(&mut self, sample: Sample) {
        if self.samples.len() == DAY {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
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
            history.sample(sample % 7, sample * 10, Time::START);
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
        history.sample(0, 0, Time::START);
        history.sample(4, 4, Time::START);
        assert_eq!(history.hours(6), [vec![0; 23], vec![6]].concat());
    }

    #[test]
    fn the_day_goes_on_in_the_next_daemon_and_shows_how_long_none_ran() {
        let (at, minutes) = (Time::from_millis, |it: u64| Duration::from_secs(it * 60));
        let mut history = History::default();
        history.sample(1, 5, at(0));
        history.sample(3, 8, at(300_000));
        let saved = || history.save(12, at(360_000));
        let hours = |history: &History, opened| history.hours(opened)[22..].to_vec();
        // An upgrade: another process with the same clock and counts, a moment later.
        let mut next = History::going_on(saved(), Duration::ZERO, true, at(360_000));
        assert_eq!((next.held(), hours(&next, 13)), (vec![1, 3], vec![0, 3 + 5]));
        next.sample(4, 14, at(660_000));
        assert_eq!((next.held(), hours(&next, 14)), (vec![1, 3, 4], vec![0, 9]));
        // The last sample was long ago, so the next would be late.
        let late = History::going_on(history.save(12, at(590_000)), Duration::ZERO, true, at(0));
        assert_eq!((late.held(), hours(&late, 13)), (vec![1, 3, 3], vec![0, 3 + 5]));
        // A restart, which counts from 0, after an hour without a daemon.
        let next = History::going_on(saved(), minutes(60), false, at(0));
        let away = [vec![1, 3], vec![0; 12]].concat();
        assert_eq!((next.held(), hours(&next, 2)), (away, vec![3 + 4, 2]));
        let next = History::going_on(saved(), Duration::ZERO, false, at(0));
        assert_eq!((next.held(), hours(&next, 2)), (vec![1, 3], vec![0, 3 + 4 + 2]));
        // Whatever is written there, there is one day.
        let sample = Sample { held: u64::MAX, came: u64::MAX };
        let odd = SavedHistory {
            samples: vec![sample; 10_000],
            since_last: Duration::MAX,
            came: u64::MAX,
            opened: u64::MAX,
        };
        let odd = History::going_on(odd, Duration::MAX, true, at(0));
        assert_eq!((odd.held().len(), odd.hours(7).len()), (DAY, 24));
    }
}
