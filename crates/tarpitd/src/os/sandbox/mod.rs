//! The sandbox: what the daemon gives up once everything is open, so that a fault in it cannot be
//! used to reach other files, programs or machines.

pub(crate) mod calls;
mod filter;
mod landlock;
mod names;
mod sys;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
    thread::set_no_new_privs,
};

pub(crate) use self::landlock::{Access, Grant};

/// The part that decides about files.
pub(crate) const LANDLOCK: &str = "landlock";

/// A part of the sandbox that the system refuses.
#[derive(Debug)]
pub(crate) struct Lack {
    /// What log readers search for.
    pub(crate) what: &'static str,
    pub(crate) error: io::Error,
}

/// A system call that a filter denies is noted. No program that is started from here gains rights, no crash writes the memory to a file, and
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
        sys::answer_traps().map_err(lack("a handler of SIGSYS")),
        set_no_new_privs(true).map_err(io::Error::from).map_err(lack("no_new_privs")),
        no_core().map_err(lack("a limit of core dumps")),
        landlock::restrict(grants).map_err(lack(LANDLOCK)),
    ];
    parts.into_iter().filter_map(Result::err).collect()
}

/// Lets all threads make only the system calls that the daemon needs.
pub(crate) fn filter_calls() -> Result<(), Lack> {
    filter::install().map_err(|error| Lack { what: "seccomp", error })?;
    IS_FILTERED.store(true, Relaxed);
    Ok(())
}

static IS_FILTERED: AtomicBool = AtomicBool::new(false);

/// Whether this process makes only the system calls that the daemon needs.
pub(crate) fn is_filtered() -> bool {
    IS_FILTERED.load(Relaxed)
}

/// The system calls that were denied, a bit each.
static DENIED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// Remembers that a call was denied. Safe in a signal handler.
fn note_denied(number: i32) {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(bits) = DENIED.get(number / 64) {
        bits.fetch_or(1 << (number % 64), Relaxed);
    }
}

/// Which denied calls were told.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    told: [u64; 16],
}

impl Denials {
    /// The calls that were denied and not told yet, by name.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for (first, (bits, told)) in (0..).step_by(64).zip(DENIED.iter().zip(&mut self.told)) {
            let bits = bits.load(Relaxed);
            let new = bits & !*told;
            *told = bits;
            let numbers = (0..64).filter(|place| new & (1 << place) != 0).map(|it| first + it);
            all.extend(numbers.map(|number| {
                names::name(number).map_or_else(|| format!("number {number}"), str::to_owned)
            }));
        }
        all
    }
}
