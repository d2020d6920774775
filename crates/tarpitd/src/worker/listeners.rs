//! The listeners of one worker: opened, watched, reloaded, and closed.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsRawFd as _,
    sync::{Arc, mpsc},
    time::Duration,
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::io::Errno;
use tarpit_proto::time::Time;

use crate::{
    os::{
        entropy::HashMap,
        listen_socket::{self, ListenSocket, NAT_ONLY, Redirected},
    },
    report::log::Log,
    slab::Slab,
    worker::{Notice, endpoints::Binding, hand_over::MovedListener},
};

/// A listener with its binding.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Identifies the listener over a reload.
    key: u64,
    pub(super) socket: ListenSocket,
    pub(super) binding: Arc<Binding>,
    /// Whether connections may wait there.
    is_ready: bool,
}

impl Listener {
    /// A listener at which no connection waits as yet.
    pub(crate) fn new(key: u64, socket: ListenSocket, binding: Arc<Binding>) -> Self {
        Self { key, socket, binding, is_ready: false }
    }

    /// What another daemon needs of it.
    pub(super) fn export(&self) -> io::Result<MovedListener> {
        let (fd, redirected) = (self.socket.share()?, self.socket.redirected());
        Ok(MovedListener { key: self.key, fd, redirected })
    }
}

/// All listeners of a worker.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Slab<Listener>,
    /// Listeners at which connections may wait, each once.
    ready: Vec<u32>,
    /// Accepting is paused until then.
    paused: Option<Time>,
    /// When the next newcomers are refused, while all are refused. Until then no listener is
    /// watched, so that a storm of newcomers costs no turn of the loop.
    refusing: Option<Time>,
    /// When the log last said why.
    shortage_told: Option<Time>,
    notify: mpsc::Sender<Notice>,
}

/// Tokens from here on are listeners; below they are clients.
const TOKENS: usize = 1 << 40;

/// The most connections that are accepted at one listener in a turn of the loop, so that a storm
/// delays no drip.
const ACCEPTS: usize = 128;

/// How many newcomers are refused in each [`REFUSE_EVERY`] while all are refused: over all
/// listeners, but at least one at each. The others wait in the kernel's queue; when it is full, the
/// kernel drops them.
const REFUSALS: usize = 64;
const REFUSE_EVERY: Duration = Duration::from_secs(1);

/// How long accepting pauses after the system ran out of something.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the log repeats a shortage that lasts.
const SHORTAGE: Duration = Duration::from_secs(10 * 60);

impl Listeners {
    /// No listeners; `notify` hears of listeners that are lost.
    pub(super) fn new(notify: mpsc::Sender<Notice>) -> Self {
        Self {
            all: Slab::new(),
            ready: Vec::new(),
            paused: None,
            refusing: None,
            shortage_told: None,
            notify,
        }
    }

    /// Adds a listener, and watches it.
    pub(super) fn open(&mut self, listener: Listener, registry: &Registry) -> io::Result<()> {
        let index = self.all.insert(listener);
        if self.refusing.is_some() { Ok(()) } else { self.watch(index, registry) }
    }

