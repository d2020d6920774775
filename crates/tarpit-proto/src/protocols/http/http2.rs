//! HTTP/2 from the server's side (RFC 9113): the course of a connection.
//!
//! ```text
//!  our settings         a page        fields sent
//!  Opening ───► Idle ───────────► Telling ───► a byte of data, and a wait, for ever
//!             ▲ │ │ anything else
//!             │ │ └─────────────► Calling ───► a ping, and a wait, for ever
//!             │ │ a guess, a search
//!             │ └───► Pausing ──► Answering
//!             └──────────────────────┘
//! ```
//! What the client's own settings and pings are owed is sent amid that (Owing), but not while it
//! waits for a whole answer. One request is dealt with at a time. Those that come meanwhile are
//! counted: a client numbers its streams by twos. Most clients wait for any frame, so a frame
//! every 8 seconds holds them; only what is told to be a page gets a success.
//!
//! What clients are owed is sent at once, but for those who ask for it without end: beyond fifteen
//! answers, one goes out in each turn.
//!
//! Payloads are skipped by counting, and of fields as much is read as may wait; uploads end by
//! themselves, since the client's window is never opened again.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    base::{fact::Fact, said::Said},
    protocols::http::clients::{self, HeldBy},
    protocols::http::{
        Answer, Phase, Request, Signs, pause_of, request, response,
        torn::{Collected, Torn},
    },
    script::{Chunk, Cx, Heard, Manner, Step, legacy::Registers},
    wire::http::{
        frame::{self, Head},
        hpack,
    },
};

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client may be owed, by its bytes.
const OUR_SETTINGS: &[u8] = &[
    // A header table of size 0; 100 streams; a window of 65,535 bytes for each.
    0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 255, 255,
];

// The numbers of a run mean:
//
// `count`: the course, and what it goes back to, by three bits each; flags; and what holds the
// client, where [`Request`] has it.
// `position`: the stream that is dealt with, or was last.
// `mark`: how many streams wait, in its highest byte; how much of a payload is still to come.
const COURSE: u16 = 0b111;
const AFTER_SHIFT: u32 = 3;
/// Somebody guesses passwords on this connection.
const GUESS: u16 = 1 << 6;
/// A head is all that somebody wants of the request that is dealt with and those that wait. Which
/// of these it is nobody knows, so none is answered by more.
const HEAD: u16 = 1 << 7;
/// The answer that follows the pause, by two bits.
const ANSWER_SHIFT: u32 = 8;
/// How many frames of the client's were answered at once, less the turns since.
const OWED: u16 = 0b1111 << 10;
const ONE_OWED: u16 = 1 << 10;
/// These are of one request.
const OF_REQUEST: u16 = HEAD | 0b11 << ANSWER_SHIFT | 0b11 << Request::HOLD_SHIFT;
const SKIP: u32 = 0xFF_FFFF;
const ONE_WAITS: u32 = 1 << 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Opening,
    Idle,
    Telling,
    Calling,
    Pausing,
    Answering,
    Owing,
}

const COURSES: [Course; 7] = [
    Course::Opening,
    Course::Idle,
    Course::Telling,
    Course::Calling,
    Course::Pausing,
    Course::Answering,
    Course::Owing,
];

impl Course {
    fn of(run: &Registers) -> Self {
        COURSES.get(usize::from(run.count & COURSE)).copied().unwrap_or(Self::Idle)
    }

    fn enter(self, run: &mut Registers) {
        run.count = run.count & !COURSE | self as u16;
    }
}

/// Whether the client's first bytes, of which none is taken yet, open HTTP/2; `None`: that is to
/// be seen.
pub(crate) fn opens(run: &Registers, said: &Said<'_>) -> Option<bool> {
    let fresh = run.count == 0 && run.mark == 0 && run.position == 0;
    let seen = said.rest().len().min(PREFACE.len());
    if !fresh || said.rest()[..seen] != PREFACE[..seen] {
        return Some(false);
    }
    (seen == PREFACE.len()).then_some(true)
}

