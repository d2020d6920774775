//! The course of an HTTP/1.1 connection from the server's side (RFC 9110, RFC 9112).
//!
//! ```text
//!             a request          head sent              body sent, if it has an end
//!    Asking ────────────► Heading ─────────────► Telling ──────────────────────────┐
//!    ▲ │ │                   │ HEAD                                                │
//!    │ │ │ a guess           └────────► Ending ────────────────────────────────────┤
//!    │ │ └──────────► Pausing ───► Answering ──────────────────────────────────────┤
//!    └─┼───────────────────────────────────────────────────────────────────────────┤
//!      │ for no page  the next request cannot be found, or nothing is left to say  ▼
//!      └───────────► Opening ─────► Naming ─────► Padding, for ever             Holding
//! ```
//! A client that asks for the header only leaves when it is whole, so all after its first lines is
//! sent slowly.
//!
//! A client that asks for a tunnel, uses an unknown method, or sends a malformed request gets the
//! answer of the server that is played. Since that answer is short, its header never ends: all of it
//! is there but the value of its last field, and blanks may stand in front of that (RFC 9112,
//! section 5), as many as there are.
//!
//! A guess is a request that carries credentials, or comes from a tool that guesses them. A
//! guesser reads a `200` as a password found, and a `401` that arrives in parts as a broken server:
//! every guess is answered with silence and then one whole `401`, on every pattern, and the
//! connection stays open for the next.

use core::time::Duration;

use crate::{
    base::{said::Said, state::MaybeBoxed},
    protocols::http::{
        clients::{self, HeldBy},
        head::Stamp,
        host::Asked,
        reply::Reply,
        request::{self, Kept, Reading, Request, Spent},
        site::Site,
    },
    script::{Cx, Heard, Step},
    states,
    wire::deflate::Repetition,
};

states! {
    /// What an HTTP pattern remembers of one client.
    #[derive(Debug, Default)]
    pub(crate) struct Exchange {
        /// The request that is read or answered.
        pub(crate) request: Request,
        pub(crate) held_by: HeldBy,
        pub(crate) at: At,
        /// What an answer or the rest of a request depends on beyond that.
        pub(crate) kept: MaybeBoxed<Kept>,
    }

    /// Where a connection stands.
    #[derive(Debug)]
    pub(crate) enum At {
        /// A request is read.
        Asking { reading: Reading },
        /// A whole answer is due when the wait is over.
        Pausing,
        /// A whole answer goes out.
        Answering { stamp: Stamp },
        /// All lines of a head but the last go out.
        Opening { stamp: Stamp },
        /// The name of the last field of a head goes out.
        Naming,
        /// Blanks go out behind it, and so many did.
        Padding { blanks: u32 },
        /// The head of an answer goes out, or its first lines where a head is all that is asked.
        Heading { stamp: Stamp },
        /// The rest of such a head goes out.
        Ending,
        /// A part of a body goes out, or is over.
        Telling { part: u32 },
        /// Nothing more is said.
        Holding,
    }
}

impl Exchange {
    /// The state of a client that has just been let through.
    pub(crate) fn open(cx: &Cx<'_>) -> Self {
        let reading = Reading::after(cx.before.into());
        Self { at: At::Asking { reading }, ..Self::default() }
    }

    /// The host that the client asked for, if the answer is to name it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        self.kept.0.as_ref().and_then(|kept| kept.host.as_deref())
    }
}

impl Default for At {
    fn default() -> Self {
        Self::Asking { reading: Reading::default() }
    }
}

/// What a pattern is to do after [`converse`].
pub(crate) enum Cue {
    /// The head of the answer has been sent, and a body is to follow.
    HeadSent,
    /// This part of the body has been sent.
    PartSent { part: u32 },
    /// The wait that the pattern itself made behind a part is over.
    Silence,
    /// This; it is nothing of the pattern's own.
    Step(Step),
}

