//! Redis: a server that wants a password and takes none, and whose answers do not end (RESP 2 and
//! 3, and inline commands).
//!
//! ```text
//!             a command       PING, without a password     sent
//! Listening ──────────────┬─► Stating ─────────────────────────► Listening
//!                         │   AUTH, HELLO      16.5 s            sent
//!                         ├─► Pausing ───────────────► Stating ──────────► Listening
//!                         │   INFO, any other                 sent
//!                         └─► Stating, the head of a bulk string ──────► Filling, for ever
//! ```
//! A bulk string says how long it is, up to 512 MiB, and a client waits for all of it as long as
//! something comes: redis-cli and ncrack do so without any limit, redis-py as long as a byte comes
//! every 5 seconds. hydra wants to be told
//! at once that it needs a password, and waits longer than we do for a verdict. `INFO` shows the
//! version at once, so that scanners record it. Releases before 6.0 do not know `HELLO`, and say so
//! at once: their clients go on with `AUTH`.
//!
//! A worm says all its commands in one go. They are read on while its first answer fills, and told:
//! the keys that it sets, and as secrets the values.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use super::{
    REDIS,
    request::{Command, Fault, Reading, Request, read},
    told::{credentials, tell},
};
use crate::{
    base::{
        pace::{BYTE_EVERY_4_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    persona::{Machine, Persona},
    protocols::command,
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step},
    states,
    wire::text,
};

/// See the module.
pub(crate) struct RedisHold;

static ABOUT: About = About {
    protocol: Some(&REDIS),
    refuse: Some(refuse),
    ..About::new("redis_hold", "refuses every password slowly; every other answer goes on for ever")
};

/// How many commands of a client are heard; then it is held and no longer listened to.
const MOST_COMMANDS: u8 = 128;

states! {
    /// Where a client stands, and the command that it has begun.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        at: At,
        /// How many commands it has said.
        commands: u8,
        request: Option<Box<Request>>,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum At {
        #[default]
        Listening,
        /// An answer waits for its moment.
        Pausing { answer: Answer },
        /// An answer goes out.
        Stating { answer: Answer },
        /// A command that the server does not know is told so.
        Refusing,
        /// A bulk string fills.
        Filling,
        /// The client is held in silence: it speaks no Redis.
        Holding,
    }

    /// What a client is told.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Answer {
        /// The head of a bulk string that never ends.
        Bulk,
        /// The same, with the server's version.
        Info,
        NoAuth,
        Protocol { fault: Fault },
        /// Old servers know no users, so that a password stands alone.
        WrongCount,
        WrongPass,
    }
}

impl Script for RedisHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        BYTE_EVERY_4_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.at, heard) {
            (_, Heard::Said(said)) if state.commands >= MOST_COMMANDS => {
                said.take_all();
                Step::KEEP.discarding()
            }
            (At::Listening, Heard::Opened) => Step::REST,
            (At::Listening, Heard::Said(said)) => match read(&mut state.request, said) {
                Reading::Command(command) => obey(state, &command, cx),
                Reading::Incomplete => Step::KEEP,
                Reading::Broken(fault) => {
                    said.take_all();
                    state.at = At::Stating { answer: Answer::Protocol { fault } };
                    Step::PROMPT.discarding()
                }
            },
            (At::Pausing { .. } | At::Refusing | At::Stating { .. }, Heard::Said(said))
                if said.is_full() =>
            {
                keep_waiting(state, said, cx)
            }
            (At::Pausing { answer }, Heard::Silence) => {
                state.at = At::Stating { answer };
                Step::PROMPT
            }
            (At::Stating { answer: Answer::Bulk | Answer::Info }, Heard::Sent) => {
                state.at = At::Filling;
                state.listen(Step::DRIP)
            }
            (At::Stating { answer: Answer::Protocol { .. } }, Heard::Sent) => {
                state.at = At::Holding;
                Step::REST
            }
            (At::Refusing | At::Stating { .. }, Heard::Sent) => {
                state.at = At::Listening;
                state.listen(Step::REST)
            }
            (At::Filling, Heard::Said(said)) => overhear(state, said, cx),
            (At::Filling, Heard::Sent) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match state.at {
            At::Stating { answer } => answer.say(&cx.profile.persona, out),
            _ => filler(cx, out),
        }
    }
}

