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
//! Libraries read on for the last line of a refusal. Guessers decide on what arrives first: for
//! them it holds a notice of which a line begins with a number, as the last line of a reply does,
//! and which whoever compares the codes passes over. Those that compare none are known by what they
//! say before, and get no such line. Whoever goes on to the next command is answered, as slowly.
//!
//! Nobody gets in but, where the user wants it, the anonymous; for them `ftp_listing` is on the data
//! connection. We never connect to where a client tells us to.

use alloc::{format, vec::Vec};
use core::net::IpAddr;

use crate::{
    base::{
        fact::Fact,
        pace::{EVERY_8_SECONDS, Pace},
        time::Wall,
    },
    persona::Persona,
    phases,
    protocols::{
        command::{self, Command},
        ftp::{clients, listing::FtpListing, reply::Reply},
        secret,
    },
    script::{
        About, Chunk, Cx, Heard, Manner, ReadMode, Script, Security, Step, Uses, legacy::Registers,
    },
    wire::sighting::Sighting,
    wire::text,
};

/// See the module.
pub(crate) struct FtpHold;

phases! {
    enum Phase { Listening, Drawing, Opening, Pausing, Securing, Silent, Stating, Transferring }
}

/// The most commands of one client that are told of, besides names and passwords.
const MOST_TOLD: u32 = 20;

/// Flags in [`Registers::mark`], whose lowest bit belongs to [`command`]; behind them lies the reply.
const NAMED: u32 = 1 << 1;
const ANONYMOUS: u32 = 1 << 2;
/// It has shown that it reads replies to their last line.
const PATIENT: u32 = 1 << 3;
const IN: u32 = 1 << 4;
/// It may ask for a transfer.
const PASSIVE: u32 = 1 << 5;
/// It asked for the long form of that.
const EXTENDED: u32 = 1 << 6;
/// It has begun to log in: lines that are no commands may be passwords.
const GUESSING: u32 = 1 << 7;
const REPLY: u32 = 8;

static ABOUT: About = About {
    protocol: Some(&super::FTP),
    greet: Some(greet),
    refuse: Some(refuse),
    uses: Uses { poison: true, tls: true, ..Uses::NOTHING },
    data: Some(&FtpListing),
    ..About::new("ftp_hold", "refuses every login slowly, as often as the client tries")
};

/// The greeting.
pub(super) fn greet(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    text::line(persona.ftp(), out);
}

/// What strangers are told.
pub(super) fn refuse(persona: &Persona, _wall: Wall, out: &mut Vec<u8>) {
    Reply::LoginFirst.say(persona, false, out);
}

impl Script for FtpHold {
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
            (Phase::Listening | Phase::Drawing, Heard::Said(said)) => {
                match command::next_kept(said, run) {
                    Some(command) => obey(run, command, cx),
                    None => Step::KEEP,
                }
            }
            (Phase::Pausing, Heard::Silence) => end_pause(run),
            // Who names another user does not wait, and takes silence for a server that has died.
            (Phase::Pausing, Heard::Said(said))
                if reply(run) == Reply::Password && names_user(said.rest()) =>
            {
                end_pause(run)
            }
            (Phase::Drawing, Heard::Sent) => {
                run.count = run.count.saturating_add(1);
                Step::DRIP
            }
            (Phase::Stating, Heard::Sent) => follow(run, cx),
            (Phase::Opening, Heard::DataPort(port)) => tell_port(run, port, cx),
            (Phase::Securing, Heard::Secured(Security::Ready)) => {
                // Who has logged in does so anew (RFC 4217, section 7).
                *run = Registers { mark: run.mark & PATIENT, ..Registers::default() };
                Step::REST
            }
            (Phase::Securing, Heard::Secured(_)) => {
                cx.read_mode = ReadMode::Discard;
                run.enter(Phase::Silent);
                Step::REST
            }
            _ => Step::KEEP,
        }
    }

    fn speak(&self, run: &Registers, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let (persona, reply) = (&cx.profile.persona, reply(run));
        match (Phase::of(run), run.count) {
            (Phase::Drawing, 0) => {
                reply.begin(persona, out);
                if reply == Reply::Refused && run.mark & PATIENT == 0 {
                    Reply::notice(persona, out);
                }
            }
            (Phase::Drawing, _) => reply.go_on(persona, &mut cx.rng, out),
            _ => reply.say(persona, cx.secured, out),
        }
    }
}

