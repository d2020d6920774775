//! The most frequent things of a stream, in fixed memory: the space-saving sketch (Metwally, Agrawal
//! and El Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005).
//!
//! A thing that is not counted yet takes the place of the rarest one, and its count, which it may
//! owe to the other. So a count is never too low, and too high by at most what is told beside it.
//! Whatever makes up more than one in as many things as there are places is certainly there.

use std::hash::{BuildHasher as _, Hash};

use crate::os::entropy::Keyed;

/// The most frequent things so far, each with what else is kept of it while it has its place.
#[derive(Debug)]
pub(crate) struct Sketch<K, V = ()> {
    places: usize,
    /// By these things are found, so that no client foresees which look alike.
    hasher: Keyed,
    /// One list for each part of a row: two short ones are searched at every thing.
    marks: Vec<u32>,
    counts: Vec<u64>,
    rows: Vec<Row<K, V>>,
}

#[derive(Debug)]
struct Row<K, V> {
    thing: K,
    /// By how much the count may be too high.
    over: u64,
    kept: V,
}

/// A thing, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted<K> {
    pub(crate) thing: K,
    pub(crate) count: u64,
    /// By how much the count may be too high.
    pub(crate) over: u64,
}

impl<K: Eq + Hash, V> Sketch<K, V> {
    /// The most bytes that a place takes.
    pub(crate) const PLACE: usize = size_of::<u32>() + size_of::<u64>() + size_of::<Row<K, V>>();

    /// A sketch of nothing yet. Its memory grows to that of its places and no further.
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places,
            hasher: Keyed::default(),
            marks: Vec::new(),
            counts: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// How many things have a place.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Counts a thing, and gives what is kept of it: `new` if it gets its place now. `None`: there
    /// are no places at all.
    pub(crate) fn count(&mut self, thing: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        let mark = self.mark(&thing);
        let place = if let Some(place) = self.find(mark, &thing) {
            self.counts[place] += 1;
            place
        } else if self.rows.len() < self.places {
            self.grow();
            self.marks.push(mark);
            self.counts.push(1);
            self.rows.push(Row { thing, over: 0, kept: new() });
            self.rows.len() - 1
        } else {
            // Some hundred places are read in less time than a client is accepted.
            let counts = self.counts.iter().enumerate();
            let (place, &rarest) = counts.min_by_key(|(_, count)| **count)?;
            self.marks[place] = mark;
            self.counts[place] = rarest + 1;
            self.rows[place] = Row { thing, over: rarest, kept: new() };
            place
        };
        Some(&mut self.rows[place].kept)
    }

    /// What is kept of a thing, if it has a place.
    pub(crate) fn get_mut(&mut self, thing: &K) -> Option<&mut V> {
        let place = self.find(self.mark(thing), thing)?;
        Some(&mut self.rows[place].kept)
    }

    /// Everything that has a place, with what is kept of it, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter().map(|row| (&row.thing, &row.kept))
    }

    /// Goes on from what another sketch has counted, as far as there are places.
    pub(crate) fn recall(
        &mut self,
        all: impl IntoIterator<Item = Counted<K>>,
        new: impl Fn() -> V,
    ) {
        for Counted { thing, count, over } in all {
            let mark = self.mark(&thing);
            if self.rows.len() < self.places && self.find(mark, &thing).is_none() {
                self.grow();
                self.marks.push(mark);
                self.counts.push(count);
                self.rows.push(Row { thing, over, kept: new() });
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.places);
    }

    /// All that is counted, in no order.
    pub(crate) fn all(&self) -> Vec<Counted<K>>
    where
        K: Clone,
    {
        let rows = self.rows.iter().zip(&self.counts);
        let one = |(row, &count): (&Row<K, V>, &u64)| Counted {
            thing: row.thing.clone(),
            count,
            over: row.over,
        };
        rows.map(one).collect()
    }

    fn mark(&self, thing: &K) -> u32 {
        self.hasher.hash_one(thing) as u32
    }

    fn find(&self, mark: u32, thing: &K) -> Option<usize> {
        let known = |place: &usize| self.marks[*place] == mark && self.rows[*place].thing == *thing;
        (0..self.marks.len()).find(known)
    }

    /// Makes room for a row; by doubling, but never beyond the places.
    fn grow(&mut self) {
        let length = self.rows.len();
        if length == self.rows.capacity() {
            let more = length.max(16).min(self.places - length);
            self.marks.reserve_exact(more);
            self.counts.reserve_exact(more);
            self.rows.reserve_exact(more);
        }
    }
}

