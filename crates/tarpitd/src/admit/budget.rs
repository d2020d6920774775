//! How much the daemon may send: bytes a second and bytes a day.

use std::time::Duration;

use tarpit_proto::{handshake_budget::LoadLevel, time::Time};

/// One worker's share of the budget. 0 stands for no cap.
#[derive(Debug)]
pub(crate) struct Budget {
    per_second: u64,
    per_day: u64,
    /// What is left for now in thousandths of a byte, saved up for at most a second.
    purse: u64,
    /// When the purse was last filled.
    filled: Time,
    /// When the day began, and what has been spent in it.
    day: Time,
    spent: u64,
    /// When somebody had to wait for the last time, as long as that is what was told.
    exhausted: Option<Time>,
    /// When that began.
    short_since: Option<Time>,
}

/// A change worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The budget is spent: everything waits.
    Exhausted,
    /// There is something to spend again.
    Recovered,
}

/// A budget that throttles is empty many times a second; it is told once, and told to be over when
/// nothing had to wait for so long.
const QUIET: Duration = Duration::from_secs(60);

/// What counts as short words: greetings, heads, lines.
const SHORT: usize = 512;

const DAY: Duration = Duration::from_secs(86_400);

impl Budget {
    /// A budget that begins at `now`.
    pub(crate) fn new(per_second: u64, per_day: u64, now: Time) -> Self {
        Self {
            per_second,
            per_day,
            purse: per_second.saturating_mul(1_000),
            filled: now,
            day: now,
            spent: 0,
            exhausted: None,
            short_since: None,
        }
    }

    /// Puts other caps in force; what was spent today stays spent.
    pub(crate) fn set(&mut self, per_second: u64, per_day: u64) {
        self.per_second = per_second;
        self.per_day = per_day;
        self.purse = self.purse.min(per_second.saturating_mul(1_000));
    }

    /// How many of `wanted` bytes may go at `now`, and whether that is a change.
    pub(crate) fn allow(&mut self, now: Time, wanted: usize) -> (usize, Option<Turn>) {
        if self.per_second == 0 && self.per_day == 0 {
            return (wanted, None);
        }
        self.refill(now);
        let mut left = wanted as u64;
        if self.per_second != 0 {
            // Short words may use all there is; whoever takes much leaves them a quarter, or one
            // greedy client would cut everybody's lines to pieces.
            let reserve = if wanted > SHORT { self.per_second / 4 } else { 0 };
            left = left.min((self.purse / 1_000).saturating_sub(reserve));
        }
        if self.per_day != 0 {
            left = left.min(self.per_day.saturating_sub(self.spent));
        }
        let short = left < wanted as u64;
        let turn = match self.exhausted {
            None if short => Some(Turn::Exhausted),
            Some(last) if !short && now.since(last) >= QUIET => Some(Turn::Recovered),
            _ => None,
        };
        if turn == Some(Turn::Recovered) {
            self.exhausted = None;
            self.short_since = None;
        } else if short {
            self.exhausted = Some(now);
            self.short_since.get_or_insert(now);
        }
        (usize::try_from(left).unwrap_or(wanted), turn)
    }

    /// Takes off the budget what is about to be sent.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.purse = self.purse.saturating_sub((bytes as u64).saturating_mul(1_000));
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    /// Puts back what was taken off and could not be sent.
    pub(crate) fn put_back(&mut self, bytes: usize) {
        self.purse = self.purse.saturating_add((bytes as u64).saturating_mul(1_000));
        self.spent = self.spent.saturating_sub(bytes as u64);
    }

    /// What the budget calls for: when the day's is nearly spent there is less said, and when it
    /// is, nothing. Within a second's everybody gets a turn, only later; what stays short for
    /// long is made less.
    pub(crate) fn load_level(&mut self, now: Time) -> LoadLevel {
        if self.per_second == 0 && self.per_day == 0 {
            return LoadLevel::Ease;
        }
        self.refill(now);
        let day = match self.per_day {
            0 => LoadLevel::Ease,
            all if self.spent >= all => LoadLevel::Parked,
            all if self.spent >= all / 10 * 9 => LoadLevel::Plain,
            all if self.spent >= all / 10 * 8 => LoadLevel::Slow,
            _ => LoadLevel::Ease,
        };
        let second = match self.short_since {
            Some(since) if now.since(since) >= QUIET => LoadLevel::Plain,
            Some(_) => LoadLevel::Slow,
            None => LoadLevel::Ease,
        };
        day.max(second)
    }

    fn refill(&mut self, now: Time) {
        let millis = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let earned = self.per_second.saturating_mul(millis);
        let full = self.per_second.saturating_mul(1_000);
        self.purse = self.purse.saturating_add(earned).min(full);
        self.filled = now;
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
            let (bytes, _) = budget.allow(from.after(Duration::from_millis(turn * 10)), 500);
            budget.spend(bytes);
            sent += bytes;
        }
        sent
    }

    #[test]
    fn a_second_brings_what_it_may() {
        let mut budget = Budget::new(1_000, 0, Time::START);
        let got = sent(&mut budget, Time::START, 10);
        assert!((10_000..=11_000).contains(&got), "{got}");
        assert_eq!(budget.allow(Time::from_millis(10_001), 500).1, None, "said once");
        assert_eq!(budget.allow(Time::from_millis(80_000), 500), (500, Some(Turn::Recovered)));
    }

    #[test]
    fn small_budgets_are_paid_out_in_full_however_often_one_asks() {
        let mut budget = Budget::new(1_999, 0, Time::START);
        let mut sent = 0;
        for milli in 0..10_000 {
            let (bytes, _) = budget.allow(Time::from_millis(milli), 100);
            budget.spend(bytes);
            sent += bytes;
        }
        assert!((19_900..=22_000).contains(&sent), "{sent}");
    }

    #[test]
    fn short_words_find_room_beside_the_greedy() {
        let mut budget = Budget::new(2_000, 0, Time::START);
        let (greedy, _) = budget.allow(Time::START, 10_000);
        budget.spend(greedy);
        assert_eq!(greedy, 1_500);
        assert_eq!(budget.allow(Time::START, 300).0, 300);
    }

    #[test]
    fn as_the_day_s_budget_goes_one_thing_after_the_other_is_given_up() {
        let mut budget = Budget::new(0, 1_000, Time::START);
        for (bytes, wanted) in [
            (790, LoadLevel::Ease),
            (100, LoadLevel::Slow),
            (100, LoadLevel::Plain),
            (10, LoadLevel::Parked),
        ] {
            budget.spend(bytes);
            assert_eq!(budget.load_level(Time::START), wanted);
        }
        assert_eq!(budget.load_level(Time::START.after(DAY)), LoadLevel::Ease);
    }

    #[test]
    fn a_second_s_budget_that_stays_short_is_load() {
        let mut budget = Budget::new(1_000, 0, Time::START);
        assert_eq!(budget.load_level(Time::START), LoadLevel::Ease);
        sent(&mut budget, Time::START, 30);
        assert_eq!(budget.load_level(Time::from_millis(30_000)), LoadLevel::Slow);
        sent(&mut budget, Time::from_millis(30_000), 40);
        assert_eq!(budget.load_level(Time::from_millis(70_000)), LoadLevel::Plain);
        budget.allow(Time::from_millis(140_000), 1);
        assert_eq!(budget.load_level(Time::from_millis(140_000)), LoadLevel::Ease);
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
