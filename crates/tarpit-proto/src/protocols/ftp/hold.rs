//! `ftp_hold`: an FTP server that takes its time for each login, and refuses it in a reply whose
//! last line never comes (RFC 959; RFC 4217 for TLS).
//!
//! ```text
//!               any command                         sent
//!             ┌───────────► Stating ◄──── 16 s ── Pausing ◄── USER
//! greeted ► Listening ◄────────┘ │ 234         150 │
//!             ▲  │               ▼                 ▼
//!             │  │             Securing     Transferring, for ever
//!             │  │   PASS, 16 s                              sent
//!             │  └───────────► Pausing ────► Drawing: 530-, ──────► and so on, for ever
//!             └──────────────────────────────── a command
//! ```
//! Libraries read on for the last line of a refusal. Guessers decide on what arrives first, so the
//! refusal holds a notice for them: one of its lines begins with a number, as the last line of a
//! reply does. Clients that compare the codes pass over it. Clients that compare none are known by
//! the commands in front of their login, and get no such line. A client that goes on to the next
//! command is answered, as slowly.
//!
//! No client gets in, except the anonymous one with `poison`: `ftp_listing` holds its data
//! connection. tarpitd never connects to an address that a client names.

use alloc::{format, vec::Vec};
use core::net::IpAddr;

use crate::{
    base::{
        fact::Fact,
        pace::{EVERY_8_SECONDS, Pace},
    },
    persona::System,
    protocols::{
        command::{self, Answered, Command, Line, Lines},
        ftp::{
            clients,
            listing::FtpListing,
            reply::{self, Reply, Transfers},
        },
        secret,
    },
    script::{About, Chunk, Cx, Heard, Manner, ReadMode, Script, Security, Step, Uses},
    states,
    wire::sighting::Sighting,
};

/// See the module.
pub(crate) struct FtpHold;

states! {
    /// See the module.
    #[derive(Debug, Default)]
    pub(crate) struct State {
        phase: Phase,
        login: Login,
        /// It has shown that it reads replies to their last line.
        is_patient: bool,
        /// It wants data as it is, and not as text.
        is_binary: bool,
        /// It wants data encrypted.
        is_private: bool,
        /// It has begun to log in: lines that are no commands may be passwords.
        is_guessing: bool,
        answered: Answered,
        lines: Lines,
    }

    #[derive(Clone, Copy, Debug, Default)]
    enum Phase {
        /// The first line of an endless reply goes out, or a further one.
        Drawing { reply: Reply, is_begun: bool },
        #[default]
        Listening,
        /// A port for data is looked for, and told in the long form or the short one.
        Opening { is_extended: bool },
        Pausing { reply: Reply },
        Securing,
        Silent,
        Stating { reply: Reply },
        /// The client is told where it is awaited.
        Telling,
        Transferring,
    }

    /// How far a client has come to get in.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Login {
        /// It may ask for a transfer if it was told a port.
        In { has_port: bool },
        #[default]
        Nobody,
        Named { is_anonymous: bool },
    }
}

/// The most commands of one client that are told of, besides names and passwords.
const MOST_TOLD: u8 = 20;

static ABOUT: About = About {
    protocol: Some(&super::FTP),
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    uses: Uses { poison: true, tls: true, ..Uses::NOTHING },
    data: Some(&FtpListing),
    ..About::new("ftp_hold", "refuses every login slowly, as often as the client tries")
};

