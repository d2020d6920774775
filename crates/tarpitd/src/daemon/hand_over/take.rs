//! The new program's side of a hand-over.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{
    super::{Daemon, kept::Kept, rules::rules, signals::OBEYED},
    ANSWER, HANDSHAKES, PATIENCE,
    channel::{Channel, DAMAGED},
    format::{AdminSocket, FORM, Frame, Listener, State},
};
use crate::{
    admin::{
        control::upgrade::PROTOCOL,
        metrics::saved::{Past, Store},
    },
    keys::state_dir::Secrets,
    os::{
        admin_socket, clock::Clock, entropy::HashMap, listen_socket::ListenSocket,
        passed_sockets::Passed, privileges,
    },
    report::totals::PastCounts,
    settings::{Purpose, SurfaceBind, Wanted, finding::plain},
    worker::{
        self, HashKeys, Notice,
        endpoints::Binding,
        hand_over::{Moved, Origin, TakenOver},
    },
};

/// The environment variable that tells a new program where to take over: at the control socket with
/// this path.
pub(crate) const HAND_OVER: &str = "TARPITD_HAND_OVER";

/// What the new program writes to standard output once it serves, for the command that waits for
/// that. Before it closes without, the program has failed.
pub(crate) const SERVES: &[u8] = b"serving\n";

/// The longest head of the old daemon's answer.
const LONGEST_HEAD: usize = 4 * 1024;

/// The daemon that hands over.
pub(in crate::daemon) struct Predecessor {
    channel: Channel,
    pub(in crate::daemon) pid: u32,
    /// How many clients come later.
    left: u64,
    /// The streams of the command that started this program, until it serves.
    console: Option<Console>,
}

/// Standard output and standard error of the command that started this program.
struct Console {
    stdout: File,
    stderr: OwnedFd,
}

/// Whether this daemon still takes clients of the one before. Once it ends it refuses them, and the
/// other one closes them.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Arrivals {
    are_refused: Arc<Mutex<bool>>,
}

impl Arrivals {
    /// Takes some unless they are refused; says whether they are taken.
    fn take(&self, take: impl FnOnce() -> bool) -> bool {
        let are_refused = self.are_refused.lock().unwrap_or_else(PoisonError::into_inner);
        !*are_refused && take()
    }

