//! The core's time: milliseconds since the daemon started, given by the caller.

use core::{fmt, time::Duration};

/// A moment, in milliseconds since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment the daemon started.
    pub const START: Self = Self(0);

    /// The moment `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `wait` later, saturating.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(millis(wait)))
    }

    /// The moment `span` earlier, saturating.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The change from one daemon's clock to the next one's: one moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct ClockChange {
    /// By the old clock, with which moments were saved.
    pub before: Time,
    /// By the new clock.
    pub now: Time,
}

impl ClockChange {
    /// A moment of the old clock, by the new one; [`Time::START`] if it is earlier.
    pub fn moment(self, saved: Time) -> Time {
        let Self { before, now } = self;
        if saved >= before {
            now.after(saved.since(before))
        } else {
            now.before(before.since(saved))
        }
    }
}

/// Whole milliseconds of `wait`, saturating.
pub(crate) fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// A moment of the calendar: seconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall(pub u64);

impl Wall {
    /// The calendar's fields.
    pub fn date(self) -> Date {
        let days = self.0 / 86_400;
        let rest = self.0 % 86_400;
        // Days since 0000-03-01, so that the leap day ends a year; one era is 400 years.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        Date {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month: month as u8,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            weekday: ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize],
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// A moment's fields in the Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the calendar's own")]
pub struct Date {
    pub year: u64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u64,
    /// `Mon` to `Sun`.
    pub weekday: &'static str,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
}

impl Date {
    /// `Jan` to `Dec`.
    pub fn month_name(self) -> &'static str {
        const NAMES: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        NAMES[usize::from(self.month.clamp(1, 12) - 1)]
    }
}

/// As mail and the web write it, without the zone (RFC 5322, section 3.3).
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, day, weekday, hour, minute, second, .. } = self;
        let month = self.month_name();
        write!(f, "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_distance_to_the_present_from_clock_to_clock() {
        let change = ClockChange { before: Time::from_millis(5_000), now: Time::from_millis(700) };
        let moment = |millis| change.moment(Time::from_millis(millis)).as_millis();
        assert_eq!([moment(5_000), moment(6_500), moment(4_400), moment(0)], [700, 2_200, 100, 0]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| {
            let date = Wall(seconds).date();
            (date.year, date.month, date.day, date.weekday, date.hour, date.minute, date.second)
        };
        assert_eq!(at(0), (1970, 1, 1, "Thu", 0, 0, 0));
        assert_eq!(at(951_782_400), (2000, 2, 29, "Tue", 0, 0, 0));
        assert_eq!(at(1_795_333_948), (2026, 11, 22, "Sun", 7, 52, 28));
        assert_eq!(at(4_107_542_399), (2100, 2, 28, "Sun", 23, 59, 59));
        assert_eq!(at(4_107_542_400), (2100, 3, 1, "Mon", 0, 0, 0));
        assert_eq!(std::format!("{}", Wall(1_795_333_948).date()), "Sun, 22 Nov 2026 07:52:28");
    }
}
