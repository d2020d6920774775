//! The daemon: start, signals, stop.
//!
//! Everything that needs rights or can fail comes before the first thread: the daemon opens files
//! and ports, then drops its rights. After that it only waits for signals, workers and keys.

mod activated;
mod changes;
mod check;
mod confinement;
mod files;
mod geoip;
mod hand_over;
mod kept;
mod logging;
mod login;
mod pid_file;
mod plan;
mod ports;
mod prepare;
mod reload;
mod rules;
mod same_file;
mod served;
mod service_manager;
mod signals;
mod surfaces;
mod tallies;
mod targets;
mod user;
mod workers;

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use rustix::{io::Errno, process::geteuid};
use signal_hook::consts::{SIGHUP, SIGSYS, SIGTERM, SIGUSR1, SIGUSR2};
use tarpit_proto::keys::RsaKey;

use self::{
    activated::Activated,
    confinement::Confinement,
    files::Files,
    geoip::Watch,
    hand_over::{
        give::Given,
        store,
        take::{Arrivals, Inheritance, Predecessor, meet},
    },
    kept::{Draft, Keeping, Kept},
    pid_file::PidFile,
    prepare::{Parts, Ready, prepare},
    reload::Waiting,
    rules::rules,
    served::Served,
    service_manager::ServiceManager,
    signals::watch_signals,
    surfaces::{OpenedSurface, Surfaces},
    tallies::Tallies,
    targets::{open_main, open_trace},
    user::become_user,
    workers::{Common, Workers, senders},
};
pub(crate) use self::{
    check::{Checked, check},
    hand_over::take::{HAND_OVER, SERVES},
};
use crate::{
    admin::{
        World,
        control::status::{About, InForce},
        metrics::saved::{Past, Store},
        page::{self, PageState},
    },
    admit::admission::Admission,
    keys::{host_keys::Completion, identity::Identity, state_dir::Touch},
    os::{clock::Clock, notify_socket::NotifySocket, passed_sockets, privileges, terminal},
    report::{
        live_line,
        log::Log,
        target::Target,
        totals::Sum,
        trace::Kind,
        writer::{self, Health, Report, Writer},
    },
    settings::{
        Placed, Purpose, Settings, Sink,
        finding::{Finding, Gravity, in_order, plain},
    },
    worker::{self, HashKeys, Notice},
};

/// Exit code if the system refused something.
pub(crate) const REFUSED: u8 = 1;

/// Exit code for a wrong command line or configuration.
pub(crate) const MISUSED: u8 = 2;

/// The most time from the signal to the end, even if something hangs.
const FAREWELL: Duration = Duration::from_millis(1_900);

/// The part of that time for the log's last lines, in case the trace hangs.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often the live line is drawn.
const REDRAW: Duration = Duration::from_secs(1);

/// How often the daemon retries addresses that wait for a busy worker.
const RETRY: Duration = Duration::from_secs(1);

/// A configuration that can be read again, for SIGHUP.
#[derive(Clone, Copy)]
pub(crate) struct Reread<'a> {
    pub(crate) file: &'a Path,
    /// Reads it; `Err` says why it cannot be used.
    pub(crate) read: &'a dyn Fn() -> Result<Settings, String>,
}

/// Serves `settings` until a signal ends it. `welcome` is said once everything is open.
pub(crate) fn run(settings: Settings, reread: Option<Reread<'_>>, welcome: &str) -> ExitCode {
    let from = match meet().transpose() {
        Ok(from) => from,
        Err(why) => {
            complain(&Finding::new(Gravity::Refused, None, format!("cannot take over: {why}")));
            return ExitCode::from(REFUSED);
        }
    };
    // Only a person who starts it by hand is to be welcomed.
    let welcome = if from.is_some() { "" } else { welcome };
    match Daemon::start(settings, reread.map(|it| it.file), from) {
        Ok(daemon) => daemon.serve(reread, welcome),
        Err(findings) => {
            let code = exit_code(&findings);
            for finding in in_order(findings) {
                complain(&finding);
            }
            code
        }
    }
}

