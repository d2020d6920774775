//! `auto`: one port for every protocol. It waits for the client's first bytes and hands the client
//! on to what speaks the protocol that they show.
//!
//! ```text
//!                  first bytes show a protocol                        sent
//! Listening ──────────────┬──────────────────► handed on, greeted for it ─► that pattern
//!   │  ▲ │                │  of no pattern's
//!   │  │ └► Amid ─────────┼──────────────────► Held, in silence
//!   │  │    2 s: likeliest│
//!   │  └──────────────────┤ (not the one that is pinned: Refusing, then Held)
//!   │ 1.2 s               │
//!   ▼      sent           │
//! Greeting ────► Greeted ─┘ once more, for those who waited for somebody to speak first
//! ```
//! Silence means that the client waits for the server's first line. The port decides which line it
//! gets. On a port that belongs to no protocol it is a line of FTP or of SMTP: both begin with
//! `220`, and the client's answer tells them apart. A keyed hash chooses between the two, the same
//! all day for a network, so that no table has to remember it. A client that sends nothing after
//! that line waits for another protocol and gets its greeting; such clients skip lines that they do
//! not know.
//!
//! With `strict_lock` the port speaks one protocol only: its own, where that is one in which the
//! server speaks first, from the first client on; elsewhere the first that was decided for a
//! network, which is pinned. A client of another one is refused as on any other port. On a
//! protocol's own port that is the default: a scanner that sends the probes of other protocols
//! there would record one of those (`nmap -sV` on 2323 recorded HTTP).

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        fact::Fact,
        net::Prefix,
        pace::{EVERY_8_SECONDS, Pace},
        rng,
        said::Said,
    },
    protocols::{self, Detection, FTP, SMTP, SSH, TELNET, detect},
    script::{
        About, Chunk, Cx, Heard, Manner, Pattern, Protocol, ReadMode, Script, Side, Step, Uses,
    },
    states,
};

/// See the module.
pub(crate) struct Auto;

/// How long `auto` waits for the client's first bytes. They come with the connection or right after
/// it; a busy scanner may need a second. Clients that wait for the server give up after 2 seconds at
/// the earliest.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// The same on a port that belongs to a protocol in which the server speaks first.
const SHORT_PATIENCE: Duration = Duration::from_millis(150);

/// How long `auto` waits for more of first bytes that may still become one protocol or another.
const AMID_PATIENCE: Duration = Duration::from_secs(2);

/// When a silent client gets the second greeting, and the third, counted from the one before. Tools
/// that collect SSH keys wait for 5 seconds in all; scanners that listen for a greeting leave after
/// 6.
const SECOND_GREETING: Duration = Duration::from_millis(1_800);
const THIRD_GREETING: Duration = Duration::from_millis(3_500);

/// The first greeting on all other ports.
const FIRST: [&Protocol; 2] = [&FTP, &SMTP];

states! {
    /// Where a client stands, and which greetings it has seen.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct State {
        at: At,
        /// The protocol for silent and unknown clients; `None`: silence.
        home: Option<&'static Protocol>,
        shown: Shown,
        /// Whether further greetings follow the first, as on ports that belong to no protocol.
        shows_all: bool,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum At {
        /// Nothing was sent or received yet.
        #[default]
        Listening,
        /// The first bytes may still become one thing or another.
        Amid { likeliest: Option<&'static Protocol> },
        /// A greeting goes out.
        Greeting,
        Greeted,
        Refusing,
        Held,
    }

    /// The last greeting that the client has seen; the others came before it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    enum Shown {
        #[default]
        Nothing,
        /// That of the port's own protocol.
        Home,
        Ssh,
        Telnet,
    }
}

static ABOUT: About = About {
    inner: Some(&crate::protocols::http::hold::HttpHold),
    ..About::new(
        "auto",
        "recognises each client's protocol on one port and holds the client by the pattern for it",
    )
};

impl Script for Auto {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn uses(&self) -> Uses {
        let own = Uses { pins: true, ..Uses::NOTHING };
        let patterns = protocols::held().filter_map(Protocol::best);
        patterns.fold(own, |all, pattern| all.and(pattern.uses()))
    }

