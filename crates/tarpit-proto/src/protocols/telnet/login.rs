//! `telnet_login`: asks for user and password and never says whether they are right (RFC 854, RFC
//! 855, RFC 1143).
//!
//! ```text
//!             name           password
//! greeted ► Naming ──► Proving ──────► Holding: a NOP every 8 s, for ever
//!             ▲ │         │                ▲ Ctrl-C, Ctrl-D
//!             └─┘ empty   │ poison         │ a line that fetches something
//!                         ▼      8 s       │
//!                     Thinking ──────► Listening
//!                         ▲                │ line
//!                         └────────────────┘
//! ```
//! A client that waits for the verdict on a password waits as long as anything comes: here a NOP,
//! which says nothing. It holds hydra, medusa, ncrack and people alike. They never see anything
//! that looks like a shell's prompt, except with `poison`: then there is a shell that runs nothing,
//! answers every line late, and records what worms would have done.

use alloc::{boxed::Box, vec::Vec};
use core::{mem::take, time::Duration};

use crate::{
    base::{
        fact::Fact,
        pace::{EVERY_8_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    persona::{Persona, System},
    protocols::{
        secret::{self, Shown},
        shell::{self, Course, Shell},
        telnet::server,
    },
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step, Uses},
    states,
    wire::telnet::{END_OF_INPUT, IAC, INTERRUPT, Mark, NOP, Reader, SB, SE, Verb},
};

/// See the module.
pub(crate) struct TelnetLogin;

states! {
    /// Where a client stands, and what was agreed with it.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        at: At,
        options: [Negotiated; OPTIONS.len()],
        /// Whether it was offered [`Server::more`](super::server::Server::more).
        was_offered_more: bool,
        /// How many answers its negotiation got.
        replies: u8,
        /// How many lines it has said before a password.
        lines: u8,
        /// How many lines of a shell it has said.
        commands: u16,
        visit: Option<Box<Visit>>,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum At {
        /// It is asked for a name.
        #[default]
        Naming,
        /// It is asked for a password.
        Proving,
        /// The shell thinks.
        Thinking,
        /// The shell listens.
        Listening,
        /// It waits for what was to be fetched, and goes on saying lines.
        Overhearing,
        /// It waits for ever, and nothing that it says is heard.
        Holding,
    }

    /// How far an option is agreed on.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Negotiated {
        /// It was offered and not answered yet.
        is_offered: bool,
        is_used: bool,
    }

    /// What is kept of a client while it speaks.
    #[derive(Debug, Default)]
    pub(crate) boxed struct Visit {
        reader: Reader,
        /// What the shell will answer: at most [`shell::LONGEST_ANSWER`], which escapes may double,
        /// and a prompt.
        answer: Vec<u8>,
    }
}

/// How long the shell thinks, before jitter: a tool that has sent a line waits 10 seconds or more.
const THOUGHT: Duration = Duration::from_secs(8);

/// How many lines are answered at once before the password; further ones are at the pace.
const PATIENCE: u8 = 20;

/// How many lines of a shell are heard; then the client is held and no longer listened to.
const MOST_COMMANDS: u16 = 256;

/// How many answers a client's negotiation gets in all.
const MOST_REPLIES: u8 = 64;

/// The options that either side may use: `Will` is ours, `Do` the client's. All others are refused.
const OPTIONS: [(Verb, u8); 13] = [
    (Verb::Will, BINARY),
    (Verb::Will, ECHO),
    (Verb::Will, SUPPRESS_GO_AHEAD),
    (Verb::Do, BINARY),
    (Verb::Do, ECHO),
    (Verb::Do, SUPPRESS_GO_AHEAD),
    (Verb::Do, TERMINAL_TYPE),
    (Verb::Do, WINDOW_SIZE),
    (Verb::Do, TERMINAL_SPEED),
    // Guessers that offer it go on at once when they may, and else wait for more.
    (Verb::Do, LINE_MODE),
    (Verb::Do, DISPLAY),
    (Verb::Do, AUTHENTICATION),
    (Verb::Do, ENVIRONMENT),
];

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const TIMING_MARK: u8 = 6;
const TERMINAL_TYPE: u8 = 24;
const WINDOW_SIZE: u8 = 31;
const TERMINAL_SPEED: u8 = 32;
const LINE_MODE: u8 = 34;
const DISPLAY: u8 = 35;
const AUTHENTICATION: u8 = 37;
const ENVIRONMENT: u8 = 39;

