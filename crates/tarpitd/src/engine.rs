//! One worker's loop: wait, accept, hear, speak.
//!
//! No client has a task or a thread. What a held client costs is its [`Slot`]; the loop sleeps
//! until a socket has news or the wheel has somebody due, and does nothing while nobody is there.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::Duration,
};

use mio::{Events, Interest, Poll, Registry, Token, event::Event, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send, sockopt},
};
use tarpit_proto::{
    means::{Means, Strain},
    pacer::Rate,
    rng::{Entropy, Seed},
    script::Conn,
    session::{Cause, Draft, Input, Output, Session, SessionId, Wake, World},
    time::{Time, Wall},
};

use crate::{
    access::{Access, Verdict},
    admission::{Admission, Refusal},
    berths::{Berths, Post},
    budget::{Budget, Turn},
    clock::Clock,
    config::{Discretion, Evict},
    eviction::{self, Candidate, Eviction},
    listener::{Listener, Trouble, local_address},
    pressure::{Change, Pressure},
    queue::Queue,
    record::{Ear, Record},
    slab::Slab,
    sys,
    trace::Subject,
    wheel::{Link, Links, Wheel},
};

/// A listener with its post.
#[derive(Debug)]
pub(crate) struct Door {
    /// What tells doors apart over a reload.
    pub(crate) key: u64,
    pub(crate) listener: Listener,
    pub(crate) post: Arc<Post>,
    /// Whether somebody may wait there.
    pub(crate) knocked: bool,
}

/// What the daemon's own thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice {
    /// The door with this key could not be kept open.
    DoorLost(u64),
    Signal(i32),
    WorkerEnded,
}

/// What the daemon tells a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Let the doors be these: a post for each key that stays, and new doors.
    Reload { stay: Vec<(u64, Arc<Post>)>, new: Vec<Door>, rules: Rules },
    /// Close everything, with a line for each client, and return.
    Stop,
}

/// What holds for all clients alike.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) access: Arc<Access>,
    pub(crate) evict: Evict,
    /// This worker's share of what may be sent in a second and in a day; 0: no cap.
    pub(crate) egress: u64,
    pub(crate) egress_per_day: u64,
    /// This worker's share of the handshakes a second; 0: no cap.
    pub(crate) handshakes: u32,
    /// The most of a core that this worker may use, in percent; 0: no cap.
    pub(crate) cpu: u32,
    pub(crate) discretion: Discretion,
}

/// What a worker needs to start.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) seed: Seed,
    pub(crate) doors: Vec<Door>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) rules: Rules,
    pub(crate) record: Record,
    pub(crate) commands: Receiver<Command>,
    pub(crate) notify: Sender<Notice>,
}

/// The token by which a command announces itself.
pub(crate) const COMMAND: Token = Token(usize::MAX - 1);

/// Tokens from here on are doors; below they are slots.
const DOORS: usize = 1 << 40;

/// The most connections one door takes in a turn, so that a storm delays no drip.
const ACCEPTS: usize = 128;

/// The most bytes read from, or sent to, one client in a turn.
const READS: usize = 4;
const READ: usize = 4 * 1024;
const SENDS: usize = 64 * 1024;

/// How long no connection is accepted after the system ran out of something.
const SHED: Duration = Duration::from_secs(1);

/// How long the calendar is taken to go on as it did.
const CALENDAR: Duration = Duration::from_secs(60);

/// How long a client waits that has more to say than is heard in a turn.
const LISTEN: Duration = Duration::from_millis(50);

