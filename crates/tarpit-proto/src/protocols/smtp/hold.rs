//! `smtp_hold`: a mail server with its whole dialogue, each reply of which takes as long as the
//! client bears (RFC 5321; RFC 4954 for AUTH, RFC 3207 for STARTTLS).
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
//!   └── 451 ────── Receiving ⇄ Stalling, ears shut ◄────────────────────────┤
//!                                     221, sent: Gone, held in silence ◄────┘
//! ```
//! `clients.rs` says whom lines without end hold, who is answered whole after a silence, and who is
//! carried on slowly. Libraries and mail agents read on until the last line of a reply, so each line
//! buys time; guessers decide on what arrives first. Whoever speaks amid a reply is one of these:
//! from then on each of its replies is whole, and if it begins a mail, what it was owed stands in
//! front of the next. A success has one line, which comes in pieces: of several, one that is not
//! waited for would be taken for the success of the command behind it.
//!
//! No address is accepted, whatever it is: `RCPT` is answered `451`, in lines whose last never comes.
//! So no tool counts an open relay or a name that is there, and a genuine sender keeps its mail and
//! comes back. Whoever does not wait for the last line gets it in front of the reply to its next
//! command, so that no other reply is taken for it. `DATA` is answered likewise.
//!
//! With `poison` recipients are accepted, and senders show their mail. It is never taken: its end is
//! answered `451`. What is said amid a reply that it does not change waits, for a mail may come in
//! one piece with its commands, and of a mail's text nothing may be read as commands.
//!
//! Nobody gets in, unless the user wants them to be told so.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::{
        fact::Fact,
        pace::{EVERY_8_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    persona::Persona,
    phases,
    protocols::{
        command::{self, Command},
        secret,
        smtp::{
            clients::{self, MailHold},
            reply::{self as smtp, Dot, Reply},
        },
    },
    script::{
        About, Chunk, Cx, Heard, Manner, ReadMode, Script, Security, Step, Uses, legacy::Registers,
    },
    wire::{
        base64::{self, Beyond},
        text,
    },
};

/// See the module.
pub(crate) struct SmtpHold;

phases! {
    enum Phase {
        Listening, Asked, Drawing, Ending, Gone, Pausing, Receiving, Securing, Spelling, Stalling,
        Stating,
    }
}

/// Lines in front of a reply's last: with it below the two minutes that curl waits for a reply and
/// that others must wait at least (RFC 5321, section 4.5.3.2).
const LINES: u16 = 12;

/// Lines in front of what answers a mail's end, for which ten minutes must be waited.
const LAST_LINES: u16 = 60;

/// Pieces of a success: with them below the same two minutes.
const PIECES: usize = 12;

/// No last line follows.
const ENDLESS: u16 = u16::MAX;

/// How much of a mail is read before its sender stalls, in bytes.
const GULP: u16 = 4_096;

/// How long its sender stalls, below the three minutes that it must wait (section 4.5.3.2.5).
const STALL: Duration = Duration::from_secs(30);

static ABOUT: About = About {
    protocol: Some(&super::SMTP),
    greet: Some(greet),
    refuse: Some(refuse),
    uses: Uses { poison: true, tls: true, ..Uses::NOTHING },
    ..About::new("smtp_hold", "goes through the whole mail dialogue slowly; never accepts mail")
};

/// The greeting.
pub(super) fn greet(persona: &Persona, wall: Wall, out: &mut Vec<u8>) {
    persona.smtp(wall, out);
    text::line("", out);
}

/// What strangers are told.
pub(super) fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    Reply::Unknown.end(persona, out);
}