/// Prints a problem to standard error.
fn complain(problem: &Finding) {
    let program = if problem.is_placed() { "" } else { "tarpitd: " };
    // If this fails, there is no other place to say so.
    let _ = writeln!(io::stderr(), "{program}{problem}");
}

/// The exit code for these findings.
pub(crate) fn exit_code(findings: &[Finding]) -> ExitCode {
    let any = |asks: fn(&Finding) -> bool| findings.iter().any(asks);
    match () {
        () if any(|finding| finding.gravity == Gravity::Wrong) => ExitCode::from(MISUSED),
        () if any(Finding::is_refusal) => ExitCode::from(REFUSED),
        () => ExitCode::SUCCESS,
    }
}

/// Reports that the system refuses something.
fn refused(what: String) -> Finding {
    Finding::new(Gravity::Refused, None, what)
}

/// Opens the file for the process number, if there is to be one, and writes it, unless an earlier
/// daemon's is in it as long as that one serves.
fn open_pid_file(
    settings: &Settings,
    predecessor: Option<&Predecessor>,
) -> Result<Option<PidFile>, Vec<Finding>> {
    let Some(path) = &settings.pid_file else { return Ok(None) };
    let before = predecessor.map(|it| it.pid);
    let open = || {
        let mut file = PidFile::open(path, before)?;
        if before.is_none() {
            file.write()?;
        }
        Ok(Some(file))
    };
    open().map_err(|what| vec![refused(what)])
}

/// Reports that the system does not allow a start.
fn no_start(error: &io::Error) -> Finding {
    let cure = match Errno::from_io_error(error) {
        Some(Errno::MFILE) => files::CURE,
        _ => "give it more memory and processes",
    };
    Finding::new(Gravity::Refused, None, format!("cannot start: {}; {cure}", plain(error)))
}

/// The same of the workers.
fn no_worker(error: &io::Error) -> Vec<Finding> {
    vec![no_start(error)]
}

/// A running daemon.
struct Daemon {
    served: Served,
    clock: Clock,
    identity: Identity,
    keys: HashKeys,
    log: Log,
    trace: Writer,
    file_limit: u64,
    admission: Arc<Admission>,
    workers: Workers,
    notices: Receiver<Notice>,
    notify: mpsc::Sender<Notice>,
    /// The addresses that the last reload could not open yet.
    waiting: Option<Waiting>,
    surfaces: Surfaces,
    /// What earlier daemons counted, if there are metrics and that is kept.
    store: Option<Arc<Store>>,
    /// The same of the daemon that this one goes on for, until there are metrics.
    past: Option<Past>,
    /// What an earlier daemon kept, at the start.
    kept: Kept,
    /// The file of the same for the next start.
    keeping: Keeping,
    /// What the page keeps, while there is one.
    page: Option<Arc<PageState>>,
    /// The files of `[geoip]` as they were seen last.
    geoip: Watch,
    /// The service manager that started the daemon, if one did.
    manager: Option<ServiceManager>,
    /// What the daemon may still do.
    confinement: Confinement,
    /// The sockets that it has opened.
    activated: Activated,
    /// When the configuration was last reloaded: since 1970.
    reloaded: Option<Duration>,
    /// Whether clients of the daemon before may still come.
    is_taking: bool,
    /// Whether these are still taken.
    arrivals: Arrivals,
    /// Whether INT or TERM has come, even if its notice still waits.
    is_ending: Arc<AtomicBool>,
    /// Removed when the daemon ends.
    pid_file: Option<PidFile>,
}

/// What there was before this process.
struct Before {
    /// The daemon that hands over to this one.
    predecessor: Option<Predecessor>,
    inheritance: Inheritance,
    /// What came through the store, beside that.
    left: store::Left,
    activated: Activated,
    found: Vec<Finding>,
}

