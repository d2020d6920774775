//! How a session handles one input: steps of the script, pacing, and the draft of the output.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::draft::{Draft, Form};
use crate::{
    base::{
        cause::Cause,
        fact::Facts,
        handshake_budget::{HandshakeBudget, LoadLevel},
        news::Event,
        pace::{Pace, Pacer, Rate},
        rng::{Purpose, Rng, shared_moment},
        said::Said,
        time::{Time, Wall, millis},
    },
    protocols::tls::clients,
    script::{
        Action, Before, Chunk, Cx, Heard, MAX_CHUNK, Manner, Notes, Pattern, ReadMode, Run,
        Security, Step,
    },
    session::{Doing, Input, Live, Session, Wake, World, number_of, pattern},
    transport::{Hearing, Malformed, PATIENCE, Transport},
};

/// The most bytes that wait to be heard before no more are read. What the caller has read by
/// then still finds room. A client's first message of TLS or SSH fits in, also with the large keys
/// of today's methods.
pub(super) const MAX_INBOX: usize = 4 * 1_024;

/// The most bytes that wait, of the client's and of ours, once the caller has read as many as it is
/// asked to: those of a script that waits for the rest, less than [`MAX_INBOX`], those of a record
/// of TLS that is not whole, a little more than 1.5 KiB, and what is read next, which so is never
/// nothing for long.
pub(super) const MAX_WAITING: usize = 6 * 1_024;

/// The most steps in answer to one input; a script that goes on longer is put to rest.
const MAX_STEPS: usize = 64;

/// How long after the connection took too little the next attempt is made under a rate.
const RETRY: Duration = Duration::from_millis(200);

/// How long after a client has closed its side its place is freed, where nothing may be sent that
/// would tell whether it still reads: two seconds, with what a caller may be late.
const GRACE: Duration = Duration::from_millis(1_800);

/// The most milliseconds by which the answer to a hello is later than its table has it: the same
/// wait for everybody would be a mark.
const LATENESS: u32 = 300;

/// How long after a parked client's turn came it is seen whether it may be spoken to again.
const PARKED: Duration = Duration::from_secs(8);

/// What comes out of a turn; the bytes of a transmission are in the draft.
pub(super) enum Next {
    Close(Cause),
    OpenData,
    Transmit,
    Wait(Wake),
}

/// One input being worked off.
pub(super) struct Turn<'a, 'w> {
    pub(super) now: Time,
    pub(super) session: &'a mut Session,
    pub(super) live: Live,
    pub(super) world: &'a mut World<'w>,
    pub(super) steps: usize,
    /// Whether the client has closed its side just now: what it is owed next begins to go out.
    pub(super) half_closed: bool,
}

impl Turn<'_, '_> {
    /// Takes the input in; says whether the connection takes no more bytes for now.
    pub(super) fn take(&mut self, input: Input<'_>, draft: &mut Draft) -> bool {
        match input {
            // Inside a chunk a changed state would make other bytes for the rest of it.
            Input::DataOpened if !self.live.hears() => {}
            Input::DataOpened => {
                self.step(Heard::DataOpened);
                self.listen();
            }
            Input::DataPort(port) if self.live.doing == Doing::Asking => {
                self.live.doing = Doing::Resting;
                self.step(Heard::DataPort(port));
                self.listen();
            }
            Input::DataPort(_) | Input::Due => {}
            Input::HalfClosed => self.half_close(),
            Input::HalfClosing => self.half_closing(),
            Input::Opened => self.step(Heard::Opened),
            Input::Said(bytes) => self.hear(bytes),
            Input::Wrote(count) => return self.wrote(count, draft),
        }
        false
    }

