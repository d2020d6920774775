//! System calls, by seccomp(2): what is not on the list is not made, and answers `EPERM`.

use std::{collections::BTreeMap, io, process};

use libc::{
    AF_INET, AF_INET6, FIONBIO, FIONREAD, IPPROTO_TCP, MSG_FASTOPEN, PR_SET_NAME, PR_SET_VMA,
    PROT_EXEC, SOCK_STREAM, SYS_clone, SYS_ioctl, SYS_mmap, SYS_mprotect, SYS_prctl, SYS_sendmsg,
    SYS_sendto, SYS_socket, SYS_tgkill, TCGETS, TCGETS2, TIOCGWINSZ, TIOCOUTQ, c_long,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword,
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use super::calls::{ALLOWED, OLD};

/// How rustix finds the size of a page (linux/prctl.h).
const PR_GET_AUXV: i32 = 0x4155_5856;

/// Lets all threads make the calls of the list only. A call that is denied is noted.
pub(super) fn install() -> io::Result<()> {
    let program = program().map_err(|error| io::Error::other(error.to_string()))?;
    apply_filter_all_threads(&program).map_err(|error| match error {
        seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error) => error,
        error => io::Error::other(error.to_string()),
    })
}

fn program() -> Result<BpfProgram, BackendError> {
    let all = ALLOWED.iter().flat_map(|purpose| purpose.calls).chain(OLD);
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        all.map(|&(number, _)| (number, Vec::new())).collect();
    rules.extend(conditions()?);
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, architecture)?.try_into()
}

/// What the filter looks at: a call is allowed where one of its rules holds.
fn conditions() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let is = |place, value: u64| SeccompCondition::new(place, Dword, SeccompCmpOp::Eq, value);
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
    let no_program = || SeccompRule::new(vec![bits(2, PROT_EXEC, 0)?]);
    let ioctls = [FIONBIO, FIONREAD, TCGETS, TIOCGWINSZ, TIOCOUTQ, TCGETS2];
    let ioctls = ioctls.map(|it| u64::from(it as u32));
    let names = [PR_GET_AUXV, PR_SET_NAME, PR_SET_VMA].map(|it| u64::from(it.cast_unsigned()));
    Ok(vec![
        (
            SYS_clone,
            vec![SeccompRule::new(vec![bits(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?])?],
        ),
        (SYS_ioctl, one_of(1, &ioctls)?),
        (SYS_mmap, vec![no_program()?]),
        (SYS_mprotect, vec![no_program()?]),
        (SYS_prctl, one_of(0, &names)?),
        (SYS_sendmsg, vec![SeccompRule::new(vec![bits(2, MSG_FASTOPEN, 0)?])?]),
        (SYS_sendto, vec![SeccompRule::new(vec![bits(3, MSG_FASTOPEN, 0)?, null(4)?])?]),
        (SYS_socket, sockets),
        (SYS_tgkill, one_of(0, &[process::id().into()])?),
    ])
}
