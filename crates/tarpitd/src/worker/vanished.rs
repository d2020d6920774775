//! Clients that vanished silently while bytes to them were unacknowledged.
//!
//! The keepalive finds vanished clients without such bytes. For the others it does not run, and the
//! kernel would give up only after some fifteen minutes.

use std::{os::fd::AsFd as _, time::Duration};

use tarpit_proto::time::Time;

use crate::{os::sys, worker::Worker};

/// How long a client may acknowledge nothing. A client with a closed window acknowledges the
/// kernel's window probes, which are at most two minutes apart.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// How often all clients are checked, which takes half a microsecond a client.
const EVERY: Duration = Duration::from_secs(60);

/// The most slots checked in a turn, so that a large crowd delays no client.
const AT_ONCE: u32 = 512;

/// How far the present round has got.
#[derive(Debug, Default)]
pub(super) struct Round {
    next: Time,
    place: u32,
}

impl Worker {
    /// When the next piece of a round is due; never while no client is held.
    pub(super) fn next_round(&self) -> Option<Time> {
        (!self.clients.is_empty()).then_some(self.round.next)
    }

    /// Checks the next clients, and ends those that have vanished.
    pub(super) fn look_for_the_vanished(&mut self) {
        if self.clients.is_empty() || self.now < self.round.next {
            return;
        }
        let end = self.clients.places().min(self.round.place.saturating_add(AT_ONCE));
        for index in self.round.place..end {
            let Some(slot) = self.clients.slot(index) else { continue };
            let fd = slot.fd.as_fd();
            let is_waited_for = sys::unacknowledged(fd).is_ok_and(|bytes| bytes > 0);
            if is_waited_for && sys::silent_for(fd).is_ok_and(|silence| silence >= SILENCE) {
                self.fail(index, &std::io::ErrorKind::TimedOut.into());
            }
        }
        self.round.place = end;
        if end == self.clients.places() {
            self.round = Round { next: self.now.after(EVERY), place: 0 };
        }
    }
}