    /// Works on until there is something for the caller to do.
    pub(super) fn go(&mut self, blocked: bool, draft: &mut Draft) -> Next {
        loop {
            if self.steps > MAX_STEPS {
                debug_assert!(false, "a script that never waits");
                self.live.doing = Doing::Resting;
            }
            if let Some(transport) = &self.live.transport {
                if !transport.owed().is_empty() {
                    if blocked {
                        return self.retry();
                    }
                    draft.bytes.clear();
                    draft.bytes.extend_from_slice(transport.owed());
                    draft.form = Form::Owed;
                    return Next::Transmit;
                }
                // Nothing is ever said in the clear where it was to be encrypted.
                if self.live.doing.speaks() && !transport.speaks() {
                    self.live.doing = Doing::Resting;
                }
            }
            match self.live.doing {
                Doing::Asking => return Next::OpenData,
                Doing::Closing => return Next::Close(self.live.cause.unwrap_or(Cause::Finished)),
                Doing::Resting if self.half_closed => {
                    // A client that is gone and one that reads on look alike from here.
                    self.session.pacer = Pacer::starting(self.now.after(GRACE));
                    self.live.doing = Doing::Freeing;
                }
                Doing::Resting => return Next::Wait(Wake::Never),
                Doing::Freeing => {
                    let moment = self.session.pacer.moment(self.now);
                    if moment > self.now {
                        return Next::Wait(Wake::At(moment));
                    }
                    self.close(Cause::HalfClosed);
                }
                Doing::Waiting => {
                    let moment = self.session.pacer.moment(self.now);
                    if moment > self.now {
                        return Next::Wait(Wake::At(moment));
                    }
                    // A wait that is over is in force no longer, whatever the script answers.
                    self.live.doing = Doing::Resting;
                    self.step(Heard::Silence);
                    // A pattern that delivers again now hears what waited meanwhile.
                    self.listen();
                }
                Doing::Securing => {
                    let moment = self.session.pacer.moment(self.now);
                    if moment > self.now {
                        return Next::Wait(Wake::At(moment));
                    }
                    if self.live.transport.as_ref().is_some_and(|tls| tls.puts_off()) {
                        self.answer_hello();
                    } else {
                        self.give_up_securing();
                    }
                }
                Doing::Dripping
                | Doing::Greeting
                | Doing::Prompting
                | Doing::Stating
                | Doing::StatingLater => {
                    if blocked {
                        return self.retry();
                    }
                    // One byte frees the place of a client that is gone.
                    if self.world.budget.load_level() >= LoadLevel::Parked && !self.half_closed {
                        return Next::Wait(Wake::At(self.park()));
                    }
                    let allowance = self.allowance();
                    if allowance == 0 {
                        return Next::Wait(Wake::At(self.turn_at()));
                    }
                    if self.draft(allowance, draft) {
                        return Next::Transmit;
                    }
                }
            }
        }
    }

    /// The client will send nothing more.
    ///
    /// That alone does not tell whether it still reads. What it is owed next tells: a client that
    /// is gone answers with a reset. So a byte of it goes out at once, and only one, since a whole
    /// reply would spare the client a wait. A client that has said nothing to a server that lets it
    /// speak first has left.
    fn half_close(&mut self) {
        self.live.set_read_mode(ReadMode::Ended);
        match self.live.doing {
            Doing::Securing => self.give_up_securing(),
            // The pattern opens behind its greeting, and reads then that the client has ended.
            Doing::Greeting => {}
            _ => {
                self.step(Heard::HalfClosed);
                self.listen();
            }
        }
        let heard = self.live.heard_before + u64::from(self.session.heard);
        if (self.sent(), heard) == (0, 0) && !self.live.doing.speaks() {
            return self.close(Cause::Left);
        }
        self.half_closed = true;
        if self.live.doing == Doing::Waiting {
            self.end_wait_early();
        }
    }

    /// The same behind bytes that wait unread. The script hears of it once it has read them.
    fn half_closing(&mut self) {
        match self.live.doing {
            _ if self.live.read_mode == ReadMode::Ended => return,
            Doing::Securing => self.give_up_securing(),
            Doing::Waiting => self.end_wait_early(),
            _ => {}
        }
        self.half_closed = true;
        if self.live.doing == Doing::Waiting {
            // A wait that only another wait follows, as between two gulps of a mail.
            self.live.doing = Doing::Resting;
        }
    }

