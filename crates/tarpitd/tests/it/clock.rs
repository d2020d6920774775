//! The only place of these tests that asks the time, or lets it pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The present, where a promise of the manual is a span or a rate.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The system's monotonic time in microseconds, as the daemon tells it to the service manager.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn monotonic_usec() -> u128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).expect("it is positive").as_micros()
}

/// Lets time pass between two looks at something that gives no sign, or between two moments that
/// must differ. A test that waits for something else uses `daemon::until`.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn pause(span: Duration) {
    thread::sleep(span);
}
