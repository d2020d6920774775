//! The contract for a pattern's author: the description, one client's state, what the script hears
//! and what it answers.
//!
//! An author never sees sockets, partial writes or pacing. A [`Script`] is a definition without
//! state. What it must remember of one client is its [`Script::State`]: 11 bytes, unless it needs
//! something big. [`Script::step`] hears something, changes the state and says what to do next.
//! [`Script::speak`] makes the bytes that the state stands for, as often as sending them takes.

pub mod client;
mod cx;
mod pattern;
mod profile;
mod protocol;
mod step;
pub mod tls;

pub use self::{
    client::{KnownClient, KnownClients, Sign},
    cx::{Cx, Pinned},
    pattern::{About, Pattern, Script, Uses, Words},
    profile::{Conn, Profile},
    protocol::{NO_CLIENTS, Protocol, Side, Sight},
    step::{Before, Chunk, Heard, MAX_CHUNK, Manner, ReadMode, Security, Step},
};
pub(crate) use self::{cx::Notes, step::Action};
pub use crate::base::{
    said::Said,
    state::{self, Run},
};
pub use crate::wire::sighting::Sighting;
