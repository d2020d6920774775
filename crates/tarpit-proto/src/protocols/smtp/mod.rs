//! SMTP (RFC 5321).

pub(crate) mod clients;
pub(crate) mod endless_ehlo;
pub(crate) mod hold;
pub(crate) mod reply;
