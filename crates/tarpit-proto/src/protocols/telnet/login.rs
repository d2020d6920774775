//! `telnet_login`: a telnet service that asks for a name and a password and never says what it
//! thinks of them (RFC 854, RFC 855, RFC 1143).
//!
//! ```text
//!             name           password
//! greeted ► Naming ──► Proving ──────► Holding: a NOP every 8 s, for ever
//!             ▲ │         │                ▲
//!             └─┘ empty   │ poison         │ a line that fetches something
//!                         ▼      8 s       │
//!                     Thinking ──────► Listening
//!                         ▲                │ line
//!                         └────────────────┘
//! ```
//! Whoever waits for the verdict on a password waits as long as anything comes: a NOP, which says
//! nothing. It holds hydra, medusa, ncrack and people alike, so that nobody must be told apart.
//! Nothing that they take for a shell's prompt is ever said, unless the owner wants clients to be
//! told that they got in (`poison`): then there is a shell, which runs nothing, answers every line
//! late, and hears what worms would have done.

use alloc::{boxed::Box, vec::Vec};
use core::{mem::take, time::Duration};

use crate::{
    base::{
        fact::Fact,
        pace::{EVERY_8_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    identify::Protocol,
    persona::{Persona, System},
    phases,
    protocols::shell::{self, Course, Shell},
    script::{
        About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step, Uses,
        legacy::Registers,
        secret::{self, Shown},
        state::Saved,
    },
    wire::telnet::{IAC, Mark, NOP, Reader, SB, SE, Verb},
};

/// See the module.
pub(crate) struct TelnetLogin;

phases! {
    enum Phase { Naming, Proving, Thinking, Listening, Holding }
}

/// How long the shell thinks, before jitter: a tool that has sent a line waits 10 seconds or more.
const THOUGHT: Duration = Duration::from_secs(8);

/// How many lines are answered at once before the password; further ones are at the pace.
const PATIENCE: u16 = 20;

/// How many lines of a shell are heard; then the client is held and no longer listened to.
const MOST_COMMANDS: u32 = 256;

/// How many answers a client's negotiation gets in all.
const MOST_REPLIES: u16 = 64;

/// The options that either side may use; the place of an option is that of its two bits in
/// [`Registers::mark`]. `Will` is ours, `Do` the client's. All others are refused.
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
const TERMINAL_TYPE: u8 = 24;
const WINDOW_SIZE: u8 = 31;
const TERMINAL_SPEED: u8 = 32;
const LINE_MODE: u8 = 34;
const DISPLAY: u8 = 35;
const AUTHENTICATION: u8 = 37;
const ENVIRONMENT: u8 = 39;

/// The bits of an option: it was offered and not answered yet; it is in use.
const OFFERED: u32 = 1;
const IN_USE: u32 = 2;

/// The bit in [`Registers::mark`] of a client that has been offered [`Telnet::more`](
/// crate::persona::Telnet::more).
const OFFERED_MORE: u32 = 1 << 31;

/// [`Registers::count`] holds the replies to negotiation in its low byte, and the lines in its high one.
const ONE_LINE: u16 = 1 << 8;

/// What is kept of a client while it speaks.
#[derive(Debug, Default)]
struct Visit {
    reader: Reader,
    /// What the shell will answer: at most [`shell::LONGEST_ANSWER`], which escapes may double, and
    /// a prompt.
    answer: Vec<u8>,
}

static ABOUT: About = About {
    protocol: Some(Protocol::Telnet),
    greet: Some(greet),
    refuse: Some(refuse),
    uses: Uses { poison: true, ..Uses::NOTHING },
    ..About::new("telnet_login", "asks for user and password and never says whether they are right")
};

/// The greeting.
fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    out.extend_from_slice(persona.telnet().offers);
    persona.telnet_login(out);
}

/// What strangers are told.
fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(persona.telnet().password.as_bytes());
}

