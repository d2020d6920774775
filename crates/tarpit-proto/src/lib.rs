//! What a tarpit says to its clients, and when.
//!
//! This crate owns no socket, clock, thread or file: time, randomness and the client's bytes come
//! in as arguments, and what to send comes out. Start reading at [`script`] for what a pattern is,
//! and at [`session`] for how one client is served.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod account;
mod auto;
pub mod base;
pub mod driver;
#[doc(hidden)]
pub mod fuzzing;
pub mod patterns;
pub mod persona;
pub mod pins;
pub mod protocols;
pub mod script;
pub mod session;
pub mod transport;
mod validate;
mod wire;

pub use base::{
    fact, handshake_budget, host_keys as keys, net, pace as pacer, rng, ssh_offer, time,
    token_bucket,
};
pub use wire::proxy_header;
