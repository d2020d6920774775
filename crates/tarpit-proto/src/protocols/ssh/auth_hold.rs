//! `ssh_auth_hold`: an SSH server that exchanges keys with whoever connects, and then lets nobody
//! in and nobody go (RFC 4252 to 4256).
//!
//! ```text
//!             line whole, or 2 s           sent              the client's part
//! Listening ────────────────────► Offering ────► Exchanging ──────────────────► Replying
//!                                                    │ nothing to agree on,         │ sent
//!                                                    ▼ or it cannot be afforded     ▼
//!                                                 Ignoring                       Talking
//! ```
//! What holds whom behind the exchange is chosen by `timing.rs`: an answer that never comes, or
//! comes late and whole, and packets to be ignored meanwhile. In Ignoring a client is held as by
//! `ssh_kex_hold`. Only what can be kept is offered, in the order of the persona's release.
//!
//! Everything that is sent under keys can be made again from the run: the keys, how many packets
//! and blocks went before, what is to be said, and the client's own generator for the padding.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    base::{
        fact::Fact,
        pace::{Pace, Unit},
        said::Said,
        time::{Time, Wall},
    },
    identify::Protocol,
    persona::Persona,
    phases,
    protocols::{
        secret::Shown,
        ssh::{
            agreement::{Agreement, Lanes, Openings, kept_offer},
            lane::{Lane, Opened},
        },
    },
    script::{
        About, Chunk, Cx, Heard, Manner, ReadMode, Script, Step, Uses, legacy::Registers,
        state::Saved,
    },
    timing::{self, NEVER},
    wire::{
        ssh::{
            self, Plain,
            login::{self, Method, Request, Word},
        },
        text,
    },
};

/// See the module.
pub(crate) struct SshAuthHold;

phases! {
    enum Phase { Listening, Offering, Exchanging, Replying, Talking, Ignoring }
}

/// How long the rest of the client's identification line is waited for before keys are offered.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a client that was let in waits for each answer.
const INSIDE: u16 = 8;

/// What of one client does not fit its run.
#[derive(Debug)]
enum State {
    /// Our offer's cookie, and the client's line if it is known.
    Offered { cookie: [u8; 16], line: Vec<u8> },
    /// What was agreed on.
    Agreed(Agreement),
    /// The client's part, which is to be answered at that moment; at most 512 bytes of it.
    Asked { agreement: Agreement, request: Vec<u8>, due: Time },
    /// Keys are in use.
    Talking(Talk),
}

/// A user who is asked for answers, to be told beside them.
#[derive(Debug)]
struct Asked {
    /// The beginning of the name, and how long it is.
    name: Vec<u8>,
    length: u32,
}

impl Asked {
    /// The most of a name that is kept, in bytes.
    const LONGEST: usize = 64;

    fn of(name: &[u8]) -> Self {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        Self { name: name[..name.len().min(Self::LONGEST)].to_vec(), length }
    }

    fn tell(&self, cx: &mut Cx<'_>) {
        cx.learn_part(Fact::User, &self.name, self.length as usize);
    }
}

/// A client that keys were exchanged with.
#[derive(Debug)]
struct Talk {
    lanes: Lanes,
    /// Bytes of a packet that is too long, still to be dropped.
    drop: u32,
    /// The client's channel.
    channel: u32,
    /// Whose answers are awaited.
    asked: Option<Box<Asked>>,
    /// What is being said.
    word: Word,
    /// What is to be said at that moment.
    pending: Option<(Word, Time)>,
    /// Answers of a channel that are still owed; at most 255, further ones are never given.
    owed: u8,
    /// Whether the client uses its keys, too.
    keyed: bool,
    /// Whether it has been told that it is in.
    admitted: bool,
}

// With the session that it is boxed beside (`Live`) and the allocator's own, below 512 bytes.
const _: () = assert!(size_of::<State>() <= 272, "a client under keys takes 272 bytes");

/// The longest part of a key exchange: a number of 2048 bits, with its length and sign.
const LONGEST_REQUEST: usize = 512;

static ABOUT: About = About {
    protocol: Some(Protocol::Ssh),
    greet: Some(greet),
    uses: Uses { host_keys: true, poison: true, ..Uses::NOTHING },
    ..About::new("ssh_auth_hold", "completes the key exchange; the authentication never ends")
};

/// The greeting.
fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(persona.ssh(), out);
}

