//! One worker's loop: wait, accept, read, send.
//!
//! No client has a task or a thread; a held client costs its slot. The loop sleeps until a socket
//! has news or the wheel has a client due.

mod accept;
mod accounts;
mod clients;
mod close;
mod data;
mod detours;
pub(crate) mod endpoints;
mod first_answers;
pub(crate) mod hand_over;
pub(crate) mod handle;
mod health;
pub(crate) mod kept;
mod listeners;
mod memory;
mod news;
mod pending;
mod queue;
mod read;
mod read_shares;
pub(crate) mod roster;
mod send;
pub(crate) mod sender;
mod turn;
mod vanished;
mod wheel;

use std::{
    convert::Infallible,
    io,
    num::NonZeroU32,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use mio::{Events, Poll, Token};
use tarpit_proto::{
    keys::RsaKey,
    pins::Pins,
    rng::Seed,
    session::Cause,
    time::{Time, Wall},
};
use tokio::sync::oneshot;

pub(crate) use self::listeners::Listener;
use self::{
    accounts::Accounts,
    clients::Clients,
    data::Awaited,
    endpoints::Binding,
    first_answers::{FirstAnswers, LATE},
    hand_over::{Exported, Lost, Moved, TakenOver},
    kept::Kept,
    listeners::Listeners,
    memory::Memory,
    pending::Pending,
    read::Reading,
    roster::Question,
    send::Sending,
    sender::Sender,
    vanished::Round,
};
use crate::{
    admit::{
        access::Access,
        admission::Admission,
        load::{Bounds, Load},
        room::Room,
    },
    os::{
        clock::Clock,
        entropy::{Keyed, random},
    },
    report::{
        busiest::Busy,
        geoip::{Databases, Geoip},
        record::Record,
        trace::Style,
    },
    settings::{Evict, finding::Finding},
};

/// What the daemon's own thread waits for.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Clients of the daemon before, each with the number of its worker, whose handshake is done.
    Arrived(Vec<(usize, Moved)>),
    /// No client of the daemon before can come any more.
    ArrivedAll,
    /// All that the daemon before has counted, now that it has ended.
    Counted(Vec<u8>),
    /// Databases that were read again, and what went wrong, for the look with this number.
    Databases(u64, Databases, Vec<Finding>),
    /// A new program wants to go on for this one, and hears at the other end.
    HandOver(UnixStream),
    /// The listener with this key could not be kept open.
    ListenerLost(u64),
    /// The control socket asks for a reload, and waits for what changed, or for what is wrong.
    Reload(oneshot::Sender<Reloaded>),
    /// The host key that takes a while has been made.
    RsaKey(Arc<RsaKey>),
    Signal(i32),
    /// Every worker has answered a roll call: its loop turns.
    WorkersTurn,
    /// A worker has ended.
    WorkerEnded,
}

/// A roll call: the last worker that drops its share tells the daemon's own thread that all turn.
#[derive(Debug)]
pub(crate) struct RollCall(pub(crate) mpsc::Sender<Notice>);

impl Drop for RollCall {
    fn drop(&mut self) {
        // If this fails, the daemon has ended.
        let _ = self.0.send(Notice::WorkersTurn);
    }
}

/// What a reload changed, a line each; or why it changed nothing.
pub(crate) type Reloaded = Result<Vec<String>, Vec<String>>;

/// What the daemon tells a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Say that the loop still turns.
    Answer(oneshot::Sender<()>),
    /// Tell the busiest addresses.
    Busiest(oneshot::Sender<Vec<Busy>>),
    /// Answer the admin server.
    Ask(Question),
    /// Write the end of clients of an earlier daemon whose connections are gone, each under its
    /// binding.
    CloseLost(Lost, Vec<Arc<Binding>>),
    /// Tell of more listeners and clients for the next daemon, from this place on. Comes after
    /// [`Command::Pause`]. With `all` also of those clients whose handshake is under way.
    Export { from: u32, all: bool, answer: mpsc::Sender<io::Result<Exported>> },
    /// End the pause.
    GoOn,
    /// Tell what is kept beside the clients.
    Keep(mpsc::Sender<Kept>),
    /// End without closing any client: all are held by the next daemon.
    Leave,
    /// Serve nobody, and let everything be as it is, until [`Command::GoOn`], [`Command::Leave`] or
    /// [`Command::Stay`]. What it is given is dropped once the pause has begun.
    Pause(mpsc::Sender<Infallible>),
    /// Hand on clients whose handshake is done, or all. Comes after [`Command::Stay`].
    Release { all: bool, answer: mpsc::Sender<io::Result<Exported>> },
    /// Let the listeners be these: a binding for each key that stays, and new listeners.
    Reload {
        stay: Vec<(u64, Arc<Binding>)>,
        new: Vec<Listener>,
        rules: Rules,
        /// Dropped once all of it is in force.
        pending: mpsc::Sender<Infallible>,
    },
    /// Show that the loop turns, by dropping this.
    RollCall(Arc<RollCall>),
    /// End the pause, for those clients only that could not be told of.
    Stay,
    /// Close everything, with a line for each client, and return.
    Stop,
    /// Hold these clients of an earlier daemon, and say how many of them are not known here.
    TakeOver { clients: Vec<(Moved, Arc<Binding>)>, answer: mpsc::Sender<TakenOver> },
}

