//! The worker threads, seen from outside: starting them, sending them orders, waiting for them.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use mio::Poll;
use tarpit_proto::{rng::Seed, time::Time};

use crate::{
    admit::admission::Admission,
    os::{clock::Clock, entropy::Keyed},
    report::{
        log::Log,
        record::Record,
        totals::{Sum, Tally, WorkerTotals},
        writer::Writer,
    },
    settings::finding::plain,
    worker::{
        self, Command, HashKeys, Listener, Notice, RollCall, Rules, Setup,
        endpoints::Binding,
        hand_over::{Exported, Lost, Moved, TakenOver},
        handle::Handle,
        kept::Kept,
        sender::Sender,
    },
};

/// All workers.
pub(super) struct Workers {
    all: Vec<Worker>,
    /// Disconnected once every thread has ended.
    running: Receiver<Infallible>,
}

/// A worker.
struct Worker {
    thread: JoinHandle<io::Result<()>>,
    handle: Arc<Handle>,
}

/// Shared by all workers.
pub(super) struct Common<'a> {
    pub(super) clock: Clock,
    pub(super) seed: &'a Seed,
    pub(super) keys: HashKeys,
    pub(super) admission: &'a Arc<Admission>,
    pub(super) rules: Rules,
    /// What an earlier daemon kept, a share for each worker.
    pub(super) kept: Vec<Kept>,
    pub(super) log: &'a Log,
    pub(super) trace: &'a Writer,
    pub(super) notify: &'a mpsc::Sender<Notice>,
}

/// A command on its way to all workers.
#[must_use = "a port that a worker closes can be opened once this is over"]
pub(super) struct UnderWay(Receiver<Infallible>);

impl UnderWay {
    /// It is over once the sender and all its clones are dropped.
    pub(super) fn new() -> (mpsc::Sender<Infallible>, Self) {
        let (pending, under_way) = mpsc::channel();
        (pending, Self(under_way))
    }

    /// Waits at most `patience` until every worker has carried it out; says whether all have.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        // Nothing is ever sent: the channel is disconnected when the last worker drops its end.
        self.0.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

impl Workers {
    /// Starts a worker for each list of listeners.
    pub(super) fn spawn(
        listeners: Vec<Vec<Listener>>,
        senders: Vec<Sender>,
        common: &Common<'_>,
    ) -> io::Result<Self> {
        let (runs, running) = mpsc::channel();
        let mut all = Vec::with_capacity(listeners.len());
        for (listeners, sender) in listeners.into_iter().zip(senders) {
            all.push(Worker::spawn(all.len(), listeners, sender, common, runs.clone())?);
        }
        Ok(Self { all, running })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What other threads may have of them.
    pub(super) fn handles(&self) -> Arc<[Arc<Handle>]> {
        self.all.iter().map(|worker| Arc::clone(&worker.handle)).collect()
    }

    /// Gives each worker its new listeners, new bindings for those that stay, and the rules.
    pub(super) fn reload(
        &self,
        stay: &[(u64, Arc<Binding>)],
        new: Vec<Vec<Listener>>,
        rules: &Rules,
    ) -> UnderWay {
        let (pending, under_way) = UnderWay::new();
        for (worker, new) in self.all.iter().zip(new) {
            let (stay, rules, pending) = (stay.to_vec(), rules.clone(), pending.clone());
            worker.handle.send(Command::Reload { stay, new, rules, pending });
        }
        under_way
    }

    /// Asks all workers whether their loops turn; a notice says when the last one has answered.
    pub(super) fn call(&self, notify: &mpsc::Sender<Notice>) {
        let call = Arc::new(RollCall(notify.clone()));
        for worker in &self.all {
            worker.handle.send(Command::RollCall(Arc::clone(&call)));
        }
    }

    /// What the workers keep beside their clients. A worker that does not answer in time is missing.
    pub(super) fn kept(&self, patience: Duration) -> Vec<Kept> {
        let (answer, answers) = mpsc::channel();
        for worker in &self.all {
            worker.handle.send(Command::Keep(answer.clone()));
        }
        drop(answer);
        let mut kept = Vec::with_capacity(self.all.len());
        while let Ok(one) = answers.recv_timeout(patience) {
            kept.push(one);
        }
        kept
    }

    /// Makes each worker pause, and waits for that at most `patience`; says whether all do.
    pub(super) fn pause(&self, patience: Duration) -> bool {
        let (pending, under_way) = UnderWay::new();
        for worker in &self.all {
            worker.handle.send(Command::Pause(pending.clone()));
        }
        drop(pending);
        under_way.wait(patience)
    }

    /// Ends the pause.
    pub(super) fn go_on(&self) {
        for worker in &self.all {
            worker.handle.send(Command::GoOn);
        }
    }

    /// Some of a worker's listeners and clients, from this place on, while it pauses; with `all` also
    /// those clients whose handshake is under way.
    pub(super) fn export(
        &self,
        worker: usize,
        (from, all): (u32, bool),
        patience: Duration,
    ) -> Result<Exported, String> {
        let (answer, exported) = mpsc::channel();
        self.all[worker].handle.send(Command::Export { from, all, answer });
        taken(&exported, patience)
    }

    /// Lets all workers serve only those clients that were not handed over.
    pub(super) fn stay(&self) {
        for worker in &self.all {
            worker.handle.send(Command::Stay);
        }
    }

    /// The clients of a worker that can be handed on by now, or all.
    pub(super) fn release(
        &self,
        worker: usize,
        all: bool,
        patience: Duration,
    ) -> Result<Exported, String> {
        let (answer, exported) = mpsc::channel();
        self.all[worker].handle.send(Command::Release { all, answer });
        taken(&exported, patience)
    }

    /// Lets a worker hold clients of an earlier daemon; what is given back tells what came of it.
    pub(super) fn take_over(
        &self,
        worker: usize,
        clients: Vec<(Moved, Arc<Binding>)>,
    ) -> mpsc::Receiver<TakenOver> {
        let (answer, taken) = mpsc::channel();
        self.all[worker % self.all.len()].handle.send(Command::TakeOver { clients, answer });
        taken
    }

    /// Lets a worker write the end of clients of an earlier daemon, each under its binding.
    pub(super) fn close_lost(&self, lost: Lost, bindings: Vec<Arc<Binding>>) {
        if let Some(worker) = self.all.first() {
            worker.handle.send(Command::CloseLost(lost, bindings));
        }
    }

    /// Makes each worker end without closing any client, and waits for that at most `patience`.
    pub(super) fn leave(&self, patience: Duration) {
        for worker in &self.all {
            worker.handle.send(Command::Leave);
        }
        // Nothing is ever sent. Who has not ended by then ends with the process.
        let _ = self.running.recv_timeout(patience);
    }

    /// Makes each worker close everything and end, and waits for that at most `patience`. Says
    /// whether all have ended.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        for worker in &self.all {
            worker.handle.send(Command::Stop);
        }
        self.running.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// Why workers failed. Without `have_ended` a worker that hangs is left behind, since the
    /// process ends.
    pub(super) fn errors(self, have_ended: bool) -> Vec<io::Error> {
        let is_over = |worker: &Worker| have_ended || worker.thread.is_finished();
        let ended = self.all.into_iter().filter(is_over);
        ended.filter_map(|worker| worker.thread.join().ok()?.err()).collect()
    }

