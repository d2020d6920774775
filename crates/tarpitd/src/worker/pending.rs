//! Connections that are no clients yet: the first bytes of each are awaited for a short time.
//!
//! A relay sends a header that names the client. Until then nothing is known of the client: it
//! counts against no limit of an address, and the trace has no line of it. A health check sends a
//! request, and never becomes a client.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tarpit_proto::{
    proxy_header::{self, Malformed, Reading},
    script::Conn,
    time::Time,
};

use crate::{
    admit::relays::{self, Relays},
    report::refusal::Refusal,
    slab::Slab,
    worker::{Worker, accept::Newcomer, health::Check},
};

/// A worker's connections that are no clients yet.
#[derive(Debug)]
pub(super) struct Pending {
    all: Slab<Waiting>,
    /// When the patience with each is over, the earliest first: all get the same.
    ends: VecDeque<(Time, u32, u64)>,
    /// How many there were: tells whether a place is still the same connection's.
    count: u64,
    /// How many health checks there are.
    checks: Arc<Relays>,
    buffer: Vec<u8>,
}

/// A connection and its place among those of its tarpit.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) newcomer: Newcomer,
    pub(super) awaits: Awaits,
    number: u64,
    _place: relays::Place,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A relay's header.
    Header,
    /// The request of a health check.
    Request,
}

/// Tokens from here on are connections of this kind; those below are listeners and clients.
const TOKENS: usize = 1 << 41;

/// How long first bytes are awaited. A relay sends its header as soon as it is connected.
const PATIENCE: Duration = Duration::from_secs(2);

impl Pending {
    /// None as yet.
    pub(super) fn new() -> Self {
        let buffer = vec![0; proxy_header::MOST];
        Self { all: Slab::new(), ends: VecDeque::new(), count: 0, checks: Arc::default(), buffer }
    }

    /// When the next patience is over, if anything is awaited.
    pub(super) fn due(&self) -> Option<Time> {
        self.ends.front().map(|&(end, ..)| end)
    }

    /// Awaits the first bytes of a connection; gives it back if it cannot be watched.
    fn wait(
        &mut self,
        (newcomer, awaits): (Newcomer, Awaits),
        place: relays::Place,
        now: Time,
        registry: &Registry,
    ) -> Result<(), Newcomer> {
        let fd = newcomer.fd.as_raw_fd();
        self.count += 1;
        let number = self.count;
        let index = self.all.insert(Waiting { newcomer, awaits, number, _place: place });
        let token = Token(TOKENS + index as usize);
        if registry.register(&mut SourceFd(&fd), token, Interest::READABLE).is_err() {
            return self.all.remove(index).map_or(Ok(()), |waiting| Err(waiting.newcomer));
        }
        self.ends.push_back((now.after(PATIENCE), index, number));
        Ok(())
    }

    /// All connections have an index below this.
    pub(super) fn places(&self) -> u32 {
        self.all.used()
    }

    /// The connection at `index`.
    pub(super) fn get(&self, index: u32) -> Option<&Waiting> {
        self.all.get(index)
    }

    /// What is known of a connection.
    fn header(&mut self, newcomer: &Newcomer) -> Header {
        Header::look(&newcomer.fd, &mut self.buffer)
    }

    /// What is known of the connection at `index`.
    fn header_of(&mut self, index: u32) -> Header {
        let Some(waiting) = self.all.get(index) else { return Header::Awaited };
        Header::look(&waiting.newcomer.fd, &mut self.buffer)
    }

    /// Takes a connection out.
    fn take(&mut self, index: u32, registry: &Registry) -> Option<(Newcomer, Awaits)> {
        let Waiting { newcomer, awaits, .. } = self.all.remove(index)?;
        // If this fails, it was not watched.
        let _ = registry.deregister(&mut SourceFd(&newcomer.fd.as_raw_fd()));
        Some((newcomer, awaits))
    }

    /// What is to be done with the health check at `index`; `None` if there is none.
    fn check_of(&mut self, index: u32, is_over: bool) -> Option<Check> {
        let waiting = self.all.get(index).filter(|it| it.awaits == Awaits::Request)?;
        Some(Check::look(&waiting.newcomer.fd, is_over, &mut self.buffer))
    }

    /// The first whose patience is over at `now`; call it until there is none.
    fn expired(&mut self, now: Time) -> Option<u32> {
        while let Some(&(end, index, number)) = self.ends.front() {
            if end > now {
                return None;
            }
            self.ends.pop_front();
            if self.all.get(index).is_some_and(|waiting| waiting.number == number) {
                return Some(index);
            }
        }
        None
    }
}

