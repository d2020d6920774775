//! One client's turn: its session is given an input, and does what it says until it waits.

use std::{net::SocketAddr, time::Duration};

use tarpit_proto::{
    pacer::Rate,
    session::{Cause, Draft, Input, Output, SessionId, Wake, World},
    time::Time,
};

use crate::{
    admit::{access::Verdict, forwarded::Rank},
    os::entropy::System,
    worker::{
        Worker,
        clients::{Client, ClientMut},
        news::{Forwarding, SessionNews},
        send::SendSlot,
    },
};

/// One client's turn, from its input to its next wait.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) index: u32,
    pub(super) id: SessionId,
    /// What may still be sent in it, in bytes.
    pub(super) left: usize,
    /// Whether the kernel is to be asked for unacknowledged bytes before anything is sent.
    pub(super) asks: bool,
    /// Whether the client has closed its side, and has been sent nothing since: a byte goes to it
    /// whatever the budget.
    pub(super) departs: bool,
    /// Whether the socket itself took less than it was given, and will tell when it takes more.
    pub(super) full: bool,
    before: Before,
}

/// How a session stood before its turn.
#[derive(Clone, Copy, Debug)]
struct Before {
    listened: bool,
    /// Whether it took memory that may be free after the turn.
    amid: bool,
}

/// The most bytes sent to one client in a turn.
const SENDS: usize = 64 * 1024;

/// What was not sent for want of a budget or of memory is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// How many clients whose slots are next to each other have their turns together, where their paces
/// allow it. They mostly came together, so that what the kernel keeps of them lies together too.
const GROUP: u32 = 64;

impl Worker {
    /// Gives a client's session an input, and does what it says.
    pub(super) fn drive(&mut self, index: u32, input: Input<'_>) {
        let mut alone = std::mem::take(&mut self.sending.alone);
        alone.turn = self.begin(index, &input);
        self.go_on(&mut alone, input);
        self.finish(&mut alone);
        self.sending.alone = alone;
    }

    /// Looks up what a client's turn needs to know.
    pub(super) fn begin(&self, index: u32, input: &Input<'_>) -> Option<Turn> {
        let client = self.clients.get(index)?;
        let Client { slot, binding, .. } = client;
        let is_due = matches!(input, Input::Due);
        // What is due while earlier bytes are still unacknowledged would only cost the kernel
        // another page; unless so much is to go that this is the usual state. To ask costs a third
        // of what a send costs, and a few pages are few: so one turn in four.
        let is_sparse =
            !matches!(binding.profile.rate, Some(Rate::BytesPerSecond(_) | Rate::Unlimited));
        let departs =
            matches!(input, Input::HalfClosed | Input::HalfClosing) || self.has_departed(index);
        // A client that waits for its next turn to send is sent nothing before, however much it
        // talks meanwhile.
        let waits = !is_due && !departs && self.sending.more.holds(index);
        Some(Turn {
            index,
            id: self.clients.id_of(&client, self.now),
            left: if waits { 0 } else { SENDS },
            asks: is_due && is_sparse && is_asked(index, self.now),
            departs,
            full: false,
            before: Before { listened: slot.session.listens(), amid: slot.session.is_amid() },
        })
    }

    /// Gives the session of a turn its input. If the turn goes on, the draft is to be sent.
    pub(super) fn go_on(&mut self, slot: &mut SendSlot, input: Input<'_>) {
        let Some(turn) = slot.turn.take() else { return };
        let (mut input, index) = (input, turn.index);
        loop {
            match self.handle(&turn, input, &mut slot.draft) {
                None => return,
                Some(Output::Close(cause)) => {
                    self.close(index, cause);
                    return;
                }
                Some(Output::OpenData) => input = Input::DataPort(self.await_data(index, turn.id)),
                Some(Output::Transmit(_)) if self.is_to_be_put_off(&turn) => {
                    self.put_off_first_answer(&turn);
                    break;
                }
                Some(Output::Transmit(_)) if turn.left > 0 => {
                    slot.turn = Some(turn);
                    return;
                }
                Some(Output::Transmit(_)) => {
                    self.sending.more.push(index);
                    break;
                }
                Some(Output::Wait(wake)) => {
                    self.wait(index, wake, turn.full);
                    break;
                }
            }
        }
        self.end(turn.index, turn.before);
    }

