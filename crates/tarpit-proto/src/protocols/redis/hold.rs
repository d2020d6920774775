//! Redis: a server that wants a password and takes none, and whose answers do not end (RESP 2 and 3,
//! and inline commands).
//!
//! ```text
//!             a command       PING, without a password     sent
//! Listening ──────────────┬─► Stating ─────────────────────────► Listening
//!                         │   AUTH, HELLO      16.5 s            sent
//!                         ├─► Pausing ───────────────► Stating ──────────► Listening
//!                         │   INFO, any other                 sent
//!                         └─► Stating, the head of a bulk string ──────► Filling, for ever
//! ```
//! A bulk string says how long it is, up to 512 MiB, and a client waits for all of it as long as
//! something comes: redis-cli, redis-py and ncrack do so without any limit. hydra wants to be told at
//! once that it needs a password, and waits longer than we do for a verdict. `INFO` shows the version at
//! once, so that scanners record it.
//!
//! A worm says all its commands in one go. They are read on while its first answer fills, and told:
//! the keys that it sets, and as secrets the values.

use alloc::{boxed::Box, format, vec::Vec};

use crate::{
    base::{
        fact::Fact,
        pace::{BYTE_EVERY_8_SECONDS, Pace},
        said::Said,
        time::Wall,
    },
    persona::{Machine, Persona},
    protocols::{command, secret::Shown},
    script::{About, Cx, Heard, Protocol, ReadMode, Script, Side, Sight, Step},
    states,
    wire::{
        sighting::{Sighting, auth, either, prefix, verb},
        text,
    },
};

/// See the module.
pub(in crate::protocols) static REDIS: Protocol = Protocol {
    name: "redis",
    service: "redis",
    ports: &[6379, 6380],
    also_on: &[16_379],
    first: Side::Client,
    sight: Sight::Own(sight),
    among_others: None,
    bears_anything: true,
    openings: &[
        b"*2\r\n$4\r\nAUTH\r\n$8\r\nfoobared\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PING\r\n",
        b"info\r\n",
        b"AUTH foobared\r\n",
        b"KEYS *\r\n",
    ],
    greet: None,
    refuse: Some(refuse),
    try_it: "redis-cli -h {ip} -p {port} info",
    reason: "records passwords and what worms would set; no answer ends",
    facts: &[Fact::Command, Fact::Method, Fact::Secret, Fact::User],
    patterns: &[&RedisHold],
};

/// See the module.
pub(crate) struct RedisHold;

static ABOUT: About = About {
    protocol: Some(&REDIS),
    refuse: Some(refuse),
    ..About::new("redis_hold", "refuses every password slowly; every other answer goes on for ever")
};

/// How many commands of a client are heard; then it is held and no longer listened to.
const MOST_COMMANDS: u8 = 128;

/// How many words of a command are kept, and how many bytes of each; the rest is counted.
const MOST_WORDS: usize = 5;
const LONGEST_WORD: usize = Fact::SHOWN + 64;

/// The most that a client may say that a command or a word has, as real servers have it.
const MOST_IN_ARRAY: u32 = 1_024 * 1_024;
const LONGEST_BULK: u32 = 512 * 1_024 * 1_024;

/// How much filler is made at a time, in bytes.
const FILLER: usize = 64;

states! {
    /// Where a client stands, and what it is amid saying.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        at: At,
        /// How many commands it has said.
        commands: u8,
        request: Option<Box<Request>>,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum At {
        #[default]
        Listening,
        /// An answer waits for its moment.
        Pausing,
        /// An answer goes out.
        Stating { answer: Answer },
        /// A bulk string fills.
        Filling,
        /// The client is held in silence: it speaks no Redis.
        Holding,
    }

    /// What a client is told.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Answer {
        /// The head of a bulk string that never ends.
        Bulk,
        /// The same, with the server's version.
        Info,
        NoAuth,
        Protocol,
        WrongPass,
    }

    /// A command that is not whole yet.
    #[derive(Debug, Default)]
    pub(crate) boxed struct Request {
        /// How many words are still to come.
        words_left: u32,
        /// How much of the present word is still to come, with its end; `None`: its head comes.
        bulk_left: Option<u32>,
        /// Whether the present word is the last of those that are kept.
        is_kept: bool,
        words: Vec<Word>,
    }

    /// The beginning of a word, and how long it is.
    #[derive(Debug, Default)]
    boxed struct Word {
        kept: Vec<u8>,
        length: u32,
    }
}

