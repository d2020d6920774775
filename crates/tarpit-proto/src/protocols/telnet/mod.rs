//! Telnet (RFC 854).

pub(crate) mod login;
mod server;
mod sight;

use crate::{
    base::fact::Fact,
    script::{NO_CLIENTS, Protocol, Side, Sight},
};

/// See the module.
pub static TELNET: Protocol = Protocol {
    name: "telnet",
    service: "telnet",
    ports: &[23, 2323],
    also_on: &[],
    first: Side::Server,
    sight: Sight::Rest(sight::login),
    among_others: Some(sight::negotiation),
    bears_anything: true,
    openings: &[
        b"root\xFF\xFB\x22\xFF\xFC\x18\r\0secret\r\n",
        b"\xFF\xFB\x22\xFF\xFC\x18",
        b"\xFF\xFD\x03\xFF\xFB\x18",
        b"\xFF\xFB\x01\xFF\xFB\x03",
        b"\xFF\xFE\x01root\r\0",
        b"\xFF\xFA\x18\0xterm\xFF\xF0",
        b"root\r\n",
        b"admin\r\0",
        b"\r\nmother\n",
        // In UTF-8, Latin-1 and KOI8.
        "\u{fc}ser\r\n".as_bytes(),
        b"\xFCser\r\n",
        b"\xFB\xC1\xDB\xC1\r\0",
    ],
    greet: Some(login::greet),
    refuse: Some(login::refuse),
    plays: Some(server::software),
    try_it: "telnet {ip} {port}",
    reason: "records users; never says whether a password is right",
    facts: &[Fact::Command, Fact::Method, Fact::Secret, Fact::TelnetTerminal, Fact::User],
    clients: NO_CLIENTS,
    patterns: &[&login::TelnetLogin],
};
