//! SSH (RFC 4251 to 4256).

pub(crate) mod auth_hold;
pub(crate) mod endlessh;
pub(crate) mod kex_hold;
pub(crate) mod trans_hold;
