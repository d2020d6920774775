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

use crate::base::pace::EVERY_8_SECONDS;
use crate::{
    base::{fact::Fact, pace::Pace, rng, said::Said},
    detect::{Detection, Spoken, detect},
    handing,
    identify::Protocol,
    patterns, phases,
    pins::Place,
    script::{Chunk, Cx, Heard, Manner, Pattern, ReadMode, Run, Step},
};

/// See the module.
pub(crate) struct Auto;

phases! {
    enum Phase { Listening, Amid, Greeting, Greeted, GreetedAmid, Arriving, Refusing, Held }
}

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

/// No protocol, in [`Run::position`].
const NOBODY: u8 = u8::MAX;

/// Flags in [`Run::mark`]: which greetings the client has seen, and whether the port is one of those
/// on which the others may follow the first.
const SAW_220: u32 = 1;
const SAW_SSH: u32 = 2;
const SAW_TELNET: u32 = 4;
const SHOWS_ALL: u32 = 8;

impl Pattern for Auto {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn summary(&self) -> &'static str {
        "recognises each client's protocol on one port and holds the client by the pattern for it"
    }

    fn shows_host_keys(&self) -> bool {
        true
    }

    fn secures(&self) -> bool {
        true
    }

    fn poisons(&self) -> bool {
        true
    }

    fn pins(&self) -> bool {
        true
    }

    fn protocol(&self) -> Option<Protocol> {
        None
    }

    fn carries(&self) -> bool {
        true
    }

    fn pace(&self, _run: &Run) -> Pace {
        // Nothing of its own drips.
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Run, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) => begin(run, cx),
            // What comes back to a greeting tells whether whoever has closed its side is there.
            (Phase::Listening, Heard::Silence | Heard::HalfClosed) => greet_the_silent(run, cx),
            (Phase::Greeting, Heard::Sent) => {
                run.enter(Phase::Greeted);
                wait_for_answer(run, cx)
            }
            (Phase::Greeted, Heard::Silence) => greet_once_more(run, cx),
            (
                Phase::Listening | Phase::Amid | Phase::Greeted | Phase::GreetedAmid,
                Heard::Said(said),
            ) => look(run, said, cx),
            (Phase::Amid | Phase::GreetedAmid, Heard::Silence) => {
                let likeliest = Spoken::numbered(run.count as u8);
                decide_late(run, likeliest, cx)
            }
            (Phase::Arriving, Heard::Sent) => handing::arrive(run),
            (Phase::Refusing, Heard::Sent) => hold(run, cx),
            _ => Step::Keep,
        }
    }

    fn speak(&self, _run: &Run, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        // All that it says is boxed.
        debug_assert!(false, "nothing is spoken");
        out.push(b'\n');
    }
}

/// Finds out whose port it is, and listens.
fn begin(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    let place = Place::of(cx.conn);
    let owner = PORTS.iter().find(|(_, ports)| ports.contains(&place.port));
    let locked = cx.pins_strictly().then(|| cx.pins.decided(place, cx.now)).flatten();
    let home = match (locked, owner) {
        (Some(locked), _) => Spoken::numbered(locked),
        (None, Some((name, _))) => Spoken::named(name),
        (None, None) => {
            if !cx.pins_strictly() {
                run.mark |= SHOWS_ALL;
            }
            let day = cx.wall.0 / 86_400;
            let spot = place.network ^ u64::from(place.port) << 48;
            let number = rng::lasting(cx.profile.persona.number(), spot, day);
            Spoken::of(FIRST[number as usize % FIRST.len()])
        }
    };
    run.position = home.map_or(NOBODY, Spoken::number).into();
    let speaks_first = home.is_some_and(|home| seen_by(home) != 0);
    let patience = if owner.is_some() && speaks_first { SHORT_PATIENCE } else { PATIENCE };
    Step::Wait(cx.later(patience))
}

/// Shows whoever has said nothing what this port says.
fn greet_the_silent(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    run.enter(Phase::Greeted);
    match home(run) {
        Some(spoken) => {
            let spoken = claim(spoken, cx);
            run.position = spoken.number().into();
            greet(run, spoken, cx).unwrap_or(Step::REST)
        }
        None => Step::REST,
    }
}

/// Sends a greeting, if this protocol has one.
fn greet(run: &mut Run, spoken: &Spoken, cx: &mut Cx<'_>) -> Option<Step> {
    let pattern = spoken.protocol.and_then(patterns::best_for)?;
    let step = handing::greet(run, Phase::Greeting, pattern, cx)?;
    run.mark |= seen_by(spoken);
    Some(step)
}

/// Waits for what the client answers to a greeting.
fn wait_for_answer(run: &Run, cx: &Cx<'_>) -> Step {
    match run.mark & (SHOWS_ALL | SAW_SSH | SAW_TELNET) {
        SHOWS_ALL => Step::Wait(cx.later(SECOND_GREETING)),
        flags if flags == SHOWS_ALL | SAW_SSH => Step::Wait(cx.later(THIRD_GREETING)),
        _ => Step::REST,
    }
}

/// Shows whoever says nothing to one greeting the next.
fn greet_once_more(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    let next = if run.mark & SAW_SSH == 0 { Protocol::Ssh } else { Protocol::Telnet };
    let Some(spoken) = Spoken::of(next) else { return Step::REST };
    greet(run, spoken, cx).unwrap_or(Step::REST)
}

