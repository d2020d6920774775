//! The daemon's life: start, signals, reload, stop.
//!
//! Everything that needs rights or can fail is done before the first thread starts: files and
//! ports are opened, then rights are dropped. After that only signals come.

mod changes;
mod check;
mod files;
mod logging;
mod pid_file;
mod ports;
mod prepare;
mod reload;
mod rules;
mod signals;
mod user;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use mio::{Poll, Waker};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use tarpit_proto::{keys::RsaKey, script::Profile};

pub(crate) use self::check::{Checked, check};
use self::{
    pid_file::PidFile,
    ports::Opened,
    prepare::{Prepared, open_main, open_trace, prepare},
    rules::rules,
    signals::watch_signals,
    user::become_user,
};
use crate::{
    admit::admission::{Admission, Port},
    keys::{host_keys::Completion, identity::Identity, state_dir::Touch},
    os::{clock::Clock, listen_socket::ListenSocket, privileges, sys, terminal},
    report::{
        live,
        log::Log,
        record::Record,
        totals::{Sum, Totals},
        trace::Kind,
        writer::{self, Health, Report, Target, Writer},
    },
    settings::{
        Placed, Purpose, Settings, Sink, Wanted,
        finding::{Finding, Gravity, in_order, plain},
    },
    worker::{self, COMMAND, Command, Listener, Notice, Setup, endpoints::Post, sender::Sender},
};

/// Exit code for what the system refused.
pub(crate) const REFUSED: u8 = 1;

/// Exit code for a wrong command line or configuration.
pub(crate) const MISUSED: u8 = 2;

/// From the signal to the end, whatever hangs.
const FAREWELL: Duration = Duration::from_millis(1_900);

/// What of that is kept for the log's last lines, should the trace hang.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often the live line is drawn.
const LIVE: Duration = Duration::from_secs(1);

/// Reads the configuration again, for SIGHUP; `Err` says why it cannot be used.
pub(crate) type Reread<'a> = &'a dyn Fn() -> Result<Settings, String>;

/// Serves `settings` until a signal ends it. `welcome` is said once everything is open.
pub(crate) fn run(settings: Settings, reread: Option<Reread<'_>>, welcome: &str) -> ExitCode {
    match Daemon::start(settings, reread.is_some()) {
        Ok(daemon) => daemon.live(reread, welcome),
        Err(findings) => {
            let code = exit_code(&findings);
            for finding in in_order(findings) {
                complain(&finding);
            }
            code
        }
    }
}

/// Says a problem where the user of the command line looks.
fn complain(problem: &Finding) {
    let program = if problem.is_placed() { "" } else { "tarpitd: " };
    // There is nobody else to tell.
    let _ = writeln!(io::stderr(), "{program}{problem}");
}

/// How a program ends that found this.
pub(crate) fn exit_code(findings: &[Finding]) -> ExitCode {
    let any = |asks: fn(&Finding) -> bool| findings.iter().any(asks);
    match () {
        () if any(|finding| finding.gravity == Gravity::Wrong) => ExitCode::from(MISUSED),
        () if any(Finding::is_refusal) => ExitCode::from(REFUSED),
        () => ExitCode::SUCCESS,
    }
}

/// Says that the system does not let us start.
fn no_start(error: &io::Error) -> Finding {
    let cure = match Errno::from_io_error(error) {
        Some(Errno::MFILE) => files::CURE,
        _ => "give it more memory and processes",
    };
    Finding::new(Gravity::Refused, None, format!("cannot start: {}; {cure}", plain(error)))
}

/// A running daemon.
struct Daemon {
    settings: Settings,
    clock: Clock,
    identity: Identity,
    /// What newcomers at each tarpit are held under, in the order of the configuration.
    profiles: Vec<Profile>,
    log: Log,
    trace: Writer,
    file_limit: u64,
    admission: Arc<Admission>,
    bound: Vec<Bound>,
    next_key: u64,
    workers: Vec<Worker>,
    notices: Receiver<Notice>,
    /// Removed when the daemon ends.
    _pid_file: Option<PidFile>,
    notify: mpsc::Sender<Notice>,
}

/// A worker from outside.
struct Worker {
    thread: JoinHandle<io::Result<()>>,
    commands: mpsc::Sender<Command>,
    waker: Waker,
    totals: Arc<Totals>,
    ended: bool,
}

/// A port as it was asked for and as it was got.
struct Bound {
    key: u64,
    wanted: Wanted,
    /// What new clients are held under.
    post: Arc<Post>,
}

