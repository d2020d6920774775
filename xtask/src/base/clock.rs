//! The only place of the chores that asks the time or sleeps: they measure real programs.

use std::time::{Duration, Instant};

/// Now, on the clock that never goes back.
#[expect(clippy::disallowed_methods, reason = "the chores measure how long real clients stay")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets `duration` pass.
#[expect(clippy::disallowed_methods, reason = "the chores wait for real programs")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Seconds with one decimal, as every table and message of the chores shows a duration.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
