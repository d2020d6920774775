//! SMTP (RFC 5321).

mod address;
mod auth;
mod clients;
mod dialogue;
pub(crate) mod endless_ehlo;
pub(crate) mod hold;
pub(crate) mod mail;
mod reply;
mod sight;

use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
};

/// See the module.
pub static SMTP: Protocol = Protocol {
    name: "smtp",
    service: "smtp",
    ports: &[25, 587, 2525],
    also_on: &[],
    first: Side::Server,
    sight: Sight::Own(sight::command),
    among_others: Some(sight::among_others),
    bears_anything: true,
    openings: &[
        b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n",
        b"EHLO x\r\n",
        b"helo y\r\n",
        b"STARTTLS\r\n",
        b"auth=PLAIN x\r\n",
    ],
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    plays: Some(reply::software),
    try_it: "curl smtp://{address}/",
    reason: "records senders and recipients; never accepts mail",
    facts: &[
        Fact::Command,
        Fact::Method,
        Fact::Secret,
        Fact::SmtpHelo,
        Fact::SmtpMailFrom,
        Fact::SmtpRcptTo,
        Fact::User,
    ],
    clients: &clients::CLIENTS,
    patterns: &[&hold::SmtpHold, &endless_ehlo::SmtpEndlessEhlo],
};
