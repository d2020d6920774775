//! Lines that wait to be written, and other orders for the thread that writes them.

use std::sync::mpsc::Sender;

use super::target::{FILE_WRITE, Target};

/// The most bytes that wait in memory. Lines beyond that are lost, and counted.
pub(super) const MOST_WAITING: usize = 4 * 1024 * 1024;

/// What waits for the writing thread.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) lines: Vec<u8>,
    /// Bytes that the thread has taken and not yet written.
    pub(super) taken: usize,
    /// How many lines wait, and how many the thread has taken.
    pub(super) count: u64,
    /// Whether some of them are being written.
    pub(super) writing: bool,
    /// Whether writing has stopped, since the daemon ends.
    pub(super) abandoned: bool,
    /// The target's name.
    pub(super) name: String,
    /// A new target, for the lines behind this many bytes.
    pub(super) reopened: Option<(usize, Target)>,
    /// Threads that wait until every earlier line was tried.
    pub(super) asking: Vec<Sender<()>>,
    /// Whether no more lines come.
    pub(super) over: bool,
}

impl Backlog {
    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.lines.len() + self.taken
    }

    /// Whether these lines can wait, too.
    pub(super) fn has_room_for(&self, lines: &[u8]) -> bool {
        self.waiting() + lines.len() <= MOST_WAITING
    }

    /// Whether the thread does not wait for more lines.
    pub(super) fn is_urgent(&self) -> bool {
        self.over
            || self.reopened.is_some()
            || !self.asking.is_empty()
            || self.lines.len() >= FILE_WRITE
    }
}
