//! A worker's CPU use, compared with `[limits] cpu`, and the load level that follows.

use std::time::Duration;

use tarpit_proto::{handshake_budget::LoadLevel, time::Time};

/// One worker's CPU use.
#[derive(Debug)]
pub(crate) struct CpuLoad {
    /// The most of a core that may be used, in percent; 0: no cap.
    cap: u32,
    /// The load level that follows.
    level: LoadLevel,
    /// When the present span began, and the CPU time used until then.
    since: Time,
    used: Duration,
    /// Whether the log has been told that the cap was reached.
    told: bool,
}

/// What the log should say about CPU use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CpuNews {
    /// The cap has been reached.
    Above,
    /// The use has long been below.
    Below,
}

/// How long CPU use is measured before a step is taken or taken back, so that no burst counts.
const SPAN: Duration = Duration::from_secs(10);

impl CpuLoad {
    /// No load yet; `used` is the CPU time spent until `now`.
    pub(crate) fn new(cap: u32, now: Time, used: Duration) -> Self {
        Self { cap, level: LoadLevel::Ease, since: now, used, told: false }
    }

    /// Puts another cap in force.
    pub(crate) fn set(&mut self, cap: u32) {
        self.cap = cap;
    }

    /// Whether a span is over, so that [`CpuLoad::look`] should be called.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now.since(self.since) >= SPAN
    }

    /// Judges the span that ends `now`, with `used` CPU time spent in all.
    pub(crate) fn look(&mut self, now: Time, used: Duration) {
        let span = now.since(self.since);
        let spent = used.saturating_sub(self.used);
        (self.since, self.used) = (now, used);
        let cap = u128::from(self.cap);
        // In hundredths of the span, as the cap is.
        let share = spent.as_micros() * 100;
        if cap != 0 && share > span.as_micros() * cap {
            self.level = self.level.harder();
        } else if cap == 0 || share <= span.as_micros() * cap * 3 / 4 {
            // No span ends while no client is due: a long one stands for many.
            let spans = span.as_secs() / SPAN.as_secs();
            for _ in 0..spans.min(LoadLevel::STEPS.len() as u64) {
                self.level = self.level.softer();
            }
        }
    }

    /// The load level that follows from CPU use.
    pub(crate) fn level(&self) -> LoadLevel {
        self.level
    }

    /// What the log should say now, if anything is new.
    pub(crate) fn news(&mut self) -> Option<CpuNews> {
        let is_above = self.level != LoadLevel::Ease;
        let was_above = std::mem::replace(&mut self.told, is_above);
        match (was_above, is_above) {
            (false, true) => Some(CpuNews::Above),
            (true, false) => Some(CpuNews::Below),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels after spans of ten seconds, each with this percentage of CPU use.
    fn levels(cap: u32, percents: &[u64]) -> Vec<LoadLevel> {
        let mut cpu = CpuLoad::new(cap, Time::START, Duration::ZERO);
        let (mut now, mut used) = (Time::START, Duration::ZERO);
        let mut levels = Vec::new();
        for percent in percents {
            now = now.after(SPAN);
            used += Duration::from_millis(percent * 100);
            assert!(cpu.is_due(now));
            cpu.look(now, used);
            levels.push(cpu.level());
        }
        levels
    }

    #[test]
    fn one_step_is_given_up_in_each_span_above_the_cap_and_won_back_below() {
        use LoadLevel::{Closed, Ease, Inattentive, Parked, Plain, Slow};
        assert_eq!(
            levels(50, &[49, 60, 60, 99, 60, 60, 60, 45]),
            [Ease, Inattentive, Slow, Plain, Parked, Closed, Closed, Closed]
        );
        assert_eq!(
            levels(50, &[60, 60, 60, 60, 60, 10, 10, 10, 10, 10, 10])[4..],
            [Closed, Parked, Plain, Slow, Inattentive, Ease, Ease]
        );
        assert_eq!(levels(0, &[100, 100]), [Ease, Ease]);
    }

    #[test]
    fn a_long_rest_eases_everything_at_once() {
        let mut cpu = CpuLoad::new(50, Time::START, Duration::ZERO);
        for span in 1..=5 {
            let now = Time::START.after(SPAN * span);
            cpu.look(now, Duration::from_secs(u64::from(span) * 10));
        }
        assert_eq!((cpu.level(), cpu.news()), (LoadLevel::Closed, Some(CpuNews::Above)));
        assert_eq!(cpu.news(), None, "told once");
        cpu.look(Time::START.after(SPAN * 100), Duration::from_secs(51));
        assert_eq!((cpu.level(), cpu.news()), (LoadLevel::Ease, Some(CpuNews::Below)));
    }
}
