//! Where clients are counted: a tally for each tarpit that there has been since the start, since a
//! client may outlive its tarpit, and one for each port where ports are counted.

use std::{collections::BTreeMap, sync::Arc};

use crate::report::totals::{PastCounts, PortTally, Tally};

/// All tallies. They stay until the daemon ends.
pub(super) struct Tallies {
    workers: usize,
    /// What earlier daemons counted of each tarpit, where this one goes on for them.
    past: BTreeMap<String, PastCounts>,
    tarpits: Vec<Arc<Tally>>,
    ports: Vec<Arc<PortTally>>,
}

impl Tallies {
    /// Tallies for so many workers, of the tarpits of earlier daemons for now.
    pub(super) fn new(workers: usize, past: BTreeMap<String, PastCounts>) -> Self {
        let names: Vec<_> = past.keys().cloned().collect();
        let mut tallies = Self { workers, past, tarpits: Vec::new(), ports: Vec::new() };
        for name in names {
            tallies.tarpit(&name);
        }
        tallies
    }

    /// The tally of a tarpit, made if there is none.
    pub(super) fn tarpit(&mut self, name: &str) -> Arc<Tally> {
        if let Some(known) = self.tarpits.iter().find(|tally| tally.name == name) {
            return Arc::clone(known);
        }
        let past = self.past.get(name).copied().unwrap_or_default();
        let new = Arc::new(Tally::going_on(name, self.workers, past));
        self.tarpits.push(Arc::clone(&new));
        new
    }

    /// The tally of a port, made if there is none.
    pub(super) fn port(&mut self, port: u16) -> Arc<PortTally> {
        if let Some(known) = self.ports.iter().find(|tally| tally.port == port) {
            return Arc::clone(known);
        }
        let new = Arc::new(PortTally::new(port, self.workers));
        self.ports.push(Arc::clone(&new));
        new
    }

    /// Goes on from what the daemon before has counted in all.
    pub(super) fn go_on_from(&mut self, past: &BTreeMap<String, PastCounts>) {
        for (name, before) in past {
            self.tarpit(name).go_on_from(before.gone);
        }
    }

    /// Those of tarpits.
    pub(super) fn tarpits(&self) -> &[Arc<Tally>] {
        &self.tarpits
    }

    /// Those of ports.
    pub(super) fn ports(&self) -> &[Arc<PortTally>] {
        &self.ports
    }
}
