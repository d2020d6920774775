//! A row of the table: one client, whom it meets, and what is demanded of its stay.
//!
//! A client is started with its defaults, as its user would start it; what is added only keeps it
//! from asking questions, from reading its user's files, from writing what it receives to disk and
//! from minding a certificate that nobody vouches for.

use crate::client::banner::Banner;
use crate::client::demand::Demand;
use crate::client::listener::Listener;
use crate::client::probe::Probe;
use crate::client::scan::Scan;
use crate::client::tool::Tool;

/// The clients of one protocol: everything that `cargo xtask clients` knows of it.
pub(crate) struct Clients {
    /// Programs that are to stay.
    pub(crate) rows: &'static [Row],
    /// What `nmap -sV` must record.
    pub(crate) scans: &'static [Scan],
    /// What nmap's scripts must not find.
    pub(crate) probes: &'static [Probe],
    /// What masscan must record.
    pub(crate) banners: &'static [Banner],
}

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