impl Script for FtpHold {
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
            (Phase::Listening | Phase::Drawing { .. }, Heard::Said(said)) => {
                match state.lines.next(said) {
                    Some(Line::Command(command)) => obey(state, command, cx),
                    Some(Line::Overlong(line)) => {
                        line.tell(state.is_guessing, cx);
                        say(state, Reply::TooLong)
                    }
                    None => Step::KEEP,
                }
            }
            (Phase::Pausing { reply }, Heard::Silence) => end_pause(state, reply),
            // A client that names another user takes silence for a server that has died.
            (Phase::Pausing { reply: Reply::Password }, Heard::Said(said))
                if names_user(said.rest()) =>
            {
                end_pause(state, Reply::Password)
            }
            (
                Phase::Opening { .. }
                | Phase::Pausing { .. }
                | Phase::Stating { .. }
                | Phase::Telling,
                Heard::Said(said),
            ) if said.is_full() => keep_waiting(state, cx),
            (Phase::Drawing { reply, .. }, Heard::Sent) => {
                state.phase = Phase::Drawing { reply, is_begun: true };
                Step::DRIP
            }
            (Phase::Stating { reply }, Heard::Sent) => follow(state, reply),
            (Phase::Telling, Heard::Sent) => {
                state.phase = Phase::Listening;
                Step::REST.delivering()
            }
            (Phase::Opening { is_extended }, Heard::DataPort(port)) => {
                tell_port(state, is_extended, port, cx)
            }
            (Phase::Securing, Heard::Secured(Security::Ready { .. })) => {
                // A client that has logged in does so anew (RFC 4217, section 7).
                *state = State { is_patient: state.is_patient, ..State::default() };
                Step::REST
            }
            (Phase::Securing, Heard::Secured(_)) => {
                state.phase = Phase::Silent;
                Step::REST.discarding()
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, state: &State, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let persona = &cx.profile.persona;
        match state.phase {
            Phase::Drawing { reply, is_begun: false } => {
                reply.begin(persona, out);
                if reply == Reply::Refused && !state.is_patient {
                    Reply::notice(persona, out);
                }
            }
            Phase::Drawing { reply, is_begun: true } => reply.go_on(persona, &mut cx.rng, out),
            Phase::Pausing { reply } | Phase::Stating { reply } => {
                reply.say(persona, cx.secured, out);
            }
            Phase::Listening
            | Phase::Opening { .. }
            | Phase::Securing
            | Phase::Silent
            | Phase::Telling
            | Phase::Transferring => {}
        }
    }
}

/// Does what a command says.
fn obey(state: &mut State, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    if command.is("USER") {
        return take_name(state, command.argument, cx);
    }
    if command.is("PASS") {
        return take_password(state, command.argument, cx);
    }
    if state.answered.count < MOST_TOLD {
        command.tell(state.is_guessing && !is_known(command), cx);
    }
    state.is_guessing |= command.is_login();
    state.is_patient |= clients::is_patient(command.verb);
    if command.is("QUIT") {
        state.phase = Phase::Drawing { reply: Reply::Bye, is_begun: false };
        return Step::PROMPT.discarding();
    }
    let persona = &cx.profile.persona;
    // A client that asks for features first is lftp. It would leave at a self-signed certificate,
    // and goes on in the clear where there is none.
    if cx.offers_tls()
        && !state.is_patient
        && let Some(reply) = reply::securing(command, persona)
    {
        // Behind the reply it would be too late to say so.
        let is_refused = reply == Reply::Tls && !cx.affords_tls();
        return say(state, if is_refused { Reply::NoTls } else { reply });
    }
    if let Some(reply) = reply::always(command, persona, cx.secured) {
        if matches!(reply, Reply::Clear | Reply::Private) {
            state.is_private = reply == Reply::Private;
        }
        return say(state, reply);
    }
    let Login::In { has_port } = state.login else { return say(state, Reply::LoginFirst) };
    let State { is_binary, is_private, .. } = *state;
    let transfers = Transfers { is_binary, is_private, secured: cx.secured };
    if let Some(text) = reply::made(command, persona, cx.conn, transfers) {
        state.phase = Phase::Telling;
        let manner = state.answered.manner();
        return Step::send(manner, Chunk::Boxed(text.into_bytes().into()));
    }
    let is_for_all = command.is("EPSV") && command.argument.eq_ignore_ascii_case(b"ALL");
    if command.is_one_of(&["EPSV", "PASV"]) && !is_for_all {
        state.phase = Phase::Opening { is_extended: command.is("EPSV") };
        return Step::OPEN_DATA;
    }
    match reply::inside(command) {
        Reply::Listing | Reply::NoFile | Reply::Store if !has_port => say(state, Reply::NoPort),
        reply @ (Reply::Ascii | Reply::Binary) => {
            state.is_binary = reply == Reply::Binary;
            say(state, reply)
        }
        reply => say(state, reply),
    }
}

/// Whether a file server knows the command.
fn is_known(command: Command<'_>) -> bool {
    super::sight::command(&[command.verb, b" "].concat()) == Sighting::Matches
}

