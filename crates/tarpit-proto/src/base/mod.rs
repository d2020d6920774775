//! The lowest floor: time, randomness, pace, and the values that are reported.

pub mod cause;
pub mod fact;
pub mod handshake_budget;
pub mod host_keys;
pub mod net;
pub mod news;
pub mod pace;
pub mod rng;
pub mod said;
pub mod ssh_offer;
pub mod state;
pub mod time;
pub mod token_bucket;
