//! Who has been heard how much lately, so that nobody who talks without end takes a worker's time.

use std::{collections::HashMap, time::Duration};

use tarpit_proto::{handshake_budget::LoadLevel, time::Time};

/// The shares of all who were heard in the present window.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// When the window ends, and everybody is heard again.
    until: Time,
    shares: HashMap<u32, Share>,
    /// Who has had its share: its socket is not watched until the window ends.
    muted: Vec<u32>,
}

/// What one client has been heard.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    reads: u8,
    bytes: u32,
}

/// The most reads and bytes of one client in a window. A handshake's few messages fit in; a flood
/// of large segments or of tiny ones does not.
const READS: u8 = 8;
const BYTES: u32 = 16 * 1_024;

/// How long a window lasts: what is beyond a share waits in the sender's own buffers.
const WINDOW: Duration = Duration::from_millis(50);

/// The same while the processor is short.
const LONG_WINDOW: Duration = Duration::from_secs(1);

/// Room that is kept from window to window; a storm's is given back.
const KEPT: usize = 64;

impl Hearing {
    /// Nobody has been heard yet.
    pub(crate) fn new() -> Self {
        Self { until: Time::START, shares: HashMap::new(), muted: Vec::new() }
    }

    /// Whether this client may be heard in the present window.
    pub(crate) fn allows(&self, index: u32) -> bool {
        self.shares.get(&index).is_none_or(|share| share.reads < READS && share.bytes < BYTES)
    }

    /// A client has been heard.
    pub(crate) fn count(&mut self, index: u32, bytes: usize, now: Time, load: LoadLevel) {
        if self.shares.is_empty() && self.muted.is_empty() {
            let window = if load >= LoadLevel::Inattentive { LONG_WINDOW } else { WINDOW };
            self.until = now.after(window);
        }
        let share = self.shares.entry(index).or_default();
        share.reads = share.reads.saturating_add(1);
        share.bytes = share.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// A client is not watched until the window ends.
    pub(crate) fn mute(&mut self, index: u32) {
        self.muted.push(index);
    }

    /// A client is gone; another may get its place.
    pub(crate) fn forget(&mut self, index: u32) {
        self.shares.remove(&index);
    }

    /// When the window ends, if anybody waits for that.
    pub(crate) fn ends(&self) -> Option<Time> {
        (!self.muted.is_empty()).then_some(self.until)
    }

    /// Ends the window if its time has come; says who is to be watched again.
    pub(crate) fn end(&mut self, now: Time) -> Vec<u32> {
        if now < self.until {
            return Vec::new();
        }
        self.shares.clear();
        self.shares.shrink_to(KEPT);
        // Whom the system cannot watch again yet waits for one more.
        self.until = now.after(WINDOW);
        std::mem::take(&mut self.muted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many reads of so many bytes are heard of one client in a second.
    fn heard_in_a_second(bytes: usize, load: LoadLevel) -> usize {
        let (mut hearing, mut reads) = (Hearing::new(), 0);
        for millis in 0..1_000 {
            let now = Time::from_millis(millis);
            hearing.end(now);
            while hearing.allows(7) {
                hearing.count(7, bytes, now, load);
                reads += 1;
            }
            if hearing.ends().is_none() {
                hearing.mute(7);
            }
            assert!(hearing.allows(8), "one does not mute another");
        }
        reads
    }

    #[test]
    fn a_flood_is_heard_a_share_each_window() {
        assert_eq!(heard_in_a_second(1, LoadLevel::Ease), 20 * 8);
        assert_eq!(heard_in_a_second(4_096, LoadLevel::Ease), 20 * 4);
        assert_eq!(heard_in_a_second(4_096, LoadLevel::Inattentive), 4);
    }

    #[test]
    fn who_was_muted_is_watched_again_when_the_window_ends() {
        let (mut hearing, at) = (Hearing::new(), Time::from_millis);
        hearing.count(1, 1, at(100), LoadLevel::Ease);
        assert_eq!(hearing.ends(), None, "nobody waits");
        hearing.mute(1);
        assert_eq!(hearing.ends(), Some(at(150)));
        assert!(hearing.end(at(149)).is_empty());
        assert_eq!(hearing.end(at(150)), [1]);
        assert_eq!(hearing.ends(), None);
        hearing.mute(1);
        assert_eq!(hearing.ends(), Some(at(200)), "who cannot be watched is not tried without end");
    }

    #[test]
    fn a_place_that_another_gets_is_heard_anew() {
        let mut hearing = Hearing::new();
        hearing.count(1, 1 << 20, Time::START, LoadLevel::Ease);
        assert!(!hearing.allows(1));
        hearing.forget(1);
        assert!(hearing.allows(1));
    }
}
