//! `http_hold`: holds each client by what keeps it longest.
//!
//! Every client gets the lines that scanners record at once. Then a header or a body follows byte
//! by byte, whichever the client waits longer for. Path scanners and password guessers limit the
//! time of each request: they get whole refusals, slowly, and keep asking. Uploads are not read.

use alloc::vec::Vec;

use crate::{
    base::{
        pace::{Pace, Unit},
        said::Said,
    },
    protocols::http::{
        self, Answer, At, Cue, Exchange,
        clients::{self, HeldBy},
        http2::{self, Frames},
        request::{Credentials, Reading, Target},
    },
    script::{About, Cx, Heard, Script, Step, Uses},
    states,
};

/// See the module.
pub(crate) struct HttpHold;

/// How many lines a head goes on for. Libraries count them and their bytes: the strictest that
/// were measured give up at 100 lines (Python) and at 16 kB (Node.js).
const COOKIES: u32 = 80;

static ABOUT: About = About {
    protocol: Some(&super::HTTP),
    uses: Uses { poison: true, ..Uses::NOTHING },
    alpn: &["h2", "http/1.1"],
    ..About::new(
        "http_hold",
        "holds each client by what keeps it longest: a header, a body, or slow refusals",
    )
};

states! {
    /// What is remembered of a client, by the version that it speaks.
    #[derive(Debug)]
    pub(crate) enum State {
        /// HTTP/1.
        Lines { exchange: Exchange },
        /// HTTP/2.
        Frames { frames: Frames },
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Lines { exchange: Exchange::default() }
    }
}

impl Script for HttpHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, state: &State) -> Pace {
        let (unit, held_by) = match state {
            State::Lines { exchange } => (Unit::Byte, exchange.held_by),
            State::Frames { frames } => (Unit::Chunk, frames.held_by()),
        };
        Pace { unit, interval: clients::interval(held_by) }
    }

    fn open(&self, cx: &mut Cx<'_>) -> State {
        State::Lines { exchange: Exchange::open(cx) }
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        let exchange = match state {
            State::Frames { frames } => return http2::converse(frames, heard, cx),
            State::Lines { exchange } => exchange,
        };
        match (&exchange.at, heard) {
            (At::Asking { reading }, Heard::Said(said)) => {
                match http2::opens(exchange.request, reading, said) {
                    Some(true) => {
                        let (frames, step) = http2::open(reading, said);
                        *state = State::Frames { frames };
                        step
                    }
                    Some(false) => match http::hear(exchange, said, cx) {
                        Some(reading) => begin(exchange, &reading, said, cx),
                        None => Step::KEEP,
                    },
                    None => Step::KEEP,
                }
            }
            (At::Heading { .. }, Heard::Sent) => tell(exchange),
            (&At::Telling { part }, Heard::Sent)
                if part + 1 == COOKIES && exchange.request.is_head() =>
            {
                http::pad(exchange)
            }
            (_, heard) => match http::converse(exchange, heard, cx) {
                Cue::HeadSent => tell(exchange),
                Cue::PartSent { .. } | Cue::Silence => http::tell_on(exchange),
                Cue::Step(step) => step,
            },
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let exchange = match state {
            State::Frames { frames } => return http2::speak(frames, cx, out),
            State::Lines { exchange } => exchange,
        };
        match exchange.at {
            At::Heading { .. } if has_whole_head(exchange) => http::head(exchange, cx, out),
            At::Heading { stamp } => http::opening(stamp, cx, out),
            At::Telling { part: 0..COOKIES } => http::cookie(cx, out),
            At::Telling { part: COOKIES } => http::ending(exchange.request, cx, out),
            At::Telling { part } => http::page(part - COOKIES - 1, exchange.request, cx, out),
            _ => http::reply(exchange, cx, out),
        }
    }
}

/// Begins to answer a request.
fn begin(exchange: &mut Exchange, reading: &Reading, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    exchange.held_by = reading.held_by();
    if let Some(answer) = whole_answer(reading, cx) {
        return http::pause(exchange, answer, reading.spent, cx);
    }
    let step = match (http::begin(exchange, cx), reading.target) {
        // Libraries leave a proxy at a status that tells of no tunnel.
        (_, Target::Tunnel) => Step::DRIP.discarding(),
        (step, Target::Closed | Target::Open) => step,
    };
    if !exchange.request.is_upload() {
        return step;
    }
    // What is sent to us fills the sender's own buffers, and it waits. Its start would wait here as
    // long as it is held.
    said.take_all();
    step.pausing()
}

/// What a client is told that is to go on asking; `None`: it is held amid an answer.
pub(super) fn whole_answer(reading: &Reading, cx: &Cx<'_>) -> Option<Answer> {
    match (reading.credentials, reading.target) {
        (Credentials::Shown, _) if cx.poisons() => Some(Answer::Welcome),
        (Credentials::Expected | Credentials::Shown, _) => Some(Answer::Refused),
        _ if reading.held_by() != HeldBy::Answers => None,
        (Credentials::Missing, Target::Closed) => Some(Answer::Forbidden),
        (Credentials::Missing, Target::Open | Target::Tunnel) => Some(Answer::Missing),
    }
}

/// Goes on with what the client bears best.
fn tell(exchange: &mut Exchange) -> Step {
    let part = if has_whole_head(exchange) { COOKIES + 1 } else { 0 };
    let step = http::tell(exchange, part);
    if exchange.request.is_upload() { step.pausing() } else { step }
}

/// Whether the head of the answer comes whole and at once.
fn has_whole_head(exchange: &Exchange) -> bool {
    exchange.held_by == HeldBy::Body && !exchange.request.is_head()
}
