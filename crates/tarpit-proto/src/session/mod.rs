//! One client: a script over a transport, paced. One input, one output.
//!
//! ```text
//!   Opened, Due, Said, HalfClosed ...             Transmit(bytes), Wait, Close
//!   ─────────────────────────────────► Session ─────────────────────────────────►
//!                                         │
//!                                         └─► Event: what was learnt
//! ```
//! The caller obeys: after [`Output::Transmit`] it tries to send the bytes and answers with
//! [`Input::Wrote`]; after [`Output::Wait`] it comes back at that moment with [`Input::Due`], or
//! earlier with what the client said; after [`Output::Close`] it is done.
//!
//! A chunk that could be sent only in part is never stored: the session remembers how far it got,
//! and the script makes the chunk again.

mod draft;
mod save;
mod turn;

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

pub use crate::base::{
    cause::Cause,
    news::{Event, News},
    rng::SessionId,
};
use crate::session::turn::{MAX_INBOX, MAX_WAITING, Next, Turn};
pub use crate::session::{draft::Draft, save::Resumed};
use crate::{
    base::{
        handshake_budget::HandshakeBudget,
        pace::Pacer,
        rng::{Entropy, Seed},
        time::{Time, Wall},
    },
    patterns,
    pins::Pins,
    script::{
        Conn, Pattern, Profile, ReadMode, Run,
        state::{STATE_BITS, Saved as _},
    },
    states,
    transport::Transport,
    validate::{self, Gate},
};

/// What the caller lends to a session for the time of one input.
pub struct World<'a> {
    /// The listener's settings.
    pub profile: &'a Profile,
    /// The connection's addresses.
    pub conn: &'a Conn,
    /// The session's own number; the same at every call.
    pub id: SessionId,
    /// The group with which it shares the moments of its pattern's own pace.
    pub group: u32,
    /// The secret of all generators.
    pub seed: &'a Seed,
    /// The calendar's moment at [`Time::START`].
    pub start: Wall,
    /// The system's randomness.
    pub entropy: &'a mut dyn Entropy,
    /// What may be spent on clients at present.
    pub budget: &'a mut HandshakeBudget,
    /// Which protocol each network was shown.
    pub pins: &'a mut Pins,
    /// Where events go.
    pub news: &'a mut dyn News,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The client has opened the data connection for which [`Output::OpenData`] asked.
    DataOpened,
    /// The answer to [`Output::OpenData`]: the port on which the client is awaited, if there is
    /// one.
    DataPort(Option<u16>),
    /// The moment it waited for has come; harmless when early.
    Due,
    /// The client will send nothing more.
    HalfClosed,
    /// The client will send nothing more than what waits unread, which the session does not want
    /// to read now.
    HalfClosing,
    /// The connection stands. Comes first, exactly once.
    Opened,
    /// The client sent this.
    Said(&'a [u8]),
    /// So many of the bytes that were to be transmitted went out. Must directly follow its
    /// [`Output::Transmit`], with the same draft; a caller may also forget the transmission
    /// altogether and come back with [`Input::Due`].
    Wrote(usize),
}

/// What the caller must do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'d> {
    /// Close the connection.
    Close(Cause),
    /// Await a second connection of the same client's, and answer with [`Input::DataPort`].
    OpenData,
    /// Send these bytes as far as possible without waiting.
    Transmit(&'d [u8]),
    /// Come back when something is said, and at the wake if there is one.
    Wait(Wake),
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// At that moment, or a little later.
    At(Time),
    /// Only when the client says something.
    Never,
    /// When the connection takes bytes again.
    Writable,
}

