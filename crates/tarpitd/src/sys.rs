//! The system calls for which no safe function exists. Nothing else is in this file.
#![expect(unsafe_code, reason = "this is the place")]

use std::{io, os::fd::BorrowedFd};

use rustix::ioctl::{Getter, ioctl};

/// How many bytes on a connection the peer has not acknowledged, including unsent ones.
pub(crate) fn unacknowledged(connection: BorrowedFd<'_>) -> io::Result<usize> {
    /// `SIOCOUTQ`, which shares its number with `TIOCOUTQ` (tcp(7)).
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket the kernel writes one C int to the place that the getter provides.
    let bytes: i32 = unsafe { ioctl(connection, Getter::<SIOCOUTQ, i32>::new())? };
    Ok(usize::try_from(bytes).unwrap_or(0))
}
