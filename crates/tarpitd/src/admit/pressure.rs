//! How hard the machine is pressed by what its owner lets it spend, and so which step of giving up
//! is in force.

use std::time::Duration;

use tarpit_proto::{handshake_budget::LoadLevel, time::Time};

/// One worker's view of its processor time, and of what its [`EgressBudget`](crate::admit::egress::EgressBudget)
/// says.
#[derive(Debug)]
pub(crate) struct Pressure {
    /// The most of a core that may be used, in percent; 0: no cap.
    cap: u32,
    /// What the processor's use calls for.
    processor: LoadLevel,
    /// When the present span began, and how much processor time had been used by then.
    since: Time,
    used: Duration,
    /// The strain that was found last.
    load_level: LoadLevel,
    /// Whether it has been told that there is some.
    told: bool,
}

/// A change worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// All is well again.
    Eased,
    /// The processor's cap has been reached.
    Pressed,
}

/// How long is looked at before a step is taken, either way: no burst counts.
const SPAN: Duration = Duration::from_secs(10);

impl Pressure {
    /// No pressure yet; `used` is the processor time spent by `now`.
    pub(crate) fn new(cap: u32, now: Time, used: Duration) -> Self {
        let processor = LoadLevel::Ease;
        Self { cap, processor, since: now, used, load_level: LoadLevel::Ease, told: false }
    }

    /// Puts another cap in force.
    pub(crate) fn set(&mut self, cap: u32) {
        self.cap = cap;
    }

    /// Whether a span is over and [`Pressure::look`] should be told how much time has been used.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now.since(self.since) >= SPAN
    }

    /// Judges the span that ends `now`, with `used` processor time spent in all.
    pub(crate) fn look(&mut self, now: Time, used: Duration) {
        let span = now.since(self.since);
        let spent = used.saturating_sub(self.used);
        (self.since, self.used) = (now, used);
        let cap = u128::from(self.cap);
        // In hundredths of the span, as the cap is.
        let share = spent.as_micros() * 100;
        if cap != 0 && share > span.as_micros() * cap {
            self.processor = self.processor.harder();
        } else if cap == 0 || share <= span.as_micros() * cap * 3 / 4 {
            // Nobody looks while nobody is due: a long span stands for many.
            let spans = span.as_secs() / SPAN.as_secs();
            for _ in 0..spans.min(LoadLevel::STEPS.len() as u64) {
                self.processor = self.processor.softer();
            }
        }
    }

    /// The strain now that the budget calls for `budget`, and whether there is news of the
    /// processor's: what the budget does is told where it is found.
    pub(crate) fn load_level(&mut self, budget: LoadLevel) -> (LoadLevel, Option<Change>) {
        let change = match (self.told, self.processor) {
            (false, load_level) if load_level != LoadLevel::Ease => Some(Change::Pressed),
            (true, LoadLevel::Ease) => Some(Change::Eased),
            _ => None,
        };
        self.told = self.processor != LoadLevel::Ease;
        self.load_level = self.processor.max(budget);
        (self.load_level, change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The strains of spans of ten seconds each, of which so many percent were used.
    fn load_levels(cap: u32, percents: &[u64]) -> Vec<LoadLevel> {
        let mut pressure = Pressure::new(cap, Time::START, Duration::ZERO);
        let (mut now, mut used) = (Time::START, Duration::ZERO);
        let mut load_levels = Vec::new();
        for percent in percents {
            now = now.after(SPAN);
            used += Duration::from_millis(percent * 100);
            assert!(pressure.is_due(now));
            pressure.look(now, used);
            load_levels.push(pressure.load_level(LoadLevel::Ease).0);
        }
        load_levels
    }

    #[test]
    fn one_step_is_given_up_in_each_span_above_the_cap_and_won_back_below() {
        use LoadLevel::{Closed, Ease, Inattentive, Parked, Plain, Slow};
        assert_eq!(
            load_levels(50, &[49, 60, 60, 99, 60, 60, 60, 45]),
            [Ease, Inattentive, Slow, Plain, Parked, Closed, Closed, Closed]
        );
        assert_eq!(
            load_levels(50, &[60, 60, 60, 60, 60, 10, 10, 10, 10, 10, 10])[4..],
            [Closed, Parked, Plain, Slow, Inattentive, Ease, Ease]
        );
        assert_eq!(load_levels(0, &[100, 100]), [Ease, Ease]);
    }

    #[test]
    fn a_long_rest_eases_everything_at_once() {
        let mut pressure = Pressure::new(50, Time::START, Duration::ZERO);
        for span in 1..=5 {
            let now = Time::START.after(SPAN * span);
            pressure.look(now, Duration::from_secs(u64::from(span) * 10));
        }
        assert_eq!(
            pressure.load_level(LoadLevel::Ease),
            (LoadLevel::Closed, Some(Change::Pressed))
        );
        assert_eq!(pressure.load_level(LoadLevel::Ease), (LoadLevel::Closed, None), "told once");
        pressure.look(Time::START.after(SPAN * 100), Duration::from_secs(51));
        assert_eq!(pressure.load_level(LoadLevel::Slow), (LoadLevel::Slow, Some(Change::Eased)));
    }
}
