//! Sockets of the admin server: TCP ports, and Unix sockets with a mode and a group.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            ffi::OsStrExt as _,
            fs::{FileTypeExt as _, MetadataExt as _},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use rustix::{
    fs::{
        Access, AtFlags, CWD, Mode, OFlags, Stat, accessat, chmodat, chownat, fchmod, fstat, lstat,
        open,
    },
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
        sockopt,
    },
    process::{Gid, Uid, geteuid},
};

use crate::os::{
    listen_socket::{self, Presence},
    runtime_directory, sandbox,
};

/// How many connections may wait to be accepted: more than a crowd sends between two turns of the
/// server, or others would wait a second for their next try.
const BACKLOG: i32 = 1_024;

/// What the kernel keeps of an answer that its reader does not take.
const SEND_BUFFER: usize = 32 * 1024;

/// After this time without an acknowledgement a reader of a TCP connection is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// The longest path of a Unix socket (unix(7)), without the zero at its end.
pub(crate) const LONGEST_PATH: usize = 107;

/// Listens on a TCP port; also says whether this machine has the address.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<(TcpListener, Presence)> {
    let fd = listen_socket::socket_for(address)?;
    sockopt::set_socket_send_buffer_size(&fd, SEND_BUFFER)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_tcp_user_timeout(&fd, UNACKNOWLEDGED.as_millis() as u32)?;
    let presence = listen_socket::bind_to(&fd, address)?;
    listen(&fd, BACKLOG)?;
    Ok((fd.into(), presence))
}

/// A Unix socket that listens. Its file goes with it.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    pub(crate) listener: UnixListener,
    /// Whether a group may connect, too.
    pub(crate) has_group: bool,
    file: SocketFile,
}

/// The file of a socket. It is dropped after the listener.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Opened only to know it again: as long as it is open no other file has its number. If it
    /// cannot be opened, the file stays at the end, and the next start finds that nobody answers.
    file: Option<OwnedFd>,
}

/// Whether another process may serve the sockets of this one.
static ARE_SHARED: AtomicBool = AtomicBool::new(false);

/// Says whether another process may serve the sockets of this one, and needs their files.
pub(crate) fn share_files(are_shared: bool) {
    ARE_SHARED.store(are_shared, Relaxed);
}

impl SocketFile {
    fn of(path: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self { path: path.to_owned(), file: open(path, flags, Mode::empty()).ok() }
    }

    /// Whether the path still leads to it.
    fn is_there(&self) -> bool {
        let number = |stat: Stat| (stat.st_dev, stat.st_ino);
        let ours = self.file.as_ref().and_then(|file| fstat(file).ok());
        ours.is_some_and(|ours| lstat(&self.path).is_ok_and(|it| number(it) == number(ours)))
    }

