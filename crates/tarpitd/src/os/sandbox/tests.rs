//! What the sandbox refuses, tried from inside: each test runs again in a process of its own, which
//! confines itself.

use std::{
    env, fs,
    io::{IoSlice, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, chmodat, chownat},
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendFlags, SocketType, send, sendmsg_addr, sendto,
        socket, sockopt,
    },
    process::{
        DumpableBehavior, Gid, Resource, Uid, dumpable_behavior, getegid, geteuid, getppid,
        getrlimit, setrlimit,
    },
};

use super::*;
use crate::require::lacks;

/// Names the folder of a test that runs inside.
const INSIDE: &str = "TARPIT_INSIDE";

/// Runs the test called `name` again in a process of its own: `inside` gets a folder with the file
/// `file` in it. `name` is what the test harness calls it.
fn in_a_process(name: &str, inside: impl FnOnce(PathBuf)) {
    if let Some(folder) = env::var_os(INSIDE) {
        return inside(folder.into());
    }
    let id = format!("tarpitd-inside-{}-{}", std::process::id(), name.replace("::", "-"));
    let folder = env::temp_dir().join(id);
    fs::create_dir_all(&folder).unwrap();
    let folder = fs::canonicalize(folder).unwrap();
    fs::write(folder.join("file"), "text").unwrap();
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", name, "--nocapture"]).env(INSIDE, &folder).stdin(Stdio::null());
    let output = test.output().unwrap();
    fs::remove_dir_all(folder).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {told}", output.status);
    let ran = String::from_utf8_lossy(&output.stdout);
    assert!(ran.contains("1 passed"), "{name} is another test's name: {ran}");
}

/// Whether the kernel has landlock; says so if not.
fn has_landlock() -> bool {
    sys::landlock_version().map_err(|error| lacks("landlock", error)).is_ok()
}

fn is_denied<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[test]
fn files_are_opened_only_as_they_are_granted() {
    if !has_landlock() {
        return;
    }
    in_a_process("os::sandbox::tests::files_are_opened_only_as_they_are_granted", |folder| {
        let path = |name: &str| folder.join(name);
        let grant = |name: &str, access| {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("old"), "old").unwrap();
            Grant { path: path(name), access }
        };
        let grants = [
            grant("append", Access::Append),
            grant("keep", Access::Keep),
            grant("read", Access::Read),
            grant("remove", Access::Remove),
            Grant { path: path("gone"), access: Access::Read },
        ];
        assert!(confine(&grants).is_empty());

        // What none of them is for.
        assert!(is_denied(fs::read(path("file"))));
        assert!(is_denied(fs::write(path("file"), "")));
        assert!(is_denied(fs::read("/etc/passwd")) && is_denied(fs::read_dir("/")));
        assert!(is_denied(fs::write(path("new"), "")) && is_denied(fs::remove_file(path("file"))));
        assert!(is_denied(Command::new("/bin/true").status()));

        // append, keep, read, remove
        let all = |tried: fn(PathBuf) -> bool| {
            ["append", "keep", "read", "remove"].map(|name| tried(path(name)))
        };
        let write = |file: PathBuf| fs::OpenOptions::new().append(true).create(true).open(file);
        assert_eq!(all(|it| fs::read(it.join("old")).is_ok()), [false, true, true, false]);
        assert_eq!(all(|it| fs::write(it.join("new"), "").is_ok()), [true, true, false, false]);
        assert!(write(path("append").join("old")).unwrap().set_len(0).is_ok());
        assert_eq!(all(|it| fs::create_dir(it.join("sub")).is_ok()), [false; 4]);
        let moved = |it: PathBuf| fs::rename(it.join("old"), it.join("older")).is_ok();
        assert_eq!(all(moved), [false, true, false, false]);
        let removed = |it: PathBuf| {
            fs::remove_file(it.join("old")).or_else(|_| fs::remove_file(it.join("older"))).is_ok()
        };
        assert_eq!(all(removed), [false, true, false, true]);
    });
}