    /// Asks a script that waits what it will say, and puts that off until the wait would have been
    /// over, but for its first byte.
    fn end_wait_early(&mut self) {
        let moment = self.session.pacer.moment(self.now);
        self.live.doing = Doing::Resting;
        self.step(Heard::Silence);
        self.listen();
        match self.live.doing {
            // A rate without limit knows no moment from which bytes may go.
            Doing::Dripping | Doing::Prompting
                if self.world.profile.rate.is_some_and(|rate| rate != Rate::Unlimited) => {}
            Doing::Dripping if self.world.profile.rate.is_none() => {}
            Doing::Dripping | Doing::Prompting | Doing::Stating => {
                self.live.doing = Doing::StatingLater;
            }
            _ => return,
        }
        self.session.pacer.hold_until(self.now, moment);
    }

    fn close(&mut self, cause: Cause) {
        self.live.cause = Some(cause);
        self.live.doing = Doing::Closing;
    }

    /// The client sent `bytes`.
    fn hear(&mut self, bytes: &[u8]) {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.session.heard = self.session.heard.checked_add(count).unwrap_or_else(|| {
            self.live.heard_before += u64::from(self.session.heard) + u64::from(count);
            0
        });
        if self.live.transport.is_some() {
            self.decrypt(bytes);
        } else if self.live.read_mode == ReadMode::Deliver {
            self.live.inbox.extend_from_slice(bytes);
        }
        self.listen();
    }

    /// Lets the transport hear `bytes`, and does with what is said in them what is done with what
    /// is said in the clear.
    fn decrypt(&mut self, bytes: &[u8]) {
        let Some(transport) = &mut self.live.transport else { return };
        let mut plain = Vec::new();
        let mut facts = Facts::default();
        let learn = |fact, value: &[u8]| facts.add(fact, value, value.len());
        if matches!(self.live.read_mode, ReadMode::Discard | ReadMode::Ended) {
            transport.stop_listening();
        }
        let hearing = transport.hear(bytes, &mut plain, learn, clients::limits);
        facts.tell(self.world.news);
        self.heed(hearing, plain);
    }

    /// Answers the client's hello, which has waited for that. A client whose handshake can be
    /// afforded no more goes on in the clear, where the script hears its hello.
    fn answer_hello(&mut self) {
        let Some(mut transport) = self.live.transport.take() else { return };
        let cost = HandshakeBudget::TLS_COST;
        let Some(under_way) = self.world.budget.begin_handshake(cost) else {
            self.live.doing = Doing::Resting;
            self.live.inbox = transport.into_waiting();
            self.step(Heard::Secured(Security::Unavailable));
            return self.listen();
        };
        self.session.pacer = Pacer::starting(self.now.after(PATIENCE));
        let mut plain = Vec::new();
        let hearing = transport.answer(under_way, self.world.profile.tls.as_ref(), &mut plain);
        self.live.transport = Some(transport);
        self.heed(hearing, plain);
        self.listen();
    }

    /// Does what has to be done about what became of the transport, in which `plain` was said.
    fn heed(&mut self, hearing: Hearing, mut plain: Vec<u8>) {
        match hearing {
            Hearing::Plain => {}
            Hearing::Due(after) => {
                let late = self.now.after(after);
                let jitter = self.rng(Purpose::Step, self.now.as_millis()).below(LATENESS);
                let due = late.after(Duration::from_millis(jitter.into()));
                self.session.pacer = Pacer::starting(due);
            }
            Hearing::Ready { begun, limits } => {
                self.live.doing = Doing::Resting;
                self.session.pacer = Pacer::starting(self.now);
                let spent = self.now.since(begun);
                self.step(Heard::Secured(Security::Ready { limits, spent }));
            }
            Hearing::Failed(malformed) => {
                if let Some(malformed) = malformed {
                    let reason = malformed.reason();
                    let layer = Malformed::LAYER;
                    self.world.news.tell(Event::Malformed { layer, reason });
                }
                self.give_up_securing();
            }
        }
        if self.live.read_mode == ReadMode::Deliver {
            self.live.inbox.append(&mut plain);
        }
    }

