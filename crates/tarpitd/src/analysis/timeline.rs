//! How many clients came, and how much time was held, hour by hour.

use std::collections::BTreeMap;

use super::moment::{HOUR, Moment};

/// All hours of a trace in which something happened.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    hours: BTreeMap<u64, Change>,
    /// Clients that came, or spans that began or ended, in hours for which there was no room.
    lost: u64,
}

/// What an hour adds to the hours before it. A span that covers many hours costs three of these,
/// not one for each of its hours.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    clients: u64,
    /// Time held by spans that began or ended within this hour, in microseconds.
    part: u64,
    /// How many more spans cover the hour whole than covered the one before.
    whole: i64,
}

/// One hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hour {
    /// Since 1970, UTC.
    pub(super) number: u64,
    /// How many clients came.
    pub(super) clients: u64,
    /// The time for which all clients together were held, in microseconds.
    pub(super) held: u64,
}

/// The most hours with changes: eleven years, in 5 MB. More come only in a trace of nonsense.
pub(super) const MOST_HOURS: usize = 100_000;

impl Timeline {
    /// A client came.
    pub(super) fn came(&mut self, at: Moment) {
        self.change(at.0 / HOUR, |hour| hour.clients += 1);
    }

    /// A client was held from `start` to `end`.
    pub(super) fn held(&mut self, start: Moment, end: Moment) {
        if end <= start {
            return;
        }
        let (first, last) = (start.0 / HOUR, end.0 / HOUR);
        if first == last {
            self.change(first, |hour| hour.part += end.since(start));
            return;
        }
        self.change(first, |hour| hour.part += HOUR - start.0 % HOUR);
        self.change(last, |hour| hour.part += end.0 % HOUR);
        if first + 1 < last {
            self.change(first + 1, |hour| hour.whole += 1);
            self.change(last, |hour| hour.whole -= 1);
        }
    }

    fn change(&mut self, hour: u64, change: impl FnOnce(&mut Change)) {
        if self.hours.len() < MOST_HOURS || self.hours.contains_key(&hour) {
            change(self.hours.entry(hour).or_default());
        } else {
            self.lost += 1;
        }
    }

    /// The hours from the first to the last one, empty ones too. If there are more than there is room
    /// for, the first ones are left out: a machine whose clock was set late began in 1970.
    pub(super) fn hours(&self) -> Vec<Hour> {
        let Some((first, last)) = self.shown() else { return Vec::new() };
        let mut whole: i64 = self.hours.range(..first).map(|(_, change)| change.whole).sum();
        let hours = (first..=last).map(|number| {
            let change = self.hours.get(&number).copied().unwrap_or_default();
            whole += change.whole;
            let held = u64::try_from(whole).unwrap_or(0).saturating_mul(HOUR);
            Hour { number, clients: change.clients, held: held.saturating_add(change.part) }
        });
        hours.collect()
    }

    /// The first and the last of the hours that are shown.
    fn shown(&self) -> Option<(u64, u64)> {
        let ((&first, _), (&last, _)) =
            self.hours.first_key_value().zip(self.hours.last_key_value())?;
        Some((first.max((last + 1).saturating_sub(MOST_HOURS as u64)), last))
    }

    /// How much of what happened is in no hour.
    pub(super) fn left_out(&self) -> u64 {
        let before = self.shown().map_or(0, |(first, _)| self.hours.range(..first).count());
        self.lost + before as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Moment {
        Moment(minutes * HOUR / 60)
    }

    #[test]
    fn a_span_is_divided_among_the_hours_that_it_touches() {
        let mut timeline = Timeline::default();
        for (start, end) in [(90, 100), (110, 130), (60, 300), (70, 70), (80, 20)] {
            timeline.came(at(start));
            timeline.held(at(start), at(end));
        }
        let hours: Vec<_> = timeline.hours().iter().map(|it| (it.clients, it.held)).collect();
        let minutes = |held: u64| held * HOUR / 60;
        assert_eq!(
            hours,
            [(5, minutes(80)), (0, minutes(70)), (0, minutes(60)), (0, minutes(60)), (0, 0)]
        );
    }

    #[test]
    fn nonsense_takes_no_more_than_the_room_for_it() {
        let mut timeline = Timeline::default();
        for number in 0..200_000 {
            timeline.came(Moment(number * 7 * HOUR));
        }
        assert_eq!((timeline.hours.len(), timeline.lost), (MOST_HOURS, 100_000));
        assert_eq!(timeline.hours().len(), MOST_HOURS);
    }

    #[test]
    fn a_clock_that_was_set_late_hides_no_hour_of_today() {
        let mut timeline = Timeline::default();
        for hour in [1, 500_000] {
            timeline.came(Moment(hour * HOUR));
        }
        timeline.held(Moment(HOUR), Moment(500_000 * HOUR));
        let hours = timeline.hours();
        assert_eq!((hours.len(), timeline.left_out()), (MOST_HOURS, 2));
        assert_eq!(hours[MOST_HOURS - 2..].iter().map(|it| it.held).collect::<Vec<_>>(), [HOUR, 0]);
        assert_eq!(hours.last().map(|it| (it.number, it.clients)), Some((500_000, 1)));
    }
}