/// Looks at the client's first bytes.
fn look(run: &mut Run, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    // Whoever has seen a prompt for a name may type one.
    let expects = match home(run) {
        _ if run.mark & SAW_TELNET != 0 => Some(Protocol::Telnet),
        home => home.and_then(|home| home.protocol),
    };
    match detect(said.rest(), expects) {
        Detection::Incomplete(likeliest) if !said.is_full() => {
            run.count = likeliest.map_or(NOBODY, Spoken::number).into();
            let greeted = matches!(Phase::of(run), Phase::Greeted | Phase::GreetedAmid);
            run.enter(if greeted { Phase::GreetedAmid } else { Phase::Amid });
            Step::Wait(cx.later(AMID_PATIENCE))
        }
        Detection::Shown(spoken) => serve(run, spoken, cx),
        // Nothing will follow.
        Detection::Incomplete(likeliest) if cx.read_mode == ReadMode::Ended => {
            decide_late(run, likeliest, cx)
        }
        Detection::Incomplete(_) | Detection::Unknown => serve_unknown(run, cx),
    }
}

/// Decides for whoever has begun something and not gone on: what it most likely is, if that can be
/// served at all.
fn decide_late(run: &mut Run, likeliest: Option<&'static Spoken>, cx: &mut Cx<'_>) -> Step {
    match likeliest {
        Some(spoken) if spoken.protocol.is_some() => serve(run, spoken, cx),
        _ => serve_unknown(run, cx),
    }
}

/// Serves a client that has shown what it speaks.
fn serve(run: &mut Run, spoken: &'static Spoken, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, spoken.name.as_bytes());
    let decided = claim(spoken, cx);
    if decided.name != spoken.name {
        tell(cx, false, "this port speaks another protocol to the client's network");
        return refuse(run, decided, cx);
    }
    let Some(pattern) = spoken.protocol.and_then(patterns::best_for) else {
        tell(cx, false, "no pattern speaks this protocol");
        return hold(run, cx);
    };
    tell(cx, true, "");
    // A greeting is not said twice, nor one that begins with 220 behind another.
    if run.mark & seen_by(spoken) != 0 {
        return Step::Become(pattern);
    }
    handing::hand_on(run, Phase::Arriving, pattern, cx)
}

/// Serves a client whose first bytes are of no known protocol: what this port speaks answers.
fn serve_unknown(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Protocol, b"unknown");
    tell(cx, false, "the first bytes are of no protocol that is known");
    let Some(home) = home(run) else { return hold(run, cx) };
    let decided = claim(home, cx);
    match decided.protocol {
        // Their patterns need a client that speaks the protocol.
        Some(Protocol::Ssh | Protocol::Tls) | None => refuse(run, decided, cx),
        Some(protocol) => match patterns::best_for(protocol) {
            Some(pattern) if run.mark & seen_by(decided) != 0 => Step::Become(pattern),
            Some(pattern) => handing::hand_on(run, Phase::Arriving, pattern, cx),
            None => hold(run, cx),
        },
    }
}

/// Tells a client what strangers to this protocol are told, and holds it in silence.
fn refuse(run: &mut Run, spoken: &Spoken, cx: &mut Cx<'_>) -> Step {
    let mut words = Vec::new();
    if let Some(pattern) = spoken.protocol.and_then(patterns::best_for) {
        if run.mark & seen_by(spoken) == 0 {
            pattern.greet(cx, &mut words);
        }
        pattern.refuse(cx, &mut words);
    }
    if words.is_empty() {
        return hold(run, cx);
    }
    run.enter(Phase::Refusing);
    cx.read_mode = ReadMode::Discard;
    Step::Send(Manner::Whole, Chunk::Boxed(words.into()))
}

/// Holds a client in silence: it is what those bear for whom there is nothing to say.
fn hold(run: &mut Run, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Held);
    Step::REST
}

/// What is to be spoken here: `spoken`, unless another protocol is locked to the place.
fn claim(spoken: &'static Spoken, cx: &mut Cx<'_>) -> &'static Spoken {
    if !cx.pins_strictly() {
        return spoken;
    }
    let decided = cx.pins.claim(Place::of(cx.conn), spoken.number(), cx.now);
    Spoken::numbered(decided).unwrap_or(spoken)
}

/// Tells whether the client is served what it speaks, where that is asked.
fn tell(cx: &mut Cx<'_>, expected: bool, comment: &'static str) {
    if cx.profile.validate {
        cx.validated(expected, comment);
    }
}

/// What silent and unknown clients of this port are served.
fn home(run: &Run) -> Option<&'static Spoken> {
    u8::try_from(run.position).ok().and_then(Spoken::numbered)
}

/// The flag of those who have seen this protocol's greeting; 0 where the client speaks first.
fn seen_by(spoken: &Spoken) -> u32 {
    match spoken.protocol {
        Some(Protocol::Ftp | Protocol::Smtp) => SAW_220,
        Some(Protocol::Ssh) => SAW_SSH,
        Some(Protocol::Telnet) => SAW_TELNET,
        Some(Protocol::Http | Protocol::Tls) | None => 0,
    }
}
