//! SSH (RFC 4251 to 4256).

mod agreement;
pub(crate) mod auth_hold;
mod clients;
mod course;
pub(crate) mod endlessh;
mod exchange;
mod group;
mod hash;
pub(crate) mod kex_hold;
pub(crate) mod lane;
mod method;
mod names;
mod reply;
mod server;
mod talk;
pub(crate) mod trans_hold;

use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
    wire::sighting::prefix,
};

/// See the module.
pub static SSH: Protocol = Protocol {
    name: "ssh",
    service: "ssh",
    ports: &[22, 2222],
    also_on: &[222, 8022],
    first: Side::Server,
    sight: Sight::Own(|bytes| prefix(bytes, b"SSH-")),
    among_others: None,
    bears_anything: false,
    openings: &[b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n", b"SSH-2.0-Go\r\n", b"SSH-1.5-x\r\n"],
    greet: Some(course::greet),
    refuse: None,
    plays: Some(server::software),
    // It neither asks about our host key nor remembers it.
    try_it: "ssh -o NoHostAuthenticationForLocalhost=yes -p {port} root@{ip}",
    reason: "records users and fingerprints; no login ever ends",
    facts: &[
        Fact::Command,
        Fact::Method,
        Fact::Secret,
        Fact::SshHassh,
        Fact::SshIdent,
        Fact::SshKey,
        Fact::User,
    ],
    clients: &clients::CLIENTS,
    patterns: &[
        &auth_hold::SshAuthHold,
        &kex_hold::SshKexHold,
        &trans_hold::SshTransHold,
        &endlessh::Endlessh,
    ],
};