impl Script for SmtpHold {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _run: &Registers) -> Pace {
        EVERY_8_SECONDS
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) => Step::REST,
            (Phase::Listening, Heard::Said(said)) => match command::next_kept(said, run) {
                Some(command) => obey(run, command, cx),
                None => Step::KEEP,
            },
            (Phase::Asked, Heard::Said(said)) => match command::answer_line(said, run) {
                Some(line) => answered(run, &line.words, line.beyond, cx),
                None => Step::KEEP,
            },
            (Phase::Drawing | Phase::Ending, Heard::Said(said)) if is_told_enough(run) => {
                let Some(command) = command::next_kept(said, run) else { return Step::KEEP };
                let is_text = reply(run) == Reply::Deferred && !is_known(command);
                if is_text || command.is("QUIT") && reply(run) != Reply::Hello {
                    // It sends its mail all the same, of which nothing may be read as commands, or
                    // waits for its goodbye: a line now and then does no harm.
                    cx.read_mode = ReadMode::Discard;
                    return Step::KEEP;
                }
                // So that no reply to a mail is taken for the one behind it. A guesser would take
                // the end of a greeting for its welcome.
                if command.is("MAIL") || reply(run) == Reply::Deferred {
                    Field::Owed.set(run, u8::from(reply(run)).into());
                }
                Field::Hold.set(run, MailHold::Whole as u32);
                obey(run, command, cx)
            }
            (
                Phase::Drawing
                | Phase::Ending
                | Phase::Pausing
                | Phase::Spelling
                | Phase::Stalling
                | Phase::Stating,
                Heard::Said(said),
            ) if said.is_full() => keep_waiting(run, cx),
            (Phase::Drawing, Heard::Sent) if is_first_of_flow(run, cx) => {
                Field::Owed.set(run, 0);
                Step::wait(cx.later(clients::FIRST_LINE))
            }
            (Phase::Drawing, Heard::Sent | Heard::Silence) => draw(run, cx),
            (Phase::Spelling, Heard::Sent) => spell(run, cx),
            (Phase::Pausing, Heard::Silence) => end_pause(run),
            (Phase::Ending | Phase::Stating, Heard::Sent) => follow(run, cx),
            (Phase::Receiving, Heard::Said(said)) => receive(run, said, cx),
            (Phase::Stalling, Heard::Silence) => {
                cx.read_mode = ReadMode::Deliver;
                run.enter(Phase::Receiving);
                Step::REST
            }
            (Phase::Securing, Heard::Secured(Security::Ready)) => {
                // What was said before does not count any more (RFC 3207, section 4.2).
                *run = Registers::default();
                Step::REST
            }
            (Phase::Securing, Heard::Secured(_)) => go_deaf(run, cx),
            _ => Step::KEEP,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let profile = cx.profile;
        let persona = &profile.persona;
        let tls = cx.offers_tls();
        if let Some(owed) = owed(run) {
            owed.end(persona, out);
        }
        match (Phase::of(run), reply(run)) {
            (Phase::Drawing, Reply::Hello) => {
                out.extend_from_slice(b"250-");
                // The first line has named the client.
                match smtp::extension(persona, tls, usize::from(run.count).saturating_sub(1)) {
                    Some(extension) => text::line(extension, out),
                    None => smtp::invented(&mut cx.rng, out),
                }
            }
            (Phase::Drawing, reply) => reply.part(persona, &mut cx.rng, out),
            (Phase::Spelling, reply) => {
                let mut line = Vec::new();
                reply.end(persona, &mut line);
                out.extend_from_slice(&line[piece(&line, run.count)]);
            }
            (Phase::Stating, reply) => {
                if reply == Reply::Hello && Field::Extended.of(run) == 0 {
                    out.extend_from_slice(b"250 ");
                    return text::line(&smtp::hello(persona, b"", cx.conn.client.ip()), out);
                }
                if reply == Reply::Hello {
                    out.extend_from_slice(b"250-");
                    text::line(&smtp::hello(persona, b"", cx.conn.client.ip()), out);
                    let all = (0..).map_while(|place| smtp::extension(persona, tls, place));
                    for extension in all {
                        out.extend_from_slice(b"250-");
                        text::line(extension, out);
                    }
                }
                reply.end(persona, out);
            }
            (_, reply) => reply.end(persona, out),
        }
    }
}

/// A part of [`Registers::mark`], whose lowest bit belongs to [`command`].
#[derive(Clone, Copy)]
enum Field {
    /// Whether it has greeted.
    Saluted,
    /// Whether it did so by `EHLO`.
    Extended,
    /// Whether it has named a sender, and a recipient.
    Sender,
    Recipient,
    /// Whether a part of a mail is its last.
    Last,
    /// Whether a mail comes by its length, in [`Registers::position`].
    Counted,
    /// Whether it has begun to log in: what it says then may be a password.
    Guessing,
    /// The [`MailHold`].
    Hold,
    /// The [`Reply`] under way, and the one whose end was left out.
    Reply,
    Owed,
    /// The [`Dot`] of a mail.
    Dot,
}

