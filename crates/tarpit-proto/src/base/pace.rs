//! How fast a client is answered: a rate that the user set, or else the pattern's own pace.

use core::{num::NonZeroU32, time::Duration};

use crate::base::time::{Time, millis};

/// The rate that a user asked for, in application bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// This many bytes every second.
    BytesPerSecond(NonZeroU32),
    /// One byte every this many seconds; at most [`Rate::SLOWEST`].
    SecondsPerByte(NonZeroU32),
    /// As fast as the client reads.
    Unlimited,
}

impl Rate {
    /// The slowest rate: one byte a day. (Beyond a day and a half the pacer's 32 bits would not
    /// do.)
    pub const SLOWEST: u32 = 86_400;

    /// The rate that `number` stands for on the command line and in a configuration: positive is
    /// bytes per second, negative one byte in that many seconds, zero unlimited. `None` if it is
    /// out of bounds.
    pub fn from_number(number: i64) -> Option<Self> {
        let size = u32::try_from(number.unsigned_abs()).ok()?;
        match NonZeroU32::new(size) {
            None => Some(Self::Unlimited),
            Some(size) if number > 0 => Some(Self::BytesPerSecond(size)),
            Some(size) if size.get() <= Self::SLOWEST => Some(Self::SecondsPerByte(size)),
            Some(_) => None,
        }
    }

    /// The number from which [`Rate::from_number`] makes this rate.
    pub fn number(self) -> i64 {
        match self {
            Self::BytesPerSecond(rate) => rate.get().into(),
            Self::SecondsPerByte(seconds) => -i64::from(seconds.get()),
            Self::Unlimited => 0,
        }
    }

    /// How many bytes are paid for after saving up for `saved` ticks.
    fn bytes(self, saved: u64) -> usize {
        let bytes = match self {
            Self::BytesPerSecond(rate) => saved.saturating_mul(rate.get().into()) / SECOND,
            Self::SecondsPerByte(seconds) => saved / (u64::from(seconds.get()) * SECOND),
            Self::Unlimited => u64::MAX,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What one byte costs.
    pub(crate) fn price_of_one(self) -> Duration {
        Duration::from_millis(self.price(1).div_ceil(TICKS))
    }

    /// What `bytes` cost in ticks, rounded up so that the rate is never exceeded.
    fn price(self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        match self {
            Self::BytesPerSecond(rate) => bytes.saturating_mul(SECOND).div_ceil(rate.get().into()),
            Self::SecondsPerByte(seconds) => {
                bytes.saturating_mul(u64::from(seconds.get()) * SECOND)
            }
            Self::Unlimited => 0,
        }
    }
}

/// The pacer counts in sixteenths of a millisecond. With whole milliseconds, rounding up the price
/// of a few kilobytes would be felt from a megabyte a second on.
const TICKS: u64 = 16;

/// Ticks in a second.
const SECOND: u64 = 1_000 * TICKS;

/// What goes out in one turn of a pattern's own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One byte: for headers and records, which clients read as they come.
    Byte,
    /// One whole chunk, that is a line or a packet.
    Chunk,
}

/// A pattern's own pace, in force where the user has set no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What goes out in one turn.
    pub unit: Unit,
    /// The time between two turns, before jitter.
    pub interval: Duration,
}

impl Default for Pace {
    /// That of most patterns.
    fn default() -> Self {
        EVERY_8_SECONDS
    }
}

/// The least time between two turns under a rate. Below it there would be more packets, not more
/// bytes.
const TURN: Duration = Duration::from_millis(200);

/// The longest wait of a script, in ticks. Only the low half of a moment is kept, so one that is
/// more than a day and a half ahead would be read as past.
const LONGEST: u64 = 86_400 * SECOND;

/// One client's place in its pace: the moment from which its next byte may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    /// The low half of that moment, in ticks.
    next: u32,
}

impl Pacer {
    /// A pacer whose first byte may go at `now`.
    pub(crate) fn starting(now: Time) -> Self {
        Self { next: ticks(now) as u32 }
    }

    /// Lets nothing go before `moment`, or before a later moment set earlier; a day at most.
    pub(crate) fn hold_until(&mut self, now: Time, moment: Time) {
        let bound = ticks(now).saturating_add(LONGEST);
        self.next = self.next(now).max(ticks(moment).min(bound)) as u32;
    }

    /// Ends a wait early, at `now`, except for what is `owed`.
    ///
    /// The wait may have hidden that the last bytes are not paid for. At most one unit's price is
    /// owed, since nothing goes before the bytes in front of it are paid for.
    pub(crate) fn cut_short(&mut self, now: Time, owed: Duration) {
        self.next = self.next(now).min(ticks(now.after(owed))) as u32;
    }

    /// Takes `bytes` sent at `now` from the credit at `rate`.
    pub(crate) fn spend(&mut self, now: Time, rate: Rate, bytes: usize) {
        // Credit is saved up for at most a second, so that a stalled client is not flooded when it
        // wakes; but always for one byte.
        let oldest = ticks(now).saturating_sub(SECOND.max(rate.price(1)));
        self.next = self.next(now).max(oldest).saturating_add(rate.price(bytes)) as u32;
    }

    /// The moment from which the next byte may go.
    pub(crate) fn moment(self, now: Time) -> Time {
        Time::from_millis(self.next(now).div_ceil(TICKS))
    }

