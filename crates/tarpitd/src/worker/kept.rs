//! What a worker keeps beside its clients: the next daemon goes on from it.

use crate::{admit::egress::Spent, worker::Worker};

/// What one worker keeps, or its share of what the workers of an earlier daemon kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// What was spent of the day's bytes, where these have a cap.
    pub(crate) spent: Option<Spent>,
}

impl Worker {
    /// Goes on from what an earlier daemon kept.
    pub(super) fn recall(&mut self, kept: &Kept) {
        if let Some(spent) = kept.spent {
            self.load.go_on(spent, self.now);
        }
    }

    /// What the next daemon goes on from.
    pub(super) fn kept(&self) -> Kept {
        Kept { spent: self.load.spent(self.now) }
    }
}