impl Daemon {
    /// Opens all that is needed and lets the workers run. `has_file`: the configuration is a file.
    fn start(settings: Settings, has_file: bool) -> Result<Self, Vec<Finding>> {
        let clock = Clock::start();
        let Prepared { files, identity, profiles, targets, opened, user, findings, unbound } =
            prepare(&settings, clock, Touch::Keep);
        let (mut refusals, warnings): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(Finding::is_refusal);
        let serves_others = refusals.is_empty() && !opened.is_empty();
        if !(unbound.is_empty() || settings.keep_going && serves_others) {
            refusals.extend(unbound.iter().cloned());
            if serves_others {
                let what = "no address is served; --keep-going serves the others";
                refusals.push(Finding::new(Gravity::Refused, None, what));
            }
        }
        let (Some(identity), Some(profiles), Some((main, trace)), true) =
            (identity, profiles, targets, refusals.is_empty())
        else {
            return Err(refusals);
        };
        let pid_file = settings.pid_file.as_deref().map(PidFile::write).transpose();
        let pid_file = pid_file.map_err(|what| vec![Finding::new(Gravity::Refused, None, what)])?;
        if let Some(user) = user {
            become_user(&settings, user, &identity, (&main, &trace)).map_err(|it| vec![it])?;
        }
        let (notify, notices) = mpsc::channel();
        let start = || -> io::Result<(Log, Writer)> {
            let log = Log::open(&settings.logging.main, main, settings.logging.level, clock)?;
            let reporter = log.clone();
            let report = Report::to(move |name, health| report(&reporter, name, health));
            let trace = Writer::spawn("trace", trace, clock, report, writer::ROOM)?;
            watch_signals(notify.clone())?;
            Ok((log, trace))
        };
        let (log, trace) = start().map_err(|error| vec![no_start(&error)])?;
        for problem in unbound {
            log.error(format_args!("{problem}"));
        }
        for warning in &settings.warnings {
            log.warning(format_args!("{warning}"));
        }
        for warning in in_order(warnings) {
            log.warning(format_args!("{warning}"));
        }
        if privileges::is_root() {
            let cure =
                if has_file { "`user = \"nobody\"` in the configuration" } else { "-u nobody" };
            log.warning(format_args!(
                "running as root; with {cure} tarpitd drops root once the ports are open"
            ));
        }
        let caps = files.caps(&settings);
        let mut daemon = Self {
            clock,
            identity,
            profiles,
            log,
            trace,
            file_limit: files.limit,
            admission: Arc::new(Admission::new(caps)),
            bound: Vec::new(),
            next_key: 0,
            workers: Vec::new(),
            notices,
            _pid_file: pid_file,
            notify,
            settings,
        };
        let mut listeners = daemon.lists_of_listeners(opened.len());
        for one in opened {
            daemon.add(one, &mut listeners);
        }
        daemon.spawn(listeners).map_err(|error| vec![no_start(&error)])?;
        daemon.complete_keys();
        sys::release_pages();
        Ok(daemon)
    }

    fn lists_of_listeners(&self, count: usize) -> Vec<Vec<Listener>> {
        (0..self.settings.workers.get()).map(|_| Vec::with_capacity(count)).collect()
    }

    /// Gives the workers their listeners of the port that was opened.
    fn add(&mut self, opened: Opened, listeners: &mut [Vec<Listener>]) {
        let Opened { wanted, sockets } = opened;
        let tarpit = &self.settings.tarpits[wanted.index];
        let Some(address) = sockets.first().map(ListenSocket::address) else { return };
        let port = Arc::new(Port::new(address));
        let key = self.next_key;
        self.next_key += 1;
        let served = self.post(wanted, &port);
        let first = match wanted.purpose {
            Purpose::Clients => {
                let pattern = tarpit.pattern.name();
                self.log.notice(format_args!("{}: {pattern} on {address}", tarpit.name));
                0
            }
            Purpose::Data(worker) => {
                self.log.debug(format_args!("{}: data on {address}", tarpit.name));
                worker
            }
        };
        for (socket, listeners) in sockets.into_iter().zip(listeners.iter_mut().skip(first)) {
            listeners.push(Listener::new(key, socket, Arc::clone(&served)));
        }
        self.bound.push(Bound { key, wanted, post: served });
    }

