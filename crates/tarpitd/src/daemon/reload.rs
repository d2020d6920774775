//! A reload: the configuration read again, and put in force without letting anybody go.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use super::{
    Bound, Daemon, Reread,
    changes::{Change, changes},
    files::Files,
    logging,
    ports::{Opened, Spot, absences, grouped},
    prepare::{open_both, profiles},
    rules::rules,
    send,
};
use crate::{
    keys::state_dir::Touch,
    os::{listen_socket::Presence, sys},
    settings::{Settings, Wanted, finding::Finding},
    worker::Command,
};

/// How long a reload waits for the workers to put it in force; much longer than it takes unless the
/// machine is very busy.
const IN_FORCE: Duration = Duration::from_secs(5);

impl Daemon {
    /// Reads the configuration again. A wrong one changes nothing.
    pub(super) fn reload(&mut self, reread: Option<Reread<'_>>) {
        let Some(reread) = reread else {
            self.log.notice(format_args!("SIGHUP: no configuration file to reload"));
            self.reopen("SIGHUP");
            return;
        };
        let settings = match reread() {
            Ok(settings) => settings,
            Err(problems) => {
                for problem in problems.lines() {
                    self.log.error(format_args!("{problem}"));
                }
                self.log.error(format_args!(
                    "SIGHUP: configuration not reloaded, the old one stays in force"
                ));
                return;
            }
        };
        let (wrong, warnings): (Vec<_>, Vec<_>) =
            logging::findings(&settings, Touch::Keep).into_iter().partition(Finding::is_refusal);
        let targets = if wrong.is_empty() { open_both(&settings) } else { Err(wrong) };
        let problems = match targets {
            Ok((main, trace)) => match self.apply(settings) {
                Ok(changed) => {
                    for warning in warnings {
                        self.log.warning(format_args!("{warning}"));
                    }
                    self.log.reopen(main);
                    self.trace.reopen(trace);
                    let outcome = if changed { "" } else { "; no changes" };
                    self.log.notice(format_args!("SIGHUP: configuration reloaded{outcome}"));
                    return;
                }
                Err(problems) => problems,
            },
            Err(problems) => problems,
        };
        for problem in problems {
            self.log.error(format_args!("{problem}"));
        }
        self.log
            .error(format_args!("SIGHUP: configuration not reloaded, the old one stays in force"));
    }

