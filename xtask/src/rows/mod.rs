//! The table of real clients: which one meets which patterns, and what is demanded of its stay.
//!
//! A client is started with its defaults, as its user would start it; what is added only keeps it
//! from asking questions, from reading its user's files, from writing what it receives to disk and
//! from minding a certificate that nobody vouches for.

mod ftp;
mod http;
mod mail;
mod plain;
mod ssh;
mod telnet;
mod tls;

use std::time::Duration;

use crate::client::demand::Demand;
use crate::client::listener::Listener;
use crate::client::tool::Tool;

/// One client, and what it must do on each of some listeners.
pub(crate) struct Row {
    /// The client, with the option that makes this row a row of its own.
    pub(crate) client: &'static str,
    /// Whom it meets, one after the other in the table.
    pub(crate) on: &'static [&'static Listener],
    /// What is demanded.
    pub(crate) demands: &'static [Demand],
    /// What must be installed.
    pub(crate) tool: &'static Tool,
    /// Its command line, divided at spaces; `running::job::Job::new` lists what stands in braces.
    pub(crate) command: &'static str,
}

/// Every row, by protocol.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [plain::ROWS, ssh::ROWS, http::ROWS, tls::ROWS, mail::ROWS, ftp::ROWS, telnet::ROWS]
        .into_iter()
        .flatten()
}

/// It stays, and that is all.
const STAYS: &[Demand] = &[Demand::Stays];

/// It stays, and never takes us for a server that let it in.
const STAYS_UNSERVED: &[Demand] = &[Demand::Stays, Demand::NoSuccess];

/// A guesser to whom each guess costs so many seconds.
const fn guess(seconds: u64) -> Demand {
    Demand::Pace { each: Duration::from_secs(seconds), unit: "guess" }
}

/// A limit of the client's own.
const fn until(seconds: u64, why: &'static str) -> Demand {
    Demand::StaysUntil { limit: Duration::from_secs(seconds), why }
}