impl Script for RedisHold {
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn pace(&self, _state: &State) -> Pace {
        BYTE_EVERY_8_SECONDS
    }

    fn step(&self, state: &mut State, heard: Heard<'_, '_>, cx: &mut Cx<'_>) -> Step {
        match (state.at, heard) {
            (_, Heard::Said(said)) if state.commands >= MOST_COMMANDS => {
                said.take_all();
                Step::KEEP.discarding()
            }
            (At::Listening, Heard::Opened) => Step::REST,
            (At::Listening, Heard::Said(said)) => match read(&mut state.request, said) {
                Reading::Command(words) => obey(state, &words, cx),
                Reading::Incomplete => Step::KEEP,
                Reading::Broken => {
                    said.take_all();
                    state.at = At::Stating { answer: Answer::Protocol };
                    Step::PROMPT.discarding()
                }
            },
            (At::Pausing | At::Stating { .. }, Heard::Said(said)) if said.is_full() => {
                keep_waiting(state, said, cx)
            }
            (At::Pausing, Heard::Silence) => {
                state.at = At::Stating { answer: Answer::WrongPass };
                Step::PROMPT
            }
            (At::Stating { answer: Answer::Bulk | Answer::Info }, Heard::Sent) => {
                state.at = At::Filling;
                state.listen(Step::DRIP)
            }
            (At::Stating { answer: Answer::Protocol }, Heard::Sent) => {
                state.at = At::Holding;
                Step::REST
            }
            (At::Stating { .. }, Heard::Sent) => {
                state.at = At::Listening;
                state.listen(Step::REST)
            }
            (At::Filling, Heard::Said(said)) => overhear(state, said, cx),
            (At::Filling, Heard::Sent) => Step::DRIP,
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        match state.at {
            At::Stating { answer } => answer.say(&cx.profile.persona, out),
            _ => filler(cx, out),
        }
    }
}

impl Answer {
    /// Appends it.
    fn say(self, persona: &Persona, out: &mut Vec<u8>) {
        match self {
            Self::Bulk => text::line("$536870912", out),
            Self::Info => {
                text::line("$536870912", out);
                text::line("# Server", out);
                text::line(&format!("redis_version:{}", version(persona)), out);
                text::line("redis_mode:standalone", out);
            }
            Self::NoAuth => text::line("-NOAUTH Authentication required.", out),
            Self::Protocol => text::line("-ERR Protocol error: expected '$', got ' '", out),
            Self::WrongPass => {
                text::line("-WRONGPASS invalid username-password pair or user is disabled.", out);
            }
        }
    }
}

/// The release that the persona's system has in its packages.
fn version(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::Debian12 => "7.0.15",
        Machine::IpCamera => "2.8.17",
        Machine::Ubuntu2204 => "6.0.16",
        Machine::WindowsServer2019 => "3.0.504",
    }
}

/// What a client of another protocol is told: most of them ask for a page.
fn refuse(_persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line("-ERR wrong number of arguments for 'get' command", out);
}

/// Appends bytes that a value may consist of.
fn filler(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    let mut bytes = [0; FILLER];
    cx.rng.fill(&mut bytes);
    out.extend(bytes.map(|byte| b'a' + byte % 26));
}

