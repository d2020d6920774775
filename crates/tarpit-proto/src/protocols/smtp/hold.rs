//! `smtp_hold`: a mail server with a whole dialogue, in which each reply takes as long as the
//! client tolerates (RFC 5321; RFC 4954 for AUTH, RFC 3207 for STARTTLS).
//!
//! ```text
//!                       a reply in lines           its last line
//!              ┌─────────────────────► Drawing ─────────────────► Ending ───┐
//!              │                          ▲                                 │
//!  greeted ► Listening                    │ 16 s, if it may be in lines     │
//!   ▲  ▲       │     a success, in pieces │                                 │
//!   │  │       ├─────────────────────► Spelling ────────────────────────────┤
//!   ▲  ▲       │     a whole reply        │                                 │
//!   │  │       ├─────────────────────► Pausing ────► Stating ───────────────┤
//!   │  │       │   what is asked without a pause       ▲                    │
//!   │  │       └───────────────────────────────────────┘                    │
//!   │  └────────────────────────────────────────────────── sent ────────────┤
//!   │                                          334, sent                    │
//!   ├── refused ── Asked: a name, a password ◄──────────────────────────────┤
//!   │                                          354, sent (`poison`)         │
//!   └── 451 ────── Receiving ⇄ Stalling, unread ◄───────────────────────────┤
//!                                     221, sent: Gone, held in silence ◄────┘
//! ```
//! `clients.rs` chooses how a client is held, by the way it greets. Libraries and mail agents read
//! on until the last line of a reply, so each line buys time. Guessers decide on what arrives
//! first: they get whole replies after a silence.
//!
//! A client that speaks during a reply is a guesser, too. From then on it gets whole replies. If it
//! begins a mail, the end of the reply that it interrupted comes before the next reply.
//!
//! A success has one line, which comes in pieces. Of several lines, one that the client did not
//! wait for would be taken for the success of the next command.
//!
//! No address is accepted: `RCPT` is answered `451`, in lines whose last never comes. So no tool
//! counts an open relay or a valid name, and a genuine sender keeps its mail and comes back. A
//! client that does not wait for the last line gets it in front of the reply to its next command,
//! so that no other reply is taken for it. `DATA` is answered likewise.
//!
//! With `poison` recipients are accepted, and senders show their mail. It is never accepted: its
//! end is answered `451`. Commands that come during a reply wait, because a mail may come in one
//! piece with its commands, and no part of a mail's text may be read as a command.
//!
//! No client is told that it got in, except with `poison`.

use alloc::{boxed::Box, vec::Vec};
use core::{ops::Range, time::Duration};

use crate::{
    base::{
        pace::{EVERY_8_SECONDS, Pace},
        said::Said,
    },
    protocols::{
        command::{self, Command, Line, Lines},
        smtp::{
            auth::Question,
            clients::{self, MailHold},
            dialogue::{self, Dialogue, Greeting, Turn},
            mail::Text,
            reply::{self, Reply},
        },
    },
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Security, Step, Uses},
    states,
    wire::text,
};

/// See the module.
pub(crate) struct SmtpHold;

states! {
    /// See the module.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        phase: Phase,
        dialogue: Dialogue,
        hold: MailHold,
        /// The reply whose end was left out, and that stands in front of the next one.
        owed: Option<Reply>,
        kept: Kept,
    }

    /// What is kept of what the client says.
    #[derive(Debug)]
    enum Kept {
        /// The beginning of a line.
        Lines { lines: Lines },
        /// What is said back, until the reply is out.
        Words { words: Box<SaidBack> },
    }

    /// See [`Reply::Malformed`].
    #[derive(Debug)]
    boxed struct SaidBack {
        text: Vec<u8>,
    }

    #[derive(Clone, Copy, Debug, Default)]
    enum Phase {
        Asked { question: Question },
        Drawing { reply: Reply, line: u16 },
        Ending { reply: Reply },
        Gone,
        #[default]
        Listening,
        Pausing { reply: Reply },
        /// So many bytes were read since the sender stalled.
        Receiving { text: Text, read: u16 },
        Securing,
        Spelling { reply: Reply, piece: u8 },
        Stalling { text: Text },
        Stating { reply: Reply },
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::Lines { lines: Lines::default() }
    }
}

impl Kept {
    /// Where the client stands in its lines; `None`: something is said back, and none is read.
    fn lines(&mut self) -> Option<&mut Lines> {
        match self {
            Self::Lines { lines } => Some(lines),
            Self::Words { .. } => None,
        }
    }

    /// What is said back, if something is.
    fn words(&self) -> &str {
        match self {
            Self::Lines { .. } => "",
            Self::Words { words } => core::str::from_utf8(&words.text).unwrap_or_default(),
        }
    }
}

