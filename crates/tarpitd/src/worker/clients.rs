//! Clients: heard, spoken to, and let go.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::Duration,
};

use mio::{Interest, Token, event::Event, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv, sockopt},
};
use tarpit_proto::{
    pacer::Rate,
    script::Conn,
    session::{Cause, Draft, Input, Output, Session, SessionId, Wake, World},
    time::Time,
};

use super::{READ, Slot, Worker};
use crate::{
    os::{
        entropy::System,
        sys::{self, SendSlot},
    },
    report::{record::SessionRecord, trace::Subject},
    slab::Slab,
    worker::{
        endpoints::Post,
        sender::{BATCH, Sent, send_one},
    },
};

/// The most bytes sent to one client in a turn.
const SENDS: usize = 64 * 1024;

/// How long after a client is listened to again what it said meanwhile is asked for.
const LISTEN: Duration = Duration::from_millis(50);

/// Fewer than so many at a time are spoken to one after the other, which is as cheap.
const FEW: usize = 3;

/// What was not sent for want of a budget or of memory is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// How many clients whose slots are next to each other are spoken to together, where their paces
/// allow it. They mostly came together, so that what the kernel keeps of them lies together too.
const GROUP: u32 = 64;

impl Worker {
    /// A socket has news.
    pub(super) fn notice(&mut self, index: u32, event: &Event) {
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
            let listens = slot.session.listens();
            self.hear(index);
            // What waits unread hides the end from us, but the kernel knows.
            if event.is_read_closed() && !listens {
                self.drive(index, Input::HalfClosing);
            }
        }
        if event.is_writable() {
            self.drive(index, Input::Due);
        }
    }

    /// Reads what the client sent, up to its share.
    pub(super) fn hear(&mut self, index: u32) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(slot) = self.slots.get(index) {
            let appetite = slot.session.appetite().min(READ);
            if appetite == 0 {
                break;
            }
            if !self.read_shares.allows(index) {
                self.unwatch(index);
                break;
            }
            match recv(&slot.fd, &mut buffer[..appetite], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.drive(index, Input::HalfClosed),
                Ok((count, _)) => {
                    self.record.received(count);
                    self.read_shares.count(index, count, self.now, self.load.level());
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

    /// Lets no news of a client's come until its share is filled again: each would take us a turn
    /// of the loop.
    fn unwatch(&mut self, index: u32) {
        let Some(slot) = self.slots.get(index) else { return };
        let raw = slot.fd.as_raw_fd();
        match self.registry.deregister(&mut SourceFd(&raw)) {
            Ok(()) => self.read_shares.unwatch(index),
            // It is not watched, then, or the system is short of something.
            Err(_) => self.hear_later(index),
        }
    }

    /// Watches those again whose share is filled; what has come meanwhile is told at once.
    pub(super) fn watch_again(&mut self) {
        for index in self.read_shares.end(self.now) {
            match self.watch(index) {
                // Another client has got the place meanwhile, and is watched.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => self.read_shares.unwatch(index),
                Ok(()) => {}
            }
        }
    }

    /// Watches a client's socket.
    pub(super) fn watch(&self, index: u32) -> io::Result<()> {
        let Some(slot) = self.slots.get(index) else { return Ok(()) };
        let rate =
            self.endpoints.get(slot.endpoint).and_then(|endpoint| endpoint.post.profile.rate);
        let interest = if rate == Some(Rate::Unlimited) {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let raw = slot.fd.as_raw_fd();
        self.registry.register(&mut SourceFd(&raw), Token(index as usize), interest)
    }

    /// Goes on with those for whom a turn was too short.
    pub(super) fn work_off_leftovers(&mut self) {
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

    /// Hears a client a little later: whoever floods us fills its own buffers meanwhile.
    pub(super) fn hear_later(&mut self, index: u32) {
        self.talkers.push(index);
        self.listen_at.get_or_insert(self.now.after(LISTEN));
    }

    /// Lets everybody speak whose turn has come.
    ///
    /// In batches: first all of a batch are asked what they have to say, then all of it is sent,
    /// then all are told. So the kernel is called once for many; and between two sends the
    /// processor would otherwise have to fetch our code anew, since the kernel's has taken its
    /// place.
    pub(super) fn speak_all(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        let mut drafts = std::mem::take(&mut self.drafts);
        self.wheel.expire(&mut self.slots, self.now, &mut due);
        for batch in due.chunks(BATCH) {
            if batch.len() < FEW {
                for &index in batch {
                    self.drive(index, Input::Due);
                }
            } else {
                self.speak(batch, &mut drafts);
            }
        }
        due.clear();
        self.due = due;
        self.drafts = drafts;
    }

    /// Lets a batch speak.
    fn speak(&mut self, batch: &[u32], drafts: &mut [Draft]) {
        let mut turns = [const { None }; BATCH];
        for ((&index, turn), draft) in batch.iter().zip(&mut turns).zip(&mut *drafts) {
            *turn = self.begin(index, &Input::Due);
            self.go_on(turn, Input::Due, draft);
        }
        let mut parts: [&[u8]; BATCH] = [&[]; BATCH];
        for ((turn, part), draft) in turns.iter_mut().zip(&mut parts).zip(&*drafts) {
            *part = self.part(turn, draft.bytes());
        }
        let mut send_slots = [const { None }; BATCH];
        for ((turn, part), send_slot) in turns.iter().zip(parts).zip(&mut send_slots) {
            *send_slot = send_slot_of(&self.slots, turn.as_ref(), part);
        }
        let mut answers = [const { Ok(Sent::NOTHING) }; BATCH];
        if let Err(error) = self.sender.send_all(&send_slots, &mut answers) {
            self.record
                .log()
                .warning(format_args!("io_uring failed ({error}), using one send() per client"));
        }
        let told = turns.into_iter().zip(parts.map(<[u8]>::len)).zip(answers);
        for (((mut turn, part), answer), draft) in told.zip(drafts) {
            let count = self.settle(&mut turn, part, answer);
            self.go_on(&mut turn, Input::Wrote(count), draft);
            self.finish(turn, draft);
            draft.trim();
        }
    }

    /// Gives a session its input and does what it says.
    pub(super) fn drive(&mut self, index: u32, input: Input<'_>) {
        let mut draft = std::mem::take(&mut self.draft);
        let mut turn = self.begin(index, &input);
        self.go_on(&mut turn, input, &mut draft);
        self.finish(turn, &mut draft);
        self.draft = draft;
    }

    /// Looks up what a client's turn needs to know.
    fn begin(&self, index: u32, input: &Input<'_>) -> Option<Turn> {
        let slot = self.slots.get(index)?;
        let endpoint = self.endpoints.get(slot.endpoint)?;
        let client = client(slot, endpoint.server, &self.v6);
        let is_due = matches!(input, Input::Due);
        // What is due while earlier bytes are still unacknowledged would only cost the kernel
        // another page; unless so much is to go that this is the usual state. To ask costs a third
        // of what a send costs, and a few pages are few: so one turn in four.
        let rate = endpoint.post.profile.rate;
        let sparse = !matches!(rate, Some(Rate::BytesPerSecond(_) | Rate::Unlimited));
        let departs = matches!(input, Input::HalfClosed | Input::HalfClosing);
        // Whoever's turn to speak is still to come speaks then, however much it talks meanwhile.
        let waits = !is_due && !departs && self.speakers.holds(index);
        Some(Turn {
            index,
            id: session_id(&self.ids, &slot.session, client, endpoint.server, self.now),
            left: if waits { 0 } else { SENDS },
            asks: is_due && sparse && is_asked(index, self.now),
            departs,
            full: false,
            before: Before { listened: slot.session.listens(), amid: slot.session.is_amid() },
        })
    }

    /// Sends and goes on until the turn is over.
    fn finish(&mut self, mut turn: Option<Turn>, draft: &mut Draft) {
        while turn.is_some() {
            let count = self.transmit(&mut turn, draft.bytes());
            self.go_on(&mut turn, Input::Wrote(count), draft);
        }
    }

    /// Gives a session its input. If its turn goes on, its draft is to be sent.
    fn go_on(&mut self, turn: &mut Option<Turn>, input: Input<'_>, draft: &mut Draft) {
        let Some(Turn { index, id, left, full, before, .. }) = *turn else { return };
        let mut speaks_later = false;
        let mut input = input;
        let ended = loop {
            let Some(slot) = self.slots.get_mut(index) else { break None };
            let Some(endpoint) = self.endpoints.get(slot.endpoint) else { break None };
            let (post, server) = (&*endpoint.post, endpoint.server);
            let client = client(slot, server, &self.v6);
            let conn = Conn { client, server, via: None };
            let about = about(post, client, server, id);
            let mut news = SessionRecord { record: &mut self.record, about, slot: index };
            let mut world = World {
                profile: &post.profile,
                conn: &conn,
                id,
                group: index / GROUP,
                seed: &self.seed,
                start: self.wall_at_start,
                entropy: &mut System,
                budget: &mut self.load.handshakes,
                pins: &mut self.pins,
                news: &mut news,
            };
            match slot.session.handle(self.now, input, &mut world, draft) {
                Output::Close(cause) => break Some(cause),
                Output::OpenData => {
                    let ends = (client.ip(), server.ip());
                    let awaited = self.awaited.ask(&self.listeners, post, ends, (index, id));
                    input = Input::DataPort(awaited);
                }
                Output::Transmit(_) if left == 0 => {
                    speaks_later = true;
                    break None;
                }
                Output::Transmit(_) => return,
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
        *turn = None;
        if let Some(cause) = ended {
            self.close(index, cause);
            return;
        }
        if speaks_later {
            self.speakers.push(index);
        }
        if before.amid && self.slots.get(index).is_some_and(|slot| !slot.session.is_amid()) {
            self.memory.freed(self.now);
        }
        // Readiness is told once: what came while nobody listened is asked for now.
        if !before.listened && self.slots.get(index).is_some_and(|slot| slot.session.listens()) {
            self.hear_later(index);
        }
    }

    /// Sends what a session has drafted, as far as it may go now; says how much.
    fn transmit(&mut self, turn: &mut Option<Turn>, bytes: &[u8]) -> usize {
        let part = self.part(turn, bytes);
        let answer =
            send_slot_of(&self.slots, turn.as_ref(), part).map_or(Ok(Sent::NOTHING), send_one);
        self.settle(turn, part.len(), answer)
    }

    /// The part of a draft that may go now; it is taken off the budget.
    fn part<'d>(&mut self, turn: &mut Option<Turn>, bytes: &'d [u8]) -> &'d [u8] {
        let Some(Turn { index, asks, departs, .. }) = turn else { return &[] };
        let (asks, departs) = (std::mem::take(asks), std::mem::take(departs));
        let waits = |fd: &OwnedFd| sys::unacknowledged(fd.as_fd()).unwrap_or(0) > 0;
        if asks && self.slots.get(*index).is_some_and(|slot| waits(&slot.fd)) {
            return &[];
        }
        let mut allowed = self.load.spend(bytes.len(), self.now, self.record.log());
        if departs && allowed == 0 && !bytes.is_empty() {
            // By this byte it is found out whether the client is there: without it the gone would
            // keep their places until the budget is filled again, which may be tomorrow.
            allowed = 1;
            self.load.overspend(allowed);
        }
        &bytes[..allowed]
    }

    /// Takes note of what became of a part that was to be sent; says how much went. If the
    /// connection has failed the client is let go, and its turn is over.
    fn settle(
        &mut self,
        turn: &mut Option<Turn>,
        part: usize,
        answer: Result<Sent, Errno>,
    ) -> usize {
        let Some(Turn { index, left, full, .. }) = turn else { return 0 };
        let count = answer.map_or(0, |sent| sent.count);
        self.load.put_back(part - count);
        self.record.sent(count);
        match answer {
            Ok(sent) => {
                *full = sent.full;
                *left = left.saturating_sub(count);
            }
            Err(errno) => {
                let index = *index;
                *turn = None;
                self.fail(index, &errno.into());
            }
        }
        count
    }

    /// Ends a client whose connection failed.
    pub(super) fn fail(&mut self, index: u32, error: &io::Error) {
        let Some(slot) = self.slots.get(index) else { return };
        let cause = match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Cause::Reset,
            io::ErrorKind::TimedOut => Cause::TimedOut,
            _ => Cause::Failed,
        };
        // Who had closed its side went as one goes: nothing failed.
        let went = cause == Cause::Reset && slot.session.is_half_closed();
        if !went && let Some(endpoint) = self.endpoints.get(slot.endpoint) {
            let client = client(slot, endpoint.server, &self.v6);
            let id = session_id(&self.ids, &slot.session, client, endpoint.server, self.now);
            let about = about(&endpoint.post, client, endpoint.server, id);
            self.record.failed(index, about, error);
        }
        self.close(index, cause);
    }

    /// Lets a client go.
    pub(super) fn close(&mut self, index: u32, cause: Cause) {
        self.wheel.disarm(&mut self.slots, index);
        self.awaited.forget(index);
        self.read_shares.forget(index);
        let Some(slot) = self.slots.remove(index) else { return };
        let Some(endpoint) = self.endpoints.get(slot.endpoint) else { return };
        let server = endpoint.server;
        let client = client(&slot, server, &self.v6);
        if client.is_ipv6() {
            self.v6.remove(slot.peer);
        }
        let id = session_id(&self.ids, &slot.session, client, server, self.now);
        let end = self.last_sign(&slot, cause);
        let about = about(&endpoint.post, client, server, id);
        self.record.closed(index, about, &slot.session, cause, end);
        self.admission.leave(&endpoint.post.port, client.ip());
        self.endpoints.leave(slot.endpoint);
        if slot.session.is_boxed() {
            self.memory.freed(self.now);
        }
        if cause == Cause::Finished {
            // Let it have its last words; a reset would throw them away. If this fails it has
            // gone already.
            let _ = sockopt::set_socket_linger(&slot.fd, None);
        }
    }

    /// When the client was there for the last time.
    fn last_sign(&self, slot: &Slot, cause: Cause) -> Time {
        let vanished = match cause {
            Cause::HalfClosed | Cause::Left | Cause::TimedOut => true,
            // By the reset only its system answers for it.
            Cause::Reset => slot.session.is_half_closed(),
            Cause::Evicted | Cause::Failed | Cause::Finished | Cause::Stopped => false,
        };
        if !vanished {
            return self.now;
        }
        // If the system does not say, it was now.
        let silence = sys::silent_for(slot.fd.as_fd()).unwrap_or_default();
        // A client may have gone before it was accepted.
        self.now.before(silence).max(slot.session.opened(self.now))
    }

    pub(super) fn id(
        &self,
        session: &Session,
        client: SocketAddr,
        server: SocketAddr,
    ) -> SessionId {
        session_id(&self.ids, session, client, server, self.now)
    }
}

/// One client's turn, from its input to its next wait.
struct Turn {
    index: u32,
    id: SessionId,
    /// What may still be sent in it, in bytes.
    left: usize,
    /// Whether it is to be asked for what is unacknowledged before anything is sent.
    asks: bool,
    /// Whether the client has closed its side just now: a byte goes to it whatever the budget.
    departs: bool,
    /// Whether the socket itself took less than it was given, and will tell when it takes more.
    full: bool,
    before: Before,
}

/// How a session stood before its turn.
#[derive(Clone, Copy)]
struct Before {
    listened: bool,
    /// Whether it took memory that may be free after the turn.
    amid: bool,
}

/// A part of a draft with where it goes, unless there is nothing to send.
fn send_slot_of<'a>(
    slots: &'a Slab<Slot>,
    turn: Option<&Turn>,
    bytes: &'a [u8],
) -> Option<SendSlot<'a>> {
    if bytes.is_empty() {
        return None;
    }
    let slot = slots.get(turn?.index)?;
    Some(SendSlot { connection: slot.fd.as_fd(), bytes })
}

/// Whether the client in this slot is asked about its acknowledgements at this turn. Turns are some
/// seconds apart, so it is in about a quarter of them.
fn is_asked(index: u32, now: Time) -> bool {
    (u64::from(index) + now.as_millis() / 8_000).is_multiple_of(4)
}

pub(super) fn client(slot: &Slot, server: SocketAddr, v6: &Slab<Ipv6Addr>) -> SocketAddr {
    let ip: IpAddr = if server.is_ipv4() {
        std::net::Ipv4Addr::from_bits(slot.peer).into()
    } else {
        v6.get(slot.peer).copied().unwrap_or(Ipv6Addr::UNSPECIFIED).into()
    };
    SocketAddr::new(ip, slot.port)
}

/// The session's number: nothing of it is stored, since it follows from what is.
pub(super) fn session_id(
    ids: &RandomState,
    session: &Session,
    client: SocketAddr,
    server: SocketAddr,
    now: Time,
) -> SessionId {
    // In one piece: it is asked for in every turn.
    let mut key = [0; 44];
    key[..16].copy_from_slice(&bits(client.ip()).to_ne_bytes());
    key[16..32].copy_from_slice(&bits(server.ip()).to_ne_bytes());
    key[32..34].copy_from_slice(&client.port().to_ne_bytes());
    key[34..36].copy_from_slice(&server.port().to_ne_bytes());
    key[36..].copy_from_slice(&session.opened(now).as_millis().to_ne_bytes());
    let mut hasher = ids.build_hasher();
    hasher.write(&key);
    SessionId(hasher.finish())
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

pub(super) fn about(
    post: &Post,
    client: SocketAddr,
    server: SocketAddr,
    session: SessionId,
) -> Subject<'_> {
    let pattern = post.profile.pattern.name();
    Subject { name: &post.name, pattern, client, server, session, traced: post.traced }
}
