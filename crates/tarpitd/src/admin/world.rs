//! What a handler may ask: the workers, and what the daemon has in force.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{control::status::InForce, metrics::saved::Store, page::PageState};
use crate::{
    os::clock::Clock,
    report::{
        busiest::Busy,
        log::Log,
        origins::Origins,
        totals::{PortCounts, PortTally, Tally, TarpitCounts, WorkerCounts},
        writer::Writer,
    },
    settings::{Metrics, Web},
    worker::{Command, Notice, handle::Handle},
};

/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The daemon as a handler sees it. A reload makes a new one.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) workers: Arc<[Arc<Handle>]>,
    /// What is counted of each tarpit.
    pub(crate) tallies: Arc<[Arc<Tally>]>,
    /// What is counted at each port, where ports are counted.
    pub(crate) port_tallies: Arc<[Arc<PortTally>]>,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    /// What earlier daemons counted, if that is kept.
    pub(crate) store: Option<Arc<Store>>,
    /// Where clients come from, if that is looked up.
    pub(crate) origins: Option<Arc<Origins>>,
    /// The trace, which knows how many of its lines are lost.
    pub(crate) trace: Writer,
    pub(crate) web: Web,
    /// What the page keeps, where there is one.
    pub(crate) page: Option<Arc<PageState>>,
    /// What the settings in force say.
    pub(crate) in_force: Arc<InForce>,
    /// The way to the daemon's own thread.
    pub(crate) notify: mpsc::Sender<Notice>,
}

impl World {
    /// All that workers ever counted.
    pub(super) fn worker_counts(&self) -> WorkerCounts {
        let mut sum = WorkerCounts::default();
        for worker in &*self.workers {
            sum.add(&worker.totals().counts());
        }
        if let Some(store) = &self.store {
            sum.add(&store.workers);
        }
        sum
    }

    /// All that was ever counted of a tarpit, with `own` counted since the start.
    pub(super) fn tarpit_counts(&self, tally: &Tally, own: TarpitCounts) -> TarpitCounts {
        let mut sum = own;
        if let Some(store) = &self.store {
            sum.add(&store.tarpit(&tally.name));
        }
        sum
    }

    /// All that was ever counted at a port.
    pub(super) fn port_counts(&self, tally: &PortTally) -> PortCounts {
        let mut sum = tally.counts(self.clock.now());
        if let Some(store) = &self.store {
            sum.add(&store.port(tally.port));
        }
        sum
    }

    /// The busiest addresses of all workers, the busiest first, as many as are wanted.
    pub(super) async fn busiest(&self) -> Vec<Busy> {
        let most = self.metrics.busiest();
        if most == 0 {
            return Vec::new();
        }
        let of_workers = self.ask_all(Command::Busiest).await.unwrap_or_default();
        let mut all: Vec<Busy> = of_workers.into_iter().flatten().collect();
        // One address may be at several workers, and several may be shown alike.
        all.sort_by_key(|busy| (busy.address, busy.port));
        all.dedup_by(|next, before| {
            let is_same = (next.address, next.port) == (before.address, before.port);
            if is_same {
                before.opened += next.opened;
                before.held += next.held;
            }
            is_same
        });
        all.sort_by_key(|busy| Reverse(busy.opened));
        all.truncate(most);
        all
    }

    /// Lines of the trace that were lost.
    pub(super) fn lost_lines(&self) -> u64 {
        self.trace.lost().saturating_add(self.store.as_ref().map_or(0, |store| store.lost_lines))
    }

    /// Clients by country, all that were ever counted.
    pub(super) fn countries(&self) -> BTreeMap<String, u64> {
        let mut sum = self.store.as_ref().map(|it| it.countries.clone()).unwrap_or_default();
        for (country, clients) in self.origins.iter().flat_map(|it| it.countries()) {
            let all = sum.entry(country).or_insert(0);
            *all = all.saturating_add(clients);
        }
        sum
    }

    /// Clients by autonomous system, of those from which most came.
    pub(super) fn systems(&self) -> Vec<(u32, u64)> {
        let mut sum = self.store.as_ref().map(|it| it.systems.clone()).unwrap_or_default();
        for (asn, clients) in self.origins.iter().flat_map(|it| it.systems()) {
            let all = sum.entry(asn).or_insert(0);
            *all = all.saturating_add(clients);
        }
        let mut all: Vec<_> = sum.into_iter().collect();
        all.sort_by_key(|&(asn, clients)| (Reverse(clients), asn));
        all.truncate(Origins::SHOWN);
        all
    }

    /// Saves what was counted, if that is kept.
    pub(crate) fn save(&self) {
        if let Some(store) = &self.store {
            store.save(self);
        }
    }

    /// Asks a worker by the command that `ask` makes, and waits for its answer. `None`: it is stuck,
    /// or has ended.
    pub(super) async fn ask<T>(
        &self,
        worker: usize,
        ask: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (answer, receiver) = oneshot::channel();
        self.workers.get(worker)?.send(ask(answer));
        timeout(PATIENCE, receiver).await.ok()?.ok()
    }

    /// Asks every worker at once by the command that `ask` makes, and waits for all answers, in the
    /// order of the workers. `None`: one of them is stuck, or has ended.
    pub(super) async fn ask_all<T>(
        &self,
        ask: impl Fn(oneshot::Sender<T>) -> Command,
    ) -> Option<Vec<T>> {
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in &*self.workers {
            let (answer, receiver) = oneshot::channel();
            worker.send(ask(answer));
            answers.push(receiver);
        }
        let all = async {
            let mut all = Vec::with_capacity(answers.len());
            for answer in answers {
                all.push(answer.await.ok()?);
            }
            Some(all)
        };
        timeout(PATIENCE, all).await.ok()?
    }
}