/// One client's state.
///
/// ```
/// use tarpit_proto::{
///     handshake_budget::HandshakeBudget,
///     patterns,
///     persona::Persona,
///     pins::Pins,
///     rng::{Entropy, Seed, SessionId},
///     script::{Conn, Profile},
///     session::{Draft, Event, Input, News, Output, Session, Wake, World},
///     time::{Time, Wall},
/// };
///
/// struct Zeros;
///
/// impl Entropy for Zeros {
///     fn fill(&mut self, out: &mut [u8]) {
///         out.fill(0);
///     }
/// }
///
/// struct Nobody;
///
/// impl News for Nobody {
///     fn tell(&mut self, _event: Event<'_>) {}
/// }
///
/// let seed = Seed([7; 32]);
/// let pattern = patterns::named("endless_banner").unwrap();
/// let profile = Profile::new(pattern, Persona::default_for(&seed));
/// let client = ([192, 0, 2, 7], 40_000).into();
/// let conn = Conn { client, server: ([198, 51, 100, 1], 22).into(), via: None };
/// let (mut budget, mut pins) = (HandshakeBudget::new(1, Time::START), Pins::default());
/// let (mut draft, mut sent) = (Draft::default(), Vec::new());
///
/// let mut now = Time::START;
/// let mut session = Session::open(now);
/// let mut input = Input::Opened;
/// while now < Time::from_millis(60_000) {
///     let mut world = World {
///         profile: &profile,
///         conn: &conn,
///         id: SessionId(1),
///         group: 0,
///         seed: &seed,
///         start: Wall(1_795_000_000),
///         entropy: &mut Zeros,
///         budget: &mut budget,
///         pins: &mut pins,
///         news: &mut Nobody,
///     };
///     input = match session.handle(now, input, &mut world, &mut draft) {
///         // A real caller writes to the socket, and tells how much of it was taken.
///         Output::Transmit(bytes) => {
///             sent.extend_from_slice(bytes);
///             Input::Wrote(bytes.len())
///         }
///         // A real caller waits for that moment, and for what the client says.
///         Output::Wait(Wake::At(moment)) => {
///             now = moment;
///             Input::Due
///         }
///         Output::Wait(Wake::Never | Wake::Writable) => break,
///         Output::OpenData => Input::DataPort(None),
///         Output::Close(_) => break,
///     };
/// }
/// assert!(sent.iter().filter(|&&byte| byte == b'\n').count() > 5);
/// ```
#[derive(Debug)]
pub struct Session {
    body: Body,
    /// When it began, in hundredths of a second, modulo 2^32: exact for 497 days of holding.
    opened: u32,
    pacer: Pacer,
    /// Bytes sent and heard; what overflows is carried in [`Live`].
    sent: u32,
    heard: u32,
}

const _: () = assert!(size_of::<Session>() <= 32, "a session is at most 32 bytes");

/// The part that is small for nearly all clients, and boxed for those that need more.
#[derive(Debug)]
enum Body {
    Boxed(Box<Live>),
    Inline {
        script: u8,
        doing: Doing,
        read_mode: ReadMode,
        offset: u16,
        words: [u8; STATE_BITS as usize / 8],
    },
}

states! {
    /// What a session is doing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Doing {
        /// Awaits the port of a data connection.
        Asking,
        Closing,
        Dripping,
        /// Awaits the end: the client has closed its side, and nothing may be sent to it.
        Freeing,
        /// Greets for the script, which takes over behind the greeting.
        Greeting,
        Prompting,
        Resting,
        /// Awaits the handshake that the script has asked for.
        Securing,
        Stating,
        /// States a line whose first byte went out early; the rest goes when its moment comes.
        StatingLater,
        Waiting,
    }
}

impl Doing {
    /// Whether something is to be sent.
    fn speaks(self) -> bool {
        matches!(
            self,
            Self::Dripping | Self::Greeting | Self::Prompting | Self::Stating | Self::StatingLater
        )
    }

    /// Whether that goes whole, whatever the rate.
    fn states(self) -> bool {
        matches!(self, Self::Greeting | Self::Stating | Self::StatingLater)
    }

    /// Whether a script that has sent `offset` bytes of its chunk can be told something.
    fn hears(self, offset: u16) -> bool {
        match self {
            Self::Dripping => offset == 0,
            Self::Resting | Self::Waiting => true,
            Self::Asking
            | Self::Closing
            | Self::Freeing
            | Self::Greeting
            | Self::Prompting
            | Self::Securing
            | Self::Stating
            | Self::StatingLater => false,
        }
    }
}

/// A session's changing part, unpacked.
#[derive(Debug)]
struct Live {
    /// [`GATE`], [`OWN`], or else an index into the registry behind these.
    script: u8,
    doing: Doing,
    read_mode: ReadMode,
    /// How much of the present chunk has been sent.
    offset: u16,
    run: Run,
    /// Said, but not taken yet.
    inbox: Vec<u8>,
    /// A chunk that cannot be made again.
    boxed: Option<Box<[u8]>>,
    /// TLS, once the script has asked for it.
    transport: Option<Box<Transport>>,
    /// Why it closes, once it does.
    cause: Option<Cause>,
    /// What no longer fits the session's counts.
    sent_before: u64,
    heard_before: u64,
}

/// Everything that [`Event::Malformed`] may report, for the manual: layer, reason, and meaning.
pub fn malformed() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    use crate::{
        transport,
        wire::{proxy_header, ssh},
    };

    let proxy = proxy_header::Malformed::ALL
        .into_iter()
        .map(|(it, meaning)| (proxy_header::Malformed::LAYER, it.reason(), meaning));
    let ssh = ssh::Malformed::ALL
        .into_iter()
        .map(|(it, meaning)| (ssh::Malformed::LAYER, it.reason(), meaning));
    let tls = transport::Malformed::ALL
        .into_iter()
        .map(|(it, meaning)| (transport::Malformed::LAYER, it.reason(), meaning));
    proxy.chain(ssh).chain(tls)
}

