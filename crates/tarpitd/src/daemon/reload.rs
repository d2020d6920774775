//! A reload: the configuration is read again and put in force without closing any client.

use std::{net::SocketAddr, path::Path, time::Duration};

use super::{
    Daemon, Reread,
    activated::Activated,
    changes::{Change, in_force},
    files::Files,
    geoip::geoip,
    logging,
    plan::{Opening, Plan, plan},
    ports::{Opened, Spot, Unbound, absences, grouped},
    prepare::{anonymizer, profiles},
    rules::rules,
    same_file,
    service_manager::ServiceManager,
    targets::open_both,
    workers::UnderWay,
};
use crate::{
    keys::state_dir::Touch,
    os::listen_socket::{NAT_ONLY, Presence},
    settings::{
        Settings, Wanted,
        finding::{Finding, Gravity},
    },
    worker::{Listener, Reloaded},
};

/// How long a reload waits for the workers to put it in force; much longer than it takes unless the
/// machine is very busy.
const IN_FORCE: Duration = Duration::from_secs(5);

impl Daemon {
    /// Reads the configuration again, and says what changed, a line each. A wrong one changes
    /// nothing, and what is wrong is said. `asked` is what asked for it.
    pub(super) fn reload(&mut self, reread: Option<Reread<'_>>, asked: &str) -> Reloaded {
        self.notify_manager(ServiceManager::reloads);
        let outcome = self.reload_with(reread, asked);
        self.notify_manager(ServiceManager::is_ready);
        outcome
    }

    fn reload_with(&mut self, reread: Option<Reread<'_>>, asked: &str) -> Reloaded {
        let Some(reread) = reread else {
            let what = "no configuration file to reload";
            self.log.notice(format_args!("{asked}: {what}"));
            self.reopen(asked);
            return Err(vec![what.to_owned()]);
        };
        let outcome = match (reread.read)() {
            Ok(settings) => self
                .take_over(settings, reread.file, asked)
                .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
            Err(problems) => Err(problems.lines().map(str::to_owned).collect()),
        };
        if let Err(problems) = &outcome {
            for problem in problems {
                self.log.error(format_args!("{problem}"));
            }
            self.log.error(format_args!(
                "{asked}: configuration not reloaded, the old one stays in force"
            ));
        }
        outcome
    }

