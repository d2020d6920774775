//! Ports: bound with the socket options that every accepted connection has, and what to do with
//! each error of accept.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    io::{Errno, ioctl_fionbio},
    net::{
        AddressFamily, SocketFlags, SocketType, acceptfrom_with, bind, getsockname, listen,
        socket_with, sockopt,
    },
};
use tarpit_proto::pacer::Rate;

use crate::os::sys;

/// A bound port.
#[derive(Debug)]
pub(crate) struct ListenSocket {
    fd: OwnedFd,
    address: SocketAddr,
    presence: Presence,
    /// Whether connections to any address and port may be directed to it.
    redirected: Redirected,
    /// How many unexpected errors of accept came in a row.
    unnamed: u8,
}

/// Whether this machine has an address that a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Not now; once it has, clients come.
    Absent,
    Present,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    pub(crate) rate: Option<Rate>,
    /// Whether other sockets may share the port, if they are for sharing, too.
    pub(crate) shared: bool,
    /// Whether the firewall directs connections for other ports to it.
    pub(crate) redirected: bool,
}

/// Which of the firewall's ways lead to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirected {
    /// None.
    No,
    /// NAT only: this process may not have TPROXY, which needs a capability.
    ByNat,
    /// NAT and TPROXY.
    Yes,
}

/// What is to be told of a socket that only NAT reaches.
pub(crate) const NAT_ONLY: &str = "only NAT can redirect clients here (`tarpitd firewall \
    --redirect`): TPROXY needs CAP_NET_RAW or CAP_NET_ADMIN when tarpitd opens the port";

/// How many connections may wait to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 4_096;

/// What waits unread in the kernel, once a connection is accepted; the least that the kernel gives
/// is a little above 2 KiB. A client that uploads stalls early.
const RECEIVE_BUFFER: usize = 4 * 1024;

/// Enough for a few turns of any pattern's own pace.
const SEND_BUFFER: usize = 4 * 1024 + 512;

impl ListenSocket {
    /// Binds `address`.
    pub(crate) fn bind(address: SocketAddr, purpose: Use) -> io::Result<Self> {
        let Use { rate, shared, redirected } = purpose;
        let fd = socket_for(address)?;
        let redirected = if redirected { admit_tproxy(&fd, address) } else { Redirected::No };
        if shared {
            sockopt::set_socket_reuseport(&fd, true)?;
        }
        set_options(&fd, rate)?;
        let presence = bind_to(&fd, address)?;
        listen(&fd, BACKLOG)?;
        let address = local_address(fd.as_fd()).unwrap_or(address);
        Ok(Self { fd, address, presence, redirected, unnamed: 0 })
    }

    /// Serves a socket that listens already, at `address`, as [`listens_at`] has it.
    pub(crate) fn activate(fd: OwnedFd, address: SocketAddr, purpose: Use) -> io::Result<Self> {
        let Use { rate, shared: _, redirected } = purpose;
        let redirected = if redirected { admit_tproxy(&fd, address) } else { Redirected::No };
        ioctl_fionbio(&fd, true)?;
        set_options(&fd, rate)?;
        // Its own queue may be shorter.
        listen(&fd, BACKLOG)?;
        Ok(Self { fd, address, presence: Presence::Present, redirected, unnamed: 0 })
    }

    /// A socket that an earlier daemon bound. `redirected` is what that one knew of it.
    pub(crate) fn adopt(fd: OwnedFd, redirected: Redirected) -> Option<Self> {
        let address = local_address(fd.as_fd())?;
        Some(Self { fd, address, presence: Presence::Present, redirected, unnamed: 0 })
    }

    /// The socket for another daemon, beside this one.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// Makes the socket suit another purpose for future clients.
    pub(crate) fn suit(&mut self, purpose: Use) {
        // If this fails, clients are slower or cost more, but they are held all the same.
        let _ = sockopt::set_socket_send_buffer_size(&self.fd, send_buffer(purpose.rate));
        match (self.redirected, purpose.redirected) {
            (Redirected::No, true) => self.redirected = admit_tproxy(&self.fd, self.address),
            (Redirected::ByNat | Redirected::Yes, false) => {
                // If this fails, the socket takes what no firewall sends it any more.
                let _ = sys::set_transparent(self.fd.as_fd(), self.address.is_ipv6(), false);
                self.redirected = Redirected::No;
            }
            _ => {}
        }
    }