impl Field {
    /// Where it lies: its lowest bit, and how many it has.
    fn place(self) -> (u32, u32) {
        match self {
            Self::Saluted => (1, 1),
            Self::Extended => (2, 1),
            Self::Sender => (3, 1),
            Self::Recipient => (4, 1),
            Self::Last => (5, 1),
            Self::Counted => (6, 1),
            Self::Hold => (7, 2),
            Self::Reply => (9, 5),
            Self::Owed => (14, 5),
            Self::Dot => (19, 2),
            Self::Guessing => (21, 1),
        }
    }

    fn of(self, run: &Registers) -> u32 {
        let (lowest, bits) = self.place();
        run.mark >> lowest & ((1 << bits) - 1)
    }

    fn set(self, run: &mut Registers, value: u32) {
        let (lowest, bits) = self.place();
        let mask = (1 << bits) - 1;
        run.mark = run.mark & !(mask << lowest) | (value & mask) << lowest;
    }
}

fn reply(run: &Registers) -> Reply {
    Reply::numbered(Field::Reply.of(run) as u8)
}

/// The reply whose end was left out, and that stands in front of the first part of this one.
fn owed(run: &Registers) -> Option<Reply> {
    let owed = Reply::numbered(Field::Owed.of(run) as u8);
    (owed != Reply::Unknown).then_some(owed)
}

fn hold(run: &Registers) -> MailHold {
    const ALL: [MailHold; 4] =
        [MailHold::Unknown, MailHold::Whole, MailHold::Lines, MailHold::Endless];
    ALL[Field::Hold.of(run) as usize]
}

/// Whether a client that speaks amid this reply has decided by what it has got of it. Amid others
/// it may speak ahead (RFC 2920).
fn is_told_enough(run: &Registers) -> bool {
    matches!(reply(run), Reply::AuthRefused | Reply::Deferred | Reply::Hello)
}

/// How many lines stand in front of the reply's last.
fn lines(run: &Registers, cx: &Cx<'_>) -> u16 {
    match reply(run) {
        Reply::AuthRefused | Reply::Bye | Reply::Deferred => ENDLESS,
        Reply::Hello if hold(run) == MailHold::Endless => ENDLESS,
        Reply::Hello => {
            let (persona, tls) = (&cx.profile.persona, cx.offers_tls());
            // The first one names the client.
            (1..LINES)
                .find(|&line| smtp::extension(persona, tls, usize::from(line) - 1).is_none())
                .unwrap_or(LINES)
        }
        Reply::Later => LAST_LINES,
        reply if is_spelled(reply) => 0,
        // These are questions, and some ask for the next line whatever follows their code.
        Reply::Begin | Reply::Help | Reply::Password | Reply::Plain | Reply::Tls | Reply::User => 0,
        _ => LINES,
    }
}

/// Begins a reply.
fn answer(run: &mut Registers, reply: Reply, cx: &mut Cx<'_>) -> Step {
    Field::Reply.set(run, u8::from(reply).into());
    run.count = 0;
    let in_lines = matches!(hold(run), MailHold::Endless | MailHold::Lines);
    if in_lines && lines(run, cx) > 0 {
        run.enter(Phase::Drawing);
        return Step::PROMPT;
    }
    if in_lines && is_spelled(reply) && cx.profile.rate.is_none() {
        run.enter(Phase::Spelling);
        return Step::DRIP;
    }
    // What a user has set a rate for is to flow.
    if in_lines || reply == Reply::Tls || cx.profile.rate.is_some() {
        run.enter(Phase::Stating);
        return Step::PROMPT;
    }
    run.enter(Phase::Pausing);
    let silence = cx.rng.jitter(command::SILENCE);
    Step::wait(cx.later(silence))
}

/// The silence in front of a reply is over.
fn end_pause(run: &mut Registers) -> Step {
    let is_whole = match reply(run) {
        // Also for those who have spoken amid a reply: some wait for the last line all the same.
        Reply::Deferred => false,
        Reply::AuthRefused | Reply::Later => hold(run) == MailHold::Whole,
        _ => true,
    };
    run.enter(if is_whole { Phase::Stating } else { Phase::Drawing });
    Step::PROMPT
}

