//! The mail dialogue (RFC 5321, section 4.1.4): the reply to each command, by the commands before
//! it. The patterns decide when and how the replies go out.
//!
//! No address and no mail is accepted; see [`hold`](super::hold).

use alloc::boxed::Box;
use core::net::IpAddr;

use crate::{
    base::fact::Fact,
    persona::{Persona, System},
    protocols::{
        command::{Command, Line},
        smtp::{
            address::{self, Fault, Party},
            auth,
            mail::{self, Text},
            reply::{self, Reply},
        },
    },
    script::Cx,
    states,
};

states! {
    /// What a client has said so far.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Dialogue {
        pub(crate) greeting: Greeting,
        envelope: Envelope,
        /// It has begun to log in: what it says then may be a password.
        is_guessing: bool,
    }

    /// How a client has greeted.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Greeting {
        Extended,
        #[default]
        Missing,
        Plain,
    }

    /// What a client has named of a mail.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Envelope {
        #[default]
        Empty,
        /// Its sender, and a recipient.
        Recipient,
        Sender,
    }
}

/// What follows a line.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// A reply to the client's greeting.
    Greet(Command<'a>),
    /// The text of a mail.
    Receive(Text),
    Reply(Reply),
    /// [`Reply::Malformed`], and what it says back.
    SayBack(Box<str>),
    /// Text of a mail without a known end; no part of it may be taken for a command.
    Unreadable,
}

/// What a command is answered that comes too early, or that changes nothing.
const OTHERS: [(&str, Reply); 13] = [
    ("AUTH", Reply::AuthNotOffered),
    ("BDAT", Reply::ChunkNotOffered),
    ("DATA", Reply::NeedsRecipient),
    ("ETRN", Reply::EtrnRefused),
    ("EXPN", Reply::Administrative),
    ("HELP", Reply::Help),
    ("MAIL", Reply::NeedsHello),
    ("NOOP", Reply::Nothing),
    ("QUIT", Reply::Bye),
    ("RCPT", Reply::NeedsSender),
    ("RSET", Reply::Reset),
    ("STARTTLS", Reply::TlsNotOffered),
    ("VRFY", Reply::Verify),
];

/// The commands by which a client greets.
pub(crate) const GREETINGS: [&str; 2] = ["EHLO", "HELO"];