    /// The totals of all workers at `now`.
    pub(super) fn sum(&self, tallies: &[Arc<Tally>], now: Time) -> Sum {
        let workers = self.all.iter().map(|worker| worker.handle.totals());
        Sum::of(tallies.iter().map(AsRef::as_ref), workers, now)
    }
}

impl Worker {
    fn spawn(
        number: usize,
        listeners: Vec<Listener>,
        sender: Sender,
        common: &Common<'_>,
        runs: mpsc::Sender<Infallible>,
    ) -> io::Result<Self> {
        let Common { clock, log, trace, rules, .. } = common;
        let poll = Poll::new()?;
        let totals = Arc::new(WorkerTotals::default());
        let (handle, commands) = Handle::new(&poll, Arc::clone(&totals))?;
        let totals = (number, totals);
        let facts = Keyed::of(common.keys.facts);
        let mut record = Record::new(*clock, Log::clone(log), totals, Writer::clone(trace), facts);
        record.set(rules.style, rules.trace_per_second);
        record.set_geoip(rules.geoip.clone());
        record.keep_busiest(rules.busiest);
        record.observe(rules.observes);
        let setup = Setup {
            poll,
            clock: *clock,
            seed: common.seed.clone(),
            ids: Keyed::of(common.keys.sessions),
            listeners,
            admission: Arc::clone(common.admission),
            rules: rules.clone(),
            kept: common.kept.get(number).cloned().unwrap_or_default(),
            sender,
            record,
            commands,
            notify: common.notify.clone(),
        };
        let notify = common.notify.clone();
        let run = move || {
            let result = worker::run(setup);
            // If this fails, the daemon has ended already.
            let _ = notify.send(Notice::WorkerEnded);
            drop(runs);
            result
        };
        let thread = thread::Builder::new();
        let thread = thread.name("worker".to_owned()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self { thread, handle: Arc::new(handle) })
    }
}

/// What a worker tells of its clients.
fn taken(
    exported: &Receiver<io::Result<Exported>>,
    patience: Duration,
) -> Result<Exported, String> {
    match exported.recv_timeout(patience) {
        Ok(Ok(exported)) => Ok(exported),
        Ok(Err(error)) => Err(format!("a client cannot be handed over: {}", plain(&error))),
        Err(_) => Err("a worker thread does not answer".to_owned()),
    }
}

/// How each of so many workers sends. No ring is made once system calls are filtered.
pub(super) fn senders(workers: usize, io_uring: bool, log: &Log) -> Vec<Sender> {
    let mut all = Vec::with_capacity(workers);
    for worker in 0..workers {
        let ring = if io_uring { Some(Sender::with_ring()) } else { None };
        if let (0, Some(Err(error))) = (worker, &ring) {
            // Only the first worker reports: the system refuses the others the same.
            log.notice(format_args!("io_uring unavailable ({error}), using one send() per client"));
        }
        all.push(ring.and_then(Result::ok).unwrap_or_default());
    }
    all
}