    fn refuse(&self) {
        *self.are_refused.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Clients of the daemon before may still come: when this is dropped, none can any more.
struct Pending(mpsc::Sender<Notice>);

impl Drop for Pending {
    fn drop(&mut self) {
        // If this fails, the daemon has ended.
        let _ = self.0.send(Notice::ArrivedAll);
    }
}

/// Everything that an earlier daemon hands over.
pub(in crate::daemon) struct Inheritance {
    pub(in crate::daemon) clock: Clock,
    pub(in crate::daemon) keys: HashKeys,
    pub(in crate::daemon) version: String,
    /// `None`: what was counted cannot be read here.
    pub(in crate::daemon) past: Option<Past>,
    pub(in crate::daemon) kept: Kept,
    /// Sockets of the service manager.
    pub(in crate::daemon) activated: Vec<Passed>,
    pub(in crate::daemon) inherited: Inherited,
    /// Clients, each with the number of its worker.
    pub(in crate::daemon) clients: Vec<(usize, Moved)>,
}

/// What an earlier daemon had open, or kept in memory.
#[derive(Default)]
pub(in crate::daemon) struct Inherited {
    pub(in crate::daemon) secrets: Secrets,
    pub(super) listeners: Vec<(Listener, ListenSocket)>,
    pub(super) surfaces: Vec<(AdminSocket, OwnedFd)>,
}

impl Inheritance {
    /// That of a first daemon.
    pub(in crate::daemon) fn nothing() -> Self {
        Self {
            clock: Clock::start(),
            keys: HashKeys::new(),
            version: String::new(),
            past: None,
            kept: Kept::default(),
            activated: Vec::new(),
            inherited: Inherited::default(),
            clients: Vec::new(),
        }
    }

    /// That of a daemon in this state, as yet without sockets. Its clock goes on.
    pub(super) fn of(state: State, clock: Clock) -> Self {
        let keys = state.keys();
        let State { version, named, counters, .. } = state;
        let mut named = named.into_iter().collect();
        let kept = Kept::take(&mut named, clock, true);
        let past = Past::read(&counters);
        let inherited = Inherited { secrets: named, ..Inherited::default() };
        Self { clock, keys, version, past, kept, inherited, ..Self::nothing() }
    }

    /// What was counted of each tarpit since the start.
    pub(in crate::daemon) fn counted(&self) -> BTreeMap<String, PastCounts> {
        self.past.as_ref().map(|past| past.tarpits.clone()).unwrap_or_default()
    }
}

impl Inherited {
    /// The sockets of an address, if it was open: as this tarpit's, or else as another's.
    pub(in crate::daemon) fn listeners(
        &mut self,
        tarpit: &str,
        wanted: Wanted,
    ) -> Vec<ListenSocket> {
        let is_for_data = wanted.purpose != Purpose::Clients;
        let serves = |it: &Listener| it.at == wanted.at && it.is_for_data() == is_for_data;
        let own = self.listeners.iter().find(|(it, _)| serves(it) && it.tarpit == tarpit);
        let any = own.or_else(|| self.listeners.iter().find(|(it, _)| serves(it)));
        let Some((found, _)) = any else { return Vec::new() };
        // Port 0 may have several ports; those of one have one address.
        let (name, bound) = (found.tarpit.clone(), own.or(any).map(|(_, it)| it.address()));
        let is_found = |(it, socket): &mut (Listener, ListenSocket)| {
            serves(it) && it.tarpit == name && Some(socket.address()) == bound
        };
        self.listeners.extract_if(.., is_found).map(|(_, socket)| socket).collect()
    }

    /// The socket of a surface, if it was open.
    pub(in crate::daemon) fn surface(&mut self, bind: &SurfaceBind) -> Option<OwnedFd> {
        let wanted = AdminSocket::new(bind.surface, &bind.at);
        let place = self.surfaces.iter().position(|(it, _)| *it == wanted)?;
        Some(self.surfaces.remove(place).1)
    }
}

/// Takes over from a running daemon, if this program was started to; or says why it cannot.
pub(in crate::daemon) fn meet() -> Option<Result<(Predecessor, Inheritance), String>> {
    let socket = env::var_os(HAND_OVER)?;
    // The command that started this program may belong to a terminal that closes. If this process
    // leads a session already, nothing is lost.
    let _ = rustix::process::setsid();
    Some(connect(&socket).and_then(take))
}

/// Asks the daemon at this socket to hand over.
fn connect(socket: &OsStr) -> Result<UnixStream, String> {
    let ask = || -> io::Result<Result<UnixStream, String>> {
        let mut stream = UnixStream::connect(Path::new(socket))?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(
            stream,
            "POST /v1/hand-over HTTP/1.1\r\nHost: tarpitd\r\nConnection: Upgrade\r\n\
             Upgrade: {PROTOCOL}/{FORM}\r\nContent-Length: 0\r\n\r\n"
        )?;
        // No byte more than the head: behind it come messages with files.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        if head.starts_with(b"HTTP/1.1 101 ") {
            return Ok(Ok(stream));
        }
        let mut told = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        // What cannot be read is not told.
        let _ = stream.take(LONGEST_HEAD as u64).read_to_string(&mut told);
        let told = told.lines().next().unwrap_or_default().escape_debug().to_string();
        Ok(Err(format!("the running daemon refuses: {told}")))
    };
    ask().unwrap_or_else(|error| {
        Err(format!("no answer at {}: {}", Path::new(socket).display(), plain(&error)))
    })
}

/// Takes everything.
fn take(stream: UnixStream) -> Result<(Predecessor, Inheritance), String> {
    // Each client is an open file.
    privileges::raise_file_limit();
    let channel = Channel::new(stream, Clock::start()).map_err(|error| plain(&error))?;
    let Frame::State(state) = next(&channel)?.0 else { return Err(DAMAGED.to_owned()) };
    let (pid, clock) = (state.pid, state.clock().ok_or(DAMAGED)?);
    let mut taken = Inheritance::of(state, clock);
    let mut predecessor = Predecessor { channel, pid, left: 0, console: None };
    admin_socket::share_files(true);
    loop {
        let (frame, files) = next(&predecessor.channel)?;
        match frame {
            Frame::Activated(names) if names.len() == files.len() => {
                let passed = names.into_iter().zip(files);
                taken.activated.extend(passed.map(|(name, fd)| Passed { name, fd }));
            }
            Frame::Clients { worker, clients } if clients.len() == files.len() => {
                let moved = clients.into_iter().zip(files);
                let moved = moved.map(|(client, fd)| Moved { fd, client: client.into() });
                taken.clients.extend(moved.map(|it| (worker as usize, it)));
            }
            Frame::Complete { clients, left } if clients == taken.clients.len() as u64 => {
                predecessor.left = left;
                break;
            }
            Frame::Listeners(listeners) if listeners.len() == files.len() => {
                for (listener, fd) in listeners.into_iter().zip(files) {
                    let socket = ListenSocket::adopt(fd, listener.redirected()).ok_or(DAMAGED)?;
                    taken.inherited.listeners.push((listener, socket));
                }
            }
            Frame::Streams => {
                let [stdout, stderr] = <[OwnedFd; 2]>::try_from(files).map_err(|_| DAMAGED)?;
                let console = Console::replace(&stdout, &stderr);
                predecessor.console = Some(console.map_err(|error| plain(&error))?);
            }
            Frame::Surfaces(sockets) if sockets.len() == files.len() => {
                taken.inherited.surfaces.extend(sockets.into_iter().zip(files));
            }
            _ => return Err(DAMAGED.to_owned()),
        }
    }
    Ok((predecessor, taken))
}

impl Daemon {
    /// Holds the clients of the daemon before, and listens.
    pub(in crate::daemon) fn go_on(
        &mut self,
        inheritance: Inheritance,
        listeners: Vec<Vec<worker::Listener>>,
        predecessor: Option<&Predecessor>,
    ) {
        let Inheritance { version, clients, .. } = inheritance;
        let taken = self.hand_out(clients);
        let (stay, rules) = (self.served.bindings(), rules(&self.served, self.workers.len()));
        // The workers take their commands in order: the clients come first.
        let listening = self.workers.reload(&stay, listeners, &rules);
        let sum = sum(taken);
        listening.wait(PATIENCE);
        let version = version.escape_debug();
        let count = sum.held;
        match predecessor {
            Some(Predecessor { pid, .. }) => self.log.notice(format_args!(
                "upgrade: took over from tarpitd {version} (pid {pid}), which held {count} clients"
            )),
            None => self.log.notice(format_args!(
                "restart: clients of tarpitd {version} that systemd has kept go on: {count}"
            )),
        }
        if sum.unknown > 0 {
            self.log.warning(format_args!(
                "{} of these clients are held in silence: this version does not know what was said \
                 to them",
                sum.unknown,
            ));
        }
    }