/// Keys of hashes that stay the same when another daemon goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HashKeys {
    /// By which facts are compared.
    pub(crate) facts: [u8; 16],
    /// By which session ids are made.
    pub(crate) sessions: [u8; 16],
}

impl HashKeys {
    /// Keys that nobody can guess.
    pub(crate) fn new() -> Self {
        Self { facts: random(), sessions: random() }
    }
}

/// Rules for all clients of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) access: Arc<Access>,
    pub(crate) evict: Evict,
    pub(crate) bounds: Bounds,
    /// How the trace is written, and this worker's share of its lines a second; `None`: no bound.
    pub(crate) style: Style,
    pub(crate) trace_per_second: Option<NonZeroU32>,
    /// Where clients come from, if that is looked up.
    pub(crate) geoip: Option<Geoip>,
    /// How many of the busiest addresses are kept.
    pub(crate) busiest: usize,
    /// How many workers share what is observed of clients for the admin server; `None`: nothing is.
    pub(crate) observes: Option<usize>,
}

/// What a worker needs to start.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) seed: Seed,
    /// Makes session ids.
    pub(crate) ids: Keyed,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) rules: Rules,
    /// What an earlier daemon kept.
    pub(crate) kept: Kept,
    pub(crate) sender: Sender,
    pub(crate) record: Record,
    pub(crate) commands: Receiver<Command>,
    pub(crate) notify: mpsc::Sender<Notice>,
}

/// The token by which a command announces itself.
pub(crate) const COMMAND: Token = Token(usize::MAX - 1);

/// How long the worker trusts the calendar before it looks again.
const CALENDAR: Duration = Duration::from_secs(60);

/// How long the daemon's end waits for the last lines to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// One worker.
#[derive(Debug)]
struct Worker {
    poll: Poll,
    commands: Receiver<Command>,
    clock: Clock,
    /// The moment of this turn of the loop.
    now: Time,
    calendar: Calendar,
    seed: Seed,
    listeners: Listeners,
    clients: Clients,
    /// Connections whose first bytes say who is there.
    pending: Pending,
    /// Clients whose data connections are awaited.
    awaited: Awaited,
    /// Clients that are about to be answered for the first time.
    first_answers: FirstAnswers,
    room: Room,
    load: Load,
    reading: Reading,
    sending: Sending,
    pins: Pins,
    memory: Memory,
    /// How far the search for vanished clients has got.
    round: Round,
    /// What the trace already has of each client.
    accounts: Accounts,
    record: Record,
}

/// The calendar. Somebody may set it at any time.
#[derive(Clone, Copy, Debug)]
struct Calendar {
    /// Its moment at [`Time::START`].
    start: Wall,
    /// When it was last looked at.
    looked: Time,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loop {
    Ends,
    GoesOn,
}

/// Serves until told to stop.
pub(crate) fn run(setup: Setup) -> io::Result<()> {
    let mut worker = Worker::new(setup)?;
    let mut events = Events::with_capacity(1_024);
    loop {
        let patience = worker.patience();
        match worker.poll.poll(&mut events, patience) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                worker.stop();
                return Err(error);
            }
            _ => {}
        }
        worker.look_at_the_clock();
        worker.take(&events);
        if worker.obey() == Loop::Ends {
            return Ok(());
        }
        worker.accept_all();
        worker.end_patience();
        worker.read_waiting();
        worker.look_for_the_vanished();
        worker.answer_first();
        worker.send_more();
        worker.serve_due();
        worker.memory.give_back(worker.now);
        worker.record.flush();
    }
}

