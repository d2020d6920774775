//! What an author of a pattern writes against: the definition, one client's state, what is heard
//! and what is answered.
//!
//! An author never sees sockets, partial writes or pacing. A [`Pattern`] is a definition without
//! state; what it must remember of one client is its [`Run`], which is 12 bytes as long as nothing
//! big is needed. After each thing heard, [`Pattern::step`] changes the run and says what to do;
//! [`Pattern::speak`] makes the bytes that the run stands for, as often as it takes to send them.

pub(crate) mod command;
pub(crate) mod secret;

use alloc::{boxed::Box, vec::Vec};
use core::{
    any::Any,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

pub use crate::base::said::Said;
use crate::{
    base::{
        cause::Cause,
        fact::{Fact, Facts},
        handshake_budget::HandshakeBudget,
        host_keys::HostKeys,
        pace::{Pace, Rate},
        rng::{Entropy, Rng},
        time::{Time, Wall},
    },
    identify::Protocol,
    patterns,
    persona::Persona,
    pins::Pins,
    transport::Tls,
};

/// A kind of tarpit: what it says to a client, and when.
pub trait Pattern: Sync {
    /// The name users write, in lower case.
    fn name(&self) -> &'static str;

    /// Names by which users of other tarpits know it. The trace has [`Pattern::name`].
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// One line for lists and the manual: what it does to a client.
    fn summary(&self) -> &'static str;

    /// What the owner should know before opening it to the world, if anything: a clause that ends a
    /// warning.
    fn caution(&self) -> Option<&'static str> {
        None
    }

    /// The protocol it speaks; `None` if it answers whoever connects.
    ///
    /// A client is let through only when its first bytes are of this protocol, unless the user has
    /// switched that off.
    fn protocol(&self) -> Option<Protocol>;

    /// The pace while no rate is set, for a client in this state.
    fn pace(&self, run: &Run) -> Pace;

    /// Appends the line by which a server of this protocol shows itself before the client has said
    /// anything, and says whether there is one. It goes out whole and at once, before the first
    /// step.
    fn greet(&self, _cx: &mut Cx<'_>, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Appends what a client of another protocol, or a silent one, is told; possibly nothing. It
    /// goes out whole and at once.
    fn refuse(&self, _cx: &mut Cx<'_>, _out: &mut Vec<u8>) {}

    /// How long a client may be silent before it is told what [`Pattern::refuse`] says, so that a
    /// scanner which only listens records the service. `None`: it waits in silence.
    fn null_probe_after(&self) -> Option<Duration> {
        None
    }

    /// Whether another pattern is inside it; see [`Profile::inner`].
    fn carries(&self) -> bool {
        false
    }

    /// What it speaks, by the names under which clients choose it within TLS (RFC 7301), the best
    /// first.
    fn names_in_tls(&self) -> &'static [&'static str] {
        if self.protocol() == Some(Protocol::Http) { &["http/1.1"] } else { &[] }
    }

    /// Whether it may ask for TLS beneath itself, or hands clients on to what may; see
    /// [`Step::Secure`].
    fn secures(&self) -> bool {
        false
    }

    /// Whether [`Profile::poison`] makes a difference to it, or to what it hands clients on to
    /// unless that is [inside it](patterns::inside).
    fn poisons(&self) -> bool {
        false
    }

    /// Whether [`Profile::strict_lock`] makes a difference to it.
    fn pins(&self) -> bool {
        false
    }

    /// Whether its clients, or those that it hands on, are shown the machine's host keys, one of which takes a while to make.
    fn shows_host_keys(&self) -> bool {
        false
    }

    /// What holds a data connection that a client of this pattern has opened; see
    /// [`Step::OpenData`].
    fn data(&self) -> Option<&'static dyn Pattern> {
        None
    }

    /// The state of a client that has just been let through.
    fn open(&self, _cx: &mut Cx<'_>) -> Run {
        Run::default()
    }

    /// Hears something and says what to do next.
    ///
    /// [`Heard::Opened`] comes first, exactly once. A step that has nothing to say to what it
    /// heard answers [`Step::Keep`].
    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step;

    /// Appends the chunk that `run` stands for, at most [`MAX_CHUNK`] bytes and never none.
    ///
    /// It is called again for every part that is sent, so it must make the same bytes from the
    /// same run; `cx.rng` starts at the same place each time, and `cx.wall` stands still.
    fn speak(&self, run: &Run, cx: &mut Cx<'_>, out: &mut Vec<u8>);

    /// The state that [`Run::save`] wrote down, for a hand-over to a new binary. `None` if it is
    /// not one of this pattern's.
    fn resume(&self, saved: &[u8]) -> Option<Run> {
        Run::load(saved)
    }
}

impl fmt::Debug for dyn Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The largest chunk, in bytes.
pub const MAX_CHUNK: usize = 16 * 1024;

/// What a script remembers of one client. The meaning of the numbers is the pattern's own.
#[derive(Debug, Default)]
pub struct Run {
    /// Where in the pattern's course the client stands; see [`phases!`](crate::phases).
    pub phase: u8,
    /// A small count, or flags.
    pub count: u16,
    /// A place in a stream.
    pub position: u32,
    /// A second number.
    pub mark: u32,
    /// State that does not fit; a client that has some costs an allocation.
    pub big: Option<Box<dyn Big>>,
}

/// State of a script that does not fit a [`Run`]'s numbers.
pub trait Big: fmt::Debug + Send {
    /// Writes the state down for a hand-over.
    fn save(&self, out: &mut Vec<u8>);
    /// This state as its own type, to speak from.
    fn as_any(&self) -> &dyn Any;
    /// This state as its own type, to step on.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl Run {
    /// How many bytes [`Run::save`] writes when nothing is big.
    pub(crate) const SAVED: usize = 11;

    /// Moves to `phase`.
    pub fn enter(&mut self, phase: impl Into<u8>) {
        self.phase = phase.into();
    }

    /// Writes the state down, for [`Pattern::resume`].
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SAVED);
        out.push(self.phase);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
        out.extend_from_slice(&self.mark.to_be_bytes());
        if let Some(big) = &self.big {
            big.save(&mut out);
        }
        out
    }

    /// The state that [`Run::save`] wrote down, if nothing in it was big.
    pub fn load(saved: &[u8]) -> Option<Self> {
        let (&phase, rest) = saved.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (position, rest) = rest.split_first_chunk()?;
        Some(Self {
            phase,
            count: u16::from_be_bytes(*count),
            position: u32::from_be_bytes(*position),
            mark: u32::from_be_bytes(rest.try_into().ok()?),
            big: None,
        })
    }

    /// A copy, unless something is big.
    pub(crate) fn copy(&self) -> Option<Self> {
        let Self { phase, count, position, mark, big } = self;
        let (phase, count, position, mark) = (*phase, *count, *position, *mark);
        big.is_none().then_some(Self { phase, count, position, mark, big: None })
    }
}

