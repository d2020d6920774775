//! The system calls for which no safe function exists. Nothing else is in this file.
#![expect(unsafe_code, reason = "this is the place")]

use std::{io, os::fd::BorrowedFd, ptr};

use rustix::{
    ioctl::{Getter, ioctl},
    mm::{Advice, madvise},
};

use crate::mappings;

/// How many bytes on a connection the peer has not acknowledged, including unsent ones.
pub(crate) fn unacknowledged(connection: BorrowedFd<'_>) -> io::Result<usize> {
    /// `SIOCOUTQ`, which shares its number with `TIOCOUTQ` (tcp(7)).
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket the kernel writes one C int to the place that the getter provides.
    let bytes: i32 = unsafe { ioctl(connection, Getter::<SIOCOUTQ, i32>::new())? };
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Lets go of the code that only the start has needed: it is counted as ours no longer, and what is
/// needed after all is mapped again from the program's file.
pub(crate) fn release_code() {
    let here = (release_code as fn() as *const ()).addr();
    let Some(code) = mappings::own_code(here) else { return };
    // SAFETY: these are pages of this program's file that were mapped to be read and executed, and
    // none has been written to since (the kernel counts no copy of our own), so that the kernel
    // brings back the very bytes that it lets go. If it refuses they stay.
    let _ = unsafe {
        madvise(ptr::with_exposed_provenance_mut(code.start), code.len(), Advice::LinuxDontNeed)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of our code is in memory.
    fn resident() -> u64 {
        mappings::resident_code((release_code as fn() as *const ()).addr()).expect("it runs")
    }

    #[test]
    fn what_is_let_go_is_counted_no_longer_and_comes_back() {
        let before = resident();
        release_code();
        let after = resident();
        assert!(after < before, "{after} of {before} kB");
        release_code();
    }
}