impl Worker {
    /// A worker that watches its listeners and holds no client.
    fn new(setup: Setup) -> io::Result<Self> {
        let (clock, rules) = (setup.clock, setup.rules);
        let now = clock.now();
        let first_answers = FirstAnswers::new(clock, setup.poll.registry())?;
        let mut worker = Self {
            poll: setup.poll,
            commands: setup.commands,
            clock,
            now,
            calendar: Calendar { start: clock.wall_at_start(), looked: now },
            seed: setup.seed,
            listeners: Listeners::new(setup.notify),
            clients: Clients::new(setup.ids),
            pending: Pending::new(),
            awaited: Awaited::default(),
            first_answers,
            room: Room::new(setup.admission, rules.access, rules.evict),
            load: Load::new(rules.bounds, clock),
            reading: Reading::new(),
            sending: Sending::new(setup.sender),
            pins: Pins::default(),
            memory: Memory::default(),
            round: Round::default(),
            accounts: Accounts::new(),
            record: setup.record,
        };
        worker.recall(setup.kept);
        for listener in setup.listeners {
            worker.listeners.open(listener, worker.poll.registry())?;
        }
        Ok(worker)
    }

    /// How long nothing needs to be done; `None`: until there is news.
    fn patience(&self) -> Option<Duration> {
        if self.sending.more.len() > 0 {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let moments = [
            self.listeners.due(),
            self.pending.due(),
            self.reading.due(),
            self.next_round(),
            self.memory.due(),
        ];
        let waits = moments.into_iter().flatten().map(|moment| moment.since(now));
        let waits = waits.chain(self.clients.idle_for(now));
        waits.chain(self.first_answers.patience()).min()
    }

    fn look_at_the_clock(&mut self) {
        self.now = self.clock.now();
        if self.now.since(self.calendar.looked) >= CALENDAR {
            self.calendar = Calendar { start: self.clock.wall_at_start(), looked: self.now };
        }
        self.load.judge(self.now, self.clock, self.record.log());
        self.record.pressed(self.load.level(), self.load.handshakes.begun());
    }

    /// Takes the sockets' news.
    fn take(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                COMMAND | LATE => {}
                token => match (listeners::index_of(token), pending::index_of(token)) {
                    (Some(listener), _) => self.listeners.note_ready(listener),
                    (None, Some(pending)) => self.hear_pending(pending),
                    (None, None) => self.notice(token.0 as u32, event),
                },
            }
        }
    }

    /// Obeys the daemon's own thread.
    fn obey(&mut self) -> Loop {
        while let Ok(command) = self.commands.try_recv() {
            if self.carry_out(command) == Loop::Ends {
                return Loop::Ends;
            }
        }
        Loop::GoesOn
    }

    fn carry_out(&mut self, command: Command) -> Loop {
        match command {
            // If nobody waits any more, nobody misses it.
            Command::Answer(answer) => drop(answer.send(())),
            Command::Busiest(answer) => drop(answer.send(self.record.busiest())),
            Command::Ask(question) => self.answer(question),
            Command::CloseLost(lost, bindings) => self.close_lost(lost, bindings),
            Command::Export { from, all, answer } => {
                drop(answer.send(self.export(from, all)));
            }
            Command::GoOn => {}
            Command::Keep(answer) => drop(answer.send(self.kept())),
            Command::Leave => {
                self.record.flush();
                return Loop::Ends;
            }
            Command::Pause(pending) => {
                self.record.flush();
                drop(pending);
                return self.pause();
            }
            Command::Reload { stay, new, rules, pending } => {
                let registry = self.poll.registry();
                self.listeners.reload(&stay, new, registry, self.record.log());
                self.load.set(rules.bounds, self.now);
                self.record.set(rules.style, rules.trace_per_second);
                self.record.set_geoip(rules.geoip);
                self.record.keep_busiest(rules.busiest);
                self.record.observe(rules.observes);
                self.room.set(rules.access, rules.evict);
                drop(pending);
            }
            Command::Release { all, answer } => drop(answer.send(self.release(all))),
            Command::RollCall(call) => drop(call),
            Command::Stay => self.stay(),
            Command::Stop => {
                self.stop();
                return Loop::Ends;
            }
            Command::TakeOver { clients, answer } => drop(answer.send(self.take_over(clients))),
        }
        Loop::GoesOn
    }

    /// Obeys and does nothing else. The poll is not asked meanwhile, so no news of a socket is lost.
    fn pause(&mut self) -> Loop {
        while let Ok(command) = self.commands.recv() {
            let is_over = matches!(command, Command::GoOn | Command::Stay);
            self.look_at_the_clock();
            if self.carry_out(command) == Loop::Ends {
                return Loop::Ends;
            }
            if is_over {
                break;
            }
        }
        Loop::GoesOn
    }

    /// Closes everything, with a line for each client.
    fn stop(&mut self) {
        self.listeners.close_all();
        let end = self.clock.now().after(FAREWELL);
        self.record.lift_bound();
        for index in self.clients.indices() {
            self.close(index, Cause::Stopped);
            self.record.flush_patiently(|| end.since(self.clock.now()));
        }
        self.record.flush();
    }
}
