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
pub mod detect;
pub mod fact;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handing;
pub mod handshake_budget;
pub mod identify;
pub mod keys;
pub mod pacer;
pub mod patterns;
pub mod persona;
pub mod pins;
pub mod rng;
pub mod script;
pub mod session;
pub mod time;
mod timing;
pub mod transport;
mod wire;