impl Before {
    /// Takes the sockets that this process was started with, and gives the tarpits theirs.
    fn find(
        settings: &mut Settings,
        from: Option<(Predecessor, Inheritance)>,
    ) -> Result<Self, Vec<Finding>> {
        let passed = passed_sockets::take().map_err(|what| vec![refused(what)])?;
        let (clients, mut passed): (Vec<_>, _) = passed.into_iter().partition(store::is_client);
        let (stored, left, unusable) = store::find(settings, clients);
        let (predecessor, inheritance) = from.unzip();
        let mut inheritance = inheritance.or(stored).unwrap_or_else(|| {
            let first = Inheritance::nothing();
            Inheritance { kept: Kept::read(settings, first.clock), ..first }
        });
        passed.append(&mut inheritance.activated);
        let activated = Activated::new(passed);
        let unreadable = std::mem::take(&mut inheritance.kept.unreadable);
        let found = activated.give_to(settings).into_iter().chain(unusable).chain(unreadable);
        let found = found.collect();
        Ok(Self { predecessor, inheritance, left, activated, found })
    }
}

impl Daemon {
    /// Opens everything and starts the workers. `file` is the configuration, if it is one that can
    /// be read again. `from` is the daemon that this one goes on for.
    fn start(
        mut settings: Settings,
        file: Option<&Path>,
        from: Option<(Predecessor, Inheritance)>,
    ) -> Result<Self, Vec<Finding>> {
        // Before any file is opened.
        let before = Before::find(&mut settings, from)?;
        let Before { predecessor, mut inheritance, left, activated, found } = before;
        let (clock, keys) = (inheritance.clock, inheritance.keys);
        // Later there may be no right to connect.
        let manager = NotifySocket::of_environment();
        let there = (&activated, &mut inheritance.inherited);
        let ready = prepare(&settings, clock, Touch::Keep, there);
        let ready = ready.with(found).ready(settings.keep_going)?;
        let Ready { parts, identity, profiles, anonymizer, targets: (main, trace), warnings } =
            ready;
        let Parts { files, geoip, opened, surfaces, user, unbound } = parts;
        let pid_file = open_pid_file(&settings, predecessor.as_ref())?;
        if let Some(user) = user {
            become_user(&settings, user, &identity, (&main, &trace), &surfaces)
                .map_err(|it| vec![it])?;
        }
        let mut confinement = Confinement::enter(&settings, file).map_err(|it| vec![it])?;
        let (notify, notices) = mpsc::channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let start = || -> io::Result<(Log, Writer)> {
            let log = Log::open(&settings.logging.main, main, settings.logging.level, clock)?;
            let reporter = log.clone();
            let report = Report::to(move |name, health| report(&reporter, name, health));
            // A reload may let a tarpit be traced; then the room comes with the first lines.
            let room = if settings.is_traced() { writer::ROOM } else { 0 };
            let trace = Writer::spawn("trace", trace, clock, report, room)?;
            let denials = Confinement::is_on(&settings);
            watch_signals(notify.clone(), Arc::clone(&is_ending), denials)?;
            Ok((log, trace))
        };
        let (log, trace) = start().map_err(|error| vec![no_start(&error)])?;
        let manager = ServiceManager::new(manager, clock, &log, identity.is_kept());
        for problem in unbound {
            log.error(format_args!("{problem}"));
        }
        warn(&log, &settings, warnings, file.is_some());
        let admission = Arc::new(Admission::new(files.caps(&settings)));
        let workers = settings.workers.get();
        let mut listeners: Vec<_> =
            (0..workers).map(|_| Vec::with_capacity(opened.len())).collect();
        let tallies = Tallies::new(workers, inheritance.counted());
        let mut served = Served::new(settings, profiles, (anonymizer, geoip), tallies);
        for one in opened {
            served.add(one, &mut listeners, &log);
        }
        let common = Common {
            clock,
            seed: &identity.seed,
            keys,
            admission: &admission,
            rules: rules(&served, workers),
            kept: inheritance.kept.of_workers(&served.settings),
            log: &log,
            trace: &trace,
            notify: &notify,
        };
        // As long as an earlier daemon serves, this one must not; and its clients come first.
        let goes_on = predecessor.is_some() || !inheritance.clients.is_empty();
        let none = || (0..workers).map(|_| Vec::new()).collect();
        let (at_once, later) = if goes_on { (none(), Some(listeners)) } else { (listeners, None) };
        let senders = senders(workers, served.settings.io_uring, &log);
        confinement.filter_calls(&served.settings, &log).map_err(|it| vec![it])?;
        let workers = Workers::spawn(at_once, senders, &common).map_err(|it| no_worker(&it))?;
        let geoip = Watch::new(&served.settings, clock.now());
        let mut daemon = Self {
            served,
            clock,
            identity,
            keys,
            log,
            trace,
            file_limit: files.limit,
            admission,
            workers,
            notices,
            notify,
            waiting: None,
            surfaces: Surfaces::default(),
            store: None,
            past: inheritance.past.take(),
            kept: std::mem::take(&mut inheritance.kept),
            keeping: Keeping::new(clock.now()),
            page: None,
            geoip,
            manager,
            confinement,
            activated,
            reloaded: None,
            is_taking: false,
            arrivals: Arrivals::default(),
            is_ending,
            pid_file,
        };
        daemon.begin(predecessor, inheritance, (surfaces, later))?;
        daemon.settle(left);
        daemon.complete_keys();
        Ok(daemon)
    }

