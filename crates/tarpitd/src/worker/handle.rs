//! A worker as other threads see it: its counters, and the way to tell it something.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
};

use mio::{Poll, Waker};

use crate::{
    report::totals::WorkerTotals,
    worker::{COMMAND, Command},
};

/// What other threads have of a worker.
#[derive(Debug)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    waker: Waker,
    totals: Arc<WorkerTotals>,
}

impl Handle {
    /// The handle of a worker that will wait at `poll` and count into `totals`, and where that
    /// worker takes its commands.
    pub(crate) fn new(
        poll: &Poll,
        totals: Arc<WorkerTotals>,
    ) -> io::Result<(Self, Receiver<Command>)> {
        let waker = Waker::new(poll.registry(), COMMAND)?;
        let (commands, receiver) = mpsc::channel();
        Ok((Self { commands, waker, totals }, receiver))
    }

    /// Gives the worker a command, which it obeys in its next turn.
    pub(crate) fn send(&self, command: Command) {
        // If this fails, the worker has ended, and a notice says so.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    /// What the worker has counted.
    pub(crate) fn totals(&self) -> &WorkerTotals {
        &self.totals
    }
}
