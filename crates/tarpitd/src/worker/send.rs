//! Sending to clients: what is due, in batches, and what was too much for one turn.

use std::{os::fd::AsFd as _, time::Duration};

use rustix::io::Errno;
use tarpit_proto::session::{Draft, Input};

use crate::{
    os::sys::{self, Outgoing},
    worker::{
        Worker,
        clients::Clients,
        queue::Queue,
        sender::{BATCH, Sender, Sent, send_one},
        turn::Turn,
        wheel::Due,
    },
};

/// How a worker sends.
#[derive(Debug)]
pub(super) struct Sending {
    sender: Sender,
    /// For a client that has its turn alone.
    pub(super) alone: SendSlot,
    /// For a batch of clients that are due together.
    batch: Vec<SendSlot>,
    /// The clients that are due in this turn of the loop; kept for its memory.
    due: Due,
    /// Clients that need more than one turn for their bytes.
    pub(super) more: Queue,
}

/// One client's turn: its draft, and how much of it was sent.
#[derive(Debug, Default)]
pub(super) struct SendSlot {
    /// `None` once the turn is over.
    pub(super) turn: Option<Turn>,
    pub(super) draft: Draft,
    /// How many bytes of the draft go now.
    part: usize,
    /// What the kernel answered, if it was asked to send anything.
    outcome: Option<Result<usize, Errno>>,
}

/// Room for the clients that are due at one tick; a larger crowd makes more.
const DUE: usize = 4_096;

/// Fewer clients than this are served one by one, which is as cheap.
const FEW: usize = 3;

impl Sending {
    /// Nothing sent yet.
    pub(super) fn new(sender: Sender) -> Self {
        let small = || SendSlot { draft: Draft::small(), ..SendSlot::default() };
        Self {
            sender,
            alone: SendSlot::default(),
            // All slots at once, so that their memory does not grow with a crowd.
            batch: std::iter::repeat_with(small).take(BATCH).collect(),
            due: Due::with_capacity(DUE),
            more: Queue::default(),
        }
    }
}

impl SendSlot {
    /// What is to go out, unless that is nothing.
    fn outgoing<'a>(&'a mut self, clients: &'a Clients) -> Option<Outgoing<'a>> {
        let bytes = self.draft.bytes().get(..self.part).filter(|bytes| !bytes.is_empty())?;
        let connection = clients.slot(self.turn.as_ref()?.index)?.fd.as_fd();
        Some(Outgoing { connection, bytes, outcome: &mut self.outcome })
    }
}

impl Worker {
    /// Serves the clients that are due.
    ///
    /// In batches: first all sessions of a batch make their bytes, then all bytes are sent, then
    /// all sessions learn how much went out. So one call to the kernel serves many. Between two
    /// single sends the processor would have to load our code again, since the kernel's code
    /// displaced it.
    pub(super) fn serve_due(&mut self) {
        let mut due = std::mem::replace(&mut self.sending.due, Due::with_capacity(0));
        let mut slots = std::mem::take(&mut self.sending.batch);
        self.clients.expire(self.now, &mut due);
        let mut served = 0;
        for batch in due.slots.chunks(BATCH) {
            if batch.len() < FEW {
                for &index in batch {
                    self.drive(index, Input::Due);
                }
            } else {
                self.serve_batch(batch, &mut slots[..batch.len()]);
            }
            let now = self.clock.since_start();
            for (count, due) in due.since(served..served + batch.len()) {
                let due = Duration::from_millis(due.as_millis());
                self.record.served(count, now.saturating_sub(due));
            }
            served += batch.len();
        }
        due.clear();
        self.sending.due = due;
        self.sending.batch = slots;
    }

    /// Continues with the clients that need more turns.
    pub(super) fn send_more(&mut self) {
        for _ in 0..self.sending.more.len() {
            let Some(index) = self.sending.more.pop() else { break };
            self.drive(index, Input::Due);
        }
    }

    /// Serves a batch, with a send slot for each.
    fn serve_batch(&mut self, batch: &[u32], slots: &mut [SendSlot]) {
        for (slot, &index) in slots.iter_mut().zip(batch) {
            slot.turn = self.begin(index, &Input::Due);
            self.go_on(slot, Input::Due);
        }
        for slot in &mut *slots {
            self.measure(slot);
        }
        let mut outgoing = Vec::with_capacity(slots.len());
        outgoing.extend(slots.iter_mut().filter_map(|slot| slot.outgoing(&self.clients)));
        if let Err(error) = self.sending.sender.send_all(&mut outgoing) {
            self.record
                .log()
                .warning(format_args!("io_uring failed ({error}), using one send() per client"));
        }
        for slot in slots {
            self.settle(slot);
            self.finish(slot);
            slot.draft.trim();
        }
    }

    /// Sends and goes on until the turn is over.
    pub(super) fn finish(&mut self, slot: &mut SendSlot) {
        while slot.turn.is_some() {
            self.measure(slot);
            if let Some(mut outgoing) = slot.outgoing(&self.clients) {
                send_one(&mut outgoing);
            }
            self.settle(slot);
        }
    }

    /// Decides how much of a draft may go now, and takes that from the budget.
    fn measure(&mut self, slot: &mut SendSlot) {
        (slot.part, slot.outcome) = (0, None);
        let Some(turn) = &mut slot.turn else { return };
        let (asks, departs) = (std::mem::take(&mut turn.asks), std::mem::take(&mut turn.departs));
        let waits = || {
            let held = self.clients.slot(turn.index);
            held.is_some_and(|it| sys::unacknowledged(it.fd.as_fd()).is_ok_and(|bytes| bytes > 0))
        };
        if asks && waits() {
            return;
        }
        let wanted = slot.draft.bytes().len();
        slot.part = self.load.spend(wanted, self.now, self.record.log());
        if departs && slot.part == 0 && wanted > 0 {
            // This byte shows whether the client is there. Without it clients that are gone would
            // keep their places until the budget is filled again, which may be tomorrow.
            slot.part = 1;
            self.load.overspend(slot.part);
        }
    }

    /// Tells a session how much of its draft went out. If the connection has failed, the client is
    /// closed.
    fn settle(&mut self, slot: &mut SendSlot) {
        let Some(turn) = &mut slot.turn else { return };
        let sent = Sent::of(slot.outcome, slot.part);
        let count = sent.map_or(0, |sent| sent.count);
        self.load.put_back(slot.part - count);
        if let Some(client) = self.clients.get(turn.index) {
            self.record.sent(client.binding.counted(), count);
        }
        match sent {
            Ok(sent) => {
                turn.full = sent.full;
                turn.left = turn.left.saturating_sub(count);
                self.go_on(slot, Input::Wrote(count));
            }
            Err(errno) => {
                let index = turn.index;
                slot.turn = None;
                self.fail(index, &errno.into());
            }
        }
    }
}
