//! `http_hold`: holds each client by what keeps it longest.
//!
//! Every client gets at once all of the head but its last field, as the server that is played writes
//! it, whether the page is there or not. In front of that field's value come blanks, one by one, for
//! as long as the client waits for a head; for those that limit that, a body follows. Path scanners
//! and password guessers limit the time of each request: they get whole answers, slowly, and keep
//! asking. Uploads are not read.

use alloc::vec::Vec;

use crate::{
    base::{
        pace::{Pace, Unit},
        said::Said,
    },
    protocols::http::{
        self, At, Cue, Exchange,
        clients::{self, HeldBy},
        http2::{self, Frames},
        reply::{Extent, Reply},
        request::{Credentials, Reading, Request, Version},
    },
    script::{About, Cx, Heard, Script, Step, Uses},
    states,
};

/// See the module.
pub(crate) struct HttpHold;

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
            (At::Asking { .. }, Heard::Opened) if !cx.profile.validate => {
                exchange.request = Request::presumed();
                http::open(exchange, cx).discarding()
            }
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
            (&At::Padding { blanks }, Heard::Sent) if has_end(exchange, blanks, cx) => {
                exchange.at = At::Ending;
                Step::PROMPT
            }
            (At::Ending, Heard::Sent) => tell(exchange, 1, cx),
            (&At::Telling { part }, Heard::Sent) => tell(exchange, part + 1, cx),
            (_, heard) => match http::converse(exchange, heard, cx) {
                Cue::Step(step) => step,
                // All of a body is said above.
                Cue::HeadSent | Cue::PartSent { .. } | Cue::Silence => Step::KEEP,
            },
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let exchange = match state {
            State::Frames { frames } => return http2::speak(frames, cx, out),
            State::Lines { exchange } => exchange,
        };
        match exchange.at {
            At::Ending => {
                http::last_value(exchange.request, cx, out);
                out.extend_from_slice(b"\r\n");
                http::body_part(exchange.request, exchange.asked(), 0, cx, out);
            }
            At::Padding { blanks } if begins_field(exchange.request, blanks) => {
                if blanks == clients::LONGEST_FIELD {
                    http::last_value(exchange.request, cx, out);
                } else {
                    http::cookie_value(cx, out);
                }
                out.extend_from_slice(http::COOKIE.as_bytes());
                http::reply(exchange, cx, out);
            }
            At::Telling { part } => {
                http::body_part(exchange.request, exchange.asked(), part, cx, out);
            }
            _ => http::reply(exchange, cx, out),
        }
    }
}

/// Begins to answer a request.
fn begin(exchange: &mut Exchange, reading: &Reading, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    exchange.held_by = reading.held_by();
    if let Some(answer) = whole_answer(exchange.request.reply.get(), reading, cx) {
        return http::pause(exchange, answer, reading.spent, cx);
    }
    let step = match exchange.request {
        Request { version: Version::Http09, .. } => {
            exchange.at = At::Telling { part: 0 };
            Step::PROMPT.discarding()
        }
        // Libraries leave a proxy at a status that tells of no tunnel.
        Request { reply, .. } if reply.get() == Reply::Tunnel => {
            http::open(exchange, cx);
            Step::DRIP.discarding()
        }
        _ => http::open(exchange, cx).discarding(),
    };
    if !exchange.request.is_upload() {
        return step;
    }
    // What is sent to us fills the sender's own buffers, and it waits. Its start would wait here as
    // long as it is held.
    said.take_all();
    step.pausing()
}

/// The answer to a client that should go on asking; `None`: it is held inside an answer.
pub(super) fn whole_answer(reply: Reply, reading: &Reading, cx: &Cx<'_>) -> Option<Reply> {
    match reading.credentials {
        Credentials::Shown if cx.poisons() => Some(Reply::Welcome),
        Credentials::Expected | Credentials::Shown => Some(Reply::Refused),
        Credentials::Missing => reading.held_by().answers_after().map(|_| reply),
    }
}

/// Whether a head ends behind the blanks that were sent now and so many before. One that is all
/// that the client wants does not.
fn has_end(exchange: &Exchange, before: u32, cx: &Cx<'_>) -> bool {
    let Request { reply, is_head, .. } = exchange.request;
    let is_all = is_head
        || matches!(reply.get(), Reply::Page { extent: Extent::Unchanged, .. } | Reply::Tunnel);
    let blanks = before.saturating_add(http::run_of_blanks(exchange.held_by, cx));
    !is_all && exchange.held_by == HeldBy::Briefly && blanks >= clients::BRIEF_BLANKS
}

/// Whether another field begins behind so many blanks.
fn begins_field(request: Request, blanks: u32) -> bool {
    request.reply.get().is_of_page() && blanks > 0 && blanks.is_multiple_of(clients::LONGEST_FIELD)
}

/// Goes on with that part of the body. Its end never comes, and the client is held in silence.
fn tell(exchange: &mut Exchange, part: u32, cx: &Cx<'_>) -> Step {
    if part >= http::body_parts(exchange.request, cx) {
        return http::hold(exchange);
    }
    exchange.at = At::Telling { part };
    Step::DRIP
}
