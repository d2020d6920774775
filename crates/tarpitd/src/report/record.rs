//! One fan-out for all events: trace, totals and log get them here and nowhere else, so they cannot
//! disagree.

use std::{io, net::SocketAddr, num::NonZeroU32, os::fd::RawFd, sync::Arc, time::Duration};

use tarpit_proto::{
    account::{Account, Told},
    fact::Entry,
    handshake_budget::{Begun, LoadLevel},
    session::{Cause, Session, SessionId},
    time::Time,
};

use crate::{
    os::{clock::Clock, entropy::Keyed},
    report::{
        anonymize::Anonymizer,
        busiest::{Busiest, Busy},
        geoip::Geoip,
        log::Log,
        observed::{Frequent, Observed},
        refusal::Refusal,
        totals::{Counted, TarpitTotals, WorkerTotals},
        trace::{self, Event, Form, Happening, Kind, Seat, Style, Subject},
        trace_bound::{BoundNews, LeftOut, TraceBound},
        writer::Writer,
    },
    settings::{Discretion, TimeForm},
};

/// A worker's record.
#[derive(Debug)]
pub(crate) struct Record {
    clock: Clock,
    log: Log,
    /// Which worker's it is, counted from 0.
    worker: usize,
    totals: Arc<WorkerTotals>,
    busiest: Busiest,
    trace: Writer,
    style: Style,
    /// Where clients come from, if that is looked up.
    geoip: Option<Geoip>,
    bound: TraceBound,
    /// What the control socket and the page show of clients, where one of them is on.
    observed: Option<Observed>,
    /// By these facts are compared, so that no client foresees which look alike.
    keys: Keyed,
    /// Lines since the last flush.
    lines: Vec<u8>,
    /// The worker's CPU time that the `close` lines have told.
    told_cpu: Duration,
    /// When what is written now has happened, since 1970; `None`: now.
    earlier: Option<Duration>,
}

/// Room for nearly every line; for a longer one the buffer grows.
const LINE_ROOM: usize = 2_048;

/// Room for the lines of one turn; if there are more, they are handed over before its end.
const TURN_ROOM: usize = 16 * 1024;

impl Record {
    /// A record that has nothing to tell yet; by `keys` facts are compared.
    pub(crate) fn new(
        clock: Clock,
        log: Log,
        (worker, totals): (usize, Arc<WorkerTotals>),
        trace: Writer,
        keys: Keyed,
    ) -> Self {
        let discretion = Discretion { log_secrets: false, log_users: false, log_forwarded: false };
        Self {
            clock,
            log,
            worker,
            totals,
            busiest: Busiest::new(0),
            trace,
            style: Style {
                discretion,
                form: Form::Json(TimeForm::Epoch),
                anonymizer: Anonymizer::Prefix,
            },
            geoip: None,
            bound: TraceBound::new(),
            observed: None,
            keys,
            lines: Vec::with_capacity(TURN_ROOM),
            told_cpu: Duration::ZERO,
            earlier: None,
        }
    }

    /// Sets how the trace is written from now on, and how many lines a second it may have. The
    /// default reveals as little as possible.
    pub(crate) fn set(&mut self, style: Style, lines_per_second: Option<NonZeroU32>) {
        self.style = style;
        if let Some(observed) = &mut self.observed {
            observed.set(style.discretion);
        }
        self.bound.set(lines_per_second, self.clock.now());
    }

    /// Sets by which databases clients are looked up from now on.
    pub(crate) fn set_geoip(&mut self, geoip: Option<Geoip>) {
        self.geoip = geoip;
    }

    /// Sets how many of the busiest addresses are kept.
    pub(crate) fn keep_busiest(&mut self, most: usize) {
        if self.busiest.most() != most {
            self.busiest = Busiest::new(most);
        }
    }

    /// The busiest addresses, as they are shown.
    pub(crate) fn busiest(&self) -> Vec<Busy> {
        let all = self.busiest.all(self.clock.now());
        let shown = all.map(|busy| {
            let databases = self.geoip.as_ref().map(|geoip| &geoip.databases);
            let origin = databases.map(|it| it.look_up(busy.address)).unwrap_or_default();
            Busy {
                address: self.style.anonymizer.shown_ip(busy.address),
                country: origin.country.map(Into::into),
                city: origin.city.map(Into::into),
                ..busy
            }
        });
        shown.collect()
    }

