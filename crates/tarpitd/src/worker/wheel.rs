//! Due times: a timing wheel whose entries are linked through the slots themselves.
//!
//! One turn of the wheel is 51.2 s. An entry that is due later stays in its bucket and is checked
//! once a turn, so any wait is possible, and none costs more than two links.

use std::{ops::Range, time::Duration};

use tarpit_proto::time::Time;

/// The wheel's step, in milliseconds: fine enough that no client could tell.
const TICK: u64 = 100;

const BUCKETS: usize = 512;

const NONE: u32 = u32::MAX;

/// What a slot keeps for the wheel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    next: u32,
    /// The entry before, this entry itself if it is the first, or none if it is not armed.
    prev: u32,
    /// The tick at which it is due, modulo 2^32: thirteen years.
    due: u32,
}

impl Link {
    /// The link of a slot that waits for nothing.
    pub(crate) const IDLE: Self = Self { next: NONE, prev: NONE, due: 0 };
}

/// Where the links are stored.
pub(crate) trait Links {
    /// The link of the slot at `index`, which the wheel only asks for while the slot is armed or
    /// about to be.
    fn link(&mut self, index: u32) -> Option<&mut Link>;
}

/// Slots that are due, and since when.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) slots: Vec<u32>,
    /// From this place in `slots` on, they are due since this moment.
    since: Vec<(usize, Time)>,
}

impl Due {
    /// None, with room for so many.
    pub(crate) fn with_capacity(slots: usize) -> Self {
        Self { slots: Vec::with_capacity(slots), since: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.since.clear();
    }

    /// How many of the slots at these places are due since which moment.
    pub(crate) fn since(&self, places: Range<usize>) -> impl Iterator<Item = (usize, Time)> {
        let first = self.since.partition_point(|&(from, _)| from <= places.start).max(1) - 1;
        let ends = self.since.iter().skip(first + 1).map(|&(from, _)| from).chain([usize::MAX]);
        let parts = self.since.iter().skip(first).zip(ends);
        parts.map_while(move |(&(from, moment), end)| {
            let count = end.min(places.end).checked_sub(from.max(places.start))?;
            (count > 0).then_some((count, moment))
        })
    }

    fn push(&mut self, slot: u32, moment: Time) {
        if self.since.last().is_none_or(|&(_, last)| last != moment) {
            self.since.push((self.slots.len(), moment));
        }
        self.slots.push(slot);
    }
}

/// The wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: Box<[u32; BUCKETS]>,
    /// A bit for each bucket that has entries.
    filled: [u64; BUCKETS / 64],
    /// The last tick that was served.
    now: u64,
}

impl Wheel {
    /// A wheel with nothing due.
    pub(crate) fn new() -> Self {
        Self { heads: Box::new([NONE; BUCKETS]), filled: [0; BUCKETS / 64], now: 0 }
    }

    /// Makes the slot at `index` due at `due`, in place of any earlier moment.
    pub(crate) fn arm(&mut self, slots: &mut impl Links, index: u32, due: Time) {
        self.disarm(slots, index);
        // Never in a bucket that was served already, or the entry would wait for a whole turn.
        let tick = due.as_millis().div_ceil(TICK).max(self.now + 1);
        self.put(slots, index, tick as u32);
    }

    /// Puts the slot at `index`, which is in no bucket, into the one of the tick `due`.
    fn put(&mut self, slots: &mut impl Links, index: u32, due: u32) {
        let bucket = due as usize % BUCKETS;
        let head = self.heads[bucket];
        if let Some(link) = slots.link(index) {
            *link = Link { next: head, prev: index, due };
            self.heads[bucket] = index;
            self.filled[bucket / 64] |= 1 << (bucket % 64);
        }
        if let Some(link) = slots.link(head) {
            link.prev = index;
        }
    }

    /// Disarms the slot at `index`.
    pub(crate) fn disarm(&mut self, slots: &mut impl Links, index: u32) {
        let Some(link) = slots.link(index) else { return };
        let Link { next, prev, due } = *link;
        if prev == NONE {
            return;
        }
        *link = Link::IDLE;
        if prev == index {
            let bucket = due as usize % BUCKETS;
            self.heads[bucket] = next;
            if next == NONE {
                self.filled[bucket / 64] &= !(1 << (bucket % 64));
            } else if let Some(link) = slots.link(next) {
                link.prev = next;
            }
        } else {
            if let Some(link) = slots.link(prev) {
                link.next = next;
            }
            if let Some(link) = slots.link(next) {
                link.prev = prev;
            }
        }
    }