    /// Holds a client in silence with which there is no speaking any more. The script is not told:
    /// there is nothing that it could say.
    fn give_up_securing(&mut self) {
        if let Some(transport) = &mut self.live.transport {
            transport.abandon();
        }
        self.live.doing = Doing::Resting;
        self.live.inbox = Vec::new();
        self.live.boxed = None;
        self.live.set_read_mode(ReadMode::Discard);
    }

    /// Lets the script hear what waits, as far as it can and will.
    ///
    /// It is shown at most [`MAX_INBOX`] bytes at a time, so that it makes no difference in which
    /// portions they came.
    fn listen(&mut self) {
        self.listen_once();
        if self.live.doing == Doing::Securing && !self.live.inbox.is_empty() {
            // What waits is the client's part of the handshake that was asked for.
            let waiting = core::mem::take(&mut self.live.inbox);
            self.decrypt(&waiting);
            self.listen_once();
        }
    }

    fn listen_once(&mut self) {
        if self.live.inbox.is_empty() {
            return;
        }
        // Steps never put anything into the inbox, so what is in it now is all there is.
        let inbox = core::mem::take(&mut self.live.inbox);
        let (mut start, steps) = (0, self.steps);
        while matches!(self.live.read_mode, ReadMode::Deliver | ReadMode::Ended)
            && self.live.hears()
            && start < inbox.len()
        {
            let rest = &inbox[start..];
            let window = &rest[..rest.len().min(MAX_INBOX)];
            let mut said = Said::new(window, window.len() == MAX_INBOX);
            let before = self.live.script;
            // Each round takes a byte at least, or is the last: the bytes are the bound.
            self.steps = 0;
            self.step_showing(Heard::Said(&mut said), window);
            let stuck = said.taken() == 0 && self.live.script == before;
            // Of as much as may wait nothing was understood: it is dropped, unless the script has
            // pauses reading until it is its turn.
            let is_lost = stuck && said.is_full() && self.live.read_mode != ReadMode::Paused;
            start += if is_lost { window.len() } else { said.taken() };
            if stuck && !is_lost {
                break;
            }
        }
        self.steps = self.steps.max(steps);
        if start == 0 {
            self.live.inbox = inbox;
        } else {
            self.live.inbox.extend_from_slice(&inbox[start..]);
        }
        if self.live.read_mode == ReadMode::Discard {
            self.live.inbox.clear();
        }
        // What grew by doubling has room for more than waits.
        self.live.inbox.shrink_to_fit();
    }

    /// `count` bytes of the draft have gone out.
    fn wrote(&mut self, count: usize, draft: &mut Draft) -> bool {
        let count = count.min(draft.bytes.len());
        let mut blocked = count < draft.bytes.len();
        let count = match (draft.form, &mut self.live.transport) {
            (Form::Owed, Some(transport)) => {
                transport.pay(count);
                return blocked;
            }
            // As soon as a byte of a record has gone out all of it has been said.
            (Form::Sealed(said), Some(transport)) if count > 0 => {
                transport.sealed(&draft.bytes[count..]);
                blocked = false;
                said
            }
            _ => count,
        };
        let sent = u32::try_from(count).unwrap_or(u32::MAX);
        self.session.sent = self.session.sent.checked_add(sent).unwrap_or_else(|| {
            self.live.sent_before += u64::from(self.session.sent) + u64::from(sent);
            0
        });
        self.pay(count, blocked, draft.pace);
        let mut start = 0;
        let mut marks = core::mem::take(&mut draft.marks);
        for mark in marks.drain(..) {
            if mark.end > count {
                break;
            }
            start = mark.end;
            self.live.run = mark.run;
            self.live.set_read_mode(mark.read_mode);
            self.live.offset = 0;
            self.tell(&mark.notes, &[]);
            self.apply(mark.step);
        }
        draft.marks = marks;
        let within = u16::try_from(count - start).unwrap_or(u16::MAX);
        self.live.offset = self.live.offset.saturating_add(within);
        if !blocked && draft.complete {
            self.live.offset = 0;
            self.live.boxed = None;
            if self.live.doing == Doing::Greeting {
                self.enter(self.pattern(), Before::NOTHING);
            } else {
                self.step(Heard::Sent);
            }
        }
        // Also after a mark: what a chunk kept waiting is heard as soon as the chunk has gone.
        self.listen();
        blocked
    }