    /// Which of the firewall's ways lead to it.
    pub(crate) fn redirected(&self) -> Redirected {
        self.redirected
    }

    /// The address to which a client of this socket connected, before any redirect.
    pub(crate) fn destination(&self, connection: BorrowedFd<'_>) -> SocketAddr {
        if self.redirected == Redirected::No && !self.is_wildcard() {
            return self.address;
        }
        let local = local_address(connection).unwrap_or(self.address);
        // TPROXY changes no address. NAT does, and always to the port of this socket.
        if self.redirected == Redirected::No || local.port() != self.address.port() {
            return local;
        }
        // Without NAT the kernel knows of none.
        let before = if local.is_ipv4() {
            sockopt::ip_original_dst(connection).map(SocketAddr::V4)
        } else {
            sockopt::ipv6_original_dst(connection).map(SocketAddr::V6)
        };
        before.unwrap_or(local)
    }

    /// The address to which it is bound, with the port that the kernel chose for port 0.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this machine had the address when it was bound.
    pub(crate) fn presence(&self) -> Presence {
        self.presence
    }

    /// Accepts a waiting connection.
    pub(crate) fn accept(&mut self) -> Result<(OwnedFd, SocketAddr), Trouble> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepted = acceptfrom_with(&self.fd, flags);
        let (fd, client) = accepted.map_err(|errno| Trouble::of(errno, &mut self.unnamed))?;
        self.unnamed = 0;
        // A client without an address has left already.
        let client = client.and_then(|client| client.try_into().ok()).ok_or(Trouble::Retry)?;
        let client = canonical(client);
        // As soon as can be: what comes until then may fill the kernel's usual buffer. A client
        // for which this fails is held all the same.
        let _ = sockopt::set_socket_recv_buffer_size(&fd, RECEIVE_BUFFER);
        Ok((fd, client))
    }

    /// Whether connections may come in to several local addresses.
    pub(crate) fn is_wildcard(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => ip.is_unspecified(),
            IpAddr::V6(ip) => ip.is_unspecified(),
        }
    }

    /// The socket, to be watched.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where a socket listens that another process has made, or why it cannot be served.
pub(crate) fn listens_at(fd: BorrowedFd<'_>) -> Result<SocketAddr, &'static str> {
    let is_tcp = matches!(sockopt::socket_type(fd), Ok(SocketType::STREAM))
        && matches!(sockopt::socket_domain(fd), Ok(AddressFamily::INET | AddressFamily::INET6));
    if !is_tcp {
        return Err("is no TCP socket");
    }
    if !sockopt::socket_acceptconn(fd).unwrap_or(false) {
        return Err("does not listen");
    }
    local_address(fd).ok_or("has no address")
}

/// Whether a socket takes IPv4 as well as IPv6.
pub(crate) fn takes_both_families(fd: BorrowedFd<'_>) -> bool {
    matches!(sockopt::socket_domain(fd), Ok(AddressFamily::INET6))
        && matches!(sockopt::ipv6_v6only(fd), Ok(false))
}

/// Makes sure that no other process has the port, even if that process shares it: binding would
/// not show that.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    ListenSocket::bind(address, Use::default()).map(drop)
}

/// Whether tarpitd could listen on `address`. No client connects in the meantime: a port that is only
/// bound refuses clients as before.
pub(crate) fn look(address: SocketAddr) -> io::Result<Presence> {
    bind_to(&socket_for(address)?, address)
}

/// Whether this process could let TPROXY direct connections to `address`.
pub(crate) fn may_tproxy(address: SocketAddr) -> bool {
    socket_for(address).is_ok_and(|fd| admit_tproxy(&fd, address) == Redirected::Yes)
}