/// Answers a command.
fn obey(state: &mut State, words: &[Word], cx: &mut Cx<'_>) -> Step {
    tell(words, cx);
    state.commands = state.commands.saturating_add(1);
    let is = |place: usize, name: &str| {
        words.get(place).is_some_and(|word| word.kept.eq_ignore_ascii_case(name.as_bytes()))
    };
    let answer = if is(0, "PING") {
        Answer::NoAuth
    } else if is(0, "AUTH") || is(0, "HELLO") && is(2, "AUTH") {
        Answer::WrongPass
    } else if is(0, "INFO") {
        Answer::Info
    } else {
        Answer::Bulk
    };
    if state.commands >= MOST_COMMANDS {
        state.at = At::Stating { answer: Answer::Bulk };
        return Step::PROMPT.discarding();
    }
    if answer == Answer::WrongPass && cx.profile.rate.is_none() {
        state.at = At::Pausing;
        let silence = cx.rng.jitter(command::SILENCE);
        return Step::wait(cx.later(silence));
    }
    state.at = At::Stating { answer };
    Step::PROMPT
}

/// As much was said as may wait, and it is not its turn yet: the client's own sending stalls.
fn keep_waiting(state: &mut State, said: &mut Said<'_>, cx: &Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for commands.
        said.take_all();
        state.commands = MOST_COMMANDS;
        return Step::KEEP;
    }
    Step::KEEP.pausing()
}

impl State {
    /// The same step, and the client is heard from now on, unless it has said enough.
    fn listen(&self, step: Step) -> Step {
        if self.commands >= MOST_COMMANDS { step } else { step.delivering() }
    }
}

/// Reads on what a client says while its answer fills.
fn overhear(state: &mut State, said: &mut Said<'_>, cx: &mut Cx<'_>) -> Step {
    // One command a step, so that each is told by itself.
    match read(&mut state.request, said) {
        Reading::Command(words) => tell(&words, cx),
        Reading::Incomplete => return Step::KEEP,
        Reading::Broken => return Step::KEEP.discarding(),
    }
    state.commands = state.commands.saturating_add(1);
    if state.commands >= MOST_COMMANDS { Step::KEEP.discarding() } else { Step::KEEP }
}

/// Tells of a command. What proves a user, and what a key is set to, is told as a secret.
fn tell(words: &[Word], cx: &mut Cx<'_>) {
    let [name, arguments @ ..] = words else { return };
    let is = |wanted: &str| name.kept.eq_ignore_ascii_case(wanted.as_bytes());
    let credentials = match arguments {
        _ if is("AUTH") => arguments,
        [_, auth, credentials @ ..] if is("HELLO") && auth.kept.eq_ignore_ascii_case(b"AUTH") => {
            credentials
        }
        _ => &[],
    };
    match credentials {
        [] => {}
        [secret] => return tell_guess(None, secret, cx),
        [user, secret, ..] => return tell_guess(Some(user), secret, cx),
    }
    // Of what is written no more is shown than the key, or the user.
    let most = match () {
        () if WRITES.iter().any(|verb| is(verb)) => 1,
        () if is("ACL") => 2,
        () => arguments.len(),
    };
    let (shown, hidden) = arguments.split_at(most.min(arguments.len()));
    if let Some(value) = hidden.last() {
        cx.learn_part(Fact::Secret, &value.kept, value.length as usize);
    }
    let arguments = shown.iter().map(|word| &word.kept[..]).collect::<Vec<_>>().join(&b' ');
    let kept: usize = shown.iter().map(|word| word.kept.len()).sum();
    let in_all: usize = shown.iter().map(|word| word.length as usize).sum();
    let beyond = name.length as usize - name.kept.len() + in_all - kept;
    // Such as the password that a worm would set: `CONFIG SET requirepass`.
    if let Some(shown) = Shown::login(&name.kept, &arguments) {
        cx.learn(Fact::Command, &shown.line);
        return shown.tell(cx);
    }
    let line = [&name.kept[..], &arguments].join(&b' ');
    let shown = Shown::line(line.trim_ascii_end(), beyond > 0);
    cx.learn_part(Fact::Command, &shown.line, shown.line.len() + beyond);
    shown.tell(cx);
}

fn tell_guess(user: Option<&Word>, secret: &Word, cx: &mut Cx<'_>) {
    if let Some(user) = user {
        cx.learn_part(Fact::User, &user.kept, user.length as usize);
    }
    cx.learn_part(Fact::Secret, &secret.kept, secret.length as usize);
    cx.learn(Fact::Method, b"password");
}

