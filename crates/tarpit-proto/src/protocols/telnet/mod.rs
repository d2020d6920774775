//! Telnet (RFC 854).

pub(crate) mod login;
