//! The first answer to each client. It comes a moment late, as a real server's does: that one has a
//! process to start, or a file to find. Answers within the same microseconds on all ports are a mark
//! by which scanners find tarpits.
//!
//! How late depends on the port and on the client. A server that speaks first mostly starts a
//! process for each client, and is later. Only first answers wait: what is dripped is late by
//! itself.

use std::{
    cmp::Reverse, collections::BinaryHeap, hash::BuildHasher as _, io, os::fd::AsRawFd as _,
    time::Duration,
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use tarpit_proto::{
    handshake_budget::LoadLevel,
    protocols,
    script::{Profile, Side},
    session::{Input, SessionId},
};

use crate::{
    os::{
        clock::Clock,
        entropy::{HashMap, Keyed},
        timer::Timer,
    },
    worker::{Worker, turn::Turn},
};

/// The token of the timer.
pub(super) const LATE: Token = Token(usize::MAX - 2);

/// The clients whose first answer is due soon.
#[derive(Debug)]
pub(super) struct FirstAnswers {
    timer: Timer,
    clock: Clock,
    /// By whose hashes it is decided how late an answer is.
    key: Keyed,
    /// When, since the start, and for which slot.
    due: BinaryHeap<Reverse<(Duration, u32)>>,
    /// Whether each has closed its side meanwhile.
    waiting: HashMap<u32, bool>,
    /// Whose turn it is.
    serving: Option<Late>,
}

/// A client that has waited long enough.
#[derive(Clone, Copy, Debug)]
struct Late {
    index: u32,
    /// Whether it has closed its side meanwhile.
    departs: bool,
}

impl FirstAnswers {
    /// Nobody waits.
    pub(super) fn new(clock: Clock, registry: &Registry) -> io::Result<Self> {
        let timer = Timer::new()?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), LATE, Interest::READABLE)?;
        let key = Keyed::default();
        // All of it now, so that what it takes does not grow with a crowd.
        let due = BinaryHeap::with_capacity(MOST);
        let waiting = HashMap::with_capacity_and_hasher(MOST, key.clone());
        Ok(Self { timer, clock, key, due, waiting, serving: None })
    }

    /// Lets a client wait for its first answer, unless it does already.
    fn put_off(&mut self, late: Late, lateness: Duration) {
        if let Some(departs) = self.waiting.get_mut(&late.index) {
            *departs |= late.departs;
            return;
        }
        self.waiting.insert(late.index, late.departs);
        let now = self.clock.since_start();
        self.due.push(Reverse((now + lateness, late.index)));
        self.set(now);
    }

    /// Takes out a client whose time has come.
    fn next(&mut self) -> Option<Late> {
        let &Reverse((moment, index)) = self.due.peek()?;
        let now = self.clock.since_start();
        if moment > now {
            self.set(now);
            return None;
        }
        self.due.pop();
        let departs = self.waiting.remove(&index).unwrap_or_default();
        Some(Late { index, departs })
    }

    /// Sets the timer to the first of those who wait.
    fn set(&self, now: Duration) {
        if let Some(Reverse((moment, _))) = self.due.peek() {
            // It fails for no time that lies ahead by a few milliseconds.
            let _ = self.timer.set(moment.saturating_sub(now));
        }
    }

    /// How long nothing needs to be done, for a poll that counts milliseconds: the timer tells, and
    /// this is for the case that it does not.
    pub(super) fn patience(&self) -> Option<Duration> {
        (!self.due.is_empty()).then_some(LONGEST)
    }
}

/// The most clients that wait at a time; in a storm of newcomers the others are answered at once.
const MOST: usize = 256;

/// The longest lateness, about.
const LONGEST: Duration = Duration::from_millis(20);

