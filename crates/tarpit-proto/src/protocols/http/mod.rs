//! HTTP/1.1 from the server's side (RFC 9110, RFC 9112): the course of a connection.
//!
//! ```text
//!             a request          head sent              body sent, if it has an end
//!    Asking ────────────► Heading ─────────────► Telling ──────────────────────────┐
//!    ▲ │ │                   │ HEAD                                                │
//!    │ │ │ a guess           └────────► Ending ────────────────────────────────────┤
//!    │ │ └──────────► Pausing ───► Refusing ───────────────────────────────────────┤
//!    └─┼───────────────────────────────────────────────────────────────────────────┤
//!      │ for no page  the next request cannot be found, or nothing is left to say  ▼
//!      └───────────► Declining ───► Padding, for ever                           Holding
//! ```
//! A client that asks for the header only leaves when it is whole, so all after its first lines is
//! sent slowly.
//!
//! A client that asks for a tunnel, uses an unknown method, or sends a malformed request gets the
//! answer that Apache gives. Since that answer is short, its header never ends.
//!
//! A guess is a request that carries credentials, or comes from a tool that guesses them. A
//! guesser reads a `200` as a password found, and a `401` that arrives in parts as a broken server:
//! every guess is answered with silence and then one whole `401`, on every pattern, and the
//! connection stays open for the next.

pub(crate) mod bad_site;
mod bomb;
mod clients;
mod cookie;
pub(crate) mod deflate_html_bomb;
pub(crate) mod deflate_size_bomb;
pub(crate) mod endless_header;
pub(crate) mod fake_auth;
pub(crate) mod hold;
pub(crate) mod http2;
mod page;
mod request;
mod response;
mod sight;
mod torn;

use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
};
use core::time::Duration;

use crate::protocols::http::request::Ask;
pub use crate::protocols::http::request::check_requests_are_read_the_same_however_cut;
pub(crate) use crate::protocols::http::{
    bomb::Bomb,
    cookie::cookie,
    page::{link, page},
    request::{Coding, Request, Signs, is_upload},
    response::{
        Answer, chunk, coded_head, ending, head, opening, refusal_head, refusal_page, reply, whole,
    },
};
use crate::{
    base::said::Said,
    phases,
    script::{Cx, Heard, ReadMode, Step, legacy::Registers},
    wire::deflate::Repetition,
};

phases! {
    /// Where a connection stands. The numbers of its run mean, in all patterns:
    ///
    /// `count`: what was read of the request; see [`Request`].
    /// `mark`: bytes of the request's body that are still to come.
    /// `position`: while a head is sent, the calendar's seconds for its date, so that it comes out
    /// the same again; while a body is sent, where in the body; while padding is, whether that
    /// has begun; before all that, what else was seen of the request; see [`Signs`].
    ///
    /// While frames are exchanged they mean something else; see [`http2`].
    pub(crate) enum Phase {
        Asking, Pausing, Refusing, Declining, Padding, Heading, Ending, Telling, Holding,
        Framing,
    }
}

/// What a pattern is to do after [`converse`].
pub(crate) enum Cue {
    /// The head of the answer has been sent, and a body is to follow.
    HeadSent,
    /// The part of the body that the run stands for has been sent.
    PartSent,
    /// The wait that the pattern itself made between two parts is over.
    Silence,
    /// This; it is nothing of the pattern's own.
    Step(Step),
}

/// Hears a client out, refuses guesses, and begins to answer everything else.
pub(crate) fn converse(run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Cue {
    Cue::Step(match (Phase::of(run), heard) {
        (Phase::Asking, Heard::Opened) if cx.profile.validate => Step::REST,
        (Phase::Asking, Heard::Opened) => {
            // Whatever this client says, it is answered; there may never be a request to wait for.
            Request::presume(run);
            cx.read_mode = ReadMode::Discard;
            begin(run, cx)
        }
        (Phase::Asking, Heard::Said(said)) => {
            if hear(run, said, cx) {
                answer(run, cx)
            } else {
                Step::KEEP
            }
        }
        (_, Heard::Said(said)) => {
            if !request::skip_body(run, said) && said.is_full() {
                // More waits than may wait, and it must not be read from its middle later.
                Request::lose(run);
                said.take_all();
                cx.read_mode = ReadMode::Discard;
            }
            Step::KEEP
        }
        (Phase::Pausing, Heard::Silence) => {
            run.enter(Phase::Refusing);
            run.position = response::stamp(cx);
            Step::WHOLE
        }
        (Phase::Refusing, Heard::Sent) => next_request(run, cx),
        (Phase::Declining, Heard::Sent) => pad(run),
        // Clients bound a head's length: a fast rate would only let them go.
        (Phase::Padding, Heard::Sent) => {
            run.position = 1;
            let wait = cx.rng.jitter(clients::interval(Request::of(run).hold()));
            Step::wait(cx.later(wait))
        }
        (Phase::Padding, Heard::Silence) => Step::DRIP,
        (Phase::Heading, Heard::Sent) if Request::of(run).is_head() => {
            run.enter(Phase::Ending);
            Step::DRIP
        }
        (Phase::Ending, Heard::Sent) if Request::of(run).is_head() => next_request(run, cx),
        (Phase::Heading | Phase::Ending, Heard::Sent) => return Cue::HeadSent,
        (Phase::Telling, Heard::Sent) => return Cue::PartSent,
        (Phase::Telling, Heard::Silence) => return Cue::Silence,
        _ => Step::KEEP,
    })
}

/// Goes on from the head to a body after which nothing is heard any more.
pub(crate) fn tell(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Telling);
    run.position = 0;
    Step::DRIP
}

