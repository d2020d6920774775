//! Clients that wait for another turn, each once.

use std::collections::VecDeque;

use crate::os::entropy::HashSet;

/// Slots in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: VecDeque<u32>,
    members: HashSet<u32>,
}

impl Queue {
    /// Puts a slot at the end, if it is not in it already.
    pub(crate) fn push(&mut self, index: u32) {
        if self.members.insert(index) {
            self.order.push_back(index);
        }
    }

    /// Takes out the first.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let index = self.order.pop_front()?;
        self.members.remove(&index);
        Some(index)
    }

    /// Whether the slot waits.
    pub(crate) fn holds(&self, index: u32) -> bool {
        self.members.contains(&index)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_waits_once_and_in_order() {
        let mut queue = Queue::default();
        for index in [3, 1, 3, 2] {
            queue.push(index);
        }
        assert_eq!(queue.len(), 3);
        assert!(queue.holds(1));
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop(), queue.pop()],
            [Some(3), Some(1), Some(2), None]
        );
        assert!(!queue.holds(1));
        queue.push(3);
        assert_eq!(queue.pop(), Some(3));
    }
}
