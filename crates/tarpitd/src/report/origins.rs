//! How many clients came from each country and each autonomous system, in memory of a fixed size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::geoip::Origin;

/// The counts, which all workers share.
#[derive(Debug)]
pub(crate) struct Origins {
    /// For each pair of letters.
    countries: Box<[AtomicU64]>,
    /// Clients whose country nobody knows.
    unknown: AtomicU64,
    /// For each of the busiest systems its number, in the upper half, and its count.
    ///
    /// This is the space-saving sketch: a new system takes the place of the one with the lowest
    /// count, and goes on from there. So a count is never too low, and never goes back.
    systems: Box<[AtomicU64]>,
}

const LETTERS: usize = 26;

/// Places for systems.
const SYSTEMS: usize = 256;

/// How often counting is tried again when other workers change the same place.
const TRIES: usize = 16;

impl Default for Origins {
    fn default() -> Self {
        let zeros = |count| std::iter::repeat_with(AtomicU64::default).take(count).collect();
        Self {
            countries: zeros(LETTERS * LETTERS),
            unknown: AtomicU64::new(0),
            systems: zeros(SYSTEMS),
        }
    }
}

impl Origins {
    /// How many systems are shown. The other places take the errors of the sketch.
    pub(crate) const SHOWN: usize = 100;

    /// Counts a client.
    pub(crate) fn count(&self, origin: Origin<'_>) {
        self.add_country(origin.country.unwrap_or_default(), 1);
        if let Some(asn) = origin.asn {
            self.add_system(asn, 1);
        }
    }

    /// Adds clients of a country, which may be any text.
    pub(crate) fn add_country(&self, country: &str, clients: u64) {
        let place = place(country).and_then(|place| self.countries.get(place));
        place.unwrap_or(&self.unknown).fetch_add(clients, Relaxed);
    }

    /// Adds clients of a system.
    pub(crate) fn add_system(&self, asn: u32, clients: u64) {
        for _ in 0..TRIES {
            let all = || self.systems.iter().map(|entry| (entry, entry.load(Relaxed)));
            let known = all().find(|(_, packed)| *packed != 0 && system(*packed) == asn);
            let Some((entry, packed)) = known.or_else(|| all().min_by_key(|it| count(it.1))) else {
                return;
            };
            let sum = count(packed).saturating_add(clients).min(u64::from(u32::MAX));
            let new = u64::from(asn) << 32 | sum;
            if entry.compare_exchange(packed, new, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// The countries of which clients came, with how many, in the order of their letters; and
    /// `unknown`, if there are such clients.
    pub(crate) fn countries(&self) -> Vec<(String, u64)> {
        let letter = |number: usize| char::from(b'A' + number as u8);
        let counts = self.countries.iter().map(|count| count.load(Relaxed)).enumerate();
        let named = counts.map(|(place, count)| {
            ([letter(place / LETTERS), letter(place % LETTERS)].iter().collect(), count)
        });
        let unknown = ("unknown".to_owned(), self.unknown.load(Relaxed));
        named.chain([unknown]).filter(|(_, count)| *count > 0).collect()
    }

    /// The busiest systems, in the order of their numbers, with how many clients at most came from
    /// each.
    pub(crate) fn systems(&self) -> Vec<(u32, u64)> {
        let entries = self.systems.iter().map(|entry| entry.load(Relaxed));
        let mut all: Vec<_> =
            entries.filter(|&it| it != 0).map(|it| (system(it), count(it))).collect();
        // Two workers may have brought in the same one at the same moment.
        all.sort_unstable();
        all.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        all
    }
}

fn place(country: &str) -> Option<usize> {
    let [first, second] = *country.as_bytes() else { return None };
    let number = |letter: u8| letter.is_ascii_uppercase().then(|| usize::from(letter - b'A'));
    Some(number(first)? * LETTERS + number(second)?)
}

fn system(packed: u64) -> u32 {
    (packed >> 32) as u32
}

fn count(packed: u64) -> u64 {
    packed & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(country: &'static str, asn: u32) -> Origin<'static> {
        Origin { country: Some(country), asn: Some(asn), ..Origin::default() }
    }

    #[test]
    fn clients_are_counted_by_country_and_by_system() {
        let origins = Origins::default();
        for origin in [from("DE", 1), from("DE", 2), from("AA", 2), from("ZZ", u32::MAX)] {
            origins.count(origin);
        }
        for odd in ["", "D", "de", "DEU", "Ä", "\"}"] {
            origins.add_country(odd, 1);
        }
        let wanted = [("AA", 1), ("DE", 2), ("ZZ", 1), ("unknown", 6)];
        assert_eq!(origins.countries(), wanted.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(origins.systems(), [(1, 1), (2, 2), (u32::MAX, 1)]);
    }

    #[test]
    fn the_busiest_systems_stay_however_many_others_come_and_no_count_goes_back() {
        let origins = Origins::default();
        let mut before = 0;
        for round in 0..200_u32 {
            for asn in 1..=20 {
                origins.add_system(asn, 1);
            }
            for stranger in 0..40 {
                origins.add_system(1_000 + round * 40 + stranger, 1);
            }
            let count = origins.systems().iter().find(|(asn, _)| *asn == 7).map_or(0, |it| it.1);
            assert!(count >= before && count >= u64::from(round + 1), "{round}");
            before = count;
        }
        let systems = origins.systems();
        assert_eq!(systems.len(), SYSTEMS);
        assert!(systems[..20].iter().all(|&(asn, count)| asn <= 20 && count >= 200), "{systems:?}");
    }
}