/// Goes on to the next part of a body without an end.
pub(crate) fn tell_on(run: &mut Registers) -> Step {
    run.position = run.position.saturating_add(1);
    Step::DRIP
}

/// How much of a repetition is one part of a body.
pub(crate) const PART: u32 = 1_024;

/// Goes on to the next part of a repetition, and holds the client in silence after the last.
pub(crate) fn tell_more_of(body: &Repetition, run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    run.position = run.position.saturating_add(PART);
    if run.position < body.len() { Step::DRIP } else { hold(run, cx) }
}

/// Waits for the next request on the connection.
pub(crate) fn next_request(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    if Request::of(run).is_followed() {
        run.enter(Phase::Asking);
        Request::forget(run);
        Step::REST
    } else {
        hold(run, cx)
    }
}

/// Holds the client in silence.
pub(crate) fn hold(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    run.enter(Phase::Holding);
    cx.read_mode = ReadMode::Discard;
    Step::REST
}

/// Goes on, and on, with a head that is all there is to come.
pub(crate) fn pad(run: &mut Registers) -> Step {
    run.enter(Phase::Padding);
    run.position = 0;
    Step::DRIP
}

/// Reads on in a request, and tells what is learnt of it; says whether its head is complete.
pub(crate) fn hear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> bool {
    request::read(run, said, &mut |fact, value, length| cx.learn_part(fact, value, length))
}

/// Begins to answer a request.
pub(crate) fn answer(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    if !Request::of(run).is_guess() {
        return begin(run, cx);
    }
    let patience = patience(cx);
    pause(run, patience, cx)
}

/// Waits before the whole of an answer follows.
pub(crate) fn pause(run: &mut Registers, patience: Duration, cx: &Cx<'_>) -> Step {
    run.enter(Phase::Pausing);
    Step::wait(cx.later(patience))
}

fn begin(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    run.enter(match Request::of(run).ask() {
        Ask::Head | Ask::Page => Phase::Heading,
        _ => {
            cx.read_mode = ReadMode::Discard;
            Phase::Declining
        }
    });
    run.position = response::stamp(cx);
    Step::PROMPT
}

/// How long it takes until the whole of an answer follows.
pub(crate) fn pause_of(answer: Answer, cx: &mut Cx<'_>) -> Duration {
    match answer {
        Answer::Forbidden | Answer::Missing => cx.rng.jitter(SEARCH),
        Answer::Refused | Answer::Welcome => patience(cx),
    }
}

/// How long a searcher for paths waits for each answer. The strictest that were measured give a
/// request 10 seconds in all.
const SEARCH: Duration = Duration::from_secs(8);

/// How long a guess waits for its refusal: 9 seconds and a little more. The strictest guesser that
/// was measured (ncrack) gives up after 10, on its clock.
fn patience(cx: &mut Cx<'_>) -> Duration {
    Duration::from_millis(9_020 + u64::from(cx.rng.below(400)))
}

/// See the module.
pub static HTTP: Protocol = Protocol {
    name: "http",
    service: "http",
    ports: &[80, 8080],
    also_on: &[81, 591, 2080, 3128, 5000, 8000, 8001, 8008, 8081, 8088, 8888, 9080],
    first: Side::Client,
    sight: Sight::Own(sight::request_line),
    among_others: None,
    bears_anything: true,
    openings: &[
        b"GET /admin HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"OPTIONS / HTTP/1.0\r\n\r\n",
        b"\r\nOPTIONS * HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n",
        b"CONNECT a:443 HTTP/1.1\r\n",
        b"FROBNICATE / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    greet: None,
    refuse: None,
    try_it: "curl http://{address}/",
    reason: "records requests; holds browsers, password guessers and path scanners",
    facts: &[
        Fact::HttpHost,
        Fact::HttpRequest,
        Fact::HttpUserAgent,
        Fact::Method,
        Fact::Secret,
        Fact::User,
    ],
    patterns: &[
        &hold::HttpHold,
        &bad_site::HttpBadSite,
        &deflate_html_bomb::HttpDeflateHtmlBomb,
        &deflate_size_bomb::HttpDeflateSizeBomb,
        &endless_header::HttpEndlessHeader,
        &fake_auth::HttpFakeAuth,
    ],
};