impl Script for TelnetLogin {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn open(&self, cx: &mut Cx<'_>) -> Registers {
        let mut run = Registers::default();
        note_offers(&mut run, cx.profile.persona.telnet().offers);
        run
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Naming | Phase::Proving | Phase::Listening, Heard::Said(said)) => {
                hear(run, said, cx)
            }
            (Phase::Naming | Phase::Proving | Phase::Listening, Heard::Opened | Heard::Sent) => {
                Step::REST
            }
            (Phase::Thinking, Heard::Sent) => {
                let thought = cx.rng.jitter(THOUGHT);
                Step::wait(cx.later(thought))
            }
            (Phase::Thinking, Heard::Silence) => {
                run.enter(Phase::Listening);
                let mut visit = take_visit(run);
                let answer = take(&mut visit.answer);
                run.big = Some(Box::new(visit));
                Step::send(Manner::Whole, Chunk::Boxed(answer.into()))
            }
            (Phase::Holding, Heard::Said(said)) => {
                overhear(run, said, cx);
                Step::KEEP
            }
            (Phase::Holding, Heard::Sent | Heard::Silence) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, _run: &Registers, _cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&[IAC, NOP]);
    }

    fn load_by_hand(&self, mut saved: &[u8]) -> Option<Registers> {
        let mut run = Registers::load(&mut saved)?;
        if !saved.is_empty() {
            run.big = Some(Box::new(Visit::load(&mut saved)?));
        }
        Some(run)
    }
}

/// So much is answered at a time, and a little more: what waits to be sent must not grow with what
/// is typed. What was not heard for it is heard once that has gone.
const LONGEST_ANSWER: usize = 256;

/// Hears bytes up to the end of a line, or to as much as is answered at a time, and answers all of
/// them in one chunk.
fn hear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let mut visit = take_visit(run);
    let mut out = Vec::new();
    let mut step = None;
    while step.is_none()
        && out.len() < LONGEST_ANSWER
        && let [byte] = *said.take(1)
    {
        match visit.reader.take(byte) {
            Some(Mark::Byte(byte)) if echoes(run) => literal(&[byte], &mut out),
            Some(Mark::Erased) if echoes(run) => out.extend_from_slice(b"\x08 \x08"),
            Some(Mark::Byte(_) | Mark::Erased) | None => {}
            Some(Mark::Said(verb, option)) => negotiate(run, verb, option, cx, &mut out),
            Some(Mark::Told(option)) => {
                told(option, visit.reader.told(), visit.reader.told_beyond(), cx);
            }
            Some(Mark::End) => {
                step = Some(line(run, &mut visit, cx, &mut out));
                visit.reader.clear();
            }
        }
    }
    if Phase::of(run) != Phase::Holding || cx.read_mode == ReadMode::Deliver {
        run.big = Some(Box::new(visit));
    }
    match step {
        Some(manner) => Step::send(manner, Chunk::Boxed(out.into())),
        None if out.is_empty() => Step::KEEP,
        None => Step::send(Manner::Prompt, Chunk::Boxed(out.into())),
    }
}

/// A line is whole: learns it, says what follows, and in which manner.
fn line(run: &mut Registers, visit: &mut Visit, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Manner {
    let telnet = cx.profile.persona.telnet();
    let (line, beyond) = (visit.reader.line(), visit.reader.line_beyond());
    out.extend_from_slice(b"\r\n");
    match Phase::of(run) {
        Phase::Naming if line.is_empty() => cx.profile.persona.telnet_login(out),
        Phase::Naming => {
            secret::learn_name(line, line.len() + beyond, cx);
            run.enter(Phase::Proving);
            out.extend_from_slice(telnet.password.as_bytes());
        }
        Phase::Proving => {
            cx.learn_part(Fact::Secret, line, line.len() + beyond);
            cx.learn(Fact::Method, b"password");
            if cx.poisons() {
                run.enter(Phase::Thinking);
                visit.answer = telnet.prompt.as_bytes().to_vec();
            } else {
                cx.read_mode = ReadMode::Discard;
                run.enter(Phase::Holding);
            }
        }
        Phase::Listening | Phase::Thinking | Phase::Holding => {
            command(run, line, beyond, cx);
            let mut answer = Vec::new();
            let course = shell::answer(kind(cx), line, &mut answer);
            if course == Course::Stalls || run.position >= MOST_COMMANDS {
                literal(&answer, out);
                run.enter(Phase::Holding);
            } else {
                visit.answer.clear();
                literal(&answer, &mut visit.answer);
                visit.answer.extend_from_slice(telnet.prompt.as_bytes());
                run.enter(Phase::Thinking);
            }
        }
    }
    run.count = run.count.saturating_add(ONE_LINE);
    let waits = matches!(Phase::of(run), Phase::Naming | Phase::Proving);
    if waits && run.count >= PATIENCE * ONE_LINE { Manner::Drip } else { Manner::Prompt }
}

/// Goes on listening to whoever waits for something that was to be fetched.
fn overhear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) {
    let mut visit = take_visit(run);
    let mut lines = 0;
    // A step tells no more than eight things; the rest comes with the next one.
    while lines < 8
        && let [byte] = *said.take(1)
    {
        if visit.reader.take(byte) == Some(Mark::End) {
            lines += 1;
            command(run, visit.reader.line(), visit.reader.line_beyond(), cx);
            visit.reader.clear();
        }
    }
    if cx.read_mode == ReadMode::Deliver {
        run.big = Some(Box::new(visit));
    }
}