    /// Tells the daemon before that this one serves, and goes on in its place.
    pub(in crate::daemon) fn succeed(&mut self, predecessor: Predecessor) {
        // If that daemon is gone, this one serves all the same.
        let _ = predecessor.channel.send(&Frame::Serving, &[]);
        admin_socket::share_files(false);
        // Not before: if this program had failed, they would be the other daemon's.
        self.write_pid_file();
        self.surfaces.set_access(&self.log);
        self.is_taking = predecessor.go_on(self.notify.clone(), self.arrivals.clone());
    }

    /// Goes on from all that the daemon before has counted: of the clients that stayed there during
    /// their handshake some have gone.
    pub(in crate::daemon) fn go_on_from(&mut self, counters: &[u8]) {
        let Some(mut past) = Past::read(counters) else { return };
        self.served.tallies.go_on_from(&past.tarpits);
        if self.store.is_none() {
            self.past = Some(past);
        } else if let Some(store) = Store::going_on(self.identity.state_dir().clone(), &mut past) {
            self.store = Some(Arc::new(store));
            self.surfaces.renew(self.world());
        }
    }

    /// Refuses clients of the daemon before from now on, and takes those that have come.
    pub(in crate::daemon) fn refuse_arrivals(&mut self) {
        self.arrivals.refuse();
        let last: Vec<_> = self.notices.try_iter().collect();
        for notice in last {
            if let Notice::Arrived(clients) = notice {
                drop(self.hand_out(clients));
            }
        }
    }

    /// Lets the workers hold clients of another daemon.
    pub(super) fn hold_all(&mut self, clients: Vec<(usize, Moved)>) -> TakenOver {
        sum(self.hand_out(clients))
    }