/// The commands that begin something anew.
const CHANGING: [&str; 8] = ["BDAT", "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "RSET", "STARTTLS"];

/// What a command is answered in front of the client's greeting.
pub(crate) fn early(command: Command<'_>, persona: &Persona) -> Reply {
    if command.is("VRFY") && command.argument.is_empty() {
        return Reply::EmptyAddress;
    }
    if is_exim(persona) {
        if is_cut_short(command) {
            return Reply::Unknown;
        }
        if command.is_one_of(&BARE) && !command.argument.is_empty() {
            return Reply::Unexpected;
        }
    }
    usual(command).unwrap_or(Reply::Unknown)
}

/// What Exim says back to a client that asks about a name without a domain.
pub(crate) fn unqualified(command: Command<'_>, persona: &Persona) -> Option<Box<str>> {
    let is_asked = is_exim(persona) && command.is("VRFY");
    is_asked.then(|| address::unqualified(command.argument)).flatten()
}

/// The commands to which Exim takes no argument.
const BARE: [&str; 4] = ["DATA", "QUIT", "RSET", "STARTTLS"];

fn usual(command: Command<'_>) -> Option<Reply> {
    OTHERS.iter().find(|(verb, _)| command.is(verb)).map(|&(_, reply)| reply)
}

fn is_exim(persona: &Persona) -> bool {
    persona.system() == System::Linux
}

/// Whether it begins as `MAIL FROM:` or `RCPT TO:` and is not that, to Exim.
fn is_cut_short(command: Command<'_>) -> bool {
    let is = |verb, party| {
        command.is(verb) && address::operand(party, command.gap, command.argument).is_none()
    };
    is("MAIL", Party::Sender) || is("RCPT", Party::Recipient)
}

/// What answers a greeting without a name, or with one that is none. Microsoft's server takes any.
pub(crate) fn nameless(command: Command<'_>, persona: &Persona) -> Option<Reply> {
    let is_name = match persona.system() {
        System::Camera => !command.argument.is_empty() && !command.argument.contains(&b' '),
        System::Linux => is_name(command.argument),
        System::Windows => true,
    };
    if is_name {
        return None;
    }
    let greetings = [("EHLO", Reply::BadExtendedHello), ("HELO", Reply::BadHello)];
    greetings.into_iter().find(|(verb, _)| command.is(verb)).map(|(_, reply)| reply)
}

/// Whether Exim takes it for a client's name: a domain, or an address in brackets.
fn is_name(name: &[u8]) -> bool {
    let inside = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let Some(inside) = inside else {
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
        return !name.is_empty() && name.iter().all(is_of_name);
    };
    let tag = inside.get(..5).filter(|tag| tag.eq_ignore_ascii_case(b"IPv6:"));
    let address = &inside[tag.map_or(0, <[u8]>::len)..];
    core::str::from_utf8(address).is_ok_and(|address| address.parse::<IpAddr>().is_ok())
}

/// Whether a mail server knows the command.
pub(crate) fn is_known(command: Command<'_>) -> bool {
    command.is_one_of(&GREETINGS) || usual(command).is_some()
}

impl Dialogue {
    /// Hears a line, and says what follows it.
    pub(crate) fn hear<'a>(&mut self, line: Line<'a>, cx: &mut Cx<'_>) -> Turn<'a> {
        let command = match line {
            Line::Command(command) => command,
            Line::Overlong(line) => {
                line.tell(self.is_guessing, cx);
                return Turn::Reply(Reply::Unknown);
            }
        };
        if command.is_login() {
            self.is_guessing = true;
        } else if command.is_one_of(&CHANGING) {
            self.is_guessing = false;
        }
        if let Some(reply) = nameless(command, &cx.profile.persona) {
            command.tell(false, cx);
            return Turn::Reply(reply);
        }
        if command.is_one_of(&GREETINGS) {
            cx.learn(Fact::SmtpHelo, command.argument);
            self.greeting = if command.is("HELO") { Greeting::Plain } else { Greeting::Extended };
            self.envelope = Envelope::Empty;
            return Turn::Greet(command);
        }
        if command.is("BDAT") {
            // Exim knows that no part of a mail is coming, and goes on to the next line.
            if is_exim(&cx.profile.persona) && self.envelope != Envelope::Recipient {
                let has_greeted = self.greeting != Greeting::Missing;
                return Turn::Reply(if has_greeted {
                    Reply::ChunkNeedsRecipient
                } else {
                    Reply::ChunkNotOffered
                });
            }
            return match Text::part(command.argument) {
                Some(text) if text.is_whole() => Turn::Reply(self.end_text(text, cx)),
                Some(text) => Turn::Receive(text),
                None => Turn::Unreadable,
            };
        }
        match self.fault(command, &cx.profile.persona) {
            Some(fault) => {
                self.tell_refused(command, cx);
                match fault {
                    Fault::Plain(reply) => Turn::Reply(reply),
                    Fault::Told(words) => Turn::SayBack(words),
                }
            }
            None => Turn::Reply(self.reply(command, cx)),
        }
    }

    /// What Exim finds wrong in the arguments of a command that could be obeyed now.
    fn fault(self, command: Command<'_>, persona: &Persona) -> Option<Fault> {
        if !is_exim(persona) {
            return None;
        }
        let found = |party| {
            let operand = address::operand(party, command.gap, command.argument)?;
            address::fault(party, operand)
        };
        if command.is("MAIL") && self.greeting != Greeting::Missing {
            found(Party::Sender).filter(|_| self.envelope != Envelope::Sender)
        } else if command.is("RCPT") && self.envelope != Envelope::Empty {
            found(Party::Recipient)
        } else {
            unqualified(command, persona).map(Fault::Told)
        }
    }

    /// Tells of a command that is refused for its address.
    fn tell_refused(self, command: Command<'_>, cx: &mut Cx<'_>) {
        if command.is("MAIL") {
            cx.learn(Fact::SmtpMailFrom, mail::path(command.argument));
        } else if command.is("RCPT") {
            cx.learn(Fact::SmtpRcptTo, mail::path(command.argument));
        } else {
            command.tell(self.is_guessing, cx);
        }
    }

    fn reply(&mut self, command: Command<'_>, cx: &mut Cx<'_>) -> Reply {
        let has_greeted = self.greeting != Greeting::Missing;
        if command.is("AUTH") && has_greeted {
            return auth::begin(command, cx);
        }
        if command.is("MAIL") && has_greeted {
            cx.learn(Fact::SmtpMailFrom, mail::path(command.argument));
            let is_mail = mail::names(command.argument, b"FROM:");
            if !is_mail || is_exim(&cx.profile.persona) && is_cut_short(command) {
                return Reply::NoMailPath;
            }
            // A sender that was asked to come back may begin its next mail without a reset, though
            // a real server would insist on one: its mail must not be refused for good.
            if self.envelope == Envelope::Sender {
                return Reply::SenderGiven;
            }
            let most = reply::largest_mail(&cx.profile.persona).unwrap_or(u64::MAX);
            if mail::size(command.argument).is_some_and(|size| size > most) {
                return Reply::TooBig;
            }
            if self.envelope == Envelope::Empty {
                self.envelope = Envelope::Sender;
            }
            return Reply::Sender;
        }
        if command.is("RCPT") && self.envelope != Envelope::Empty {
            cx.learn(Fact::SmtpRcptTo, mail::path(command.argument));
            if is_exim(&cx.profile.persona) && is_cut_short(command) {
                return Reply::Unknown;
            }
            self.envelope = Envelope::Recipient;
            return if cx.poisons() { Reply::Recipient } else { Reply::Deferred };
        }
        let early = early(command, &cx.profile.persona);
        if early == Reply::Unexpected {
            return early;
        }
        if command.is("DATA") && self.envelope == Envelope::Recipient {
            return if cx.poisons() { Reply::Begin } else { Reply::Deferred };
        }
        if command.is("STARTTLS") && has_greeted && cx.offers_tls() {
            // Behind the reply it would be too late to say so.
            return if cx.affords_tls() { Reply::Tls } else { Reply::NoTls };
        }
        if command.is("RSET") {
            self.envelope = Envelope::Empty;
        }
        let reply = match early {
            Reply::Help if cx.offers_tls() => Reply::HelpWithTls,
            reply => reply,
        };
        if command.is("AUTH")
            || matches!(
                reply,
                Reply::Administrative
                    | Reply::EmptyAddress
                    | Reply::EtrnRefused
                    | Reply::Unknown
                    | Reply::Verify
            )
        {
            command.tell(self.is_guessing, cx);
        }
        reply
    }

    /// What answers a mail's end, or the end of a part of it: no mail is ever taken.
    pub(crate) fn end_text(&mut self, text: Text, cx: &Cx<'_>) -> Reply {
        if let Text::Counted { is_last, .. } = text {
            if self.envelope != Envelope::Recipient {
                return Reply::ChunkNeedsRecipient;
            }
            if !cx.poisons() {
                return Reply::Deferred;
            }
            if !is_last {
                return Reply::Chunk;
            }
        }
        self.envelope = Envelope::Empty;
        Reply::Later
    }
}
