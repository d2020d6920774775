//! The only place that asks the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tarpit_proto::time::{Time, Wall};

/// The daemon's clock: milliseconds since it started, and the calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The clock of an earlier daemon, by its [`Clock::origin`]; `None`: that lies ahead.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn started_at(origin: Duration) -> Option<Self> {
        let since = monotonic().checked_sub(origin)?;
        Some(Self { start: Instant::now().checked_sub(since)? })
    }

    /// What the system's monotonic clock, which all processes share, showed at the start.
    pub(crate) fn origin(self) -> Duration {
        monotonic().saturating_sub(self.since_start())
    }

    /// Milliseconds since the start; never goes back.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn now(self) -> Time {
        let elapsed = Instant::now().duration_since(self.start);
        Time::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }

    /// The time since the start, as finely as the system tells it.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn since_start(self) -> Duration {
        Instant::now().duration_since(self.start)
    }

    /// The system's monotonic time, by which other programs order what they see of this one.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    #[expect(clippy::unused_self, reason = "only code that was given a clock may ask")]
    pub(crate) fn monotonic(self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // Never negative.
        Duration::try_from(now).unwrap_or_default()
    }

    /// Time since 1970-01-01 UTC as the system has it now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    #[expect(clippy::unused_self, reason = "only code that was given a clock may ask")]
    pub(crate) fn wall(self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The CPU time that the calling thread has used.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    #[expect(clippy::unused_self, reason = "only code that was given a clock may ask")]
    pub(crate) fn used(self) -> Duration {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        // Never negative.
        Duration::try_from(used).unwrap_or_default()
    }

    /// The calendar's moment at [`Time::START`], by the present calendar.
    pub(crate) fn wall_at_start(self) -> Wall {
        let since = Duration::from_millis(self.now().as_millis());
        Wall(self.wall().saturating_sub(since).as_secs())
    }
}

/// What the system's monotonic clock shows. It is the clock of [`Instant`].
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Never negative.
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_on_shows_what_the_first_one_shows() {
        let first = Clock::started_at(monotonic().saturating_sub(Duration::from_secs(7))).unwrap();
        let second = Clock::started_at(first.origin()).unwrap();
        let apart = second.since_start().abs_diff(first.since_start());
        assert!(first.now().as_millis() >= 7_000 && apart < Duration::from_millis(5), "{apart:?}");
        assert!(Clock::started_at(monotonic() + Duration::from_secs(60)).is_none());
    }
}
