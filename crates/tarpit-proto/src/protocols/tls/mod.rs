//! TLS (RFC 5246, RFC 8446).

pub(crate) mod drip;
pub(crate) mod endless_hello_request;
pub(crate) mod handshake;
pub(crate) mod record_drip;
pub(crate) mod slow_hello;
