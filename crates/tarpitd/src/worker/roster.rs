//! What the admin server asks of a worker: lists of its clients, and to drop some.
//!
//! Each question is a bounded piece of work, so that clients are served between two pieces. Whoever
//! asks goes on where the answer says that there may be more.

use std::{net::SocketAddr, os::fd::AsFd as _};

use tarpit_proto::{
    session::{Cause, SessionId},
    time::Time,
};
use tokio::sync::oneshot;

use crate::{
    os::sys,
    report::{
        held::{HeldClient, state_name},
        observed::{Frequent, Observed},
    },
    settings::Network,
    worker::{Worker, clients::Client},
};

/// A question to a worker.
#[derive(Debug)]
pub(crate) enum Question {
    /// Say more of the clients in these places, at most [`DESCRIBED`].
    Describe { places: Vec<u32>, whom: Whom, answer: oneshot::Sender<Described> },
    /// Drop the clients from this place on.
    Drop { from: u32, whom: Whom, answer: oneshot::Sender<Dropped> },
    /// Say what came most often.
    Frequent(oneshot::Sender<Frequent>),
    /// Say which client of each tarpit has been held longest, from this place on.
    Oldest { from: u32, answer: oneshot::Sender<Oldest> },
    /// Rank the clients from this place on.
    Rank { from: u32, whom: Whom, order: Order, answer: oneshot::Sender<Ranked> },
}

/// Clients with their places, in the order of the question; those that have gone are left out.
pub(crate) type Described = Vec<(u32, HeldClient)>;

/// Which clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    All,
    Network(Network),
    Session(SessionId),
}

/// Which clients come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Newest,
    Oldest,
    Received,
    Sent,
}

impl Order {
    /// Every order, by its name.
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Newest, "newest"),
        (Self::Oldest, "oldest"),
        (Self::Received, "received"),
        (Self::Sent, "sent"),
    ];
}

/// Clients with their ranks, the lowest of which comes first.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// Rank and place.
    pub(crate) clients: Vec<(u64, u32)>,
    /// Where to go on.
    pub(crate) next: Option<u32>,
}

/// The client of each tarpit that has been held longest.
#[derive(Debug)]
pub(crate) struct Oldest {
    pub(crate) clients: Vec<OldestClient>,
    /// Where to go on.
    pub(crate) next: Option<u32>,
}

/// The client of a tarpit that has been held longest.
#[derive(Clone, Debug)]
pub(crate) struct OldestClient {
    pub(crate) tarpit: String,
    pub(crate) opened: Time,
    pub(crate) client: SocketAddr,
}

/// How many clients were dropped.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub(crate) clients: u64,
    /// Where to go on.
    pub(crate) next: Option<u32>,
}

/// The most places that one question looks at: less than a millisecond's work.
const LOOKED_AT: u32 = 4_096;

/// The most clients that are described at once: each takes a system call.
pub(crate) const DESCRIBED: usize = 256;

/// The most clients that are dropped at once: each is a closed socket and a line in the trace.
const DROPPED: u64 = 64;

