//! What the control socket and the page show of clients beyond counters, in fixed memory: the
//! programs of the latest clients, and the names, secrets and networks that come most often.
//!
//! It exists only where one of them is on. A held client's own memory does not grow.

pub(crate) mod word;

use std::net::IpAddr;

use tarpit_proto::{
    fact::{Entry, Fact},
    session::SessionId,
};

use self::word::Word;
use super::sketch::{Counted, Sketch};
use crate::settings::{Discretion, Network};

/// A user's name or a secret.
pub(crate) type Tried = Word<31>;

/// How a client names its program: an SSH identification line, or a `User-Agent:`.
pub(crate) type Program = Word<127>;

/// What one worker observed.
#[derive(Debug)]
pub(crate) struct Observed {
    discretion: Discretion,
    programs: Programs,
    users: Sketch<Tried>,
    secrets: Sketch<Tried>,
    networks: Sketch<Network>,
}

/// The things that came most often.
#[derive(Debug, Default)]
pub(crate) struct Frequent {
    pub(crate) users: Vec<Counted<Tried>>,
    pub(crate) secrets: Vec<Counted<Tried>>,
    pub(crate) networks: Vec<Counted<Network>>,
}

/// Clients whose programs are known, in all workers together.
const PROGRAMS: usize = 1_024;

/// Places of a sketch in all workers together.
const PLACES: usize = 512;

/// The fewest places of a worker's sketch.
const FEWEST: usize = 8;

/// The most workers.
const WORKERS: usize = 256;

const _: () = {
    let programs = PROGRAMS * size_of::<(SessionId, Program)>();
    let places = if FEWEST * WORKERS > PLACES { FEWEST * WORKERS } else { PLACES };
    let sketches = places * (2 * Sketch::<Tried>::PLACE + Sketch::<Network>::PLACE);
    assert!(programs + sketches <= 512 * 1024, "it takes at most 512 kB");
};

impl Observed {
    /// One worker's share, of this many workers.
    pub(crate) fn share(workers: usize) -> Self {
        let places = (PLACES / workers.max(1)).max(FEWEST);
        Self {
            discretion: Discretion { log_secrets: false, log_users: false, log_forwarded: false },
            programs: Programs {
                most: (PROGRAMS / workers.max(1)).max(1),
                all: Vec::new(),
                next: 0,
            },
            users: Sketch::new(places),
            secrets: Sketch::new(places),
            networks: Sketch::new(places),
        }
    }

    /// Sets which personal data is left out, and forgets what was kept of it.
    pub(crate) fn set(&mut self, discretion: Discretion) {
        self.discretion = discretion;
        if !discretion.log_users {
            self.users.clear();
        }
        if !discretion.log_secrets {
            self.secrets.clear();
        }
    }

    /// A client was opened.
    pub(crate) fn opened(&mut self, address: IpAddr) {
        self.networks.count(Network::around(address), || ());
    }

    /// Facts of a client were learnt.
    pub(crate) fn learnt(&mut self, session: SessionId, facts: &[Entry]) {
        let Discretion { log_secrets, log_users, .. } = self.discretion;
        for Entry { fact, value, .. } in facts {
            match fact {
                Fact::HttpUserAgent | Fact::SshIdent => {
                    self.programs.keep(session, Program::of(value));
                }
                Fact::Secret if log_secrets => {
                    self.secrets.count(Tried::of(value), || ());
                }
                Fact::User if log_users => {
                    self.users.count(Tried::of(value), || ());
                }
                _ => {}
            }
        }
    }

    /// A client told an earlier daemon its program.
    pub(crate) fn recall(&mut self, session: SessionId, program: &str) {
        self.programs.keep(session, Program::of(program.as_bytes()));
    }

    /// The program of a client, if it is one of the latest that told.
    pub(crate) fn program(&self, session: SessionId) -> Option<String> {
        let (_, program) = self.programs.all.iter().find(|(id, _)| *id == session)?;
        Some(program.text())
    }

    /// What came most often.
    pub(crate) fn frequent(&self) -> Frequent {
        Frequent {
            users: self.users.all(),
            secrets: self.secrets.all(),
            networks: self.networks.all(),
        }
    }
}

/// The programs of the latest clients: a ring.
#[derive(Debug)]
struct Programs {
    most: usize,
    all: Vec<(SessionId, Program)>,
    /// The place of the oldest, once the ring is full.
    next: usize,
}

impl Programs {
    fn keep(&mut self, session: SessionId, program: Program) {
        if let Some((_, known)) = self.all.iter_mut().find(|(id, _)| *id == session) {
            *known = program;
        } else if self.all.len() < self.most {
            let length = self.all.len();
            if length == self.all.capacity() {
                self.all.reserve_exact(length.max(16).min(self.most - length));
            }
            self.all.push((session, program));
        } else if let Some(place) = self.all.get_mut(self.next) {
            *place = (session, program);
            self.next = (self.next + 1) % self.most;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sketch::merged;

    fn fact(fact: Fact, value: &str) -> Entry {
        Entry::whole(fact, value.into())
    }

    #[test]
    fn the_latest_clients_programs_are_known_and_older_ones_forgotten() {
        let mut observed = Observed::share(256);
        for session in 0..10 {
            observed.learnt(SessionId(session), &[fact(Fact::SshIdent, "SSH-2.0-Go")]);
            observed.learnt(SessionId(session), &[fact(Fact::HttpUserAgent, &session.to_string())]);
        }
        let known: Vec<_> = (0..10).map(|it| observed.program(SessionId(it))).collect();
        assert!(known[..6].iter().all(Option::is_none), "{known:?}");
        assert_eq!(known[6..], ["6", "7", "8", "9"].map(|it| Some(it.to_owned())));
        assert_eq!(observed.programs.all.capacity(), 4);
    }

    #[test]
    fn names_and_secrets_are_kept_only_where_the_owner_wants_them_written() {
        let mut observed = Observed::share(1);
        let guess = [fact(Fact::User, "root"), fact(Fact::Secret, "1234")];
        let counts = |observed: &Observed| {
            let Frequent { users, secrets, .. } = observed.frequent();
            (users.len(), secrets.len())
        };
        observed.learnt(SessionId(1), &guess);
        assert_eq!(counts(&observed), (0, 0));
        observed.set(Discretion { log_secrets: true, log_users: true, log_forwarded: false });
        observed.learnt(SessionId(1), &guess);
        assert_eq!(counts(&observed), (1, 1));
        observed.set(Discretion { log_secrets: false, log_users: true, log_forwarded: false });
        observed.learnt(SessionId(1), &guess);
        assert_eq!(counts(&observed), (1, 0));
        assert_eq!(observed.frequent().users[0].count, 2);
    }

    #[test]
    fn clients_are_counted_by_their_networks() {
        let mut observed = Observed::share(1);
        for address in ["192.0.2.1", "192.0.2.250", "2001:db8::1", "198.51.100.1", "192.0.2.9"] {
            observed.opened(address.parse().unwrap());
        }
        let top = merged([observed.frequent().networks], 1);
        assert_eq!((top[0].thing.to_string(), top[0].count), ("192.0.2.0/24".into(), 3));
    }
}