/// What was not sent for want of a budget or of memory is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// How often a client that has closed its side is asked whether it is there.
const HALF_CLOSED: Duration = Duration::from_secs(15);

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
    berth: u16,
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
    doors: Slab<Door>,
    slots: Slab<Slot>,
    v6: Slab<Ipv6Addr>,
    wheel: Wheel,
    berths: Berths,
    notify: Sender<Notice>,
    /// When the calendar was last looked at.
    calendar: Time,
    admission: Arc<Admission>,
    access: Arc<Access>,
    evict: Evict,
    /// For all clients, and for those of each full port: who may have to go.
    evictions: HashMap<Option<usize>, Eviction>,
    /// When clients were last looked at for that.
    looked: Time,
    budget: Budget,
    pressure: Pressure,
    means: Means,
    /// When handshakes were told to be short.
    handshakes_short: Option<Time>,
    record: Record,
    draft: Draft,
    buffer: Vec<u8>,
    /// Who has more to be sent than goes in a turn.
    speakers: Queue,
    /// Who has said more than is heard in a turn, and when they are heard again.
    talkers: Queue,
    listen_at: Option<Time>,
    /// Who is due in this turn; kept for its memory.
    due: Vec<u32>,
    /// Doors at which connections may wait.
    knocked: Vec<u32>,
    /// Accepting stands still until then.
    shed: Option<Time>,
    /// When a shortage was told of last.
    shortage: Option<Time>,
}

/// Serves until told to stop.
pub(crate) fn run(setup: Setup) -> io::Result<()> {
    let Setup { mut poll, clock, doors, commands, .. } = setup;
    let now = clock.now();
    let mut worker = Worker {
        registry: poll.registry().try_clone()?,
        clock,
        now,
        wall_at_start: clock.wall_at_start(),
        seed: setup.seed,
        ids: RandomState::new(),
        doors: Slab::new(),
        slots: Slab::new(),
        v6: Slab::new(),
        wheel: Wheel::new(),
        berths: Berths::default(),
        notify: setup.notify,
        calendar: now,
        admission: setup.admission,
        access: setup.rules.access,
        evict: setup.rules.evict,
        evictions: HashMap::new(),
        looked: Time::START,
        budget: Budget::new(setup.rules.egress, setup.rules.egress_per_day, now),
        pressure: Pressure::new(setup.rules.cpu, now, clock.used()),
        means: Means::new(setup.rules.handshakes, now),
        handshakes_short: None,
        record: setup.record,
        draft: Draft::default(),
        buffer: vec![0; READ],
        speakers: Queue::default(),
        talkers: Queue::default(),
        listen_at: None,
        due: Vec::with_capacity(4_096),
        knocked: Vec::new(),
        shed: None,
        shortage: None,
    };
    for door in doors {
        worker.open_door(door)?;
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
                Token(door) if door >= DOORS => worker.knock((door - DOORS) as u32),
                Token(slot) => worker.notice(slot as u32, event),
            }
        }
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Reload { stay, new, rules } => {
                    worker.reload(&stay, new);
                    worker.budget.set(rules.egress, rules.egress_per_day);
                    worker.pressure.set(rules.cpu);
                    worker.means.set(rules.handshakes);
                    worker.record.set(rules.discretion);
                    worker.access = rules.access;
                    worker.evict = rules.evict;
                    worker.evictions.clear();
                }
                Command::Stop => {
                    worker.stop();
                    return Ok(());
                }
            }
        }
        worker.accept_all();
        worker.work_off_leftovers();
        worker.speak_all();
        worker.record.flush();
    }
}

impl Worker {
    /// How long nothing needs to be done; for ever, if nobody is due.
    fn patience(&self) -> Option<Duration> {
        let now = self.clock.now();
        if self.speakers.len() > 0 || (!self.knocked.is_empty() && self.shed.is_none()) {
            return Some(Duration::ZERO);
        }
        let shed = self.shed.map(|until| until.since(now));
        let listen = self.listen_at.map(|at| at.since(now));
        [self.wheel.idle_for(now), shed, listen].into_iter().flatten().min()
    }

    fn look_at_the_clock(&mut self) {
        self.now = self.clock.now();
        // The calendar may have been set in the meantime.
        if self.now.since(self.calendar) >= CALENDAR {
            self.calendar = self.now;
            self.wall_at_start = self.clock.wall_at_start();
        }
        self.judge();
    }

