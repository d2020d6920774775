//! The mail dialogue (RFC 5321, section 4.1.4): the reply to each command, by the commands before
//! it. The patterns decide when and how the replies go out.
//!
//! No address and no mail is accepted; see [`hold`](super::hold).

use crate::{
    base::fact::Fact,
    persona::{Persona, System},
    protocols::{
        command::{Command, Line},
        smtp::{
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
pub(crate) const GREETINGS: [&str; 3] = ["EHLO", "HELO", "LHLO"];

/// The commands that begin something anew.
const CHANGING: [&str; 8] = ["BDAT", "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "RSET", "STARTTLS"];

/// What a command is answered in front of the client's greeting.
pub(crate) fn early(command: Command<'_>) -> Reply {
    if command.is("VRFY") && command.argument.is_empty() {
        return Reply::EmptyAddress;
    }
    let known = OTHERS.iter().find(|(verb, _)| command.is(verb));
    known.map_or(Reply::Unknown, |&(_, reply)| reply)
}

/// What answers a greeting without a name, or with a blank in it. Microsoft's server takes any.
pub(crate) fn nameless(command: Command<'_>, persona: &Persona) -> Option<Reply> {
    let is_name = !command.argument.is_empty() && !command.argument.contains(&b' ');
    if is_name || persona.system() == System::Windows {
        return None;
    }
    let greetings = [("EHLO", Reply::BadExtendedHello), ("HELO", Reply::BadHello)];
    greetings.into_iter().find(|(verb, _)| command.is(verb)).map(|(_, reply)| reply)
}

/// Whether a mail server knows the command.
pub(crate) fn is_known(command: Command<'_>) -> bool {
    command.is_one_of(&GREETINGS) || early(command) != Reply::Unknown
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
            return match Text::part(command.argument) {
                Some(text) if text.is_whole() => Turn::Reply(self.end_text(text, cx)),
                Some(text) => Turn::Receive(text),
                None => Turn::Unreadable,
            };
        }
        Turn::Reply(self.reply(command, cx))
    }

    fn reply(&mut self, command: Command<'_>, cx: &mut Cx<'_>) -> Reply {
        let has_greeted = self.greeting != Greeting::Missing;
        if command.is("AUTH") && has_greeted {
            return auth::begin(command, cx);
        }
        if command.is("MAIL") && has_greeted {
            cx.learn(Fact::SmtpMailFrom, mail::path(command.argument));
            if !mail::names(command.argument, b"FROM:") {
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
            self.envelope = Envelope::Recipient;
            return if cx.poisons() { Reply::Recipient } else { Reply::Deferred };
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
        let reply = match early(command) {
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
                return Reply::NeedsRecipient;
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
