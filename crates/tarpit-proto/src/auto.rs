//! `auto`: one port for every protocol. It waits for the client's first bytes and hands the client
//! on to what speaks the protocol that they show.
//!
//! ```text
//!                  first bytes show a protocol                        sent
//! Listening ──────────────┬──────────────────► Arriving, greeted for it ──► that pattern
//!   │  ▲ │                │  of no pattern's
//!   │  │ └► Amid ─────────┼──────────────────► Held, in silence
//!   │  │    2 s: likeliest│
//!   │  └──────────────────┤ (of a locked place's other protocol: Refusing, then Held)
//!   │ 0.7 s               │
//!   ▼      sent           │
//! Greeting ────► Greeted ─┘ once more, for those who waited for somebody to speak first
//! ```
//! Silence means that the client waits for the server's first line. Which one it gets depends on
//! the port; on ports that belong to no protocol on what a keyed hash says, which is the same for a
//! network all day, so that no table has to remember it. There it is a line that begins with `220`:
//! FTP and SMTP begin so, and what the client answers tells them apart. Whoever says nothing to
//! that either waits for something else, and is shown that; such clients pass over what they do not
//! know.
//!
//! Under a lock the first protocol decided is the only one for a port and a network. Whoever speaks
//! another one is told what a stranger is told.

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
    detect::{Detection, Spoken, detect},
    identify::Protocol,
    patterns,
    script::{About, Chunk, Cx, Heard, Manner, Pattern, ReadMode, Script, Step, Uses},
    states,
};

/// See the module.
pub(crate) struct Auto;

/// How long the client's first bytes are waited for. They come with the connection or right behind
/// it; those who wait for ours give up after 2 seconds at the earliest.
const PATIENCE: Duration = Duration::from_millis(700);

/// The same on a port that belongs to a protocol in which the server speaks first.
const SHORT_PATIENCE: Duration = Duration::from_millis(150);

/// How long the rest of bytes that may still become one thing or another is waited for.
const AMID_PATIENCE: Duration = Duration::from_secs(2);

/// How long after the first greeting, and after the second, a client still waits for another one.
/// The tools that collect SSH keys wait 5 seconds in all; scanners that listen for a greeting are
/// gone after 6.
const SECOND_GREETING: Duration = Duration::from_millis(2_300);
const THIRD_GREETING: Duration = Duration::from_millis(3_500);

/// Whose ports these are, by the names of what is spoken there: what silent clients are greeted
/// with, and what unknown ones are served. Where the client speaks first, silence is met with
/// silence.
const PORTS: &[(&str, &[u16])] = &[
    ("ftp", &[21, 2121]),
    ("http", &[80, 81, 591, 2080, 3128, 5000, 8000, 8001, 8008, 8080, 8081, 8088, 8888, 9080]),
    ("imap", &[143]),
    ("ldap", &[389]),
    ("memcached", &[11_211]),
    ("mongodb", &[27_017]),
    ("mqtt", &[1_883]),
    ("mssql", &[1_433]),
    ("mysql", &[3_306]),
    ("pop3", &[110]),
    ("postgres", &[5_432]),
    ("rdp", &[3_389]),
    ("redis", &[6_379]),
    ("rtsp", &[554, 8_554]),
    ("sip", &[5_060]),
    ("smb", &[139, 445]),
    ("smtp", &[25, 587, 2525]),
    ("socks5", &[1_080]),
    ("ssh", &[22, 222, 2222, 8022]),
    ("telnet", &[23, 2323]),
    ("tls", &[443, 636, 990, 993, 995, 4443, 8443, 9443]),
    ("vnc", &[5_900, 5_901, 5_902]),
];

/// The first greeting on all other ports.
const FIRST: [Protocol; 2] = [Protocol::Ftp, Protocol::Smtp];

