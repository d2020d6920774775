//! What the service manager hears: when the daemon serves, reloads and stops, how many clients it
//! holds, and that it is alive.
//!
//! The watchdog sees the threads that hold clients: each beat of the daemon's own thread asks all
//! workers, and the sign of life goes out once the last one has shown that its loop turns. A full
//! disk or a slow reader of the metrics does not kill a daemon that holds its clients.

use std::{io, os::fd::BorrowedFd, sync::mpsc, time::Duration};

use tarpit_proto::time::Time;

use super::workers::Workers;
use crate::{
    os::{
        clock::Clock,
        notify_socket::{self, NotifySocket},
    },
    report::{log::Log, units::plural},
    worker::Notice,
};

/// How often the number of held clients is told, if it has changed.
const STATUS: Duration = Duration::from_secs(10);

/// The service manager that started this daemon.
pub(super) struct ServiceManager {
    socket: NotifySocket,
    clock: Clock,
    log: Log,
    /// When the number of held clients is due, and the one that was told last.
    status: (Time, Option<u64>),
    watchdog: Option<Watchdog>,
    /// How many descriptors it keeps for the next start.
    store: usize,
    /// Whether the log has that a message was lost.
    has_failed: bool,
}

/// The signs of life.
struct Watchdog {
    every: Duration,
    due: Time,
    /// Whether a worker was asked that has not answered yet.
    waits: bool,
}

impl ServiceManager {
    /// Speaks to the service manager over `socket`, if there is one. `has_state`: there is a place
    /// for the state of clients whose sockets it keeps.
    pub(super) fn new(
        socket: Option<Result<NotifySocket, String>>,
        clock: Clock,
        log: &Log,
        has_state: bool,
    ) -> Option<Self> {
        let socket = match socket? {
            Ok(socket) => socket,
            Err(what) => {
                log.warning(format_args!(
                    "{what}; the service manager does not hear that tarpitd is ready"
                ));
                return None;
            }
        };
        let watchdog = notify_socket::watchdog().unwrap_or_else(|what| {
            log.warning(format_args!("{what}; tarpitd sends no signs of life"));
            None
        });
        let store = notify_socket::store().unwrap_or_else(|what| {
            log.warning(format_args!("{what}; a restart closes all clients"));
            0
        });
        if store > 0 && !has_state {
            log.warning(format_args!(
                "FDSTORE: without `state_dir` a restart of the unit disconnects all clients: set \
                 `state_dir`"
            ));
        }
        let now = clock.now();
        Some(Self {
            store,
            socket,
            clock,
            log: log.clone(),
            status: (now, None),
            watchdog: watchdog.map(|limit| Watchdog { every: limit / 2, due: now, waits: false }),
            has_failed: false,
        })
    }

    /// The daemon serves, for the first time or after a reload.
    pub(super) fn is_ready(&mut self) {
        self.send("READY=1");
    }

    /// The daemon begins a reload.
    pub(super) fn reloads(&mut self) {
        // By the time the service manager tells this reload from an earlier one (systemd.service(5),
        // Type=notify-reload).
        let usec = self.clock.monotonic().as_micros();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The daemon begins to stop.
    pub(super) fn stops(&mut self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// Every worker's loop turns, and so does that of the caller.
    pub(super) fn is_alive(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.waits = false;
            self.send("WATCHDOG=1");
        }
    }

    /// How many descriptors it keeps for the next start.
    pub(super) fn store(&self) -> usize {
        self.store
    }

    /// Gives it descriptors to keep under this name.
    pub(super) fn keep(&self, name: &str, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        // Without FDPOLL=0 it would drop those whose clients have closed their sending side.
        self.socket.send_with(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), files)
    }

    /// Lets it forget the descriptors of this name.
    pub(super) fn forget(&mut self, name: &str) {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
    }

    /// How long nothing is due.
    pub(super) fn patience(&self) -> Duration {
        let now = self.clock.now();
        let watchdog = self.watchdog.as_ref().map(|watchdog| watchdog.due);
        let due = watchdog.into_iter().chain([self.status.0]).min();
        due.unwrap_or(now).since(now)
    }

    /// Tells how many clients are held, and asks the workers for a sign of life, where that is due.
    pub(super) fn beat(
        &mut self,
        held: impl FnOnce() -> u64,
        workers: &Workers,
        notify: &mpsc::Sender<Notice>,
    ) {
        let now = self.clock.now();
        if self.status.0 <= now {
            let held = held();
            if self.status.1 != Some(held) {
                self.send(&format!("STATUS=holding {}", plural(held, "client")));
            }
            self.status = (now.after(STATUS), Some(held));
        }
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.due <= now
        {
            watchdog.due = now.after(watchdog.every);
            // A second question would not make a worker that hangs answer the first.
            if !std::mem::replace(&mut watchdog.waits, true) {
                workers.call(notify);
            }
        }
    }

    fn send(&mut self, assignments: &str) {
        match self.socket.send(assignments) {
            Err(error) if !std::mem::replace(&mut self.has_failed, true) => {
                let what = assignments.lines().next().unwrap_or_default();
                self.log.warning(format_args!(
                    "{}: {what} did not reach the service manager: {error}",
                    notify_socket::VARIABLE
                ));
            }
            _ => {}
        }
    }
}
