//! When memory that clients no longer need goes back to the kernel.
//!
//! The allocator keeps what is freed for the next client. Between the small things of clients that
//! are held it keeps whole pages, for ever: a crowd that went through handshakes and left would be
//! seen in our memory until the end. So free memory is given back a moment after something was
//! freed. While nothing is freed, nothing is done.

use std::time::Duration;

use tarpit_proto::time::Time;

use crate::os::sys;

/// How long after something was freed all that is free is given back. To look through what is free
/// takes about a millisecond, so that it may be done as often as that.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// When memory is given back.
#[derive(Debug, Default)]
pub(super) struct Memory {
    at: Option<Time>,
}

impl Memory {
    /// Something was freed that may have filled pages.
    pub(super) fn freed(&mut self, now: Time) {
        self.at.get_or_insert(now.after(GIVE_BACK));
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Time> {
        self.at
    }

    /// Gives back what is free, if it is time.
    pub(super) fn give_back(&mut self, now: Time) {
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
            sys::give_memory_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_until_something_was_freed_and_then_once() {
        let mut memory = Memory::default();
        memory.give_back(Time::from_millis(10_000));
        assert_eq!(memory.due(), None);
        memory.freed(Time::from_millis(10_000));
        memory.freed(Time::from_millis(11_000));
        memory.give_back(Time::from_millis(11_999));
        assert_eq!(memory.due(), Some(Time::from_millis(12_000)));
        memory.give_back(Time::from_millis(12_000));
        assert_eq!(memory.due(), None);
    }
}