/// How late the first answer to a client of this port is.
fn lateness(key: &Keyed, profile: &Profile, port: u16, client: SessionId) -> Duration {
    let protocol = profile.pattern.protocol().or_else(|| protocols::on(port));
    // In microseconds. On the loopback interface Debian's vsftpd took 900 to 2,300, a process for
    // each client; Apache 100 to 900; nginx and Redis 30 to 320.
    let (least, most) = match protocol.map(|protocol| protocol.first) {
        Some(Side::Server) => (900, 4_500),
        Some(Side::Client) | None => (150, 900),
    };
    let service = key.hash_one(port);
    let usual = least + service % (most - least);
    let dice = key.hash_one((port, client.0));
    let mut micros = usual * (800 + dice % 800) / 1_000;
    // Now and then the processor or the disk was busy.
    if (dice >> 32).is_multiple_of(16) {
        micros += usual * ((dice >> 40) % 2_048) / 1_024;
    }
    Duration::from_micros(micros)
}

impl Worker {
    /// Whether the client of this turn has been answered nothing so far, and has not waited yet. Where
    /// nothing may be sent, who leaves is not kept waiting: the byte that it gets frees its place.
    pub(super) fn is_to_be_put_off(&self, turn: &Turn) -> bool {
        let FirstAnswers { due, waiting, serving, .. } = &self.first_answers;
        let has_room = due.len() < MOST || waiting.contains_key(&turn.index);
        has_room
            && serving.is_none_or(|late| late.index != turn.index)
            && !(turn.departs && self.load.handshakes.load_level() >= LoadLevel::Parked)
            && self.clients.slot(turn.index).is_some_and(|slot| slot.session.sent() == 0)
    }

    /// Whether this client has closed its side while it waited for the answer that it gets now.
    pub(super) fn has_departed(&self, index: u32) -> bool {
        self.first_answers.serving.is_some_and(|late| late.index == index && late.departs)
    }

    /// Lets the client of this turn wait for its first answer.
    pub(super) fn put_off_first_answer(&mut self, turn: &Turn) {
        let &Turn { index, id: client, departs, .. } = turn;
        let Some(held) = self.clients.get(index) else { return };
        let late = lateness(
            &self.first_answers.key,
            &held.binding.profile,
            held.conn.server.port(),
            client,
        );
        self.first_answers.put_off(Late { index, departs }, late);
    }

    /// Answers those who have waited long enough.
    pub(super) fn answer_first(&mut self) {
        while let Some(late) = self.first_answers.next() {
            self.first_answers.serving = Some(late);
            self.drive(late.index, Input::Due);
            self.first_answers.serving = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tarpit_proto::{patterns, persona::Persona, rng::Seed};

    use super::*;

    fn micros(key: &Keyed, pattern: &str, port: u16) -> Vec<u128> {
        let persona = Persona::default_for(&Seed([1; 32]));
        let profile = Profile::new(patterns::named(pattern).unwrap(), persona);
        let mut all: Vec<_> = (0..400)
            .map(|client| lateness(key, &profile, port, SessionId(client)).as_micros())
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn first_answers_vary_from_client_to_client_and_from_port_to_port() {
        let key = Keyed::default();
        let mut medians = Vec::new();
        for port in 1..=40 {
            let all = micros(&key, "ssh", port);
            assert!(all[0] >= 720 && all[399] < LONGEST.as_micros(), "{all:?}");
            assert!(all[360] * 10 >= all[40] * 13, "they hardly vary: {all:?}");
            medians.push(all[200]);
        }
        medians.sort_unstable();
        medians.dedup();
        assert!(medians.len() > 35, "{medians:?}");
        assert!(medians[medians.len() - 1] > medians[0] * 2, "{medians:?}");
    }

    #[test]
    fn a_server_that_speaks_first_takes_longer_and_on_auto_the_port_decides() {
        let key = Keyed::default();
        let least = |pattern, port| micros(&key, pattern, port)[0];
        let most = |pattern, port| micros(&key, pattern, port)[399];
        assert!(most("http", 80) < 4_000 && least("http", 80) < 1_000);
        assert!(least("auto", 22) >= 720 && least("auto", 6_379) < 1_000);
    }
}
