//! The end of a client: its cause, and its last sign of life.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use rustix::net::sockopt;
use tarpit_proto::{session::Cause, time::Time};

use crate::{
    os::sys,
    worker::{
        Worker,
        clients::{Client, Gone, Slot},
    },
};

impl Worker {
    /// Ends a client whose connection failed.
    pub(super) fn fail(&mut self, index: u32, error: &io::Error) {
        let Some(client) = self.clients.get(index) else { return };
        let Client { slot, binding, conn, .. } = client;
        let cause = match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Cause::Reset,
            io::ErrorKind::TimedOut => Cause::TimedOut,
            _ => Cause::Failed,
        };
        // If the client had closed its side before, it left as clients do: nothing failed.
        if cause != Cause::Reset || !slot.session.is_half_closed() {
            let about = binding.subject(conn, self.clients.id_of(&client, self.now));
            self.record.failed(about, self.accounts.protocol(index), error);
        }
        self.close(index, cause);
    }

    /// Closes a client's connection.
    pub(super) fn close(&mut self, index: u32, cause: Cause) {
        self.awaited.forget(index);
        self.reading.shares.forget(index);
        let Some(Gone { slot, binding, conn, id }) = self.clients.remove(index, self.now) else {
            return;
        };
        let about = binding.subject(conn, id);
        let account = self.accounts.close(index).unwrap_or_default();
        let last_sign = self.last_sign(&slot, cause);
        let (about, fd) = ((about, binding.counted()), slot.fd.as_raw_fd());
        self.record.closed(about, &account, &slot.session, fd, cause, last_sign);
        self.room.leave(&binding.port, conn.client.ip());
        if slot.session.is_boxed() {
            self.memory.freed(self.now);
        }
        if cause == Cause::Finished {
            // A reset would discard the last bytes on their way to the client. If this fails, the
            // client is gone already.
            let _ = sockopt::set_socket_linger(&slot.fd, None);
        }
    }

    /// The client's last sign of life.
    fn last_sign(&self, slot: &Slot, cause: Cause) -> Time {
        let vanished = match cause {
            Cause::HalfClosed | Cause::Left | Cause::TimedOut => true,
            // A reset comes from the client's system, not from the client.
            Cause::Reset => slot.session.is_half_closed(),
            Cause::Dropped
            | Cause::Evicted
            | Cause::Failed
            | Cause::Finished
            | Cause::Refused
            | Cause::Stopped => false,
        };
        if !vanished {
            return self.now;
        }
        // If the kernel does not know, it is the present.
        let silence = sys::silent_for(slot.fd.as_fd()).unwrap_or_default();
        // A client may have gone before it was accepted.
        self.now.before(silence).max(slot.session.opened(self.now))
    }
}