/// Names the phases of a pattern: an enum whose variants become [`Run::phase`] and back.
#[macro_export]
macro_rules! phases {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $first:ident $(, $rest:ident)* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $first $(, $rest)* }

        impl $name {
            $vis fn of(run: &$crate::script::Run) -> Self {
                $(if run.phase == Self::$rest as u8 { return Self::$rest; })*
                Self::$first
            }
        }

        impl From<$name> for u8 {
            fn from(phase: $name) -> Self {
                phase as Self
            }
        }
    };
}

/// What a script hears.
#[derive(Debug)]
pub enum Heard<'a, 'b> {
    /// The client has opened the data connection that was asked for.
    DataOpened,
    /// The answer to [`Step::OpenData`]: the port on which the client is awaited, or `None` where
    /// the listener has no ports for that.
    DataPort(Option<u16>),
    /// The client will send nothing more. It may still read: what the script says next, now or when
    /// its wait is over, begins to go out at once, and a client that is gone answers with a reset.
    HalfClosed,
    /// The client has been let through, and greeted if there is a greeting.
    Opened,
    /// The daemon was replaced by a new one that took the client over.
    Resumed,
    /// The client's bytes since what was taken last.
    Said(&'b mut Said<'a>),
    /// The answer to [`Step::Secure`].
    Secured(Security),
    /// The chunk has been sent, to its last byte.
    Sent,
    /// The wait is over.
    Silence,
}

