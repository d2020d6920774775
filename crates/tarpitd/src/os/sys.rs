//! The system calls for which no safe function exists, and what they take. Nothing else is here.
#![expect(unsafe_code, reason = "this is the place")]

use std::{
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use io_uring::{IoUring, opcode, register::Restriction, types::Fd};
use libc::{
    F_GETFD, F_SETFD, FD_CLOEXEC, IP_TRANSPARENT, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP,
    IPV6_TRANSPARENT, RWF_NOWAIT, TCP_INFO, c_int, fcntl, getsockopt, setsockopt, socklen_t,
};
use rustix::{
    io::Errno,
    ioctl::{Getter, ioctl},
};

/// What is to go out on a connection, and what came of it.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) connection: BorrowedFd<'a>,
    pub(crate) bytes: &'a [u8],
    /// What the kernel answered: how many bytes it took, or why none.
    pub(crate) outcome: &'a mut Option<Result<usize, Errno>>,
}

/// How many bytes on a connection the peer has not acknowledged, including unsent ones.
pub(crate) fn unacknowledged(connection: BorrowedFd<'_>) -> io::Result<usize> {
    /// `SIOCOUTQ`, which shares its number with `TIOCOUTQ` (tcp(7)).
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: for a TCP socket the kernel writes one C int to the place that the getter provides.
    let bytes: i32 = unsafe { ioctl(connection, Getter::<SIOCOUTQ, i32>::new())? };
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// For how long the peer of a connection has neither acknowledged nor sent anything.
pub(crate) fn silent_for(connection: BorrowedFd<'_>) -> io::Result<Duration> {
    const LAST_DATA_RECEIVED: usize = 13;
    const LAST_ACK_RECEIVED: usize = 14;
    let info = tcp_info::<{ LAST_ACK_RECEIVED + 1 }>(connection)?;
    let millis = info[LAST_DATA_RECEIVED].min(info[LAST_ACK_RECEIVED]);
    Ok(Duration::from_millis(millis.into()))
}

/// Lets a socket have addresses that are not this machine's, as TPROXY needs it; or no longer.
pub(crate) fn set_transparent(socket: BorrowedFd<'_>, is_ipv6: bool, on: bool) -> io::Result<()> {
    let (level, option) =
        if is_ipv6 { (IPPROTO_IPV6, IPV6_TRANSPARENT) } else { (IPPROTO_IP, IP_TRANSPARENT) };
    let value = c_int::from(on);
    let length = size_of_val(&value) as socklen_t;
    // SAFETY: the socket is open, and the kernel reads `length` bytes of `value`.
    let result =
        unsafe { setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes over so many descriptors, from 3 on, with which this process was started; the number of
/// each that is not open. Only the first call takes any, and it stands before everything that opens
/// files.
pub(crate) fn take_passed(count: usize) -> Vec<Result<OwnedFd, RawFd>> {
    /// What comes after standard error (`SD_LISTEN_FDS_START`).
    const FIRST: RawFd = 3;
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Relaxed) {
        return Vec::new();
    }
    let take = |number: RawFd| {
        // SAFETY: the call takes any number, and fails if nothing is open there.
        let flags = unsafe { fcntl(number, F_GETFD) };
        if flags < 0 {
            return Err(number);
        }
        // SAFETY: it is open; programs that this process may start are not meant.
        unsafe { fcntl(number, F_SETFD, flags | FD_CLOEXEC) };
        // SAFETY: it is open, and the service manager has said that it belongs to this process.
        // Nothing else has it: no file was opened before, and no other call gets here.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    (FIRST..).take(count).map(take).collect()
}

/// For how long the peer of a connection has sent nothing.
pub(crate) fn unheard_for(connection: BorrowedFd<'_>) -> io::Result<Duration> {
    const LAST_DATA_RECEIVED: usize = 13;
    let info = tcp_info::<{ LAST_DATA_RECEIVED + 1 }>(connection)?;
    Ok(Duration::from_millis(info[LAST_DATA_RECEIVED].into()))
}

/// The window that the peer of a new connection has offered in its SYN/ACK, and by how many bits
/// later ones are shifted.
#[cfg(test)]
pub(crate) fn offered_window(connection: BorrowedFd<'_>) -> io::Result<(u32, u8)> {
    const SHIFTS: usize = 1;
    const WINDOW: usize = 57;
    let info = tcp_info::<{ WINDOW + 1 }>(connection)?;
    Ok((info[WINDOW], info[SHIFTS].to_ne_bytes()[2] & 0xF))
}

/// The beginning of a connection's `struct tcp_info` (linux/tcp.h), whose first eight fields are
/// bytes, as words.
fn tcp_info<const WORDS: usize>(connection: BorrowedFd<'_>) -> io::Result<[u32; WORDS]> {
    let mut info = [0_u32; WORDS];
    let mut length = size_of_val(&info) as socklen_t;
    // SAFETY: the connection is open, and the kernel writes at most `length` bytes to `info`.
    let result = unsafe {
        getsockopt(
            connection.as_raw_fd(),
            IPPROTO_TCP,
            TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if (length as usize) < size_of_val(&info) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(info)
}

/// A ring that takes writes and nothing else: what takes over this process finds no way past
/// seccomp in it to open files or to connect. A write is a send that carries no address and no
/// flags, and by those a send could connect. Fails on a kernel that cannot restrict a ring (before
/// 5.10) or would wait in a write on a socket (before 6.5), and where it is forbidden.
pub(crate) fn writing_ring(entries: u32) -> io::Result<IoUring> {
    let ring = IoUring::builder().setup_r_disabled().build(entries)?;
    let mut writes = [Restriction::sqe_op(opcode::Write::CODE)];
    ring.submitter().register_restrictions(&mut writes)?;
    ring.submitter().register_enable_rings()?;
    let mut outcome = None;
    let (ours, _other) = UnixStream::pair()?;
    let trial = Outgoing { connection: ours.as_fd(), bytes: b"x", outcome: &mut outcome };
    let mut ring = Some(ring);
    write_all(&mut ring, &mut [trial])?;
    match (outcome, ring) {
        (Some(Ok(1)), Some(ring)) => Ok(ring),
        (Some(Err(errno)), _) if errno != Errno::OPNOTSUPP => Err(errno.into()),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "it needs Linux 6.5")),
    }
}

/// Sends through a ring that has room for all: each as far as it goes without waiting. Notes each
/// outcome. If the ring fails, it is closed, and an entry without an outcome was not sent.
///
/// A write on a connection that was reset raises SIGPIPE, which every Rust program ignores.
pub(crate) fn write_all(
    ring: &mut Option<IoUring>,
    outgoing: &mut [Outgoing<'_>],
) -> io::Result<()> {
    let Some(open) = ring else { return Ok(()) };
    let mut waited_for = 0;
    let mut queue = open.submission();
    for (place, Outgoing { connection, bytes, .. }) in (0..).zip(&*outgoing) {
        // A write of 4 GiB is one of as much as fits.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let write = opcode::Write::new(Fd(connection.as_raw_fd()), bytes.as_ptr(), length)
            .rw_flags(RWF_NOWAIT)
            .build()
            .user_data(place);
        // SAFETY: the connection is open and the bytes stay where they are until this function
        // returns, and then the kernel looks at neither: it has answered all, or the ring, with
        // what it has not begun, is closed. A write that may not wait ends when it begins.
        if unsafe { queue.push(&write) }.is_ok() {
            waited_for += 1;
        }
    }
    drop(queue);
    while waited_for > 0 {
        let result = open.submit_and_wait(waited_for);
        for answer in open.completion() {
            waited_for -= 1;
            if let Some(one) = outgoing.get_mut(answer.user_data() as usize) {
                let result = answer.result();
                let errno = || Errno::from_raw_os_error(result.saturating_neg());
                *one.outcome = Some(usize::try_from(result).map_err(|_| errno()));
            }
        }
        if let Err(error) = result
            && error.kind() != io::ErrorKind::Interrupted
        {
            *ring = None;
            return Err(error);
        }
    }
    Ok(())
}

/// Gives empty pages back to the kernel. The GNU C library would keep them; others give them back
/// by themselves.
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time and from any thread (malloc_trim(3)). It says whether
    // there was anything to give back, which changes nothing.
    let _ = unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use io_uring::squeue::Entry;

    use super::*;
    use crate::require::require;

    #[test]
    fn a_ring_takes_writes_only() {
        if !require("io_uring") {
            return;
        }
        let mut ring = writing_ring(4).unwrap();
        let file = Fd(1);
        let path = c"/etc/passwd".as_ptr();
        let refused: [Entry; 4] = [
            opcode::Nop::new().build(),
            opcode::Send::new(file, b"x".as_ptr(), 1).flags(libc::MSG_FASTOPEN).build(),
            opcode::Connect::new(file, std::ptr::null(), 0).build(),
            opcode::OpenAt::new(file, path).build(),
        ];
        for entry in refused {
            // SAFETY: the path is a constant, and no other entry points to anything.
            unsafe { ring.submission().push(&entry) }.unwrap();
            ring.submit_and_wait(1).unwrap();
            let answer = ring.completion().next().unwrap();
            assert_eq!(answer.result(), -libc::EACCES, "{entry:?}");
        }
    }
}
