//! The loop that obeys a session: one input, and all outputs that follow.
//!
//! Tests, fuzzing and benchmarks use this loop. The daemon has one of its own, since it sends for
//! many clients in one call.
//!
//! ```
//! use tarpit_proto::{
//!     driver::{Driver, Line},
//!     patterns,
//!     persona::Persona,
//!     rng::{Entropy, Seed},
//!     script::{Conn, Profile},
//!     session::{Event, Input, News},
//!     time::Time,
//! };
//!
//! /// A connection that takes all that is sent.
//! struct Wire(Vec<u8>);
//!
//! impl Line for Wire {
//!     fn transmit(&mut self, _now: Time, bytes: &[u8]) -> Option<usize> {
//!         self.0.extend_from_slice(bytes);
//!         Some(bytes.len())
//!     }
//! }
//!
//! struct Zeros;
//!
//! impl Entropy for Zeros {
//!     fn fill(&mut self, out: &mut [u8]) {
//!         out.fill(0);
//!     }
//! }
//!
//! struct Nobody;
//!
//! impl News for Nobody {
//!     fn tell(&mut self, _event: Event<'_>) {}
//! }
//!
//! let seed = Seed([7; 32]);
//! let pattern = patterns::named("endless_banner").unwrap();
//! let profile = Profile::new(pattern, Persona::default_for(&seed));
//! let client = ([192, 0, 2, 7], 40_000).into();
//! let conn = Conn { client, server: ([198, 51, 100, 1], 22).into(), via: None };
//! let (mut driver, mut wire) =
//!     (Driver::new(profile, conn, seed, Time::START, Zeros, Nobody), Wire(Vec::new()));
//!
//! driver.input(Input::Opened, &mut wire);
//! // A minute of eight seconds a line.
//! driver.run_until(Time::from_millis(60_000), &mut wire);
//! assert!(wire.0.iter().filter(|&&byte| byte == b'\n').count() > 5);
//! ```

use core::time::Duration;

use crate::{
    base::{
        cause::Cause,
        handshake_budget::HandshakeBudget,
        news::News,
        rng::{Entropy, Seed, SessionId},
        time::{Time, Wall},
    },
    pins::Pins,
    script::{Conn, Profile},
    session::{Draft, Input, Output, Session, Wake, World},
};

/// The connection that a session is driven on.
pub trait Line {
    /// Sends as many of the bytes as possible without waiting, and says how many. `None` forgets
    /// this transmission; the session is asked again when the line takes bytes.
    fn transmit(&mut self, now: Time, bytes: &[u8]) -> Option<usize>;

    /// The port on which a data connection is awaited, if there is one.
    fn open_data(&mut self) -> Option<u16> {
        None
    }
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// It has closed the connection.
    Closed(Cause),
    /// It continues when the client sends something, and at the wake if there is one.
    Waits(Wake),
}

/// One client: its session, and everything that the session borrows.
#[derive(Debug)]
pub struct Driver<E, N> {
    /// The present.
    pub now: Time,
    /// The session.
    pub session: Session,
    /// The listener's settings.
    pub profile: Profile,
    /// The connection's addresses.
    pub conn: Conn,
    /// The session's number.
    pub id: SessionId,
    /// The group with which it shares the moments of its pattern's own pace.
    pub group: u32,
    /// The secret of all generators.
    pub seed: Seed,
    /// The calendar's moment at [`Time::START`].
    pub start: Wall,
    /// The system's randomness.
    pub entropy: E,
    /// Where events go.
    pub news: N,
    /// What may be spent on the client.
    pub budget: HandshakeBudget,
    /// Which protocols were shown to networks.
    pub pins: Pins,
    /// What it waits for.
    pub driven: Driven,
    draft: Draft,
}

/// How long a line that takes no bytes is left alone.
const WRITABLE: Duration = Duration::from_millis(1);

impl<E: Entropy, N: News> Driver<E, N> {
    /// A client that connects at `now`; [`Input::Opened`] must come next.
    pub fn new(profile: Profile, conn: Conn, seed: Seed, now: Time, entropy: E, news: N) -> Self {
        Self {
            now,
            session: Session::open(now),
            profile,
            conn,
            id: SessionId(7),
            group: 0,
            seed,
            start: Wall(1_795_333_948),
            entropy,
            news,
            budget: HandshakeBudget::new(0, now),
            pins: Pins::default(),
            driven: Driven::Waits(Wake::Never),
            draft: Draft::default(),
        }
    }

    /// Handles one input, and all outputs that follow.
    pub fn input(&mut self, mut input: Input<'_>, line: &mut impl Line) -> Driven {
        self.driven = loop {
            let mut world = World {
                profile: &self.profile,
                conn: &self.conn,
                id: self.id,
                group: self.group,
                seed: &self.seed,
                start: self.start,
                entropy: &mut self.entropy,
                budget: &mut self.budget,
                pins: &mut self.pins,
                news: &mut self.news,
            };
            match self.session.handle(self.now, input, &mut world, &mut self.draft) {
                Output::Close(cause) => break Driven::Closed(cause),
                Output::OpenData => input = Input::DataPort(line.open_data()),
                Output::Transmit(bytes) => match line.transmit(self.now, bytes) {
                    Some(count) => input = Input::Wrote(count),
                    None => break Driven::Waits(Wake::Writable),
                },
                Output::Wait(wake) => break Driven::Waits(wake),
            }
        };
        self.driven
    }

    /// Lets time pass, with everything that the session does until then.
    pub fn run_until(&mut self, end: Time, line: &mut impl Line) -> Driven {
        while let Some(moment) = self.due().filter(|&moment| moment <= end) {
            debug_assert!(moment > self.now, "a wait lies ahead");
            self.now = moment;
            self.input(Input::Due, line);
        }
        self.now = self.now.max(end);
        self.driven
    }

    /// When the session continues, if ever.
    pub fn due(&self) -> Option<Time> {
        match self.driven {
            Driven::Waits(Wake::At(moment)) => Some(moment),
            Driven::Waits(Wake::Writable) => Some(self.now.after(WRITABLE)),
            Driven::Waits(Wake::Never) | Driven::Closed(_) => None,
        }
    }

    /// Saves the session and continues with the copy that is read back; says whether everything in
    /// it was known.
    pub fn hand_over(&mut self, line: &mut impl Line) -> bool {
        let saved = self.session.save(self.now, &self.profile);
        let resumed = Session::resume(self.now, &self.profile, &saved);
        self.session = resumed.session;
        self.input(Input::Due, line);
        resumed.is_known
    }
}