fn reply(run: &Registers) -> Reply {
    Reply::numbered((run.mark >> REPLY & 0xFF) as u8)
}

fn choose(run: &mut Registers, reply: Reply) {
    run.mark = run.mark & !(0xFF << REPLY) | u32::from(u8::from(reply)) << REPLY;
    run.count = 0;
}

/// Does what a command says.
fn obey(run: &mut Registers, command: Command<'_>, cx: &mut Cx<'_>) -> Step {
    if command.is("USER") {
        secret::learn_name(command.argument, command.argument.len(), cx);
        run.mark &= !(ANONYMOUS | IN | PASSIVE);
        run.mark |= GUESSING | NAMED;
        if clients::is_anonymous(secret::name(command.argument).0) {
            run.mark |= ANONYMOUS | PATIENT;
        }
        return ponder(run, Reply::Password, cx);
    }
    if command.is("PASS") {
        cx.learn(Fact::Secret, command.argument);
        cx.learn(Fact::Method, b"password");
        if run.mark & NAMED == 0 {
            return state(run, Reply::NameFirst);
        }
        let is_in = run.mark & ANONYMOUS != 0 && cx.poisons();
        run.mark &= !NAMED;
        if is_in {
            run.mark |= IN;
        }
        return ponder(run, if is_in { Reply::Welcome } else { Reply::Refused }, cx);
    }
    if command.is("") {
        command::tell_overlong(run, run.mark & GUESSING != 0, cx);
    } else if run.position < MOST_TOLD {
        command.tell(run.mark & GUESSING != 0 && !is_known(command), cx);
    }
    if command.is_login() {
        run.mark |= GUESSING;
    }
    if clients::PATIENT.iter().any(|verb| command.is(verb)) {
        run.mark |= PATIENT;
    }
    if command.is("QUIT") {
        cx.read_mode = ReadMode::Discard;
        choose(run, Reply::Bye);
        run.enter(Phase::Drawing);
        return Step::PROMPT;
    }
    // Who asks for features first is lftp, which would leave at a certificate that nobody vouches
    // for, and goes on in the clear where there is none.
    if command.is("AUTH") && cx.offers_tls() && run.mark & PATIENT == 0 {
        // Behind the reply it would be too late to say so.
        let afforded = cx.affords_tls();
        return state(run, if afforded { Reply::Tls } else { Reply::NoTls });
    }
    let known = ALWAYS.iter().find(|(verb, _)| command.is(verb));
    if let Some(&(_, reply)) = known.filter(|(verb, _)| cx.secured || !OF_TLS.contains(verb)) {
        let is_clear = reply == Reply::Private && !command.argument.eq_ignore_ascii_case(b"P");
        return state(run, if is_clear { Reply::Clear } else { reply });
    }
    if run.mark & IN == 0 {
        return state(run, Reply::LoginFirst);
    }
    if command.is("PASV") || command.is("EPSV") {
        run.mark = run.mark & !EXTENDED | if command.is("EPSV") { EXTENDED } else { 0 };
        run.enter(Phase::Opening);
        return Step::OPEN_DATA;
    }
    if command.is("TYPE") {
        let is_text = command.argument.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'A'));
        return state(run, if is_text { Reply::Ascii } else { Reply::Binary });
    }
    let inside = INSIDE.iter().find(|(verb, _)| command.is(verb));
    match inside.map_or(Reply::Unknown, |&(_, reply)| reply) {
        Reply::Listing | Reply::Store if run.mark & PASSIVE == 0 => state(run, Reply::NoPort),
        reply => state(run, reply),
    }
}

