//! FTP (RFC 959).

pub(crate) mod clients;
pub(crate) mod endless_motd;
pub(crate) mod hold;
pub(crate) mod listing;
pub(crate) mod reply;
