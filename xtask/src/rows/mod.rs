//! The table of real clients: one file a protocol, and one line of it here.

mod ftp;
mod http;
mod raw;
mod redis;
mod smtp;
mod ssh;
mod telnet;
mod tls;
mod tools;

use crate::client::banner::{Banner, MASSCAN};
use crate::client::probe::Probe;
use crate::client::row::{Clients, Row};
use crate::client::scan::{NMAP, Scan};
use crate::client::tool::Tool;

/// The clients of every protocol, in the order of the table.
static ALL: &[&Clients] = &[
    &raw::CLIENTS,
    &ssh::CLIENTS,
    &http::CLIENTS,
    &tls::CLIENTS,
    &smtp::CLIENTS,
    &ftp::CLIENTS,
    &telnet::CLIENTS,
    &redis::CLIENTS,
];

/// Every row, by protocol.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    ALL.iter().flat_map(|clients| clients.rows)
}

/// What `nmap -sV` must record, by protocol.
pub(crate) fn scans() -> impl Iterator<Item = &'static Scan> {
    ALL.iter().flat_map(|clients| clients.scans)
}

/// What nmap's scripts must not find, by protocol.
pub(crate) fn probes() -> impl Iterator<Item = &'static Probe> {
    ALL.iter().flat_map(|clients| clients.probes)
}

/// What masscan must record, by protocol.
pub(crate) fn banners() -> impl Iterator<Item = &'static Banner> {
    ALL.iter().flat_map(|clients| clients.banners)
}

/// Every tool that some row needs, each once.
pub(crate) fn tools() -> Vec<&'static Tool> {
    let mut tools = vec![&MASSCAN, &NMAP];
    for row in rows() {
        if !tools.contains(&row.tool) {
            tools.push(row.tool);
        }
    }
    tools
}