    /// Observes clients from now on as one of this many workers, or no longer.
    pub(crate) fn observe(&mut self, workers: Option<usize>) {
        match workers {
            None => self.observed = None,
            Some(workers) if self.observed.is_none() => {
                let mut observed = Observed::share(workers);
                observed.set(self.style.discretion);
                self.observed = Some(observed);
            }
            Some(_) => {}
        }
    }

    /// How many lines of the trace's bound are spent.
    pub(crate) fn spent_lines(&self) -> u64 {
        self.bound.spent(self.clock.now())
    }

    /// Goes on from so many lines that an earlier daemon has spent.
    pub(crate) fn spend_lines(&mut self, spent: u64) {
        self.bound.go_on(spent);
    }

    /// Goes on from what an earlier daemon observed, if anything is.
    pub(crate) fn recall(&mut self, frequent: Frequent) {
        if let Some(observed) = &mut self.observed {
            observed.go_on(frequent);
        }
    }

    /// What was observed of clients, if anything is.
    pub(crate) fn observed(&self) -> Option<&Observed> {
        self.observed.as_ref()
    }

    /// Lifts the limit of lines, for the daemon's end.
    pub(crate) fn lift_bound(&mut self) {
        self.bound.set(None, self.clock.now());
    }

    /// A client was opened, and is held there.
    pub(crate) fn opened(
        &mut self,
        about: Subject<'_>,
        counted: Counted<'_>,
        at: Time,
        seat: Seat,
    ) {
        self.of(counted).open(at);
        if let Some(port) = counted.port {
            port.of(self.worker).open(at);
            self.busiest.open(about.client.ip(), port.port, at);
        }
        let (name, client) = (about.name, self.shown(about.client));
        let (host, port) = (client.ip(), client.port());
        if let Some(observed) = &mut self.observed {
            observed.opened(host);
        }
        self.log.client(format_args!("ACCEPT host={host} port={port} tarpit={name}"));
        // The databases may be replaced, but not before the line is written.
        let geoip = self.geoip.clone();
        let origin = geoip.as_ref().map(|it| it.databases.look_up(about.client.ip()));
        if let (Some(geoip), Some(origin)) = (&geoip, origin) {
            geoip.origins.count(origin);
        }
        self.trace(about, None, Happening::Open(seat, origin.unwrap_or_default()));
    }

    /// A client that connected at `at` to an earlier daemon is held here from now on. The trace has
    /// its `open` line already.
    pub(crate) fn taken_over(
        &mut self,
        about: Subject<'_>,
        counted: Counted<'_>,
        at: Time,
        program: Option<&str>,
    ) {
        self.of(counted).open(at);
        if let Some(port) = counted.port {
            port.of(self.worker).open(at);
            self.busiest.open(about.client.ip(), port.port, at);
        }
        let host = self.shown(about.client).ip();
        if let Some(observed) = &mut self.observed {
            observed.taken_over(host, about.session, program);
        }
    }

    /// A client that connected at `at` is held and counted by another daemon from now on.
    pub(crate) fn gave_away(&self, client: SocketAddr, counted: Counted<'_>, at: Time) {
        self.of(counted).give_away(at);
        if let Some(port) = counted.port {
            port.of(self.worker).give_away(at);
        }
        self.log.debug(format_args!("{} goes on in the new program", self.shown(client)));
    }

    /// A new client was refused.
    pub(crate) fn refused(&mut self, about: Subject<'_>, counted: Counted<'_>, refusal: Refusal) {
        self.of(counted).refuse(refusal);
        let reason = refusal.name();
        let client = self.shown(about.client);
        self.log.debug(format_args!("{} refused {client}: {reason}", about.name));
        self.trace(about, None, Happening::Refuse { reason });
    }

    /// Bytes went out.
    pub(crate) fn sent(&self, counted: Counted<'_>, bytes: usize) {
        self.of(counted).send(bytes);
        if let Some(port) = counted.port {
            port.of(self.worker).send(bytes);
        }
    }

    /// Bytes came in.
    pub(crate) fn received(&self, counted: Counted<'_>, bytes: usize) {
        self.of(counted).receive(bytes);
    }