/// Lines in front of a reply's last: with it below the two minutes that curl waits for a reply and
/// that others must wait at least (RFC 5321, section 4.5.3.2).
const LINES: u16 = 12;

/// Writes in which a greeting's lines go out, all but the last: some 50 seconds, however many
/// extensions the persona's server has.
const SALUTATION: u16 = 6;

/// Lines in front of what answers a mail's end, for which ten minutes must be waited.
const LAST_LINES: u16 = 60;

/// Pieces of a success: with them below the same two minutes.
const PIECES: usize = 12;

/// How much of a mail is read before its sender stalls, in bytes.
const GULP: u16 = 4_096;

/// How long its sender stalls, below the three minutes that it must wait (section 4.5.3.2.5).
const STALL: Duration = Duration::from_secs(30);

static ABOUT: About = About {
    protocol: Some(&super::SMTP),
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    uses: Uses { poison: true, tls: true, ..Uses::NOTHING },
    ..About::new("smtp_hold", "goes through the whole mail dialogue slowly; never accepts mail")
};

impl Script for SmtpHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.phase, heard) {
            (Phase::Listening, Heard::Opened) => Step::REST,
            (Phase::Listening, Heard::Said(said)) => {
                match state.kept.lines().and_then(|lines| lines.next(said)) {
                    Some(line) => obey(state, line, cx),
                    None => Step::KEEP,
                }
            }
            (Phase::Asked { question }, Heard::Said(said)) => {
                match state.kept.lines().and_then(|lines| lines.answer(said)) {
                    Some(answer) => begin(state, question.answered(&answer, cx), cx),
                    None => Step::KEEP,
                }
            }
            (Phase::Drawing { reply, .. } | Phase::Ending { reply }, Heard::Said(said))
                if is_told_enough(reply) =>
            {
                match state.kept.lines().and_then(|lines| lines.next(said)) {
                    Some(line) => interrupt(state, reply, line, cx),
                    None => Step::KEEP,
                }
            }
            (
                Phase::Drawing { .. }
                | Phase::Ending { .. }
                | Phase::Pausing { .. }
                | Phase::Spelling { .. }
                | Phase::Stalling { .. }
                | Phase::Stating { .. },
                Heard::Said(said),
            ) if said.is_full() => keep_waiting(state, cx),
            (Phase::Drawing { reply: Reply::Hello, line: 0 }, Heard::Sent)
                if cx.profile.rate.is_some() =>
            {
                state.owed = None;
                Step::wait(cx.later(clients::FIRST_LINE))
            }
            (Phase::Drawing { reply, line }, Heard::Sent | Heard::Silence) => {
                draw(state, reply, line.saturating_add(1))
            }
            (Phase::Spelling { reply, piece }, Heard::Sent) => spell(state, reply, piece, cx),
            (Phase::Pausing { reply }, Heard::Silence) => end_pause(state, reply),
            (Phase::Ending { reply } | Phase::Stating { reply }, Heard::Sent) => {
                follow(state, reply)
            }
            (Phase::Receiving { text, read }, Heard::Said(said)) => {
                receive(state, text, read, said, cx)
            }
            (Phase::Stalling { text }, Heard::Silence) => {
                state.phase = Phase::Receiving { text, read: 0 };
                Step::REST.delivering()
            }
            (Phase::Securing, Heard::Secured(Security::Ready { .. })) => {
                // Everything before TLS no longer counts (RFC 3207, section 4.2).
                *state = State::default();
                Step::REST
            }
            (Phase::Securing, Heard::Secured(_)) => give_up(state),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let persona = &cx.profile.persona;
        let tls = cx.offers_tls();
        if let Some(owed) = state.owed {
            owed.end(persona, out);
        }
        match state.phase {
            Phase::Drawing { reply: Reply::Hello, line } => {
                // The first line has named the client.
                let place = usize::from(line).saturating_sub(1);
                let places = match state.hold {
                    MailHold::Lines => {
                        let count = reply::count_extensions(persona, tls);
                        let piece = usize::from(SALUTATION) - 1;
                        count * place / piece..count * (place + 1) / piece
                    }
                    _ => place..place + 1,
                };
                for place in places {
                    reply::list_extension(persona, tls, place, &mut cx.rng, out);
                }
            }
            Phase::Drawing { reply: Reply::Deferred, line: 0 } => {
                Reply::Deferred.begin(persona, out);
            }
            Phase::Drawing { reply, .. } => reply.part(persona, &mut cx.rng, out),
            Phase::Spelling { reply, piece } => {
                let mut line = Vec::new();
                reply.end(persona, &mut line);
                out.extend_from_slice(&line[place(&line, piece)]);
            }
            Phase::Stating { reply: Reply::Hello } => {
                let hello = reply::hello(persona, b"", cx.conn.client.ip());
                if state.dialogue.greeting != Greeting::Extended {
                    out.extend_from_slice(b"250 ");
                    return text::line(&hello, out);
                }
                out.extend_from_slice(b"250-");
                text::line(&hello, out);
                for extension in (0..).map_while(|place| reply::extension(persona, tls, place)) {
                    out.extend_from_slice(b"250-");
                    text::line(extension, out);
                }
                Reply::Hello.end(persona, out);
            }
            Phase::Ending { reply } | Phase::Pausing { reply } | Phase::Stating { reply } => {
                reply.end_with(state.kept.words(), persona, out);
            }
            Phase::Asked { .. }
            | Phase::Gone
            | Phase::Listening
            | Phase::Receiving { .. }
            | Phase::Securing
            | Phase::Stalling { .. } => {}
        }
    }
}

