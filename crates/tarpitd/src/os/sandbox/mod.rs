//! The sandbox: what the daemon gives up once everything is open, so that a fault in it cannot be
//! used to reach other files, programs or machines.

mod landlock;
mod sys;
#[cfg(test)]
mod tests;

use std::io;

use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
    thread::set_no_new_privs,
};

pub(crate) use self::landlock::{Access, Grant};

/// A part of the sandbox that the system refuses.
#[derive(Debug)]
pub(crate) struct Lack {
    /// What log readers search for.
    pub(crate) what: &'static str,
    pub(crate) error: io::Error,
}

/// No program that is started from here gains rights, no crash writes the memory to a file, and
/// files are opened only as `grants` say. Must be called while there is only one thread: the kernel
/// keeps this for each thread, and new ones inherit it. Says what the system refuses.
pub(crate) fn confine(grants: &[Grant]) -> Vec<Lack> {
    let lack = |what| move |error| Lack { what, error };
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let no_core = || -> io::Result<()> {
        setrlimit(Resource::Core, none)?;
        Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
    };
    let parts = [
        set_no_new_privs(true).map_err(io::Error::from).map_err(lack("no_new_privs")),
        no_core().map_err(lack("a limit of core dumps")),
        landlock::restrict(grants).map_err(lack("landlock")),
    ];
    parts.into_iter().filter_map(Result::err).collect()
}
