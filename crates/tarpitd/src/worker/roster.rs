//! What the admin server asks of a worker: lists of its clients, and to drop some.
//!
//! Each question is a bounded piece of work, so that clients are served between two pieces. Whoever
//! asks goes on where the answer says that there may be more.

use std::{net::SocketAddr, ops::Range, os::fd::AsFd as _};

use tarpit_proto::{
    session::{Cause, SessionId},
    time::Time,
};
use tokio::sync::oneshot;

use crate::{
    os::{entropy::HashMap, sys},
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

/// The most places that one question looks at: a fifth of a millisecond's work.
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
        // There may be thousands of tarpits.
        let mut known: HashMap<&str, usize> = HashMap::default();
        for client in range.filter_map(|place| self.clients.get(place)) {
            let opened = client.slot.session.opened(self.now);
            let place = *known.entry(&client.binding.name).or_insert(clients.len());
            match clients.get_mut(place) {
                Some(oldest) if oldest.opened <= opened => {}
                Some(oldest) => {
                    (oldest.opened, oldest.client) =
                        (opened, self.record.shown(client.conn.client));
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
    fn range(&self, from: u32) -> (Range<u32>, Option<u32>) {
        piece(from, self.clients.places())
    }

    fn is_meant(&self, client: &Client<'_>, whom: Whom) -> bool {
        match whom {
            Whom::All => true,
            Whom::Network(network) => network.contains(client.conn.client.ip()),
            Whom::Session(id) => self.clients.id_of(client, self.now) == id,
        }
    }
}

/// The places of the piece that begins at `from`, of `all` places, and where the next piece begins.
fn piece(from: u32, all: u32) -> (Range<u32>, Option<u32>) {
    let end = from.saturating_add(LOOKED_AT);
    (from..end.min(all), (end < all).then_some(end))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener, TcpStream},
        os::fd::OwnedFd,
        sync::{Arc, mpsc},
        time::Duration,
    };

    use mio::Poll;
    use tarpit_proto::{
        fact::{Entry, Fact},
        rng::Seed,
        script::Conn,
        session::Session,
    };

    use super::*;
    use crate::{
        admit::{
            access::Access,
            admission::{Admission, Caps},
            load::Bounds,
        },
        os::{clock::Clock, entropy::Keyed, privileges},
        report::{
            anonymize::Anonymizer,
            log::Log,
            record::Record,
            target::Target,
            totals::WorkerTotals,
            trace::{Form, Style},
            writer::{Report, Writer},
        },
        settings::{AccessLists, Discretion, Evict, Level, Sink, TimeForm},
        worker::{Rules, Setup, endpoints::tests::named, kept::Kept, sender::Sender},
    };

    /// What a worker may do for the admin server before it serves its clients again.
    const PIECE: Duration = Duration::from_millis(5);

    /// More clients than one piece has.
    const CLIENTS: u32 = LOOKED_AT + 64;

    /// More than anybody has.
    const TARPITS: usize = 2_000;

    /// Of all clients one address.
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

    /// A worker that holds nobody, and observes its clients.
    fn worker() -> Worker {
        let (clock, poll) = (Clock::start(), Poll::new().unwrap());
        let nowhere = || Target::open(&Sink::File("/dev/null".into())).unwrap();
        let log = Log::open(&Sink::Stdout, nowhere(), Level::Error, clock).unwrap();
        let report = Report::to(|_, _| {});
        let trace = Writer::spawn("test", nowhere(), clock, report, 0).unwrap();
        let totals = (0, Arc::new(WorkerTotals::default()));
        let mut record = Record::new(clock, log, totals, trace, Keyed::default());
        record.observe(Some(1));
        let discretion = Discretion { log_secrets: true, log_users: true, log_forwarded: true };
        let style =
            Style { discretion, form: Form::Json(TimeForm::Epoch), anonymizer: Anonymizer::Prefix };
        let bounds =
            Bounds { egress: 0, egress_per_day: 0, handshakes: 0, handshakes_under_way: 0, cpu: 0 };
        let caps = Caps { clients: 0, per_address: 0, per_prefix: 0 };
        let setup = Setup {
            poll,
            clock,
            seed: Seed([0; 32]),
            ids: Keyed::default(),
            listeners: Vec::new(),
            kept: Kept::default(),
            admission: Arc::new(Admission::new(caps)),
            rules: Rules {
                access: Arc::new(Access::new(AccessLists::default())),
                evict: Evict::Refuse,
                bounds,
                style,
                trace_per_second: None,
                geoip: None,
                busiest: 0,
                observes: Some(1),
            },
            sender: Sender::default(),
            record,
            commands: mpsc::channel().1,
            notify: mpsc::channel().0,
        };
        Worker::new(setup).unwrap()
    }

    /// Lets the worker hold so many clients, all of one connection, in turn on these tarpits. Each
    /// has said what it is, and has tried a name and a secret.
    fn hold(worker: &mut Worker, clients: u32, tarpits: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let connection = OwnedFd::from(listener.accept().unwrap().0);
        let bindings: Vec<_> = (0..tarpits).map(|tarpit| named(&format!("{tarpit}"))).collect();
        for (port, binding) in (0..clients).zip(bindings.iter().cycle()) {
            let client = SocketAddr::new(ADDRESS.into(), port as u16);
            let conn = Conn { client, server: ([198, 51, 100, 1], 22).into(), via: None };
            let fd = connection.try_clone().unwrap();
            let session = Session::open(worker.now);
            let place = worker.clients.add(session, fd, binding, (conn, None)).unwrap();
            let id = worker.clients.id(place, worker.now).unwrap();
            let facts = [Fact::SshIdent, Fact::User, Fact::Secret];
            let facts = facts.map(|fact| Entry::whole(fact, format!("{port} is it").into()));
            worker.record.noticed(id, &facts);
        }
    }

    #[test]
    fn pieces_of_bounded_size_have_each_of_100_000_places_once() {
        let (mut from, mut seen, mut pieces) = (Some(0), 0, 0);
        while let Some(start) = from {
            let (places, next) = piece(start, 100_000);
            assert_eq!(places.start, seen);
            assert!((1..=LOOKED_AT as usize).contains(&places.len()), "{places:?}");
            (seen, from, pieces) = (places.end, next, pieces + 1);
        }
        assert_eq!((seen, pieces), (100_000, 100_000_u32.div_ceil(LOOKED_AT)));
        assert_eq!(piece(0, 0), (0..0, None));
    }

    #[test]
    fn a_piece_has_a_bounded_number_of_clients_and_takes_less_than_5_ms() {
        let files = privileges::raise_file_limit();
        if files < u64::from(CLIENTS) + 200 {
            eprintln!("skipped: a process may open {files} files only");
            return;
        }
        let mut worker = worker();
        hold(&mut worker, CLIENTS, TARPITS);
        let network = Whom::Network(Network::around([203, 0, 113, 1].into()));
        let session = Whom::Session(SessionId(0));
        for (whom, says) in [(Whom::All, "all"), (network, "one network"), (session, "one session")]
        {
            for (order, name) in Order::ALL {
                let ranked = timed(&format!("rank {says} {name}"), || worker.rank(0, whom, order));
                assert_eq!(ranked.next, Some(LOOKED_AT));
                let wanted = if whom == Whom::All { LOOKED_AT } else { 0 };
                assert_eq!(ranked.clients.len(), wanted as usize);
            }
        }
        assert_eq!(worker.rank(LOOKED_AT, Whom::All, Order::Oldest).next, None);
        let oldest = timed("oldest of each of 2,000 tarpits", || worker.oldest(0));
        assert_eq!((oldest.clients.len(), oldest.next), (TARPITS, Some(LOOKED_AT)));
        // The latest are those whose programs are looked for the longest.
        let places = || (0..CLIENTS).rev().collect();
        let described = timed("describe", || {
            let (answer, mut described) = oneshot::channel();
            worker.answer(Question::Describe { places: places(), whom: Whom::All, answer });
            described.try_recv().unwrap()
        });
        assert_eq!(described.len(), DESCRIBED);
        assert!(described.iter().all(|(_, client)| client.program.is_some()));
        timed("most frequent", || worker.record.observed().map(Observed::frequent));
        let dropped = timed("drop", || {
            let dropped = worker.drop_some(0, Whom::All);
            worker.record.flush();
            dropped
        });
        assert_eq!(dropped.clients, DROPPED);
    }

    /// Does it several times, and compares the median of the CPU time with its bound. It prints the
    /// median.
    fn timed<T>(what: &str, mut does: impl FnMut() -> T) -> T {
        let clock = Clock::start();
        let mut last = None;
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let before = clock.used();
                last = Some(does());
                clock.used().saturating_sub(before)
            })
            .collect();
        times.sort();
        println!("{what}: {:?}", times[4]);
        assert!(times[4] < PIECE, "{what}: {times:?}");
        last.unwrap()
    }
}
