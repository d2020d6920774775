//! The socket of the service manager (the function `sd_notify` of systemd), and what else it tells in
//! the environment. The socket is connected once, while that is still allowed.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::BorrowedFd,
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use rustix::{
    cmsg_space,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};

use crate::os::fd_stream::MOST;

/// The variable that names the socket.
pub(crate) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The variable with the time after which a silent daemon is killed, in microseconds.
const WATCHDOG: &str = "WATCHDOG_USEC";

/// The variable with the process that the watchdog means.
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The variable with `FileDescriptorStoreMax=` of the unit.
const STORE: &str = "FDSTORE";

/// How long a message waits where the service manager is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connected socket.
#[derive(Debug)]
pub(crate) struct NotifySocket(UnixDatagram);

impl NotifySocket {
    /// Connects to the socket that the environment names, if it names one.
    pub(crate) fn of_environment() -> Option<Result<Self, String>> {
        let name = env::var_os(VARIABLE).filter(|name| !name.is_empty())?;
        let connected = Self::connect(&name);
        Some(
            connected.map_err(|error| {
                format!("{VARIABLE}: cannot connect to {}: {error}", name.display())
            }),
        )
    }

    /// Connects to a path, or behind `@` to an abstract name.
    fn connect(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other("it begins neither with / nor with @")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect_addr(&address)?;
        Ok(Self(socket))
    }

    /// Sends assignments such as `READY=1`, a line each.
    pub(crate) fn send(&self, assignments: &str) -> io::Result<()> {
        self.0.send(assignments.as_bytes()).map(drop)
    }

    /// Sends assignments with files beside them.
    pub(crate) fn send_with(&self, assignments: &str, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !beside.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes = [IoSlice::new(assignments.as_bytes())];
        sendmsg(&self.0, &bytes, &mut beside, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// How many descriptors the service manager keeps for the next start, or what is wrong with the
/// number. systemd tells it from version 254 on; before, the unit does.
pub(crate) fn store() -> Result<usize, String> {
    let Some(most) = env::var_os(STORE).filter(|most| !most.is_empty()) else { return Ok(0) };
    let number = most.to_str().and_then(|most| most.parse().ok());
    number.ok_or_else(|| format!("{STORE}={} is not a number of descriptors", most.display()))
}

/// How long the service manager lets this process be silent before it kills it, if it does; or what
/// is wrong with the number.
pub(crate) fn watchdog() -> Result<Option<Duration>, String> {
    watchdog_of(env::var_os(WATCHDOG), env::var_os(WATCHDOG_PID))
}

fn watchdog_of(usec: Option<OsString>, pid: Option<OsString>) -> Result<Option<Duration>, String> {
    let Some(usec) = usec else { return Ok(None) };
    let is_ours = |pid: OsString| pid.to_str() == Some(&std::process::id().to_string());
    if !pid.is_none_or(is_ours) {
        return Ok(None);
    }
    match usec.to_str().and_then(|usec| usec.parse().ok()) {
        Some(0) | None => {
            Err(format!("{WATCHDOG}={} is not a number of microseconds", usec.display()))
        }
        Some(usec) => Ok(Some(Duration::from_micros(usec))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a socket gets that listens at this address.
    #[track_caller]
    fn check(name: &str, address: &SocketAddr) {
        let manager = UnixDatagram::bind_addr(address).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        NotifySocket::connect(name.as_ref()).unwrap().send("READY=1\nSTATUS=x").unwrap();
        let mut buffer = [0; 64];
        let count = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1\nSTATUS=x");
    }

    #[test]
    fn a_path_and_an_abstract_name_are_reached() {
        let own = format!("tarpitd-notify-{}", std::process::id());
        check(&format!("@{own}"), &SocketAddr::from_abstract_name(&own).unwrap());
        let path = env::temp_dir().join(own);
        check(path.to_str().unwrap(), &SocketAddr::from_pathname(&path).unwrap());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_no_socket_says_why() {
        for name in ["vsock:2:1", "relative", "/nonexistent/notify", "@"] {
            assert!(NotifySocket::connect(name.as_ref()).is_err(), "{name}");
        }
    }

    #[test]
    fn the_watchdog_is_for_one_process() {
        let of = |usec: &str, pid: Option<String>| {
            watchdog_of(Some(usec.into()), pid.map(OsString::from))
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog_of(None, None), Ok(None));
        assert_eq!(of("1000000", None), Ok(second));
        assert_eq!(of("1000000", Some(std::process::id().to_string())), Ok(second));
        assert_eq!(of("1000000", Some("1".to_owned())), Ok(None));
        for wrong in ["0", "-1", "x", ""] {
            assert!(of(wrong, None).is_err_and(|what| what.contains("WATCHDOG_USEC")), "{wrong}");
        }
    }
}
