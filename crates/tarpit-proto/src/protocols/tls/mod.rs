//! TLS (RFC 5246, RFC 8446).

pub(crate) mod clients;
pub(crate) mod drip;
pub(crate) mod endless_hello_request;
pub(crate) mod handshake;
pub(crate) mod record_drip;
mod sight;
pub(crate) mod slow_hello;

use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
};

/// See the module.
pub static TLS: Protocol = Protocol {
    name: "tls",
    service: "https",
    ports: &[443, 8443],
    also_on: &[636, 990, 993, 995, 4443, 9443],
    first: Side::Client,
    sight: Sight::Own(sight::client_hello),
    among_others: None,
    bears_anything: false,
    openings: &[
        include_bytes!("../../../tests/corpus/client_hello.bin"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC",
        b"\x80\x2E\x01\x03\x01\x00",
        b"\x80\x40\x01\x00\x02\x00\x27",
    ],
    greet: None,
    refuse: None,
    plays: None,
    try_it: "curl -k https://{address}/",
    reason: "completes the handshake, then holds the client by `http_hold` inside",
    facts: &[Fact::Ja3, Fact::Ja4, Fact::Protocol, Fact::TlsAlpn, Fact::TlsSni],
    clients: &clients::CLIENTS,
    patterns: &[
        &handshake::Tls,
        &endless_hello_request::TlsEndlessHelloRequest,
        &record_drip::TlsRecordDrip,
        &slow_hello::TlsSlowHello,
    ],
};
