//! The system calls that the daemon needs once it serves, and what for. The filter allows these,
//! and the manual lists them.

use libc::c_long;

/// Calls with one purpose.
pub(crate) struct Purpose {
    /// As the end of a sentence.
    pub(crate) what: &'static str,
    pub(super) calls: &'static [(c_long, &'static str)],
}

impl Purpose {
    /// The names of the calls.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.calls.iter().map(|(_, name)| name.trim_start_matches("SYS_"))
    }
}

/// Names of `libc`, as pairs of number and name.
macro_rules! calls {
    ($($call:ident)*) => {
        &[$((libc::$call, stringify!($call))),*]
    };
}
pub(super) use calls;

/// What is allowed on every architecture. The filter looks at the arguments of some of them.
#[rustfmt::skip]
pub(crate) const ALLOWED: &[Purpose] = &[
    Purpose {
        what: "connections and listeners: new sockets are for TCP only, nothing is sent to an \
               address, and no send opens a connection (`MSG_FASTOPEN`)",
        calls: calls! {
            SYS_accept4 SYS_bind SYS_getpeername SYS_getsockname SYS_getsockopt SYS_listen
            SYS_recvfrom SYS_recvmsg SYS_sendmsg SYS_sendto SYS_setsockopt SYS_shutdown SYS_socket
        },
    },
    Purpose {
        what: "files, of which landlock(7) decides which ones; of `fcntl` what keeps a descriptor",
        calls: calls! {
            SYS_close SYS_dup SYS_dup3 SYS_faccessat SYS_faccessat2 SYS_fcntl SYS_fdatasync
            SYS_fstat SYS_fsync SYS_ftruncate SYS_getcwd SYS_lseek SYS_mkdirat SYS_newfstatat
            SYS_openat SYS_read SYS_readlinkat SYS_readv SYS_renameat2 SYS_statx SYS_unlinkat
            SYS_write SYS_writev
        },
    },
    Purpose {
        what: "owner and mode of the Unix sockets after an upgrade, only where there are such \
               sockets: landlock(7) and the filter do not see which file is meant, so only the \
               daemon's own user and the sockets' configured groups and modes can be set",
        calls: calls! { SYS_fchmodat SYS_fchownat },
    },
    Purpose {
        what: "terminals and how much waits in a socket: a few requests, none of which types for \
               the terminal's owner",
        calls: calls! { SYS_ioctl },
    },
    Purpose {
        what: "waiting, timers and the clock",
        calls: calls! {
            SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_epoll_create1 SYS_epoll_ctl
            SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_gettimeofday SYS_nanosleep SYS_ppoll
            SYS_restart_syscall SYS_timerfd_create SYS_timerfd_settime
        },
    },
    Purpose {
        what: "the ring that sends, once it is made: it takes `IORING_OP_WRITE` only",
        calls: calls! { SYS_io_uring_enter },
    },
    Purpose {
        what: "memory, none of which may be run as a program",
        calls: calls! { SYS_brk SYS_madvise SYS_mmap SYS_mprotect SYS_mremap SYS_munmap },
    },
    Purpose {
        what: "threads, signals to itself, and its end",
        calls: calls! {
            SYS_clone SYS_clone3 SYS_exit SYS_exit_group SYS_futex SYS_getpid SYS_gettid
            SYS_membarrier SYS_prctl SYS_rseq SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn
            SYS_sched_getaffinity SYS_sched_yield SYS_set_robust_list SYS_sigaltstack SYS_tgkill
        },
    },
    Purpose {
        what: "what it is and what it uses: its user, rights, limits (which it \
               cannot set) and CPU time; randomness",
        calls: calls! {
            SYS_capget SYS_getegid SYS_geteuid SYS_getgid SYS_getrandom SYS_getrusage SYS_getuid
            SYS_prlimit64 SYS_sysinfo SYS_uname
        },
    },
];

/// Older forms of the same.
#[rustfmt::skip]
#[cfg(target_arch = "x86_64")]
pub(super) const OLD: &[(c_long, &str)] = calls! {
    SYS_access SYS_dup2 SYS_epoll_wait SYS_getrlimit SYS_lstat SYS_mkdir SYS_open SYS_poll
    SYS_readlink SYS_rename SYS_renameat SYS_stat SYS_time SYS_unlink
};

/// Older forms of the same. The C library for this architecture renames by `renameat`, which is 38.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OLD: &[(c_long, &str)] = &[(38, "SYS_renameat")];
