//! What a pattern is: its description, and the script that its clients run.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use crate::{
    base::{
        pace::Pace,
        time::{ClockChange, Wall},
    },
    persona::Persona,
    script::{
        Cx, Heard, Protocol, Step,
        state::{Field, Run, Saved as _},
    },
};

/// Appends what a server of this persona says at that moment of the calendar.
pub type Words = fn(&Persona, Wall, &mut Vec<u8>);

/// What is known of a pattern without running it.
#[derive(Debug)]
pub struct About {
    /// The name users write, in lower case.
    pub name: &'static str,
    /// Its names in other tarpits. The trace has [`About::name`].
    pub aliases: &'static [&'static str],
    /// One line for lists and the manual: what it does to a client.
    pub summary: &'static str,
    /// What the owner should know before opening it to the world, if anything. The clause ends a
    /// warning.
    pub caution: Option<&'static str>,
    /// The protocol it speaks; `None` if it answers any client.
    ///
    /// Only clients whose first bytes are of this protocol reach it, unless the user switched
    /// validation off.
    pub protocol: Option<&'static Protocol>,
    /// The greeting, if a server of this protocol speaks first. It goes out whole and at once,
    /// before the first step.
    pub greet: Option<Words>,
    /// The refusal for a client of another protocol, or a silent one. It goes out whole and at
    /// once.
    pub refuse: Option<Words>,
    /// How long a silent client waits for [`About::refuse`], which lets a scanner that only listens
    /// record the service. `None`: it gets nothing.
    pub null_probe_after: Option<Duration>,
    /// Which settings and resources make a difference to it.
    pub uses: Uses,
    /// The pattern inside it, unless the user names another; `None`: it has none.
    pub inner: Option<&'static dyn Pattern>,
    /// Its names in TLS (RFC 7301, ALPN), the best first.
    pub alpn: &'static [&'static str],
    /// The pattern that holds data connections of its clients; see [`Step::OPEN_DATA`].
    pub data: Option<&'static dyn Pattern>,
}

impl About {
    /// A pattern with a name and a summary, and defaults for the rest.
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            summary,
            caution: None,
            protocol: None,
            greet: None,
            refuse: None,
            null_probe_after: None,
            uses: Uses::NOTHING,
            inner: None,
            alpn: &[],
            data: None,
        }
    }
}

/// Which settings and resources a pattern uses, or the patterns to which it hands clients on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Uses {
    /// The machine's host keys. One of them takes a while to make.
    pub host_keys: bool,
    /// [`Profile::strict_lock`](super::Profile::strict_lock).
    pub pins: bool,
    /// [`Profile::poison`](super::Profile::poison).
    pub poison: bool,
    /// TLS beneath the script; see [`Step::SECURE`].
    pub tls: bool,
}

impl Uses {
    /// None of them.
    pub const NOTHING: Self = Self { host_keys: false, pins: false, poison: false, tls: false };

    /// Everything that one of them uses.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            host_keys: self.host_keys || other.host_keys,
            pins: self.pins || other.pins,
            poison: self.poison || other.poison,
            tls: self.tls || other.tls,
        }
    }
}

/// A kind of tarpit, as its author writes it: what it says to a client, and when.
pub trait Script: Sync {
    /// What it remembers of one client, at most 88 bits; see [`states!`](crate::states).
    type State: Field + Default;

    /// What is known of it without running it.
    fn about(&self) -> &'static About;

    /// Which settings and resources make a difference to it.
    fn uses(&self) -> Uses {
        self.about().uses
    }

    /// The pace while no rate is set, for a client in this state.
    fn pace(&self, state: &Self::State) -> Pace;

    /// The state of a client that has just been let through.
    fn open(&self, _cx: &mut Cx<'_>) -> Self::State {
        Self::State::default()
    }