    /// Gives clients to the workers; each of them tells what came of it.
    pub(in crate::daemon) fn hand_out(
        &mut self,
        clients: Vec<(usize, Moved)>,
    ) -> Vec<mpsc::Receiver<TakenOver>> {
        let mut bindings: HashMap<Origin, Arc<Binding>> = HashMap::default();
        let mut of_workers: Vec<Vec<_>> = (0..self.workers.len()).map(|_| Vec::new()).collect();
        for (worker, moved) in clients {
            let origin = &moved.client.origin;
            let binding = bindings.entry(origin.clone());
            let binding =
                binding.or_insert_with(|| self.served.binding_of(origin, &self.identity.seed));
            let binding = Arc::clone(binding);
            let worker = worker % of_workers.len().max(1);
            if let Some(clients) = of_workers.get_mut(worker) {
                clients.push((moved, binding));
            }
        }
        let all = (0..).zip(of_workers);
        all.map(|(worker, clients)| self.workers.take_over(worker, clients)).collect()
    }
}

/// What came of it at all workers.
fn sum(taken: Vec<mpsc::Receiver<TakenOver>>) -> TakenOver {
    let mut sum = TakenOver::default();
    for taken in taken {
        // A worker that takes longer holds them all the same.
        let TakenOver { held, unknown } = taken.recv_timeout(PATIENCE).unwrap_or_default();
        sum.held += held;
        sum.unknown += unknown;
    }
    sum
}

/// The next frame, which is taken.
fn next(channel: &Channel) -> Result<(Frame, Vec<OwnedFd>), String> {
    let received = channel.receive()?;
    channel.send(&Frame::Taken, &[])?;
    Ok(received)
}

impl Predecessor {
    /// Tells that this program can serve, and waits until it is to.
    pub(in crate::daemon) fn ready(&mut self) -> Result<(), String> {
        self.channel.send(&Frame::Ready, &[])?;
        match self.channel.receive()? {
            (Frame::Serve, _) => Ok(()),
            _ => Err(DAMAGED.to_owned()),
        }
    }

    /// Tells why this program cannot serve after all.
    pub(in crate::daemon) fn refuse(&self, why: &str) {
        self.channel.refuse(why);
    }

    /// Lets the command that waits for this program go. Clients that come later, and signals, go to
    /// `notify`; says whether clients may come.
    fn go_on(mut self, notify: mpsc::Sender<Notice>, arrivals: Arrivals) -> bool {
        // This program goes on also where nobody waits for it.
        if let Some(Console { mut stdout, .. }) = self.console.take() {
            let _ = stdout.write_all(SERVES);
        }
        self.channel.wait_at_most(HANDSHAKES + 2 * PATIENCE);
        let mut pending = (self.left > 0).then(|| Pending(notify.clone()));
        let awaits_clients = pending.is_some();
        let take = move || {
            // Until the old daemon has ended.
            while let Ok((frame, files)) = self.channel.receive() {
                let notice = match frame {
                    Frame::Clients { worker, clients } if pending.is_some() => {
                        let moved = clients.into_iter().zip(files);
                        let moved = moved.map(|(client, fd)| Moved { fd, client: client.into() });
                        Notice::Arrived(moved.map(|it| (worker as usize, it)).collect())
                    }
                    Frame::Counters(counters) => {
                        // If these fail, the daemon has ended.
                        let _ = notify.send(Notice::Counted(counters));
                        pending = None;
                        continue;
                    }
                    Frame::Complete { .. } => {
                        // If the old daemon is gone, it needs no answer.
                        let _ = self.channel.send(&Frame::Taken, &[]);
                        continue;
                    }
                    Frame::Signal(signal) if OBEYED.contains(&signal) => {
                        // If this fails, the daemon has ended.
                        let _ = notify.send(Notice::Signal(signal));
                        continue;
                    }
                    _ => break,
                };
                // Only what is taken for sure is answered: the old daemon keeps the others.
                let take =
                    || notify.send(notice).is_ok() && self.channel.send(&Frame::Taken, &[]).is_ok();
                if !arrivals.take(take) {
                    break;
                }
            }
        };
        // Without a thread the connection ends, and the old daemon closes these clients.
        let thread = thread::Builder::new().name("hand-over".to_owned()).stack_size(128 * 1024);
        thread.spawn(take).is_ok() && awaits_clients
    }
}

impl Drop for Predecessor {
    fn drop(&mut self) {
        // This program has failed: the command that started it is to show why. It does so until its
        // standard output ends, which is when this process does.
        if let Some(Console { stdout, stderr }) = self.console.take() {
            let _ = rustix::stdio::dup2_stderr(&stderr);
            std::mem::forget(stdout);
        }
    }
}

impl Console {
    /// Puts other streams in the place of this process's.
    fn replace(stdout: &OwnedFd, stderr: &OwnedFd) -> io::Result<Self> {
        let console = Self {
            stdout: rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?.into(),
            stderr: rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?,
        };
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        Ok(console)
    }
}