states! {
    /// Where a client of the port stands, and what it has been shown.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct State {
        at: At,
        /// What silent and unknown clients are served; `None`: nothing.
        home: Option<&'static Spoken>,
        shown: Shown,
        /// Whether further greetings follow the first, which is so on ports that belong to no
        /// protocol.
        shows_all: bool,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum At {
        /// Nothing was said or heard yet.
        #[default]
        Listening,
        /// The first bytes may still become one thing or another.
        Amid { likeliest: Option<&'static Spoken>, greeted: bool },
        /// A greeting goes out.
        Greeting,
        Greeted,
        Refusing,
        Held,
    }

    /// Which greetings the client has seen.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Shown {
        a_220: bool,
        ssh: bool,
        telnet: bool,
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
        let patterns = Protocol::ALL.into_iter().filter_map(patterns::best_for);
        patterns.fold(own, |all, pattern| all.and(pattern.uses()))
    }

    fn pace(&self, _state: &State) -> Pace {
        // Nothing of its own drips.
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.at, heard) {
            (At::Listening, Heard::Opened) => begin(state, cx),
            // What comes back to a greeting tells whether a client that has closed its side is
            // there.
            (At::Listening, Heard::Silence | Heard::HalfClosed) => greet_the_silent(state, cx),
            (At::Greeting, Heard::Sent) => {
                state.at = At::Greeted;
                wait_for_answer(*state, cx)
            }
            (At::Greeted, Heard::Silence) => greet_once_more(state, cx),
            (At::Listening | At::Amid { .. } | At::Greeted, Heard::Said(said)) => {
                look(state, said, cx)
            }
            (At::Amid { likeliest, .. }, Heard::Silence) => decide_late(state, likeliest, cx),
            (At::Refusing, Heard::Sent) => hold(state),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        // All that it says is boxed.
        debug_assert!(false, "nothing is spoken");
        out.push(b'\n');
    }
}

/// Finds out whose port it is, and listens.
fn begin(state: &mut State, cx: &mut Cx<'_>) -> Step {
    let port = cx.conn.server.port();
    let owner = PORTS.iter().find(|(_, ports)| ports.contains(&port));
    let pinned = cx.pins_strictly().then(|| cx.pins.pinned(cx.conn, cx.now)).flatten();
    state.home = match (pinned, owner) {
        (Some(name), _) | (None, Some(&(name, _))) => Spoken::named(name),
        (None, None) => {
            state.shows_all = !cx.pins_strictly();
            let day = cx.wall.0 / 86_400;
            let network = Prefix::of(cx.conn.client.ip()).key();
            let spot = network ^ u64::from(port) << 48;
            let number = rng::lasting(cx.profile.persona.number(), spot, day);
            Spoken::of(FIRST[number as usize % FIRST.len()])
        }
    };
    let speaks_first = state.home.is_some_and(|home| !is_client_first(home));
    let patience = if owner.is_some() && speaks_first { SHORT_PATIENCE } else { PATIENCE };
    Step::wait(cx.later(patience))
}

/// Shows a client that has said nothing what this port says.
fn greet_the_silent(state: &mut State, cx: &mut Cx<'_>) -> Step {
    state.at = At::Greeted;
    let Some(home) = state.home else { return Step::REST };
    let spoken = claim(home, cx);
    state.home = Some(spoken);
    greet(state, spoken, cx).unwrap_or(Step::REST)
}

/// Sends a greeting, if this protocol has one.
fn greet(state: &mut State, spoken: &Spoken, cx: &Cx<'_>) -> Option<Step> {
    let words = greeting(spoken, cx);
    if words.is_empty() {
        return None;
    }
    state.shown.note(spoken);
    state.at = At::Greeting;
    Some(Step::send(Manner::Whole, Chunk::Boxed(words.into())))
}

/// The greeting of a protocol; possibly nothing.
fn greeting(spoken: &Spoken, cx: &Cx<'_>) -> Vec<u8> {
    let mut words = Vec::new();
    if let Some(greet) = spoken.pattern().and_then(|pattern| pattern.about().greet) {
        greet(&cx.profile.persona, cx.wall, &mut words);
    }
    words
}

/// Waits for what the client answers to a greeting.
fn wait_for_answer(state: State, cx: &Cx<'_>) -> Step {
    match state.shown {
        Shown { telnet: true, .. } => Step::REST,
        _ if !state.shows_all => Step::REST,
        Shown { ssh: true, .. } => Step::wait(cx.later(THIRD_GREETING)),
        _ => Step::wait(cx.later(SECOND_GREETING)),
    }
}

/// Shows a client that says nothing to one greeting the next.
fn greet_once_more(state: &mut State, cx: &mut Cx<'_>) -> Step {
    let next = if state.shown.ssh { Protocol::Telnet } else { Protocol::Ssh };
    let Some(spoken) = Spoken::of(next) else { return Step::REST };
    greet(state, spoken, cx).unwrap_or(Step::REST)
}

/// Looks at the client's first bytes.
fn look(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    // A client that has seen a prompt for a name may type one.
    let expects = match state.home {
        _ if state.shown.telnet => Some(Protocol::Telnet),
        home => home.and_then(|home| home.protocol),
    };
    match detect(said.rest(), expects) {
        Detection::Incomplete(likeliest) if !said.is_full() => {
            let greeted = matches!(state.at, At::Greeted | At::Amid { greeted: true, .. });
            state.at = At::Amid { likeliest, greeted };
            Step::wait(cx.later(AMID_PATIENCE))
        }
        Detection::Shown(spoken) => serve(state, spoken, cx),
        // Nothing will follow.
        Detection::Incomplete(likeliest) if cx.read_mode == ReadMode::Ended => {
            decide_late(state, likeliest, cx)
        }
        Detection::Incomplete(_) | Detection::Unknown => serve_unknown(state, cx),
    }
}