/// Does what a line says.
fn obey(state: &mut State, line: Line<'_>, cx: &mut Cx<'_>) -> Step {
    match state.dialogue.hear(line, cx) {
        Turn::Greet(command) => greet(state, command, cx),
        Turn::Receive(text) => {
            state.phase = Phase::Receiving { text, read: 0 };
            Step::REST
        }
        Turn::Reply(reply) => begin(state, reply, cx),
        Turn::SayBack(words) => {
            let text = words.into_boxed_bytes().into_vec();
            state.kept = Kept::Words { words: Box::new(SaidBack { text }) };
            begin(state, Reply::Malformed, cx)
        }
        Turn::Unreadable => give_up(state),
    }
}

/// The client speaks during a reply: it has read enough.
fn interrupt(state: &mut State, reply: Reply, line: Line<'_>, cx: &mut Cx<'_>) -> Step {
    let is_text = reply == Reply::Deferred && !line.command().is_some_and(dialogue::is_known);
    if is_text || line.is("QUIT") && reply != Reply::Hello {
        // It sends its mail all the same, which must not be read as commands, or waits for its
        // goodbye: a line now and then does no harm.
        return Step::KEEP.discarding();
    }
    // So that no reply to a mail is taken for the one behind it. A guesser would take the end of a
    // greeting for its welcome.
    if line.is("MAIL") || reply == Reply::Deferred {
        state.owed = Some(reply);
    }
    state.hold = MailHold::Whole;
    obey(state, line, cx)
}

/// Whether a client that speaks during this reply decided by the part that it got. During others it
/// may speak ahead (RFC 2920).
fn is_told_enough(reply: Reply) -> bool {
    matches!(reply, Reply::AuthRefused | Reply::Deferred | Reply::Hello)
}

/// Answers a greeting, by which is chosen what holds the client.
fn greet(state: &mut State, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    let name = command.argument;
    state.hold = match clients::mail(command.verb, name) {
        // Lines without end would keep it from being told that it is in.
        MailHold::Endless if cx.poisons() => MailHold::Whole,
        // A client that spoke during a reply does not read on.
        _ if state.hold == MailHold::Whole => MailHold::Whole,
        chosen => chosen,
    };
    let step = begin(state, Reply::Hello, cx);
    if !matches!(state.phase, Phase::Drawing { .. }) {
        return step;
    }
    let mut line = Vec::new();
    if let Some(owed) = state.owed {
        owed.end(&cx.profile.persona, &mut line);
    }
    line.extend_from_slice(b"250-");
    text::line(&reply::hello(&cx.profile.persona, name, cx.conn.client.ip()), &mut line);
    Step::send(Manner::Prompt, Chunk::Boxed(line.into()))
}

/// Begins a reply.
fn begin(state: &mut State, reply: Reply, cx: &mut Cx<'_>) -> Step {
    let reads_on = matches!(state.hold, MailHold::Endless | MailHold::Lines);
    if reads_on && lines(reply, state.hold) != Some(0) {
        state.phase = Phase::Drawing { reply, line: 0 };
        return Step::PROMPT;
    }
    if reads_on && is_spelled(reply) && cx.profile.rate.is_none() {
        state.phase = Phase::Spelling { reply, piece: 0 };
        return Step::DRIP;
    }
    // What a user has set a rate for is to flow.
    if reads_on || reply == Reply::Tls || cx.profile.rate.is_some() {
        state.phase = Phase::Stating { reply };
        return Step::PROMPT;
    }
    state.phase = Phase::Pausing { reply };
    let silence = cx.rng.jitter(command::SILENCE);
    Step::wait(cx.later(silence))
}