static ABOUT: About = About {
    protocol: Some(&super::TELNET),
    greet: Some(greet),
    refuse: Some(refuse),
    uses: Uses { poison: true, ..Uses::NOTHING },
    ..About::new("telnet_login", "asks for user and password and never says whether they are right")
};

/// The greeting.
pub(super) fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    let server = server::of(persona);
    out.extend_from_slice(server.offers);
    server.ask_for_name(persona.host(), out);
}

/// What strangers are told.
pub(super) fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(server::of(persona).password.as_bytes());
}

impl Script for TelnetLogin {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        EVERY_8_SECONDS
    }

    fn open(&self, cx: &mut Cx<'_>) -> State {
        let mut state = State::default();
        note_offers(&mut state, server::of(&cx.profile.persona).offers);
        state
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.at, heard) {
            (At::Naming | At::Proving | At::Listening, Heard::Said(said)) => hear(state, said, cx),
            (At::Naming | At::Proving | At::Listening, Heard::Opened | Heard::Sent) => Step::REST,
            (At::Thinking, Heard::Sent) => {
                let thought = cx.rng.jitter(THOUGHT);
                Step::wait(cx.later(thought))
            }
            (At::Thinking, Heard::Said(said)) if said.is_full() => keep_waiting(state, cx),
            (At::Thinking, Heard::Silence) => {
                state.at = At::Listening;
                let mut visit = state.take_visit();
                let answer = take(&mut visit.answer);
                state.visit = Some(Box::new(visit));
                Step::send(Manner::Whole, Chunk::Boxed(answer.into())).delivering()
            }
            (At::Overhearing, Heard::Said(said)) => overhear(state, said, cx),
            (At::Overhearing | At::Holding, Heard::Sent | Heard::Silence) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _state: &State, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&[IAC, NOP]);
    }
}

/// So much is answered at a time, and a little more: what waits to be sent must not grow with what
/// is typed. What was not heard for it is heard once that has gone.
const LONGEST_ANSWER: usize = 256;

/// Hears bytes up to the end of a line, or to as much as is answered at a time, and answers all of
/// them in one chunk.
fn hear(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let mut visit = state.take_visit();
    let mut out = Vec::new();
    let mut step = None;
    while step.is_none()
        && out.len() < LONGEST_ANSWER
        && let [byte] = *said.take(1)
    {
        match visit.reader.take(byte) {
            Some(Mark::Byte(byte)) if state.echoes() => literal(&[byte], &mut out),
            Some(Mark::Erased) if state.echoes() => out.extend_from_slice(b"\x08 \x08"),
            Some(Mark::Byte(_) | Mark::Erased) | None => {}
            Some(Mark::AreYouThere) => answer_probe(state, cx, &mut out),
            Some(Mark::Control(byte)) => step = control(state, &mut visit, byte, cx, &mut out),
            Some(Mark::Said(verb, option)) => negotiate(state, verb, option, cx, &mut out),
            Some(Mark::Told(option)) => {
                told(option, visit.reader.told(), visit.reader.told_beyond(), cx);
            }
            Some(Mark::End) => {
                step = Some(line(state, &mut visit, cx, &mut out));
                visit.reader.clear();
            }
        }
    }
    if state.at == At::Holding && out.is_empty() {
        return Step::DRIP.discarding();
    }
    if state.at == At::Holding {
        return Step::send(step.unwrap_or(Manner::Prompt), Chunk::Boxed(out.into())).discarding();
    }
    state.visit = Some(Box::new(visit));
    match step {
        Some(manner) => Step::send(manner, Chunk::Boxed(out.into())),
        None if out.is_empty() => Step::KEEP,
        None => Step::send(Manner::Prompt, Chunk::Boxed(out.into())),
    }
}