/// The script of a client that was not handed on yet.
const GATE: u8 = 0;
/// The script that is the listener's own pattern.
const OWN: u8 = 1;

impl Session {
    /// A session that begins at `now`; [`Input::Opened`] must come next.
    pub fn open(now: Time) -> Self {
        Self {
            body: Body::Inline {
                script: GATE,
                doing: Doing::Resting,
                read_mode: ReadMode::Deliver,
                offset: 0,
                words: [0; STATE_BITS as usize / 8],
            },
            opened: hundredths(now),
            pacer: Pacer::starting(now),
            sent: 0,
            heard: 0,
        }
    }

    /// Takes an input and says what to do.
    pub fn handle<'d>(
        &mut self,
        now: Time,
        input: Input<'_>,
        world: &mut World<'_>,
        draft: &'d mut Draft,
    ) -> Output<'d> {
        let live = self.unpack();
        let mut turn = Turn { now, session: self, live, world, steps: 0, half_closed: false };
        let blocked = turn.take(input, draft);
        let output = turn.go(blocked, draft);
        let live = turn.live;
        self.pack(live);
        match output {
            Next::Close(cause) => Output::Close(cause),
            Next::OpenData => Output::OpenData,
            Next::Transmit => Output::Transmit(&draft.bytes),
            Next::Wait(wake) => Output::Wait(wake),
        }
    }

    /// When the session began, to a hundredth of a second; every call gives the same.
    pub fn opened(&self, now: Time) -> Time {
        let present = now.as_millis() / 10 * 10;
        Time::from_millis(present.saturating_sub(self.held_millis(now)))
    }

    /// How long the client has been held, to a hundredth of a second.
    pub fn held(&self, now: Time) -> Duration {
        Duration::from_millis(self.held_millis(now))
    }

    /// Application bytes sent so far.
    pub fn sent(&self) -> u64 {
        match &self.body {
            Body::Boxed(live) => live.sent_before + u64::from(self.sent),
            Body::Inline { .. } => self.sent.into(),
        }
    }

    /// Bytes heard so far.
    pub fn heard(&self) -> u64 {
        match &self.body {
            Body::Boxed(live) => live.heard_before + u64::from(self.heard),
            Body::Inline { .. } => self.heard.into(),
        }
    }

    /// Whether the client has closed its side.
    pub fn is_half_closed(&self) -> bool {
        let read_mode = match &self.body {
            Body::Boxed(live) => live.read_mode,
            Body::Inline { read_mode, .. } => *read_mode,
        };
        read_mode == ReadMode::Ended
    }

    /// How many bytes of the client's the caller may read now; 0 if it should not read.
    pub fn appetite(&self) -> usize {
        match &self.body {
            Body::Boxed(live) if !live.read_mode.listen() => 0,
            Body::Boxed(live) if live.read_mode == ReadMode::Deliver => {
                let most = if live.hears() { MAX_WAITING } else { MAX_INBOX };
                most.saturating_sub(live.waiting())
            }
            Body::Inline { read_mode, .. } if !read_mode.listen() => 0,
            // Inside a chunk the script hears nothing, and there is little room for bytes to wait.
            Body::Inline { doing, offset, read_mode: ReadMode::Deliver, .. }
                if !doing.hears(*offset) =>
            {
                MAX_INBOX
            }
            _ => usize::MAX,
        }
    }

    /// Whether the caller should read what the client sends.
    pub fn listens(&self) -> bool {
        self.appetite() > 0
    }

    /// The pattern that holds the client now, and the name of its state, such as `Listening`. A
    /// pattern with a single state has the name of what the session does. A client whose protocol
    /// is not known yet is its listener's.
    pub fn stage(&mut self, profile: &Profile) -> (&'static dyn Pattern, &'static str) {
        let (script, doing, state) = match &mut self.body {
            Body::Boxed(live) => {
                let state = pattern(live.script, profile).state(&mut live.run);
                (live.script, live.doing, state)
            }
            Body::Inline { script, doing, words, .. } => {
                let mut run = Run { words: *words, boxed: None };
                (*script, *doing, pattern(*script, profile).state(&mut run))
            }
        };
        let holder = if script == GATE { profile.pattern } else { pattern(script, profile) };
        (holder, if state.is_empty() { doing.name() } else { state })
    }

    /// Whether it has an allocation.
    pub fn is_boxed(&self) -> bool {
        matches!(self.body, Body::Boxed(_))
    }

    /// Whether [`Session::save`] can save all of it: not while its TLS handshake is under way, of which
    /// the library keeps the state for itself.
    pub fn can_be_saved(&self) -> bool {
        match &self.body {
            Body::Boxed(live) => {
                live.transport.as_ref().is_none_or(|transport| transport.can_be_saved())
            }
            Body::Inline { .. } => true,
        }
    }

    /// Whether it takes more memory than it will once the client is understood, or given up.
    pub fn is_amid(&self) -> bool {
        match &self.body {
            Body::Boxed(live) => {
                live.waiting() > 0 || live.transport.as_ref().is_some_and(|tls| tls.is_shaking())
            }
            Body::Inline { .. } => false,
        }
    }

    /// Holds the client in silence from now on, whatever it says.
    fn be_silent(&mut self) {
        let words = Run::of(validate::State::Stranger).words;
        let (script, doing, read_mode) = (GATE, Doing::Resting, ReadMode::Discard);
        self.body = Body::Inline { script, doing, read_mode, offset: 0, words };
    }

    fn unpack(&mut self) -> Live {
        let nothing = Self::open(Time::START).body;
        match core::mem::replace(&mut self.body, nothing) {
            Body::Boxed(live) => *live,
            Body::Inline { script, doing, read_mode, offset, words } => Live {
                script,
                doing,
                read_mode,
                offset,
                run: Run { words, boxed: None },
                inbox: Vec::new(),
                boxed: None,
                transport: None,
                cause: None,
                sent_before: 0,
                heard_before: 0,
            },
        }
    }

    fn pack(&mut self, live: Live) {
        let light = live.inbox.is_empty()
            && live.boxed.is_none()
            && live.transport.is_none()
            && live.run.boxed.is_none()
            && live.cause.is_none()
            && live.sent_before == 0
            && live.heard_before == 0;
        self.body = if light {
            let Live { script, doing, read_mode, offset, run, .. } = live;
            Body::Inline { script, doing, read_mode, offset, words: run.words }
        } else {
            Body::Boxed(Box::new(live))
        };
    }

    fn held_millis(&self, now: Time) -> u64 {
        u64::from(hundredths(now).wrapping_sub(self.opened)) * 10
    }
}