    /// A client is known to speak a protocol.
    pub(crate) fn identified(&self, protocol: &[u8]) {
        self.totals.identify(protocol);
    }

    /// So many due clients were served, that late.
    pub(crate) fn served(&self, clients: usize, late: Duration) {
        self.totals.serve(clients, late);
    }

    /// A health check came. It is no client.
    pub(crate) fn health_checked(&self, tarpit: &str, from: SocketAddr) {
        self.totals.check_health();
        self.log.debug(format_args!("{tarpit} health check of {from}"));
    }

    /// The load level is this, and so many handshakes have begun.
    pub(crate) fn pressed(&self, level: LoadLevel, begun: Begun) {
        self.totals.press(level, begun);
    }

    /// Facts of a client were learnt, whether or not it is traced.
    pub(crate) fn noticed(&mut self, session: SessionId, facts: &[Entry]) {
        if let Some(observed) = &mut self.observed {
            observed.learnt(session, facts);
        }
    }

    /// Facts of a client were learnt; its account says which of them are written.
    pub(crate) fn learnt(
        &mut self,
        about: Subject<'_>,
        account: &mut Account,
        facts: &[Entry],
        untold: usize,
    ) {
        let told = account.enter(facts, untold, self.clock.now(), &self.keys);
        if told != Told::Nothing {
            let protocol = account.protocol();
            self.trace(about, protocol, Happening::Learn { facts, told });
        }
    }

    /// A client broke its protocol.
    pub(crate) fn malformed(
        &mut self,
        about: Subject<'_>,
        protocol: Option<&str>,
        (layer, reason): (&'static str, &'static str),
    ) {
        self.trace(about, protocol, Happening::Malformed { layer, reason });
    }

    /// A client was sent a phrase.
    pub(crate) fn phrase(&mut self, about: Subject<'_>, phrase: &str) {
        let client = self.shown(about.client);
        self.log.info(format_args!("{} sent to {client}: {phrase}", about.name));
    }

    /// Whether the first bytes of a client, `data`, are of its listener's protocol.
    pub(crate) fn validated(
        &mut self,
        about: Subject<'_>,
        protocol: Option<&str>,
        expected: bool,
        (data, comment): (&[u8], &str),
    ) {
        self.trace(about, protocol, Happening::Validate { expected, data, comment });
    }

    /// The connection of a client known to speak `protocol` failed; its close follows.
    pub(crate) fn failed(&mut self, about: Subject<'_>, protocol: Option<&str>, error: &io::Error) {
        // The names that readers of the reference's traces know.
        let err = match error.kind() {
            io::ErrorKind::BrokenPipe => "BrokenPipeError",
            io::ErrorKind::ConnectionReset => "ConnectionResetError",
            io::ErrorKind::TimedOut => "TimeoutError",
            _ => "OSError",
        };
        self.trace(about, protocol, Happening::ConnError { err, msg: &error.to_string() });
    }

    /// A client was closed, with this account.
    pub(crate) fn closed(
        &mut self,
        (about, counted): (Subject<'_>, Counted<'_>),
        account: &Account,
        session: &Session,
        fd: RawFd,
        cause: Cause,
        now: Time,
    ) {
        self.count_end((about, counted), session.opened(now), now, cause);
        self.tell_end(about, account, session, fd, cause, now);
    }

    /// A client was closed when an earlier daemon stopped: at `now` by the clock of that daemon, at
    /// `wall` since 1970. It is counted here unless `counted` is `None`.
    pub(crate) fn closed_before(
        &mut self,
        (about, counted): (Subject<'_>, Option<Counted<'_>>),
        account: &Account,
        session: &Session,
        (now, wall): (Time, Duration),
    ) {
        if let Some(counted) = counted {
            let opened = session.opened(now);
            self.taken_over(about, counted, opened, None);
            self.count_end((about, counted), opened, now, Cause::Stopped);
        }
        self.earlier = Some(wall);
        // It has no connection any more.
        self.tell_end(about, account, session, -1, Cause::Stopped, now);
        self.earlier = None;
    }