/// Takes the client's first bytes, and answers with our settings, which come first.
pub(crate) fn open(run: &mut Registers, said: &mut Said<'_>) -> Step {
    said.take(PREFACE.len());
    run.enter(Phase::Framing);
    Course::Opening.enter(run);
    send(|out| frame::write(frame::SETTINGS, 0, 0, OUR_SETTINGS, out))
}

/// Hears a client of HTTP/2 out, and goes on with its course.
pub(crate) fn converse(run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
    match (Course::of(run), heard) {
        (_, Heard::Said(said)) => hear(run, said, cx),
        (Course::Opening, Heard::Sent) => idle(run),
        (Course::Answering, Heard::Sent) => {
            relent(run);
            next(run, cx)
        }
        (Course::Owing, Heard::Sent) => {
            let after = COURSES[usize::from(run.count >> AFTER_SHIFT & COURSE).min(6)];
            after.enter(run);
            if after == Course::Idle { Step::REST } else { rest(run, cx) }
        }
        (Course::Telling | Course::Calling, Heard::Sent) => rest(run, cx),
        (Course::Telling | Course::Calling, Heard::Silence) => {
            relent(run);
            Step::PROMPT
        }
        (Course::Pausing, Heard::Silence) => {
            Course::Answering.enter(run);
            let mut out = Vec::new();
            answer(run, cx, &mut out);
            Step::send(Manner::Whole, Chunk::Boxed(out.into()))
        }
        _ => Step::KEEP,
    }
}

/// Appends the frame that `run` stands for.
pub(crate) fn speak(run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    if Course::of(run) == Course::Telling {
        return frame::write(frame::DATA, 0, run.position, b" ", out);
    }
    let mut payload = [0; 8];
    cx.rng.fill(&mut payload);
    frame::write(frame::PING, 0, 0, &payload, out);
}

/// Takes frames until one is to be answered, or no further one is whole.
fn hear(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    loop {
        let skipped = said.take((run.mark & SKIP) as usize);
        // At most as much as there was to skip.
        run.mark -= skipped.len() as u32;
        if let Some(torn) = Torn::of(run)
            && torn.add_coded(skipped)
        {
            tell_torn(run, cx);
        }
        let Some(head) = Head::read(said.rest()).filter(|_| run.mark & SKIP == 0) else {
            return Step::KEEP;
        };
        // Whatever else comes, there is no more of a request that was to go on.
        if head.kind != frame::CONTINUATION {
            tell_torn(run, cx);
        }
        let asks = !head.flags & frame::ACK != 0 && head.stream == 0;
        let must_wait = match Course::of(run) {
            Course::Pausing => true,
            Course::Telling | Course::Calling => run.count & OWED == OWED,
            _ => false,
        };
        match head.kind {
            frame::HEADERS => {
                let Some(payload) = payload(said, head.length) else { return Step::KEEP };
                run.mark |= head.length - payload.len() as u32;
                if let Some(step) = asked(run, head, payload, cx) {
                    return step;
                }
            }
            // What is owed amid a pause, or too often, is left until that is over, or until the
            // next turn, if there is room for it.
            frame::PING | frame::SETTINGS if asks && must_wait && !said.is_full() => {
                return Step::KEEP;
            }
            frame::PING if asks && head.length == 8 => {
                let Some(payload) = payload(said, 8) else { return Step::KEEP };
                if !must_wait && let Ok(echo) = <[u8; 8]>::try_from(payload) {
                    return owe(run, frame::PING, &echo, cx);
                }
            }
            kind => {
                said.take(Head::LENGTH);
                run.mark |= head.length;
                if kind == frame::SETTINGS && asks && !must_wait {
                    return owe(run, frame::SETTINGS, &[], cx);
                }
                let holds = matches!(Course::of(run), Course::Telling | Course::Calling);
                if kind == frame::RESET && head.stream == run.position && holds {
                    return next(run, cx);
                }
            }
        }
    }
}

/// Takes a frame with its payload, or as much of that as can ever be seen at once; `None`: more
/// comes.
fn payload<'a>(said: &mut Said<'a>, length: u32) -> Option<&'a [u8]> {
    let all = Head::LENGTH + length as usize;
    if said.rest().len() < all && !said.is_full() {
        return None;
    }
    Some(&said.take(all)[Head::LENGTH..])
}

