//! System calls, by seccomp(2): what is not on the list is not made, and answers `EPERM`.

use std::{collections::BTreeMap, io, process};

use libc::{
    AF_INET, AF_INET6, AT_SYMLINK_NOFOLLOW, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL,
    FIONBIO, FIONREAD, IP_FREEBIND, IP_TRANSPARENT, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP,
    IPV6_FREEBIND, IPV6_TRANSPARENT, IPV6_V6ONLY, MSG_FASTOPEN, PR_SET_NAME, PR_SET_VMA, PROT_EXEC,
    SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF,
    SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET, SYS_clone, SYS_fchmodat, SYS_fchownat, SYS_fcntl,
    SYS_ioctl, SYS_mmap, SYS_mprotect, SYS_prctl, SYS_prlimit64, SYS_sendmsg, SYS_sendto,
    SYS_setsockopt, SYS_socket, SYS_tgkill, TCGETS, TCGETS2, TCP_KEEPCNT, TCP_KEEPIDLE,
    TCP_KEEPINTVL, TCP_NODELAY, TCP_USER_TIMEOUT, TIOCGWINSZ, TIOCOUTQ, c_int, c_long,
};
use rustix::process::geteuid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword,
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use super::{
    FileAccess,
    calls::{ALLOWED, OLD},
};

/// How rustix finds the size of a page (linux/prctl.h).
const PR_GET_AUXV: i32 = 0x4155_5856;

/// What the daemon sets on its sockets.
const SOCKET_OPTIONS: [(c_int, &[c_int]); 4] = [
    (IPPROTO_IP, &[IP_FREEBIND, IP_TRANSPARENT]),
    (IPPROTO_IPV6, &[IPV6_FREEBIND, IPV6_TRANSPARENT, IPV6_V6ONLY]),
    (IPPROTO_TCP, &[TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY, TCP_USER_TIMEOUT]),
    (
        SOL_SOCKET,
        &[
            SO_KEEPALIVE,
            SO_LINGER,
            SO_RCVBUF,
            SO_RCVTIMEO,
            SO_REUSEADDR,
            SO_REUSEPORT,
            SO_SNDBUF,
            SO_SNDTIMEO,
        ],
    ),
];

/// Leaves a user or a group as it is (`chown(2)`).
const SAME: u32 = u32::MAX;

/// What is asked of descriptors. Without `F_SETOWN` and `F_SETSIG`: they send signals to others.
const OF_DESCRIPTORS: [c_int; 5] = [F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL];

/// Lets all threads make the calls of the list only. A call that is denied is noted.
/// `sockets`: what the files of Unix sockets may be set to.
pub(super) fn install(sockets: &[FileAccess]) -> io::Result<()> {
    let program = program(sockets).map_err(|error| io::Error::other(error.to_string()))?;
    apply_filter_all_threads(&program).map_err(|error| match error {
        seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error) => error,
        error => io::Error::other(error.to_string()),
    })
}

fn program(sockets: &[FileAccess]) -> Result<BpfProgram, BackendError> {
    let all = ALLOWED.iter().flat_map(|purpose| purpose.calls).chain(OLD);
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        all.map(|&(number, _)| (number, Vec::new())).collect();
    for (number, alternatives) in conditions(sockets)? {
        // No rule at all would mean that the call is allowed in every case.
        if alternatives.is_empty() {
            rules.remove(&number);
        } else {
            rules.insert(number, alternatives);
        }
    }
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, architecture)?.try_into()
}

/// What the filter looks at: a call is allowed where one of its rules holds.
/// One without a rule is not allowed at all.
pub(super) fn conditions(
    files: &[FileAccess],
) -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let is = |place, value: u64| SeccompCondition::new(place, Dword, SeccompCmpOp::Eq, value);
    let is_int = |place, value: c_int| is(place, value.cast_unsigned().into());
    let bits = |place, mask: i32, value: i32| {
        let (mask, value) = (u64::from(mask.cast_unsigned()), u64::from(value.cast_unsigned()));
        SeccompCondition::new(place, Dword, SeccompCmpOp::MaskedEq(mask), value)
    };
    let null = |place| SeccompCondition::new(place, Qword, SeccompCmpOp::Eq, 0);
    let one_of = |place, values: &[u64]| -> Result<Vec<_>, _> {
        values.iter().map(|&value| SeccompRule::new(vec![is(place, value)?])).collect()
    };
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        // SCTP and MPTCP are streams, too.
        for protocol in [0, IPPROTO_TCP] {
            let family = is(0, u64::from(family.cast_unsigned()))?;
            let kind = bits(1, 0xF, SOCK_STREAM)?;
            let protocol = is(2, u64::from(protocol.cast_unsigned()))?;
            sockets.push(SeccompRule::new(vec![family, kind, protocol])?);
        }
    }
    let mut options = Vec::new();
    for (level, names) in SOCKET_OPTIONS {
        for &name in names {
            options.push(SeccompRule::new(vec![is_int(1, level)?, is_int(2, name)?])?);
        }
    }
    let (mut modes, mut owners) = (Vec::new(), Vec::new());
    let owner = |user: u32, group: u32| -> Result<_, BackendError> {
        let ids = [is(2, user.into())?, is(3, group.into())?];
        SeccompRule::new(ids.into_iter().chain([is_int(4, AT_SYMLINK_NOFOLLOW)?]).collect())
    };
    for FileAccess { mode, group } in files {
        modes.push(SeccompRule::new(vec![is(2, (*mode).into())?])?);
        owners.push(owner(geteuid().as_raw(), SAME)?);
        if let Some(group) = group {
            owners.push(owner(SAME, *group)?);
        }
    }
    let own = u64::from(process::id());
    let only_asks = |pid| SeccompRule::new(vec![is(0, pid)?, null(2)?]);
    let no_program = || SeccompRule::new(vec![bits(2, PROT_EXEC, 0)?]);
    let ioctls = [FIONBIO, FIONREAD, TCGETS, TIOCGWINSZ, TIOCOUTQ, TCGETS2];
    let ioctls = ioctls.map(|it| u64::from(it as u32));
    let names = [PR_GET_AUXV, PR_SET_NAME, PR_SET_VMA].map(|it| u64::from(it.cast_unsigned()));
    Ok(vec![
        (
            SYS_clone,
            vec![SeccompRule::new(vec![bits(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?])?],
        ),
        (SYS_fchmodat, modes),
        (SYS_fchownat, owners),
        (SYS_fcntl, one_of(1, &OF_DESCRIPTORS.map(|it| u64::from(it.cast_unsigned())))?),
        (SYS_ioctl, one_of(1, &ioctls)?),
        (SYS_mmap, vec![no_program()?]),
        (SYS_mprotect, vec![no_program()?]),
        (SYS_prctl, one_of(0, &names)?),
        (SYS_prlimit64, vec![only_asks(0)?, only_asks(own)?]),
        (SYS_sendmsg, vec![SeccompRule::new(vec![bits(2, MSG_FASTOPEN, 0)?])?]),
        (SYS_sendto, vec![SeccompRule::new(vec![bits(3, MSG_FASTOPEN, 0)?, null(4)?])?]),
        (SYS_setsockopt, options),
        (SYS_socket, sockets),
        (SYS_tgkill, one_of(0, &[own])?),
    ])
}