    /// Takes all slots that are due at `now` out of the wheel and appends them to `due`.
    pub(crate) fn expire(&mut self, slots: &mut impl Links, now: Time, due: &mut Due) {
        let tick = now.as_millis() / TICK;
        // After a long pause one turn finds every entry.
        let first = (self.now + 1).max(tick.saturating_sub(BUCKETS as u64 - 1));
        for passed in first..=tick {
            let bucket = passed as usize % BUCKETS;
            if self.filled[bucket / 64] & 1 << (bucket % 64) == 0 {
                continue;
            }
            // The bucket is taken whole, since mostly all of it is due.
            let mut index = std::mem::replace(&mut self.heads[bucket], NONE);
            self.filled[bucket / 64] &= !(1 << (bucket % 64));
            while let Some(link) = slots.link(index) {
                let Link { next, due: at, .. } = std::mem::replace(link, Link::IDLE);
                let late = (tick as u32).wrapping_sub(at);
                if late.cast_signed() >= 0 {
                    due.push(index, Time::from_millis((tick - u64::from(late)) * TICK));
                } else {
                    self.put(slots, index, at);
                }
                index = next;
            }
        }
        self.now = self.now.max(tick);
    }

    /// How long nothing can become due; `None` if nothing ever does.
    pub(crate) fn idle_for(&self, now: Time) -> Option<Duration> {
        if self.filled.iter().all(|&bits| bits == 0) {
            return None;
        }
        let ahead = (1..=BUCKETS as u64).find(|ahead| {
            let bucket = (self.now + ahead) as usize % BUCKETS;
            self.filled[bucket / 64] & 1 << (bucket % 64) != 0
        })?;
        let moment = Time::from_millis((self.now + ahead) * TICK);
        Some(moment.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slots(Vec<Link>);

    impl Links for Slots {
        fn link(&mut self, index: u32) -> Option<&mut Link> {
            self.0.get_mut(index as usize)
        }
    }

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn every_slot_is_due_once_and_never_early() {
        let mut slots = Slots(vec![Link::IDLE; 2_000]);
        let mut wheel = Wheel::new();
        // Waits from nothing to several turns, in an order that is none.
        let wait = |index: u32| u64::from(index) * 7_919 % 200_000;
        for index in 0..2_000 {
            wheel.arm(&mut slots, index, at(wait(index)));
        }
        for index in (0..2_000).step_by(5) {
            wheel.disarm(&mut slots, index);
        }
        let mut seen = vec![0; 2_000];
        let mut now = at(0);
        while let Some(idle) = wheel.idle_for(now) {
            now = now.after(idle);
            let mut due = Due::with_capacity(0);
            wheel.expire(&mut slots, now, &mut due);
            for index in due.slots {
                assert!(
                    wait(index) <= now.as_millis() && now.as_millis() <= wait(index) + 2 * TICK
                );
                seen[index as usize] += 1;
            }
        }
        assert!((0..2_000).all(|index| seen[index] == i32::from(index % 5 != 0)));
    }

    #[test]
    fn after_a_standstill_everything_is_due_at_once() {
        let mut slots = Slots(vec![Link::IDLE; 100]);
        let mut wheel = Wheel::new();
        for index in 0..100 {
            wheel.arm(&mut slots, index, at(u64::from(index) * 1_000));
        }
        let mut due = Due::with_capacity(0);
        wheel.expire(&mut slots, at(3_600_000), &mut due);
        assert_eq!(due.slots.len(), 100);
        // Each batch knows since when its slots are due, wherever it is cut.
        for size in [1, 7, 100] {
            let batches = (0..100).step_by(size).map(|from| from..(from + size).min(100));
            let parts = batches.flat_map(|batch| due.since(batch));
            let moments = parts.flat_map(|(count, moment)| std::iter::repeat_n(moment, count));
            let wanted = due.slots.iter().map(|&slot| at((u64::from(slot) * 1_000).max(TICK)));
            assert!(moments.eq(wanted), "{size}");
        }
        assert_eq!(wheel.idle_for(at(3_600_000)), None);
    }
}
