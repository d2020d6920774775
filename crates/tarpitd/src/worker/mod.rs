//! One worker's loop: wait, accept, hear, speak.
//!
//! No client has a task or a thread. What a held client costs is its [`Slot`]; the loop sleeps
//! until a socket has news or the wheel has somebody due, and does nothing while nobody is there.

mod accept;
mod clients;
mod data;
pub(crate) mod endpoints;
mod memory;
pub(crate) mod queue;
pub(crate) mod read_shares;
pub(crate) mod sender;
mod vanished;
pub(crate) mod wheel;

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::RandomState,
    io,
    net::Ipv6Addr,
    num::NonZeroU32,
    os::fd::OwnedFd,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use mio::{Events, Poll, Registry, Token};
use tarpit_proto::{
    keys::RsaKey,
    pins::Pins,
    rng::Seed,
    session::{Cause, Draft, Session},
    time::{Time, Wall},
};

use self::{data::Awaited, memory::Memory, vanished::Round};
use crate::{
    admit::{
        access::Access,
        admission::Admission,
        eviction::Eviction,
        load::{Bounds, Load},
    },
    os::{clock::Clock, listen_socket::ListenSocket},
    report::{record::Record, trace::Style},
    settings::Evict,
    slab::Slab,
    worker::{
        endpoints::{Endpoints, Post},
        queue::Queue,
        read_shares::ReadShares,
        sender::{BATCH, Sender},
        wheel::{Link, Links, Wheel},
    },
};

/// A listener with its post.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What tells listeners apart over a reload.
    pub(crate) key: u64,
    pub(crate) socket: ListenSocket,
    pub(crate) post: Arc<Post>,
    /// Whether connections may wait there.
    is_ready: bool,
}

impl Listener {
    /// A listener at which no connection waits as yet.
    pub(crate) fn new(key: u64, socket: ListenSocket, post: Arc<Post>) -> Self {
        Self { key, socket, post, is_ready: false }
    }
}

/// What the daemon's own thread waits for.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The listener with this key could not be kept open.
    ListenerLost(u64),
    /// The host key that takes a while has been made.
    RsaKey(Arc<RsaKey>),
    Signal(i32),
    /// A worker has ended.
    WorkerEnded,
}

/// What the daemon tells a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Let the listeners be these: a post for each key that stays, and new listeners.
    Reload {
        stay: Vec<(u64, Arc<Post>)>,
        new: Vec<Listener>,
        rules: Rules,
        /// Dropped once all of it is in force.
        pending: mpsc::Sender<Infallible>,
    },
    /// Close everything, with a line for each client, and return.
    Stop,
}

/// What holds for all clients alike.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) access: Arc<Access>,
    pub(crate) evict: Evict,
    pub(crate) bounds: Bounds,
    /// How the trace is written, and this worker's share of its lines a second; `None`: no bound.
    pub(crate) style: Style,
    pub(crate) trace_per_second: Option<NonZeroU32>,
}

/// What a worker needs to start.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) seed: Seed,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) rules: Rules,
    pub(crate) sender: Sender,
    pub(crate) record: Record,
    pub(crate) commands: Receiver<Command>,
    pub(crate) notify: mpsc::Sender<Notice>,
}

/// The token by which a command announces itself.
pub(crate) const COMMAND: Token = Token(usize::MAX - 1);

/// Tokens from here on are listeners; below they are slots.
const LISTENERS: usize = 1 << 40;

/// The most bytes read at a time.
const READ: usize = 4 * 1024;

/// How long the calendar is taken to go on as it did.
const CALENDAR: Duration = Duration::from_secs(60);

/// A shortage that lasts is told of once in this time.
const SHORTAGE: Duration = Duration::from_secs(10 * 60);

/// How long the last lines may take to find room at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// What one held client costs.
#[derive(Debug)]
struct Slot {
    session: Session,
    /// The client's IPv4 address, or where its IPv6 address lies. The address must be kept: after
    /// a reset the kernel has forgotten it.
    peer: u32,
    port: u16,
    endpoint: u16,
    fd: OwnedFd,
    link: Link,
}

const _: () = assert!(size_of::<Option<Slot>>() <= 56, "a slot is at most 56 bytes");

impl Links for Slab<Slot> {
    fn link(&mut self, index: u32) -> Option<&mut Link> {
        self.get_mut(index).map(|slot| &mut slot.link)
    }
}

