//! Redis (RESP 2 and 3, and inline commands).

pub(crate) mod hold;
mod request;
mod sight;
mod told;

use crate::{
    base::fact::Fact,
    script::{NO_CLIENTS, Protocol, Side, Sight},
};

/// See the module.
pub(super) static REDIS: Protocol = Protocol {
    name: "redis",
    service: "redis",
    ports: &[6379, 6380],
    also_on: &[16_379],
    first: Side::Client,
    sight: Sight::Own(sight::expected),
    among_others: Some(sight::among_others),
    bears_anything: true,
    openings: &[
        b"*2\r\n$4\r\nAUTH\r\n$8\r\nfoobared\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PING\r\n",
        b"info\r\n",
        b"AUTH foobared\r\n",
        b"KEYS *\r\n",
    ],
    greet: None,
    refuse: Some(hold::refuse),
    plays: Some(hold::software),
    try_it: "redis-cli -h {ip} -p {port} info",
    reason: "records passwords and what worms would set; no answer ends",
    facts: &[Fact::Command, Fact::Method, Fact::Secret, Fact::User],
    clients: NO_CLIENTS,
    patterns: &[&hold::RedisHold],
};
