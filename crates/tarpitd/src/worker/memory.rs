//! When memory that clients no longer need goes back to the kernel.
//!
//! The allocator keeps freed memory for the next client. Between the small allocations of held
//! clients it keeps whole pages for ever: after a crowd of handshakes the daemon would stay large
//! until its end. So tarpitd gives free memory back a moment after something was freed. While
//! nothing is freed, it does nothing.

use std::time::Duration;

use tarpit_proto::time::Time;

use crate::os::sys;

/// How long after something was freed all free memory is given back. That takes about a
/// millisecond, so it may happen this often.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// When memory is given back.
#[derive(Debug, Default)]
pub(super) struct Memory {
    at: Option<Time>,
}

impl Memory {
    /// Enough was freed that whole pages may be free.
    pub(super) fn freed(&mut self, now: Time) {
        self.at.get_or_insert(now.after(GIVE_BACK));
    }

    /// When to give memory back, if ever.
    pub(super) fn due(&self) -> Option<Time> {
        self.at
    }

    /// Gives free memory back if its time has come.
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