/// Whether a file server knows the command.
fn is_known(command: Command<'_>) -> bool {
    super::sight::command(&[command.verb(), b" "].concat()) == Sighting::Matches
}

/// What is answered to whoever asks.
const ALWAYS: [(&str, Reply); 4] = [
    ("FEAT", Reply::Features),
    ("OPTS", Reply::Options),
    ("PBSZ", Reply::Zero),
    ("PROT", Reply::Private),
];

/// Those of them that have a meaning within TLS only.
const OF_TLS: [&str; 2] = ["PBSZ", "PROT"];

/// What is answered to those that are in.
const INSIDE: [(&str, Reply); 19] = [
    ("ACCT", Reply::Account),
    ("APPE", Reply::Store),
    ("CDUP", Reply::Changed),
    ("CWD", Reply::Changed),
    ("DELE", Reply::Denied),
    ("EPRT", Reply::Illegal),
    ("HELP", Reply::Help),
    ("LIST", Reply::Listing),
    ("MKD", Reply::Denied),
    ("NLST", Reply::Listing),
    ("NOOP", Reply::Noop),
    ("PORT", Reply::Illegal),
    ("PWD", Reply::Place),
    ("RETR", Reply::Listing),
    ("RMD", Reply::Denied),
    ("STOR", Reply::Store),
    ("STOU", Reply::Store),
    ("SYST", Reply::System),
    ("XPWD", Reply::Place),
];

/// Says something at once, as far as so much is answered at once.
fn state(run: &mut Registers, reply: Reply) -> Step {
    choose(run, reply);
    run.enter(Phase::Stating);
    command::answer(run)
}

/// Says something of a name or a password, after a silence.
fn ponder(run: &mut Registers, reply: Reply, cx: &mut Cx<'_>) -> Step {
    choose(run, reply);
    // What a user has set a rate for is to flow.
    if cx.profile.rate.is_some() {
        return end_pause(run);
    }
    run.enter(Phase::Pausing);
    let silence = cx.rng.jitter(command::SILENCE);
    Step::wait(cx.later(silence))
}

fn end_pause(run: &mut Registers) -> Step {
    let is_endless = reply(run) == Reply::Refused;
    run.enter(if is_endless { Phase::Drawing } else { Phase::Stating });
    Step::PROMPT
}

/// Whether the client's next words are a user's name.
fn names_user(said: &[u8]) -> bool {
    said.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"USER "))
}

/// A whole reply has gone out.
fn follow(run: &mut Registers, cx: &mut Cx<'_>) -> Step {
    match reply(run) {
        Reply::Listing | Reply::Store => {
            cx.read_mode = ReadMode::Discard;
            run.enter(Phase::Transferring);
        }
        Reply::Tls => {
            run.enter(Phase::Securing);
            return Step::SECURE;
        }
        _ => run.enter(Phase::Listening),
    }
    Step::REST
}

/// Tells where the client is awaited (RFC 959, section 4.2.2; RFC 2428, section 3), if anywhere.
fn tell_port(run: &mut Registers, port: Option<u16>, cx: &mut Cx<'_>) -> Step {
    let address = match (cx.profile.passive_address, cx.conn.server.ip().to_canonical()) {
        (Some(address), _) | (None, IpAddr::V4(address)) => Some(address),
        (None, IpAddr::V6(_)) => None,
    };
    let line = match (port, run.mark & EXTENDED != 0, address) {
        (Some(port), true, _) => format!("229 Entering Extended Passive Mode (|||{port}|)\r\n"),
        (Some(port), false, Some(address)) => {
            let ([a, b, c, d], [high, low]) = (address.octets(), port.to_be_bytes());
            format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low}).\r\n")
        }
        // The short form has no room for a long address.
        (None, ..) | (Some(_), false, None) => return state(run, Reply::Unopened),
    };
    run.mark |= PASSIVE;
    choose(run, Reply::Noop);
    run.enter(Phase::Stating);
    Step::send(Manner::Prompt, Chunk::Boxed(line.into_bytes().into()))
}
