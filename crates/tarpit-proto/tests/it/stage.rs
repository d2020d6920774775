//! A client and its session in virtual time: what the client says, what we say, and when.
//!
//! The stage obeys the session as the daemon does. It never sleeps: thirty days pass in
//! milliseconds. `TARPIT_SEED` sets the seed that a failure has printed.

use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    net::SocketAddr,
    time::Duration,
};

use tarpit_proto::{
    account::{Account, Told},
    fact::Entry,
    handshake_budget::HandshakeBudget,
    pacer::Rate,
    patterns,
    persona::Persona,
    pins::Pins,
    rng::{Entropy, Seed},
    script::{Conn, Pattern, Profile},
    session::{Cause, Draft, Event, Input, News, Output, Session, SessionId, Wake, World},
    time::{Time, Wall},
};

/// 2026-11-22 07:52:28 UTC.
pub(crate) const START: Wall = Wall(1_795_333_948);

/// One client in front of one listener.
pub(crate) struct Stage {
    pub(crate) now: Time,
    pub(crate) session: Session,
    pub(crate) profile: Profile,
    pub(crate) closed: Option<Cause>,
    /// What was sent, and when.
    pub(crate) sent: Vec<(Time, Vec<u8>)>,
    /// What was told: each fact, phrase and verdict.
    pub(crate) news: Vec<String>,
    /// What was learnt: the facts of each event, with commas in between.
    pub(crate) learnt: Vec<String>,
    /// Which layers the client broke, and how.
    pub(crate) malformed: Vec<String>,
    /// What of that stands in a trace.
    pub(crate) account: Account,
    /// How many events stand there, and of how many bytes their values are.
    pub(crate) traced: (usize, usize),
    /// How much of each transmission the connection takes.
    pub(crate) room: Box<dyn FnMut(usize) -> usize>,
    wake: Wake,
    seed: Seed,
    id: SessionId,
    group: u32,
    pub(crate) conn: Conn,
    entropy: Counter,
    draft: Draft,
    /// What may be spent on the client.
    pub(crate) budget: HandshakeBudget,
    /// Which protocols are locked to ports.
    pub(crate) pins: Pins,
    /// Where data connections are awaited.
    pub(crate) data_port: Option<u16>,
    /// How often the session was called.
    pub(crate) inputs: usize,
    /// Transmissions since time last moved, so that a session that never waits is found.
    burst: usize,
}

/// Randomness that a test can repeat.
struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

struct Notebook<'a> {
    now: Time,
    news: &'a mut Vec<String>,
    learnt: &'a mut Vec<String>,
    malformed: &'a mut Vec<String>,
    account: &'a mut Account,
    traced: &'a mut (usize, usize),
}

/// Hashes that a test can repeat.
type Keys = BuildHasherDefault<DefaultHasher>;

impl News for Notebook<'_> {
    fn tell(&mut self, event: Event<'_>) {
        let news = match event {
            Event::Learnt { facts, untold } => {
                if self.account.enter(facts, untold, self.now, &Keys::default()) != Told::Nothing {
                    self.traced.0 += 1;
                    self.traced.1 += facts.iter().map(|entry| entry.value.len()).sum::<usize>();
                }
                let told: Vec<_> = facts.iter().map(told).collect();
                self.news.extend(told.iter().map(|fact| format!("learnt {fact}")));
                self.learnt.push(told.join(", "));
                return;
            }
            Event::Malformed { layer, reason } => {
                self.malformed.push(format!("{layer}: {reason}"));
                return;
            }
            Event::Phrase(phrase) => format!("uttered {phrase}"),
            Event::Validated { expected, data, .. } => {
                format!("validated {expected} {}", data.escape_ascii())
            }
        };
        self.news.push(news);
    }
}

/// A fact by its name and value, and by its length where that is not all of it.
fn told(Entry { fact, value, length }: &Entry) -> String {
    let rest = if value.len() == *length { String::new() } else { format!(" (of {length})") };
    format!("{} {}{rest}", fact.name(), value.escape_ascii())
}

/// The seed of this test run.
pub(crate) fn seed() -> Seed {
    let number: u64 = std::env::var("TARPIT_SEED")
        .map_or(1, |text| text.parse().expect("TARPIT_SEED must be a number"));
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    Seed(seed)
}

impl Stage {
    /// A listener with this pattern, no rate, and validation on.
    pub(crate) fn new(pattern: &str) -> Self {
        Self::with(patterns::named(pattern).expect("a registered pattern"))
    }

    /// The same for a pattern that may stand in no registry.
    pub(crate) fn with(pattern: &'static dyn Pattern) -> Self {
        let seed = seed();
        let persona = Persona::named(Persona::DEFAULT, &seed).expect("the default persona");
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let start = Time::from_millis(5_000);
        Self {
            now: start,
            session: Session::open(start),
            profile: Profile::new(pattern, persona),
            closed: None,
            sent: Vec::new(),
            news: Vec::new(),
            learnt: Vec::new(),
            malformed: Vec::new(),
            account: Account::new(),
            traced: (0, 0),
            room: Box::new(|wanted| wanted),
            wake: Wake::Never,
            seed,
            id: SessionId(7),
            group: 0,
            conn: Conn {
                client: address("192.0.2.7:40000"),
                server: address("198.51.100.1:22"),
                via: None,
            },
            entropy: Counter(1),
            draft: Draft::default(),
            budget: HandshakeBudget::new(0, start),
            pins: Pins::default(),
            data_port: None,
            inputs: 0,
            burst: 0,
        }
    }