/// The `most` most frequent things of several sketches, the most frequent first.
pub(crate) fn merged<K: Clone + Eq + Hash + Ord>(
    sketches: impl IntoIterator<Item = Vec<Counted<K>>>,
    most: usize,
) -> Vec<Counted<K>> {
    let mut all: Vec<_> = sketches.into_iter().flatten().collect();
    all.sort_by(|one, other| one.thing.cmp(&other.thing));
    all.dedup_by(|later, first| {
        let is_same = later.thing == first.thing;
        if is_same {
            first.count += later.count;
            first.over += later.over;
        }
        is_same
    });
    all.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.thing.cmp(&other.thing)));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(sketch: &Sketch<u32>, most: usize) -> Vec<(u32, u64, u64)> {
        let all = merged([sketch.all()], most);
        all.into_iter().map(|it| (it.thing, it.count, it.over)).collect()
    }

    #[test]
    fn few_things_are_counted_exactly() {
        let mut sketch = Sketch::new(8);
        for thing in [7, 3, 7, 1, 7, 3] {
            sketch.count(thing, || ());
        }
        assert_eq!(top(&sketch, 2), [(7, 3, 0), (3, 2, 0)]);
        sketch.clear();
        assert_eq!(top(&sketch, 2), []);
    }

    #[test]
    fn a_frequent_thing_is_found_in_a_flood_of_others_within_the_told_bounds() {
        let mut sketch = Sketch::new(16);
        let (mut others, mut true_counts) = (1_000_000, [0_u64; 3]);
        for turn in 0..10_000_u32 {
            // One in four, one in eight, and one in sixteen.
            let thing = match turn % 16 {
                0 | 4 | 8 | 12 => 0,
                1 | 9 => 1,
                2 => 2,
                _ => {
                    others += 1;
                    others
                }
            };
            if let Some(count) = true_counts.get_mut(thing as usize) {
                *count += 1;
            }
            sketch.count(thing, || ());
        }
        assert!(sketch.rows.len() == 16 && sketch.rows.capacity() == 16);
        let top = top(&sketch, 2);
        assert_eq!((top[0].0, top[1].0), (0, 1), "{top:?}");
        for (thing, count, over) in top {
            let wanted = true_counts[thing as usize];
            assert!(count >= wanted && count - over <= wanted, "{thing}: {count} over {over}");
        }
    }

    #[test]
    fn the_counts_of_several_sketches_add_up() {
        let (mut one, mut other) = (Sketch::new(4), Sketch::new(4));
        for thing in [1, 1, 2] {
            one.count(thing, || ());
        }
        for thing in [2, 2, 3] {
            other.count(thing, || ());
        }
        let all = merged([one.all(), other.all()], 9);
        let all: Vec<_> = all.iter().map(|it| (it.thing, it.count)).collect();
        assert_eq!(all, [(2, 3), (1, 2), (3, 1)]);
    }

    #[test]
    fn what_is_kept_of_a_thing_goes_with_its_place() {
        let mut sketch = Sketch::new(1);
        *sketch.count(7, || 10).unwrap() += 1;
        assert_eq!(sketch.get_mut(&7), Some(&mut 11));
        assert_eq!(sketch.get_mut(&8), None);
        assert_eq!(sketch.count(8, || 20), Some(&mut 20));
        assert_eq!(sketch.iter().collect::<Vec<_>>(), [(&8, &20)]);
        assert_eq!(sketch.count(7, || 30), Some(&mut 30), "nothing is left of before");
        assert_eq!(Sketch::new(0).count(7, || ()), None);
    }
}