/// Asks for a password, after a silence.
fn take_name(state: &mut State, words: &[u8], cx: &mut Cx<'_>) -> Step {
    secret::learn_name(words, words.len(), cx);
    // vsftpd lets nobody change from the anonymous user to another.
    if matches!(state.login, Login::In { .. }) && cx.profile.persona.system() != System::Windows {
        return ponder(state, Reply::Guest, cx);
    }
    let is_anonymous = clients::is_anonymous(secret::name(words).0);
    state.login = Login::Named { is_anonymous };
    state.is_guessing = true;
    state.is_patient |= is_anonymous;
    ponder(state, Reply::Password, cx)
}

/// Judges a password, after a silence.
fn take_password(state: &mut State, password: &[u8], cx: &mut Cx<'_>) -> Step {
    cx.learn(Fact::Secret, password);
    cx.learn(Fact::Method, b"password");
    let is_anonymous = match state.login {
        Login::In { .. } => return ponder(state, Reply::InAlready, cx),
        Login::Named { is_anonymous } => is_anonymous,
        Login::Nobody => return say(state, Reply::NameFirst),
    };
    if is_anonymous && cx.poisons() {
        state.login = Login::In { has_port: false };
        return ponder(state, Reply::Welcome, cx);
    }
    state.login = Login::Nobody;
    ponder(state, Reply::Refused, cx)
}

/// Says something at once, as far as so much is answered at once.
fn say(state: &mut State, reply: Reply) -> Step {
    state.phase = Phase::Stating { reply };
    state.answered.answer()
}

/// Says something of a name or a password, after a silence.
fn ponder(state: &mut State, reply: Reply, cx: &mut Cx<'_>) -> Step {
    // What a user has set a rate for is to flow.
    if cx.profile.rate.is_some() {
        return end_pause(state, reply);
    }
    state.phase = Phase::Pausing { reply };
    let silence = cx.rng.jitter(command::SILENCE);
    Step::wait(cx.later(silence))
}

fn end_pause(state: &mut State, reply: Reply) -> Step {
    if reply != Reply::Refused {
        state.phase = Phase::Stating { reply };
        return Step::PROMPT;
    }
    // It is heard from now on.
    state.phase = Phase::Drawing { reply, is_begun: false };
    Step::PROMPT.delivering()
}

/// As much was said as may wait, and it is not its turn yet: the client's own sending stalls.
fn keep_waiting(state: &mut State, cx: &Cx<'_>) -> Step {
    if cx.read_mode == ReadMode::Ended {
        // It will be dropped, and what is behind it must not be taken for commands.
        state.phase = Phase::Silent;
        return Step::REST.discarding();
    }
    Step::KEEP.pausing()
}

/// Whether the client's next words are a user's name.
fn names_user(said: &[u8]) -> bool {
    said.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"USER "))
}

/// A whole reply has gone out.
fn follow(state: &mut State, reply: Reply) -> Step {
    match reply {
        Reply::Listing | Reply::Store => {
            state.phase = Phase::Transferring;
            Step::REST.discarding()
        }
        Reply::Tls => {
            state.phase = Phase::Securing;
            Step::SECURE.delivering()
        }
        _ => {
            state.phase = Phase::Listening;
            Step::REST.delivering()
        }
    }
}

/// Tells where the client is awaited (RFC 959, section 4.2.2; RFC 2428, section 3), if anywhere.
fn tell_port(state: &mut State, is_extended: bool, port: Option<u16>, cx: &Cx<'_>) -> Step {
    let address = match (cx.profile.passive_address, cx.conn.server.ip().to_canonical()) {
        (Some(address), _) | (None, IpAddr::V4(address)) => Some(address),
        (None, IpAddr::V6(_)) => None,
    };
    let line = match (port, is_extended, address) {
        (Some(port), true, _) => format!("229 Entering Extended Passive Mode (|||{port}|)\r\n"),
        (Some(port), false, Some(address)) => {
            let ([a, b, c, d], [high, low]) = (address.octets(), port.to_be_bytes());
            format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low}).\r\n")
        }
        // The short form has no room for a long address.
        (None, ..) | (Some(_), false, None) => return say(state, Reply::Unopened),
    };
    state.login = Login::In { has_port: true };
    state.phase = Phase::Telling;
    Step::send(Manner::Prompt, Chunk::Boxed(line.into_bytes().into()))
}
