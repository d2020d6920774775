//! The egress limits: bytes a second and bytes a day.

use std::{num::NonZeroU64, time::Duration};

use serde::{Deserialize, Serialize};
use tarpit_proto::{handshake_budget::LoadLevel, time::Time, token_bucket::TokenBucket};

/// One worker's share of the bytes that may be sent.
#[derive(Debug)]
pub(crate) struct EgressBudget {
    /// Bytes a second, saved up for at most a second; `None`: no cap.
    second: Option<TokenBucket>,
    /// Bytes a day; `None`: no cap.
    per_day: Option<NonZeroU64>,
    /// When the day ends, and what has been spent in it.
    day_ends: Time,
    spent: u64,
    shortage: Option<Shortage>,
}

/// What was spent of a day's bytes, for the next daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) bytes: u64,
    /// How much of the day was left.
    pub(crate) day_left: Duration,
}

impl Spent {
    /// What several workers have spent together. Their day ends with the last one.
    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|one, other| Self {
            bytes: one.bytes.saturating_add(other.bytes),
            day_left: one.day_left.max(other.day_left),
        })
    }

    /// The same, so much later; `None`: the day is over. A calendar that was set back makes no day
    /// longer.
    pub(crate) fn after(self, span: Duration) -> Option<Self> {
        let day_left = self.day_left.min(DAY).checked_sub(span)?;
        Some(Self { day_left, ..self }).filter(|it| !it.day_left.is_zero())
    }

    /// The share of one of so many workers.
    pub(crate) fn share(self, workers: usize) -> Self {
        Self { bytes: self.bytes.div_ceil(workers.max(1) as u64), ..self }
    }
}

/// A period in which clients had to wait for their bytes.
#[derive(Clone, Copy, Debug)]
struct Shortage {
    since: Time,
    /// When a client had to wait for the last time.
    last: Time,
}

/// What the log should say of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EgressNews {
    /// The budget is spent: clients have to wait.
    Exhausted,
    /// No client has had to wait for a while.
    Recovered,
}

/// A budget that throttles is empty many times a second. The log says so once, and says that it is
/// over when no client had to wait for this long.
const QUIET: Duration = Duration::from_secs(60);

/// The most bytes of a greeting, a head or a line.
const SHORT: usize = 512;

const DAY: Duration = Duration::from_secs(86_400);

impl EgressBudget {
    /// A budget that begins at `now`; 0: no cap.
    pub(crate) fn new(per_second: u64, per_day: u64, now: Time) -> Self {
        Self {
            second: bucket(None, per_second, now),
            per_day: NonZeroU64::new(per_day),
            day_ends: now.after(DAY),
            spent: 0,
            shortage: None,
        }
    }

    /// Goes on from what an earlier daemon has spent: a restart must not pay twice.
    pub(crate) fn go_on(&mut self, spent: Spent, now: Time) {
        self.day_ends = now.after(spent.day_left.min(DAY));
        self.spent = spent.bytes;
    }

    /// What was spent today, where a day has a cap.
    pub(crate) fn spent(&self, now: Time) -> Option<Spent> {
        let day_left = self.day_ends.since(now);
        let counts = self.per_day.is_some() && !day_left.is_zero();
        counts.then_some(Spent { bytes: self.spent, day_left })
    }

    /// Puts other caps in force; what was spent stays spent.
    pub(crate) fn set(&mut self, per_second: u64, per_day: u64, now: Time) {
        self.second = bucket(self.second, per_second, now);
        self.per_day = NonZeroU64::new(per_day);
    }

    /// How many of `wanted` bytes may go at `now`, and what the log should say.
    pub(crate) fn allow(&mut self, now: Time, wanted: usize) -> (usize, Option<EgressNews>) {
        if self.has_no_cap() {
            return (wanted, None);
        }
        self.earn(now);
        let mut left = wanted as u64;
        if let Some(second) = &self.second {
            // Short lines may use all that is left. Clients that take much must leave a quarter, or
            // one greedy client would cut everybody's lines to pieces.
            let reserve = if wanted > SHORT { second.capacity() / 4 } else { 0 };
            left = left.min(second.left().saturating_sub(reserve));
        }
        if let Some(per_day) = self.per_day {
            left = left.min(per_day.get().saturating_sub(self.spent));
        }
        let news = self.note(now, left < wanted as u64);
        (usize::try_from(left).unwrap_or(wanted), news)
    }

    /// Takes bytes from the budget before they are sent.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if let Some(second) = &mut self.second {
            second.charge(bytes as u64);
        }
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    /// Puts back bytes that could not be sent.
    pub(crate) fn put_back(&mut self, bytes: usize) {
        if let Some(second) = &mut self.second {
            second.put_back(bytes as u64);
        }
        self.spent = self.spent.saturating_sub(bytes as u64);
    }

    /// The load level that follows from the budget. When most of the day's bytes are spent, tarpitd
    /// sends less, and when all are spent, nothing. A second's bytes only delay clients; if they
    /// stay short for long, tarpitd sends less.
    pub(crate) fn load_level(&mut self, now: Time) -> LoadLevel {
        if self.has_no_cap() {
            return LoadLevel::Ease;
        }
        self.earn(now);
        let day = match self.per_day.map(NonZeroU64::get) {
            Some(all) if self.spent >= all => LoadLevel::Parked,
            Some(all) if self.spent >= all / 10 * 9 => LoadLevel::Plain,
            Some(all) if self.spent >= all / 10 * 8 => LoadLevel::Slow,
            Some(_) | None => LoadLevel::Ease,
        };
        let second = match self.shortage {
            Some(Shortage { since, .. }) if now.since(since) >= QUIET => LoadLevel::Plain,
            Some(_) => LoadLevel::Slow,
            None => LoadLevel::Ease,
        };
        day.max(second)
    }

    fn has_no_cap(&self) -> bool {
        self.second.is_none() && self.per_day.is_none()
    }

    /// Notes whether a client has to wait at `now`; says whether that is news.
    fn note(&mut self, now: Time, waits: bool) -> Option<EgressNews> {
        match &mut self.shortage {
            None if waits => {
                self.shortage = Some(Shortage { since: now, last: now });
                Some(EgressNews::Exhausted)
            }
            Some(shortage) if waits => {
                shortage.last = now;
                None
            }
            Some(shortage) if now.since(shortage.last) >= QUIET => {
                self.shortage = None;
                Some(EgressNews::Recovered)
            }
            _ => None,
        }
    }

    fn earn(&mut self, now: Time) {
        if let Some(second) = &mut self.second {
            second.earn(now);
        }
        if now >= self.day_ends {
            self.day_ends = now.after(DAY);
            self.spent = 0;
        }
    }
}