impl Script for SshAuthHold {
    type State = Registers;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, run: &Registers) -> Pace {
        // 0 while nothing is known of the client.
        Pace { unit: Unit::Chunk, interval: timing::ssh_interval(run.count) }
    }

    fn step(&self, run: &mut Registers, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (Phase::of(run), heard) {
            (Phase::Listening, Heard::Opened) if cx.profile.rate.is_none() => {
                Step::wait(cx.later(PATIENCE))
            }
            (Phase::Listening, Heard::Opened | Heard::Silence) => offer(run, Vec::new(), cx),
            (Phase::Listening, Heard::Said(said)) => match introduce(run, said, cx) {
                Some(line) => offer(run, line, cx),
                None => Step::KEEP,
            },
            (Phase::Offering, Heard::Sent) => {
                run.enter(Phase::Exchanging);
                plain_sent(run, cx)
            }
            (Phase::Exchanging, Heard::Sent) => plain_sent(run, cx),
            (Phase::Exchanging, Heard::Said(said)) => hear_plain(run, said, cx),
            (Phase::Exchanging, Heard::Silence) => reply_if_due(run, cx),
            (Phase::Replying, Heard::Sent) => {
                run.enter(Phase::Talking);
                let row = run.count;
                talk(run).map_or(Step::REST, |talk| talk.go_on(row, cx))
            }
            (Phase::Exchanging | Phase::Talking, Heard::Resumed) => {
                bring_near(run, cx);
                Step::KEEP
            }
            (Phase::Talking, heard) => {
                let row = run.count;
                let Some(talk) = talk(run) else { return Step::REST };
                match heard {
                    Heard::Said(said) => talk.hear(said, row, cx),
                    Heard::Sent => talk.sent(row, cx),
                    Heard::Silence => talk.wait_is_over(cx),
                    _ => Step::KEEP,
                }
            }
            (Phase::Ignoring, Heard::Sent) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let state = run.big.as_ref().and_then(|big| big.as_any().downcast_ref());
        match (Phase::of(run), state) {
            (Phase::Offering, Some(State::Offered { cookie, .. })) => {
                let keys = cx.profile.host_keys.as_ref();
                kept_offer(*cookie, cx.profile.persona.ssh_offer(), keys, out);
            }
            (Phase::Talking, Some(State::Talking(talk))) => {
                let content = talk.content();
                talk.lanes.sent.seal(&content, |padding| cx.rng.fill(padding), out);
            }
            _ => ssh::ignore(&mut cx.rng, out),
        }
    }

    fn load_by_hand(&self, mut saved: &[u8]) -> Option<Registers> {
        let mut run = Registers::load(&mut saved)?;
        if !saved.is_empty() {
            run.big = Some(Box::new(State::load(&mut saved)?));
        }
        Some(run)
    }
}