/// Hears a control character as the terminal of the persona's server does, and says what follows.
///
/// Where that server ends the connection, the client is held as behind a password.
fn control(
    state: &mut State,
    visit: &mut Visit,
    byte: u8,
    cx: &mut Cx<'_>,
    out: &mut Vec<u8>,
) -> Option<Manner> {
    let server = server::of(&cx.profile.persona);
    let is_at_start = visit.reader.line().is_empty();
    if !server.has_terminal {
        return None;
    }
    if state.echoes() && byte != END_OF_INPUT {
        literal(&[b'^', byte ^ 0x40], out);
    }
    match (state.at, byte) {
        (At::Naming | At::Proving, INTERRUPT) => {
            state.at = At::Holding;
            return Some(Manner::Prompt);
        }
        (At::Naming, END_OF_INPUT) if is_at_start => {
            out.extend_from_slice(b"\r\n");
            state.at = At::Holding;
            return Some(Manner::Prompt);
        }
        (At::Proving, END_OF_INPUT) if is_at_start => {
            out.extend_from_slice(b"\r\n\r\nLogin incorrect");
            server.ask_for_name(cx.profile.persona.host(), out);
            state.at = At::Naming;
        }
        (At::Listening, INTERRUPT) => {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(server.prompt.as_bytes());
        }
        _ => return None,
    }
    visit.reader.clear();
    Some(state.answer_line())
}

/// Says that somebody is there, as the persona's server does.
fn answer_probe(state: &mut State, cx: &Cx<'_>, out: &mut Vec<u8>) {
    if server::of(&cx.profile.persona).answers_signals && state.replies < MOST_REPLIES {
        out.extend_from_slice(b"\r\n[Yes]\r\n");
        state.replies += 1;
    }
}

/// A line is whole: learns it, says what follows, and in which manner.
fn line(state: &mut State, visit: &mut Visit, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Manner {
    let server = server::of(&cx.profile.persona);
    let (line, beyond) = (visit.reader.line(), visit.reader.line_beyond());
    out.extend_from_slice(b"\r\n");
    match state.at {
        At::Naming if line.is_empty() && !server.takes_no_name => {
            server.ask_for_name(cx.profile.persona.host(), out);
        }
        At::Naming => {
            if !line.is_empty() {
                secret::learn_name(line, line.len() + beyond, cx);
            }
            state.at = At::Proving;
            out.extend_from_slice(server.password.as_bytes());
        }
        At::Proving => {
            cx.learn_part(Fact::Secret, line, line.len() + beyond);
            cx.learn(Fact::Method, b"password");
            if cx.poisons() {
                state.at = At::Thinking;
                visit.answer = server.prompt.as_bytes().to_vec();
            } else {
                state.at = At::Holding;
            }
        }
        At::Listening | At::Thinking | At::Overhearing | At::Holding => {
            command(state, line, beyond, cx);
            let mut answer = Vec::new();
            let course = shell::answer(kind(cx), line, &mut answer);
            if state.commands >= MOST_COMMANDS {
                literal(&answer, out);
                state.at = At::Holding;
            } else if course == Course::Stalls {
                literal(&answer, out);
                state.at = At::Overhearing;
            } else {
                visit.answer.clear();
                literal(&answer, &mut visit.answer);
                visit.answer.extend_from_slice(server.prompt.as_bytes());
                state.at = At::Thinking;
            }
        }
    }
    state.answer_line()
}

/// As much was typed as may wait, and the shell still thinks: the client's own sending stalls.
fn keep_waiting(state: &mut State, cx: &Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for lines.
        state.at = At::Holding;
        return Step::DRIP.discarding();
    }
    Step::KEEP.pausing()
}

/// Goes on listening to a client that waits for something that was to be fetched.
fn overhear(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let mut visit = state.take_visit();
    let mut lines = 0;
    // A step tells no more than eight things; the rest comes with the next one.
    while lines < 8
        && let [byte] = *said.take(1)
    {
        if visit.reader.take(byte) == Some(Mark::End) {
            lines += 1;
            command(state, visit.reader.line(), visit.reader.line_beyond(), cx);
            visit.reader.clear();
        }
    }
    if state.commands >= MOST_COMMANDS {
        state.at = At::Holding;
        return Step::KEEP.discarding();
    }
    state.visit = Some(Box::new(visit));
    Step::KEEP
}

/// Tells of a line for the shell.
fn command(state: &mut State, line: &[u8], beyond: usize, cx: &mut Cx<'_>) {
    if !line.is_empty() {
        let shown = Shown::line(line, beyond > 0);
        cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond);
        shown.tell(cx);
    }
    state.commands = state.commands.saturating_add(1);
}

