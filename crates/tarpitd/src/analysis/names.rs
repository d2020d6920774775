//! Sums for what has few different names: tarpits, protocols, reasons, countries.

use crate::os::entropy::HashMap;

/// Names with their sums, each with a small number of its own.
#[derive(Debug)]
pub(super) struct Names {
    numbers: HashMap<Box<str>, u16>,
    sums: Vec<Sum>,
}

/// What belongs to one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Clients or events.
    pub(super) times: u64,
    /// In microseconds.
    pub(super) held: u64,
    /// In bytes.
    pub(super) sent: u64,
    /// In bytes.
    pub(super) received: u64,
}

/// The most names. More come only in a trace of nonsense; they share [`OTHERS`].
const MOST: usize = 1_024;
const OTHERS: &str = "(others)";

/// The most bytes of a name that are kept.
const SHOWN: usize = 64;

impl Names {
    pub(super) fn new() -> Self {
        Self { numbers: HashMap::default(), sums: Vec::new() }
    }

    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name =
            if self.sums.len() < MOST { super::line::beginning(name, SHOWN) } else { OTHERS };
        let next = self.sums.len() as u16;
        let number = *self.numbers.entry(name.into()).or_insert(next);
        if number == next {
            self.sums.push(Sum::default());
        }
        number
    }

    /// Adds to what belongs to the name of that number.
    pub(super) fn add(&mut self, number: u16, more: Sum) {
        let Some(sum) = self.sums.get_mut(usize::from(number)) else { return };
        sum.times += more.times;
        sum.held = sum.held.saturating_add(more.held);
        sum.sent = sum.sent.saturating_add(more.sent);
        sum.received = sum.received.saturating_add(more.received);
    }

    /// The name of that number.
    pub(super) fn name(&self, number: u16) -> &str {
        let found = self.numbers.iter().find(|(_, of)| **of == number);
        found.map_or(OTHERS, |(name, _)| name)
    }

    /// All names that have something, most clients first.
    pub(super) fn ranked(&self) -> Vec<(&str, Sum)> {
        let mut all: Vec<(&str, Sum)> = Vec::with_capacity(self.sums.len());
        all.extend(self.numbers.iter().map(|(name, at)| (&**name, self.sums[usize::from(*at)])));
        all.retain(|(_, sum)| *sum != Sum::default());
        all.sort_unstable_by(|(a, x), (b, y)| {
            (y.times, y.held).cmp(&(x.times, x.held)).then_with(|| a.cmp(b))
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_nonsense_shares_one() {
        let mut names = Names::new();
        let sum = Sum { times: 1, held: 2, sent: 3, received: 4 };
        for name in ["b", "a", "b"] {
            let number = names.number(name);
            assert_eq!(names.name(number), name);
            names.add(number, sum);
        }
        let twice = Sum { times: 2, held: 4, sent: 6, received: 8 };
        assert_eq!(names.ranked(), [("b", twice), ("a", sum)]);
        for number in 0..10_000 {
            let number = names.number(&format!("n{number}"));
            names.add(number, sum);
        }
        assert_eq!(names.sums.len(), MOST + 1);
        assert_eq!(names.ranked()[0].0, OTHERS);
    }
}
