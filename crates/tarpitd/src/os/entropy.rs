//! The kernel's randomness, by getrandom(2): no file is needed for it.

use std::io;

use rustix::{
    io::Errno,
    rand::{GetRandomFlags, getrandom},
};
use tarpit_proto::rng::Entropy;

/// The kernel's generator.
pub(crate) struct System;

impl Entropy for System {
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(error) = fill(out) {
            // Keys of anything else would be no secret.
            panic!("no randomness from the system: {error}");
        }
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(bytes)
}

fn fill(out: &mut [u8]) -> io::Result<()> {
    let mut rest = out;
    while !rest.is_empty() {
        match getrandom(&mut *rest, GetRandomFlags::empty()) {
            Ok(count) => rest = &mut rest[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