    /// Takes what was sent off the credit, or lets an interval of its own pace follow.
    fn pay(&mut self, count: usize, blocked: bool, pace: Pace) {
        let now = self.now;
        match (self.live.doing, self.world.profile.rate) {
            (Doing::Dripping | Doing::Prompting, Some(rate)) => {
                self.session.pacer.spend(now, rate, count);
                if blocked && rate != Rate::Unlimited {
                    self.session.pacer.hold_until(now, now.after(RETRY));
                }
            }
            (Doing::Dripping, None) => self.rest_one_interval(pace),
            _ if blocked => self.session.pacer.hold_until(now, now.after(RETRY)),
            _ => {}
        }
    }

    /// Lets the next turn of the pattern's own pace come one interval from now.
    fn rest_one_interval(&mut self, pace: Pace) {
        let interval = self.world.budget.stretch(pace.interval);
        self.session.pacer.hold_until(self.now, self.shared_moment(interval));
    }

    /// The script hears something, and what it answers is done.
    fn step(&mut self, heard: Heard<'_, '_>) {
        self.step_showing(heard, &[]);
    }

    fn step_showing(&mut self, heard: Heard<'_, '_>, first: &[u8]) {
        let point = match heard {
            // The same at every attempt, since a draft may be thrown away and made again.
            Heard::Sent => self.sent(),
            _ => self.now.as_millis() | 1 << 63,
        };
        let mut run = core::mem::take(&mut self.live.run);
        let pattern = self.pattern();
        let rng = self.rng(Purpose::Step, point);
        let secured = self.live.transport.is_some();
        let mut cx = cx(self.world, self.now, rng, self.live.read_mode, secured);
        let step = pattern.step(&mut run, heard, &mut cx);
        let notes = cx.notes;
        self.live.run = run;
        self.steps += 1;
        if first.is_empty() && notes.validated.is_some() {
            // Decided for want of more: what waits is what was looked at.
            let waiting = self.live.inbox.get(..Event::SHOWN).unwrap_or(&self.live.inbox).to_vec();
            self.tell(&notes, &waiting);
        } else {
            self.tell(&notes, first);
        }
        self.apply(step);
    }

    /// Does what the script answered.
    fn apply(&mut self, step: Step) {
        if let Some(read_mode) = step.read_mode {
            self.live.set_read_mode(read_mode);
        }
        match step.action {
            Action::Become(pattern) => self.enter(pattern, Before::NOTHING),
            Action::HandOn { pattern, before } => self.hand_on(pattern, before),
            Action::Close(cause) => self.close(cause),
            Action::Keep => {}
            Action::OpenData => {
                self.end_wait();
                self.live.doing = Doing::Asking;
            }
            Action::Secure => {
                debug_assert!(
                    self.world.profile.any_pattern(|it| it.uses().tls),
                    "a pattern hides this"
                );
                if self.may_secure() {
                    self.end_wait();
                    self.live.transport = Some(Box::new(Transport::begin(self.now)));
                    self.live.doing = Doing::Securing;
                    self.live.set_read_mode(ReadMode::Deliver);
                    self.session.pacer.hold_until(self.now, self.now.after(PATIENCE));
                } else {
                    self.step_bounded(Heard::Secured(Security::Unavailable));
                }
            }
            Action::Send(manner, chunk) => self.begin(manner, chunk),
            Action::Wait(until) => {
                self.end_wait();
                self.live.offset = 0;
                self.live.doing = match until {
                    None => Doing::Resting,
                    Some(until) => {
                        // A wait always lies ahead.
                        let soonest = self.now.after(Duration::from_millis(1));
                        self.session.pacer.hold_until(self.now, until.max(soonest));
                        Doing::Waiting
                    }
                };
            }
        }
    }