/// Hears a request, and says what to do unless that is to go on; `None` too if it was none.
fn asked(run: &mut Registers, head: Head, payload: &[u8], cx: &mut Cx<'_>) -> Option<Step> {
    let waiting = run.mark / ONE_WAITS;
    let last = run.position.saturating_add(2 * waiting);
    if head.stream.is_multiple_of(2) || head.stream <= last {
        // The fields behind a body.
        return None;
    }
    let (asked, torn) = read(head.block(payload), &mut |fact, value, length| {
        cx.learn_part(fact, value, length);
    });
    if let Some(torn) = torn {
        run.big = Some(Box::new(torn));
    }
    let request = Request::of(&asked);
    if request.is_guess() {
        run.count |= GUESS;
    }
    if Course::of(run) != Course::Idle {
        // Beyond 255 nobody counts, and what nobody counts is never answered.
        if head.stream == last.saturating_add(2) && waiting < 255 {
            run.mark += ONE_WAITS;
            run.count |= if request.is_head() { HEAD } else { 0 };
        }
        return None;
    }
    run.position = head.stream;
    let is_whole = head.flags & frame::END_HEADERS != 0 && run.mark & SKIP == 0;
    Some(serve(run, &asked, is_whole, cx))
}

/// Tells what has waited for the end of a value.
fn tell_torn(run: &mut Registers, cx: &mut Cx<'_>) {
    if let Some(torn) = Torn::take(run) {
        torn.tell(&mut |fact, value, length| cx.learn_part(fact, value, length));
    }
}

/// What the fields in `block` ask for, in the manner of HTTP/1; and what is learnt, where that waits
/// for the end of a value beyond the block.
fn read(block: &[u8], learn: request::Learn<'_>) -> (Registers, Option<Torn>) {
    const VERSION: usize = " HTTP/2.0".len();
    let (mut method, mut path, mut is_torn) = (Vec::new(), Vec::new(), false);
    hpack::fields(block, &mut |name, value, missing| match name {
        b":method" => method = value.to_vec(),
        b":path" => (path, is_torn) = (value.to_vec(), missing.is_some()),
        b":authority" if path.is_empty() && method == b"CONNECT" => path = value.to_vec(),
        _ => {}
    });
    let (mut asked, mut learnt) = (Registers::default(), Collected::default());
    let mut collect = |fact, value: &[u8]| learnt.add(fact, value);
    request::frame_line(&mut asked, &method, &path, is_torn, &mut collect);
    // What is missing, of which fact, and what there is of it.
    let mut end = None;
    hpack::fields(block, &mut |name, value, missing| {
        let name = if name == b":authority" { b"host" } else { name };
        request::named_field(&mut asked, name, value, &mut collect);
        let fact = if name == b":path" { Some(Fact::HttpRequest) } else { request::fact_of(name) };
        end = missing.map(|missing| (missing, fact, value.to_vec()));
    });
    let Some((missing, fact, value)) = end else {
        learnt.tell(learn);
        return (asked, None);
    };
    let mut torn = match learnt.tear(fact, &value) {
        Ok(torn) => torn,
        Err(learnt) => {
            learnt.tell(learn);
            return (asked, None);
        }
    };
    if is_torn {
        torn.lacks(VERSION);
    }
    match missing.decoder {
        Some(decoder) => {
            torn.goes_on_coded(missing.bytes, decoder);
            return (asked, Some(torn));
        }
        // How long it is stands in front of it.
        None => torn.lacks(missing.bytes),
    }
    torn.tell(learn);
    (asked, None)
}