    /// Finds out what may be spent in this turn.
    fn judge(&mut self) {
        if self.pressure.is_due(self.now) {
            self.pressure.look(self.now, self.clock.used());
        }
        let (strain, change) = self.pressure.strain(self.budget.strain(self.now));
        self.means.press(strain);
        self.means.earn(self.now);
        if let Some(change) = change {
            tell_pressure(&self.record, change);
        }
        if self.means.denied() > 0 && strain < Strain::Plain {
            let told = self.handshakes_short.replace(self.now);
            if told.is_none_or(|told| self.now.since(told) >= SHORTAGE) {
                self.record.log().warning(format_args!(
                    "more clients ask for a key exchange than may have one; the rest are held \
                     without; raise [limits] handshakes_per_second if that is too often"
                ));
            }
        }
    }

    // Doors.

    fn open_door(&mut self, door: Door) -> io::Result<()> {
        let index = self.doors.insert(door);
        let Some(door) = self.doors.get(index) else { return Ok(()) };
        let fd = door.listener.fd().as_raw_fd();
        let token = Token(DOORS + index as usize);
        let key = door.key;
        if let Err(error) = self.registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            self.doors.remove(index);
            // If nobody listens the daemon has ended.
            let _ = self.notify.send(Notice::DoorLost(key));
            return Err(error);
        }
        self.knock(index);
        Ok(())
    }

    fn knock(&mut self, door: u32) {
        if let Some(one) = self.doors.get_mut(door)
            && !one.knocked
        {
            one.knocked = true;
            self.knocked.push(door);
        }
    }

    fn reload(&mut self, stay: &[(u64, Arc<Post>)], new: Vec<Door>) {
        let posts: HashMap<u64, &Arc<Post>> = stay.iter().map(|(key, post)| (*key, post)).collect();
        for index in self.doors.indices() {
            let Some(door) = self.doors.get_mut(index) else { continue };
            match posts.get(&door.key) {
                Some(&post) => {
                    door.post = Arc::clone(post);
                    door.listener.suit(post.profile.rate);
                }
                None => drop(self.doors.remove(index)),
            }
        }
        for door in new {
            let address = door.listener.address();
            if let Err(error) = self.open_door(door) {
                self.record.log().error(format_args!("cannot watch {address}: {error}"));
            }
        }
    }

    /// Lets in who waits at the doors, each up to its budget.
    fn accept_all(&mut self) {
        match self.shed {
            Some(until) if until > self.now => return,
            _ => self.shed = None,
        }
        let knocked = std::mem::take(&mut self.knocked);
        for door in knocked {
            if let Some(one) = self.doors.get_mut(door) {
                one.knocked = false;
            }
            if self.shed.is_some() || self.accept(door) {
                self.knock(door);
            }
        }
    }

    /// Lets in who waits at one door; says whether there may be more.
    fn accept(&mut self, index: u32) -> bool {
        for _ in 0..ACCEPTS {
            let Some(door) = self.doors.get(index) else { return false };
            match door.listener.accept() {
                Ok((fd, client)) => {
                    let server = if door.listener.is_wildcard() {
                        local_address(fd.as_fd()).unwrap_or(door.listener.address())
                    } else {
                        door.listener.address()
                    };
                    let post = Arc::clone(&door.post);
                    self.welcome(fd, client, server, &post);
                }
                Err(Trouble::Nobody) => return false,
                Err(Trouble::Retry) => {}
                Err(Trouble::Shed(errno)) => {
                    self.shed = Some(self.now.after(SHED));
                    self.tell_shortage(errno);
                    return true;
                }
                Err(Trouble::Fatal(errno)) => {
                    let address = door.listener.address();
                    self.record.log().error(format_args!(
                        "{address} cannot accept any more and is closed: {errno}; \
                         send SIGHUP to open it anew"
                    ));
                    // If nobody listens the daemon has ended.
                    let _ = self.notify.send(Notice::DoorLost(door.key));
                    self.doors.remove(index);
                    return false;
                }
            }
        }
        true
    }

    fn tell_shortage(&mut self, errno: Errno) {
        if self.shortage.is_some_and(|told| self.now.since(told) < SHORTAGE) {
            return;
        }
        self.shortage = Some(self.now);
        let cure = match errno {
            Errno::MFILE => "raise LimitNOFILE= of the unit, or `ulimit -n`",
            Errno::NFILE => "raise the sysctl fs.file-max",
            _ => "give the system more memory, or lower [limits] clients",
        };
        self.record.log().warning(format_args!(
            "no connection can be accepted for now: {errno}; {cure}. Those held stay held."
        ));
    }

    // Clients.

    /// Admits a newcomer, or refuses it.
    fn welcome(&mut self, fd: OwnedFd, client: SocketAddr, server: SocketAddr, post: &Arc<Post>) {
        let entered = match self.access.verdict(client.ip()) {
            Verdict::Allowed => {
                // A goodbye, not a reset: whoever is allowed shall find nothing wrong. If this
                // fails it has gone already.
                let _ = sockopt::set_socket_linger(&fd, None);
                Err(Refusal::Allowed)
            }
            Verdict::Denied => Err(Refusal::Denied),
            Verdict::Held if self.means.strain() == Strain::Closed => Err(Refusal::Pressed),
            Verdict::Held => self.enter(client.ip(), post),
        };
        // An IPv4 client on an IPv6 socket cannot be: those are bound to IPv6 only.
        let session = Session::open(self.now);
        let id = self.id(&session, client, server);
        let berth = entered.and_then(|()| {
            self.berths.enter(post, server).ok_or_else(|| {
                self.admission.leave(&post.port, client.ip());
                Refusal::Addresses
            })
        });
        let berth = match berth {
            Ok(berth) => berth,
            Err(refusal) => {
                let about = about(post, client, server, id);
                self.record.refused(about, refusal);
                return;
            }
        };
        let peer = match client.ip() {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => self.v6.insert(ip),
        };
        let raw = fd.as_raw_fd();
        let session_opened = session.opened(self.now);
        let index = self.slots.insert(Slot {
            session,
            peer,
            port: client.port(),
            berth,
            fd,
            link: Link::IDLE,
        });
        self.record.opened(about(post, client, server, id), session_opened);
        let interest = if post.profile.rate == Some(Rate::Unlimited) {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let token = Token(index as usize);
        if let Err(error) = self.registry.register(&mut SourceFd(&raw), token, interest) {
            self.fail(index, &error);
            return;
        }
        self.drive(index, Input::Opened);
    }

    /// Counts a newcomer in; where there is no room, somebody may have to go for it.
    fn enter(&mut self, who: IpAddr, post: &Arc<Post>) -> Result<(), Refusal> {
        let refusal = match self.admission.enter(&post.port, post.max_clients, who) {
            Err(refusal @ (Refusal::Clients | Refusal::Port)) => refusal,
            other => return other,
        };
        if self.evict == Evict::Refuse {
            return Err(refusal);
        }
        // Where a reload has lowered a cap, one who goes makes no room for another.
        if self.admission.is_exceeded(&post.port, post.max_clients) {
            return Err(refusal);
        }
        let among = (refusal == Refusal::Port).then(|| Arc::as_ptr(&post.port).addr());
        let mut eviction = self.evictions.remove(&among).unwrap_or_default();
        if eviction.is_empty() && self.now.since(self.looked) >= eviction::PAUSE {
            self.looked = self.now;
            let mut clients = self
                .slots
                .indices()
                .into_iter()
                .filter(|&index| among.is_none() || self.port_of(index) == among)
                .filter_map(|index| self.candidate(index));
            eviction.look(self.now, self.evict, &mut clients);
        }
        let prefix = self.admission.prefix(who);
        let victim = eviction.victim(self.evict, prefix, |index| {
            self.candidate(index).filter(|_| among.is_none() || self.port_of(index) == among)
        });
        if !eviction.is_empty() {
            self.evictions.insert(among, eviction);
        }
        let Some(victim) = victim else { return Err(refusal) };
        self.close(victim, Cause::Evicted);
        self.admission.enter(&post.port, post.max_clients, who)
    }

    /// A client as eviction sees it.
    fn candidate(&self, index: u32) -> Option<Candidate> {
        let slot = self.slots.get(index)?;
        let berth = self.berths.get(slot.berth)?;
        let who = client(slot, berth.server, &self.v6).ip();
        let opened = slot.session.opened(self.now);
        Some(Candidate { index, opened, prefix: self.admission.prefix(who) })
    }

    /// What tells the port of a client from others.
    fn port_of(&self, index: u32) -> Option<usize> {
        let slot = self.slots.get(index)?;
        let berth = self.berths.get(slot.berth)?;
        Some(Arc::as_ptr(&berth.post.port).addr())
    }

    /// A socket has news.
    fn notice(&mut self, index: u32, event: &Event) {
        let Some(slot) = self.slots.get(index) else { return };
        if event.is_error() || (event.is_write_closed() && event.is_read_closed()) {
            let pending = sockopt::socket_error(&slot.fd);
            let error = match pending {
                Ok(Err(errno)) | Err(errno) => io::Error::from(errno),
                Ok(Ok(())) => io::ErrorKind::BrokenPipe.into(),
            };
            self.fail(index, &error);
            return;
        }
        if event.is_readable() || event.is_read_closed() {
            self.hear(index);
        }
        if event.is_writable() {
            self.drive(index, Input::Due);
        }
    }

    /// Reads what the client sent, up to a turn's budget.
    fn hear(&mut self, index: u32) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for turn in 0..=READS {
            let Some(slot) = self.slots.get(index) else { break };
            let appetite = slot.session.appetite().min(READ);
            if appetite == 0 {
                break;
            }
            if turn == READS {
                self.hear_later(index);
                break;
            }
            match recv(&slot.fd, &mut buffer[..appetite], RecvFlags::DONTWAIT) {
                Ok((0, _)) => {
                    // If it has closed more than its sending side, its system tells a keepalive
                    // so after a minute; asking often finds out soon after. Failing that it is
                    // found out later.
                    let _ = sockopt::set_tcp_keepidle(&slot.fd, HALF_CLOSED);
                    let _ = sockopt::set_tcp_keepintvl(&slot.fd, HALF_CLOSED);
                    self.drive(index, Input::HalfClosed);
                }
                Ok((count, _)) => {
                    self.record.received(count);
                    self.drive(index, Input::Said(&buffer[..count]));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.fail(index, &errno.into());
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    /// Goes on with those for whom a turn was too short.
    fn work_off_leftovers(&mut self) {
        if self.listen_at.is_some_and(|at| at <= self.now) {
            self.listen_at = None;
            for _ in 0..self.talkers.len() {
                let Some(index) = self.talkers.pop() else { break };
                self.hear(index);
            }
        }
        for _ in 0..self.speakers.len() {
            let Some(index) = self.speakers.pop() else { break };
            self.drive(index, Input::Due);
        }
    }

    /// Hears a client again a little later: whoever floods us fills its own buffers meanwhile.
    fn hear_later(&mut self, index: u32) {
        self.talkers.push(index);
        self.listen_at.get_or_insert(self.now.after(LISTEN));
    }

    /// Lets everybody speak whose turn has come.
    fn speak_all(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(&mut self.slots, self.now, &mut due);
        for index in due.drain(..) {
            self.drive(index, Input::Due);
        }
        self.due = due;
    }

    /// Gives a session its input and does what it says.
    fn drive(&mut self, index: u32, input: Input<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(berth) = self.berths.get(slot.berth) else { return };
        let (post, server) = (&*berth.post, berth.server);
        let client = client(slot, server, &self.v6);
        let id = session_id(&self.ids, &slot.session, client, server, self.now);
        let about = about(post, client, server, id);
        let conn = Conn { client, server, via: None };
        let listened = slot.session.listens();
        // What is due while earlier bytes are still unacknowledged would only cost the kernel
        // another page; unless so much is to go that this is the usual state. To ask costs a third
        // of what a send costs, and a few pages are few: so one turn in four.
        let mut sparse = matches!(input, Input::Due)
            && !matches!(post.profile.rate, Some(Rate::BytesPerSecond(_) | Rate::Unlimited))
            && is_asked(index, self.now);
        // Whoever's turn to speak is still to come speaks then, however much it talks meanwhile.
        let waits = !matches!(input, Input::Due) && self.speakers.holds(index);
        let mut left = if waits { 0 } else { SENDS };
        let mut speaks_later = false;
        // Whether the socket itself took less than it was given, and will tell when it takes more.
        let mut full = false;
        let mut input = input;
        let ended = loop {
            let mut ear = Ear { record: &mut self.record, about };
            let mut world = World {
                profile: &post.profile,
                conn: &conn,
                id,
                seed: &self.seed,
                start: self.wall_at_start,
                entropy: &mut Kernel,
                means: &mut self.means,
                news: &mut ear,
            };
            match slot.session.handle(self.now, input, &mut world, &mut self.draft) {
                Output::Close(cause) => break Some(Ok(cause)),
                Output::Transmit(_) if left == 0 => {
                    speaks_later = true;
                    break None;
                }
                Output::Transmit(bytes) => {
                    let (allowed, turn) = self.budget.allow(self.now, bytes.len());
                    if let Some(turn) = turn {
                        tell_budget(&self.record, turn);
                    }
                    let bytes = &bytes[..allowed];
                    let held_back = sparse && sys::unacknowledged(slot.fd.as_fd()).unwrap_or(0) > 0;
                    sparse = false;
                    let sent = if held_back || bytes.is_empty() {
                        Ok(Sent { count: 0, full: false })
                    } else {
                        transmit(&slot.fd, bytes)
                    };
                    match sent {
                        Ok(Sent { count, full: now_full }) => {
                            full = now_full;
                            self.budget.spend(count);
                            self.record.sent(count);
                            left = left.saturating_sub(count);
                            input = Input::Wrote(count);
                        }
                        Err(errno) => break Some(Err(errno)),
                    }
                }
                Output::Wait(wake) => {
                    match wake {
                        Wake::At(moment) => self.wheel.arm(&mut self.slots, index, moment),
                        // What was held back by us is tried again by us.
                        Wake::Writable if !full => {
                            let moment = self.now.after(RETRY);
                            self.wheel.arm(&mut self.slots, index, moment);
                        }
                        Wake::Never | Wake::Writable => self.wheel.disarm(&mut self.slots, index),
                    }
                    break None;
                }
            }
        };
        match ended {
            Some(Ok(cause)) => self.close(index, cause),
            Some(Err(errno)) => self.fail(index, &errno.into()),
            None => {
                if speaks_later {
                    self.speakers.push(index);
                }
                // Readiness is told once: what came while nobody listened is asked for now.
                if !listened && self.slots.get(index).is_some_and(|slot| slot.session.listens()) {
                    self.hear_later(index);
                }
            }
        }
    }

    /// Ends a client whose connection failed.
    fn fail(&mut self, index: u32, error: &io::Error) {
        let Some(slot) = self.slots.get(index) else { return };
        let half_closed = slot.session.is_half_closed();
        let cause = match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset if half_closed => {
                Cause::Left
            }
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Cause::Reset,
            io::ErrorKind::TimedOut => Cause::TimedOut,
            _ => Cause::Failed,
        };
        if cause != Cause::Left
            && let Some(berth) = self.berths.get(slot.berth)
        {
            let client = client(slot, berth.server, &self.v6);
            let id = session_id(&self.ids, &slot.session, client, berth.server, self.now);
            self.record.failed(about(&berth.post, client, berth.server, id), error);
        }
        self.close(index, cause);
    }

    /// Lets a client go.
    fn close(&mut self, index: u32, cause: Cause) {
        self.wheel.disarm(&mut self.slots, index);
        let Some(slot) = self.slots.remove(index) else { return };
        let Some(berth) = self.berths.get(slot.berth) else { return };
        let server = berth.server;
        let client = client(&slot, server, &self.v6);
        if client.is_ipv6() {
            self.v6.remove(slot.peer);
        }
        let id = session_id(&self.ids, &slot.session, client, server, self.now);
        self.record.closed(about(&berth.post, client, server, id), &slot.session, cause, self.now);
        self.admission.leave(&berth.post.port, client.ip());
        self.berths.leave(slot.berth);
        if cause == Cause::Finished {
            // Let it have its last words; a reset would throw them away. If this fails it has
            // gone already.
            let _ = sockopt::set_socket_linger(&slot.fd, None);
        }
    }

    /// Closes everything, with a line for each client.
    fn stop(&mut self) {
        self.doors = Slab::new();
        let end = self.clock.now().after(FAREWELL);
        for index in self.slots.indices() {
            self.close(index, Cause::Stopped);
            self.record.flush_patiently(|| end.since(self.clock.now()));
        }
        self.record.flush();
    }

    fn id(&self, session: &Session, client: SocketAddr, server: SocketAddr) -> SessionId {
        session_id(&self.ids, session, client, server, self.now)
    }
}

/// How much of a transmission went out, and whether the rest waits for the socket's buffer.
struct Sent {
    count: usize,
    full: bool,
}

/// Sends without waiting; a full buffer takes nothing.
fn transmit(fd: &OwnedFd, bytes: &[u8]) -> Result<Sent, Errno> {
    loop {
        return match send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(count) => Ok(Sent { count, full: count < bytes.len() }),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(Sent { count: 0, full: true }),
            // The kernel is out of memory for a moment, and will not tell when it has some again.
            Err(Errno::NOBUFS | Errno::NOMEM) => Ok(Sent { count: 0, full: false }),
            Err(errno) => Err(errno),
        };
    }
}

/// Whether the client in this slot is asked about its acknowledgements at this turn. Turns are some
/// seconds apart, so it is in about a quarter of them.
fn is_asked(index: u32, now: Time) -> bool {
    (u64::from(index) + now.as_millis() / 8_000).is_multiple_of(4)
}

fn client(slot: &Slot, server: SocketAddr, v6: &Slab<Ipv6Addr>) -> SocketAddr {
    let ip: IpAddr = if server.is_ipv4() {
        std::net::Ipv4Addr::from_bits(slot.peer).into()
    } else {
        v6.get(slot.peer).copied().unwrap_or(Ipv6Addr::UNSPECIFIED).into()
    };
    SocketAddr::new(ip, slot.port)
}

/// The session's number: nothing of it is stored, since it follows from what is.
fn session_id(
    ids: &RandomState,
    session: &Session,
    client: SocketAddr,
    server: SocketAddr,
    now: Time,
) -> SessionId {
    SessionId(ids.hash_one((client, server, session.opened(now).as_millis())))
}

fn about(post: &Post, client: SocketAddr, server: SocketAddr, session: SessionId) -> Subject<'_> {
    let pattern = post.profile.pattern.name();
    Subject { name: &post.name, pattern, client, server, session, traced: post.traced }
}

fn tell_budget(record: &Record, turn: Turn) {
    match turn {
        Turn::Exhausted => record.log().warning(format_args!(
            "the egress budget is spent: clients are held in silence until there is more; \
             raise [limits] egress or egress_per_day if that is too often"
        )),
        Turn::Recovered => {
            record.log().notice(format_args!("the egress budget allows sending again"));
        }
    }
}

fn tell_pressure(record: &Record, change: Change) {
    match change {
        Change::Pressed => record.log().warning(format_args!(
            "more of the processor is used than [limits] cpu allows: paces become slower, then no \
             key exchange is begun, then nothing is sent, then newcomers are refused, until less is \
             used"
        )),
        Change::Eased => record.log().notice(format_args!("the processor is used as it may be")),
    }
}

/// The system's randomness.
struct Kernel;

impl Entropy for Kernel {
    fn fill(&mut self, out: &mut [u8]) {
        let mut filled = 0;
        while filled < out.len() {
            // Fails only when interrupted, or on a kernel older than all that are supported.
            let rest = &mut out[filled..];
            match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}
