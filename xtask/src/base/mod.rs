//! What everything else stands on: where things are, the time, the form of an executable.

pub(crate) mod clock;
pub(crate) mod elf;
pub(crate) mod workspace;
