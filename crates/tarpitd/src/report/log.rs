//! The daemon's own log: one line a message, to a stream, a file, or journald.

use std::{
    fmt,
    os::unix::net::UnixDatagram,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use crate::{
    os::clock::Clock,
    report::{
        target::Target,
        timestamp::Timestamp,
        writer::{Report, Writer},
    },
    settings::{Level, Sink},
};

/// Where messages go; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    destination: Arc<Destination>,
    clock: Clock,
    level: Arc<AtomicU8>,
}

#[derive(Debug)]
enum Destination {
    Journal(UnixDatagram),
    Lines(Writer),
}

/// Where journald listens (systemd.io, "Native Journal Protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";

impl Log {
    /// A log to `target`, or to journald if journald reads our standard error.
    pub(crate) fn open(
        sink: &Sink,
        target: Target,
        level: Level,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let journal = if *sink == Sink::Stderr { journal() } else { None };
        let destination = match journal {
            Some(socket) => Destination::Journal(socket),
            // If the log cannot be written, there is no other place to say so.
            None => {
                Destination::Lines(Writer::spawn("log", target, clock, Report::to(|_, _| {}), 0)?)
            }
        };
        Ok(Self {
            destination: Arc::new(destination),
            clock,
            level: Arc::new(AtomicU8::new(level as u8)),
        })
    }

    /// Puts another level in force.
    pub(crate) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Relaxed);
    }

    /// Whether messages of this level are written.
    pub(crate) fn writes(&self, level: Level) -> bool {
        level as u8 >= self.level.load(Relaxed)
    }

    /// Something failed and was not done.
    pub(crate) fn error(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Error, "error", 3, message);
    }

    /// Something the owner should look at.
    pub(crate) fn warning(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Warning, "warning", 4, message);
    }

    /// Something the owner asked for or must know. It has the rank of a warning.
    pub(crate) fn notice(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Warning, "notice", 5, message);
    }

    /// Something that may be worth knowing.
    pub(crate) fn info(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Info, "info", 6, message);
    }

    /// A client came or went.
    pub(crate) fn client(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Clients, "info", 6, message);
    }

    /// Something that helps to find a fault.
    pub(crate) fn debug(&self, message: fmt::Arguments<'_>) {
        self.say(Level::Debug, "debug", 7, message);
    }

    /// Whether journald takes the messages, whatever else is opened.
    pub(crate) fn is_journal(&self) -> bool {
        matches!(*self.destination, Destination::Journal(_))
    }

    /// Continues with a target that was opened again.
    pub(crate) fn reopen(&self, target: Target) {
        if let Destination::Lines(writer) = &*self.destination {
            writer.reopen(target);
        }
    }

    /// Waits until everything is written, at most `patience`.
    pub(crate) fn flush(&self, patience: std::time::Duration) {
        if let Destination::Lines(writer) = &*self.destination {
            writer.flush(patience);
        }
    }

    fn say(&self, level: Level, word: &str, priority: u8, message: fmt::Arguments<'_>) {
        if !self.writes(level) {
            return;
        }
        // A message may contain a client's bytes. They must not move a terminal's cursor or begin a
        // line.
        let message: String = message
            .to_string()
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
        match &*self.destination {
            Destination::Journal(socket) => {
                let datagram =
                    format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=tarpitd\nMESSAGE={message}\n");
                // If the journal takes no more, lines are lost; there is no other place to say so.
                let _ = socket.send(datagram.as_bytes());
            }
            Destination::Lines(writer) => {
                let now = Timestamp(self.clock.wall());
                writer.write(format!("{now} {word}: {message}\n").as_bytes());
            }
        }
    }
}

/// A socket to journald if `JOURNAL_STREAM` names the file that our standard error is.
fn journal() -> Option<UnixDatagram> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stat = rustix::fs::fstat(rustix::stdio::stderr()).ok()?;
    if stream != format!("{}:{}", stat.st_dev, stat.st_ino) {
        return None;
    }
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(JOURNAL).ok()?;
    Some(socket)
}