    /// Lets another pattern take over, for a client that has this behind it.
    fn enter(&mut self, pattern: &'static dyn Pattern, before: Before) {
        self.live.script = number_of(pattern, self.world.profile);
        // The patience of the script before does not bind the next.
        self.live.doing = Doing::Resting;
        self.session.pacer = Pacer::starting(self.now);
        let rng = self.rng(Purpose::Step, self.now.as_millis());
        let secured = self.live.transport.is_some();
        let mut cx = cx(self.world, self.now, rng, self.live.read_mode, secured);
        cx.before = before;
        self.live.run = pattern.open(&mut cx);
        self.step_bounded(Heard::Opened);
    }

    /// Greets for another pattern, whole and at once, and then lets it take over. A greeting ends
    /// the wait in which the client has spent its time.
    fn hand_on(&mut self, pattern: &'static dyn Pattern, before: Before) {
        let mut words = Vec::new();
        if let Some(greet) = pattern.about().greet {
            let wall = wall(self.world.start, self.now);
            greet(&self.world.profile.persona, wall, &mut words);
        }
        if words.is_empty() {
            return self.enter(pattern, before);
        }
        self.begin(Manner::Whole, Chunk::Boxed(words.into()));
        self.live.script = number_of(pattern, self.world.profile);
        self.live.run = Run::default();
        self.live.doing = Doing::Greeting;
    }

    /// Whether a handshake may be awaited: there is what TLS takes, and one more could be afforded.
    /// It is paid for when the client's hello is answered. There is no TLS in TLS.
    fn may_secure(&mut self) -> bool {
        self.live.transport.is_none()
            && self.world.profile.tls.is_some()
            && self.world.budget.expects_handshake(HandshakeBudget::TLS_COST)
    }

    /// One step that answers a step, unless there have been too many.
    fn step_bounded(&mut self, heard: Heard<'_, '_>) {
        if self.steps <= MAX_STEPS {
            self.step(heard);
        }
    }

    /// Lets a wait or a rest, if that is what it is doing, hold nothing up that comes instead of
    /// it: the end of a wait, or a moment so long past that it would be read as ahead.
    fn end_wait(&mut self) {
        let owed = match (self.live.doing, self.world.profile.rate) {
            (Doing::Resting | Doing::Waiting, Some(rate)) => rate.price_of_one(),
            (Doing::Resting, None) if self.session.pacer.moment(self.now) <= self.now => return,
            // A rest may have come right behind a drip, which is owed its interval.
            (Doing::Resting, None) => {
                let pace = self.pace().interval;
                pace + pace / 10
            }
            (Doing::Waiting, None) => Duration::ZERO,
            _ => return,
        };
        self.session.pacer.cut_short(self.now, owed);
    }

    /// Begins to send a chunk.
    fn begin(&mut self, manner: Manner, chunk: Chunk) {
        self.end_wait();
        let before = self.live.doing;
        self.live.doing = match manner {
            Manner::Drip => Doing::Dripping,
            Manner::Prompt => Doing::Prompting,
            Manner::Whole => Doing::Stating,
        };
        self.live.offset = 0;
        self.live.boxed = match chunk {
            Chunk::Boxed(bytes) => {
                debug_assert!(bytes.len() <= MAX_CHUNK, "a chunk beyond its bound");
                Some(bytes)
            }
            Chunk::Spoken => None,
        };
        let own_pace = self.world.profile.rate.is_none();
        match before {
            Doing::Greeting | Doing::Prompting | Doing::Stating | Doing::StatingLater
                if own_pace && manner == Manner::Drip =>
            {
                let pace = self.pace();
                self.rest_one_interval(pace);
            }
            Doing::Dripping => {}
            // Time in which nothing was to be sent earns no credit.
            Doing::Prompting if !own_pace => {}
            _ => self.session.pacer.hold_until(self.now, self.now),
        }
    }

    /// How many bytes may go now.
    fn allowance(&mut self) -> usize {
        match self.allowance_in_time() {
            0 if self.half_closed => 1,
            allowance => allowance,
        }
    }