/// Decides for a client that has begun something and not gone on: what it most likely is, if that
/// can be served at all.
fn decide_late(state: &mut State, likeliest: Option<&'static Spoken>, cx: &mut Cx<'_>) -> Step {
    match likeliest {
        Some(spoken) if spoken.protocol.is_some() => serve(state, spoken, cx),
        _ => serve_unknown(state, cx),
    }
}

/// Serves a client that has shown what it speaks.
fn serve(state: &mut State, spoken: &'static Spoken, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, spoken.name.as_bytes());
    let decided = claim(spoken, cx);
    if decided.name != spoken.name {
        tell(cx, false, "this port speaks another protocol to the client's network");
        return refuse(state, decided, cx);
    }
    let Some(pattern) = spoken.pattern() else {
        tell(cx, false, "no pattern speaks this protocol");
        return hold(state);
    };
    tell(cx, true, "");
    hand_on(*state, spoken, pattern)
}

/// Hands a client on. A greeting is not said twice, nor one that begins with 220 behind another.
fn hand_on(state: State, spoken: &Spoken, pattern: &'static dyn Pattern) -> Step {
    if state.shown.has(spoken) { Step::become_pattern(pattern) } else { Step::hand_on(pattern) }
}

/// Serves a client whose first bytes are of no known protocol: what this port speaks answers.
fn serve_unknown(state: &mut State, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, b"unknown");
    tell(cx, false, "the first bytes are of no protocol that is known");
    let Some(home) = state.home else { return hold(state) };
    let decided = claim(home, cx);
    match decided.protocol {
        // Their patterns need a client that speaks the protocol.
        Some(Protocol::Ssh | Protocol::Tls) | None => refuse(state, decided, cx),
        Some(_) => match decided.pattern() {
            Some(pattern) => hand_on(*state, decided, pattern),
            None => hold(state),
        },
    }
}

/// Tells a client what strangers to this protocol are told, and holds it in silence.
fn refuse(state: &mut State, spoken: &Spoken, cx: &Cx<'_>) -> Step {
    let mut words = Vec::new();
    if !state.shown.has(spoken) {
        words = greeting(spoken, cx);
    }
    if let Some(refuse) = spoken.pattern().and_then(|pattern| pattern.about().refuse) {
        refuse(&cx.profile.persona, cx.wall, &mut words);
    }
    if words.is_empty() {
        return hold(state);
    }
    state.at = At::Refusing;
    Step::send(Manner::Whole, Chunk::Boxed(words.into())).discarding()
}

/// Holds a client in silence: all clients bear it for whom there is nothing to say.
fn hold(state: &mut State) -> Step {
    state.at = At::Held;
    Step::REST.discarding()
}

/// What is to be spoken here: `spoken`, unless another protocol is pinned to the network.
fn claim(spoken: &'static Spoken, cx: &mut Cx<'_>) -> &'static Spoken {
    if !cx.pins_strictly() {
        return spoken;
    }
    let decided = cx.pins.pin(cx.conn, spoken.name, cx.now);
    Spoken::named(decided).unwrap_or(spoken)
}

/// Tells whether the client is served what it speaks, where that is asked.
fn tell(cx: &mut Cx<'_>, expected: bool, comment: &'static str) {
    if cx.profile.validate {
        cx.validated(expected, comment);
    }
}

/// Whether clients of this protocol speak first.
fn is_client_first(spoken: &Spoken) -> bool {
    spoken.pattern().is_none_or(|pattern| pattern.about().greet.is_none())
}

impl Shown {
    /// Takes down that the client has seen this protocol's greeting.
    fn note(&mut self, spoken: &Spoken) {
        match spoken.protocol {
            Some(Protocol::Ftp | Protocol::Smtp) => self.a_220 = true,
            Some(Protocol::Ssh) => self.ssh = true,
            Some(Protocol::Telnet) => self.telnet = true,
            _ => {}
        }
    }

    /// Whether the client has seen this protocol's greeting, or one that begins alike.
    fn has(self, spoken: &Spoken) -> bool {
        match spoken.protocol {
            Some(Protocol::Ftp | Protocol::Smtp) => self.a_220,
            Some(Protocol::Ssh) => self.ssh,
            Some(Protocol::Telnet) => self.telnet,
            _ => false,
        }
    }
}
