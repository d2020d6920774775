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

mod gate;
pub mod identify;
pub mod pacer;
pub mod patterns;
pub mod persona;
pub mod rng;
pub mod script;
pub mod session;
pub mod time;
mod wire;

/// What fuzz targets and replayed corpora check.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::{
        identify::check_verdicts_are_final,
        wire::{
            command::check_commands_have_one_reading,
            http::check_requests_are_read_the_same_however_cut,
            ssh::check_identification_has_one_end, tls::check_readings_are_final,
        },
    };
}
