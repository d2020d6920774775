//! Clients: heard, spoken to, and let go.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use mio::event::Event;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send, sockopt},
};
use tarpit_proto::{
    pacer::Rate,
    rng::Entropy,
    script::Conn,
    session::{Cause, Input, Output, Session, SessionId, Wake, World},
    time::Time,
};

use super::{READ, Slot, Worker};
use crate::{
    berths::Post,
    budget::Turn,
    record::{Ear, Record},
    slab::Slab,
    sys,
    trace::Subject,
};

/// The most bytes read from, or sent to, one client in a turn.
const READS: usize = 4;
const SENDS: usize = 64 * 1024;

/// How long a client waits that has more to say than is heard in a turn.
const LISTEN: Duration = Duration::from_millis(50);

/// What was not sent for want of a budget or of memory is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// How many clients whose slots are next to each other are spoken to together, where their paces
/// allow it. They mostly came together, so that what the kernel keeps of them lies together too.
const GROUP: u32 = 64;

/// How often a client that has closed its side is asked whether it is there.
const HALF_CLOSED: Duration = Duration::from_secs(15);

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
            self.hear(index);
        }
        if event.is_writable() {
            self.drive(index, Input::Due);
        }
    }

    /// Reads what the client sent, up to a turn's budget.
    pub(super) fn hear(&mut self, index: u32) {
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

    /// Hears a client again a little later: whoever floods us fills its own buffers meanwhile.
    pub(super) fn hear_later(&mut self, index: u32) {
        self.talkers.push(index);
        self.listen_at.get_or_insert(self.now.after(LISTEN));
    }

    /// Lets everybody speak whose turn has come.
    pub(super) fn speak_all(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(&mut self.slots, self.now, &mut due);
        for index in due.drain(..) {
            self.drive(index, Input::Due);
        }
        self.due = due;
    }

    /// Gives a session its input and does what it says.
    pub(super) fn drive(&mut self, index: u32, input: Input<'_>) {
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
                group: index / GROUP,
                seed: &self.seed,
                start: self.wall_at_start,
                entropy: &mut Kernel,
                means: &mut self.means,
                locks: &mut self.locks,
                news: &mut ear,
            };
            match slot.session.handle(self.now, input, &mut world, &mut self.draft) {
                Output::Close(cause) => break Some(Ok(cause)),
                Output::OpenData => {
                    let ends = (client.ip(), server.ip());
                    let awaited = self.awaited.ask(&self.doors, post, ends, (index, id));
                    input = Input::DataPort(awaited);
                }
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
    pub(super) fn fail(&mut self, index: u32, error: &io::Error) {
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
    pub(super) fn close(&mut self, index: u32, cause: Cause) {
        self.wheel.disarm(&mut self.slots, index);
        self.awaited.forget(index);
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

    pub(super) fn id(
        &self,
        session: &Session,
        client: SocketAddr,
        server: SocketAddr,
    ) -> SessionId {
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
    SessionId(ids.hash_one((client, server, session.opened(now).as_millis())))
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