    /// Serves these sockets; where this daemon goes on for another one, once that one hands over, and
    /// then with its clients and `later` with these listeners.
    fn begin(
        &mut self,
        mut predecessor: Option<Predecessor>,
        inheritance: Inheritance,
        (surfaces, later): (Vec<OpenedSurface>, Option<Vec<Vec<worker::Listener>>>),
    ) -> Result<(), Vec<Finding>> {
        if let Some(predecessor) = &mut predecessor {
            let turn = predecessor.ready();
            turn.map_err(|why| vec![refused(format!("cannot take over: {why}"))])?;
        }
        let world = self.world_to_serve();
        if let Err(error) = self.surfaces.serve(surfaces, world, &self.log) {
            let why = no_start(&error);
            if let Some(predecessor) = &predecessor {
                predecessor.refuse(&why.to_string());
            }
            return Err(vec![why]);
        }
        if let Some(listeners) = later {
            self.go_on(inheritance, listeners, predecessor.as_ref());
        }
        if let Some(predecessor) = predecessor {
            self.succeed(predecessor);
        }
        Ok(())
    }

    /// Writes this process's number in the place of another daemon's. While clients are held, a
    /// disk that is full is no reason to end.
    fn write_pid_file(&mut self) {
        if let Some(Err(what)) = self.pid_file.as_mut().map(PidFile::write) {
            self.log.error(format_args!("{what}"));
        }
    }