    /// What newcomers to a port are held under.
    fn post(&self, wanted: Wanted, port: &Arc<Port>) -> Arc<Post> {
        let tarpit = &self.settings.tarpits[wanted.index];
        let mut profile = self.profiles[wanted.index].clone();
        let data = wanted.purpose != Purpose::Clients;
        if data {
            profile.pattern = profile.pattern.about().data.unwrap_or(profile.pattern);
            // Whoever comes has been asked to, and need show nothing.
            profile.validate = false;
        }
        Arc::new(Post {
            name: tarpit.name.clone(),
            profile,
            max_clients: tarpit.max_clients.map_or(0, std::num::NonZeroU32::get),
            traced: tarpit.client_trace,
            data,
            port: Arc::clone(port),
        })
    }

    fn spawn(&mut self, listeners: Vec<Vec<Listener>>) -> io::Result<()> {
        let rules = rules(&self.settings, listeners.len());
        for (number, listeners) in listeners.into_iter().enumerate() {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), COMMAND)?;
            let totals = Arc::new(Totals::default());
            let (commands, receiver) = mpsc::channel();
            let mut record =
                Record::new(self.clock, self.log.clone(), Arc::clone(&totals), self.trace.clone());
            record.set(rules.style, rules.trace_per_second);
            let sender = self.sender();
            let setup = Setup {
                poll,
                clock: self.clock,
                seed: self.identity.seed.clone(),
                listeners,
                admission: Arc::clone(&self.admission),
                rules: rules.clone(),
                sender,
                record,
                commands: receiver,
                notify: self.notify.clone(),
            };
            let notify = self.notify.clone();
            let thread = thread::Builder::new()
                .name("worker".to_owned())
                .stack_size(256 * 1024)
                .spawn(move || {
                    let result = worker::run(setup);
                    // If nobody hears it the daemon has ended.
                    let _ = notify.send(Notice::WorkerEnded(number));
                    result
                })?;
            self.workers.push(Worker { thread, commands, waker, totals, ended: false });
        }
        Ok(())
    }

    /// What a worker sends by.
    fn sender(&self) -> Sender {
        if !self.settings.io_uring {
            return Sender::default();
        }
        Sender::with_ring().unwrap_or_else(|error| {
            // The first worker's word stands for all: what one is refused, so are the others.
            if self.workers.is_empty() {
                self.log.notice(format_args!(
                    "io_uring unavailable ({error}), using one send() per client"
                ));
            }
            Sender::default()
        })
    }

    /// Lives until a signal ends it.
    fn live(mut self, reread: Option<Reread<'_>>, welcome: &str) -> ExitCode {
        if !welcome.is_empty() {
            // As with every word to a terminal: if nobody is there, nobody misses it.
            let _ = write!(io::stderr(), "{welcome}");
        }
        let watched = live::is_watched();
        // What was started by hand on a terminal ends with it.
        let ends_with_terminal = reread.is_none() && terminal::is_attended();
        loop {
            if watched {
                live::draw(&self.sum());
            }
            // We hold a sender ourselves, so that there is always something to come.
            let notice = if watched {
                self.notices.recv_timeout(LIVE)
            } else {
                self.notices.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match notice {
                Err(RecvTimeoutError::Timeout) => {}
                // So that the next reload opens it anew.
                Ok(Notice::ListenerLost(key)) => {
                    self.bound.retain(|bound| bound.key != key);
                    // Other workers may still have their part of the port.
                    self.open_listeners(Vec::new());
                }
                Ok(Notice::RsaKey(key)) => self.show_key(key),
                Ok(Notice::Signal(SIGHUP)) if ends_with_terminal => {
                    self.stop(watched);
                    return ExitCode::SUCCESS;
                }
                Ok(Notice::Signal(SIGHUP)) => self.reload(reread),
                Ok(Notice::Signal(SIGUSR1)) => self.tell_totals(),
                Ok(Notice::Signal(SIGUSR2)) => self.reopen("SIGUSR2"),
                Ok(Notice::Signal(_)) | Err(RecvTimeoutError::Disconnected) => {
                    self.stop(watched);
                    return ExitCode::SUCCESS;
                }
                Ok(Notice::WorkerEnded(number)) => {
                    self.note_end(number);
                    self.log.error(format_args!(
                        "a worker thread ended unexpectedly; stopping the daemon"
                    ));
                    self.stop(watched);
                    return ExitCode::from(REFUSED);
                }
            }
        }
    }

    /// Lets newcomers be shown the host key that has been made.
    fn show_key(&mut self, key: Arc<RsaKey>) {
        self.identity.add(key);
        for profile in self.profiles.iter_mut().filter(|profile| profile.host_keys.is_some()) {
            profile.host_keys = self.identity.host_keys();
        }
        for mut bound in std::mem::take(&mut self.bound) {
            bound.post = self.post(bound.wanted, &bound.post.port);
            self.bound.push(bound);
        }
        self.open_listeners(Vec::new());
        sys::release_pages();
    }

    /// Lets the host keys be completed if a listener shows them.
    fn complete_keys(&mut self) {
        if self.profiles.iter().any(|profile| profile.host_keys.is_some()) {
            let (log, notify) = (self.log.clone(), self.notify.clone());
            self.identity.complete_keys(move |completion| match completion {
                // Without a daemon nobody needs it.
                Completion::Key(key) => drop(notify.send(Notice::RsaKey(key))),
                Completion::Problem(what) => log.error(format_args!("{what}")),
            });
        }
    }

    /// Lets everybody go.
    fn stop(mut self, watched: bool) {
        let begun = self.clock.now();
        if watched {
            live::end();
        }
        for worker in &self.workers {
            send(worker, Command::Stop);
        }
        let clock = self.clock;
        let left = || FAREWELL.saturating_sub(clock.now().since(begun));
        while self.workers.iter().any(|worker| !worker.ended) {
            match self.notices.recv_timeout(left().saturating_sub(LAST_WORDS)) {
                Ok(Notice::WorkerEnded(number)) => self.note_end(number),
                // Nothing else changes what is left to do.
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // The trace first, so that the totals know of every line that was lost.
        self.trace.flush(left().saturating_sub(LAST_WORDS));
        match self.trace.abandon() {
            0 => {}
            lines => self
                .log
                .error(format_args!("trace reader is stuck: {lines} waiting lines are lost")),
        }
        self.tell_totals();
        self.log.notice(format_args!("stopped"));
        self.log.flush(left());
        for worker in self.workers.extract_if(.., |worker| worker.ended) {
            if let Ok(Err(error)) = worker.thread.join() {
                let what = format!("a worker thread ended: {}", plain(&error));
                complain(&Finding::new(Gravity::Refused, None, what));
            }
        }
    }

    fn note_end(&mut self, worker: usize) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.ended = true;
        }
    }

    fn tell_totals(&self) {
        let Sum { opened, held, refused, sent, received, left_out, time } = self.sum();
        let mut by_event = String::new();
        for (kind, count) in Kind::ALL.iter().zip(left_out).filter(|&(_, count)| count > 0) {
            let _ = write!(by_event, " left_out_{}={count}", kind.name());
        }
        self.log.notice(format_args!(
            "totals: held={held} opened={opened} refused={refused} seconds={:.3} sent={sent} \
             received={received} left_out_trace_lines={}{by_event} lost_trace_lines={}",
            time.as_secs_f64(),
            left_out.iter().sum::<u64>(),
            self.trace.lost(),
        ));
    }

    fn sum(&self) -> Sum {
        Sum::of(self.workers.iter().map(|worker| &*worker.totals), self.clock.now())
    }

    /// Opens the files anew, for whoever has renamed them. `signal` has asked for it.
    fn reopen(&self, signal: &str) {
        let logging = &self.settings.logging;
        let mut opened = Vec::new();
        let mut keep = |sink: &Placed<Sink>,
                        open: &dyn Fn(&Settings) -> Result<Target, Finding>,
                        reopen: &dyn Fn(Target)| match open(&self.settings) {
            Ok(target) => {
                reopen(target);
                opened.extend(matches!(**sink, Sink::File(_)).then(|| sink.to_string()));
            }
            Err(problem) => self.log.error(format_args!("{problem}; the old file stays in use")),
        };
        keep(&logging.main, &open_main, &|target| self.log.reopen(target));
        keep(&logging.client_trace, &open_trace, &|target| self.trace.reopen(target));
        let is_file = |sink: &Placed<Sink>| matches!(**sink, Sink::File(_));
        if !opened.is_empty() {
            self.log.notice(format_args!("{signal}: reopened {}", opened.join(" and ")));
        } else if !is_file(&logging.main) && !is_file(&logging.client_trace) {
            self.log.notice(format_args!(
                "{signal}: nothing to reopen: the log and the trace go to {} and {}",
                logging.main.value, logging.client_trace.value
            ));
        }
    }
}

fn send(worker: &Worker, command: Command) {
    // A worker that has ended is found by whoever waits for it.
    let _ = worker.commands.send(command);
    let _ = worker.waker.wake();
}

fn report(log: &Log, name: &str, health: Health<'_>) {
    match health {
        Health::Failing(error) => log.error(format_args!(
            "cannot write the trace to {name}: {error}; lines are lost until it works again, \
             clients stay held"
        )),
        Health::Recovered(lost) => {
            log.notice(format_args!("writing the trace to {name} again; {lost} lines were lost"));
        }
    }
}
