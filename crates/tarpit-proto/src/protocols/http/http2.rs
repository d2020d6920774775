//! HTTP/2 from the server's side (RFC 9113): the course of a connection.
//!
//! ```text
//!  our settings         a page        fields sent
//!  Opening ───► Idle ───────────► Holding with data: a byte of it, and a wait, for ever
//!             ▲ │ │ a head, a tunnel
//!             │ │ └─────────────► Holding with pings: a ping, and a wait, for ever
//!             │ │ a guess, a search
//!             │ └───► Pausing ──► Answering
//!             └──────────────────────┘
//! ```
//! Answers to the client's own settings and pings go out in between (Owing), but not while it waits
//! for a whole answer. One request is handled at a time. Requests that come in the meantime are
//! counted: a client numbers its streams by twos. Of those of a searcher the answers are kept, too:
//! it limits each, so all that have come are answered in one go. Most clients wait for any frame, so
//! a frame every 8 seconds holds them. A head is all that some clients want, and a status that tells
//! of no tunnel sends others away, so neither is told.
//!
//! Answers to settings and pings go out at once, except to clients that ask without end: beyond
//! fifteen answers, one goes out in each turn.
//!
//! Payloads are skipped by counting, and fields are read as far as they may wait. Uploads end by
//! themselves, since the client's window is never opened again.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    base::{fact::Fact, said::Said, state::Packed},
    protocols::http::{
        clients::{self, HeldBy},
        fields::named_field,
        head::frame_fields as fields,
        hold::whole_answer,
        host::{self, Host},
        length::Length,
        pause_of,
        reply::{Entry, Extent, Reply},
        request::{self, Reading, Request, Spent},
        request_line,
        response::{body_part, whole_body},
        server::Server,
        site::Site,
        torn::{Collected, Torn},
    },
    script::{Chunk, Cx, Heard, MAX_CHUNK, Manner, Step},
    states,
    wire::http::{
        frame::{self, Head},
        hpack,
    },
};

states! {
    /// What is remembered of a client of HTTP/2.
    #[derive(Debug, Default)]
    pub(crate) struct Frames {
        course: Course,
        streams: Streams,
        /// How much of a payload is still to come: a frame has 24 bits for it.
        skip: Length<24>,
        /// How many frames of the client's were answered at once, less the turns since.
        owed: Length<4>,
        /// Somebody guesses passwords on this connection.
        is_guessing: bool,
        /// A head is all that somebody wants of the request that is dealt with and those that wait.
        /// Which of these it is nobody knows, so none is answered by more.
        wants_head: bool,
        held_by: HeldBy,
        kept: Option<Box<Kept>>,
    }

    /// What is kept of some clients beyond that.
    #[derive(Debug, Default)]
    boxed struct Kept {
        /// What is told once the value that goes on has come to its end.
        torn: Option<Torn>,
        /// The host that a whole answer names, and those to all that wait for one with it.
        host: Option<Vec<u8>>,
        /// The requests of a searcher that wait, at most as many as are counted.
        waiting: Vec<Packed<Waiting>>,
    }

    /// A request that waits for its answer.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Waiting {
        answer: Whole,
        is_head: bool,
    }

    /// Where a connection stands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Course {
        /// Our settings go out.
        #[default]
        Opening,
        Idle,
        /// Frames of this kind go out, one in each turn.
        Holding { with: Filler },
        /// A whole answer is due when the wait is over.
        Pausing { answer: Whole },
        /// It goes out.
        Answering,
        /// The answer to a frame of the client goes out, while holding or idle.
        Owing { holding: Option<Filler> },
    }

    /// A whole answer: the replies that HTTP/2 knows, in few bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Whole {
        BadRequest,
        Expectation,
        Forbidden,
        #[default]
        Missing,
        Moved { folder: Entry },
        NotAllowed { method: Entry },
        NotImplemented { method: Entry },
        Options { is_page: bool },
        Page { page: u8 },
        Part { page: u8 },
        Refused,
        ServerOptions,
        Trace,
        Tunnel,
        Unchanged { page: u8 },
        Welcome,
    }

    /// What a client is held with.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Filler {
        Data,
        Pings,
    }

    /// The requests of a connection, each on a stream of its own.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Streams {
        /// None has come, and the client has spent so much time before.
        Unused { spent: Spent },
        /// This one is dealt with, or was last, and so many behind it wait. A client's streams have
        /// odd numbers of 31 bits; this is half of one.
        Used { half: Length<30>, waiting: Length<7> },
    }
}