/// Whether a connection could be secured beneath the running script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// What is said and heard from now on is encrypted, which the script does not notice.
    Ready,
    /// There is no certificate, or no handshake can be afforded: go on in the clear.
    Unavailable,
}

/// What a script does next.
#[derive(Debug)]
pub enum Step {
    /// Becomes another pattern, which then hears [`Heard::Opened`]. For identification only.
    Become(&'static dyn Pattern),
    /// Ends the connection.
    Close(Cause),
    /// Goes on with what it was doing.
    Keep,
    /// Asks for a second connection from the same client; answered by [`Heard::DataPort`].
    OpenData,
    /// Asks to secure the connection beneath the script; answered by [`Heard::Secured`].
    Secure,
    /// Sends a chunk; [`Heard::Sent`] follows its last byte.
    Send(Manner, Chunk),
    /// Sends nothing until that moment, then hears [`Heard::Silence`]; for ever if `None`.
    Wait(Option<Time>),
}

impl Step {
    /// Sends what [`Pattern::speak`] says, at the pace or rate.
    pub const DRIP: Self = Self::Send(Manner::Drip, Chunk::Spoken);
    /// Sends what [`Pattern::speak`] says at once, but at the rate if the user set one.
    pub const PROMPT: Self = Self::Send(Manner::Prompt, Chunk::Spoken);
    /// Sends what [`Pattern::speak`] says at once and in one piece, whatever the rate.
    pub const WHOLE: Self = Self::Send(Manner::Whole, Chunk::Spoken);
    /// Sends nothing until the client says something, if ever.
    pub const REST: Self = Self::Wait(None);
}

/// How a chunk goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// At the pattern's pace, one interval after the last; or at the rate that the user set.
    Drip,
    /// At once, but under a rate that the user set it is paid for like a drip.
    Prompt,
    /// At once and in one piece: greetings, refusals, and other lines that no rate may split.
    Whole,
}

/// Where a chunk's bytes come from.
#[derive(Debug)]
pub enum Chunk {
    /// Bytes that cannot be made again, kept until they are sent; at most [`MAX_CHUNK`].
    Boxed(Box<[u8]>),
    /// What [`Pattern::speak`] makes of the run's state.
    Spoken,
}

/// What becomes of the client's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// They are read and dropped, so that its leaving is noticed.
    Discard,
    /// The script hears them.
    Deliver,
    /// None come any more: the client has closed its side. The session sets this, and it stays.
    Ended,
    /// They are not read: the client's own sending stalls.
    Paused,
}

impl ReadMode {
    /// Whether the client's bytes should be read.
    pub(crate) fn listen(self) -> bool {
        matches!(self, Self::Deliver | Self::Discard)
    }
}

/// The addresses of a connection as the client saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conn {
    /// The client's address.
    pub client: SocketAddr,
    /// The address it connected to.
    pub server: SocketAddr,
    /// The relay through which it came, if it named the client in a header that we believe.
    pub via: Option<SocketAddr>,
}

/// A listener's settings. Never changed while a client is held under them.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What clients are held by.
    pub pattern: &'static dyn Pattern,
    /// The rate that the user set; `None`: the pattern's own pace.
    pub rate: Option<Rate>,
    /// Whether clients must show that they speak the pattern's protocol.
    pub validate: bool,
    /// The machine that is played.
    pub persona: Persona,
    /// Whether clients may be told that they got in.
    pub poison: bool,
    /// Whether a port for all speaks one protocol only to each network, the first that was decided.
    pub strict_lock: bool,
    /// With what TLS is spoken; `None`: not at all.
    pub tls: Option<Tls>,
    /// The pattern inside a pattern of TLS.
    pub inner: Option<&'static dyn Pattern>,
    /// The address that clients are told to open data connections to; `None`: the one that they
    /// connected to.
    pub passive_address: Option<Ipv4Addr>,
    /// The keys by which its SSH server is known; without them no keys are exchanged.
    pub host_keys: Option<HostKeys>,
}