    fn allowance_in_time(&mut self) -> usize {
        let (now, pacer) = (self.now, self.session.pacer);
        match (self.live.doing, self.world.profile.rate) {
            (Doing::Dripping | Doing::Prompting, Some(rate)) => pacer.allowance(now, rate),
            (Doing::Dripping, None) | (Doing::StatingLater, _) if pacer.moment(now) > now => 0,
            // Of a chunk that goes by the byte the draft takes one.
            _ => usize::MAX,
        }
    }

    /// Whether bytes go at the pattern's own pace.
    pub(super) fn keeps_own_pace(&self) -> bool {
        self.live.doing == Doing::Dripping && self.world.profile.rate.is_none()
    }

    /// Puts off what is to be sent; says until when.
    fn park(&mut self) -> Time {
        let moment = self.session.pacer.moment(self.now);
        if moment > self.now {
            return moment;
        }
        let later = self.shared_moment(PARKED);
        self.session.pacer.hold_until(self.now, later);
        later
    }

    /// When the next bytes may go.
    fn turn_at(&self) -> Time {
        match self.world.profile.rate {
            Some(rate) if self.live.doing != Doing::StatingLater => {
                self.session.pacer.turn(self.now, rate)
            }
            _ => self.session.pacer.moment(self.now),
        }
    }

    /// When to try again after the connection took too little.
    fn retry(&self) -> Next {
        let unlimited = self.world.profile.rate == Some(Rate::Unlimited);
        // What is owed belongs to what went before: no wait of the script's is for it.
        if self.live.transport.as_ref().is_some_and(|transport| !transport.owed().is_empty()) {
            return Next::Wait(Wake::At(self.now.after(RETRY)));
        }
        Next::Wait(if unlimited && !self.live.doing.states() {
            Wake::Writable
        } else {
            Wake::At(self.session.pacer.moment(self.now).max(self.now.after(RETRY)))
        })
    }

    fn tell(&mut self, notes: &Notes, first: &[u8]) {
        notes.facts.tell(self.world.news);
        if let Some(phrase) = notes.phrase {
            self.world.news.tell(Event::Phrase(phrase));
        }
        if let Some((expected, comment)) = notes.validated {
            let data = &first[..first.len().min(Event::SHOWN)];
            self.world.news.tell(Event::Validated { expected, data, comment });
        }
        if let Some((layer, reason)) = notes.malformed {
            self.world.news.tell(Event::Malformed { layer, reason });
        }
    }

    pub(super) fn pattern(&self) -> &'static dyn Pattern {
        pattern(self.live.script, self.world.profile)
    }

    /// The pattern's own pace for the client as it stands.
    fn pace(&mut self) -> Pace {
        self.pattern().pace(&mut self.live.run)
    }

    pub(super) fn rng(&self, purpose: Purpose, point: u64) -> Rng {
        Rng::new(self.world.seed, self.world.id, purpose, point)
    }

    /// About `wait` from now, together with others of the client's group.
    fn shared_moment(&self, wait: Duration) -> Time {
        shared_moment(self.world.seed, self.world.group, self.now, wait)
    }

    pub(super) fn sent(&self) -> u64 {
        self.live.sent_before + u64::from(self.session.sent)
    }
}

pub(super) fn wall(start: Wall, now: Time) -> Wall {
    wall_before(start, now, Duration::ZERO)
}

/// The calendar's moment so long ago, which may be before the daemon's start.
pub(super) fn wall_before(start: Wall, now: Time, ago: Duration) -> Wall {
    let now = start.0.saturating_mul(1_000).saturating_add(now.as_millis() / 10 * 10);
    Wall(now.saturating_sub(millis(ago)) / 1_000)
}

pub(super) fn cx<'a>(
    world: &'a mut World<'_>,
    now: Time,
    rng: Rng,
    read_mode: ReadMode,
    secured: bool,
) -> Cx<'a> {
    Cx {
        now,
        wall: wall(world.start, now),
        rng,
        entropy: &mut *world.entropy,
        budget: &mut *world.budget,
        pins: &mut *world.pins,
        profile: world.profile,
        conn: world.conn,
        read_mode,
        secured,
        before: Before::NOTHING,
        notes: Notes::default(),
    }
}