    /// How many bytes may go at `now` at `rate`.
    pub(crate) fn allowance(self, now: Time, rate: Rate) -> usize {
        if rate == Rate::Unlimited {
            return usize::MAX;
        }
        let (next, now) = (self.next(now), ticks(now));
        if next > now {
            return 0;
        }
        // The byte that is due, and those saved up since.
        rate.bytes((now - next).min(SECOND)).saturating_add(1)
    }

    /// When the next turn is worthwhile at `rate`, right after a send.
    pub(crate) fn turn(self, now: Time, rate: Rate) -> Time {
        let next = self.moment(now);
        if rate.price(1) < millis(TURN) * TICKS { next.max(now.after(TURN)) } else { next }
    }

    /// The moment in full: the one nearest to `now` with that low half.
    fn next(self, now: Time) -> u64 {
        let now = ticks(now);
        let ahead = self.next.wrapping_sub(now as u32).cast_signed();
        now.saturating_add_signed(ahead.into())
    }
}

fn ticks(moment: Time) -> u64 {
    moment.as_millis().saturating_mul(TICKS)
}

/// What SSH clients bear between two lines or packets.
pub(crate) const EVERY_15_SECONDS: Pace =
    Pace { unit: Unit::Chunk, interval: Duration::from_secs(15) };

/// A line or packet every 8 seconds: below every inactivity limit that was measured, with as few
/// packets as that allows.
pub(crate) const EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Chunk, interval: Duration::from_secs(8) };

/// A byte every 4 seconds: redis-py gives up after 5 seconds of silence.
pub(crate) const BYTE_EVERY_4_SECONDS: Pace =
    Pace { unit: Unit::Byte, interval: Duration::from_secs(4) };

/// A byte every 8 seconds, for headers and records that a client reads as they come.
pub(crate) const BYTE_EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Byte, interval: Duration::from_secs(8) };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(number: i64) -> Rate {
        Rate::from_number(number).expect("in bounds")
    }

    /// Bytes sent in `span` by a client that always reads, woken up to `late` ms late each time.
    fn sent(rate: Rate, span: Duration, late: u64) -> usize {
        let start = Time::from_millis(0xFFFF_F000);
        let mut pacer = Pacer::starting(start);
        let (mut now, mut sent) = (start, 0);
        while now.since(start) < span {
            let bytes = pacer.allowance(now, rate);
            sent += bytes;
            if bytes > 0 {
                pacer.spend(now, rate, bytes);
            }
            now = pacer.turn(now, rate).after(Duration::from_millis(late));
        }
        sent
    }

    #[test]
    fn a_number_is_the_rate_that_the_manual_says() {
        assert_eq!(rate(0), Rate::Unlimited);
        assert_eq!(rate(7), Rate::BytesPerSecond(NonZeroU32::new(7).unwrap()));
        assert_eq!(rate(-7), Rate::SecondsPerByte(NonZeroU32::new(7).unwrap()));
        assert_eq!(Rate::from_number(-86_401), None);
        assert_eq!(Rate::from_number(1 << 40), None);
        assert!([0, 7, -7].into_iter().all(|number| rate(number).number() == number));
    }

    #[test]
    fn ten_seconds_at_a_rate_bring_ten_times_the_rate() {
        for (number, wanted, slack) in [
            (64, 640, 32),
            (1_024, 10_240, 512),
            (65_536, 655_360, 32_768),
            (1, 10, 1),
            (-1, 10, 1),
            (20_000_000, 200_000_000, 10_000_000),
        ] {
            let got = sent(rate(number), Duration::from_secs(10), 90);
            assert!(got.abs_diff(wanted) <= slack, "{number}: {got}");
        }
        assert!(sent(rate(-2), Duration::from_secs(10), 90).abs_diff(5) <= 1);
    }

    #[test]
    fn a_client_that_stalled_gets_one_second_of_credit() {
        let mut pacer = Pacer::starting(Time::START);
        let now = Time::from_millis(3_600_000);
        assert_eq!(pacer.allowance(now, rate(64)), 65);
        pacer.spend(now, rate(64), 65);
        assert_eq!(pacer.allowance(now, rate(64)), 0);
    }

    #[test]
    fn a_wait_that_is_cut_short_hides_no_debt() {
        let now = Time::from_millis(10_000);
        let mut pacer = Pacer::starting(now);
        pacer.spend(now, rate(-2), 1);
        pacer.hold_until(now, now.after(Duration::from_secs(60)));
        let mut unlimited = pacer;
        pacer.cut_short(now, rate(-2).price_of_one());
        assert_eq!(pacer.moment(now), now.after(Duration::from_secs(2)));
        unlimited.cut_short(now, Duration::ZERO);
        assert_eq!(unlimited.moment(now), now);
    }

    proptest! {
        #[test]
        fn never_faster_than_the_rate(number in -100_i64..100_000, seconds in 1_u64..100, late in 0_u64..500) {
            prop_assume!(number != 0);
            let paid = if number > 0 {
                number.unsigned_abs() * (seconds + 1)
            } else {
                seconds / number.unsigned_abs()
            };
            let got = sent(rate(number), Duration::from_secs(seconds), late);
            prop_assert!(got as u64 <= paid + 1, "{got} > {paid} + 1");
        }
    }
}