#[test]
fn a_landlocked_thread_connects_to_nothing_and_still_listens() {
    if !has_landlock() {
        return;
    }
    let name = "os::sandbox::tests::a_landlocked_thread_connects_to_nothing_and_still_listens";
    in_a_process(name, |_| {
        if sys::landlock_version().unwrap() < 4 {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        landlock::restrict(&[]).unwrap();
        assert!(is_denied(TcpStream::connect(address)));
        TcpListener::bind("127.0.0.1:0").unwrap();
    });
}

#[test]
fn a_crash_writes_no_memory_and_no_program_gains_rights() {
    in_a_process(
        "os::sandbox::tests::a_crash_writes_no_memory_and_no_program_gains_rights",
        |_| {
            // A kernel without landlock does not matter here.
            confine(&[]);
            assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
            assert!(rustix::thread::no_new_privs().unwrap());
        },
    );
}

/// Whether the kernel filters calls here; says so if not. It must be asked last of all.
fn has_seccomp() -> bool {
    sys::answer_traps().unwrap();
    filter_calls(&[]).map_err(|lack| lacks("seccomp", lack.error)).is_ok()
}

/// A listener of this machine that nobody inside may reach.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn stream_socket() -> rustix::fd::OwnedFd {
    socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()
}

const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned());

#[test]
fn nothing_inside_opens_a_connection_or_a_socket_that_could() {
    let name = "os::sandbox::tests::nothing_inside_opens_a_connection_or_a_socket_that_could";
    in_a_process(name, |folder| {
        let (_listener, address) = listener();
        let unix = folder.join("socket");
        let _unix_listener = UnixListener::bind(&unix).unwrap();
        if !has_seccomp() {
            return;
        }
        assert!(is_denied(TcpStream::connect(address)) && is_denied(UnixStream::connect(unix)));
        assert!(is_denied(UdpSocket::bind("127.0.0.1:0")) && is_denied(UnixDatagram::unbound()));
        for flags in [SendFlags::empty(), FAST_OPEN] {
            let sent = sendto(stream_socket(), b"x", flags, &address);
            assert_eq!(sent, Err(Errno::PERM), "{flags:?}");
        }
        assert_eq!(send(stream_socket(), b"x", FAST_OPEN), Err(Errno::PERM));
        let part = [IoSlice::new(b"x")];
        let mut nothing = SendAncillaryBuffer::default();
        let sent = sendmsg_addr(stream_socket(), &address, &part, &mut nothing, FAST_OPEN);
        assert_eq!(sent, Err(Errno::PERM));
        // Without that flag the address of a stream is nothing to the kernel.
        let sent =
            sendmsg_addr(stream_socket(), &address, &part, &mut nothing, SendFlags::NOSIGNAL);
        assert_eq!(sent, Err(Errno::PIPE));
        for (family, kind, protocol) in [
            (AddressFamily::INET, SocketType::DGRAM, None),
            (AddressFamily::INET6, SocketType::RAW, Some(rustix::net::ipproto::RAW)),
            (AddressFamily::NETLINK, SocketType::DGRAM, None),
            (AddressFamily::INET, SocketType::STREAM, Some(rustix::net::ipproto::MPTCP)),
            (AddressFamily::INET, SocketType::STREAM, Some(rustix::net::ipproto::SCTP)),
        ] {
            assert!(
                socket(family, kind, protocol).is_err_and(|it| it == Errno::PERM),
                "{family:?}"
            );
        }
        socket(AddressFamily::INET, SocketType::STREAM, Some(rustix::net::ipproto::TCP)).unwrap();
    });
}

#[test]
fn nothing_inside_starts_a_program_and_what_was_denied_is_told_once_by_name() {
    let name = "os::sandbox::tests::\
                nothing_inside_starts_a_program_and_what_was_denied_is_told_once_by_name";
    in_a_process(name, |_| {
        let (_listener, address) = listener();
        if !has_seccomp() {
            return;
        }
        let mut denials = Denials::default();
        assert_eq!(denials.news(), [""; 0]);
        assert!(is_denied(Command::new("/bin/true").status()));
        for _ in 0..2 {
            assert!(is_denied(TcpStream::connect(address)));
        }
        let news = denials.news();
        assert!(news.iter().any(|call| call == "connect"), "{news:?}");
        assert_eq!(denials.news(), [""; 0]);
    });
}

fn word(number: i32) -> usize {
    usize::try_from(number).unwrap()
}

fn is_refused(number: libc::c_long, arguments: [usize; 5]) -> bool {
    is_denied(sys::call(number, arguments))
}