/// How many lines stand in front of the reply's last. `None`: that one never comes.
fn lines(reply: Reply, hold: MailHold) -> Option<u16> {
    match reply {
        Reply::AuthRefused | Reply::Bye | Reply::Deferred => None,
        Reply::Hello if hold == MailHold::Endless => None,
        Reply::Hello => Some(SALUTATION),
        Reply::Later => Some(LAST_LINES),
        reply if is_spelled(reply) => Some(0),
        // These are questions, and some ask for the next line whatever follows their code.
        Reply::Begin
        | Reply::Help
        | Reply::HelpWithTls
        | Reply::Password
        | Reply::Plain
        | Reply::Tls
        | Reply::User => Some(0),
        _ => Some(LINES),
    }
}

/// The silence in front of a reply is over.
fn end_pause(state: &mut State, reply: Reply) -> Step {
    let is_whole = match reply {
        // Even if the client spoke during a reply: some wait for the last line all the same.
        Reply::Deferred => false,
        Reply::AuthRefused | Reply::Later => state.hold == MailHold::Whole,
        _ => true,
    };
    state.phase =
        if is_whole { Phase::Stating { reply } } else { Phase::Drawing { reply, line: 0 } };
    Step::PROMPT
}

/// A line that is not the last has gone out; `line` follows.
fn draw(state: &mut State, reply: Reply, line: u16) -> Step {
    let is_last = lines(reply, state.hold).is_some_and(|lines| line >= lines);
    state.owed = None;
    state.phase = if is_last { Phase::Ending { reply } } else { Phase::Drawing { reply, line } };
    Step::DRIP
}

/// Whether it says that something is done: then it is one line, in pieces.
fn is_spelled(reply: Reply) -> bool {
    matches!(
        reply,
        Reply::AuthWelcome
            | Reply::Chunk
            | Reply::Nothing
            | Reply::Recipient
            | Reply::Reset
            | Reply::Sender
    )
}

/// The place of a piece of the line; the last one holds the line's whole end.
fn place(line: &[u8], piece: u8) -> Range<usize> {
    let piece = usize::from(piece);
    let bytes = line.len().saturating_sub(1);
    let pieces = bytes.clamp(1, PIECES);
    let end = if piece + 1 >= pieces { line.len() } else { bytes * (piece + 1) / pieces };
    (bytes * piece.min(pieces - 1) / pieces)..end
}

/// A piece of a success has gone out.
fn spell(state: &mut State, reply: Reply, piece: u8, cx: &Cx<'_>) -> Step {
    let mut line = Vec::new();
    reply.end(&cx.profile.persona, &mut line);
    if place(&line, piece).end == line.len() {
        return follow(state, reply);
    }
    state.phase = Phase::Spelling { reply, piece: piece.saturating_add(1) };
    Step::DRIP
}

/// As much was said as may wait, and it is not its turn yet: the client's own sending stalls.
fn keep_waiting(state: &mut State, cx: &Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for commands.
        return give_up(state);
    }
    Step::KEEP.pausing()
}

/// Says and hears nothing from now on.
fn give_up(state: &mut State) -> Step {
    state.phase = Phase::Gone;
    Step::REST.discarding()
}

/// A reply has gone out to its end.
fn follow(state: &mut State, reply: Reply) -> Step {
    state.owed = None;
    if reply == Reply::Malformed {
        state.kept = Kept::default();
    }
    state.phase = match reply {
        Reply::Begin => Phase::Receiving { text: Text::DATA, read: 0 },
        Reply::Bye => return give_up(state),
        Reply::Password => Phase::Asked { question: Question::Password },
        Reply::Plain => Phase::Asked { question: Question::Both },
        Reply::Tls => {
            state.phase = Phase::Securing;
            return Step::SECURE.delivering();
        }
        Reply::User => Phase::Asked { question: Question::Name },
        _ => Phase::Listening,
    };
    Step::REST.delivering()
}

/// Reads a mail on, and stalls its sender after each gulp.
fn receive(
    state: &mut State,
    mut text: Text,
    read: u16,
    said: &mut Said<'_>,
    cx: &mut Cx<'_>,
) -> Step {
    let (taken, is_end) = text.read(said, GULP.saturating_sub(read).into());
    if is_end {
        let reply = state.dialogue.end_text(text, cx);
        return begin(state, reply, cx);
    }
    let read = read.saturating_add(u16::try_from(taken).unwrap_or(u16::MAX));
    if read < GULP {
        state.phase = Phase::Receiving { text, read };
        return Step::REST;
    }
    state.phase = Phase::Stalling { text };
    Step::wait(cx.later(STALL)).pausing()
}