impl From<Reply> for Whole {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Expectation => Self::Expectation,
            Reply::Forbidden => Self::Forbidden,
            Reply::Missing => Self::Missing,
            Reply::Moved { folder } => Self::Moved { folder },
            Reply::NotAllowed { method } => Self::NotAllowed { method },
            Reply::NotImplemented { method } => Self::NotImplemented { method },
            Reply::Options { is_page } => Self::Options { is_page },
            Reply::Page { page, extent: Extent::Part } => Self::Part { page },
            Reply::Page { page, extent: Extent::Unchanged } => Self::Unchanged { page },
            Reply::Page { page, extent: Extent::Whole } => Self::Page { page },
            Reply::Refused => Self::Refused,
            Reply::ServerOptions => Self::ServerOptions,
            Reply::Trace => Self::Trace,
            Reply::Tunnel => Self::Tunnel,
            Reply::Welcome => Self::Welcome,
            Reply::BadPath
            | Reply::BadRequest
            | Reply::Coding
            | Reply::FieldTooLong
            | Reply::TargetTooLong
            | Reply::TooManyFields
            | Reply::UnknownVersion => Self::BadRequest,
        }
    }
}

impl From<Whole> for Reply {
    fn from(answer: Whole) -> Self {
        match answer {
            Whole::BadRequest => Self::BadRequest,
            Whole::Expectation => Self::Expectation,
            Whole::Forbidden => Self::Forbidden,
            Whole::Missing => Self::Missing,
            Whole::Moved { folder } => Self::Moved { folder },
            Whole::NotAllowed { method } => Self::NotAllowed { method },
            Whole::NotImplemented { method } => Self::NotImplemented { method },
            Whole::Options { is_page } => Self::Options { is_page },
            Whole::Page { page } => Self::Page { page, extent: Extent::Whole },
            Whole::Part { page } => Self::Page { page, extent: Extent::Part },
            Whole::Refused => Self::Refused,
            Whole::ServerOptions => Self::ServerOptions,
            Whole::Trace => Self::Trace,
            Whole::Tunnel => Self::Tunnel,
            Whole::Unchanged { page } => Self::Page { page, extent: Extent::Unchanged },
            Whole::Welcome => Self::Welcome,
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self::Unused { spent: Spent::default() }
    }
}

impl Streams {
    /// At the stream with this number, which is odd.
    fn used(current: u32, waiting: u32) -> Self {
        let half = Length((current / 2) & Length::<30>::MOST);
        Self::Used { half, waiting: Length(waiting) }
    }
}

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Our settings: a header table of size 0; 100 streams; a window of 65,535 bytes for each.
const OUR_SETTINGS: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 255, 255];

/// The most frames of a client's that are answered at once.
const MOST_OWED: Length<4> = Length(Length::<4>::MOST);

/// Whether the client's first bytes, of which none is taken yet, open HTTP/2; `None`: that is to
/// be seen.
pub(crate) fn opens(request: Request, reading: &Reading, said: &Said<'_>) -> Option<bool> {
    let is_fresh = request == Request::default() && reading.is_fresh();
    let seen = said.rest().len().min(PREFACE.len());
    if !is_fresh || said.rest()[..seen] != PREFACE[..seen] {
        return Some(false);
    }
    (seen == PREFACE.len()).then_some(true)
}

/// Takes the client's first bytes, and answers with our settings, which come first.
pub(crate) fn open(reading: &Reading, said: &mut Said<'_>) -> (Frames, Step) {
    said.take(PREFACE.len());
    let step = send(|out| frame::write(frame::SETTINGS, 0, 0, OUR_SETTINGS, out));
    let streams = Streams::Unused { spent: reading.spent };
    (Frames { streams, ..Frames::default() }, step)
}