    /// Waits for signals, workers and keys until a signal ends the daemon.
    fn serve(mut self, reread: Option<Reread<'_>>, welcome: &str) -> ExitCode {
        if !welcome.is_empty() {
            // If the terminal is gone, nobody misses these lines.
            let _ = write!(io::stderr(), "{welcome}");
        }
        let watched = live_line::is_watched();
        // A daemon that was started by hand on a terminal ends with it.
        let ends_with_terminal = reread.is_none() && terminal::is_attended();
        self.notify_manager(ServiceManager::is_ready);
        loop {
            if watched {
                live_line::draw(&self.sum());
            }
            self.open_waiting();
            self.look_at_databases();
            self.keep();
            if let Some(manager) = &mut self.manager {
                let held =
                    || self.workers.sum(self.served.tallies.tarpits(), self.clock.now()).held;
                manager.beat(held, &self.workers, &self.notify);
            }
            let beat = self.manager.as_ref().map(ServiceManager::patience);
            let redraw = watched.then_some(REDRAW);
            let retry = self.waiting.is_some().then_some(RETRY);
            let patience = [retry, redraw, beat, self.until_look(), self.until_kept()]
                .into_iter()
                .flatten()
                .min();
            // The daemon holds a sender itself, so the channel never closes.
            let notice = match patience {
                Some(patience) => self.notices.recv_timeout(patience),
                None => self.notices.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match notice {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Notice::Databases(look, databases, findings)) => {
                    self.take_databases(look, databases, findings);
                }
                Ok(Notice::Arrived(clients)) => drop(self.hand_out(clients)),
                Ok(Notice::ArrivedAll) => self.is_taking = false,
                Ok(Notice::Counted(counters)) => self.go_on_from(&counters),
                Ok(Notice::HandOver(stream)) => match self.hand_over(stream) {
                    Given::Kept => {}
                    Given::Over(successor) => return self.leave(successor, watched),
                },
                // The next reload opens it again.
                Ok(Notice::ListenerLost(key)) => {
                    self.served.lose(key);
                    // Other workers may still serve their part of the port.
                    let _ = self.open_listeners(Vec::new());
                }
                Ok(Notice::RsaKey(key)) => self.show_key(key),
                Ok(Notice::Signal(SIGHUP)) if ends_with_terminal => {
                    self.stop(watched);
                    return ExitCode::SUCCESS;
                }
                Ok(Notice::Reload(answer)) => {
                    let outcome = self.reload(reread, "reload");
                    // If nobody waits for it any more, the log has it.
                    let _ = answer.send(outcome);
                }
                // The log tells the outcome.
                Ok(Notice::Signal(SIGHUP)) => drop(self.reload(reread, "SIGHUP")),
                Ok(Notice::WorkersTurn) => self.notify_manager(ServiceManager::is_alive),
                Ok(Notice::Signal(SIGSYS)) => self.tell_denied(),
                Ok(Notice::Signal(SIGUSR1)) => self.tell_totals(),
                Ok(Notice::Signal(SIGUSR2)) => self.reopen("SIGUSR2"),
                Ok(Notice::Signal(SIGTERM)) if self.has_store() => {
                    return self.stop_for_restart(watched);
                }
                Ok(Notice::Signal(_)) | Err(RecvTimeoutError::Disconnected) => {
                    self.stop(watched);
                    return ExitCode::SUCCESS;
                }
                Ok(Notice::WorkerEnded) => {
                    self.log.error(format_args!(
                        "a worker thread ended unexpectedly; stopping the daemon"
                    ));
                    self.stop(watched);
                    return ExitCode::from(REFUSED);
                }
            }
        }
    }

    /// Tells which system calls the sandbox has denied.
    fn tell_denied(&mut self) {
        for call in self.confinement.denied() {
            self.log.error(format_args!(
                "the sandbox has denied the system call {call}; clients stay held. Report this as \
                 a fault of tarpitd; [sandbox] mode = \"off\" allows the call"
            ));
        }
    }

    /// Tells the service manager something, if there is one.
    fn notify_manager(&mut self, what: impl FnOnce(&mut ServiceManager)) {
        self.manager.as_mut().map(what);
    }

    /// Shows new clients the host key that was made.
    fn show_key(&mut self, key: Arc<RsaKey>) {
        self.identity.add(key);
        self.served.show(self.identity.host_keys().as_ref());
        // The daemon does not wait until the workers show it.
        let _ = self.open_listeners(Vec::new());
    }

    /// Lets the host keys be completed if a listener shows them.
    fn complete_keys(&mut self) {
        if let Some(persona) = self.served.host_key_persona() {
            let (log, notify) = (self.log.clone(), self.notify.clone());
            self.identity.complete_keys(persona, move |completion| match completion {
                // If the daemon has ended, nobody needs the key.
                Completion::Key(key) => drop(notify.send(Notice::RsaKey(key))),
                Completion::Problem(what) => log.error(format_args!("{what}")),
            });
        }
    }

