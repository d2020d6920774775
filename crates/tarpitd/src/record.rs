//! One fan-out for all news: trace, totals and log are told here and nowhere else, so that they
//! cannot disagree.

use std::{io, sync::Arc, time::Duration};

use tarpit_proto::{
    session::{Cause, Event, News, Session},
    time::Time,
};

use crate::{
    admission::Refusal,
    clock::Clock,
    config::Discretion,
    log::Log,
    totals::Totals,
    trace::{self, Happening, Subject},
    writer::Writer,
};

/// A worker's record.
#[derive(Debug)]
pub(crate) struct Record {
    clock: Clock,
    log: Log,
    totals: Arc<Totals>,
    trace: Writer,
    discretion: Discretion,
    /// Lines since the last flush.
    lines: Vec<u8>,
}

/// Room for the longest line.
const LINE: usize = 2_048;

/// Room for the lines of one turn; more are handed over amid it.
const PIECE: usize = 16 * 1024;

impl Record {
    /// A record that has nothing to tell yet.
    pub(crate) fn new(clock: Clock, log: Log, totals: Arc<Totals>, trace: Writer) -> Self {
        let discretion = Discretion { log_secrets: false, log_users: false };
        Self { clock, log, totals, trace, discretion, lines: Vec::with_capacity(PIECE) }
    }

    /// Says what the trace keeps to itself from now on; at first, all it can.
    pub(crate) fn set(&mut self, discretion: Discretion) {
        self.discretion = discretion;
    }

    /// A client came.
    pub(crate) fn opened(&mut self, about: Subject<'_>, at: Time) {
        self.totals.open(at);
        self.log.debug(format_args!("{} holds {}", about.name, about.client));
        self.trace(about, Happening::Open);
    }

    /// A newcomer was refused.
    pub(crate) fn refused(&mut self, about: Subject<'_>, refusal: Refusal) {
        self.totals.refuse();
        let reason = refusal.name();
        self.log.debug(format_args!("{} refuses {}: {reason}", about.name, about.client));
        self.trace(about, Happening::Refuse { reason });
    }

    /// Bytes went out.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.totals.send(bytes);
    }

    /// Bytes came in.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.totals.receive(bytes);
    }

    /// A connection failed; its close follows.
    pub(crate) fn failed(&mut self, about: Subject<'_>, error: &io::Error) {
        // The names that readers of the reference's traces know.
        let err = match error.kind() {
            io::ErrorKind::BrokenPipe => "BrokenPipeError",
            io::ErrorKind::ConnectionReset => "ConnectionResetError",
            io::ErrorKind::TimedOut => "TimeoutError",
            _ => "OSError",
        };
        self.trace(about, Happening::ConnError { err, msg: &error.to_string() });
    }

    /// A client is gone.
    pub(crate) fn closed(
        &mut self,
        about: Subject<'_>,
        session: &Session,
        cause: Cause,
        now: Time,
    ) {
        self.totals.close(session.opened(now), now);
        let (held, sent, received) = (session.held(now), session.sent(), session.heard());
        let reason = cause.name();
        self.log.debug(format_args!(
            "{} held {} for {:.2} s: {reason}",
            about.name,
            about.client,
            held.as_secs_f64()
        ));
        self.trace(about, Happening::Close { held, sent, received, reason });
    }

    /// Hands the lines over; to be called at the end of each turn.
    pub(crate) fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.trace.write(&self.lines);
            self.lines.clear();
        }
    }

    /// Hands the lines over at the daemon's end, when there is time to wait for room.
    pub(crate) fn flush_patiently(&mut self, patience: impl Fn() -> Duration) {
        if self.lines.len() + 2 * LINE > PIECE {
            self.trace.write_patiently(&self.lines, patience());
            self.lines.clear();
        }
    }

    /// The log, for what is not about a client.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    fn trace(&mut self, about: Subject<'_>, what: Happening<'_>) {
        if !about.traced {
            return;
        }
        if self.lines.len() + LINE > PIECE {
            self.flush();
        }
        trace::write(&mut self.lines, self.clock.wall(), about, what);
    }
}

/// The record's ear for one session.
#[derive(Debug)]
pub(crate) struct Ear<'a> {
    pub(crate) record: &'a mut Record,
    pub(crate) about: Subject<'a>,
}

impl News for Ear<'_> {
    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Learnt { facts, untold: _ } => {
                let discretion = self.record.discretion;
                self.record.trace(self.about, Happening::Learn { facts, discretion });
            }
            Event::Uttered(phrase) => {
                let Subject { name, client, .. } = self.about;
                self.record.log.info(format_args!("{name} said to {client}: {phrase}"));
            }
            Event::Validated { expected, data, comment } => {
                self.record.trace(self.about, Happening::Validate { expected, data, comment });
            }
        }
    }
}
