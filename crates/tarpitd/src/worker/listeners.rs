//! The listeners of one worker: opened, watched, reloaded, and closed.

use std::{
    collections::HashMap,
    io,
    os::fd::AsRawFd as _,
    sync::{Arc, mpsc},
    time::Duration,
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::io::Errno;
use tarpit_proto::time::Time;

use crate::{
    os::listen_socket::{self, ListenSocket},
    report::log::Log,
    slab::Slab,
    worker::{Notice, endpoints::Post},
};

/// A listener with its post.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What tells listeners apart over a reload.
    key: u64,
    pub(super) socket: ListenSocket,
    pub(super) post: Arc<Post>,
    /// Whether connections may wait there.
    is_ready: bool,
}

impl Listener {
    /// A listener at which no connection waits as yet.
    pub(crate) fn new(key: u64, socket: ListenSocket, post: Arc<Post>) -> Self {
        Self { key, socket, post, is_ready: false }
    }
}

/// All listeners of a worker.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Slab<Listener>,
    /// Those at which connections may wait, each once.
    ready: Vec<u32>,
    /// Accepting stands still until then.
    paused: Option<Time>,
    /// When the log was last told why.
    shortage_told: Option<Time>,
    notify: mpsc::Sender<Notice>,
}

/// Tokens from here on are listeners; below they are clients.
const TOKENS: usize = 1 << 40;

/// How long no connection is accepted after the system ran out of something.
const PAUSE: Duration = Duration::from_secs(1);

/// A shortage that lasts is told of once in this time.
const SHORTAGE: Duration = Duration::from_secs(10 * 60);

impl Listeners {
    /// No listeners; `notify` hears of those that are lost.
    pub(super) fn new(notify: mpsc::Sender<Notice>) -> Self {
        Self { all: Slab::new(), ready: Vec::new(), paused: None, shortage_told: None, notify }
    }

    /// Adds a listener, and watches it.
    pub(super) fn open(&mut self, listener: Listener, registry: &Registry) -> io::Result<()> {
        let (fd, key) = (listener.socket.fd().as_raw_fd(), listener.key);
        let index = self.all.insert(listener);
        let token = Token(TOKENS + index as usize);
        if let Err(error) = registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
            self.all.remove(index);
            self.tell_lost(key);
            return Err(error);
        }
        self.note_ready(index);
        Ok(())
    }

    /// Lets the listeners be these: a post for each key that stays, and new ones.
    pub(super) fn reload(
        &mut self,
        stay: &[(u64, Arc<Post>)],
        new: Vec<Listener>,
        registry: &Registry,
        log: &Log,
    ) {
        let posts: HashMap<u64, &Arc<Post>> = stay.iter().map(|(key, post)| (*key, post)).collect();
        for index in self.all.indices() {
            let Some(listener) = self.all.get_mut(index) else { continue };
            match posts.get(&listener.key) {
                Some(&post) => {
                    listener.post = Arc::clone(post);
                    listener.socket.suit(post.profile.rate);
                }
                None => drop(self.all.remove(index)),
            }
        }
        for listener in new {
            let address = listener.socket.address();
            if let Err(error) = self.open(listener, registry) {
                log.error(format_args!("cannot watch {address}: {error}; not served"));
            }
        }
    }

    /// Closes all.
    pub(super) fn close_all(&mut self) {
        self.all = Slab::new();
    }

    /// Closes one that is of no use any more.
    pub(super) fn lose(&mut self, index: u32, errno: Errno, log: &Log) {
        let Some(listener) = self.all.remove(index) else { return };
        let address = listener.socket.address();
        log.error(format_args!(
            "accept failed on {address}: {errno}; stopped listening there, send SIGHUP to open it \
             again"
        ));
        self.tell_lost(listener.key);
    }

    /// Accepts nothing for a while, since the system is out of something.
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
        if let Some(listener) = self.all.get_mut(index)
            && !listener.is_ready
        {
            listener.is_ready = true;
            self.ready.push(index);
        }
    }

    /// Takes the listeners at which connections may wait, unless accepting stands still.
    pub(super) fn take_ready(&mut self, now: Time) -> Vec<u32> {
        if self.paused.is_some_and(|until| until > now) {
            return Vec::new();
        }
        self.paused = None;
        let ready = std::mem::take(&mut self.ready);
        for &index in &ready {
            if let Some(listener) = self.all.get_mut(index) {
                listener.is_ready = false;
            }
        }
        ready
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

    /// Whether accepting stands still.
    pub(super) fn are_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// When connections are to be accepted, if any may wait.
    pub(super) fn due(&self) -> Option<Time> {
        (!self.ready.is_empty()).then(|| self.paused.unwrap_or(Time::START))
    }

    fn tell_lost(&self, key: u64) {
        // If nobody listens the daemon has ended.
        let _ = self.notify.send(Notice::ListenerLost(key));
    }
}

/// The index of the listener that has this token, if it is a listener's.
pub(super) fn index_of(token: Token) -> Option<u32> {
    token.0.checked_sub(TOKENS).and_then(|index| u32::try_from(index).ok())
}
