//! The system calls of the sandbox for which no safe function exists. Nothing else is here.
#![expect(unsafe_code, reason = "this is the place")]

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use libc::{
    EPERM, SA_RESTART, SA_SIGINFO, SIGSYS, SYS_landlock_add_rule, SYS_landlock_create_ruleset,
    SYS_landlock_restrict_self, c_int, c_long, c_void, sigaction, siginfo_t, syscall, ucontext_t,
};

/// `struct landlock_ruleset_attr` (linux/landlock.h): what a ruleset decides about.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruleset {
    pub(super) files: u64,
    pub(super) network: u64,
    pub(super) scoped: u64,
}

/// `struct landlock_path_beneath_attr`: what is allowed beneath a file.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: c_int,
}

/// Makes a system call as somebody does who has taken over the process. The tests pass what harms
/// nobody even where it is allowed.
#[cfg(test)]
pub(super) fn call(number: c_long, arguments: [usize; 5]) -> io::Result<c_long> {
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: the tests pass no address of memory that anybody uses.
    result(unsafe { syscall(number, first, second, third, fourth, fifth) })
}

/// The version of landlock that the kernel has.
pub(super) fn landlock_version() -> io::Result<u32> {
    const VERSION: c_int = 1;
    // SAFETY: with this flag the kernel reads no attributes.
    let version = unsafe {
        syscall(SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION)
    };
    u32::try_from(result(version)?).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Makes a ruleset that decides about all that `ruleset` has. What only later kernels know must be
/// zero.
pub(super) fn create_ruleset(ruleset: Ruleset) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads the attributes before the call returns.
    let fd = unsafe {
        syscall(SYS_landlock_create_ruleset, &raw const ruleset, size_of::<Ruleset>(), 0 as c_int)
    };
    let fd = c_int::try_from(result(fd)?).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Allows something on a file and on all beneath it.
pub(super) fn allow_beneath(
    ruleset: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    allowed: u64,
) -> io::Result<()> {
    const PATH_BENEATH: c_int = 1;
    let rule = PathBeneath { allowed, parent: parent.as_raw_fd() };
    // SAFETY: both files are open, and the kernel reads the rule before the call returns.
    let done = unsafe {
        let (ruleset, flags) = (ruleset.as_raw_fd(), 0 as c_int);
        syscall(SYS_landlock_add_rule, ruleset, PATH_BENEATH, &raw const rule, flags)
    };
    result(done).map(drop)
}

/// Puts a ruleset in force for this thread and those that it starts.
pub(super) fn restrict_self(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the ruleset is open, and the kernel keeps what it needs of it.
    let done = unsafe { syscall(SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0 as c_int) };
    result(done).map(drop)
}

fn result(returned: c_long) -> io::Result<c_long> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// What the kernel tells of a call that a filter has trapped: the fields of `siginfo_t` for SIGSYS
/// (sigaction(2)).
#[repr(C)]
struct Trapped {
    signal: c_int,
    errno: c_int,
    code: c_int,
    address: *const c_void,
    call: c_int,
}

/// From now on a trapped call is noted and answers `EPERM`.
pub(super) fn answer_traps() -> io::Result<()> {
    // SAFETY: zeros are a valid value of this structure.
    let mut action: sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = trapped;
    action.sa_sigaction = handler as usize;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    // SAFETY: the handler has the form that the flags promise, and does only what is safe in one.
    let done = unsafe { sigaction(SIGSYS, &raw const action, std::ptr::null_mut()) };
    result(done.into()).map(drop)
}

/// The handler of SIGSYS. It allocates nothing, locks nothing and makes no system call.
extern "C" fn trapped(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    /// The signal comes from a filter, not from a process (asm-generic/siginfo.h).
    const SYS_SECCOMP: c_int = 1;
    // SAFETY: the kernel gives a handler with this flag both structures, which nobody else uses.
    let (info, context) = unsafe { (&*info.cast::<Trapped>(), &mut *context.cast::<ucontext_t>()) };
    if info.code == SYS_SECCOMP {
        super::note_denied(info.call);
        set_result(context, -EPERM);
    }
}

/// Sets what the trapped call returns.
fn set_result(context: &mut ucontext_t, value: c_int) {
    #[cfg(target_arch = "x86_64")]
    {
        context.uc_mcontext.gregs[libc::REG_RAX as usize] = value.into();
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.uc_mcontext.regs[0] = i64::from(value).cast_unsigned();
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = (context, value);
}