    /// Sets the user's rate, as the command line counts it.
    pub(crate) fn rate(mut self, number: i64) -> Self {
        self.profile.rate = Some(Rate::from_number(number).expect("a rate"));
        self
    }

    /// Makes it the `number`th client, with a generator of its own and fresh entropy.
    pub(crate) fn numbered(mut self, number: u64) -> Self {
        self.id = SessionId(number);
        self.entropy = Counter(number);
        self
    }

    /// Puts it into a group of clients.
    pub(crate) fn grouped(mut self, group: u32) -> Self {
        self.group = group;
        self
    }

    /// Lets it come so much later.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.now = self.now.after(wait);
        self.session = Session::open(self.now);
        self
    }

    /// Switches validation off.
    pub(crate) fn unvalidated(mut self) -> Self {
        self.profile.validate = false;
        self
    }

    /// Lets the client connect.
    pub(crate) fn open(mut self) -> Self {
        self.input(Input::Opened);
        self
    }

    /// The client sends `bytes`, in one portion.
    pub(crate) fn says(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.input(Input::Said(bytes.as_ref()));
        self
    }

    /// The client opens the data connection that is awaited.
    pub(crate) fn opens_data(&mut self) -> &mut Self {
        self.input(Input::DataOpened);
        self
    }

    /// The client closes its sending side.
    pub(crate) fn half_closes(&mut self) -> &mut Self {
        self.input(Input::HalfClosed);
        self
    }

    /// The client closes its sending side behind bytes that wait unread.
    pub(crate) fn half_closing(&mut self) -> &mut Self {
        self.input(Input::HalfClosing);
        self
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, span: Duration) -> &mut Self {
        let end = self.now.after(span);
        while self.closed.is_none() {
            match self.wake {
                Wake::At(moment) if moment <= end => {
                    assert!(moment > self.now, "a wait lies ahead");
                    self.now = moment;
                    self.burst = 0;
                    self.input(Input::Due);
                }
                Wake::Writable if self.now < end => {
                    self.now = self.now.after(Duration::from_millis(1));
                    self.burst = 0;
                    self.input(Input::Due);
                }
                _ => break,
            }
        }
        self.now = self.now.max(end);
        self
    }

    /// Seconds pass.
    pub(crate) fn pass_secs(&mut self, seconds: u64) -> &mut Self {
        self.pass(Duration::from_secs(seconds))
    }

    /// All that was sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.sent.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    /// All that was sent, as text with escapes.
    pub(crate) fn text(&self) -> String {
        self.bytes().escape_ascii().to_string()
    }

    /// What was sent since this was last asked.
    pub(crate) fn heard(&mut self) -> String {
        let text = self.text();
        self.sent.clear();
        text
    }

    /// The moments of the sends, in milliseconds since the client connected.
    pub(crate) fn moments(&self) -> Vec<u64> {
        self.sent.iter().map(|(at, _)| at.as_millis() - 5_000).collect()
    }

    /// The times between sends, in milliseconds.
    pub(crate) fn gaps(&self) -> Vec<u64> {
        self.moments().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Writes the session down and goes on with what is read again.
    pub(crate) fn hand_over(&mut self) -> &mut Self {
        let saved = self.session.save(self.now, &self.profile);
        let resumed = Session::resume(self.now, &self.profile, &saved);
        assert!(resumed.is_known, "what was saved");
        self.session = resumed.session;
        self.input(Input::Resumed);
        self
    }

    /// Whether the session wants the client's bytes.
    pub(crate) fn listens(&self) -> bool {
        self.session.listens()
    }

    fn input(&mut self, input: Input<'_>) {
        assert!(self.closed.is_none(), "the connection is closed");
        let mut input = input;
        loop {
            self.inputs += 1;
            let mut notebook = Notebook {
                now: self.now,
                news: &mut self.news,
                learnt: &mut self.learnt,
                malformed: &mut self.malformed,
                account: &mut self.account,
                traced: &mut self.traced,
            };
            let mut world = World {
                profile: &self.profile,
                conn: &self.conn,
                id: self.id,
                group: self.group,
                seed: &self.seed,
                start: START,
                entropy: &mut self.entropy,
                budget: &mut self.budget,
                pins: &mut self.pins,
                news: &mut notebook,
            };
            match self.session.handle(self.now, input, &mut world, &mut self.draft) {
                Output::Close(cause) => {
                    self.closed = Some(cause);
                    return;
                }
                Output::Transmit(bytes) => {
                    self.burst += 1;
                    // Without a limit a session may write for ever; the daemon has a budget too.
                    if self.profile.rate == Some(Rate::Unlimited) && self.burst > 8 {
                        self.wake = Wake::At(self.now.after(Duration::from_millis(1)));
                        return;
                    }
                    let taken = (self.room)(bytes.len()).min(bytes.len());
                    if taken > 0 {
                        self.sent.push((self.now, bytes[..taken].to_vec()));
                    }
                    assert!(self.burst < 1_000, "the session never waits");
                    input = Input::Wrote(taken);
                }
                Output::OpenData => input = Input::DataPort(self.data_port),
                Output::Wait(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }
}
