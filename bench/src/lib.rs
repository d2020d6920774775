//! What the programs of the benchmark share: time, connections, and where they come from.

pub mod packet;
pub mod tun;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, send,
        socket_with, sockopt,
    },
};

/// The programs' clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that shows zero now.
    #[expect(clippy::disallowed_methods, reason = "the benchmark measures real programs")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What it shows.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Lets `span` pass.
#[expect(clippy::disallowed_methods, reason = "the benchmark waits for real programs")]
pub fn pause(span: Duration) {
    thread::sleep(span);
}

/// Where the client with this number comes from: each has an address of its own, so that no port
/// is ever looked for in vain, and 200 share a /24, or a /56 of `fd74:6172::/32`. None over IPv6's one
/// loopback address.
pub fn source(to: SocketAddr, number: u32) -> Option<SocketAddr> {
    const IN_PREFIX: u32 = 200;
    const LAST: u32 = (127 << 24) | (191 << 16);

    if is_of_tests(to.ip()) {
        let (prefix, host) = (number / IN_PREFIX + 1, number % IN_PREFIX + 1);
        // The third and fourth part hold the bits 32 to 55.
        let (high, low) = ((prefix >> 8) as u16, ((prefix & 255) << 8) as u16);
        let ip = Ipv6Addr::new(0xFD74, 0x6172, high, low, 0, 0, 0, host as u16);
        return Some(SocketAddr::new(ip.into(), 0));
    }
    if !to.is_ipv4() || !to.ip().is_loopback() {
        return None;
    }
    // From 127.64 to 127.191: no address that anything else on the machine is likely to have.
    let prefix = ((127 << 24) | (64 << 16)) + ((number / IN_PREFIX) << 8);
    let ip = Ipv4Addr::from_bits(prefix.min(LAST) + number % IN_PREFIX + 1);
    Some(SocketAddr::new(IpAddr::V4(ip), 0))
}

/// Whether the address is of the network that is all local in a namespace of the benchmark's.
pub fn is_of_tests(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[..2] == [0xFD74, 0x6172])
}

/// Begins to connect, and does not wait for the other side.
pub fn call(to: SocketAddr, from: Option<SocketAddr>) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // A reset at the end: thousands of ports in TIME_WAIT would be in the next run's way.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    if let Some(from) = from {
        bind(&socket, &from)?;
    }
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads once, without waiting: None when there is nothing now, nought at the end.
pub fn hear(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match recv(socket, buffer, RecvFlags::DONTWAIT) {
        Ok((count, _)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Sends what fits, without waiting.
pub fn say(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Ok(0),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_client_has_an_address_of_its_own() {
        let to = "127.0.0.1:1".parse().unwrap();
        let sources: BTreeSet<_> = (0..200_000).filter_map(|number| source(to, number)).collect();
        assert_eq!(sources.len(), 200_000);
        assert!(sources.iter().all(|source| source.ip().is_loopback()));
        assert_eq!(source("[::1]:1".parse().unwrap(), 7), None);
        let to = "[fd74:6172::1]:1".parse().unwrap();
        let sources: BTreeSet<_> = (0..20_000).filter_map(|number| source(to, number)).collect();
        assert_eq!(sources.len(), 20_000);
        assert!(sources.iter().all(|source| is_of_tests(source.ip())));
    }
}
