//! The databases that tell where clients come from: read at the start and at a reload, and again
//! when another file has taken the place of one.
//!
//! The daemon's own thread looks at the files once a minute, and a short-lived thread reads what has
//! changed. So neither a worker nor a signal waits for a large file.

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use rustix::process::{Gid, Uid};
use tarpit_proto::time::Time;

use super::Daemon;
use crate::{
    os::privileges,
    report::geoip::{Databases, Geoip, Stamp, stamp},
    settings::{
        Placed, Settings,
        finding::{Finding, Gravity},
    },
    worker::Notice,
};

/// How often the daemon looks whether a file was replaced.
const LOOK: Duration = Duration::from_secs(60);

/// What the daemon has seen of the files.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The files as they were when they were last read, or tried.
    seen: Vec<Option<Stamp>>,
    looked: Time,
    /// The number of the look whose files are being read.
    reading: Option<u64>,
    /// How many looks there were.
    looks: u64,
}

impl Watch {
    /// Files that were read just now.
    pub(super) fn new(settings: &Settings, now: Time) -> Self {
        Self { seen: stamps(settings), looked: now, ..Self::default() }
    }
}

/// Reads the databases that `settings` name, or says what is wrong. What has not changed since `old`
/// was read stays, and so does what cannot be read now; the findings say so.
pub(super) fn geoip(settings: &Settings, old: Option<&Geoip>) -> (Option<Geoip>, Vec<Finding>) {
    if settings.geoip.is_empty() {
        return (None, Vec::new());
    }
    let known = old.map(|old| &*old.databases);
    let (databases, findings) = Databases::renewed(&settings.geoip, known);
    let new = match old {
        // Counting goes on.
        Some(old) => Geoip { databases: Arc::new(databases), ..old.clone() },
        None => Geoip::new(databases),
    };
    (Some(new), findings)
}

/// Warns of databases that nothing uses.
pub(super) fn idle(settings: &Settings) -> Option<Finding> {
    let place = settings.geoip.first()?.place.as_ref();
    let is_traced = settings.tarpits.iter().any(|tarpit| tarpit.client_trace);
    let is_used = is_traced || !settings.surfaces().is_empty();
    let what = "no tarpit has a trace and there are no metrics, so these databases are for nothing: \
                set `client_trace = true` in a tarpit's table, or remove this";
    (!is_used).then(|| Finding::new(Gravity::Warning, place, what))
}

/// Warns of databases that the daemon, as its new user, cannot read again.
pub(super) fn unreadable(settings: &Settings, user: (Uid, Gid)) -> Vec<Finding> {
    let lost = settings.geoip.iter().filter(|path| !privileges::may_read(path, user));
    let warning = |path: &Placed<PathBuf>| {
        let what = format!(
            "user {}:{} cannot read {}, so a new file in its place is not read before a restart: \
             let that user read it",
            user.0.as_raw(),
            user.1.as_raw(),
            path.display()
        );
        Finding::new(Gravity::Warning, path.place.as_ref(), what)
    };
    lost.map(warning).collect()
}

fn stamps(settings: &Settings) -> Vec<Option<Stamp>> {
    settings.geoip.iter().map(|path| stamp(path)).collect()
}

impl Daemon {
    /// Puts databases in force that were read at a reload.
    pub(super) fn use_geoip(&mut self, geoip: Option<Geoip>) {
        if let Some(new) = &geoip {
            let old = self.served.geoip.as_ref().map(|old| &*old.databases);
            self.tell_databases(&new.databases, old);
        }
        let looks = self.geoip.looks;
        // A thread that still reads has older files.
        self.geoip = Watch { looks, ..Watch::new(&self.served.settings, self.clock.now()) };
        self.served.geoip = geoip;
    }

    /// How long there is nothing to look at; `None`: never.
    pub(super) fn until_look(&self) -> Option<Duration> {
        let next = self.geoip.looked.after(LOOK);
        let is_watched = self.served.geoip.is_some();
        is_watched.then(|| next.since(self.clock.now()))
    }

    /// Looks whether files were replaced, if that is due, and lets these be read.
    pub(super) fn look_at_databases(&mut self) {
        if self.until_look() != Some(Duration::ZERO) {
            return;
        }
        self.geoip.looked = self.clock.now();
        let seen = stamps(&self.served.settings);
        let Some(Geoip { databases, .. }) = &self.served.geoip else { return };
        if self.geoip.reading.is_some() || seen == self.geoip.seen {
            return;
        }
        self.geoip.looks += 1;
        let look = self.geoip.looks;
        let (paths, old) = (self.served.settings.geoip.clone(), Arc::clone(databases));
        let notify = self.notify.clone();
        let read = move || {
            let (databases, findings) = Databases::renewed(&paths, Some(&old));
            // If the daemon has ended, nobody needs them.
            let _ = notify.send(Notice::Databases(look, databases, findings));
        };
        match thread::Builder::new().name("geoip".to_owned()).spawn(read) {
            Ok(_) => (self.geoip.reading, self.geoip.seen) = (Some(look), seen),
            Err(error) => self.log.warning(format_args!(
                "[geoip] cannot start a thread to read a database again: {error}; the old one stays \
                 in use"
            )),
        }
    }

    /// Puts databases in force that were read again, unless a reload has read them since.
    pub(super) fn take_databases(
        &mut self,
        look: u64,
        databases: Databases,
        findings: Vec<Finding>,
    ) {
        if self.geoip.reading != Some(look) {
            return;
        }
        self.geoip.reading = None;
        for finding in findings {
            self.log.error(format_args!("{finding}"));
        }
        let Some(old) = self.served.geoip.take() else { return };
        self.tell_databases(&databases, Some(&old.databases));
        self.served.geoip = Some(Geoip { databases: Arc::new(databases), ..old });
        // The daemon does not wait until the workers use them.
        let _ = self.open_listeners(Vec::new());
    }

    /// Tells which databases are new.
    fn tell_databases(&self, new: &Databases, old: Option<&Databases>) {
        for (path, kind) in new.new_beside(old) {
            self.log.notice(format_args!("[geoip] read {}, a {kind}", path.display()));
        }
    }
}