impl Worker {
    /// Answers the admin server. If nobody waits for an answer any more, nobody misses it.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Describe { places, whom, answer } => {
                let places = places.into_iter().take(DESCRIBED);
                let clients = places.filter_map(|place| Some((place, self.describe(place, whom)?)));
                let clients = clients.collect();
                let _ = answer.send(clients);
            }
            Question::Drop { from, whom, answer } => {
                let _ = answer.send(self.drop_some(from, whom));
            }
            Question::Frequent(answer) => {
                let observed = self.record.observed();
                let _ = answer.send(observed.map(Observed::frequent).unwrap_or_default());
            }
            Question::Oldest { from, answer } => {
                let _ = answer.send(self.oldest(from));
            }
            Question::Rank { from, whom, order, answer } => {
                let _ = answer.send(self.rank(from, whom, order));
            }
        }
    }

    fn rank(&self, from: u32, whom: Whom, order: Order) -> Ranked {
        let (range, next) = self.range(from);
        let rank = |place| {
            let client = self.clients.get(place).filter(|client| self.is_meant(client, whom))?;
            let session = &client.slot.session;
            let opened = session.opened(self.now).as_millis();
            let rank = match order {
                Order::Newest => u64::MAX - opened,
                Order::Oldest => opened,
                Order::Received => u64::MAX - session.heard(),
                Order::Sent => u64::MAX - session.sent(),
            };
            Some((rank, place))
        };
        Ranked { clients: range.filter_map(rank).collect(), next }
    }

    fn oldest(&self, from: u32) -> Oldest {
        let (range, next) = self.range(from);
        let mut clients: Vec<OldestClient> = Vec::new();
        for client in range.filter_map(|place| self.clients.get(place)) {
            let opened = client.slot.session.opened(self.now);
            let known = clients.iter_mut().find(|known| known.tarpit == client.binding.name);
            match known {
                Some(known) if known.opened <= opened => {}
                Some(known) => {
                    (known.opened, known.client) = (opened, self.record.shown(client.conn.client));
                }
                None => clients.push(OldestClient {
                    tarpit: client.binding.name.clone(),
                    opened,
                    client: self.record.shown(client.conn.client),
                }),
            }
        }
        Oldest { clients, next }
    }

    fn describe(&mut self, place: u32, whom: Whom) -> Option<HeldClient> {
        let client = self.clients.get(place).filter(|client| self.is_meant(client, whom))?;
        let id = self.clients.id_of(&client, self.now);
        let (session, conn) = (&client.slot.session, client.conn);
        let (opened, held) = (session.opened(self.now), session.held(self.now));
        let (sent, received) = (session.sent(), session.heard());
        let heard = sys::unheard_for(client.slot.fd.as_fd()).ok().filter(|_| received > 0);
        let tarpit = client.binding.name.clone();
        let found = self.accounts.protocol(place);
        let turn = self.clients.get_mut(place)?;
        let (pattern, state) = turn.session.stage(&turn.binding.profile);
        let protocol = pattern.protocol().map(|protocol| protocol.name).or(found);
        Some(HeldClient {
            session: format!("{:016x}", id.0),
            client: self.record.shown(conn.client),
            server: conn.server,
            tarpit,
            since: self.calendar.start.0 + opened.as_millis() / 1_000,
            held_seconds: held.as_secs(),
            protocol: protocol.map(str::to_owned),
            pattern: pattern.name().to_owned(),
            state: state_name(state),
            sent,
            received,
            heard_seconds_ago: heard.map(|silence| silence.as_secs()),
            program: self.record.observed().and_then(|observed| observed.program(id)),
        })
    }

    fn drop_some(&mut self, from: u32, whom: Whom) -> Dropped {
        let (range, mut next) = self.range(from);
        let mut dropped = 0;
        for place in range {
            if dropped == DROPPED {
                next = Some(place);
                break;
            }
            let client = self.clients.get(place);
            if client.is_some_and(|client| self.is_meant(&client, whom)) {
                self.close(place, Cause::Dropped);
                dropped += 1;
            }
        }
        Dropped { clients: dropped, next }
    }

    /// The places for one question that begins at `from`, and where the next one begins.
    fn range(&self, from: u32) -> (std::ops::Range<u32>, Option<u32>) {
        let (all, end) = (self.clients.places(), from.saturating_add(LOOKED_AT));
        (from..end.min(all), (end < all).then_some(end))
    }

    fn is_meant(&self, client: &Client<'_>, whom: Whom) -> bool {
        match whom {
            Whom::All => true,
            Whom::Network(network) => network.contains(client.conn.client.ip()),
            Whom::Session(id) => self.clients.id_of(client, self.now) == id,
        }
    }
}