    /// Whether nobody else answers there.
    fn is_idle(&self) -> bool {
        if sandbox::is_filtered() {
            // No call may ask. Another daemon may have taken the path over, or the socket itself.
            self.is_there() && !ARE_SHARED.load(Relaxed)
        } else {
            matches!(occupant(&self.path), Ok(Occupant::Stale))
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_idle() {
            // If it cannot be removed, the next start finds that nobody answers there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl UnixSocket {
    /// Listens at `path`, in place of a socket at which nobody answers. Until the mode is set only
    /// this user may connect.
    pub(crate) fn listen(path: &Path, mode: u32, group: Option<u32>) -> Result<Self, Refused> {
        runtime_directory::make(directory(path)).map_err(Refused::System)?;
        clear(path)?;
        let refused = |errno: Errno| Refused::System(errno.into());
        let address = SocketAddrUnix::new(path).map_err(refused)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let fd = fd.map_err(refused)?;
        // On Linux the socket's own mode becomes that of the file.
        fchmod(&fd, Mode::RUSR | Mode::WUSR).map_err(refused)?;
        bind(&fd, &address).map_err(refused)?;
        let file = SocketFile::of(path);
        set_access(path, mode, group).map_err(Refused::System)?;
        listen(&fd, BACKLOG).map_err(refused)?;
        Ok(Self { listener: fd.into(), has_group: mode & 0o060 != 0, file })
    }

    /// A socket at which an earlier daemon listens. Its file stays as it is.
    pub(crate) fn adopt(fd: OwnedFd, path: &Path, mode: u32) -> Self {
        let file = SocketFile::of(path);
        Self { listener: fd.into(), has_group: mode & 0o060 != 0, file }
    }

    /// Gives the socket's file to another user, before the daemon becomes that user.
    pub(crate) fn give_to(&self, (uid, gid): (Uid, Gid), group: Option<u32>) -> io::Result<()> {
        let gid = group.unwrap_or(gid.as_raw());
        std::os::unix::fs::lchown(&self.file.path, Some(uid.as_raw()), Some(gid))
    }

    /// Takes the listener and what removes its file when it is dropped.
    pub(crate) fn split(self) -> (UnixListener, impl Drop + Send + 'static) {
        (self.listener, self.file)
    }
}

/// Sets mode and group of a socket's file.
pub(crate) fn set_access(path: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    // The group first: the mode must not let in a group that was not meant.
    if let Some(group) = group {
        change_owner(path, None, Some(group))?;
    }
    // Not by `fs`, which uses an older call on x86-64.
    Ok(chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::empty())?)
}

/// Gives a file to others, by the one call for that which the sandbox allows.
fn change_owner(path: &Path, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
    Ok(chownat(CWD, path, user, group, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets owner, mode and group of the file of this process's socket, as far as they differ.
pub(crate) fn renew_access(path: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    let (there, user) = (fs::symlink_metadata(path)?, geteuid().as_raw());
    if there.uid() != user {
        change_owner(path, Some(user), None)?;
    }
    let is_same = there.mode() & 0o777 == mode && group.is_none_or(|group| there.gid() == group);
    if is_same { Ok(()) } else { set_access(path, mode, group) }
}

/// Why there is no Unix socket.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody answers at the path.
    Answered,
    /// The path is longer than [`LONGEST_PATH`].
    Long,
    /// The file at the path is no socket.
    NoSocket,
    /// The socket at the path belongs to this other user, so nobody can tell whether it is in use.
    Owner(u32),
    System(io::Error),
}

/// Whether [`UnixSocket::listen`] would succeed; changes nothing.
pub(crate) fn look(path: &Path) -> Result<(), Refused> {
    occupant(path)?;
    let directory = directory(path);
    if runtime_directory::may_make(directory) {
        return Ok(());
    }
    accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|errno| Refused::System(errno.into()))
}

/// The directory of a path.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What a path is taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occupant {
    Nobody,
    /// A socket at which nobody answers.
    Stale,
}

/// Makes room at `path`.
fn clear(path: &Path) -> Result<(), Refused> {
    match occupant(path)? {
        Occupant::Nobody => Ok(()),
        Occupant::Stale => fs::remove_file(path).map_err(Refused::System),
    }
}

/// What is at `path`; an error if it stays there.
fn occupant(path: &Path) -> Result<Occupant, Refused> {
    if path.as_os_str().as_bytes().len() > LONGEST_PATH {
        return Err(Refused::Long);
    }
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Occupant::Nobody),
        Err(error) => return Err(Refused::System(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(Refused::NoSocket);
    }
    let refused = |errno: Errno| Refused::System(errno.into());
    let address = SocketAddrUnix::new(path).map_err(refused)?;
    // Nonblocking: a program that is stuck must not stop the start.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(refused)?;
    match connect(fd.as_fd(), &address) {
        Err(Errno::CONNREFUSED) => Ok(Occupant::Stale),
        Err(Errno::ACCESS | Errno::PERM) => Err(Refused::Owner(metadata.uid())),
        // With a full queue, too, somebody listens.
        Ok(()) | Err(_) => Err(Refused::Answered),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixStream};

    use super::*;

    /// A path in a directory of its own, which goes with it.
    struct Spot(PathBuf);

    impl Spot {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("tarpitd-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self) -> PathBuf {
            self.0.join("socket")
        }
    }

    impl Drop for Spot {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_socket_has_its_mode_and_its_file_goes_with_it() {
        let spot = Spot::new("socket-mode");
        let socket = UnixSocket::listen(&spot.path(), 0o660, None).unwrap();
        let mode = fs::metadata(spot.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660);
        UnixStream::connect(spot.path()).unwrap();
        drop(socket);
        assert!(!spot.path().exists());
    }

    #[test]
    fn a_socket_is_taken_over_only_where_nobody_answers() {
        let spot = Spot::new("socket-stale");
        let first = UnixSocket::listen(&spot.path(), 0o600, None).unwrap();
        assert!(matches!(look(&spot.path()), Err(Refused::Answered)));
        let second = UnixSocket::listen(&spot.path(), 0o600, None);
        assert!(matches!(second, Err(Refused::Answered)), "{second:?}");
        // As after a crash: the file stays.
        let (listener, file) = first.split();
        drop(listener);
        look(&spot.path()).unwrap();
        let second = UnixSocket::listen(&spot.path(), 0o600, None).unwrap();
        // The file is another socket's now.
        drop(file);
        assert!(spot.path().exists());
        drop(second);
    }

    #[test]
    fn what_cannot_be_a_socket_says_why() {
        let spot = Spot::new("socket-wrong");
        fs::write(spot.path(), "a file").unwrap();
        for refused in [look(&spot.path()), UnixSocket::listen(&spot.path(), 0, None).map(drop)] {
            assert!(matches!(refused, Err(Refused::NoSocket)), "{refused:?}");
        }
        assert_eq!(fs::read(spot.path()).unwrap(), b"a file");
        let long = spot.0.join("x".repeat(LONGEST_PATH));
        assert!(matches!(look(&long), Err(Refused::Long)));
        let nowhere = spot.0.join("no-directory/socket");
        assert!(matches!(look(&nowhere), Err(Refused::System(_))));
    }
}
