//! What a worker keeps beside its clients: the next daemon goes on from it.

use std::sync::Arc;

use crate::{
    admit::egress::Spent,
    report::observed::{Frequent, Observed},
    worker::Worker,
};

/// What one worker keeps, or its share of what the workers of an earlier daemon kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// What was spent of the day's bytes, where these have a cap.
    pub(crate) spent: Option<Spent>,
    /// Lines spent of the trace's bound, which allows ten minutes of them at once. The other bounds
    /// allow a second: they begin anew.
    pub(crate) lines: u64,
    /// The names, secrets and networks that came most often, where these are observed.
    pub(crate) frequent: Option<Frequent>,
    /// The pins of `strict_lock`. A worker goes on from those of all, since the kernel gives the
    /// next client of a network to any of them.
    pub(crate) pins: Arc<[Vec<u8>]>,
}

impl Worker {
    /// Goes on from what an earlier daemon kept.
    pub(super) fn recall(&mut self, kept: Kept) {
        let Kept { spent, lines, frequent, pins } = kept;
        self.record.spend_lines(lines);
        if let Some(spent) = spent {
            self.load.go_on(spent, self.now);
        }
        if let Some(frequent) = frequent {
            self.record.recall(frequent);
        }
        self.pins.recall(pins.iter().map(Vec::as_slice), self.now);
    }

    /// What the next daemon goes on from.
    pub(super) fn kept(&self) -> Kept {
        Kept {
            spent: self.load.spent(self.now),
            lines: self.record.spent_lines(),
            frequent: self.record.observed().map(Observed::frequent),
            pins: self.pins.save().into_iter().collect(),
        }
    }
}