impl Answer {
    /// Appends it.
    fn say(self, persona: &Persona, out: &mut Vec<u8>) {
        match self {
            Self::Bulk => text::line("$536870912", out),
            Self::Info => {
                text::line("$536870912", out);
                text::line("# Server", out);
                text::line(&format!("redis_version:{}", version(persona)), out);
                text::line("redis_mode:standalone", out);
            }
            Self::NoAuth => text::line("-NOAUTH Authentication required.", out),
            Self::Protocol { fault } => {
                out.extend_from_slice(b"-ERR Protocol error: ");
                fault.say(out);
                out.extend_from_slice(b"\r\n");
            }
            Self::WrongCount => {
                text::line("-ERR wrong number of arguments for 'auth' command", out);
            }
            Self::WrongPass if is_old(persona) => text::line("-ERR invalid password", out),
            Self::WrongPass => {
                text::line("-WRONGPASS invalid username-password pair or user is disabled.", out);
            }
        }
    }
}

/// The release that the persona's system has in its packages.
fn version(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::Debian12 => "7.0.15",
        Machine::IpCamera => "2.8.17",
        Machine::Ubuntu2204 => "6.0.16",
        Machine::WindowsServer2019 => "3.0.504",
    }
}

/// Whether the persona's release is one before 6.0, which knows no users and no `HELLO`.
fn is_old(persona: &Persona) -> bool {
    matches!(persona.machine(), Machine::IpCamera | Machine::WindowsServer2019)
}

/// What the persona's server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    format!("Redis {}", version(persona))
}

/// What a client of another protocol is told: most of them ask for a page.
pub(super) fn refuse(_persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line("-ERR wrong number of arguments for 'get' command", out);
}

/// Appends a byte of a value. More at a time would keep the client unheard until all have gone out.
fn filler(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    let mut byte = [0];
    cx.rng.fill(&mut byte);
    out.extend(byte.map(|byte| b'a' + byte % 26));
}

/// Answers a command.
fn obey(state: &mut State, command: &Command, cx: &mut Cx<'_>) -> Step {
    tell(command, cx);
    state.commands = state.commands.saturating_add(1);
    let is = |name: &str| command.words.first().is_some_and(|word| word.is(name));
    let is_old = is_old(&cx.profile.persona);
    let answer = if is("PING") {
        Answer::NoAuth
    } else if let Some(words) = credentials(command) {
        if is_old && words.len() > 1 { Answer::WrongCount } else { Answer::WrongPass }
    } else if is("INFO") {
        Answer::Info
    } else {
        Answer::Bulk
    };
    if state.commands >= MOST_COMMANDS {
        state.at = At::Stating { answer: Answer::Bulk };
        return Step::PROMPT.discarding();
    }
    if is_old && is("HELLO") {
        // Libraries go on with AUTH then, whose verdict is late.
        let name = command.words[0].kept.escape_ascii();
        let refusal = format!("-ERR unknown command '{name}'\r\n");
        state.at = At::Refusing;
        return Step::send(Manner::Prompt, Chunk::Boxed(refusal.into_bytes().into()));
    }
    let is_verdict = matches!(answer, Answer::WrongCount | Answer::WrongPass);
    if is_verdict && cx.profile.rate.is_none() {
        state.at = At::Pausing { answer };
        let silence = cx.rng.jitter(command::SILENCE);
        return Step::wait(cx.later(silence));
    }
    state.at = At::Stating { answer };
    Step::PROMPT
}

/// As much was said as may wait, and it is not its turn yet: the client's own sending stalls.
fn keep_waiting(state: &mut State, said: &mut Said<'_>, cx: &Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for commands.
        said.take_all();
        state.commands = MOST_COMMANDS;
        return Step::KEEP;
    }
    Step::KEEP.pausing()
}

impl State {
    /// The same step, and the client is heard from now on, unless it has said enough.
    fn listen(&self, step: Step) -> Step {
        if self.commands >= MOST_COMMANDS { step } else { step.delivering() }
    }
}

/// Reads on what a client says while its answer fills.
fn overhear(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    // One command a step, so that each is told by itself.
    match read(&mut state.request, said) {
        Reading::Command(command) => tell(&command, cx),
        Reading::Incomplete => return Step::KEEP,
        Reading::Broken(_) => return Step::KEEP.discarding(),
    }
    state.commands = state.commands.saturating_add(1);
    if state.commands >= MOST_COMMANDS { Step::KEEP.discarding() } else { Step::KEEP }
}