/// One worker.
#[derive(Debug)]
struct Worker {
    registry: Registry,
    clock: Clock,
    now: Time,
    wall_at_start: Wall,
    seed: Seed,
    /// Makes session numbers that say nothing about the clients.
    ids: RandomState,
    listeners: Slab<Listener>,
    slots: Slab<Slot>,
    v6: Slab<Ipv6Addr>,
    wheel: Wheel,
    endpoints: Endpoints,
    awaited: Awaited,
    notify: mpsc::Sender<Notice>,
    /// When the calendar was last looked at.
    calendar: Time,
    admission: Arc<Admission>,
    access: Arc<Access>,
    evict: Evict,
    /// For all clients, and for those of each full port: who may have to go.
    evictions: HashMap<Option<usize>, Eviction>,
    /// When clients were last looked at for that.
    looked: Time,
    load: Load,
    memory: Memory,
    pins: Pins,
    sender: Sender,
    record: Record,
    draft: Draft,
    /// What a batch of clients is about to say.
    drafts: Vec<Draft>,
    buffer: Vec<u8>,
    /// Who has more to be sent than goes in a turn.
    speakers: Queue,
    /// Whom we listen to again after a while in which we did not: what has come meanwhile is asked
    /// for at that moment.
    talkers: Queue,
    listen_at: Option<Time>,
    /// How much of each client has been read lately.
    read_shares: ReadShares,
    /// How far it has been looked for clients that have vanished.
    round: Round,
    /// Who is due in this turn; kept for its memory.
    due: Vec<u32>,
    /// Listeners at which connections may wait, each once.
    ready: Vec<u32>,
    /// Accepting stands still until then.
    shed: Option<Time>,
    /// When a shortage was told of last.
    shortage: Option<Time>,
}

/// Serves until told to stop.
pub(crate) fn run(setup: Setup) -> io::Result<()> {
    let Setup { mut poll, clock, listeners, commands, .. } = setup;
    let now = clock.now();
    let mut worker = Worker {
        registry: poll.registry().try_clone()?,
        clock,
        now,
        wall_at_start: clock.wall_at_start(),
        seed: setup.seed,
        ids: RandomState::new(),
        listeners: Slab::new(),
        slots: Slab::new(),
        v6: Slab::new(),
        wheel: Wheel::new(),
        endpoints: Endpoints::default(),
        awaited: Awaited::default(),
        notify: setup.notify,
        calendar: now,
        admission: setup.admission,
        access: setup.rules.access,
        evict: setup.rules.evict,
        evictions: HashMap::new(),
        looked: Time::START,
        load: Load::new(setup.rules.bounds, clock),
        memory: Memory::default(),
        pins: Pins::default(),
        sender: setup.sender,
        record: setup.record,
        draft: Draft::default(),
        // All of them now, so that what they take does not grow with a crowd.
        drafts: std::iter::repeat_with(Draft::small).take(BATCH).collect(),
        buffer: vec![0; READ],
        speakers: Queue::default(),
        talkers: Queue::default(),
        listen_at: None,
        read_shares: ReadShares::new(),
        round: Round::default(),
        due: Vec::with_capacity(4_096),
        ready: Vec::new(),
        shed: None,
        shortage: None,
    };
    for listener in listeners {
        worker.open_listener(listener)?;
    }
    let mut events = Events::with_capacity(1_024);
    loop {
        match poll.poll(&mut events, worker.patience()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                worker.stop();
                return Err(error);
            }
            _ => {}
        }
        worker.look_at_the_clock();
        for event in &events {
            match event.token() {
                COMMAND => {}
                Token(listener) if listener >= LISTENERS => {
                    worker.note_ready((listener - LISTENERS) as u32);
                }
                Token(slot) => worker.notice(slot as u32, event),
            }
        }
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Reload { stay, new, rules, pending } => {
                    worker.reload(&stay, new);
                    worker.load.set(rules.bounds, worker.now);
                    worker.record.set(rules.style, rules.trace_per_second);
                    worker.access = rules.access;
                    worker.evict = rules.evict;
                    worker.evictions.clear();
                    drop(pending);
                }
                Command::Stop => {
                    worker.stop();
                    return Ok(());
                }
            }
        }
        worker.accept_all();
        worker.watch_again();
        worker.look_for_the_vanished();
        worker.work_off_leftovers();
        worker.speak_all();
        worker.memory.give_back(worker.now);
        worker.record.flush();
    }
}

impl Worker {
    /// How long nothing needs to be done; for ever, if nobody is due.
    fn patience(&self) -> Option<Duration> {
        let now = self.clock.now();
        if self.speakers.len() > 0 || (!self.ready.is_empty() && self.shed.is_none()) {
            return Some(Duration::ZERO);
        }
        let shed = self.shed.map(|until| until.since(now));
        let listen = self.listen_at.map(|at| at.since(now));
        let watch = self.read_shares.ends().map(|at| at.since(now));
        let round = self.next_round().map(|at| at.since(now));
        let memory = self.memory.due().map(|at| at.since(now));
        [self.wheel.idle_for(now), shed, listen, watch, round, memory].into_iter().flatten().min()
    }

    fn look_at_the_clock(&mut self) {
        self.now = self.clock.now();
        // The calendar may have been set in the meantime.
        if self.now.since(self.calendar) >= CALENDAR {
            self.calendar = self.now;
            self.wall_at_start = self.clock.wall_at_start();
        }
        self.load.judge(self.now, self.clock, self.record.log());
    }

    /// Closes everything, with a line for each client.
    fn stop(&mut self) {
        self.listeners = Slab::new();
        let end = self.clock.now().after(FAREWELL);
        self.record.lift_bound();
        for index in self.slots.indices() {
            self.close(index, Cause::Stopped);
            self.record.flush_patiently(|| end.since(self.clock.now()));
        }
        self.record.flush();
    }
}
