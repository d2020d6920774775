//! FTP (RFC 959).

mod clients;
pub(crate) mod endless_motd;
pub(crate) mod hold;
mod listing;
mod reply;
mod sight;

use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
};

/// See the module.
pub static FTP: Protocol = Protocol {
    name: "ftp",
    service: "ftp",
    ports: &[21, 2121],
    also_on: &[],
    first: Side::Server,
    sight: Sight::Own(sight::command),
    among_others: Some(sight::among_others),
    bears_anything: true,
    openings: &[
        b"USER root\r\nPASS secret\r\n",
        b"USER root\r\n",
        b"user a\n",
        b"FEAT\r\n",
        b"Pass x\r\n",
        b"auth tls\r\n",
        b"\xFF\xF4\xFF\xF2ABOR\r\n",
        b"\xFF\xF4\xF2STAT\r\n",
    ],
    greet: Some(reply::greet),
    refuse: Some(reply::refuse),
    plays: Some(reply::software),
    try_it: "curl ftp://{address}/",
    reason: "records users; refuses every login slowly",
    facts: &[Fact::Command, Fact::Method, Fact::Secret, Fact::User],
    clients: &clients::CLIENTS,
    patterns: &[&hold::FtpHold, &endless_motd::FtpEndlessMotd],
};
