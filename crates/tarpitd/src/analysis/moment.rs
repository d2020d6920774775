//! A moment as traces and arguments have it: seconds since 1970, or RFC 3339.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::report::timestamp::Timestamp;

/// Microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

/// A second, in microseconds.
pub(super) const SECOND: u64 = 1_000_000;

/// An hour, in microseconds.
pub(super) const HOUR: u64 = 3_600 * SECOND;

/// A day, in microseconds.
pub(super) const DAY: u64 = 24 * HOUR;

impl Moment {
    /// The end of the year 9999; no trace has a later moment.
    pub(crate) const LAST: Self = Self(253_402_300_799 * SECOND);

    /// The moment so many seconds after the beginning of 1970.
    pub(super) fn from_seconds(seconds: f64) -> Option<Self> {
        // Within these bounds a float has more than six decimals.
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let last = (Self::LAST.0 / SECOND) as f64;
        let within = (0.0..=last).contains(&seconds);
        #[expect(clippy::cast_sign_loss, reason = "not negative")]
        within.then(|| Self((seconds * 1e6).round() as u64))
    }

    /// A date (`2026-11-22`), or a date and a time (`2026-11-22T07:52:28.123Z`). The time may lack
    /// its seconds and its zone, which then is UTC, and a blank may stand for the `T`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once(['T', 't', ' ']) {
            Some((date, time)) => (date, time),
            None => (text, "00:00"),
        };
        let mut fields = date.split('-');
        let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = year.len() == 4 && fields.next().is_none();
        let (year, month, day) = (number(year)?, two_digits(month)?, two_digits(day)?);
        if !fits || year < 1970 || !(1..=12).contains(&month) || day < 1 {
            return None;
        }
        let days = days(year, month, day)?;
        let (time, behind) = zone(time)?;
        let of_day = time_of_day(time)?;
        let micros = i64::try_from(days * DAY + of_day).ok()? - behind;
        u64::try_from(micros).ok().map(Self).filter(|moment| *moment <= Self::LAST)
    }

    /// The moment `micros` earlier.
    pub(super) fn before(self, micros: u64) -> Self {
        Self(self.0.saturating_sub(micros))
    }

    /// The moment `micros` later.
    pub(super) fn after(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds since `earlier`; 0 if that is later.
    pub(super) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Days from 1970-01-01 to that day, if there is such a day.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // Counted from March, so that the leap day ends a year.
    let (shifted_year, shifted_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leaps = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let to_1970 = 719_468;
    (day <= length).then(|| 365 * shifted_year + leaps + of_year - to_1970)
}

/// The time without its zone, and how many microseconds it is ahead of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(sign) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let ahead = i64::try_from(time_of_day(&time[sign + 1..])?).ok()?;
    Some((&time[..sign], if time[sign..].starts_with('-') { -ahead } else { ahead }))
}

/// Microseconds since midnight.
fn time_of_day(text: &str) -> Option<u64> {
    let mut fields = text.split(':');
    let (hour, minute) = (two_digits(fields.next()?)?, two_digits(fields.next()?)?);
    let (second, micros) = match fields.next() {
        None => (0, 0),
        Some(text) => {
            let (second, fraction) = text.split_once('.').unwrap_or((text, "0"));
            // What comes behind microseconds is left out, but it must be digits.
            let is_number = !fraction.is_empty() && fraction.bytes().all(|it| it.is_ascii_digit());
            let micros = fraction.get(..6).unwrap_or(fraction);
            let missing = 6_u32.checked_sub(u32::try_from(micros.len()).ok()?)?;
            let micros = number(micros).filter(|_| is_number)? * 10_u64.pow(missing);
            (two_digits(second)?, micros)
        }
    };
    // A leap second counts as the next minute's first.
    let fits = fields.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    fits.then_some(((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

fn two_digits(text: &str) -> Option<u64> {
    number(text).filter(|_| text.len() == 2)
}

/// A number of decimal digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// By RFC 3339, with milliseconds.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Timestamp(Duration::from_micros(self.0)).fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Time;

        impl Visitor<'_> for Time {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970 or a time by RFC 3339")
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Moment, E> {
                let wrong = || E::invalid_value(de::Unexpected::Float(seconds), &self);
                Moment::from_seconds(seconds).ok_or_else(wrong)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Moment, E> {
                let micros = seconds.saturating_mul(SECOND);
                let wrong = || E::invalid_value(de::Unexpected::Unsigned(seconds), &self);
                Some(Moment(micros)).filter(|it| *it <= Moment::LAST).ok_or_else(wrong)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                let wrong = || E::invalid_value(de::Unexpected::Other("another time"), &self);
                Moment::parse(text).ok_or_else(wrong)
            }
        }

        deserializer.deserialize_any(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_trace_are_read() {
        let micros = 1_795_333_948_123_456;
        for (json, wanted) in [
            ("1795333948.123456", micros),
            ("1795333948", micros - 123_456),
            (r#""2026-11-22T07:52:28.123Z""#, micros - 456),
            (r#""2026-11-22T07:52:28.123456789Z""#, micros),
            (r#""2026-11-22T07:52:28.1234560000000000000000000Z""#, micros),
            (r#""2026-11-22T09:52:28+02:00""#, micros - 123_456),
            (r#""2026-11-22t03:22:28-04:30""#, micros - 123_456),
        ] {
            assert_eq!(serde_json::from_str::<Moment>(json).ok(), Some(Moment(wanted)), "{json}");
        }
        for json in [
            "-1",
            "1e300",
            "null",
            "\"\"",
            "\"2026-13-01\"",
            "\"2026-02-29\"",
            "[]",
            "\"2026-11-22T07:52:28.12345é\"",
            "\"2026-11-22T07:52:28.\"",
        ] {
            assert!(serde_json::from_str::<Moment>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn arguments_may_be_shorter() {
        let at = |text| Moment::parse(text).map(|moment| moment.to_string());
        for (text, wanted) in [
            ("2026-11-22", "2026-11-22T00:00:00.000Z"),
            ("2026-11-22 07:52", "2026-11-22T07:52:00.000Z"),
            ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z"),
            ("1970-01-01", "1970-01-01T00:00:00.000Z"),
            ("1970-03-01", "1970-03-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(wanted));
        }
        for text in
            ["", "2026", "2026-1-1", "2026-11-22T", "2026-11-22T25:00", "2026-11-22-", "+026-01-01"]
        {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