    /// Ends the workers, which close all clients, and writes the last lines of trace and log.
    fn stop(mut self, watched: bool) {
        let begun = self.clock.now();
        self.refuse_arrivals();
        if watched {
            live_line::end();
        }
        self.notify_manager(ServiceManager::stops);
        self.surfaces.stop();
        let draft = self.draft();
        let left = || FAREWELL.saturating_sub(self.clock.now().since(begun));
        let have_ended = self.workers.stop(left().saturating_sub(LAST_WORDS));
        self.write_last(draft, left, format_args!("stopped"));
        for error in self.workers.errors(have_ended) {
            let what = format!("a worker thread ended: {}", plain(&error));
            complain(&Finding::new(Gravity::Refused, None, what));
        }
    }

    /// Writes the last lines of trace and log, and what goes on after a restart, in the time that is
    /// `left`.
    fn write_last(
        &self,
        draft: Option<Draft>,
        left: impl Fn() -> Duration,
        farewell: fmt::Arguments<'_>,
    ) {
        // The trace first, so that the totals count every lost line.
        self.trace.flush(left().saturating_sub(LAST_WORDS));
        self.abandon_trace();
        self.save(draft, left());
        self.tell_totals();
        self.log.notice(farewell);
        self.log.flush(left());
    }

    /// Tells of the lines of the trace that still wait, which are lost with this process.
    fn abandon_trace(&self) {
        match self.trace.abandon() {
            0 => {}
            lines => self
                .log
                .error(format_args!("trace reader is stuck: {lines} waiting lines are lost")),
        }
    }

    fn tell_totals(&self) {
        let Sum { opened, held, refused, health_checks, sent, received, left_out, time } =
            self.sum();
        let mut by_event = String::new();
        for (kind, count) in Kind::ALL.iter().zip(left_out).filter(|&(_, count)| count > 0) {
            let _ = write!(by_event, " left_out_{}={count}", kind.name());
        }
        if health_checks > 0 {
            let _ = write!(by_event, " health_checks={health_checks}");
        }
        self.log.notice(format_args!(
            "totals: held={held} opened={opened} refused={refused} seconds={:.3} sent={sent} \
             received={received} left_out_trace_lines={}{by_event} lost_trace_lines={}",
            time.as_secs_f64(),
            left_out.iter().sum::<u64>(),
            self.trace.lost(),
        ));
    }

    /// What the admin server sees from now on, with all that its surfaces keep.
    fn world_to_serve(&mut self) -> World {
        self.open_store();
        self.keep_page();
        self.world()
    }

    /// Begins what the page keeps, and forgets it once there is no page: what came in between would
    /// be missing.
    fn keep_page(&mut self) {
        let earlier = self.kept.page(self.clock.now());
        if self.served.settings.web.bind.is_empty() {
            self.page = None;
        } else if self.page.is_none() {
            let is_first = earlier.is_none();
            self.page = Some(Arc::new(earlier.unwrap_or_default()));
            if is_first {
                page::sample(&self.world());
            }
        }
    }

    /// Reads what earlier daemons counted, once there are metrics.
    fn open_store(&mut self) {
        if self.store.is_some() || self.served.settings.metrics.bind.is_empty() {
            return;
        }
        let directory = self.identity.state_dir().clone();
        if let Some(store) = self.past.as_mut().and_then(|past| Store::going_on(directory, past)) {
            self.store = Some(Arc::new(store));
            return;
        }
        if let Some((store, told)) = Store::open(self.identity.state_dir().clone()) {
            if let Some(told) = told {
                self.log.warning(format_args!("{told}"));
            }
            self.store = Some(Arc::new(store));
        }
    }