    /// Watches a listener; closes it if that fails.
    fn watch(&mut self, index: u32, registry: &Registry) -> io::Result<()> {
        let Some(listener) = self.all.get(index) else { return Ok(()) };
        let (fd, key) = (listener.socket.fd().as_raw_fd(), listener.key);
        let token = Token(TOKENS + index as usize);
        if let Err(error) = registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            self.all.remove(index);
            self.tell_lost(key);
            return Err(error);
        }
        self.note_ready(index);
        Ok(())
    }

    /// Stops watching the sockets while newcomers are refused, and watches them again afterwards;
    /// says which ones it had to close because that failed.
    pub(super) fn refuse(
        &mut self,
        refuses: bool,
        now: Time,
        registry: &Registry,
    ) -> Vec<(SocketAddr, io::Error)> {
        let mut lost = Vec::new();
        if refuses == self.refusing.is_some() {
            return lost;
        }
        self.refusing = refuses.then_some(now);
        self.ready.clear();
        for index in self.all.indices() {
            let Some(listener) = self.all.get_mut(index) else { continue };
            listener.is_ready = false;
            if refuses {
                // If this fails, it was not watched.
                let _ = registry.deregister(&mut SourceFd(&listener.socket.fd().as_raw_fd()));
                continue;
            }
            let address = listener.socket.address();
            lost.extend(self.watch(index, registry).err().map(|error| (address, error)));
        }
        lost
    }

    /// Lets the listeners be these: a binding for each key that stays, and new ones.
    pub(super) fn reload(
        &mut self,
        stay: &[(u64, Arc<Binding>)],
        new: Vec<Listener>,
        registry: &Registry,
        log: &Log,
    ) {
        let bindings: HashMap<u64, &Arc<Binding>> =
            stay.iter().map(|(key, binding)| (*key, binding)).collect();
        for index in self.all.indices() {
            let Some(listener) = self.all.get_mut(index) else { continue };
            match bindings.get(&listener.key) {
                Some(&binding) => {
                    listener.binding = Arc::clone(binding);
                    listener.socket.suit(binding.purpose());
                    if binding.redirected && listener.socket.redirected() == Redirected::ByNat {
                        let address = listener.socket.address();
                        log.warning(format_args!("{}: {address}: {NAT_ONLY}", binding.name));
                    }
                }
                None => self.close(index, registry),
            }
        }
        for listener in new {
            let address = listener.socket.address();
            if let Err(error) = self.open(listener, registry) {
                log.error(format_args!("cannot watch {address}: {error}; not served"));
            }
        }
    }

    /// Closes a listener. Its socket may stay open elsewhere, and then a poll would still hear of it.
    fn close(&mut self, index: u32, registry: &Registry) {
        if let Some(listener) = self.all.remove(index) {
            // If this fails, it was not watched.
            let _ = registry.deregister(&mut SourceFd(&listener.socket.fd().as_raw_fd()));
        }
    }

    /// Closes all.
    pub(super) fn close_all(&mut self) {
        self.all = Slab::new();
    }

    /// Closes a listener that no longer works.
    pub(super) fn lose(&mut self, index: u32, errno: Errno, registry: &Registry, log: &Log) {
        let Some(listener) = self.all.get(index) else { return };
        let (address, key) = (listener.socket.address(), listener.key);
        self.close(index, registry);
        log.error(format_args!(
            "accept failed on {address}: {errno}; stopped listening there, send SIGHUP to open it \
             again"
        ));
        self.tell_lost(key);
    }

    /// Pauses accepting, since the system ran out of something.
    pub(super) fn pause(&mut self, errno: Errno, now: Time, log: &Log) {
        self.paused = Some(now.after(PAUSE));
        if self.shortage_told.is_some_and(|told| now.since(told) < SHORTAGE) {
            return;
        }
        self.shortage_told = Some(now);
        let (symbol, cure) = (listen_socket::symbol(errno), listen_socket::cure(errno));
        log.warning(format_args!(
            "accept paused: {symbol}: {errno}; {cure}. Held clients stay held."
        ));
    }

    /// Connections may wait at a listener.
    pub(super) fn note_ready(&mut self, index: u32) {
        if self.refusing.is_none()
            && let Some(listener) = self.all.get_mut(index)
            && !listener.is_ready
        {
            listener.is_ready = true;
            self.ready.push(index);
        }
    }

    /// Takes the listeners at which connections may wait, and says how many to accept at each; none
    /// while accepting is paused.
    pub(super) fn take_ready(&mut self, now: Time) -> (Vec<u32>, usize) {
        let waits = |until: Option<Time>| until.is_some_and(|until| until > now);
        if waits(self.paused) || waits(self.refusing) {
            return (Vec::new(), 0);
        }
        self.paused = None;
        if let Some(next) = &mut self.refusing {
            *next = now.after(REFUSE_EVERY);
            let all = self.all.indices();
            let each = REFUSALS.checked_div(all.len()).unwrap_or_default().max(1);
            return (all, each);
        }
        let ready = std::mem::take(&mut self.ready);
        for &index in &ready {
            if let Some(listener) = self.all.get_mut(index) {
                listener.is_ready = false;
            }
        }
        (ready, ACCEPTS)
    }

    /// All listeners have an index below this.
    pub(super) fn places(&self) -> u32 {
        self.all.used()
    }

    /// The listener at `index`.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Listener> {
        self.all.get_mut(index)
    }

    /// The listener at `index`.
    pub(super) fn get(&self, index: u32) -> Option<&Listener> {
        self.all.get(index)
    }

    /// All listeners.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Listener> {
        (0..self.all.used()).filter_map(|index| self.all.get(index))
    }

    /// Whether accepting is paused.
    pub(super) fn are_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// When to accept connections, if any may wait.
    pub(super) fn due(&self) -> Option<Time> {
        match self.refusing {
            Some(next) => Some(self.paused.map_or(next, |until| until.max(next))),
            None if self.ready.is_empty() => None,
            None => Some(self.paused.unwrap_or(Time::START)),
        }
    }

    fn tell_lost(&self, key: u64) {
        // If this fails, the daemon has ended.
        let _ = self.notify.send(Notice::ListenerLost(key));
    }
}

