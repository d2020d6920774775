//! What the control socket and the page show of clients beyond counters, in fixed memory: the
//! programs of the latest clients, and the names, secrets and networks that come most often.
//!
//! It exists only where one of them is on. A held client's own memory does not grow.

pub(crate) mod saved;
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
    /// Whether clients that are taken over are among what is counted.
    goes_on: bool,
}

/// The things that came most often.
#[derive(Clone, Debug, Default)]
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
            goes_on: false,
        }
    }

    /// Goes on from its share of what an earlier daemon's workers observed, as far as it may be kept
    /// here.
    pub(crate) fn go_on(&mut self, frequent: Frequent) {
        let Frequent { users, secrets, networks } = frequent;
        self.goes_on = true;
        self.networks.recall(networks, || ());
        if self.discretion.log_users {
            self.users.recall(users, || ());
        }
        if self.discretion.log_secrets {
            self.secrets.recall(secrets, || ());
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

    /// A client of an earlier daemon is held here; it may have told that one its program.
    pub(crate) fn taken_over(
        &mut self,
        address: IpAddr,
        session: SessionId,
        program: Option<&str>,
    ) {
        if !self.goes_on {
            self.opened(address);
        }
        if let Some(program) = program {
            self.programs.keep(session, Program::of(program.as_bytes()));
        }
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
    fn what_came_most_often_goes_on_in_any_number_of_workers() {
        let all = Discretion { log_secrets: true, log_users: true, log_forwarded: false };
        let mut observed = Observed::share(1);
        observed.set(all);
        let long = "x".repeat(40);
        for (user, times) in [("root", 3), ("admin", 2), (&*long, 1)] {
            for _ in 0..times {
                observed.learnt(SessionId(1), &[fact(Fact::User, user), fact(Fact::Secret, "s")]);
                observed.opened("192.0.2.1".parse().unwrap());
            }
        }
        let saved = saved::SavedFrequent::of([observed.frequent()], "none").unwrap();
        let next = |workers: usize, discretion: Discretion| {
            let frequent = saved.clone().load("none").unwrap();
            let of_workers = (0..workers).map(|worker| {
                let mut next = Observed::share(workers);
                next.set(discretion);
                next.go_on(frequent.share(worker, workers));
                next.taken_over("192.0.2.1".parse().unwrap(), SessionId(1), None);
                next.frequent()
            });
            let of_workers: Vec<_> = of_workers.collect();
            let lists = |list: fn(&Frequent) -> Vec<Counted<Tried>>| {
                let all = merged(of_workers.iter().map(list), 9);
                all.iter().map(|it| (it.thing.text(), it.count)).collect::<Vec<_>>()
            };
            let networks = merged(of_workers.iter().map(|it| it.networks.clone()), 9);
            (lists(|it| it.users.clone()), lists(|it| it.secrets.clone()), networks[0].count)
        };
        let cut = format!("{}…", "x".repeat(31));
        let users = vec![("root".to_owned(), 3), ("admin".to_owned(), 2), (cut, 1)];
        let secrets = vec![("s".to_owned(), 6)];
        assert_eq!(next(1, all), (users.clone(), secrets.clone(), 6));
        assert_eq!(next(3, all), (users, secrets, 6));
        // Other rules: nothing of what they forbid.
        let none = Discretion { log_secrets: false, log_users: false, log_forwarded: false };
        assert_eq!(next(1, none), (vec![], vec![], 6));
        assert!(saved.load("prefix").is_none());
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
