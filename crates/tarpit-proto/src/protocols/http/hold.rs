//! `http_hold`: holds each client by what keeps it longest.
//!
//! Every client gets the lines that scanners record at once. Then a header or a body follows byte
//! by byte, whichever the client waits longer for. Path scanners and password guessers limit the
//! time of each request: they get whole refusals, slowly, and keep asking. Uploads are not read.

use alloc::vec::Vec;

use crate::{
    base::pace::{Pace, Unit},
    protocols::http::clients::{self, HeldBy},
    protocols::http::{self, Answer, Cue, Phase, Request, Signs, http2},
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step, Uses, legacy::Registers},
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

impl Script for HttpHold {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, run: &Registers) -> Pace {
        let unit = if Phase::of(run) == Phase::Framing { Unit::Chunk } else { Unit::Byte };
        Pace { unit, interval: clients::interval(Request::of(run).hold()) }
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Framing, heard) => http2::converse(run, heard, cx),
            (Phase::Asking, Heard::Said(said)) => match http2::opens(run, said) {
                Some(true) => http2::open(run, said),
                Some(false) if http::hear(run, said, cx) => {
                    let step = begin(run, cx);
                    if cx.read_mode == ReadMode::Paused {
                        // The start of an upload, which would wait here as long as it is held.
                        said.take_all();
                    }
                    step
                }
                None | Some(false) => Step::KEEP,
            },
            (Phase::Pausing, Heard::Silence) => {
                run.enter(Phase::Refusing);
                let mut words = Vec::new();
                http::whole(answer(run, cx), run, cx, &mut words);
                Step::send(Manner::Whole, Chunk::Boxed(words.into()))
            }
            (Phase::Heading, Heard::Sent) => tell(run, cx),
            (Phase::Telling, Heard::Sent)
                if run.position + 1 == COOKIES && Request::of(run).is_head() =>
            {
                http::pad(run)
            }
            (_, heard) => match http::converse(run, heard, cx) {
                Cue::HeadSent => tell(run, cx),
                Cue::PartSent | Cue::Silence => http::tell_on(run),
                Cue::Step(step) => step,
            },
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match (Phase::of(run), run.position) {
            (Phase::Framing, _) => http2::speak(run, cx, out),
            (Phase::Heading, _) if has_whole_head(run) => http::head(run, cx, out),
            (Phase::Heading, _) => http::opening(run, cx, out),
            (Phase::Telling, 0..COOKIES) => http::cookie(cx, out),
            (Phase::Telling, COOKIES) => http::ending(run, cx, out),
            (Phase::Telling, part) => http::page(part - COOKIES - 1, run, cx, out),
            _ => http::reply(run, cx, out),
        }
    }
}

/// Begins to answer a request.
fn begin(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let hold = Signs::of(run).hold();
    Request::set_hold(run, hold);
    if Request::of(run).is_guess() {
        return http::answer(run, cx);
    }
    if hold == HeldBy::Answers {
        let patience = http::pause_of(answer(run, cx), cx);
        return http::pause(run, patience, cx);
    }
    let (upload, tunnel) = (http::is_upload(run), Signs::of(run).asks_for_tunnel());
    let mut step = http::answer(run, cx);
    if tunnel {
        // Libraries leave a proxy at a status that tells of no tunnel.
        step = Step::DRIP;
    }
    if upload {
        // What is sent to us fills the sender's own buffers, and it waits.
        run.mark = u32::MAX;
        cx.read_mode = ReadMode::Paused;
    }
    step
}

/// What a client is told that is to go on asking.
fn answer(run: &Registers, cx: &Cx<'_>) -> Answer {
    let signs = Signs::of(run);
    if !Request::of(run).is_guess() {
        if signs.asks_for_closed() { Answer::Forbidden } else { Answer::Missing }
    } else if cx.poisons() && signs.shows_secret() {
        Answer::Welcome
    } else {
        Answer::Refused
    }
}

/// Goes on with what the client bears best.
fn tell(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let step = http::tell(run, cx);
    if has_whole_head(run) {
        run.position = COOKIES + 1;
    }
    if run.mark == u32::MAX {
        cx.read_mode = ReadMode::Paused;
    }
    step
}

/// Whether the head of the answer comes whole and at once.
fn has_whole_head(run: &Registers) -> bool {
    let request = Request::of(run);
    request.hold() == HeldBy::Body && !request.is_head()
}