/// Whether the first line of a greeting has just gone out, at a rate.
fn is_first_of_flow(run: &Registers, cx: &Cx<'_>) -> bool {
    reply(run) == Reply::Hello && run.count == 0 && cx.profile.rate.is_some()
}

/// A line that is not the last has gone out.
fn draw(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    Field::Owed.set(run, 0);
    run.count = run.count.saturating_add(1);
    let lines = lines(run, cx);
    if run.count >= lines && lines != ENDLESS {
        run.enter(Phase::Ending);
    }
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
fn piece(line: &[u8], number: u16) -> core::ops::Range<usize> {
    let number = usize::from(number);
    let bytes = line.len().saturating_sub(1);
    let pieces = bytes.clamp(1, PIECES);
    let end = if number + 1 >= pieces { line.len() } else { bytes * (number + 1) / pieces };
    (bytes * number.min(pieces - 1) / pieces)..end
}

/// A piece of a success has gone out.
fn spell(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let mut line = Vec::new();
    reply(run).end(&cx.profile.persona, &mut line);
    if piece(&line, run.count).end == line.len() {
        return follow(run, cx);
    }
    run.count += 1;
    Step::DRIP
}

/// As much was said as may wait, and it is not its turn yet: the client's own sending stalls.
fn keep_waiting(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for commands.
        return go_deaf(run, cx);
    }
    cx.read_mode = ReadMode::Paused;
    Step::KEEP
}

/// Says and hears nothing from now on.
fn go_deaf(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    cx.read_mode = ReadMode::Discard;
    run.enter(Phase::Gone);
    Step::REST
}

/// A reply has gone out to its end.
fn follow(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    Field::Owed.set(run, 0);
    cx.read_mode = ReadMode::Deliver;
    match reply(run) {
        Reply::Begin => {
            run.count = 0;
            run.enter(Phase::Receiving);
        }
        Reply::Bye => return go_deaf(run, cx),
        Reply::Password | Reply::Plain | Reply::User => run.enter(Phase::Asked),
        Reply::Tls => {
            run.enter(Phase::Securing);
            return Step::SECURE;
        }
        _ => run.enter(Phase::Listening),
    }
    Step::REST
}

/// Does what a command says.
fn obey(run: &mut Registers, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    if command.is_login() {
        Field::Guessing.set(run, 1);
    } else if CHANGING.iter().any(|verb| command.is(verb)) {
        Field::Guessing.set(run, 0);
    }
    if command.is("") {
        command::tell_overlong(run, Field::Guessing.of(run) == 1, cx);
        return answer(run, Reply::Unknown, cx);
    }
    let has = |field: Field| field.of(run) == 1;
    let (saluted, sender, recipient) =
        (has(Field::Saluted), has(Field::Sender), has(Field::Recipient));
    let guessing = has(Field::Guessing);
    if command.is("EHLO") || command.is("HELO") || command.is("LHLO") {
        return salute(run, command, cx);
    }
    if command.is("BDAT") {
        return begin_part(run, command.argument, cx);
    }
    let is_login = command.is("AUTH");
    if is_login && saluted {
        return authenticate(run, command, cx);
    }
    let answered = if command.is("MAIL") && saluted {
        cx.learn(Fact::SmtpMailFrom, path(command.argument));
        Field::Sender.set(run, 1);
        Reply::Sender
    } else if command.is("RCPT") && sender {
        cx.learn(Fact::SmtpRcptTo, path(command.argument));
        Field::Recipient.set(run, 1);
        if cx.poisons() { Reply::Recipient } else { Reply::Deferred }
    } else if command.is("DATA") && recipient {
        Field::Counted.set(run, 0);
        Field::Dot.set(run, 0);
        if cx.poisons() { Reply::Begin } else { Reply::Deferred }
    } else if command.is("STARTTLS") && saluted && cx.offers_tls() {
        // Behind the reply it would be too late to say so.
        if cx.affords_tls() { Reply::Tls } else { Reply::NoTls }
    } else if command.is("RSET") {
        Field::Sender.set(run, 0);
        Field::Recipient.set(run, 0);
        Reply::Reset
    } else {
        let known = OTHERS.iter().find(|(verb, _)| command.is(verb));
        known.map_or(Reply::Unknown, |&(_, reply)| reply)
    };
    if is_login || matches!(answered, Reply::Administrative | Reply::Unknown | Reply::Verify) {
        command.tell(guessing, cx);
    }
    answer(run, answered, cx)
}

