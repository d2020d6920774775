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

/// A system call that a filter denies is noted. No program that is started from here gains rights,
/// no crash writes the memory to a file, and files are opened only as `grants` say. Must be called
/// while there is only one thread: the kernel keeps this for each thread, and new ones inherit it.
/// Says what the system refuses.
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

/// Mode and group that the file of a Unix socket may get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileAccess {
    pub(crate) mode: u32,
    /// `None`: as it is.
    pub(crate) group: Option<u32>,
}

/// Lets all threads make only the system calls that the daemon needs. `sockets`: what the files of
/// its Unix sockets may be set to.
pub(crate) fn filter_calls(sockets: &[FileAccess]) -> Result<(), Lack> {
    filter::install(sockets).map_err(|error| Lack { what: "seccomp", error })?;
    IS_FILTERED.store(true, Relaxed);
    Ok(())
}

static IS_FILTERED: AtomicBool = AtomicBool::new(false);

/// Whether this process makes only the system calls that the daemon needs.
pub(crate) fn is_filtered() -> bool {
    IS_FILTERED.load(Relaxed)
}

/// As many numbers are told apart; the last one stands for all from there on.
const NUMBERS: usize = 1_024;

/// The bit of the calls that x86-64 has for x32 programs.
const X32: usize = 0x4000_0000;

/// A bit for each number, and after them one for each with [`X32`].
const WORDS: usize = 2 * NUMBERS / 64;

/// The system calls that were denied.
static DENIED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// Remembers that a call was denied. Safe in a signal handler.
fn note_denied(number: i32) {
    let number = usize::try_from(number).unwrap_or(NUMBERS);
    let place = match number.checked_sub(X32) {
        Some(number) => NUMBERS + number.min(NUMBERS - 1),
        None => number.min(NUMBERS - 1),
    };
    if let Some(bits) = DENIED.get(place / 64) {
        bits.fetch_or(1 << (place % 64), Relaxed);
    }
}

/// What a place among [`DENIED`] stands for.
fn denied_name(place: usize) -> String {
    let name =
        |number| names::name(number).map_or_else(|| format!("number {number}"), str::to_owned);
    match place.checked_sub(NUMBERS) {
        Some(number) => format!("x32 {}", name(number)),
        None if place == NUMBERS - 1 => format!("a number from {place} up"),
        None => name(place),
    }
}

/// Which denied calls were told.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    told: [u64; WORDS],
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
            all.extend(numbers.map(denied_name));
        }
        all
    }
}