/// A moment as [`Session::opened`] keeps it.
fn hundredths(now: Time) -> u32 {
    low(now.as_millis() / 10)
}

/// The low 32 bits.
fn low(number: u64) -> u32 {
    (number & 0xFFFF_FFFF) as u32
}

/// The script behind a number of [`Live::script`].
fn pattern(script: u8, profile: &Profile) -> &'static dyn Pattern {
    match script {
        GATE => &Gate,
        OWN => profile.pattern,
        other => {
            let known = patterns::ALL.get(usize::from(other - OWN - 1));
            known.copied().unwrap_or(profile.pattern)
        }
    }
}

/// The number of a pattern for [`Live::script`].
fn number_of(pattern: &dyn Pattern, profile: &Profile) -> u8 {
    named(pattern.name(), profile).map_or(OWN, |(number, _)| number)
}

/// The number, and the pattern, that is called so.
fn named(name: &str, profile: &Profile) -> Option<(u8, &'static dyn Pattern)> {
    if name == profile.pattern.name() {
        return Some((OWN, profile.pattern));
    }
    let gate: &'static dyn Pattern = &Gate;
    if name == gate.name() {
        return Some((GATE, gate));
    }
    let place = patterns::ALL.iter().position(|one| one.name() == name)?;
    Some((u8::try_from(place).ok()? + OWN + 1, patterns::ALL[place]))
}

impl Live {
    /// Does with the client's bytes what the script wants, as long as any can come.
    fn set_read_mode(&mut self, read_mode: ReadMode) {
        if self.read_mode != ReadMode::Ended {
            self.read_mode = read_mode;
        }
    }

    /// How many of the client's bytes wait to be understood, and how many of ours to be sent.
    fn waiting(&self) -> usize {
        let boxed = self.boxed.as_ref().map_or(0, |chunk| chunk.len());
        let transport = self.transport.as_ref();
        let transport = transport.map_or(0, |tls| tls.waiting() + tls.owed().len());
        self.inbox.len() + boxed + transport
    }

    /// Whether the script can hear the client's bytes: not inside a chunk, since a changed state
    /// would make other bytes for the rest of it.
    fn hears(&self) -> bool {
        self.doing.hears(self.offset) && (self.doing != Doing::Dripping || self.boxed.is_none())
    }
}