/// The index of the connection with this token, if it is one of this kind.
pub(super) fn index_of(token: Token) -> Option<u32> {
    token.0.checked_sub(TOKENS).and_then(|index| u32::try_from(index).ok())
}

/// What is known of a relay's connection.
#[derive(Clone, Copy)]
enum Header {
    Awaited,
    /// The connection failed.
    Gone,
    Malformed(Malformed),
    /// The header was read. It may name the client and the address to which it connected.
    Read(Option<(SocketAddr, SocketAddr)>),
}

impl Header {
    /// Looks for a header, and reads it off the connection if it is whole.
    fn look(fd: &OwnedFd, buffer: &mut [u8]) -> Self {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let count = match recv(fd, &mut *buffer, flags) {
            // What there is of a header will not become more.
            Ok((0, _)) => return Self::Malformed(Malformed::Absent),
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Self::Awaited,
            Err(_) => return Self::Gone,
        };
        match proxy_header::read(&buffer[..count]) {
            Reading::Incomplete => Self::Awaited,
            Reading::Malformed(malformed) => Self::Malformed(malformed),
            Reading::Whole { length, ends } => {
                // It was there a moment ago.
                match recv(fd, &mut buffer[..length], RecvFlags::DONTWAIT) {
                    Ok((taken, _)) if taken == length => Self::Read(ends),
                    _ => Self::Gone,
                }
            }
        }
    }
}

impl Worker {
    /// Awaits the header of a connection that came from a relay.
    pub(super) fn await_header(&mut self, newcomer: Newcomer) {
        match self.pending.header(&newcomer) {
            Header::Awaited => {}
            header => return self.resolve(newcomer, header),
        }
        let Some(place) = newcomer.binding.relays.enter() else {
            return self.refuse(&newcomer, Refusal::Headers);
        };
        let waits =
            self.pending.wait((newcomer, Awaits::Header), place, self.now, self.poll.registry());
        if let Err(newcomer) = waits {
            self.resolve(newcomer, Header::Malformed(Malformed::Absent));
        }
    }

    /// A connection that is no client yet has news.
    pub(super) fn hear_pending(&mut self, index: u32) {
        if let Some(check) = self.pending.check_of(index, false) {
            if check != Check::Await {
                self.end_check(index, check);
            }
            return;
        }
        let header = self.pending.header_of(index);
        if !matches!(header, Header::Awaited)
            && let Some((newcomer, _)) = self.pending.take(index, self.poll.registry())
        {
            self.resolve(newcomer, header);
        }
    }

    /// Ends the patience with connections that have sent no whole header.
    pub(super) fn end_patience(&mut self) {
        while let Some(index) = self.pending.expired(self.now) {
            if let Some(check) = self.pending.check_of(index, true) {
                self.end_check(index, check);
            } else if let Some((newcomer, _)) = self.pending.take(index, self.poll.registry()) {
                self.resolve(newcomer, Header::Malformed(Malformed::Absent));
            }
        }
    }

    /// Awaits what a health check sends. Beyond a bounded number they are closed at once.
    pub(super) fn await_request(&mut self, newcomer: Newcomer) {
        let Some(place) = self.pending.checks.enter() else { return };
        // If it cannot be watched, it is closed.
        drop(self.pending.wait((newcomer, Awaits::Request), place, self.now, self.poll.registry()));
    }

    fn end_check(&mut self, index: u32, check: Check) {
        if let Some((newcomer, _)) = self.pending.take(index, self.poll.registry()) {
            check.end(&newcomer.fd, &mut self.pending.buffer);
        }
    }

    /// Holds the client that a header names, or the relay itself where there is none.
    fn resolve(&mut self, mut newcomer: Newcomer, header: Header) {
        match header {
            Header::Awaited | Header::Gone => {}
            Header::Malformed(malformed) => {
                let held = self.hold(newcomer, true);
                if let Some(index) = held {
                    self.tell_malformed(index, malformed);
                }
            }
            Header::Read(ends) => {
                if let Some((client, server)) = ends {
                    newcomer.conn = Conn { client, server, via: Some(newcomer.conn.client) };
                    newcomer.is_detoured = true;
                }
                self.hold(newcomer, true);
            }
        }
    }

    /// Tells that a relay that is held as itself sent no header.
    fn tell_malformed(&mut self, index: u32, malformed: Malformed) {
        let Some(client) = self.clients.get(index) else { return };
        let about = client.binding.subject(client.conn, self.clients.id_of(&client, self.now));
        let what = (Malformed::LAYER, malformed.reason());
        self.record.malformed(about, self.accounts.protocol(index), what);
    }
}