/// Hears a client of HTTP/2 out, and goes on with its course.
pub(crate) fn converse(frames: &mut Frames, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
    match (frames.course, heard) {
        (_, Heard::Said(said)) => hear(frames, said, cx),
        (Course::Opening | Course::Owing { holding: None }, Heard::Sent) => idle(frames),
        (Course::Answering, Heard::Sent) => {
            frames.relent();
            if frames.is_searching() && frames.waiting() > 0 {
                return answer(frames, Vec::new(), cx);
            }
            next(frames, cx)
        }
        (Course::Owing { holding: Some(with) } | Course::Holding { with }, Heard::Sent) => {
            hold(frames, with, cx)
        }
        (Course::Holding { .. }, Heard::Silence) => {
            frames.relent();
            Step::PROMPT
        }
        (Course::Pausing { answer }, Heard::Silence) => {
            frames.course = Course::Answering;
            let mut out = Vec::new();
            whole(answer.into(), frames.wants_head, frames, cx, &mut out);
            self::answer(frames, out, cx)
        }
        _ => Step::KEEP,
    }
}

/// Appends the frame that a client is held with next.
pub(crate) fn speak(frames: &Frames, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    if frames.course == (Course::Holding { with: Filler::Data }) {
        return frame::write(frame::DATA, 0, frames.current(), b" ", out);
    }
    let mut payload = [0; 8];
    cx.rng.fill(&mut payload);
    frame::write(frame::PING, 0, 0, &payload, out);
}

impl Frames {
    pub(crate) fn held_by(&self) -> HeldBy {
        self.held_by
    }

    /// The stream that is dealt with, or was last; 0 in front of the first.
    fn current(&self) -> u32 {
        match self.streams {
            Streams::Unused { .. } => 0,
            Streams::Used { half, .. } => 2 * half.0 + 1,
        }
    }

    /// How much time the client has spent in front of its first request.
    fn spent(&self) -> Spent {
        match self.streams {
            Streams::Unused { spent } => spent,
            Streams::Used { .. } => Spent::behind(self.held_by),
        }
    }

    /// Whether each of its requests has a limit of its own, so that none may wait for another.
    fn is_searching(&self) -> bool {
        !self.is_guessing && self.held_by.answers_after().is_some()
    }

    /// Keeps the answer to a request of a searcher that waits.
    fn enqueue(&mut self, request: Request) {
        let waiting = Waiting { answer: request.reply.get().into(), is_head: request.is_head };
        self.kept.get_or_insert_default().waiting.push(waiting.into());
    }

    /// The request of a searcher that has waited longest.
    fn first_waiting(&self) -> Waiting {
        let first = self.kept.as_ref().and_then(|kept| kept.waiting.first());
        first.map_or_else(Waiting::default, Packed::get)
    }

    /// It waits no longer.
    fn dequeue(&mut self) {
        if let Some(kept) = self.kept.as_mut().filter(|kept| !kept.waiting.is_empty()) {
            kept.waiting.remove(0);
        }
    }

    /// Whatever is asked on this connection, a password is wanted from now on.
    fn begin_guessing(&mut self) {
        self.is_guessing = true;
        if let Some(kept) = &mut self.kept {
            let waiting = core::mem::take(&mut kept.waiting);
            self.wants_head |= waiting.iter().any(|waiting| waiting.get().is_head);
        }
    }

    /// Forgets the host, and frees what is kept if that is all.
    fn forget_host(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.host = None;
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        let is_empty =
            |kept: &Kept| kept.torn.is_none() && kept.host.is_none() && kept.waiting.is_empty();
        self.kept.take_if(|kept| is_empty(kept));
    }

    /// How many streams wait.
    fn waiting(&self) -> u32 {
        match self.streams {
            Streams::Unused { .. } => 0,
            Streams::Used { waiting, .. } => waiting.0,
        }
    }

    /// Whether what the client is owed now must wait until its turn.
    fn owes_later(&self) -> bool {
        match self.course {
            Course::Pausing { .. } => true,
            Course::Holding { .. } => self.owed == MOST_OWED,
            _ => false,
        }
    }

    /// Lets one more answer that is owed go out at once, since a turn has passed.
    fn relent(&mut self) {
        self.owed.0 = self.owed.0.saturating_sub(1);
    }