impl Profile {
    /// The settings of a listener whose owner chose nothing but the pattern: its own pace, and
    /// clients must show what they speak.
    pub fn new(pattern: &'static dyn Pattern, persona: Persona) -> Self {
        Self {
            pattern,
            rate: None,
            validate: true,
            persona,
            poison: false,
            strict_lock: false,
            tls: None,
            inner: None,
            passive_address: None,
            host_keys: None,
        }
    }

    /// Whether what is asked is true of the pattern or of what is inside it.
    pub fn any_pattern(&self, asks: impl Fn(&dyn Pattern) -> bool) -> bool {
        patterns::any(self.pattern, self.inner, asks)
    }
}

/// What a script may know and use while it steps or speaks.
pub struct Cx<'a> {
    /// The present.
    pub now: Time,
    /// The same by the calendar; for [`Pattern::speak`] the moment at which the client came.
    pub wall: Wall,
    /// The client's own generator, for jitter and filler.
    pub rng: Rng,
    /// The system's randomness, for what must not be guessed. Not for [`Pattern::speak`].
    pub entropy: &'a mut dyn Entropy,
    /// What may be spent at present. Not for [`Pattern::speak`], nor in answer to
    /// [`Heard::Sent`], which may be heard ahead.
    pub budget: &'a mut HandshakeBudget,
    /// Which protocols are locked to ports.
    pub(crate) pins: &'a mut Pins,
    /// The listener's settings.
    pub profile: &'a Profile,
    /// The connection's addresses.
    pub conn: &'a Conn,
    /// What becomes of the client's bytes from now on.
    pub read_mode: ReadMode,
    /// Whether TLS is beneath the script, so that there can be no more of it.
    pub(crate) secured: bool,
    /// Things learnt in this step, to be told to the outside.
    pub(crate) notes: Notes,
}

/// What a step may tell of; one of each kind, and some facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) facts: Facts,
    pub(crate) phrase: Option<&'static str>,
    pub(crate) validated: Option<(bool, &'static str)>,
}

impl Cx<'_> {
    /// Whether a protocol that may be secured midway should say so: there is a certificate, and no
    /// TLS yet.
    pub(crate) fn offers_tls(&self) -> bool {
        self.profile.tls.is_some() && !self.secured
    }

    /// Whether the client may be told that it got in.
    pub(crate) fn poisons(&self) -> bool {
        debug_assert!(self.profile.any_pattern(|it| it.poisons()), "a pattern hides this");
        self.profile.poison
    }

    /// Whether the port speaks one protocol only to the client's network.
    pub(crate) fn pins_strictly(&self) -> bool {
        debug_assert!(self.profile.any_pattern(|it| it.pins()), "a pattern hides this");
        self.profile.strict_lock
    }

    /// Lets the log have a phrase that was sent.
    pub fn log_phrase(&mut self, phrase: &'static str) {
        self.notes.phrase = Some(phrase);
    }

    /// Tells what was learnt of the client. Of a value [`Fact::SHOWN`] bytes are told, and its
    /// length. What one step learns is told together.
    pub fn learn(&mut self, fact: Fact, value: &[u8]) {
        self.learn_part(fact, value, value.len());
    }

    /// Tells what was learnt of the client where only the beginning of the value is at hand, which
    /// has `length` bytes.
    pub fn learn_part(&mut self, fact: Fact, beginning: &[u8], length: usize) {
        self.notes.facts.add(fact, beginning, length);
    }

    /// Tells whether the client's first bytes, which wait to be heard, are of the protocol.
    pub(crate) fn validated(&mut self, expected: bool, comment: &'static str) {
        self.notes.validated = Some((expected, comment));
    }

    /// The moment `wait` from now, for [`Step::Wait`].
    pub fn later(&self, wait: Duration) -> Option<Time> {
        Some(self.now.after(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_written_down_and_read_again() {
        let run = Run { phase: 3, count: 500, position: 70_000, mark: u32::MAX, big: None };
        let again = Run::load(&run.save()).expect("what was saved");
        assert_eq!(again.save(), run.save());
        assert!(Run::load(&run.save()[1..]).is_none());
    }
}
