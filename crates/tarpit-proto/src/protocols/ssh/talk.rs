//! A client of `ssh_auth_hold` under keys: what it asks, and when it is answered (RFC 4252, 4254 and
//! 4256).

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    base::{fact::Fact, said::Said, time::Time},
    protocols::{
        secret::Shown,
        ssh::{
            agreement::Lanes,
            auth_hold::idle,
            clients::{Client, Wait},
            course,
            lane::Opened,
            reply::Reply,
        },
    },
    script::{Cx, Heard, Step},
    states,
    wire::ssh::{
        self, Malformed, Plain,
        login::{self, Method, Request},
    },
};

states! {
    /// A client that keys were exchanged with.
    #[derive(Debug)]
    pub(crate) boxed struct Talk {
        client: Client,
        lanes: Lanes,
        /// Bytes of a packet that is too long, still to be dropped.
        drop: u32,
        /// The client's channel.
        channel: u32,
        /// Whose answers are awaited.
        asked: Option<Box<Asked>>,
        /// What is being said under keys; `None`: the packets that bring them into use go out.
        reply: Option<Reply>,
        pending: Option<Pending>,
        /// Answers of a channel that are still owed; at most 255, further ones are never given.
        owed: u8,
        /// Whether the client uses its keys, too.
        keyed: bool,
        /// Whether it has been told that it is in.
        admitted: bool,
    }

    /// What is to be said at that moment.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    boxed struct Pending {
        reply: Reply,
        due: Time,
    }

    /// A user who is asked for answers, to be told beside them.
    #[derive(Debug)]
    boxed struct Asked {
        /// The beginning of the name, and how long it is.
        name: Vec<u8>,
        length: u32,
    }
}

/// How long a client that was let in waits for each answer.
const INSIDE: Duration = Duration::from_secs(8);

/// What follows upon a message of the client's.
enum Answer {
    /// This, after so long.
    After(Wait, Reply),
    /// No more is heard of it.
    Deaf,
    /// Nothing new.
    None,
}

impl Answer {
    fn after(wait: Duration, reply: Reply) -> Self {
        Self::After(Wait::For(wait), reply)
    }

    fn at_once(reply: Reply) -> Self {
        Self::After(Wait::AtOnce, reply)
    }
}

/// What follows upon a packet that is none.
fn malform(malformed: Malformed, cx: &mut Cx<'_>) -> Answer {
    course::tell(malformed, cx);
    Answer::Deaf
}

impl Talk {
    /// A client to whom the packets go out that bring these keys into use.
    pub(super) fn new(client: Client, lanes: Lanes) -> Self {
        Self {
            client,
            lanes,
            drop: 0,
            channel: 0,
            asked: None,
            reply: None,
            pending: None,
            owed: 0,
            keyed: false,
            admitted: false,
        }
    }

    /// Hears something.
    pub(super) fn hear(&mut self, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match heard {
            Heard::Said(said) => self.read(said, cx),
            Heard::Sent => self.sent(cx),
            Heard::Silence => {
                self.begin_next(cx);
                Step::PROMPT
            }
            _ => Step::KEEP,
        }
    }

    /// Goes on with what is pending, or with packets to be ignored.
    fn go_on(&mut self, cx: &mut Cx<'_>) -> Step {
        self.reply = Some(Reply::Ignore);
        idle(self.pending.map(|pending| pending.due), Some(self.client), cx)
    }

    /// Makes the packet that is being said.
    pub(super) fn speak(&self, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let content = self.content(self.reply.unwrap_or(Reply::Ignore));
        self.lanes.sent.seal(&content, |padding| cx.rng.fill(padding), out);
    }

    pub(super) fn client(&self) -> Client {
        self.client
    }

    /// Reads packets until one is to be answered at once.
    fn read(&mut self, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
        let before = self.pending;
        let mut is_deaf = false;
        loop {
            if self.drop > 0 {
                let dropped = said.take(self.drop as usize).len();
                self.drop -= dropped as u32;
            }
            if said.rest().is_empty() {
                break;
            }
            let Some(answer) = self.take_message(said, cx) else { break };
            match answer {
                Answer::After(Wait::AtOnce, reply) => {
                    self.reply = Some(reply);
                    return Step::PROMPT;
                }
                Answer::After(Wait::For(wait), reply) => self.put_off(reply, wait, cx),
                Answer::After(Wait::Never, _) => self.pending = None,
                Answer::Deaf => {
                    // What it waits for does not come any more.
                    self.pending = None;
                    said.take_all();
                    is_deaf = true;
                }
                Answer::None => {}
            }
        }
        let step = if self.pending == before { Step::KEEP } else { self.go_on(cx) };
        if is_deaf { step.discarding() } else { step }
    }