    /// Lets a session handle an input; `None` if the client is gone.
    fn handle<'d>(
        &mut self,
        turn: &Turn,
        input: Input<'_>,
        draft: &'d mut Draft,
    ) -> Option<Output<'d>> {
        let index = turn.index;
        let ClientMut { session, binding, conn, speaker: (relay, rank) } =
            self.clients.get_mut(index)?;
        let access = self.room.access();
        let is_trusted = access.forwards(relay.ip());
        let about = binding.subject(conn, turn.id);
        let mut news = SessionNews {
            record: &mut self.record,
            accounts: &mut self.accounts,
            about,
            expected: binding.profile.pattern.protocol(),
            slot: index,
            forwarding: Forwarding { access, relay, is_trusted, rank, named: None },
        };
        let mut world = World {
            profile: &binding.profile,
            conn: &conn,
            id: turn.id,
            group: index / GROUP,
            seed: &self.seed,
            start: self.calendar.start,
            entropy: &mut System,
            budget: &mut self.load.handshakes,
            pins: &mut self.pins,
            news: &mut news,
        };
        let output = session.handle(self.now, input, &mut world, draft);
        match news.forwarding {
            Forwarding { named: Some(client), rank, .. } => {
                self.reveal(index, client, rank).then_some(output)
            }
            Forwarding { named: None, .. } => Some(output),
        }
    }

    /// An HTTP relay has named its client: from now on it is that client. Says whether it is still
    /// held.
    fn reveal(&mut self, index: u32, client: SocketAddr, rank: Rank) -> bool {
        let Some(Client { conn, .. }) = self.clients.get(index) else { return false };
        let (from, to) = (conn.client.ip(), client.ip());
        let refuses = match self.room.verdict(to) {
            Verdict::Allowed | Verdict::Denied => true,
            // Without room for its addresses it stays the relay.
            Verdict::Health | Verdict::Held if !self.clients.detour(index, self.now) => {
                return true;
            }
            Verdict::Health | Verdict::Held => from != to && self.room.rename(from, to).is_err(),
        };
        if refuses {
            self.close(index, Cause::Refused);
        } else {
            self.clients.reveal(index, client, rank);
        }
        !refuses
    }

    /// Lets a client wait as its session wants. `full`: its socket tells when it takes more.
    fn wait(&mut self, index: u32, wake: Wake, full: bool) {
        match wake {
            Wake::At(moment) => self.clients.arm(index, moment),
            // What was held back by us is tried again by us.
            Wake::Writable if !full => self.clients.arm(index, self.now.after(RETRY)),
            Wake::Never | Wake::Writable => self.clients.disarm(index),
        }
    }

    /// Sees to what a turn has changed.
    fn end(&mut self, index: u32, before: Before) {
        let Some(slot) = self.clients.slot(index) else { return };
        if before.amid && !slot.session.is_amid() {
            self.memory.freed(self.now);
        }
        // Readiness is told once: what came while nobody listened is asked for now.
        if !before.listened && slot.session.listens() {
            self.reading.read_later(index, self.now);
        }
    }
}

/// Whether the kernel is asked about this client's acknowledgements at this turn: in a quarter of
/// them, whatever the time between turns is. A share of the clock alone would ask a client whose
/// turns are a multiple of that share apart each time, or never.
fn is_asked(index: u32, now: Time) -> bool {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let turn = (u64::from(index) << 40 ^ now.as_millis()).wrapping_mul(SPREAD);
    (turn ^ turn >> 32).wrapping_mul(SPREAD) >> 62 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_turns_ask_whatever_the_time_between_them() {
        for pause in (1..=64).map(|seconds| seconds * 1_000).chain([100, 7_999, 86_400_000]) {
            for index in [0, 1, 2, 3, 70_000] {
                let asks = |turn: u64| is_asked(index, Time::from_millis(turn * pause));
                let count = (0..1_000).filter(|&turn| asks(turn)).count();
                assert!((190..=310).contains(&count), "{count} of 1000 at {pause} ms, {index}");
                let longest = (0..936).all(|turn| (turn..turn + 64).any(asks));
                assert!(longest, "64 turns without a question at {pause} ms, client {index}");
            }
        }
    }
}