    /// Hears something and says what to do next.
    ///
    /// [`Heard::Opened`] comes first, exactly once. [`Step::KEEP`] changes nothing.
    fn step(&self, state: &mut Self::State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step;

    /// Appends the chunk that `state` stands for, at most [`MAX_CHUNK`](super::MAX_CHUNK) bytes and
    /// never none.
    ///
    /// It is called again for every part that is sent, so it must make the same bytes from the
    /// same state; `cx.rng` starts at the same place each time, and `cx.wall` stands still.
    fn speak(&self, state: &Self::State, cx: &mut Cx<'_>, out: &mut Vec<u8>);
}

/// A kind of tarpit, without the type of its state. Authors write a [`Script`].
pub trait Pattern: Sync {
    /// See [`Script::about`].
    fn about(&self) -> &'static About;

    /// See [`Script::uses`].
    fn uses(&self) -> Uses;

    /// See [`Script::pace`].
    fn pace(&self, run: &mut Run) -> Pace;

    /// See [`Script::open`].
    fn open(&self, cx: &mut Cx<'_>) -> Run;

    /// See [`Script::step`].
    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step;

    /// See [`Script::speak`]. Says at which [pace](Script::pace) the chunk goes, too, so that the
    /// state of a client is unpacked once for both.
    fn speak(&self, run: &mut Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Pace;

    /// The name of the client's state, such as `Listening`; empty if it has none.
    fn state(&self, run: &mut Run) -> &'static str;

    /// Writes the state down for a hand-over to a new binary.
    fn save(&self, run: &mut Run, out: &mut Vec<u8>);

    /// The state that [`Pattern::save`] wrote down, with its moments by the present clock. `None`
    /// if it is not one of this pattern's.
    fn load(&self, saved: &[u8], change: ClockChange) -> Option<Run>;
}

impl<S: Script> Pattern for S {
    fn about(&self) -> &'static About {
        Script::about(self)
    }

    fn uses(&self) -> Uses {
        Script::uses(self)
    }

    fn pace(&self, run: &mut Run) -> Pace {
        read(run, |state| Script::pace(self, state))
    }

    fn open(&self, cx: &mut Cx<'_>) -> Run {
        Run::of(Script::open(self, cx))
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        let mut state = run.take();
        let step = Script::step(self, &mut state, heard, cx);
        *run = Run::of(state);
        step
    }

    fn speak(&self, run: &mut Run, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Pace {
        read(run, |state| {
            Script::speak(self, state, cx, out);
            Script::pace(self, state)
        })
    }

    fn state(&self, run: &mut Run) -> &'static str {
        read(run, S::State::name)
    }

    fn save(&self, run: &mut Run, out: &mut Vec<u8>) {
        let state = run.take::<S::State>();
        S::State::LAYOUT.save(out);
        state.save(out);
        *run = Run::of(state);
    }

    fn load(&self, mut saved: &[u8], change: ClockChange) -> Option<Run> {
        let layout = u32::load(&mut saved)?;
        let mut state = S::State::load(&mut saved).filter(|_| layout == S::State::LAYOUT)?;
        state.change_clock(change);
        saved.is_empty().then(|| Run::of(state))
    }
}

/// Shows the state to `reader`. One without a boxed part is read from a copy, so that it need not
/// be packed again: this is done for every chunk.
fn read<S: Field + Default, T>(run: &mut Run, reader: impl FnOnce(&S) -> T) -> T {
    if let Some(mut copy) = run.copy() {
        return reader(&copy.take());
    }
    let state = run.take();
    let read = reader(&state);
    // What is packed beside the boxed part has not changed.
    run.boxed = Run::of(state).boxed;
    read
}

impl dyn Pattern + '_ {
    /// The name users write.
    pub fn name(&self) -> &'static str {
        self.about().name
    }

    /// The protocol it speaks; `None` if it answers any client.
    pub fn protocol(&self) -> Option<&'static Protocol> {
        self.about().protocol
    }

    /// The pattern inside it, if there can be one: the one that the owner chose, or else its usual
    /// one.
    pub fn inside(&self, chosen: Option<&'static dyn Pattern>) -> Option<&'static dyn Pattern> {
        self.about().inner.map(|usual| chosen.unwrap_or(usual))
    }

    /// Whether something is true of it, or of the pattern inside it.
    pub fn any(
        &self,
        chosen: Option<&'static dyn Pattern>,
        asks: impl Fn(&dyn Pattern) -> bool,
    ) -> bool {
        asks(self) || self.inside(chosen).is_some_and(asks)
    }
}

impl fmt::Debug for dyn Pattern + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
