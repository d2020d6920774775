//! The admin server: one HTTP server in a thread of its own for everything that people and machines
//! ask of the daemon.
//!
//! It starts only where a surface is configured. No request runs in a worker's loop: counters are
//! read when asked, and everything else comes from a worker by a message.

mod answer;
mod connection;
pub(crate) mod control;
mod host;
pub(crate) mod metrics;
pub(crate) mod page;
mod places;
mod routes;
pub(crate) mod server;
mod world;

pub(crate) use self::{server::Admin, world::World};
