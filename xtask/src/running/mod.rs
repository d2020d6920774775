//! Programs that run: the daemon, clients and crowds, where they run and what they leave behind.

pub(crate) mod crowd;
pub(crate) mod daemon;
pub(crate) mod job;
pub(crate) mod memory;
pub(crate) mod namespace;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod reader;
pub(crate) mod trace;