/// What commands are answered that change nothing, or come too early.
const OTHERS: [(&str, Reply); 11] = [
    ("AUTH", Reply::NeedsHello),
    ("DATA", Reply::NeedsRecipient),
    ("ETRN", Reply::Administrative),
    ("EXPN", Reply::Administrative),
    ("HELP", Reply::Help),
    ("MAIL", Reply::NeedsHello),
    ("NOOP", Reply::Nothing),
    ("QUIT", Reply::Bye),
    ("RCPT", Reply::NeedsSender),
    ("STARTTLS", Reply::NotOffered),
    ("VRFY", Reply::Verify),
];

/// The commands that begin something anew.
const CHANGING: [&str; 8] = ["BDAT", "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "RSET", "STARTTLS"];

/// Whether a mail server knows the command.
fn is_known(command: Command<'_>) -> bool {
    let mut all = OTHERS.iter().map(|&(verb, _)| verb).chain(CHANGING);
    all.any(|verb| command.is(verb))
}

/// Answers a salutation, by which is chosen what holds the client.
fn salute(run: &mut Registers, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    let name = command.argument;
    cx.learn(Fact::SmtpHelo, name);
    let chosen = match clients::mail(command.verb(), name) {
        // Lines without end would keep it from being told that it is in.
        MailHold::Endless if cx.poisons() => MailHold::Whole,
        // Who has spoken amid a reply does not read on.
        _ if hold(run) == MailHold::Whole => MailHold::Whole,
        chosen => chosen,
    };
    Field::Hold.set(run, chosen as u32);
    Field::Saluted.set(run, 1);
    Field::Extended.set(run, u32::from(!command.is("HELO")));
    Field::Sender.set(run, 0);
    Field::Recipient.set(run, 0);
    let step = answer(run, Reply::Hello, cx);
    if Phase::of(run) != Phase::Drawing {
        return step;
    }
    let mut line = Vec::new();
    if let Some(owed) = owed(run) {
        owed.end(&cx.profile.persona, &mut line);
    }
    line.extend_from_slice(b"250-");
    text::line(&smtp::hello(&cx.profile.persona, name, cx.conn.client.ip()), &mut line);
    Step::send(Manner::Prompt, Chunk::Boxed(line.into()))
}

/// Begins to ask for a password, or has got one with the command (RFC 4954, section 4).
fn authenticate(run: &mut Registers, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    let argument = command.argument;
    let end = argument.iter().position(u8::is_ascii_whitespace).unwrap_or(argument.len());
    let (mechanism, initial) = argument.split_at(end);
    let initial = initial.trim_ascii();
    let is_plain = mechanism.eq_ignore_ascii_case(b"PLAIN");
    if !is_plain && !mechanism.eq_ignore_ascii_case(b"LOGIN") {
        command.tell(true, cx);
        return answer(run, Reply::AuthMechanism, cx);
    }
    match (is_plain, initial.is_empty()) {
        (true, true) => answer(run, Reply::Plain, cx),
        (false, true) => answer(run, Reply::User, cx),
        (true, false) => judge_plain(run, initial, Beyond::default(), cx),
        (false, false) => {
            learn_name(initial, Beyond::default(), cx);
            answer(run, Reply::Password, cx)
        }
    }
}

/// A question was answered, by this line or what begins so.
fn answered(run: &mut Registers, line: &[u8], beyond: Beyond, cx: &mut Cx<'_>) -> Step {
    match reply(run) {
        _ if line == b"*" => answer(run, Reply::AuthCancelled, cx),
        Reply::Plain => judge_plain(run, line, beyond, cx),
        Reply::User => {
            learn_name(line, beyond, cx);
            answer(run, Reply::Password, cx)
        }
        _ => {
            learn_word(Fact::Secret, line, beyond, cx);
            cx.learn(Fact::Method, b"login");
            judge(run, cx)
        }
    }
}

/// Name and password came in one word (RFC 4616, section 2).
fn judge_plain(run: &mut Registers, word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) -> Step {
    secret::learn_both(word, beyond, cx);
    cx.learn(Fact::Method, b"plain");
    judge(run, cx)
}

/// Tells of a name in base64. What stands behind it, or was sent for a name and is none, may be a
/// password.
fn learn_name(words: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    let (word, rest) = secret::name(words);
    let of_name = if rest.is_empty() { beyond } else { Beyond::default() };
    match base64::decode_part(word, of_name) {
        Some((plain, _)) if plain.contains(&0) => secret::learn_both(word, of_name, cx),
        Some((plain, length)) => cx.learn_part(Fact::User, &plain, length),
        None => cx.learn_part(Fact::User, word, word.len() + of_name.bytes),
    }
    if !rest.is_empty() {
        learn_word(Fact::Secret, rest, beyond, cx);
    }
}

fn judge(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let verdict = if cx.poisons() { Reply::AuthWelcome } else { Reply::AuthRefused };
    answer(run, verdict, cx)
}

/// Tells of a word in base64, as it is if it is none.
fn learn_word(fact: Fact, word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    match base64::decode_part(word, beyond) {
        Some((plain, length)) => cx.learn_part(fact, &plain, length),
        None => cx.learn_part(fact, word, word.len() + beyond.bytes),
    }
}

/// Begins to take a part of a mail, by its length (RFC 3030, section 2).
fn begin_part(run: &mut Registers, argument: &[u8], cx: &mut Cx<'_>) -> Step {
    let mut words = argument.split(u8::is_ascii_whitespace);
    let length = words.next().and_then(|word| core::str::from_utf8(word).ok()?.parse().ok());
    // Where the part ends is not known, and nothing in it may be taken for a command.
    let Some(length) = length else { return go_deaf(run, cx) };
    Field::Last.set(run, words.any(|word| word.eq_ignore_ascii_case(b"LAST")).into());
    Field::Counted.set(run, 1);
    (run.position, run.count) = (length, 0);
    if length == 0 {
        return end_mail(run, cx);
    }
    run.enter(Phase::Receiving);
    Step::REST
}

/// Reads a mail on, and stalls its sender after each gulp. [`Registers::count`] counts within one.
fn receive(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    let room = usize::from(GULP.saturating_sub(run.count));
    let bytes = &said.rest()[..said.rest().len().min(room)];
    let end = if Field::Counted.of(run) == 1 {
        let rest = run.position as usize;
        run.position = run.position.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        (rest <= bytes.len()).then_some(rest)
    } else {
        let mut dot = Dot::numbered(Field::Dot.of(run));
        let end = dot.read(bytes);
        Field::Dot.set(run, dot as u32);
        end
    };
    let taken = said.take(end.unwrap_or(bytes.len())).len();
    run.count = run.count.saturating_add(u16::try_from(taken).unwrap_or(u16::MAX));
    if end.is_some() {
        return end_mail(run, cx);
    }
    if run.count < GULP {
        return Step::REST;
    }
    cx.read_mode = ReadMode::Paused;
    run.count = 0;
    run.enter(Phase::Stalling);
    Step::wait(cx.later(STALL))
}

/// A mail has come to its end, or a part of one: what ends it is never taken.
fn end_mail(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let is_part = Field::Counted.of(run) == 1;
    if is_part && Field::Recipient.of(run) == 0 {
        return answer(run, Reply::NeedsRecipient, cx);
    }
    if is_part && !cx.poisons() {
        return answer(run, Reply::Deferred, cx);
    }
    if is_part && Field::Last.of(run) == 0 {
        return answer(run, Reply::Chunk, cx);
    }
    Field::Sender.set(run, 0);
    Field::Recipient.set(run, 0);
    answer(run, Reply::Later, cx)
}

/// The address in what follows `MAIL` and `RCPT`, without the words around it.
fn path(argument: &[u8]) -> &[u8] {
    let start = argument.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1);
    let words = argument[start..].trim_ascii();
    let bare = words.strip_prefix(b"<").and_then(|rest| rest.split(|&byte| byte == b'>').next());
    bare.unwrap_or_else(|| secret::name(words).0)
}