    /// Puts another configuration in force and says whether anything is different then, or says
    /// what is in the way.
    fn apply(&mut self, mut settings: Settings) -> Result<bool, Vec<Finding>> {
        let profiles = profiles(&self.identity, &settings)?;
        let files = Files::of(&settings, self.workers.len(), self.file_limit);
        if let Some(shortage) = files.shortage() {
            return Err(vec![shortage]);
        }
        let mut unbound = Vec::new();
        let mut old = std::mem::take(&mut self.bound);
        let (mut stay, mut opened, mut later) = (Vec::new(), Vec::new(), Vec::new());
        // Whoever keeps name and address keeps the listener; what is left goes by address alone.
        let mut unmatched = Vec::new();
        let serves = |bound: &Bound, wanted: Wanted| {
            bound.wanted.at == wanted.at && bound.wanted.purpose == wanted.purpose
        };
        for wanted in settings.wanted(self.workers.len()) {
            let name = &settings.tarpits[wanted.index].name;
            let same = |bound: &Bound| serves(bound, wanted) && bound.post.name == *name;
            match old.iter().position(same) {
                Some(at) => stay.push((wanted, old.remove(at))),
                None => unmatched.push(wanted),
            }
        }
        for wanted in unmatched {
            if let Some(at) = old.iter().position(|bound| serves(bound, wanted)) {
                stay.push((wanted, old.remove(at)));
                continue;
            }
            let tarpit = &settings.tarpits[wanted.index];
            match Opened::open(wanted, tarpit, self.workers.len()) {
                Ok(one) => opened.push(one),
                Err(problem) if problem.is_for_lack_of_ipv6(tarpit) => {}
                // What is in the way may be our own listener, which goes with this reload.
                Err(problem) if problem.is_busy() => later.push((wanted, problem)),
                Err(problem) => unbound.push(*problem),
            }
        }
        let gone = old;
        let in_the_way = |bound: &Bound, asked: SocketAddr| {
            let own = bound.post.port.address;
            let wild = own.ip().is_unspecified() || asked.ip().is_unspecified();
            own.port() == asked.port() && (own.ip() == asked.ip() || wild)
        };
        let (later, busy): (Vec<_>, Vec<_>) = later
            .into_iter()
            .partition(|(wanted, _)| gone.iter().any(|bound| in_the_way(bound, wanted.at)));
        unbound.extend(busy.into_iter().map(|(_, problem)| *problem));
        let unbound = grouped(unbound);
        if !unbound.is_empty() && !settings.keep_going {
            self.bound = gone.into_iter().chain(stay.into_iter().map(|(_, bound)| bound)).collect();
            self.bound.sort_by_key(|bound| bound.key);
            return Err(unbound.iter().map(|one| one.finding(one.gravity())).collect());
        }
        for problem in unbound {
            self.log.error(format_args!("{problem}"));
        }
        for warning in &settings.warnings {
            self.log.warning(format_args!("{warning}"));
        }
        let absent = opened.iter().filter(|one| one.presence() == Presence::Absent);
        let absent = absent.map(|one| Spot::of(one.wanted, &settings.tarpits[one.wanted.index]));
        for warning in files.cuts(&settings).into_iter().chain(absences(absent.collect())) {
            self.log.warning(format_args!("{warning}"));
        }
        let changes = changes(&self.settings, &settings);
        for Change { what, needs_restart } in &changes {
            if *needs_restart {
                self.log.warning(format_args!("{what}: takes effect only after a restart"));
            } else {
                self.log.notice(format_args!("{what}"));
            }
        }
        if self.log.is_journal() && settings.logging.main != self.settings.logging.main {
            self.log.warning(format_args!("`main`: the log stays in journald until a restart"));
        }
        settings.workers = self.settings.workers;
        settings.io_uring = self.settings.io_uring;
        settings.user.clone_from(&self.settings.user);
        settings.state_dir.clone_from(&self.settings.state_dir);
        let is_new =
            !(changes.is_empty() && gone.is_empty() && opened.is_empty() && later.is_empty());
        self.settings = settings;
        self.profiles = profiles;
        self.log.set_level(self.settings.logging.level);
        self.admission.set(files.caps(&self.settings));
        for gone in gone {
            self.log.notice(format_args!(
                "{}: stopped listening on {}; its clients stay held",
                gone.post.name, gone.post.port.address
            ));
        }
        for (wanted, bound) in stay {
            let post = self.post(wanted, &bound.post.port);
            self.bound.push(Bound { key: bound.key, wanted, post });
        }
        let reloaded = self.open_listeners(opened);
        self.complete_keys();
        self.wait_for(&reloaded);
        if !later.is_empty() {
            self.open_later(later.into_iter().map(|(wanted, _)| wanted).collect());
        }
        sys::release_pages();
        Ok(is_new)
    }

    /// Gives the workers their new listeners, and new posts for those that stay. What it returns
    /// hangs up once all of them have them.
    pub(super) fn open_listeners(&mut self, opened: Vec<Opened>) -> Receiver<Infallible> {
        let stay: Vec<_> =
            self.bound.iter().map(|bound| (bound.key, Arc::clone(&bound.post))).collect();
        let rules = rules(&self.settings, self.workers.len());
        let mut listeners = self.lists_of_listeners(opened.len());
        for one in opened {
            self.add(one, &mut listeners);
        }
        let (pending, reloaded) = mpsc::channel();
        for (worker, new) in self.workers.iter().zip(listeners) {
            let (stay, rules, pending) = (stay.clone(), rules.clone(), pending.clone());
            send(worker, Command::Reload { stay, new, rules, pending });
        }
        reloaded
    }

    /// Opens what had to wait until the workers had closed a listener of ours.
    fn open_later(&mut self, later: Vec<Wanted>) {
        let (mut opened, mut unbound) = (Vec::new(), Vec::new());
        for wanted in later {
            let tarpit = &self.settings.tarpits[wanted.index];
            match Opened::open(wanted, tarpit, self.workers.len()) {
                Ok(one) => opened.push(one),
                Err(problem) => unbound.push(*problem),
            }
        }
        for problem in grouped(unbound) {
            self.log.error(format_args!("{problem}; not served"));
        }
        let reloaded = self.open_listeners(opened);
        self.wait_for(&reloaded);
    }

    /// Waits until every worker has put a reload in force.
    fn wait_for(&self, reloaded: &Receiver<Infallible>) {
        if let Err(RecvTimeoutError::Timeout) = reloaded.recv_timeout(IN_FORCE) {
            self.log.warning(format_args!(
                "a worker is so busy that the new configuration is not yet in force"
            ));
        }
    }
}