/// The client's line, if it is told now.
fn introduce(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Option<Vec<u8>> {
    let line = ssh::identification(said)?;
    run.count = timing::ssh_row(line);
    let line = ssh::bare(line);
    cx.learn(Fact::SshIdent, line);
    Some(line.to_vec())
}

/// Sends our offer, whose cookie must be new.
fn offer(run: &mut Registers, line: Vec<u8>, cx: &mut Cx<'_>) -> Step {
    let mut cookie = [0; 16];
    cx.entropy.fill(&mut cookie);
    run.enter(Phase::Offering);
    run.big = Some(Box::new(State::Offered { cookie, line }));
    Step::PROMPT
}

/// A packet went out without keys: our offer, or one to be ignored.
fn plain_sent(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    run.position = run.position.wrapping_add(1);
    match state(run) {
        Some(State::Asked { due, .. }) => {
            let due = *due;
            until(due, run.count, cx)
        }
        _ => idle(run.count, cx),
    }
}

/// Leaves the client alone until it is time for a packet to be ignored.
///
/// Not as a drip, whose next turn would hold up what has to be said before it.
fn idle(row: u16, cx: &mut Cx<'_>) -> Step {
    match cx.profile.rate {
        None => until(Time::from_millis(u64::MAX), row, cx),
        Some(_) => Step::DRIP,
    }
}

/// Waits for `due`, but not longer than the client is left without a packet.
fn until(due: Time, row: u16, cx: &mut Cx<'_>) -> Step {
    let packets = cx.budget.stretch(timing::ssh_interval(row));
    let packet = cx.now.after(cx.rng.jitter(packets));
    Step::wait(Some(due.min(packet)))
}

/// Hears packets without keys, until something has to be done.
fn hear_plain(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    if run.count == 0 {
        let Some(told) = introduce(run, said, cx) else { return Step::KEEP };
        if let Some(State::Offered { line, .. }) = state(run) {
            *line = told;
        }
    }
    loop {
        let payload = match ssh::plain(said) {
            Plain::Broken => return ignore(run, said, cx),
            Plain::Incomplete => return Step::KEEP,
            Plain::Payload(payload) => payload,
        };
        run.mark = run.mark.wrapping_add(1);
        match payload[0] {
            ssh::MSG_KEXINIT => {
                if let Some(offer) = ssh::ClientOffer::read(payload) {
                    cx.learn(Fact::SshHassh, offer.hassh().as_bytes());
                }
                let agreement = match state(run) {
                    Some(State::Offered { cookie, line }) => agree(*cookie, line, payload, cx),
                    _ => None,
                };
                let Some(agreement) = agreement else { return ignore(run, said, cx) };
                run.big = Some(Box::new(State::Agreed(agreement)));
            }
            ssh::MSG_KEXDH_INIT => {
                let wait = timing::ssh_hold(run.count).exchange;
                let Some(State::Agreed(agreement)) = state(run) else {
                    return ignore(run, said, cx);
                };
                if agreement.skips {
                    agreement.skips = false;
                    continue;
                }
                if wait == NEVER || payload.len() > LONGEST_REQUEST {
                    return ignore(run, said, cx);
                }
                let (agreement, request) = (agreement.clone(), payload.to_vec());
                let due = cx.now.after(cx.rng.jitter(Duration::from_secs(wait.into())));
                run.big = Some(Box::new(State::Asked { agreement, request, due }));
                return if wait == 0 { reply_if_due(run, cx) } else { until(due, run.count, cx) };
            }
            _ => {}
        }
    }
}

fn agree(cookie: [u8; 16], line: &[u8], payload: &[u8], cx: &mut Cx<'_>) -> Option<Agreement> {
    let persona = &cx.profile.persona;
    let openings = Openings {
        client_line: line,
        server_line: persona.ssh().as_bytes(),
        client_offer: payload,
        cookie,
    };
    Agreement::find(&openings, persona.ssh_offer(), cx.profile.host_keys.as_ref())
}

/// Answers the client's part of the exchange if it is time, or else sends a packet to be ignored.
fn reply_if_due(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    let numbers = (run.mark.wrapping_add(1), run.position.wrapping_add(2));
    let Some(State::Asked { agreement, request, due }) = state(run) else { return Step::PROMPT };
    if *due > cx.now {
        return Step::PROMPT;
    }
    let affordable = cx.profile.host_keys.as_ref();
    let affordable = affordable.filter(|_| cx.budget.handshake(agreement.cost()));
    let answer =
        affordable.and_then(|keys| agreement.clone().answer(request, numbers, keys, cx.entropy));
    let Some((packets, lanes)) = answer else {
        run.big = None;
        run.enter(Phase::Ignoring);
        cx.read_mode = ReadMode::Discard;
        return Step::DRIP;
    };
    run.big = Some(Box::new(State::Talking(Talk::new(lanes))));
    run.enter(Phase::Replying);
    Step::send(Manner::Prompt, Chunk::Boxed(packets.into()))
}

/// Holds the client without keys, whatever else it says.
fn ignore(run: &mut Registers, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    said.take_all();
    cx.read_mode = ReadMode::Discard;
    run.big = None;
    run.enter(Phase::Ignoring);
    Step::DRIP
}

/// Lets what is due come soon if it was told by another clock.
fn bring_near(run: &mut Registers, cx: &Cx<'_>) {
    let latest = cx.now.after(Duration::from_secs(u64::from(timing::LONG) * 2));
    match state(run) {
        Some(State::Asked { due, .. }) if *due > latest => *due = cx.now,
        Some(State::Talking(Talk { pending: Some((_, due)), .. })) if *due > latest => {
            *due = cx.now;
        }
        _ => {}
    }
}

fn state(run: &mut Registers) -> Option<&mut State> {
    run.big.as_mut()?.as_any_mut().downcast_mut()
}

fn talk(run: &mut Registers) -> Option<&mut Talk> {
    match state(run) {
        Some(State::Talking(talk)) => Some(talk),
        _ => None,
    }
}

/// What follows upon a message of the client's.
enum Answer {
    /// This, after so many seconds.
    After(u16, Word),
    /// This at once.
    AtOnce(Word),
    /// No more is heard of it.
    Deaf,
    /// Nothing new.
    None,
}

impl Talk {
    fn new(lanes: Lanes) -> Self {
        Self {
            lanes,
            drop: 0,
            channel: 0,
            asked: None,
            word: Word::Ignore,
            pending: None,
            owed: 0,
            keyed: false,
            admitted: false,
        }
    }

    /// Hears packets until one is to be answered at once.
    fn hear(&mut self, said: &mut Said<'_>, row: u16, cx: &mut Cx<'_>) -> Step {
        let before = self.pending;
        loop {
            if self.drop > 0 {
                let dropped = said.take(self.drop as usize).len();
                self.drop -= dropped as u32;
            }
            if said.rest().is_empty() {
                break;
            }
            let answer = if self.keyed {
                match self.lanes.heard.open(said) {
                    Opened::Broken => Answer::Deaf,
                    Opened::Incomplete => break,
                    Opened::Payload(payload) => self.answer(&payload, row, cx),
                    Opened::TooLong(length) => {
                        self.drop = length as u32;
                        Answer::None
                    }
                }
            } else {
                match ssh::plain(said) {
                    Plain::Broken => Answer::Deaf,
                    Plain::Incomplete => break,
                    Plain::Payload([ssh::MSG_NEWKEYS]) => {
                        self.keyed = true;
                        Answer::None
                    }
                    Plain::Payload(_) => {
                        self.lanes.heard.pass();
                        Answer::None
                    }
                }
            };
            match answer {
                Answer::After(NEVER, _) => self.pending = None,
                Answer::After(wait, word) => {
                    let wait = cx.rng.jitter(Duration::from_secs(wait.into()));
                    self.pending = Some((word, cx.now.after(wait)));
                }
                Answer::AtOnce(word) => {
                    self.word = word;
                    return Step::PROMPT;
                }
                Answer::Deaf => {
                    // What it waits for does not come any more.
                    self.pending = None;
                    said.take_all();
                    cx.read_mode = ReadMode::Discard;
                }
                Answer::None => {}
            }
        }
        if self.pending == before { Step::KEEP } else { self.go_on(row, cx) }
    }

    /// What is said to one message.
    fn answer(&mut self, payload: &[u8], row: u16, cx: &mut Cx<'_>) -> Answer {
        let hold = timing::ssh_hold(row);
        let failure = if hold.password { Word::Failure } else { Word::FailureAsking };
        let poisoned = cx.poisons() && hold.stops;
        match Request::read(payload) {
            Request::Answers(answers) => {
                for answer in answers {
                    self.asked.iter().for_each(|asked| asked.tell(cx));
                    cx.learn(Fact::Secret, answer);
                    cx.learn(Fact::Method, login::INTERACTIVE);
                }
                if poisoned {
                    Answer::After(INSIDE, Word::Success)
                } else {
                    Answer::After(hold.guess, Word::InfoRequest)
                }
            }
            Request::Authenticate { user, method } => {
                cx.learn(Fact::User, user);
                match method {
                    Method::Password(password) => cx.learn(Fact::Secret, password),
                    Method::PublicKey(blob) => {
                        cx.learn(Fact::SshKey, login::fingerprint(blob).as_bytes());
                    }
                    _ => {}
                }
                cx.learn(Fact::Method, method.name());
                let is_asked = method == Method::Interactive;
                self.asked = is_asked.then(|| Box::new(Asked::of(user)));
                match method {
                    Method::Interactive => Answer::AtOnce(Word::InfoRequest),
                    Method::None if hold.none > 0 => Answer::After(hold.none, failure),
                    Method::None | Method::Other(_) | Method::PublicKey(_) => {
                        Answer::AtOnce(failure)
                    }
                    Method::Password(_) if poisoned => Answer::After(INSIDE, Word::Success),
                    Method::Password(_) => Answer::After(hold.guess, failure),
                }
            }
            // There are channels only for those who were let in.
            Request::Channel { number } if self.admitted => {
                self.channel = number;
                Answer::After(INSIDE, Word::ChannelOpen)
            }
            Request::OfChannel { command, awaits } if self.admitted => {
                if let Some(command) = command {
                    let shown = Shown::line(command, false);
                    cx.learn(Fact::Command, &shown.line);
                    shown.tell(cx);
                }
                if !awaits {
                    return Answer::None;
                }
                self.owed = self.owed.saturating_add(1);
                if self.owed > 1 {
                    Answer::None
                } else {
                    Answer::After(INSIDE, Word::ChannelSuccess)
                }
            }
            Request::Global => Answer::AtOnce(Word::RequestFailure),
            Request::Goodbye => Answer::Deaf,
            Request::Service => Answer::AtOnce(Word::ServiceAccept),
            Request::Channel { .. } | Request::OfChannel { .. } | Request::Nothing => Answer::None,
        }
    }

    /// A packet went out.
    fn sent(&mut self, row: u16, cx: &mut Cx<'_>) -> Step {
        let length = self.content().len();
        self.lanes.sent.sent(length);
        self.admitted |= self.word == Word::Success;
        if self.word == Word::ChannelSuccess {
            self.owed = self.owed.saturating_sub(1);
            if self.owed > 0 {
                let wait = cx.rng.jitter(Duration::from_secs(INSIDE.into()));
                self.pending = Some((Word::ChannelSuccess, cx.now.after(wait)));
            }
        }
        self.go_on(row, cx)
    }

    /// The moment has come for what is pending, or for a packet to be ignored.
    fn wait_is_over(&mut self, cx: &Cx<'_>) -> Step {
        match self.pending {
            Some((word, due)) if due <= cx.now => {
                self.pending = None;
                self.word = word;
                Step::PROMPT
            }
            _ => {
                self.word = Word::Ignore;
                Step::PROMPT
            }
        }
    }

    /// Goes on with what is pending, or with packets to be ignored.
    fn go_on(&mut self, row: u16, cx: &mut Cx<'_>) -> Step {
        self.word = Word::Ignore;
        match self.pending {
            Some((_, due)) => until(due, row, cx),
            None => idle(row, cx),
        }
    }

    fn content(&self) -> Vec<u8> {
        self.word.payload(self.channel, self.lanes.sent.number())
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.lanes.heard.save(out);
        self.lanes.sent.save(out);
        for number in [self.drop, self.channel] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let (pending, due) =
            self.pending.map_or((None, 0), |(word, due)| (Some(word), due.as_millis()));
        out.extend_from_slice(&[number_of(Some(self.word)), number_of(pending), self.owed]);
        out.push(u8::from(self.keyed) | u8::from(self.admitted) << 1);
        out.extend_from_slice(&due.to_be_bytes());
        if let Some(asked) = &self.asked {
            out.extend_from_slice(&asked.length.to_be_bytes());
            out.extend_from_slice(&asked.name);
        }
    }

    fn load(saved: &[u8]) -> Option<Self> {
        let (heard, rest) = Lane::load(saved)?;
        let (sent, rest) = Lane::load(rest)?;
        let (drop, rest) = rest.split_first_chunk()?;
        let (channel, rest) = rest.split_first_chunk()?;
        let (&[word, pending, owed, flags], rest) = rest.split_first_chunk()?;
        let (due, rest) = rest.split_first_chunk()?;
        let due = Time::from_millis(u64::from_be_bytes(*due));
        let asked = rest.split_first_chunk().map(|(length, name)| {
            Box::new(Asked { length: u32::from_be_bytes(*length), ..Asked::of(name) })
        });
        Some(Self {
            asked,
            lanes: Lanes { heard, sent },
            drop: u32::from_be_bytes(*drop),
            channel: u32::from_be_bytes(*channel),
            word: word_of(word)?,
            pending: word_of(pending).map(|word| (word, due)),
            owed,
            keyed: flags & 1 != 0,
            admitted: flags & 2 != 0,
        })
    }
}

/// A word's number when written down; the last is none.
fn number_of(word: Option<Word>) -> u8 {
    let place = Word::ALL.iter().position(|&one| Some(one) == word);
    place.unwrap_or(Word::ALL.len()) as u8
}

fn word_of(number: u8) -> Option<Word> {
    Word::ALL.get(usize::from(number)).copied()
}

impl State {
    fn read(saved: &[u8]) -> Option<Self> {
        let (&kind, rest) = saved.split_first()?;
        Some(match kind {
            0 => {
                let (cookie, line) = rest.split_first_chunk()?;
                Self::Offered { cookie: *cookie, line: line.to_vec() }
            }
            1 => Self::Agreed(Agreement::load(rest)?.0),
            2 => {
                let (due, rest) = rest.split_first_chunk()?;
                let due = Time::from_millis(u64::from_be_bytes(*due));
                let (agreement, request) = Agreement::load(rest)?;
                Self::Asked { agreement, request: request.to_vec(), due }
            }
            3 => Self::Talking(Talk::load(rest)?),
            _ => return None,
        })
    }
}

impl Saved for State {
    const LAYOUT: u32 = 0;

    fn load(saved: &mut &[u8]) -> Option<Self> {
        Self::read(core::mem::take(saved))
    }

    fn save(&self, out: &mut Vec<u8>) {
        match self {
            Self::Offered { cookie, line } => {
                out.push(0);
                out.extend_from_slice(cookie);
                out.extend_from_slice(line);
            }
            Self::Agreed(agreement) => {
                out.push(1);
                agreement.save(out);
            }
            Self::Asked { agreement, request, due } => {
                out.push(2);
                out.extend_from_slice(&due.as_millis().to_be_bytes());
                agreement.save(out);
                out.extend_from_slice(request);
            }
            Self::Talking(talk) => {
                out.push(3);
                talk.save(out);
            }
        }
    }
}