    /// Skips what is still to come of a payload, as far as it is there.
    fn skip<'a>(&mut self, said: &mut Said<'a>) -> &'a [u8] {
        let skipped = said.take(self.skip.0 as usize);
        // At most as much as there was to skip.
        self.skip.0 -= skipped.len() as u32;
        skipped
    }
}

/// Takes frames until one is to be answered, or no further one is whole.
fn hear(frames: &mut Frames, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    loop {
        let skipped = frames.skip(said);
        if let Some(torn) = frames.kept.as_mut().and_then(|kept| kept.torn.as_mut())
            && torn.add_coded(skipped)
        {
            tell_torn(frames, cx);
        }
        let Some(head) = Head::read(said.rest()).filter(|_| frames.skip == Length(0)) else {
            return Step::KEEP;
        };
        // Whatever else comes, there is no more of a request that was to go on.
        if head.kind != frame::CONTINUATION {
            tell_torn(frames, cx);
        }
        let asks = !head.flags & frame::ACK != 0 && head.stream == 0;
        let must_wait = frames.owes_later();
        match head.kind {
            frame::HEADERS => {
                let Some(payload) = payload(said, head.length) else { return Step::KEEP };
                frames.skip = Length(head.length - payload.len() as u32);
                if let Some(step) = asked(frames, head, payload, cx) {
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
                    return owe(frames, frame::PING, &echo, cx);
                }
            }
            kind => {
                said.take(Head::LENGTH);
                frames.skip = Length(head.length);
                if kind == frame::SETTINGS && asks && !must_wait {
                    return owe(frames, frame::SETTINGS, &[], cx);
                }
                let is_held = matches!(frames.course, Course::Holding { .. });
                if kind == frame::RESET && head.stream == frames.current() && is_held {
                    return next(frames, cx);
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
fn asked(frames: &mut Frames, head: Head, payload: &[u8], cx: &mut Cx<'_>) -> Option<Step> {
    let (current, waiting) = (frames.current(), frames.waiting());
    let last = current.saturating_add(2 * waiting);
    if head.stream.is_multiple_of(2) || head.stream <= last {
        // The fields behind a body.
        return None;
    }
    let site = Site::of(&cx.profile.persona);
    let learn = &mut |fact, value: &[u8], length| cx.learn_part(fact, value, length);
    let Read { mut request, mut reading, torn, host, is_vague } =
        read(head.block(payload), site, learn);
    if let Some(torn) = torn {
        frames.kept.get_or_insert_default().torn = Some(torn);
    }
    let is_whole = head.flags & frame::END_HEADERS != 0 && frames.skip == Length(0);
    if is_whole && !is_vague {
        request::end(&mut request, &reading);
    }
    if reading.is_guess() {
        frames.begin_guessing();
    }
    if frames.course != Course::Idle {
        // Beyond 127 nobody counts, and what nobody counts is never answered.
        if head.stream == last.saturating_add(2) && waiting < Length::<7>::MOST {
            frames.streams = Streams::used(current, waiting + 1);
            if frames.is_searching() {
                frames.enqueue(request);
            } else {
                frames.wants_head |= request.is_head;
            }
        }
        return None;
    }
    let spent = frames.spent();
    frames.streams = Streams::used(head.stream, waiting);
    reading.spent = spent;
    Some(serve(frames, request, &reading, host, is_whole, cx))
}

/// Tells what has waited for the end of a value.
fn tell_torn(frames: &mut Frames, cx: &mut Cx<'_>) {
    if let Some(torn) = frames.kept.as_mut().and_then(|kept| kept.torn.take()) {
        torn.tell(&mut |fact, value, length| cx.learn_part(fact, value, length));
        frames.tidy();
    }
}

/// What a block of fields says.
struct Read {
    request: Request,
    reading: Reading,
    /// What is learnt, where that waits for the end of a value beyond the block.
    torn: Option<Torn>,
    host: Option<Vec<u8>>,
    /// Some of its fields are not known to us, and the host may be one of them.
    is_vague: bool,
}

/// What the fields in `block` ask for, in the manner of HTTP/1.
fn read(block: &[u8], site: Site, learn: request::Learn<'_>) -> Read {
    let (mut method, mut path) = (Vec::new(), Vec::new());
    let (mut is_torn, mut is_vague) = (false, false);
    hpack::fields(block, &mut |name, value, missing| match name {
        b":method" => method = value.to_vec(),
        b":path" => (path, is_torn) = (value.to_vec(), missing.is_some()),
        b":authority" if path.is_empty() && method == b"CONNECT" => path = value.to_vec(),
        hpack::EARLIER => is_vague = true,
        _ => {}
    });
    let (mut request, mut reading) = (Request::default(), Reading::default());
    let mut learnt = Collected::default();
    let mut collect = |fact, value: &[u8]| learnt.add(fact, value);
    request_line::frame_line(&mut request, &method, &path, is_torn, site, &mut collect);
    let (mut host, mut torn) = (None, None);
    if is_vague && (method.is_empty() || path.is_empty()) {
        request.reply = Reply::Missing.into();
    }
    hpack::fields(block, &mut |name, value, missing| {
        let name = if name == b":authority" { b"host" } else { name };
        if name == b"host" && !reading.told_host {
            if Host::read(site.server, value).is_none() {
                request.reply.yield_to(Reply::BadRequest);
            }
            host = (value.len() <= host::LONGEST).then(|| value.to_vec());
        }
        named_field(&mut request, &mut reading, name, value, site, &mut collect);
        let fact = if name == b":path" { Some(Fact::HttpRequest) } else { request::fact_of(name) };
        torn = missing.map(|missing| (missing, fact, value.to_vec()));
    });
    let torn = match torn {
        Some((missing, fact, value)) => learnt.tear(fact, &value).map(|torn| (torn, missing)),
        None => Err(learnt),
    };
    let torn = match torn {
        Ok((torn, missing)) => wait_for_end(torn, missing, is_torn, learn),
        Err(learnt) => {
            learnt.tell(learn);
            None
        }
    };
    Read { request, reading, torn, host, is_vague }
}

/// What waits for the end of a value, of which so much is missing. It is told at once where its
/// length is known.
fn wait_for_end(
    mut torn: Torn,
    missing: hpack::Missing,
    is_path: bool,
    learn: request::Learn<'_>,
) -> Option<Torn> {
    const VERSION: usize = " HTTP/2.0".len();
    if is_path {
        torn.lacks(VERSION);
    }
    let Some(decoder) = missing.decoder else {
        // How long it is stands in front of it.
        torn.lacks(missing.bytes);
        torn.tell(learn);
        return None;
    };
    torn.goes_on_coded(missing.bytes, decoder);
    Some(torn)
}

/// Begins to deal with a request.
fn serve(
    frames: &mut Frames,
    request: Request,
    reading: &Reading,
    host: Option<Vec<u8>>,
    is_whole: bool,
    cx: &mut Cx<'_>,
) -> Step {
    frames.wants_head = request.is_head;
    frames.held_by = reading.held_by();
    let answer = match whole_answer(request.reply.get(), reading, cx) {
        Some(Reply::Welcome) => Some(Reply::Welcome),
        // A client that has guessed here before guesses on.
        _ if frames.is_guessing => Some(Reply::Refused),
        answer => answer,
    };
    if let Some(answer) = answer {
        if answer.names_host(Server::of(&cx.profile.persona)) {
            frames.kept.get_or_insert_default().host = host;
        }
        return pause(frames, answer, reading.spent, cx);
    }
    // Credentials may stand in what was not read: no success is told.
    if !is_told(request) || !is_whole {
        return hold(frames, Filler::Pings, cx);
    }
    let asked = host.as_deref();
    let fields = fields(request, asked, false, cx);
    let mut page = Vec::new();
    // Something that looks like a page comes in one piece, before it goes on byte by byte.
    body_part(request, asked, 0, cx, &mut page);
    let with = if page.is_empty() { Filler::Pings } else { Filler::Data };
    frames.course = Course::Holding { with };
    let stream = frames.current();
    send(|out| {
        frame::write(frame::HEADERS, frame::END_HEADERS, stream, &fields, out);
        if !page.is_empty() {
            frame::write(frame::DATA, 0, stream, &page, out);
        }
    })
}

/// Sends whole answers: `out`, and to a searcher those to all that wait, as far as they are one
/// chunk.
fn answer(frames: &mut Frames, mut out: Vec<u8>, cx: &Cx<'_>) -> Step {
    while let Some(waiting) = frames.waiting().checked_sub(1).filter(|_| frames.is_searching()) {
        let before = (frames.streams, out.len());
        frames.streams = Streams::used(frames.current().saturating_add(2), waiting);
        let Waiting { answer, is_head } = frames.first_waiting();
        whole(answer.into(), is_head, frames, cx, &mut out);
        if out.len() > MAX_CHUNK && before.1 > 0 {
            frames.streams = before.0;
            out.truncate(before.1);
            break;
        }
        frames.dequeue();
    }
    Step::send(Manner::Whole, Chunk::Boxed(out.into()))
}

fn pause(frames: &mut Frames, answer: Reply, spent: Spent, cx: &mut Cx<'_>) -> Step {
    frames.course = Course::Pausing { answer: answer.into() };
    let patience = pause_of(answer, frames.held_by, spent, cx);
    Step::wait(cx.later(patience))
}

/// Goes on to the request that has waited longest, of which no more is known than that it came.
fn next(frames: &mut Frames, cx: &mut Cx<'_>) -> Step {
    let Some(waiting) = frames.waiting().checked_sub(1) else { return idle(frames) };
    let current = frames.current().saturating_add(2);
    frames.streams = Streams::used(current, waiting);
    if frames.is_guessing {
        pause(frames, Reply::Refused, Spent::default(), cx)
    } else {
        hold(frames, Filler::Pings, cx)
    }
}

fn idle(frames: &mut Frames) -> Step {
    frames.course = Course::Idle;
    frames.forget_host();
    Step::REST
}

/// Waits for the turn of the next frame of this kind.
fn hold(frames: &mut Frames, with: Filler, cx: &mut Cx<'_>) -> Step {
    frames.course = Course::Holding { with };
    let wait = cx.rng.jitter(clients::interval(frames.held_by));
    Step::wait(cx.later(wait))
}

/// Sends what a frame of the client's is owed, and then goes on.
///
/// The next frame of a client that waits for one goes with it: that wait begins anew, and must not
/// do so for ever without it.
fn owe(frames: &mut Frames, kind: u8, payload: &[u8], cx: &mut Cx<'_>) -> Step {
    let mut out = Vec::new();
    frame::write(kind, frame::ACK, 0, payload, &mut out);
    let holding = match frames.course {
        Course::Holding { with } => {
            speak(frames, cx, &mut out);
            Some(with)
        }
        _ => None,
    };
    frames.course = Course::Owing { holding };
    let manner = if frames.owed == MOST_OWED {
        Manner::Drip
    } else {
        frames.owed.0 += 1;
        Manner::Prompt
    };
    Step::send(manner, Chunk::Boxed(out.into()))
}

/// Whether a request is answered at once. Not where a head is all that follows (RFC 9110, section
/// 15.4.5): what would be left to say is its end, so such a client is held without an answer.
fn is_told(request: Request) -> bool {
    let reply = request.reply.get();
    !request.is_head && reply != Reply::Tunnel && !is_unchanged(reply)
}

fn is_unchanged(reply: Reply) -> bool {
    matches!(reply, Reply::Page { extent: Extent::Unchanged, .. })
}

/// Appends a whole answer.
fn whole(answer: Reply, is_head: bool, frames: &Frames, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let stream = frames.current();
    let asked = frames.kept.as_ref().and_then(|kept| kept.host.as_deref());
    let request = Request { reply: answer.into(), is_head, ..Request::default() };
    if is_head || is_unchanged(answer) {
        let fields = fields(request, asked, false, cx);
        let flags = frame::END_HEADERS | frame::END_STREAM;
        return frame::write(frame::HEADERS, flags, stream, &fields, out);
    }
    let mut page = Vec::new();
    whole_body(answer, asked, cx, &mut page);
    let fields = fields(request, asked, true, cx);
    frame::write(frame::HEADERS, frame::END_HEADERS, stream, &fields, out);
    frame::write(frame::DATA, frame::END_STREAM, stream, &page, out);
}

fn send(write: impl FnOnce(&mut Vec<u8>)) -> Step {
    let mut out = Vec::new();
    write(&mut out);
    Step::send(Manner::Prompt, Chunk::Boxed(out.into()))
}