/// Tells of a line for the shell, and stops listening when there have been enough.
fn command(run: &mut Registers, line: &[u8], beyond: usize, cx: &mut Cx<'_>) {
    if !line.is_empty() {
        let shown = Shown::line(line, beyond > 0);
        cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond);
        shown.tell(cx);
    }
    run.position = run.position.saturating_add(1);
    if run.position >= MOST_COMMANDS {
        cx.read_mode = ReadMode::Discard;
    }
}

/// Answers what the client said of an option: only what changes something, so that no two sides
/// answer each other for ever (RFC 1143).
fn negotiate(run: &mut Registers, verb: Verb, option: u8, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    if run.count & (ONE_LINE - 1) >= MOST_REPLIES {
        return;
    }
    let before = out.len();
    let (ours, yes, no) = match verb {
        Verb::Do | Verb::Dont => (Verb::Will, Verb::Will, Verb::Wont),
        Verb::Will | Verb::Wont => (Verb::Do, Verb::Do, Verb::Dont),
    };
    let wants = matches!(verb, Verb::Do | Verb::Will);
    match OPTIONS.iter().position(|&known| known == (ours, option)) {
        None if wants => out.extend_from_slice(&[IAC, no as u8, option]),
        None => {}
        Some(place) => {
            let state = run.mark >> (2 * place);
            let (was_offered, was_used) = (state & OFFERED != 0, state & IN_USE != 0);
            run.mark &= !((OFFERED | IN_USE) << (2 * place));
            if wants {
                run.mark |= IN_USE << (2 * place);
            }
            match (wants, was_offered, was_used) {
                (true, false, false) => out.extend_from_slice(&[IAC, yes as u8, option]),
                (false, _, true) => out.extend_from_slice(&[IAC, no as u8, option]),
                _ => {}
            }
            let asks = matches!(option, TERMINAL_TYPE | TERMINAL_SPEED | ENVIRONMENT);
            if wants && !was_used && asks {
                // "Send".
                out.extend_from_slice(&[IAC, SB, option, 1, IAC, SE]);
            }
        }
    }
    // Guessers refuse all that is offered and then wait for words, which we do not have: only a
    // terminal is offered more.
    if (verb, option) == (Verb::Will, TERMINAL_TYPE) && run.mark & OFFERED_MORE == 0 {
        run.mark |= OFFERED_MORE;
        let more = cx.profile.persona.telnet().more;
        note_offers(run, more);
        out.extend_from_slice(more);
    }
    run.count += u16::from(out.len() > before);
}

/// Takes down that these options have been offered.
fn note_offers(run: &mut Registers, offers: &[u8]) {
    for offer in offers.chunks_exact(3) {
        let is_this = |&(verb, option): &(Verb, u8)| offer == [IAC, verb as u8, option];
        if let Some(place) = OPTIONS.iter().position(is_this) {
            run.mark |= OFFERED << (2 * place);
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

/// Whether what the client types is said back: never a password.
fn echoes(run: &Registers) -> bool {
    let place = OPTIONS.iter().position(|&known| known == (Verb::Will, ECHO));
    let state = place.map_or(0, |place| run.mark >> (2 * place));
    Phase::of(run) != Phase::Proving && state & (OFFERED | IN_USE) != 0
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

/// Takes out what is kept of the client.
fn take_visit(run: &mut Registers) -> Visit {
    let visit = run.big.take().and_then(|mut big| big.as_any_mut().downcast_mut().map(take));
    visit.unwrap_or_default()
}

impl Saved for Visit {
    const LAYOUT: u32 = 0;

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let (reader, answer) = Reader::load(core::mem::take(saved))?;
        Some(Self { reader, answer: answer.to_vec() })
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.reader.save(out);
        out.extend_from_slice(&self.answer);
    }
}