#[test]
fn nothing_inside_changes_modes_and_owners() {
    in_a_process("os::sandbox::tests::nothing_inside_changes_modes_and_owners", |folder| {
        use std::os::unix::fs::{PermissionsExt as _, chown, fchown, lchown};
        let path = folder.join("file");
        let file = fs::File::open(&path).unwrap();
        let same = fs::metadata(&path).unwrap().permissions();
        if !has_seccomp() {
            return;
        }
        let open = fs::Permissions::from_mode(0o666);
        assert!(is_denied(fs::set_permissions(&path, open.clone())));
        assert!(is_denied(file.set_permissions(open)));
        assert!(is_denied(chown(&path, None, None)) && is_denied(lchown(&path, None, None)));
        assert!(is_denied(fchown(&file, None, None)));
        let (mode, flags) = (Mode::RUSR, AtFlags::SYMLINK_NOFOLLOW);
        assert_eq!(chmodat(CWD, &path, mode, AtFlags::empty()), Err(Errno::PERM));
        assert_eq!(chownat(CWD, &path, None, None, flags), Err(Errno::PERM));
        assert_eq!(fs::metadata(&path).unwrap().permissions(), same);
    });
}

#[test]
fn only_modes_and_groups_of_the_settings_can_be_set_where_there_are_unix_sockets() {
    let name = "os::sandbox::tests::\
                only_modes_and_groups_of_the_settings_can_be_set_where_there_are_unix_sockets";
    in_a_process(name, |folder| {
        let (path, user, group) = (folder.join("file"), geteuid(), getegid());
        sys::answer_traps().unwrap();
        let access = FileAccess { mode: 0o640, group: Some(group.as_raw()) };
        if filter_calls(&[access]).map_err(|lack| lacks("seccomp", lack.error)).is_err() {
            return;
        }
        let chmod = |mode| chmodat(CWD, &path, Mode::from_raw_mode(mode), AtFlags::empty());
        assert_eq!([0o640, 0o644, 0o4640].map(chmod), [Ok(()), Err(Errno::PERM), Err(Errno::PERM)]);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let chown = |user, group| chownat(CWD, &path, user, group, flags);
        let other = user.as_raw() + 1;
        assert_eq!(chown(Some(user), None), Ok(()));
        assert_eq!(chown(None, Some(group)), Ok(()));
        assert_eq!(chown(Some(Uid::from_raw(other)), None), Err(Errno::PERM));
        assert_eq!(chown(None, Some(Gid::from_raw(other))), Err(Errno::PERM));
        let followed = chownat(CWD, &path, Some(user), None, AtFlags::empty());
        assert_eq!(followed, Err(Errno::PERM));
    });
}

#[test]
fn nothing_inside_reaches_other_processes() {
    in_a_process("os::sandbox::tests::nothing_inside_reaches_other_processes", |_| {
        let parent = word(getppid().unwrap().as_raw_nonzero().get());
        let own = std::process::id() as usize;
        let limit = getrlimit(Resource::Nofile);
        if !has_seccomp() {
            return;
        }
        let nofile = libc::RLIMIT_NOFILE as usize;
        assert!(is_refused(libc::SYS_prlimit64, [parent, nofile, 0, 0, 0]));
        assert_eq!(setrlimit(Resource::Nofile, limit), Err(Errno::PERM));
        assert_eq!(getrlimit(Resource::Nofile), limit);
        // Signal 0 only asks whether it could be sent.
        for call in [libc::SYS_tkill, libc::SYS_kill] {
            assert!(is_refused(call, [parent, 0, 0, 0, 0]), "{call}");
        }
        assert!(is_refused(libc::SYS_tgkill, [parent, parent, 0, 0, 0]));
        sys::call(libc::SYS_tgkill, [own, own, 0, 0, 0]).unwrap();
        for command in [libc::F_SETOWN, libc::F_GETOWN, libc::F_SETLEASE] {
            assert!(is_refused(libc::SYS_fcntl, [0, word(command), 0, 0, 0]), "{command}");
        }
    });
}