/// Begins to deal with a request.
fn serve(run: &mut Registers, asked: &Registers, is_whole: bool, cx: &mut Cx<'_>) -> Step {
    let (request, signs) = (Request::of(asked), Signs::of(asked));
    run.count &= !OF_REQUEST;
    run.count |= if request.is_head() { HEAD } else { 0 };
    Request::set_hold(run, signs.hold());
    let answer = match (run.count & GUESS != 0, signs.hold()) {
        (true, _) if cx.poisons() && signs.shows_secret() => Answer::Welcome,
        (true, _) => Answer::Refused,
        (false, HeldBy::Answers) if signs.asks_for_closed() => Answer::Forbidden,
        (false, HeldBy::Answers) => Answer::Missing,
        // Credentials may stand in what was not read: no success is told.
        _ if request.asks_for_page() && is_whole => {
            Course::Telling.enter(run);
            let stream = run.position;
            let fields = response::fields("200", None, None, cx);
            return send(|out| {
                frame::write(frame::HEADERS, frame::END_HEADERS, stream, &fields, out);
            });
        }
        _ => {
            Course::Calling.enter(run);
            return rest(run, cx);
        }
    };
    pause(run, answer, cx)
}

fn pause(run: &mut Registers, answer: Answer, cx: &mut Cx<'_>) -> Step {
    run.count |= (answer as u16) << ANSWER_SHIFT;
    Course::Pausing.enter(run);
    let patience = pause_of(answer, cx);
    Step::wait(cx.later(patience))
}

/// Goes on to the request that has waited longest, of which no more is known than that it came.
fn next(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    if run.mark < ONE_WAITS {
        return idle(run);
    }
    run.mark -= ONE_WAITS;
    run.position = run.position.saturating_add(2);
    let hold = Request::of(run).hold();
    run.count &= !(0b11 << ANSWER_SHIFT);
    if run.count & GUESS != 0 {
        pause(run, Answer::Refused, cx)
    } else if hold == HeldBy::Answers {
        pause(run, Answer::Missing, cx)
    } else {
        Course::Calling.enter(run);
        rest(run, cx)
    }
}

fn idle(run: &mut Registers) -> Step {
    Course::Idle.enter(run);
    Step::REST
}

/// Waits for the turn of the next frame.
fn rest(run: &Registers, cx: &mut Cx<'_>) -> Step {
    let wait = cx.rng.jitter(clients::interval(Request::of(run).hold()));
    Step::wait(cx.later(wait))
}

/// Sends what a frame of the client's is owed, and then goes on.
///
/// The next frame of a client that waits for one goes with it: that wait begins anew, and must not
/// do so for ever without it.
fn owe(run: &mut Registers, kind: u8, payload: &[u8], cx: &mut Cx<'_>) -> Step {
    let mut out = Vec::new();
    frame::write(kind, frame::ACK, 0, payload, &mut out);
    if matches!(Course::of(run), Course::Telling | Course::Calling) {
        speak(run, cx, &mut out);
    }
    let manner = if run.count & OWED == OWED {
        Manner::Drip
    } else {
        run.count += ONE_OWED;
        Manner::Prompt
    };
    run.count = run.count & !(COURSE << AFTER_SHIFT) | (run.count & COURSE) << AFTER_SHIFT;
    Course::Owing.enter(run);
    Step::send(manner, Chunk::Boxed(out.into()))
}

/// Lets one more answer that is owed go out at once, since a turn has passed.
fn relent(run: &mut Registers) {
    if run.count & OWED != 0 {
        run.count -= ONE_OWED;
    }
}

/// Appends a whole answer.
fn answer(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let answer = Answer::ALL[usize::from(run.count >> ANSWER_SHIFT & 0b11)];
    let (code, _) = answer.status().split_at(3);
    let realm = response::realm(answer, cx);
    if run.count & HEAD != 0 {
        let fields = response::fields(code, realm, None, cx);
        let flags = frame::END_HEADERS | frame::END_STREAM;
        return frame::write(frame::HEADERS, flags, run.position, &fields, out);
    }
    let page = response::sorry(answer, cx);
    let fields = response::fields(code, realm, Some(page.len()), cx);
    frame::write(frame::HEADERS, frame::END_HEADERS, run.position, &fields, out);
    frame::write(frame::DATA, frame::END_STREAM, run.position, page.as_bytes(), out);
}

fn send(write: impl FnOnce(&mut Vec<u8>)) -> Step {
    let mut out = Vec::new();
    write(&mut out);
    Step::send(Manner::Prompt, Chunk::Boxed(out.into()))
}
