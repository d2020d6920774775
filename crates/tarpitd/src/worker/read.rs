//! Reading what clients send, up to a share, and noticing that they close.

use std::{io, os::fd::AsRawFd as _, time::Duration};

use mio::{Interest, Token, event::Event, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv, sockopt},
};
use tarpit_proto::{pacer::Rate, session::Input, time::Time};

use crate::worker::{Worker, queue::Queue, read_shares::ReadShares};

/// How a worker reads.
#[derive(Debug)]
pub(super) struct Reading {
    buffer: Vec<u8>,
    pub(super) shares: ReadShares,
    /// Clients that are read again at `later_at`: bytes that came while they were not read cause no
    /// further event.
    later: Queue,
    later_at: Option<Time>,
}

/// The most bytes read at a time.
const READ: usize = 4 * 1024;

/// How long a client that is read again waits for it: until then a flood fills its sender's own
/// buffers.
const LATER: Duration = Duration::from_millis(50);

impl Reading {
    /// Nothing read yet.
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; READ],
            shares: ReadShares::new(),
            later: Queue::default(),
            later_at: None,
        }
    }

    /// Reads a client a little later.
    pub(super) fn read_later(&mut self, index: u32, now: Time) {
        self.later.push(index);
        self.later_at.get_or_insert(now.after(LATER));
    }

    /// When to read next, if ever.
    pub(super) fn due(&self) -> Option<Time> {
        [self.later_at, self.shares.ends()].into_iter().flatten().min()
    }
}

impl Worker {
    /// A client's socket has news.
    pub(super) fn notice(&mut self, index: u32, event: &Event) {
        let Some(slot) = self.clients.slot(index) else { return };
        if event.is_error() || (event.is_write_closed() && event.is_read_closed()) {
            let pending = sockopt::socket_error(&slot.fd);
            let error = match pending {
                Ok(Err(errno)) | Err(errno) => io::Error::from(errno),
                Ok(Ok(())) => io::ErrorKind::BrokenPipe.into(),
            };
            self.fail(index, &error);
            return;
        }
        if event.is_readable() || event.is_read_closed() {
            let listens = slot.session.listens();
            self.read(index);
            // Unread bytes hide the FIN from read(), but the event shows it.
            if event.is_read_closed() && !listens {
                self.drive(index, Input::HalfClosing);
            }
        }
        if event.is_writable() {
            self.drive(index, Input::Due);
        }
    }

    /// Reads what a client sent, up to its share.
    fn read(&mut self, index: u32) {
        let mut buffer = std::mem::take(&mut self.reading.buffer);
        while let Some(slot) = self.clients.slot(index) {
            let appetite = slot.session.appetite().min(READ);
            if appetite == 0 {
                break;
            }
            if !self.reading.shares.allows(index) {
                self.unwatch(index);
                break;
            }
            match recv(&slot.fd, &mut buffer[..appetite], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.drive(index, Input::HalfClosed),
                Ok((count, _)) => {
                    if let Some(client) = self.clients.get(index) {
                        self.record.received(client.binding.counted(), count);
                    }
                    self.reading.shares.count(index, count, self.now, self.load.level());
                    self.drive(index, Input::Said(&buffer[..count]));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.fail(index, &errno.into());
                    break;
                }
            }
        }
        self.reading.buffer = buffer;
    }

    /// Reads the clients that had to wait, and watches those again that have a whole share.
    pub(super) fn read_waiting(&mut self) {
        for index in self.reading.shares.end(self.now) {
            // If bytes have come in the meantime, this causes an event at once.
            match self.watch(index) {
                // Another client has taken the slot, and is watched.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => self.reading.shares.unwatch(index),
                Ok(()) => {}
            }
        }
        if self.reading.later_at.is_some_and(|at| at <= self.now) {
            self.reading.later_at = None;
            for _ in 0..self.reading.later.len() {
                let Some(index) = self.reading.later.pop() else { break };
                self.read(index);
            }
        }
    }

    /// Watches a client's socket.
    pub(super) fn watch(&self, index: u32) -> io::Result<()> {
        let Some(client) = self.clients.get(index) else { return Ok(()) };
        let interest = if client.binding.profile.rate == Some(Rate::Unlimited) {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let raw = client.slot.fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&raw), Token(index as usize), interest)
    }

    /// Stops watching a client's socket until its share is whole again: each event would cost a
    /// turn of the loop.
    fn unwatch(&mut self, index: u32) {
        let Some(slot) = self.clients.slot(index) else { return };
        let raw = slot.fd.as_raw_fd();
        match self.poll.registry().deregister(&mut SourceFd(&raw)) {
            Ok(()) => self.reading.shares.unwatch(index),
            // If this fails, it was not watched, or the system is short of something.
            Err(_) => self.reading.read_later(index, self.now),
        }
    }
}