    /// Counts the end of a client that connected at `opened`.
    fn count_end(
        &mut self,
        (about, counted): (Subject<'_>, Counted<'_>),
        opened: Time,
        now: Time,
        cause: Cause,
    ) {
        self.of(counted).close(opened, now, cause);
        if let Some(port) = counted.port {
            port.of(self.worker).close(opened, now);
            self.busiest.close(about.client.ip(), port.port, opened, now);
        }
    }

    /// Tells the end of a client, and for how long it was held.
    fn tell_end(
        &mut self,
        about: Subject<'_>,
        account: &Account,
        session: &Session,
        fd: RawFd,
        cause: Cause,
        now: Time,
    ) {
        let (held, sent, received) = (session.held(now), session.sent(), session.heard());
        self.totals.hold(held);
        let reason = cause.name();
        let (name, client) = (about.name, self.shown(about.client));
        self.log.client(format_args!(
            "CLOSE host={} port={} time={:.3} bytes={sent} tarpit={name} reason={reason}",
            client.ip(),
            client.port(),
            held.as_secs_f64(),
        ));
        let (repeats, untold) = (account.repeats(), account.untold());
        // To ask for it is a system call, which only a line is worth.
        let used = if about.traced { self.clock.used() } else { self.told_cpu };
        let worker_cpu = used.saturating_sub(self.told_cpu);
        let what =
            Happening::Close { fd, held, sent, received, reason, repeats, untold, worker_cpu };
        if self.trace(about, account.protocol(), what) {
            self.told_cpu = used;
        }
    }

    /// Hands the lines over to the writer; call it at the end of each turn.
    pub(crate) fn flush(&mut self) {
        self.hand_over();
        if let Some(BoundNews::Over(left_out)) = self.bound.ends(self.clock.now()) {
            self.log.notice(format_args!(
                "the trace is below [logging] trace_per_second again; lines left out: {}",
                counts(&left_out)
            ));
        }
    }

    /// Hands the lines over at the daemon's end, when there is time to wait for room.
    pub(crate) fn flush_patiently(&mut self, patience: impl Fn() -> Duration) {
        if self.lines.len() + 2 * LINE_ROOM > TURN_ROOM {
            self.trace.write_patiently(&self.lines, patience());
            self.lines.clear();
        }
    }

    /// What this worker counts of a tarpit.
    fn of<'c>(&self, counted: Counted<'c>) -> &'c TarpitTotals {
        counted.tarpit.of(self.worker)
    }

    /// The log, for what is not about a client.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The client's address as the log shows it.
    pub(crate) fn shown(&self, client: SocketAddr) -> SocketAddr {
        self.style.anonymizer.shown(client)
    }

    /// Whether a line was written.
    fn trace(&mut self, about: Subject<'_>, protocol: Option<&str>, what: Happening<'_>) -> bool {
        if !(about.traced && self.style.form.has(what.kind())) {
            return false;
        }
        // The lines of an end are not bounded, as at the end of this daemon.
        let (allowed, news) = match self.earlier {
            Some(_) => (true, None),
            None => self.bound.allows(what.kind(), self.clock.now()),
        };
        if news == Some(BoundNews::Begun) {
            self.log.warning(format_args!(
                "the trace is above [logging] trace_per_second: leaving out lines, `open` and \
                 `close` last; clients stay held"
            ));
        }
        if !allowed {
            self.totals.leave_out(what.kind());
            return false;
        }
        if self.lines.len() + LINE_ROOM > TURN_ROOM {
            self.hand_over();
        }
        let before = self.lines.len();
        let event = Event {
            wall: self.earlier.unwrap_or_else(|| self.clock.wall()),
            subject: about,
            protocol,
            what,
        };
        trace::write(&mut self.lines, self.style, &event);
        self.bound.charge(self.lines.len() - before);
        true
    }

    fn hand_over(&mut self) {
        if !self.lines.is_empty() {
            self.trace.write(&self.lines);
            self.lines.clear();
            self.lines.shrink_to(TURN_ROOM);
        }
    }
}

/// The counts above 0, each with its event.
fn counts(left_out: &LeftOut) -> String {
    let all = Kind::ALL.iter().zip(left_out).filter(|&(_, count)| *count > 0);
    all.map(|(kind, count)| format!("{count} {}", kind.name())).collect::<Vec<_>>().join(", ")
}