/// A socket with the options that decide which addresses it can have.
pub(super) fn socket_for(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    Ok(fd)
}

/// Sets what every accepted connection inherits.
fn set_options(fd: &OwnedFd, rate: Option<Rate>) -> io::Result<()> {
    // No SO_RCVBUF: the SYN/ACK would show a window that no other server has.
    if rate != Some(Rate::Unlimited) {
        sockopt::set_socket_send_buffer_size(fd, send_buffer(rate))?;
    }
    sockopt::set_tcp_nodelay(fd, true)?;
    sockopt::set_socket_keepalive(fd, true)?;
    sockopt::set_tcp_keepidle(fd, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(fd, Duration::from_secs(20))?;
    sockopt::set_tcp_keepcnt(fd, 3)?;
    // No TCP_USER_TIMEOUT: it overrides the count of probes, and with little of it live clients
    // that have closed their window are lost. `worker/vanished.rs` finds clients that vanish while
    // bytes to them are on their way.
    // A reset instead of a FIN, so that no socket stays in TIME_WAIT.
    sockopt::set_socket_linger(fd, Some(Duration::ZERO))?;
    Ok(())
}

/// Lets the firewall direct connections for any address to a socket, if this process may have that.
fn admit_tproxy(fd: &OwnedFd, address: SocketAddr) -> Redirected {
    match sys::set_transparent(fd.as_fd(), address.is_ipv6(), true) {
        Ok(()) => Redirected::Yes,
        Err(_) => Redirected::ByNat,
    }
}

/// Binds an address even if this machine does not have it yet, as at boot. Loopback is an
/// exception: if it is missing, it will not appear.
pub(super) fn bind_to(fd: &OwnedFd, address: SocketAddr) -> io::Result<Presence> {
    match bind(fd, &address) {
        Ok(()) => Ok(Presence::Present),
        Err(Errno::ADDRNOTAVAIL) if !address.ip().is_loopback() => {
            if address.is_ipv4() {
                sockopt::set_ip_freebind(fd, true)?;
            } else {
                sockopt::set_ipv6_freebind(fd, true)?;
            }
            bind(fd, &address)?;
            Ok(Presence::Absent)
        }
        Err(error) => Err(error.into()),
    }
}

/// The address to which a connection came.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    getsockname(fd).ok()?.try_into().ok().map(canonical)
}

/// An IPv4-mapped address as its IPv4 form: a socket of systemd's may take both families.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// What the kernel keeps for a client that does not read.
fn send_buffer(rate: Option<Rate>) -> usize {
    match rate {
        // Half a second's worth, so that a turn fits.
        Some(Rate::BytesPerSecond(rate)) => (rate.get() as usize / 2).clamp(SEND_BUFFER, 4 << 20),
        Some(Rate::Unlimited) => 1 << 20,
        Some(Rate::SecondsPerByte(_)) | None => SEND_BUFFER,
    }
}

/// What an error of accept means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The listener no longer works.
    Fatal(Errno),
    /// Nobody waits.
    Nobody,
    /// That one connection is lost; the next one may be fine.
    Retry,
    /// The system ran out of something; retrying at once would only spin.
    Shed(Errno),
}

/// After this many unexpected errors in a row tarpitd assumes a shortage: under a filter that
/// forbids accept it would retry without end.
const UNNAMED: u8 = 16;

impl Trouble {
    /// Sorted by hand, after accept(2): errors already pending on the new connection, and those
    /// of the network, come out of accept as well and mean nothing for the listener. `unnamed`
    /// counts the errors in a row that are none of these.
    fn of(errno: Errno, unnamed: &mut u8) -> Self {
        let trouble = match errno {
            Errno::AGAIN => Self::Nobody,
            Errno::BADF | Errno::FAULT | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP => {
                Self::Fatal(errno)
            }
            Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::INTR
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NONET
            | Errno::NOPROTOOPT
            | Errno::PROTO
            | Errno::TIMEDOUT => Self::Retry,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Self::Shed(errno),
            _ if *unnamed + 1 < UNNAMED => {
                *unnamed += 1;
                return Self::Retry;
            }
            // The count stays, so until a call succeeds each further error is a shortage at once.
            _ => return Self::Shed(errno),
        };
        *unnamed = 0;
        trouble
    }
}