    /// Takes the client's next packet. `None`: it is not whole yet.
    fn take_message(&mut self, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Option<Answer> {
        if !self.keyed {
            return Some(match ssh::plain(said) {
                Plain::Broken(malformed) => malform(malformed, cx),
                Plain::Incomplete => return None,
                Plain::Payload([ssh::MSG_NEWKEYS]) => {
                    self.keyed = true;
                    Answer::None
                }
                Plain::Payload(_) => {
                    self.lanes.heard.pass();
                    Answer::None
                }
            });
        }
        Some(match self.lanes.heard.open(said) {
            Opened::Broken(malformed) => malform(malformed, cx),
            Opened::Incomplete => return None,
            Opened::Payload(payload) => self.answer(&payload, cx),
            // The protocol allows packets of 35,000 bytes. So this one is not told as malformed, and
            // the client is heard on behind it.
            Opened::TooLong(length) => {
                self.drop = length as u32;
                Answer::None
            }
        })
    }

    /// What is said to one message.
    fn answer(&mut self, payload: &[u8], cx: &mut Cx<'_>) -> Answer {
        let limits = self.client.limits();
        match Request::read(payload) {
            Request::Answers(answers) => {
                for answer in answers {
                    self.asked.iter().for_each(|asked| asked.tell(cx));
                    cx.learn(Fact::Secret, answer);
                    cx.learn(Fact::Method, login::INTERACTIVE);
                }
                if self.lets_in(cx) {
                    Answer::after(INSIDE, Reply::Success)
                } else {
                    Answer::After(limits.guess, Reply::InfoRequest)
                }
            }
            Request::Authenticate { user, method } => self.authenticate(user, &method, cx),
            // There are channels only for those who were let in.
            Request::Channel { number } if self.admitted => {
                self.channel = number;
                Answer::after(INSIDE, Reply::ChannelOpen)
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
                    Answer::after(INSIDE, Reply::ChannelSuccess)
                }
            }
            Request::Global => Answer::at_once(Reply::RequestFailure),
            Request::Goodbye => Answer::Deaf,
            Request::Service => Answer::at_once(Reply::ServiceAccept),
            Request::Channel { .. } | Request::OfChannel { .. } | Request::Nothing => Answer::None,
        }
    }

    /// Whether a password lets the client in.
    fn lets_in(&self, cx: &Cx<'_>) -> bool {
        let Lanes { heard, sent } = &self.lanes;
        let compresses = heard.compresses() || sent.compresses();
        cx.poisons() && self.client.limits().stops && !compresses
    }

    /// What is said to a client that would be known as `user`.
    fn authenticate(&mut self, user: &[u8], method: &Method<'_>, cx: &mut Cx<'_>) -> Answer {
        cx.learn(Fact::User, user);
        match method {
            Method::Password(password) => cx.learn(Fact::Secret, password),
            Method::PublicKey(blob) => {
                cx.learn(Fact::SshKey, login::fingerprint(blob).as_bytes());
            }
            Method::Interactive | Method::None | Method::Other(_) => {}
        }
        cx.learn(Fact::Method, method.name());
        let is_asked = *method == Method::Interactive;
        self.asked = is_asked.then(|| Box::new(Asked::of(user)));
        let limits = self.client.limits();
        let failure = if limits.password { Reply::Failure } else { Reply::FailureAsking };
        match method {
            Method::Interactive => Answer::at_once(Reply::InfoRequest),
            Method::None => Answer::After(limits.none, failure),
            Method::Other(_) | Method::PublicKey(_) => Answer::at_once(failure),
            Method::Password(_) if self.lets_in(cx) => Answer::after(INSIDE, Reply::Success),
            Method::Password(_) => Answer::After(limits.guess, failure),
        }
    }

    /// A packet went out.
    fn sent(&mut self, cx: &mut Cx<'_>) -> Step {
        let Some(reply) = self.reply else { return self.go_on(cx) };
        let length = self.content(reply).len();
        self.lanes.sent.sent(length);
        self.admitted |= reply == Reply::Success;
        if reply == Reply::ChannelSuccess {
            self.owed = self.owed.saturating_sub(1);
            if self.owed > 0 {
                self.put_off(Reply::ChannelSuccess, INSIDE, cx);
            }
        }
        self.go_on(cx)
    }

    /// The moment has come for what is pending, or for a packet to be ignored.
    fn begin_next(&mut self, cx: &Cx<'_>) {
        let due = self.pending.take_if(|pending| pending.due <= cx.now);
        self.reply = Some(due.map_or(Reply::Ignore, |pending| pending.reply));
    }

    fn put_off(&mut self, reply: Reply, wait: Duration, cx: &mut Cx<'_>) {
        let due = cx.now.after(cx.rng.jitter(wait));
        self.pending = Some(Pending { reply, due });
    }

    fn content(&self, reply: Reply) -> Vec<u8> {
        reply.payload(self.channel, self.lanes.sent.number())
    }
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