/// What came of a client's bytes.
enum Reading {
    Broken,
    Command(Vec<Word>),
    Incomplete,
}

/// Reads on, to the end of a command.
fn read(request: &mut Option<Box<Request>>, said: &mut Said<'_>) -> Reading {
    let mut open = request.take().map_or_else(Request::default, |request| *request);
    loop {
        if let Some(left) = open.bulk_left {
            let bytes = said.take(left as usize);
            open.keep(bytes, left);
            let left = left - bytes.len() as u32;
            open.bulk_left = (left > 0).then_some(left);
            if left > 0 {
                break;
            }
            open.words_left -= 1;
            if open.words_left == 0 {
                return Reading::Command(open.words);
            }
            continue;
        }
        let Some(line) = said.line() else { break };
        if !line.ends_with(b"\n") {
            return Reading::Broken;
        }
        match (open.words_left, line.trim_ascii()) {
            (0, []) => {}
            (0, [b'*', count @ ..]) => match number(count, MOST_IN_ARRAY) {
                Some(count) => open.words_left = count,
                None => return Reading::Broken,
            },
            (0, words) => return Reading::Command(inline(words)),
            (_, [b'$', length @ ..]) => match number(length, LONGEST_BULK) {
                Some(length) => open.begin(length),
                None => return Reading::Broken,
            },
            _ => return Reading::Broken,
        }
    }
    if open.words_left > 0 {
        *request = Some(Box::new(open));
    }
    Reading::Incomplete
}

impl Request {
    /// A word of this length begins.
    fn begin(&mut self, length: u32) {
        self.is_kept = self.words.len() < MOST_WORDS;
        if self.is_kept {
            self.words.push(Word { kept: Vec::new(), length });
        }
        // With its end, which is two bytes.
        self.bulk_left = Some(length + 2);
    }

    /// Keeps of a word what there is room for; `left` is how much of it was still to come.
    fn keep(&mut self, bytes: &[u8], left: u32) {
        let Some(word) = self.words.last_mut().filter(|_| self.is_kept) else { return };
        let body = bytes.len().min(left.saturating_sub(2) as usize);
        let room = LONGEST_WORD.saturating_sub(word.kept.len());
        word.kept.extend_from_slice(&bytes[..body.min(room)]);
    }
}

/// The words of a command on a line.
fn inline(line: &[u8]) -> Vec<Word> {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let kept = |word: &[u8]| Word {
        kept: word[..word.len().min(LONGEST_WORD)].to_vec(),
        length: word.len() as u32,
    };
    words.take(MOST_WORDS).map(kept).collect()
}

/// A number of decimal digits, up to a bound.
fn number(digits: &[u8], most: u32) -> Option<u32> {
    let text = core::str::from_utf8(digits).ok()?;
    text.parse().ok().filter(|&number| number <= most)
}

/// Commands that write what stands behind a key.
const WRITES: &[&str] = &[
    "APPEND", "GETSET", "HMSET", "HSET", "HSETNX", "LPUSH", "MSET", "MSETNX", "PSETEX", "PUBLISH",
    "RPUSH", "SADD", "SET", "SETEX", "SETNX", "SETRANGE", "ZADD",
];

/// Commands that worms and scanners begin with in the inline form.
const VERBS: &[&[u8]] = &[
    b"CLIENT",
    b"COMMAND",
    b"CONFIG",
    b"ECHO",
    b"FLUSHALL",
    b"INFO",
    b"KEYS",
    b"PING",
    b"SELECT",
    b"SLAVEOF",
];

/// An array of bulk strings, or a command on a line.
fn sight(bytes: &[u8]) -> Sighting {
    let login = auth(bytes, |word| !word.is_empty());
    let array = match bytes.split_first() {
        Some((b'*', rest)) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match digits {
                0 if rest.is_empty() => Sighting::Incomplete,
                1..=7 => prefix(&rest[digits..], b"\r\n$"),
                _ => Sighting::Differs,
            }
        }
        _ => Sighting::Differs,
    };
    either(array, either(verb(bytes, VERBS), login))
}
