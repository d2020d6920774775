//! The kernel's randomness, by getrandom(2), which needs no file.
//!
//! Keys, nonces, cookies, serial numbers: whatever must never be guessed comes from here. If the
//! kernel refuses, the process ends: a key of zeros is worse than a port that is closed.

use std::{
    collections,
    hash::{BuildHasher, DefaultHasher, Hasher as _},
    io::{self, Write as _},
    process,
};

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};
use rustls::crypto::{GetRandomFailed, SecureRandom};
use tarpit_proto::rng::Entropy;

/// The kernel's generator.
#[derive(Debug)]
pub(crate) struct System;

impl Entropy for System {
    fn fill(&mut self, out: &mut [u8]) {
        fill(out);
    }
}

impl SecureRandom for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        fill(out);
        Ok(())
    }
}

/// A hasher under a key that nobody can guess, so that no client foresees which of its values share
/// a hash. The standard library's own such hasher panics where the kernel refuses.
#[derive(Clone, Debug)]
pub(crate) struct Keyed(DefaultHasher);

impl Keyed {
    /// A hasher under this key.
    pub(crate) fn of(key: [u8; 16]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&key);
        Self(hasher)
    }
}

impl Default for Keyed {
    fn default() -> Self {
        Self::of(random())
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        self.0.clone()
    }
}

/// A map under such a key.
pub(crate) type HashMap<K, V> = collections::HashMap<K, V, Keyed>;

/// A set under such a key.
pub(crate) type HashSet<K> = collections::HashSet<K, Keyed>;

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn fill(out: &mut [u8]) {
    fill_by(out, |rest| getrandom(rest, GetRandomFlags::empty()));
}

/// Fills all of `out` by a call that may be interrupted or give less; ends the process if it fails.
fn fill_by(out: &mut [u8], mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) {
    let mut filled = 0;
    while filled < out.len() {
        match call(&mut out[filled..]) {
            Ok(0) => end(Errno::IO),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => end(errno),
        }
    }
}

/// Ends the process. It does not abort: a core file would hold the keys.
fn end(errno: Errno) -> ! {
    // If standard error is closed, the exit code is all that can tell.
    let _ = writeln!(
        io::stderr(),
        "tarpitd: getrandom failed: {errno}; keys need randomness, so tarpitd stops; \
         allow getrandom(2) in the container's seccomp filter"
    );
    process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Tells the child of a test which call fails in it.
    const FAULT: &str = "TARPIT_ENTROPY_FAULT";

    #[test]
    fn a_hash_is_the_same_under_its_key_and_another_under_another() {
        let (one, other) = (Keyed::default(), Keyed::default());
        assert_eq!(one.hash_one("a client"), one.clone().hash_one("a client"));
        assert_ne!(one.hash_one("a client"), one.hash_one("another"));
        assert_ne!(one.hash_one("a client"), other.hash_one("a client"));
    }

    #[test]
    fn an_interrupted_or_short_call_is_made_again() {
        let mut answers = [Err(Errno::INTR), Ok(3), Ok(1), Err(Errno::INTR), Ok(4)].into_iter();
        let mut out = [0; 8];
        fill_by(&mut out, |rest| {
            let answer = answers.next().unwrap();
            rest[..answer.unwrap_or(0)].fill(7);
            answer
        });
        assert_eq!((out, answers.next()), ([7; 8], None));
    }

    #[test]
    fn a_call_that_fails_ends_the_process_with_one_line() {
        if let Ok(fault) = std::env::var(FAULT) {
            // This is the child.
            let answer = if fault == "nothing" { Ok(0) } else { Err(Errno::NOSYS) };
            let mut key = [0; 32];
            fill_by(&mut key, |_| answer);
            println!("went on with {key:?}");
            return;
        }
        let name = "os::entropy::tests::a_call_that_fails_ends_the_process_with_one_line";
        for (fault, told) in [("nothing", "Input/output error"), ("no call", "not implemented")] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            let child = child.args([name, "--exact", "--nocapture"]).env(FAULT, fault);
            let output = child.output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(!String::from_utf8(output.stdout).unwrap().contains("went on"));
            let lines: Vec<_> = text.lines().filter(|line| line.contains("getrandom")).collect();
            assert!(lines.len() == 1 && lines[0].contains(told), "{text}");
        }
    }
}