#[test]
fn no_memory_inside_becomes_a_program() {
    in_a_process("os::sandbox::tests::no_memory_inside_becomes_a_program", |_| {
        if !has_seccomp() {
            return;
        }
        let kind = word(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let rights = word(libc::PROT_READ | libc::PROT_EXEC);
        assert!(is_refused(libc::SYS_mmap, [0, 4_096, rights, kind, usize::MAX]));
        // No byte at all, which succeeds elsewhere.
        assert!(is_refused(libc::SYS_mprotect, [0, 0, rights, 0, 0]));
    });
}

#[test]
fn only_known_options_of_sockets_are_set_inside() {
    in_a_process("os::sandbox::tests::only_known_options_of_sockets_are_set_inside", |_| {
        use std::os::fd::AsRawFd as _;
        if !has_seccomp() {
            return;
        }
        let socket = stream_socket();
        sockopt::set_tcp_nodelay(&socket, true).unwrap();
        sockopt::set_socket_linger(&socket, None).unwrap();
        assert_eq!(sockopt::set_ip_ttl(&socket, 64), Err(Errno::PERM));
        for (level, option) in [
            (libc::IPPROTO_TCP, libc::TCP_ULP),
            (libc::IPPROTO_TCP, libc::TCP_REPAIR),
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
            (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
            (libc::SOL_SOCKET, libc::SO_ATTACH_BPF),
            (libc::SOL_SOCKET, libc::SO_MARK),
            // The number of TCP_NODELAY, elsewhere.
            (libc::IPPROTO_UDP, libc::TCP_NODELAY),
        ] {
            let fd = word(socket.as_raw_fd());
            let arguments = [fd, word(level), word(option), 0, 0];
            assert!(is_refused(libc::SYS_setsockopt, arguments), "{level} {option}");
        }
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_calls_are_denied_and_told() {
    in_a_process("os::sandbox::tests::x32_calls_are_denied_and_told", |_| {
        if !has_seccomp() {
            return;
        }
        let x32 = libc::c_long::try_from(X32).unwrap();
        assert!(is_refused(x32 | libc::SYS_getpid, [0; 5]));
        assert!(is_refused(9_999, [0; 5]));
        let news = Denials::default().news();
        assert_eq!(news, ["a number from 1023 up", "x32 getpid"]);
    });
}

#[test]
fn what_the_daemon_does_goes_on_inside() {
    in_a_process("os::sandbox::tests::what_the_daemon_does_goes_on_inside", |folder| {
        let (first, address) = listener();
        let mut client = TcpStream::connect(address).unwrap();
        if !has_seccomp() {
            return;
        }
        let (mut connection, _) = first.accept().unwrap();
        connection.write_all(b"first").unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).unwrap();
        connection.set_nonblocking(true).unwrap();
        listener();
        let file = folder.join("new");
        fs::write(&file, "text").unwrap();
        fs::rename(&file, folder.join("newer")).unwrap();
        fs::remove_file(folder.join("newer")).unwrap();
        fs::canonicalize(folder).unwrap();
        let thread = thread::Builder::new().name("later".to_owned()).spawn(|| 7).unwrap();
        assert_eq!(thread.join().unwrap(), 7);
        assert_eq!(Denials::default().news(), [""; 0]);
    });
}

#[test]
fn the_list_has_nothing_that_leads_out() {
    let old = calls::OLD.iter().map(|(_, name)| name.trim_start_matches("SYS_"));
    let allowed: Vec<_> =
        calls::ALLOWED.iter().flat_map(calls::Purpose::names).chain(old).collect();
    for call in [
        "bpf",
        "chmod",
        "chown",
        "connect",
        "execve",
        "execveat",
        "fchmod",
        "fchmodat2",
        "fchown",
        "fork",
        "io_uring_register",
        "io_uring_setup",
        "keyctl",
        "kill",
        "lchown",
        "mount",
        "open_by_handle_at",
        "pidfd_getfd",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "sendmmsg",
        "setns",
        "setrlimit",
        "socketpair",
        "tkill",
        "unshare",
        "userfaultfd",
        "vfork",
    ] {
        assert!(!allowed.contains(&call), "{call}");
    }
    // What leads out with some arguments.
    let conditions = filter::conditions(&[]).unwrap();
    for call in [
        libc::SYS_clone,
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_fcntl,
        libc::SYS_ioctl,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_prctl,
        libc::SYS_prlimit64,
        libc::SYS_sendmsg,
        libc::SYS_sendto,
        libc::SYS_setsockopt,
        libc::SYS_socket,
        libc::SYS_tgkill,
    ] {
        assert!(conditions.iter().any(|(conditional, _)| *conditional == call), "{call}");
    }
    assert_eq!(names::name(libc::SYS_connect as usize), Some("connect"));
    assert_eq!(names::name(usize::MAX), None);
}
