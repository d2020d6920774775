//! How much tarpitd reads from each client in a span of time, so that a flood does not take all of
//! a worker's time.

use std::time::Duration;

use tarpit_proto::{handshake_budget::LoadLevel, time::Time};

use crate::os::entropy::HashMap;

/// What was read from each client in the present window.
#[derive(Debug)]
pub(crate) struct ReadShares {
    /// When the window ends, and each client has a whole share again.
    until: Time,
    used: HashMap<u32, Share>,
    /// Clients that have used up their share. Their sockets are not watched until the window ends.
    unwatched: Vec<u32>,
}

/// What was read from one client.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    reads: u8,
    bytes: u32,
}

/// The most reads and bytes from one client in a window. A handshake's few messages fit in; a flood
/// of large or of tiny segments does not.
const READS: u8 = 8;
const BYTES: u32 = 16 * 1_024;

/// How long a window lasts. Bytes beyond a share wait in the sender's own buffers.
const WINDOW: Duration = Duration::from_millis(50);

/// The same while CPU time is short.
const LONG_WINDOW: Duration = Duration::from_secs(1);

/// Room that is kept from window to window.
const KEPT: usize = 64;

/// With more room than this the window ends on time even if no client waits, so that a storm's
/// memory is given back. The table rounds its room up to the next size, which is below this.
const TOO_MUCH: usize = 2 * KEPT;

impl ReadShares {
    /// Nothing has been read yet.
    pub(crate) fn new() -> Self {
        Self { until: Time::START, used: HashMap::default(), unwatched: Vec::new() }
    }

    /// Whether this client may be read in the present window.
    pub(crate) fn allows(&self, index: u32) -> bool {
        self.used.get(&index).is_none_or(|share| share.reads < READS && share.bytes < BYTES)
    }

    /// Counts bytes read from a client.
    pub(crate) fn count(&mut self, index: u32, bytes: usize, now: Time, load: LoadLevel) {
        if self.used.is_empty() && self.unwatched.is_empty() {
            let window = if load >= LoadLevel::Inattentive { LONG_WINDOW } else { WINDOW };
            self.until = now.after(window);
        }
        let share = self.used.entry(index).or_default();
        share.reads = share.reads.saturating_add(1);
        share.bytes = share.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// A client's socket is not watched until the window ends.
    pub(crate) fn unwatch(&mut self, index: u32) {
        self.unwatched.push(index);
    }

    /// A client is gone; another may get its place.
    pub(crate) fn forget(&mut self, index: u32) {
        self.used.remove(&index);
    }

    /// When the window ends, if there is anything to do then.
    pub(crate) fn ends(&self) -> Option<Time> {
        let waits = !self.unwatched.is_empty() || self.used.capacity() > TOO_MUCH;
        waits.then_some(self.until)
    }

    /// Ends the window if its time has come; says which clients to watch again.
    pub(crate) fn end(&mut self, now: Time) -> Vec<u32> {
        if now < self.until {
            return Vec::new();
        }
        self.used.clear();
        self.used.shrink_to(KEPT);
        // A client that the system cannot watch again waits for one more window.
        self.until = now.after(WINDOW);
        std::mem::take(&mut self.unwatched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many reads of so many bytes there are of one client in a second.
    fn read_in_a_second(bytes: usize, load: LoadLevel) -> usize {
        let (mut shares, mut reads) = (ReadShares::new(), 0);
        for millis in 0..1_000 {
            let now = Time::from_millis(millis);
            shares.end(now);
            while shares.allows(7) {
                shares.count(7, bytes, now, load);
                reads += 1;
            }
            if shares.ends().is_none() {
                shares.unwatch(7);
            }
            assert!(shares.allows(8), "one takes nothing of another's share");
        }
        reads
    }

    #[test]
    fn a_flood_is_read_a_share_each_window() {
        assert_eq!(read_in_a_second(1, LoadLevel::Ease), 20 * 8);
        assert_eq!(read_in_a_second(4_096, LoadLevel::Ease), 20 * 4);
        assert_eq!(read_in_a_second(4_096, LoadLevel::Inattentive), 4);
    }

    #[test]
    fn an_unwatched_client_is_watched_again_when_the_window_ends() {
        let (mut shares, at) = (ReadShares::new(), Time::from_millis);
        shares.count(1, 1, at(100), LoadLevel::Ease);
        assert_eq!(shares.ends(), None, "nobody waits");
        shares.unwatch(1);
        assert_eq!(shares.ends(), Some(at(150)));
        assert!(shares.end(at(149)).is_empty());
        assert_eq!(shares.end(at(150)), [1]);
        assert_eq!(shares.ends(), None);
        shares.unwatch(1);
        assert_eq!(
            shares.ends(),
            Some(at(200)),
            "a client that cannot be watched is not tried without end"
        );
    }

    #[test]
    fn a_place_that_another_gets_has_a_whole_share() {
        let mut shares = ReadShares::new();
        shares.count(1, 1 << 20, Time::START, LoadLevel::Ease);
        assert!(!shares.allows(1));
        shares.forget(1);
        assert!(shares.allows(1));
    }

    #[test]
    fn what_a_storm_took_is_given_back_when_the_window_ends_though_nobody_waits() {
        let mut shares = ReadShares::new();
        shares.count(1, 1, Time::START, LoadLevel::Ease);
        shares.end(Time::from_millis(50));
        assert_eq!(shares.ends(), None, "few clients take nothing that is worth a wake-up");
        for index in 0..10_000 {
            shares.count(index, 1, Time::from_millis(100), LoadLevel::Ease);
        }
        assert_eq!(shares.ends(), Some(Time::from_millis(150)));
        shares.end(Time::from_millis(150));
        assert!(shares.used.capacity() <= TOO_MUCH);
        assert_eq!(shares.ends(), None);
    }
}