/// The index of the listener with this token, if it is a listener's.
pub(super) fn index_of(token: Token) -> Option<u32> {
    token.0.checked_sub(TOKENS).and_then(|index| u32::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use mio::{Events, Poll};
    use tarpit_proto::{patterns, persona::Persona, rng::Seed, script::Profile};

    use super::*;
    use crate::{admit::admission::Port, os::listen_socket::Use, report::totals::Tally};

    fn listener() -> (Listener, SocketAddr) {
        let socket = ListenSocket::bind("127.0.0.1:0".parse().unwrap(), Use::default()).unwrap();
        let address = socket.address();
        let persona = Persona::default_for(&Seed([0; 32]));
        let binding = Binding {
            name: "a".into(),
            profile: Profile::new(patterns::ALL[0], persona),
            max_clients: 0,
            traced: false,
            data: false,
            redirected: false,
            relays: Arc::default(),
            port: Arc::new(Port::new(address)),
            tally: Arc::new(Tally::new("a", 1)),
            port_tally: None,
        };
        (Listener::new(0, socket, Arc::new(binding)), address)
    }

    /// Whether a poll that does not wait has news.
    fn has_news(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    }

    #[test]
    fn while_newcomers_are_refused_a_storm_wakes_nobody_and_a_few_are_taken_each_second() {
        let mut poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let mut listeners = Listeners::new(mpsc::channel().0);
        let (listener, address) = listener();
        listeners.open(listener, &registry).unwrap();
        let (now, second) = (Time::from_millis(5_000), Duration::from_secs(1));
        assert_eq!(listeners.take_ready(now), (vec![0], ACCEPTS));

        assert!(listeners.refuse(true, now, &registry).is_empty());
        let _storm: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(!has_news(&mut poll));
        listeners.note_ready(0);
        assert_eq!(listeners.due(), Some(now));
        assert_eq!(listeners.take_ready(now), (vec![0], REFUSALS));
        assert_eq!(listeners.take_ready(now), (vec![], 0), "no more for now");
        assert_eq!(listeners.due(), Some(now.after(second)));
        assert_eq!(listeners.take_ready(now.after(second)), (vec![0], REFUSALS));

        assert!(listeners.refuse(false, now.after(second), &registry).is_empty());
        assert!(has_news(&mut poll), "those who wait come in");
        assert_eq!(listeners.take_ready(now.after(second)), (vec![0], ACCEPTS));
        assert_eq!(listeners.due(), None);
    }
}
