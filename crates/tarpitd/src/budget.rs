//! How much the daemon may send: bytes a second and bytes a day.

use std::time::Duration;

use tarpit_proto::time::Time;

/// One worker's share of the budget. 0 stands for no cap.
#[derive(Debug)]
pub(crate) struct Budget {
    per_second: u64,
    per_day: u64,
    /// What is left for now, saved up for at most a second.
    purse: u64,
    /// When the purse was last filled.
    filled: Time,
    /// When the day began, and what has been spent in it.
    day: Time,
    spent: u64,
    exhausted: bool,
}

/// A change worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The budget is spent: everything waits.
    Exhausted,
    /// There is something to spend again.
    Recovered,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Budget {
    /// A budget that begins at `now`.
    pub(crate) fn new(per_second: u64, per_day: u64, now: Time) -> Self {
        Self {
            per_second,
            per_day,
            purse: per_second,
            filled: now,
            day: now,
            spent: 0,
            exhausted: false,
        }
    }

    /// Puts other caps in force; what was spent today stays spent.
    pub(crate) fn set(&mut self, per_second: u64, per_day: u64) {
        self.per_second = per_second;
        self.per_day = per_day;
        self.purse = self.purse.min(per_second);
    }

    /// How many of `wanted` bytes may go at `now`, and whether that is a change.
    pub(crate) fn allow(&mut self, now: Time, wanted: usize) -> (usize, Option<Turn>) {
        if self.per_second == 0 && self.per_day == 0 {
            return (wanted, None);
        }
        self.refill(now);
        let mut left = wanted as u64;
        if self.per_second != 0 {
            left = left.min(self.purse);
        }
        if self.per_day != 0 {
            left = left.min(self.per_day.saturating_sub(self.spent));
        }
        let turn = match (left == 0 && wanted > 0, self.exhausted) {
            (true, false) => Some(Turn::Exhausted),
            (false, true) => Some(Turn::Recovered),
            _ => None,
        };
        self.exhausted = left == 0;
        (usize::try_from(left).unwrap_or(wanted), turn)
    }

    /// Takes what was sent off the budget.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.purse = self.purse.saturating_sub(bytes as u64);
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    fn refill(&mut self, now: Time) {
        let millis = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let earned = self.per_second.saturating_mul(millis.min(1_000)) / 1_000;
        if earned > 0 {
            self.purse = self.purse.saturating_add(earned).min(self.per_second);
            self.filled = now;
        }
        if now.since(self.day) >= DAY {
            self.day = now;
            self.spent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that a greedy crowd gets in `seconds`, asking every 10 ms.
    fn sent(budget: &mut Budget, from: Time, seconds: u64) -> usize {
        let mut sent = 0;
        for turn in 0..seconds * 100 {
            let (bytes, _) = budget.allow(from.after(Duration::from_millis(turn * 10)), 900);
            budget.spend(bytes);
            sent += bytes;
        }
        sent
    }

    #[test]
    fn a_second_brings_what_it_may() {
        let got = sent(&mut Budget::new(1_000, 0, Time::START), Time::START, 10);
        assert!((10_000..=11_000).contains(&got), "{got}");
    }

    #[test]
    fn a_day_ends_and_another_begins() {
        let mut budget = Budget::new(0, 5_000, Time::START);
        assert_eq!(sent(&mut budget, Time::START, 60), 5_000);
        let (_, turn) = budget.allow(Time::from_millis(70_000), 1);
        assert_eq!(turn, None, "said once");
        let tomorrow = Time::START.after(DAY);
        assert_eq!(budget.allow(tomorrow, 100), (100, Some(Turn::Recovered)));
    }
}