    fn pace(&self, _state: &State) -> Pace {
        // Nothing of its own drips.
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.at, heard) {
            (At::Listening, Heard::Opened) => begin(state, cx),
            // The answer to a greeting shows whether a client that closed its side is still there.
            (At::Listening, Heard::Silence | Heard::HalfClosed) => greet_the_silent(state, cx),
            (At::Greeting, Heard::Sent) => {
                state.at = At::Greeted;
                wait_for_answer(*state, cx)
            }
            (At::Greeted, Heard::Silence) => greet_once_more(state, cx),
            (At::Listening | At::Amid { .. } | At::Greeted, Heard::Said(said)) => {
                look(state, said, cx)
            }
            (At::Amid { likeliest }, Heard::Silence) => decide_late(state, likeliest, cx),
            (At::Refusing, Heard::Sent) => hold(state),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        // Everything that it sends is boxed.
        debug_assert!(false, "nothing is spoken");
        out.push(b'\n');
    }
}

/// Whether a port speaks one protocol only, and which.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// It speaks every protocol.
    Open,
    /// It speaks the first protocol that was decided for the client's network.
    ToFirst,
    /// It speaks its own protocol.
    ToPort(&'static Protocol),
}

impl Lock {
    fn of(cx: &Cx<'_>) -> Self {
        let owner = protocols::on(cx.conn.server.port());
        let greets = |owner: &&Protocol| owner.first == Side::Server && owner.best().is_some();
        match (cx.strict_lock(), owner.filter(greets)) {
            (None | Some(true), Some(owner)) => Self::ToPort(owner),
            (Some(true), None) => Self::ToFirst,
            (None, None) | (Some(false), _) => Self::Open,
        }
    }
}

/// Finds the protocol of the port, and listens.
fn begin(state: &mut State, cx: &mut Cx<'_>) -> Step {
    let port = cx.conn.server.port();
    let owner = protocols::on(port);
    let to_first = Lock::of(cx) == Lock::ToFirst;
    let pinned = to_first.then(|| cx.pins.pinned(cx.conn, cx.now)).flatten();
    state.home = pinned.and_then(protocols::named).or(owner);
    if state.home.is_none() {
        state.shows_all = !to_first;
        let day = cx.wall.0 / 86_400;
        let network = Prefix::of(cx.conn.client.ip()).key();
        let spot = network ^ u64::from(port) << 48;
        let number = rng::lasting(cx.profile.persona.number(), spot, day);
        state.home = Some(FIRST[number as usize % FIRST.len()]);
    }
    let speaks_first = state.home.is_some_and(|home| home.first == Side::Server);
    let patience = if owner.is_some() && speaks_first { SHORT_PATIENCE } else { PATIENCE };
    Step::wait(cx.later(patience))
}

/// Greets a silent client as this port does.
fn greet_the_silent(state: &mut State, cx: &mut Cx<'_>) -> Step {
    state.at = At::Greeted;
    let Some(home) = state.home else { return Step::REST };
    let home = claim(home, cx);
    state.home = Some(home);
    greet(state, Shown::Home, home, cx)
}

/// Sends a greeting, if this protocol has one.
fn greet(state: &mut State, shown: Shown, protocol: &'static Protocol, cx: &Cx<'_>) -> Step {
    let words = greeting(protocol, cx);
    if words.is_empty() {
        return Step::REST;
    }
    (state.shown, state.at) = (shown, At::Greeting);
    Step::send(Manner::Whole, Chunk::Boxed(words.into()))
}

/// The greeting of a protocol; possibly nothing.
fn greeting(protocol: &Protocol, cx: &Cx<'_>) -> Vec<u8> {
    let mut words = Vec::new();
    if let Some(greet) = protocol.greet {
        greet(&cx.profile.persona, cx.wall, &mut words);
    }
    words
}

/// Waits for the client's answer to a greeting.
fn wait_for_answer(state: State, cx: &Cx<'_>) -> Step {
    match state.shown {
        Shown::Home if state.shows_all => Step::wait(cx.later(SECOND_GREETING)),
        Shown::Ssh if state.shows_all => Step::wait(cx.later(THIRD_GREETING)),
        _ => Step::REST,
    }
}

/// Sends the next greeting to a client that stays silent.
fn greet_once_more(state: &mut State, cx: &mut Cx<'_>) -> Step {
    match state.shown {
        Shown::Nothing | Shown::Home => greet(state, Shown::Ssh, &SSH, cx),
        Shown::Ssh | Shown::Telnet => greet(state, Shown::Telnet, &TELNET, cx),
    }
}