/// The name of a shortage's errno, as in manuals.
pub(crate) fn symbol(errno: Errno) -> &'static str {
    match errno {
        Errno::ACCESS => "EACCES",
        Errno::MFILE => "EMFILE",
        Errno::NFILE => "ENFILE",
        Errno::NOBUFS => "ENOBUFS",
        Errno::NOMEM => "ENOMEM",
        Errno::NOSYS => "ENOSYS",
        Errno::PERM => "EPERM",
        _ => "an unexpected errno",
    }
}

/// Which limit was reached in a shortage, and how to raise it.
pub(crate) fn cure(errno: Errno) -> &'static str {
    match errno {
        Errno::MFILE => "raise LimitNOFILE= of the unit, or `ulimit -n`",
        Errno::NFILE => "raise the sysctl fs.file-max",
        Errno::NOBUFS | Errno::NOMEM => "give the system more memory, or lower [limits] clients",
        _ => "allow accept4(2) where a filter (seccomp, AppArmor, SELinux) forbids it",
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        net::{TcpListener, TcpStream},
    };

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::require::require;

    #[test]
    fn a_syn_ack_shows_the_window_of_any_server() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            if host.starts_with('[') && !require("ipv6") {
                continue;
            }
            let usual = TcpListener::bind(host).unwrap();
            for rate in [None, Some(Rate::Unlimited)] {
                let purpose = Use { rate, shared: true, redirected: false };
                let ours = ListenSocket::bind(host.parse().unwrap(), purpose).unwrap();
                let window = |address: SocketAddr| {
                    sys::offered_window(TcpStream::connect(address).unwrap().as_fd()).unwrap()
                };
                assert_eq!(window(ours.address()), window(usual.local_addr().unwrap()), "{host}");
            }
        }
    }

    #[test]
    fn a_flood_leaves_no_more_in_the_kernel_than_the_window_of_the_syn_ack() {
        // As docs/is-it-safe.md has it.
        const MOST: u64 = 64 * 1_024;
        let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut listener =
            ListenSocket::bind("127.0.0.1:0".parse().unwrap(), Use::default()).unwrap();
        // In pieces as large as can be, and in the smallest.
        for piece in [64 * 1_024, 1] {
            let mut client = TcpStream::connect(listener.address()).unwrap();
            let (connection, _) = listener.accept().unwrap();
            client.set_nodelay(true).unwrap();
            client.set_nonblocking(true).unwrap();
            let piece = vec![b'x'; piece];
            let mut left = 0;
            for _ in 0..100 {
                while client.write(&piece).is_ok() {}
                let mut taken = [PollFd::new(&client, PollFlags::OUT)];
                poll(&mut taken, Some(&pause)).unwrap();
                left = rustix::io::ioctl_fionread(&connection).unwrap();
                assert!(left <= MOST, "{left} bytes wait, sent in pieces of {}", piece.len());
            }
            assert!(left > 2_000, "only {left} bytes came");
        }
    }

    #[test]
    fn a_socket_of_another_process_gets_the_same_options() {
        let purpose = Use { rate: Rate::from_number(64), ..Use::default() };
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listens_at(other.as_fd()).unwrap();
        let adopted = ListenSocket::activate(other.into(), at, purpose).unwrap();
        let own = ListenSocket::bind("127.0.0.1:0".parse().unwrap(), purpose).unwrap();
        let options = |mut socket: ListenSocket| {
            let _client = TcpStream::connect(socket.address()).unwrap();
            let (fd, _) = socket.accept().unwrap();
            let keepalive = sockopt::tcp_keepidle(&fd).unwrap();
            (
                sockopt::socket_recv_buffer_size(&fd).unwrap(),
                sockopt::socket_send_buffer_size(&fd).unwrap(),
                sockopt::socket_linger(&fd).unwrap(),
                (sockopt::tcp_nodelay(&fd).unwrap(), keepalive),
                (sockopt::tcp_keepintvl(&fd).unwrap(), sockopt::tcp_keepcnt(&fd).unwrap()),
            )
        };
        assert_eq!(options(adopted), options(own));
    }

    #[test]
    fn what_cannot_be_served_says_why() {
        use std::os::unix::net::{UnixDatagram, UnixListener};

        let directory = std::env::temp_dir().join(format!("tarpitd-kinds-{}", std::process::id()));
        let unix = UnixListener::bind(&directory).unwrap();
        assert_eq!(listens_at(unix.as_fd()), Err("is no TCP socket"));
        std::fs::remove_file(directory).unwrap();
        let datagrams = UnixDatagram::unbound().unwrap();
        assert_eq!(listens_at(datagrams.as_fd()), Err("is no TCP socket"));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(listens_at(udp.as_fd()), Err("is no TCP socket"));
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert_eq!(listens_at(file.as_fd()), Err("is no TCP socket"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(listens_at(client.as_fd()), Err("does not listen"));
    }

    #[test]
    fn a_port_that_is_shared_is_found_busy_by_the_probe() {
        let shared = Use { shared: true, ..Use::default() };
        let first = ListenSocket::bind("127.0.0.1:0".parse().unwrap(), shared).unwrap();
        let second = ListenSocket::bind(first.address(), shared).unwrap();
        assert_eq!(second.address(), first.address());
        let error = probe(first.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_address_that_is_not_there_yet_is_bound_and_told() {
        for (address, wanted) in [
            ("127.0.0.1:0", Presence::Present),
            ("192.0.2.1:0", Presence::Absent),
            ("[2001:db8::1]:0", Presence::Absent),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            if address.is_ipv6() && !require("ipv6") {
                continue;
            }
            let listener = ListenSocket::bind(address, Use::default()).unwrap();
            assert_eq!(listener.presence(), wanted, "{address}");
            assert_eq!(look(address).unwrap(), wanted);
        }
    }

    #[test]
    fn who_only_looks_takes_no_client_and_sees_who_listens() {
        let free =
            ListenSocket::bind("127.0.0.1:0".parse().unwrap(), Use::default()).unwrap().address();
        assert_eq!(look(free).unwrap(), Presence::Present);
        let shared = ListenSocket::bind(free, Use { shared: true, ..Use::default() }).unwrap();
        assert_eq!(look(shared.address()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn exhaustion_is_not_taken_for_the_end() {
        for (errno, name, limit) in [
            (Errno::MFILE, "EMFILE", "ulimit -n"),
            (Errno::NFILE, "ENFILE", "fs.file-max"),
            (Errno::NOBUFS, "ENOBUFS", "memory"),
            (Errno::NOMEM, "ENOMEM", "memory"),
        ] {
            assert_eq!(Trouble::of(errno, &mut 0), Trouble::Shed(errno));
            assert_eq!(symbol(errno), name);
            assert!(cure(errno).contains(limit));
        }
        assert_eq!(Trouble::of(Errno::CONNABORTED, &mut 0), Trouble::Retry);
        assert_eq!(Trouble::of(Errno::HOSTUNREACH, &mut 0), Trouble::Retry);
        assert_eq!(Trouble::of(Errno::BADF, &mut 0), Trouble::Fatal(Errno::BADF));
    }

    #[test]
    fn an_errno_without_a_name_is_a_shortage_once_it_has_come_sixteen_times_in_a_row() {
        let mut unnamed = 0;
        let mut of = |errno| Trouble::of(errno, &mut unnamed);
        for errno in [Errno::PERM, Errno::CONNABORTED, Errno::PERM] {
            for _ in 0..15 {
                assert_eq!(of(errno), Trouble::Retry);
            }
        }
        for _ in 0..300 {
            assert_eq!(of(Errno::PERM), Trouble::Shed(Errno::PERM));
        }
        assert_eq!(of(Errno::AGAIN), Trouble::Nobody);
        assert_eq!(of(Errno::PERM), Trouble::Retry);
    }
}