/// Hears a client out, refuses guesses, and begins to answer everything else.
pub(crate) fn converse(exchange: &mut Exchange, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Cue {
    let is_head = exchange.request.is_head;
    Cue::Step(match (&exchange.at, heard) {
        (At::Asking { .. }, Heard::Opened) if cx.profile.validate => Step::REST,
        (At::Asking { .. }, Heard::Opened) => {
            // Whatever this client says, it is answered; there may never be a request to wait for.
            exchange.request = Request::presumed();
            begin(exchange, cx).discarding()
        }
        (At::Asking { .. }, Heard::Said(said)) => match hear(exchange, said, cx) {
            Some(reading) if reading.is_guess() => {
                pause(exchange, Reply::Refused, reading.spent, cx)
            }
            Some(_) => begin(exchange, cx),
            None => Step::KEEP,
        },
        (_, Heard::Said(said)) => {
            if !exchange.request.skip_body(said) && said.is_full() {
                // More waits than may wait, and it must not be read from its middle later.
                exchange.request.lose_next();
                said.take_all();
                return Cue::Step(Step::KEEP.discarding());
            }
            Step::KEEP
        }
        (At::Pausing, Heard::Silence) => {
            exchange.at = At::Answering { stamp: Stamp::now(cx) };
            Step::WHOLE
        }
        (At::Answering { .. }, Heard::Sent) => next_request(exchange),
        (At::Opening { .. }, Heard::Sent) => {
            exchange.at = At::Naming;
            // Where a body follows, it names the host again. All others are held without it.
            if exchange.held_by != HeldBy::Briefly {
                exchange.kept.0 = None;
            }
            Step::DRIP
        }
        (At::Naming, Heard::Sent) => pad(exchange, 0, cx),
        (&At::Padding { blanks }, Heard::Sent) => {
            let sent = blanks.saturating_add(run_of_blanks(exchange.held_by, cx));
            pad(exchange, sent, cx)
        }
        (At::Padding { .. }, Heard::Silence) => Step::DRIP,
        (At::Heading { .. }, Heard::Sent) if is_head => {
            exchange.at = At::Ending;
            Step::DRIP
        }
        (At::Ending, Heard::Sent) if is_head => next_request(exchange),
        (At::Heading { .. } | At::Ending, Heard::Sent) => return Cue::HeadSent,
        (&At::Telling { part }, Heard::Sent) => return Cue::PartSent { part },
        (At::Telling { .. }, Heard::Silence) => return Cue::Silence,
        _ => Step::KEEP,
    })
}

/// Goes on from the head to a body after which nothing is heard any more, at that part of it.
pub(crate) fn tell(exchange: &mut Exchange, part: u32) -> Step {
    exchange.at = At::Telling { part };
    Step::DRIP.discarding()
}

/// Goes on to the next part of a body without an end.
pub(crate) fn tell_on(exchange: &mut Exchange) -> Step {
    if let At::Telling { part } = &mut exchange.at {
        *part = part.saturating_add(1);
    }
    Step::DRIP
}

/// How much of a repetition is one part of a body.
pub(crate) const PART: u32 = 1_024;

/// Goes on to the next part of a repetition, and holds the client in silence after the last. Its
/// parts are counted by their bytes.
pub(crate) fn tell_more_of(body: &Repetition, exchange: &mut Exchange) -> Step {
    if let At::Telling { part } = &mut exchange.at {
        *part = part.saturating_add(PART);
        if *part < body.len() {
            return Step::DRIP;
        }
    }
    hold(exchange)
}

/// Waits for the next request on the connection.
pub(crate) fn next_request(exchange: &mut Exchange) -> Step {
    match exchange.request.next() {
        Some(request) => {
            let reading = Reading::after(Spent::behind(exchange.held_by));
            *exchange = Exchange { request, at: At::Asking { reading }, ..Exchange::default() };
            Step::REST
        }
        None => hold(exchange),
    }
}

/// Holds the client in silence.
pub(crate) fn hold(exchange: &mut Exchange) -> Step {
    exchange.at = At::Holding;
    exchange.kept.0 = None;
    Step::REST.discarding()
}

/// Goes on with the blanks in a head, of which so many were sent.
fn pad(exchange: &mut Exchange, blanks: u32, cx: &mut Cx<'_>) -> Step {
    exchange.at = At::Padding { blanks };
    if cx.profile.rate.is_none() {
        return Step::DRIP;
    }
    // Clients bound a head's length: a fast rate would only lose them.
    let wait = cx.rng.jitter(clients::interval(exchange.held_by));
    Step::wait(cx.later(wait))
}

/// How many blanks are one chunk, which goes out byte by byte at the pattern's own pace.
pub(crate) fn run_of_blanks(held_by: HeldBy, cx: &Cx<'_>) -> u32 {
    match held_by {
        _ if cx.profile.rate.is_some() => 1,
        HeldBy::Briefly => clients::BRIEF_BLANKS,
        HeldBy::Answers | HeldBy::EarlyAnswers | HeldBy::Head | HeldBy::Hurried => 100,
    }
}

/// Reads on in a request, and tells what is learnt of it; gives what was seen of it back once its
/// head is complete.
pub(crate) fn hear(
    exchange: &mut Exchange,
    said: &mut Said<'_>,
    cx: &mut Cx<'_>,
) -> Option<Reading> {
    let Exchange { request, at: At::Asking { reading }, kept, .. } = exchange else { return None };
    let kept = &mut kept.0;
    let site = Site::of(&cx.profile.persona);
    let learn = &mut |fact, value: &[u8], length| cx.learn_part(fact, value, length);
    request::read(request, reading, kept, said, site, learn).then(|| core::mem::take(reading))
}

/// Waits before the whole of an answer follows to a client that has spent so much time already.
pub(crate) fn pause(exchange: &mut Exchange, reply: Reply, spent: Spent, cx: &mut Cx<'_>) -> Step {
    exchange.request.reply = reply.into();
    exchange.at = At::Pausing;
    let patience = pause_of(reply, exchange.held_by, spent, cx);
    Step::wait(cx.later(patience))
}

/// Begins to answer a request with a page of the pattern's own, if it asks for one.
pub(crate) fn begin(exchange: &mut Exchange, cx: &Cx<'_>) -> Step {
    if exchange.request.reply.get().is_of_page() {
        exchange.at = At::Heading { stamp: Stamp::now(cx) };
        // The head is the pattern's own.
        exchange.kept.0 = None;
        return Step::PROMPT;
    }
    open(exchange, cx).discarding()
}

/// Begins to answer with a head of which the last field goes on.
pub(crate) fn open(exchange: &mut Exchange, cx: &Cx<'_>) -> Step {
    exchange.at = At::Opening { stamp: Stamp::now(cx) };
    Step::PROMPT
}

/// How long it takes until the whole of an answer follows. Some clients limit the handshake and the
/// answer together, so the time spent before counts.
pub(crate) fn pause_of(reply: Reply, held_by: HeldBy, spent: Spent, cx: &mut Cx<'_>) -> Duration {
    let (least, spread) = match reply {
        Reply::Refused | Reply::Welcome => (GUESS, 400),
        _ => (held_by.answers_after().unwrap_or(clients::SEARCH), 800),
    };
    let pause = least + Duration::from_millis(cx.rng.below(spread).into());
    pause.saturating_sub(spent.into())
}

/// How long a guess waits for its refusal at least: a little more than 9 seconds. The strictest
/// guesser that was measured (ncrack) gives up after 10, on its clock.
const GUESS: Duration = Duration::from_millis(9_020);
