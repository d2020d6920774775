//! Randomness: a generator for each client, from one seed of the daemon, and the system's own for
//! secrets.

use core::{fmt, time::Duration};

use chacha20::{
    ChaCha8,
    cipher::{KeyIvInit as _, StreamCipher as _},
};

use crate::base::time::{Time, millis};

/// The secret from which all generators come; drawn from the system once, or given by a test.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It must not get into a log by accident.
        f.write_str("Seed(..)")
    }
}

/// Identifies a session. Its generators come from this and the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// The system's randomness, for keys, cookies, challenges: whatever must never be guessed.
pub trait Entropy {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// A client's generator at one point of its session, for filler and jitter.
///
/// A client keeps none of it: the same seed, session and point give the same bytes. So a chunk that
/// went out in part can be made again. An observer can neither predict the keystream nor tell it
/// from other randomness.
pub struct Rng {
    stream: ChaCha8,
}

/// A number that stays the same for a place and a day. Without `secret` nobody can predict it.
pub(crate) fn lasting(secret: u64, place: u64, day: u64) -> u32 {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&secret.to_le_bytes());
    Rng::new(&Seed(seed), SessionId(place), Purpose::Lasting, day).number()
}

/// When a client of `group` gets its next bytes, after a `wait` that begins `now`: at most a tenth
/// earlier or later, and together with all clients of the group whose wait ends at about that time.
///
/// Time is cut into stretches of a tenth of the wait, and the group has one moment in each. So
/// clients that connected at different times are soon served together. That costs one wake-up
/// instead of many, and no client can predict its next pause.
pub(crate) fn shared_moment(seed: &Seed, group: u32, now: Time, wait: Duration) -> Time {
    let stretch = (millis(wait) / 10).clamp(1, u64::from(u32::MAX));
    let number = now.after(wait).as_millis() / stretch;
    let mut rng = Rng::new(seed, SessionId(group.into()), Purpose::Pace, number);
    Time::from_millis(number * stretch + u64::from(rng.below(stretch as u32)))
}

/// The purpose of a generator, so that two uses at one point never get the same bytes.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Choices of a step; the point is the time.
    Step = 0,
    /// The bytes of a chunk; the point is its first byte's place in all that was sent.
    Chunk = 1,
    /// The moment of a group; the point is the stretch of time.
    Pace = 2,
    /// What is the same for many clients; the point is their place and day.
    Lasting = 3,
}

impl Rng {
    pub(crate) fn new(seed: &Seed, session: SessionId, purpose: Purpose, point: u64) -> Self {
        // An odd factor spreads the point over the nonce. Nonces must differ, but need not be
        // secret.
        let mixed = session.0 ^ point.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&mixed.to_le_bytes());
        nonce[8..].copy_from_slice(&(purpose as u32).to_le_bytes());
        Self { stream: ChaCha8::new(&seed.0.into(), &nonce.into()) }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.stream.write_keystream(out);
    }

    /// A random number.
    pub fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// A random number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // Lemire's reduction. Its bias of bound / 2^32 does not matter here.
        let wide = u64::from(self.number()) * u64::from(bound);
        (wide >> 32) as u32
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        let last = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        choices[self.below(last) as usize]
    }

    /// `wait`, lengthened or shortened by up to a tenth.
    pub fn jitter(&mut self, wait: Duration) -> Duration {
        let tenth = u32::try_from(millis(wait) / 10).unwrap_or(u32::MAX / 2);
        let moved = self.below(tenth.saturating_mul(2).saturating_add(1));
        wait.saturating_sub(Duration::from_millis(tenth.into()))
            .saturating_add(Duration::from_millis(moved.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng(session: u64, point: u64) -> Rng {
        Rng::new(&Seed([7; 32]), SessionId(session), Purpose::Step, point)
    }

    #[test]
    fn the_same_point_gives_the_same_bytes_and_another_one_others() {
        assert_eq!(rng(1, 2).number(), rng(1, 2).number());
        assert_ne!(rng(1, 2).number(), rng(1, 3).number());
        assert_ne!(rng(1, 2).number(), rng(2, 2).number());
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_uses_all_of_it() {
        let wait = Duration::from_secs(8);
        let all: Vec<_> = (0..1_000).map(|point| rng(1, point).jitter(wait)).collect();
        assert!(all.iter().all(|w| (7_200..=8_800).contains(&millis(*w))));
        assert!(all.iter().any(|w| millis(*w) < 7_300) && all.iter().any(|w| millis(*w) > 8_700));
    }

    #[test]
    fn a_shared_moment_is_within_a_tenth_of_the_wait_and_the_same_for_neighbours() {
        let (seed, wait) = (Seed([7; 32]), Duration::from_secs(8));
        let gap = |group, now: u64| {
            let now = Time::from_millis(now);
            millis(shared_moment(&seed, group, now, wait).since(now))
        };
        let gaps: Vec<_> = (0..10_000).map(|number| gap(1, number * 37)).collect();
        assert!(gaps.iter().all(|gap| (7_200..=8_800).contains(gap)));
        assert!(gaps.iter().any(|gap| *gap < 7_400) && gaps.iter().any(|gap| *gap > 8_600));
        let mean = gaps.iter().sum::<u64>() / 10_000;
        assert!((7_950..8_050).contains(&mean), "{mean}");
        assert_eq!(gap(1, 80_000), gap(1, 80_799) + 799);
        assert_ne!(gap(1, 80_000), gap(2, 80_000));
        assert_eq!(shared_moment(&seed, 1, Time::START, Duration::ZERO), Time::START);
    }

    extern crate std;
    use std::vec::Vec;
}
