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
    driver::{Driven, Driver, Line},
    fact::Entry,
    pacer::Rate,
    patterns,
    persona::Persona,
    rng::{Entropy, Seed},
    script::{Conn, Pattern, Profile},
    session::{Cause, Event, Input, News, Session, SessionId},
    ssh_offer::SshOffer,
    time::{Time, Wall},
};

/// 2026-11-22 07:52:28 UTC.
pub(crate) const START: Wall = Wall(1_795_333_948);

/// One client in front of one listener.
pub(crate) struct Stage {
    pub(crate) driver: Driver<Counter, Notebook>,
    pub(crate) closed: Option<Cause>,
    /// What was sent, and when.
    pub(crate) sent: Vec<(Time, Vec<u8>)>,
    /// What was told: each fact, phrase and verdict.
    pub(crate) news: Vec<String>,
    /// What was learnt: the facts of each event, with commas in between.
    pub(crate) learnt: Vec<String>,
    /// Which layers the client broke, and how.
    pub(crate) malformed: Vec<String>,
    /// How much of each transmission the connection takes.
    pub(crate) room: Box<dyn FnMut(usize) -> usize>,
    /// Where data connections are awaited.
    pub(crate) data_port: Option<u16>,
    /// How often the session was called from outside.
    pub(crate) inputs: usize,
    /// Transmissions since time last moved, so that a session that never waits is found.
    burst: usize,
}

/// The connection, for one input.
struct Wire<'a> {
    sent: &'a mut Vec<(Time, Vec<u8>)>,
    room: &'a mut dyn FnMut(usize) -> usize,
    data_port: Option<u16>,
    is_unlimited: bool,
    burst: &'a mut usize,
}

impl Line for Wire<'_> {
    fn transmit(&mut self, now: Time, bytes: &[u8]) -> Option<usize> {
        *self.burst += 1;
        // Without a limit a session may write for ever; the daemon has a budget too.
        if self.is_unlimited && *self.burst > 8 {
            return None;
        }
        let taken = (self.room)(bytes.len()).min(bytes.len());
        if taken > 0 {
            self.sent.push((now, bytes[..taken].to_vec()));
        }
        assert!(*self.burst < 1_000, "the session never waits");
        Some(taken)
    }

    fn open_data(&mut self) -> Option<u16> {
        self.data_port
    }
}

impl std::ops::Deref for Stage {
    type Target = Driver<Counter, Notebook>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

impl std::ops::DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.driver
    }
}

/// Randomness that a test can repeat.
pub(crate) struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// What was told.
#[derive(Default)]
pub(crate) struct Notebook {
    now: Time,
    /// Each fact, phrase and verdict.
    told: Vec<String>,
    learnt: Vec<String>,
    malformed: Vec<String>,
    /// The offers that came with SSH clients' fingerprints.
    pub(crate) ssh_offers: Vec<SshOffer>,
    /// What of that stands in a trace.
    pub(crate) account: Account,
    /// How many events stand there, and of how many bytes their values are.
    pub(crate) traced: (usize, usize),
}

/// Hashes that a test can repeat.
type Keys = BuildHasherDefault<DefaultHasher>;

impl News for Notebook {
    fn tell(&mut self, event: Event<'_>) {
        let news = match event {
            Event::Learnt { facts, untold } => {
                if self.account.enter(facts, untold, self.now, &Keys::default()) != Told::Nothing {
                    self.traced.0 += 1;
                    self.traced.1 += facts.iter().map(|entry| entry.value.len()).sum::<usize>();
                }
                let offers = facts.iter().filter_map(|entry| entry.offer.as_deref());
                self.ssh_offers.extend(offers.cloned());
                let told: Vec<_> = facts.iter().map(told).collect();
                self.told.extend(told.iter().map(|fact| format!("learnt {fact}")));
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
        self.told.push(news);
    }
}

/// A fact by its name and value, and by its length where that is not all of it.
fn told(Entry { fact, value, length, .. }: &Entry) -> String {
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
        let conn = Conn {
            client: address("192.0.2.7:40000"),
            server: address("198.51.100.1:22"),
            via: None,
        };
        // On every port `auto` serves all; what it is by default on port 22, its own tests tell.
        let profile = Profile { strict_lock: Some(false), ..Profile::new(pattern, persona) };
        let now = Time::from_millis(5_000);
        let mut driver = Driver::new(profile, conn, seed, now, Counter(1), Notebook::default());
        driver.start = START;
        Self {
            driver,
            closed: None,
            sent: Vec::new(),
            news: Vec::new(),
            learnt: Vec::new(),
            malformed: Vec::new(),
            room: Box::new(|wanted| wanted),
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
        while let Some(moment) = self.due().filter(|&moment| moment <= end) {
            assert!(moment > self.now, "a wait lies ahead");
            self.now = moment;
            self.burst = 0;
            self.input(Input::Due);
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

    /// The same as plain text, for comparing it with a real server's.
    pub(crate) fn heard_plain(&mut self) -> String {
        let text = String::from_utf8(self.bytes()).expect("text");
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

    /// Writes the session down.
    pub(crate) fn save(&mut self) -> Vec<u8> {
        let Driver { now, session, profile, .. } = &mut self.driver;
        session.save(*now, profile)
    }

    /// Writes the session down and goes on with what is read again.
    pub(crate) fn hand_over(&mut self) -> &mut Self {
        self.hand_over_at(self.now)
    }

    /// The same to a daemon whose clock shows that moment.
    pub(crate) fn hand_over_at(&mut self, now: Time) -> &mut Self {
        let saved = self.save();
        self.now = now;
        let resumed = Session::resume(self.now, &self.profile, &saved);
        assert!(resumed.is_known, "what was saved");
        self.session = resumed.session;
        self.input(Input::Due);
        self
    }

    /// What was told, as it stands in a trace.
    pub(crate) fn notebook(&self) -> &Notebook {
        &self.driver.news
    }

    /// Whether the session wants the client's bytes.
    pub(crate) fn listens(&self) -> bool {
        self.session.listens()
    }

    fn input(&mut self, input: Input<'_>) {
        assert!(self.closed.is_none(), "the connection is closed");
        self.inputs += 1;
        self.driver.news.now = self.driver.now;
        let mut wire = Wire {
            sent: &mut self.sent,
            room: &mut self.room,
            data_port: self.data_port,
            is_unlimited: self.driver.profile.rate == Some(Rate::Unlimited),
            burst: &mut self.burst,
        };
        if let Driven::Closed(cause) = self.driver.input(input, &mut wire) {
            self.closed = Some(cause);
        }
        self.news.append(&mut self.driver.news.told);
        self.learnt.append(&mut self.driver.news.learnt);
        self.malformed.append(&mut self.driver.news.malformed);
    }
}