    /// Opens the files that `settings` name, and puts the settings in force.
    fn take_over(
        &mut self,
        mut settings: Settings,
        file: &Path,
        asked: &str,
    ) -> Result<Vec<String>, Vec<Finding>> {
        let mut refused = self.confinement.refusals(&settings, Some(file));
        refused.extend(self.confinement.refused_sockets(&self.surfaces.new_sockets(&settings)));
        if !refused.is_empty() {
            return Err(refused);
        }
        let mut found = self.activated.give_to(&mut settings);
        found.extend(logging::findings(&settings, Touch::Keep));
        found.extend(same_file::findings(&settings));
        let (wrong, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(Finding::is_refusal);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let (main, trace) = open_both(&settings)?;
        let changed = self.apply(settings)?;
        for warning in warnings {
            self.log.warning(format_args!("{warning}"));
        }
        self.log.reopen(main);
        self.trace.reopen(trace);
        let outcome = if changed.is_empty() { "; no changes" } else { "" };
        self.log.notice(format_args!("{asked}: configuration reloaded{outcome}"));
        Ok(changed)
    }

    /// Puts other settings in force and says what is different then, or says what is in the way and
    /// changes nothing.
    fn apply(&mut self, new: Settings) -> Result<Vec<String>, Vec<Finding>> {
        let workers = self.workers.len();
        let profiles = profiles(&self.identity, &new)?;
        let anonymizer = anonymizer(&self.identity, &new).map_err(|it| vec![it])?;
        let (geoip, found) = geoip(&new, self.served.geoip.as_ref());
        if found.iter().any(Finding::is_refusal) {
            return Err(found);
        }
        for problem in found {
            self.log.error(format_args!("{problem}"));
        }
        let files = Files::of(&new, workers, self.file_limit);
        if let Some(shortage) = files.shortage() {
            return Err(vec![shortage]);
        }
        let (ports, closing) = (self.served.ports(), self.closing());
        let plan = plan(&self.served.settings, (&ports, &closing), &new, workers);
        let closed = ports.iter().filter(|port| plan.close.contains(&port.key));
        let closed: Vec<_> = closed.map(|port| port.bound).collect();
        let Tried { opened, waiting, refused } = open(&plan.open, &new, (workers, &self.activated));
        let mut moves = self.surfaces.plan(&new);
        let refused = refused.iter().map(Unbound::at_reload);
        let mut refused: Vec<_> = refused.chain(std::mem::take(&mut moves.unbound)).collect();
        let by_nat = by_nat(&opened, &new, self.served.has_had_tproxy);
        if !new.keep_going {
            refused.extend(by_nat.iter().filter(|it| it.is_refusal()).cloned());
        }
        if !refused.is_empty() && !new.keep_going {
            return Err(refused);
        }
        for problem in refused {
            self.log.error(format_args!("{problem}"));
        }
        for warning in &new.warnings {
            self.log.warning(format_args!("{warning}"));
        }
        let told = std::mem::take(&mut moves.told);
        for warning in files.cuts(&new).into_iter().chain(absent(&opened, &new)).chain(told) {
            self.log.warning(format_args!("{warning}"));
        }
        self.reloaded = Some(self.clock.wall());
        let mut told = self.tell(&plan, &new);
        let settings = in_force(&self.served.settings, new);
        self.served.replace(settings, profiles, &plan.keep);
        self.served.anonymizer = anonymizer;
        self.use_geoip(geoip);
        self.log.set_level(self.served.settings.logging.level);
        self.admission.set(files.caps(&self.served.settings));
        let opens = opened.iter().map(|one| one.wanted).chain(waiting.iter().copied());
        told.extend(opens.map(|Wanted { index, at, .. }| {
            format!("{}: listening on {at}", self.served.settings.tarpits[index].name)
        }));
        // The log has them with each port.
        told.extend(by_nat.iter().map(Finding::labelled));
        let reloaded = self.open_listeners(opened);
        self.complete_keys();
        self.wait_for(&reloaded);
        // What an earlier reload left to wait is in this one's plan. The ports that it closes are
        // closed before this one's: each worker takes its commands in order.
        self.waiting =
            Some(Waiting { until: reloaded, closing: [closing, closed].concat(), wanted: waiting });
        self.open_waiting();
        let world = self.world_to_serve();
        told.extend(self.surfaces.apply(moves, &self.served.settings, world, &self.log));
        Ok(told)
    }

    /// Logs what `plan` changes and closes, and returns these lines.
    fn tell(&self, plan: &Plan, new: &Settings) -> Vec<String> {
        let mut told = Vec::new();
        for Change { what, needs_restart } in &plan.changes {
            if *needs_restart {
                let what = format!("{what}: takes effect only after a restart");
                self.log.warning(format_args!("{what}"));
                told.push(what);
            } else {
                self.log.notice(format_args!("{what}"));
                told.push(what.clone());
            }
        }
        if self.log.is_journal() && new.logging.main != self.served.settings.logging.main {
            self.log.warning(format_args!("`main`: the log stays in journald until a restart"));
        }
        let ports = self.served.ports();
        for port in ports.iter().filter(|port| plan.close.contains(&port.key)) {
            let what = format!(
                "{}: stopped listening on {}; its clients stay held",
                port.tarpit, port.bound
            );
            self.log.notice(format_args!("{what}"));
            told.push(what);
        }
        told
    }

    /// Gives the workers their new listeners, and new bindings for those that stay.
    pub(super) fn open_listeners(&mut self, opened: Vec<Opened>) -> UnderWay {
        let stay = self.served.bindings();
        let mut new: Vec<Vec<Listener>> = (0..self.workers.len()).map(|_| Vec::new()).collect();
        for one in opened {
            self.served.add(one, &mut new, &self.log);
        }
        self.workers.reload(&stay, new, &rules(&self.served, self.workers.len()))
    }

    /// Opens addresses that waited until the workers had closed a port of ours, if they have.
    pub(super) fn open_waiting(&mut self) {
        let is_over = |waiting: &mut Waiting| waiting.is_over();
        let Some(Waiting { wanted: all, .. }) = self.waiting.take_if(is_over) else { return };
        if all.is_empty() {
            return;
        }
        let settings = &self.served.settings;
        let (mut opened, mut refused) = (Vec::new(), Vec::new());
        for wanted in all {
            let tarpit = &settings.tarpits[wanted.index];
            match Opened::open(wanted, tarpit, (self.workers.len(), &self.activated)) {
                Ok(one) => opened.push(one),
                Err(problem) => refused.push(*problem),
            }
        }
        for problem in grouped(refused) {
            self.log.error(format_args!("{problem}; not served"));
        }
        for warning in absent(&opened, settings) {
            self.log.warning(format_args!("{warning}"));
        }
        let reloaded = self.open_listeners(opened);
        self.wait_for(&reloaded);
    }

    /// The addresses that an earlier reload closes, while a worker is too busy to do so.
    fn closing(&self) -> Vec<SocketAddr> {
        let waiting = self.waiting.as_ref().filter(|waiting| !waiting.is_over());
        waiting.map_or_else(Vec::new, |waiting| waiting.closing.clone())
    }

    /// Waits until every worker has put a reload in force.
    fn wait_for(&self, reloaded: &UnderWay) {
        if !reloaded.wait(IN_FORCE) {
            self.log.warning(format_args!(
                "reload: a worker is busy, the new configuration is not in force there yet"
            ));
        }
    }
}

/// A reload that some worker may not have put in force yet.
pub(super) struct Waiting {
    /// Over once every worker has closed the ports that it closes.
    until: UnderWay,
    /// The addresses of these ports.
    closing: Vec<SocketAddr>,
    /// Addresses that cannot be opened before that.
    wanted: Vec<Wanted>,
}

impl Waiting {
    /// Whether nothing is closing any more.
    fn is_over(&self) -> bool {
        self.until.wait(Duration::ZERO)
    }
}

/// What came of opening the ports of a plan.
struct Tried {
    opened: Vec<Opened>,
    /// A port of ours that is about to be closed is in the way of these.
    waiting: Vec<Wanted>,
    refused: Vec<Unbound>,
}

/// Opens what can be opened while the old ports are still open.
fn open(plan: &[Opening], settings: &Settings, by: (usize, &Activated)) -> Tried {
    let (mut opened, mut waiting, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for &Opening { wanted, may_wait } in plan {
        let tarpit = &settings.tarpits[wanted.index];
        match Opened::open(wanted, tarpit, by) {
            Ok(one) => opened.push(one),
            Err(problem) if problem.is_for_lack_of_ipv6(tarpit.addresses()) => {}
            Err(problem) if problem.is_busy() && may_wait => waiting.push(wanted),
            Err(problem) => refused.push(*problem),
        }
    }
    Tried { opened, waiting, refused: grouped(refused) }
}

/// Ports to which only NAT leads. That is a refusal if TPROXY led to others until now: the daemon has
/// dropped the right since, and clients would be lost without a word.
fn by_nat(opened: &[Opened], settings: &Settings, has_had_tproxy: bool) -> Vec<Finding> {
    let finding = |one: &Opened| {
        let (tarpit, at) = (&settings.tarpits[one.wanted.index], one.wanted.at);
        let (gravity, cure) = if has_had_tproxy {
            let cure = "; the running daemon has neither: `tarpitd upgrade` starts one that may \
                        have it";
            (Gravity::Rights, cure)
        } else {
            (Gravity::Warning, "")
        };
        let what = format!("{}: {at}: {NAT_ONLY}{cure}", tarpit.name);
        Finding::new(gravity, tarpit.place(one.wanted), what)
    };
    opened.iter().filter(|one| one.is_by_nat()).map(finding).collect()
}

/// Warns of addresses that this machine does not have yet.
fn absent(opened: &[Opened], settings: &Settings) -> Vec<Finding> {
    let absent = opened.iter().filter(|one| one.presence() == Presence::Absent);
    let spot = |one: &Opened| Spot::of(one.wanted, &settings.tarpits[one.wanted.index]);
    absences(absent.map(spot).collect())
}
