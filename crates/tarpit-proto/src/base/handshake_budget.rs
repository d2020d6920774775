//! The handshake budget and the load level: how much tarpitd may spend on clients now.

use alloc::sync::Arc;
use core::time::Duration;

use crate::base::{time::Time, token_bucket::TokenBucket};

/// How much tarpitd has given up to stay within its limits; each step gives up more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadLevel {
    /// Nothing is given up.
    #[default]
    Ease,
    /// tarpitd reads less from clients that send a lot.
    Inattentive,
    /// Patterns' own paces are twice as slow, too.
    Slow,
    /// No key exchange begins, either: clients are held without cryptography.
    Plain,
    /// Nothing is sent, either. Held clients stay held.
    Parked,
    /// New clients are refused, too.
    Closed,
}

impl LoadLevel {
    /// All of them, from none to the hardest.
    pub const STEPS: [Self; 6] =
        [Self::Ease, Self::Inattentive, Self::Slow, Self::Plain, Self::Parked, Self::Closed];

    /// The next harder step.
    #[must_use]
    pub fn harder(self) -> Self {
        Self::STEPS[(self as usize + 1).min(Self::STEPS.len() - 1)]
    }

    /// The next softer step.
    #[must_use]
    pub fn softer(self) -> Self {
        Self::STEPS[(self as usize).saturating_sub(1)]
    }
}

/// One worker's budget, lent to its sessions.
#[derive(Debug)]
pub struct HandshakeBudget {
    load_level: LoadLevel,
    /// Handshakes a second; `None`: no cap.
    handshakes: Option<TokenBucket>,
    begun: Begun,
    /// Handshakes denied by the rate since the last report.
    denied: u32,
    /// How many TLS handshakes may be under way; each holds a share of the `Arc`.
    most_under_way: u32,
    under_way: Option<Arc<()>>,
    /// TLS handshakes denied because too many were under way, since the last report.
    crowded: u32,
}

/// How many handshakes have begun since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Key exchanges of SSH.
    pub ssh: u64,
    /// Handshakes of TLS.
    pub tls: u64,
}

const _: () = assert!(
    HandshakeBudget::MOST_UNDER_WAY * HandshakeBudget::TLS_MEMORY <= 40_000_000,
    "all handshakes under way take at most 40 MB"
);

/// A TLS handshake under way. It is counted until this is dropped, however its client leaves.
#[derive(Debug)]
pub(crate) struct UnderWay {
    _counted: Arc<()>,
}

impl HandshakeBudget {
    /// The price of a TLS handshake, as [`HandshakeBudget::handshake`] counts.
    pub const TLS_COST: u32 = 2;

    /// The most memory of a client whose TLS handshake is under way, in bytes: the library's
    /// connection, and less than 4 KiB of incomplete input.
    pub const TLS_MEMORY: u32 = 10_000;

    /// The most that one handshake may cost.
    pub const DEAREST: u32 = 170;

    /// How many TLS handshakes may be under way. Each takes at most
    /// [10 kB](HandshakeBudget::TLS_MEMORY), so all take at most 40 MB.
    pub const MOST_UNDER_WAY: u32 = 4_000;

    /// A budget of `per_second` handshakes a second at `now`; 0: no cap.
    pub fn new(per_second: u32, now: Time) -> Self {
        Self {
            load_level: LoadLevel::Ease,
            handshakes: bucket(None, per_second, now),
            begun: Begun::default(),
            denied: 0,
            most_under_way: Self::MOST_UNDER_WAY,
            under_way: None,
            crowded: 0,
        }
    }

    /// The same, with another limit of TLS handshakes under way.
    #[must_use]
    pub fn with_under_way(self, most: u32) -> Self {
        Self { most_under_way: most, ..self }
    }

    /// Puts another number of handshakes a second in force at `now`; 0: no cap.
    pub fn set(&mut self, per_second: u32, now: Time) {
        self.handshakes = bucket(self.handshakes, per_second, now);
    }

    /// Puts a load level in force.
    pub fn press(&mut self, load_level: LoadLevel) {
        self.load_level = load_level;
    }

    /// The load level in force.
    pub fn load_level(&self) -> LoadLevel {
        self.load_level
    }

