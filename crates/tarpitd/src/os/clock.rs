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