    /// Saves what was counted, and this draft. A disk that hangs must not hold up the end.
    fn save(&self, draft: Option<Draft>, patience: Duration) {
        if self.store.is_none() && draft.is_none() {
            return;
        }
        let (world, (done, is_done)) = (self.world(), mpsc::channel::<()>());
        let save = move || {
            world.save();
            if let Some(draft) = draft {
                draft.write();
            }
            drop(done);
        };
        // If there is no memory for a thread, the last minute is lost.
        if thread::Builder::new().stack_size(128 * 1024).spawn(save).is_ok() {
            let _ = is_done.recv_timeout(patience);
        }
    }

    /// What the admin server sees.
    fn world(&self) -> World {
        World {
            clock: self.clock,
            workers: self.workers.handles(),
            tallies: self.served.tallies.tarpits().into(),
            port_tallies: self.served.tallies.ports().into(),
            metrics: self.served.settings.metrics.clone(),
            log: self.log.clone(),
            store: self.store.clone(),
            origins: self.served.geoip.as_ref().map(|geoip| Arc::clone(&geoip.origins)),
            trace: self.trace.clone(),
            web: self.served.settings.web.clone(),
            page: self.page.clone(),
            in_force: Arc::new(self.in_force()),
            notify: self.notify.clone(),
        }
    }

    /// What the control socket tells of the settings in force.
    fn in_force(&self) -> InForce {
        let settings = &self.served.settings;
        let files = Files::of(settings, self.workers.len(), self.file_limit);
        let tarpits = settings.tarpits.iter().map(|tarpit| {
            let ports = self.served.ports();
            let own = ports.iter().filter(|port| port.tarpit == tarpit.name);
            let addresses = own.filter(|port| port.purpose == Purpose::Clients);
            let addresses = addresses.map(|port| port.bound.to_string()).collect();
            (tarpit.name.clone(), tarpit.pattern.name().to_owned(), addresses)
        });
        InForce {
            process: self.about(),
            tarpits: tarpits.collect(),
            limits: check::limits(settings, &files),
        }
    }

    /// The process and its files.
    fn about(&self) -> About {
        let Settings { logging, file, .. } = &self.served.settings;
        let is_journal = self.log.is_journal();
        About {
            pid: std::process::id(),
            user: geteuid().as_raw(),
            configuration: file.as_ref().map(|file| file.display().to_string()),
            log: if is_journal { "journald".to_owned() } else { logging.main.to_string() },
            trace: logging.client_trace.to_string(),
            reloaded: self.reloaded.map(|at| at.as_secs()),
        }
    }

    fn sum(&self) -> Sum {
        self.workers.sum(self.served.tallies.tarpits(), self.clock.now())
    }

    /// Opens the files again, as after a rotation that renamed them. `signal` asked for it.
    fn reopen(&self, signal: &str) {
        let logging = &self.served.settings.logging;
        let mut opened = Vec::new();
        let mut keep = |sink: &Placed<Sink>,
                        open: &dyn Fn(&Settings) -> Result<Target, Finding>,
                        reopen: &dyn Fn(Target)| {
            match open(&self.served.settings) {
                Ok(target) => {
                    reopen(target);
                    opened.extend(matches!(**sink, Sink::File(_)).then(|| sink.to_string()));
                }
                Err(problem) => self.log.error(format_args!(
                    "{problem}; the old file stays in use, and if it is removed, lines are lost \
                     and counted"
                )),
            }
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

/// Logs what the owner should look at after a start. `has_file`: the configuration is a file.
fn warn(log: &Log, settings: &Settings, warnings: Vec<Finding>, has_file: bool) {
    for warning in &settings.warnings {
        log.warning(format_args!("{warning}"));
    }
    for warning in in_order(warnings) {
        log.warning(format_args!("{warning}"));
    }
    if privileges::is_root() {
        let cure = if has_file { "`user = \"nobody\"` in the configuration" } else { "-u nobody" };
        log.warning(format_args!(
            "running as root; with {cure} tarpitd drops root once the ports are open"
        ));
    }
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
        Health::Remade => log.warning(format_args!(
            "the trace {name} was removed; tarpitd has made it again. To rotate it, rename it and \
             send SIGUSR2"
        )),
    }
}
