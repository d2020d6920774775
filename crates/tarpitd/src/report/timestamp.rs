//! Date and time, as the log and the trace write them.

use std::{fmt, time::Duration};

use tarpit_proto::time::Wall;

/// A moment, as the time since 1970; written by RFC 3339, in UTC, with milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp(pub(crate) Duration);

/// The same, with microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Micros(pub(crate) Duration);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}Z", Second(self.0), self.0.subsec_millis())
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}Z", Second(self.0), self.0.subsec_micros())
    }
}

/// A moment without its fraction and its zone.
struct Second(Duration);

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Wall(self.0.as_secs()).date();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year, date.month, date.day, date.hour, date.minute, date.second,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_utc_and_cut() {
        let moment = Timestamp(Duration::from_micros(1_795_333_948_007_999));
        assert_eq!(moment.to_string(), "2026-11-22T07:52:28.007Z");
        assert_eq!(Micros(moment.0).to_string(), "2026-11-22T07:52:28.007999Z");
    }
}