/// Looks at the client's first bytes.
fn look(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    // A client that has seen a prompt for a name may type one.
    let expects = if state.shown == Shown::Telnet { Some(&TELNET) } else { state.home };
    match detect(said.rest(), expects) {
        Detection::Shown(protocol) => serve(state, protocol, cx),
        // Nothing will follow.
        Detection::Incomplete(likeliest) if cx.read_mode == ReadMode::Ended => {
            decide_late(state, likeliest, cx)
        }
        Detection::Incomplete(likeliest) if !said.is_full() => {
            state.at = At::Amid { likeliest };
            Step::wait(cx.later(AMID_PATIENCE))
        }
        Detection::Incomplete(_) | Detection::Unknown => serve_unknown(state, cx),
    }
}

/// Decides for a client that sent a beginning and then stopped: the likeliest protocol, if there is
/// a pattern for it.
fn decide_late(state: &mut State, likeliest: Option<&'static Protocol>, cx: &mut Cx<'_>) -> Step {
    match likeliest {
        Some(protocol) if protocol.best().is_some() => serve(state, protocol, cx),
        _ => serve_unknown(state, cx),
    }
}

/// Serves a client that has shown its protocol.
fn serve(state: &mut State, protocol: &'static Protocol, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, protocol.name.as_bytes());
    let decided = claim(protocol, cx);
    if decided != protocol {
        tell(cx, false, "this port speaks another protocol");
        return refuse(state, decided, cx);
    }
    let Some(pattern) = protocol.best() else {
        tell(cx, false, "no pattern speaks this protocol");
        return hold(state);
    };
    tell(cx, true, "");
    state.hand_on(protocol, pattern)
}

/// Serves a client of an unknown protocol by the protocol of this port.
fn serve_unknown(state: &mut State, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, b"unknown");
    tell(cx, false, "the first bytes are of no protocol that is known");
    let Some(home) = state.home else { return hold(state) };
    let decided = claim(home, cx);
    match decided.best() {
        Some(pattern) if decided.bears_anything => state.hand_on(decided, pattern),
        _ => refuse(state, decided, cx),
    }
}

/// Refuses a client as this protocol refuses strangers, and holds it in silence.
fn refuse(state: &mut State, protocol: &'static Protocol, cx: &Cx<'_>) -> Step {
    let mut words = Vec::new();
    if !state.has_shown(protocol) {
        words = greeting(protocol, cx);
    }
    if let Some(refuse) = protocol.refuse {
        refuse(&cx.profile.persona, cx.wall, &mut words);
    }
    if words.is_empty() {
        return hold(state);
    }
    state.at = At::Refusing;
    Step::send(Manner::Whole, Chunk::Boxed(words.into())).discarding()
}

/// Holds a client in silence. Every client bears that to whom nothing can be said.
fn hold(state: &mut State) -> Step {
    state.at = At::Held;
    Step::REST.discarding()
}

/// The protocol to speak: `protocol`, unless the port speaks another one only.
fn claim(protocol: &'static Protocol, cx: &mut Cx<'_>) -> &'static Protocol {
    match Lock::of(cx) {
        Lock::Open => protocol,
        Lock::ToFirst => {
            let decided = cx.pins.pin(cx.conn, protocol.name, cx.now);
            protocols::named(decided).unwrap_or(protocol)
        }
        Lock::ToPort(owner) => owner,
    }
}

/// Reports whether the client speaks what it is served, if validation is on.
fn tell(cx: &mut Cx<'_>, expected: bool, comment: &'static str) {
    if cx.profile.validate {
        cx.validated(expected, comment);
    }
}

impl State {
    /// Whether the client has seen this protocol's greeting, or one that begins alike.
    fn has_shown(&self, protocol: &'static Protocol) -> bool {
        let has = |shown, other: Option<&'static Protocol>| {
            self.shown >= shown
                && other.is_some_and(|other| {
                    other == protocol || FIRST.contains(&other) && FIRST.contains(&protocol)
                })
        };
        has(Shown::Home, self.home)
            || has(Shown::Ssh, Some(&SSH))
            || has(Shown::Telnet, Some(&TELNET))
    }

    /// Hands a client on. No client gets the same greeting twice, or two that begin with 220.
    fn hand_on(&self, protocol: &'static Protocol, pattern: &'static dyn Pattern) -> Step {
        if self.has_shown(protocol) {
            Step::become_pattern(pattern)
        } else {
            Step::hand_on(pattern)
        }
    }
}
