//! SSH (RFC 4251 to 4256).

mod agreement;
pub(crate) mod auth_hold;
mod clients;
mod course;
pub(crate) mod endlessh;
mod exchange;
pub(crate) mod kex_hold;
pub(crate) mod lane;
mod reply;
mod talk;
pub(crate) mod trans_hold;