/// Answers what the client said of an option: only what changes something, so that no two sides
/// answer each other for ever (RFC 1143).
fn negotiate(state: &mut State, verb: Verb, option: u8, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    if state.replies >= MOST_REPLIES {
        return;
    }
    let length = out.len();
    let (ours, yes, no) = match verb {
        Verb::Do | Verb::Dont => (Verb::Will, Verb::Will, Verb::Wont),
        Verb::Will | Verb::Wont => (Verb::Do, Verb::Do, Verb::Dont),
    };
    let wants = matches!(verb, Verb::Do | Verb::Will);
    let marks_time = option == TIMING_MARK && server::of(&cx.profile.persona).answers_signals;
    match OPTIONS.iter().position(|&known| known == (ours, option)) {
        // Everything before it was read (RFC 860).
        None if marks_time && verb == Verb::Do => {
            out.extend_from_slice(&[IAC, Verb::Will.code(), option]);
        }
        None if wants => out.extend_from_slice(&[IAC, no.code(), option]),
        None => {}
        Some(place) => {
            let before = state.options[place];
            state.options[place] = Negotiated { is_offered: false, is_used: wants };
            match (wants, before.is_offered, before.is_used) {
                (true, false, false) => out.extend_from_slice(&[IAC, yes.code(), option]),
                (false, _, true) => out.extend_from_slice(&[IAC, no.code(), option]),
                _ => {}
            }
            let asks = matches!(option, TERMINAL_TYPE | TERMINAL_SPEED | ENVIRONMENT);
            if wants && !before.is_used && asks {
                // "Send".
                out.extend_from_slice(&[IAC, SB, option, 1, IAC, SE]);
            }
        }
    }
    // Guessers refuse all that is offered and then wait for words, which we do not have: only a
    // terminal is offered more.
    if (verb, option) == (Verb::Will, TERMINAL_TYPE) && !state.was_offered_more {
        state.was_offered_more = true;
        let more = server::of(&cx.profile.persona).more;
        note_offers(state, more);
        out.extend_from_slice(more);
    }
    state.replies += u8::from(out.len() > length);
}

/// Takes down that these options have been offered.
fn note_offers(state: &mut State, offers: &[u8]) {
    for offer in offers.chunks_exact(3) {
        let is_this = |&(verb, option): &(Verb, u8)| offer == [IAC, verb.code(), option];
        if let Some(place) = OPTIONS.iter().position(is_this) {
            state.options[place].is_offered = true;
        }
    }
}

/// Learns from a sub-negotiation: the terminal's type (RFC 1091), and the user that the
/// environment names (RFC 1572).
fn told(option: u8, told: &[u8], beyond: usize, cx: &mut Cx<'_>) {
    match (option, told) {
        (TERMINAL_TYPE, [0, name @ ..]) => {
            cx.learn_part(Fact::TelnetTerminal, name, name.len() + beyond);
        }
        (ENVIRONMENT, [0, variables @ ..]) => {
            // Names and values stand behind bytes below 4.
            let mut words = variables.split(|&byte| byte < 4).peekable();
            while let Some(word) = words.next() {
                if word == b"USER"
                    && let Some(user) = words.next()
                {
                    let is_last = words.peek().is_none();
                    cx.learn_part(Fact::User, user, user.len() + if is_last { beyond } else { 0 });
                }
            }
        }
        _ => {}
    }
}

/// Appends text, in which nothing is a command.
fn literal(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        out.push(byte);
        if byte == IAC {
            out.push(IAC);
        }
    }
}

fn kind(cx: &Cx<'_>) -> Shell {
    match cx.profile.persona.system() {
        System::Camera => Shell::Busybox,
        System::Linux => Shell::Posix,
        System::Windows => Shell::Cmd,
    }
}

impl State {
    /// Whether what the client types is said back: never a password.
    fn echoes(&self) -> bool {
        let place = OPTIONS.iter().position(|&known| known == (Verb::Will, ECHO));
        let echo = place.map_or(Negotiated::default(), |place| self.options[place]);
        self.at != At::Proving && (echo.is_offered || echo.is_used)
    }

    /// Answers one more line, in which manner.
    fn answer_line(&mut self) -> Manner {
        self.lines = self.lines.saturating_add(1);
        let waits = matches!(self.at, At::Naming | At::Proving);
        if waits && self.lines >= PATIENCE { Manner::Drip } else { Manner::Prompt }
    }

    /// Takes out what is kept of the client.
    fn take_visit(&mut self) -> Visit {
        self.visit.take().map(|visit| *visit).unwrap_or_default()
    }
}