    /// Adds the handshakes that may be made by `now`.
    pub fn earn(&mut self, now: Time) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.earn(now);
        }
    }

    /// Takes the price of a key exchange of SSH, and says whether it may be made. The unit is an
    /// X25519 agreement with an Ed25519 signature: a fifth of a millisecond. The most is
    /// [`HandshakeBudget::DEAREST`].
    pub fn handshake(&mut self, cost: u32) -> bool {
        let may = self.take(cost);
        self.begun.ssh += u64::from(may);
        may
    }

    /// The same for a TLS handshake, which takes memory until it is done or given up.
    pub(crate) fn begin_handshake(&mut self, cost: u32) -> Option<UnderWay> {
        if !self.has_room() {
            self.crowded = self.crowded.saturating_add(1);
            return None;
        }
        let counted = Arc::clone(self.under_way.get_or_insert_default());
        if !self.take(cost) {
            return None;
        }
        self.begun.tls += 1;
        Some(UnderWay { _counted: counted })
    }

    /// Whether a client may go on to a TLS handshake of that price, which begins later.
    pub(crate) fn expects_handshake(&mut self, cost: u32) -> bool {
        let (room, affords) = (self.has_room(), self.affords(cost));
        self.crowded = self.crowded.saturating_add(u32::from(!room));
        self.denied = self.denied.saturating_add(u32::from(room && !affords));
        room && affords
    }

    /// Whether one more TLS handshake may be under way, too.
    pub(crate) fn has_room(&self) -> bool {
        // One share of the `Arc` is the budget's own.
        let under_way = self.under_way.as_ref().map_or(0, |all| Arc::strong_count(all) - 1);
        under_way < self.most_under_way as usize
    }

    /// Whether a handshake of that price could begin now.
    pub fn affords(&self, cost: u32) -> bool {
        self.load_level < LoadLevel::Plain
            && self.handshakes.is_none_or(|handshakes| handshakes.has(cost.into()))
    }

    /// How many handshakes have begun.
    pub fn begun(&self) -> Begun {
        self.begun
    }

    /// How many handshakes the rate denied since the last call.
    pub fn denied(&mut self) -> u32 {
        core::mem::take(&mut self.denied)
    }

    /// How many TLS handshakes were denied since the last call because too many were under way.
    pub fn crowded(&mut self) -> u32 {
        core::mem::take(&mut self.crowded)
    }

    /// A pattern's own interval at the present load level.
    pub(crate) fn stretch(&self, interval: Duration) -> Duration {
        if self.load_level >= LoadLevel::Slow { interval * 2 } else { interval }
    }

    /// Takes a price, if it can be paid.
    fn take(&mut self, cost: u32) -> bool {
        debug_assert!((1..=Self::DEAREST).contains(&cost), "a price out of bounds");
        if !self.affords(cost) {
            self.denied = self.denied.saturating_add(1);
            return false;
        }
        self.handshakes.as_mut().is_none_or(|handshakes| handshakes.take(cost.into()))
    }
}

/// A bucket of `per_second` handshakes in place of `old`. It saves up a second's worth, and at
/// least the dearest handshake.
fn bucket(old: Option<TokenBucket>, per_second: u32, now: Time) -> Option<TokenBucket> {
    let capacity = per_second.max(HandshakeBudget::DEAREST).into();
    (per_second > 0).then(|| TokenBucket::replacing(old, capacity, per_second.into(), now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_as_many_handshakes_as_it_may() {
        // The second is one whose worth is no less than the dearest, or else the burst is that.
        for (rate, most) in [(200, 2_200), (100, 1_000 + HandshakeBudget::DEAREST)] {
            let mut budget = HandshakeBudget::new(rate, Time::START);
            let mut made = 0;
            for millis in 0..10_000 {
                budget.earn(Time::from_millis(millis));
                made += u32::from(budget.handshake(1));
            }
            assert!((10 * rate..=most).contains(&made), "{made}");
            assert!(budget.denied() > 7_000);
            assert_eq!(budget.denied(), 0);
        }
    }

    #[test]
    fn even_the_dearest_is_made_in_the_end() {
        let mut budget = HandshakeBudget::new(1, Time::START);
        assert!(budget.handshake(HandshakeBudget::DEAREST));
        assert!(!budget.handshake(1));
        budget.earn(Time::from_millis(u64::from(HandshakeBudget::DEAREST) * 1_000));
        assert!(budget.handshake(HandshakeBudget::DEAREST));
    }

    #[test]
    fn under_load_no_handshake_is_begun_and_paces_are_slower() {
        let mut budget = HandshakeBudget::new(0, Time::START);
        assert!(budget.handshake(1));
        budget.press(LoadLevel::Slow);
        assert!(budget.handshake(1));
        assert_eq!(budget.stretch(Duration::from_secs(8)), Duration::from_secs(16));
        budget.press(LoadLevel::Plain);
        assert!(!budget.handshake(1));
    }

    #[test]
    fn handshakes_under_way_are_counted_until_they_are_dropped() {
        let mut budget = HandshakeBudget::new(0, Time::START).with_under_way(2);
        let first = budget.begin_handshake(1);
        let second = budget.begin_handshake(1);
        assert!(first.is_some() && second.is_some() && budget.begin_handshake(1).is_none());
        assert_eq!((budget.crowded(), budget.crowded(), budget.denied()), (1, 0, 0));
        drop(first);
        assert!(budget.begin_handshake(1).is_some() && budget.handshake(1));
        assert_eq!(budget.begun(), Begun { ssh: 1, tls: 3 });
    }

    #[test]
    fn steps_go_up_and_down_one_by_one() {
        let mut load_level = LoadLevel::Ease;
        for wanted in LoadLevel::STEPS {
            assert_eq!(load_level, wanted);
            load_level = load_level.harder();
        }
        assert_eq!(load_level, LoadLevel::Closed);
        for wanted in LoadLevel::STEPS.into_iter().rev() {
            assert_eq!(load_level, wanted);
            load_level = load_level.softer();
        }
    }
}