/// A bucket of `per_second` bytes in place of `old`, which saves up for at most a second.
fn bucket(old: Option<TokenBucket>, per_second: u64, now: Time) -> Option<TokenBucket> {
    (per_second > 0).then(|| TokenBucket::replacing(old, per_second, per_second, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that a greedy crowd gets in `seconds`, asking every 10 ms.
    fn sent(budget: &mut EgressBudget, from: Time, seconds: u64) -> usize {
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
        let mut budget = EgressBudget::new(1_000, 0, Time::START);
        let got = sent(&mut budget, Time::START, 10);
        assert!((10_000..=11_000).contains(&got), "{got}");
        assert_eq!(budget.allow(Time::from_millis(10_001), 500).1, None, "said once");
        assert_eq!(
            budget.allow(Time::from_millis(80_000), 500),
            (500, Some(EgressNews::Recovered))
        );
    }

    #[test]
    fn small_budgets_are_paid_out_in_full_however_often_one_asks() {
        let mut budget = EgressBudget::new(1_999, 0, Time::START);
        let mut sent = 0;
        for milli in 0..10_000 {
            let (bytes, _) = budget.allow(Time::from_millis(milli), 100);
            budget.spend(bytes);
            sent += bytes;
        }
        assert!((19_900..=22_000).contains(&sent), "{sent}");
    }

    #[test]
    fn short_lines_find_room_beside_the_greedy() {
        let mut budget = EgressBudget::new(2_000, 0, Time::START);
        let (greedy, _) = budget.allow(Time::START, 10_000);
        budget.spend(greedy);
        assert_eq!(greedy, 1_500);
        assert_eq!(budget.allow(Time::START, 300).0, 300);
    }

    #[test]
    fn as_the_day_s_budget_goes_one_thing_after_the_other_is_given_up() {
        let mut budget = EgressBudget::new(0, 1_000, Time::START);
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
        let mut budget = EgressBudget::new(1_000, 0, Time::START);
        assert_eq!(budget.load_level(Time::START), LoadLevel::Ease);
        sent(&mut budget, Time::START, 30);
        assert_eq!(budget.load_level(Time::from_millis(30_000)), LoadLevel::Slow);
        sent(&mut budget, Time::from_millis(30_000), 40);
        assert_eq!(budget.load_level(Time::from_millis(70_000)), LoadLevel::Plain);
        budget.allow(Time::from_millis(140_000), 1);
        assert_eq!(budget.load_level(Time::from_millis(140_000)), LoadLevel::Ease);
    }

    #[test]
    fn what_was_spent_stays_spent_in_the_next_daemon_until_the_day_ends() {
        let hour = |hours: u64| Duration::from_secs(hours * 3_600);
        let (mut one, mut other) =
            (EgressBudget::new(0, 500, Time::START), EgressBudget::new(0, 500, Time::START));
        one.spend(450);
        other.spend(51);
        let now = Time::START.after(hour(10));
        let all = Spent::sum([one.spent(now), other.spent(now)].into_iter().flatten());
        let later = all.and_then(|it| it.after(hour(2))).map(|it| it.share(3));
        assert_eq!(later, Some(Spent { bytes: 167, day_left: hour(12) }));
        // Another clock, and another number of workers.
        let mut next = EgressBudget::new(0, 334, Time::START);
        next.go_on(later.unwrap(), Time::START);
        assert_eq!(next.allow(Time::START, 500).0, 167);
        assert_eq!(next.allow(Time::START.after(hour(12)), 500).0, 334);
        assert_eq!(all.and_then(|it| it.after(hour(14))), None, "the day is over");
        assert_eq!(EgressBudget::new(9, 0, Time::START).spent(now), None, "a day has no cap");
        assert_eq!(one.spent(Time::START.after(DAY)), None);
        // Whatever is written there, no day is longer than one.
        let odd = Spent { bytes: u64::MAX, day_left: Duration::MAX };
        next.go_on(odd, now);
        assert_eq!(next.allow(now, 1).0, 0);
        assert_eq!(next.allow(now.after(DAY), 1).0, 1);
    }

    #[test]
    fn a_day_ends_and_another_begins() {
        let mut budget = EgressBudget::new(0, 5_000, Time::START);
        assert_eq!(sent(&mut budget, Time::START, 60), 5_000);
        let (_, news) = budget.allow(Time::from_millis(70_000), 1);
        assert_eq!(news, None, "said once");
        let tomorrow = Time::START.after(DAY);
        assert_eq!(budget.allow(tomorrow, 100), (100, Some(EgressNews::Recovered)));
    }
}
