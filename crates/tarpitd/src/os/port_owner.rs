//! Which process listens on a port that cannot be bound, by proc(5).

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// The process that listens on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Another program, by its name.
    Other { pid: u32, name: String },
    /// A running tarpitd.
    Tarpitd { pid: u32 },
    /// A process that this user may not inspect, or that only bound the address.
    Unknown,
}

/// All listening sockets of this network namespace, and which process has each.
#[derive(Debug)]
pub(crate) struct Owners {
    sockets: Vec<Socket>,
    /// The inode of a socket, and who has it.
    holders: Vec<(u64, Owner)>,
}

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    address: SocketAddr,
    inode: u64,
}

impl Owners {
    /// Looks at all listening sockets and at the processes that this user may look at.
    pub(crate) fn look() -> Self {
        let sockets: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .into_iter()
            .filter_map(|path| File::open(path).ok())
            .flat_map(|file| listening(BufReader::new(file).lines().map_while(Result::ok)))
            .collect();
        let holders = holders(&sockets);
        Self { sockets, holders }
    }

    /// All sockets that listen, each with the name of its program.
    pub(crate) fn listening(&self) -> Vec<(SocketAddr, String)> {
        let name = |socket: &Socket| {
            let holder = self.holders.iter().find(|(inode, _)| *inode == socket.inode);
            match holder {
                Some((_, Owner::Other { name, .. })) => name.clone(),
                Some((_, Owner::Tarpitd { .. })) => "tarpitd".to_owned(),
                Some((_, Owner::Unknown)) | None => {
                    "a program that this user cannot see".to_owned()
                }
            }
        };
        self.sockets.iter().map(|socket| (socket.address, name(socket))).collect()
    }

    /// Which process listens where `address` would. If several have the socket, a tarpitd is named
    /// first.
    pub(crate) fn of(&self, address: SocketAddr) -> Owner {
        let in_the_way = self.sockets.iter().filter(|socket| overlap(socket.address, address));
        let mut found = Owner::Unknown;
        for socket in in_the_way {
            for (_, owner) in self.holders.iter().filter(|(inode, _)| *inode == socket.inode) {
                match owner {
                    Owner::Tarpitd { .. } => return owner.clone(),
                    Owner::Other { .. } | Owner::Unknown => found = owner.clone(),
                }
            }
        }
        found
    }
}

/// The sockets in lines of `/proc/net/tcp` or its twin for IPv6. Those that listen come first
/// there, so that a crowd of connections costs nothing.
fn listening(lines: impl Iterator<Item = String>) -> impl Iterator<Item = Socket> {
    /// `TCP_LISTEN`, as the kernel writes it.
    const LISTENS: &str = "0A";
    lines.skip(1).take_while(|line| line.split_whitespace().nth(3) == Some(LISTENS)).filter_map(
        |line| {
            let mut fields = line.split_whitespace();
            let address = address(fields.nth(1)?)?;
            let inode = fields.nth(7)?.parse().ok()?;
            Some(Socket { address, inode })
        },
    )
}

/// An address as the kernel writes it: words of 32 bits in its own byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some((ip.to_canonical(), port).into())
}

/// Whether a socket that listens on `one` keeps another from `other`.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    // A listener on every address of IPv6 may take IPv4 as well; this file does not tell.
    let takes_all = one.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let same_family = one.is_ipv4() == other.is_ipv4();
    let wild = same_family && (one.ip().is_unspecified() || other.ip().is_unspecified());
    one.port() == other.port() && (one.ip() == other.ip() || wild || takes_all)
}

/// Which processes have these sockets open.
fn holders(sockets: &[Socket]) -> Vec<(u64, Owner)> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut holders = Vec::new();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in files.flatten() {
            let target = fs::read_link(file.path()).ok();
            let inode = target.as_deref().and_then(Path::to_str).and_then(inode);
            if let Some(inode) = inode.filter(|&it| sockets.iter().any(|socket| socket.inode == it))
            {
                holders.push((inode, owner(pid, &process.path())));
            }
        }
    }
    holders
}

/// The process with this number; `None` if there is none.
pub(crate) fn process(pid: u32) -> Option<Owner> {
    let folder = Path::new("/proc").join(pid.to_string());
    folder.exists().then(|| owner(pid, &folder))
}

/// The inode in the name of a socket's link, such as `socket:[4711]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The process in this folder of `/proc`.
fn owner(pid: u32, folder: &Path) -> Owner {
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default().trim_end().to_owned();
    let program = fs::read_link(folder.join("exe")).unwrap_or_default();
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    // The kernel adds this when the program's file was replaced by a newer one.
    let program = program.strip_suffix(" (deleted)").unwrap_or(&program);
    if program == "tarpitd" || name == "tarpitd" {
        Owner::Tarpitd { pid }
    } else {
        Owner::Other { pid, name }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::require::require;

    #[test]
    fn the_process_that_listens_is_found_also_by_its_wildcard() {
        for host in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
            let ip: IpAddr = host.parse().unwrap();
            if ip.is_ipv6() && !require("ipv6") {
                continue;
            }
            let listener = TcpListener::bind((ip, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let local: IpAddr =
                if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            // A child that another test starts holds our sockets, too, until it becomes its
            // program.
            let looks = (0..1_000).map(|_| Owners::look().of((local, port).into()));
            let is_ours = |owner: &Owner| matches!(owner, Owner::Other { pid, .. } if *pid == std::process::id());
            let Some(Owner::Other { name, .. }) = looks.into_iter().find(is_ours) else {
                panic!("{host}: not found to be ours")
            };
            assert!(name.starts_with("tarpitd-"), "the test itself: {name}");
        }
    }

    #[test]
    fn an_address_that_nobody_listens_on_has_no_owner() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(Owners::look().of(free), Owner::Unknown);
    }

    #[test]
    fn only_listeners_on_the_same_port_are_in_the_way() {
        let check = |one: &str, other: &str, wanted: bool| {
            assert_eq!(overlap(one.parse().unwrap(), other.parse().unwrap()), wanted, "{one}");
        };
        check("127.0.0.1:22", "127.0.0.1:22", true);
        check("127.0.0.1:22", "127.0.0.2:22", false);
        check("127.0.0.1:22", "127.0.0.1:23", false);
        check("0.0.0.0:22", "127.0.0.1:22", true);
        check("127.0.0.1:22", "0.0.0.0:22", true);
        check("127.0.0.1:22", "[::1]:22", false);
        check("0.0.0.0:22", "[::1]:22", false);
        check("[::]:22", "[::1]:22", true);
        check("[::]:22", "127.0.0.1:22", true);
    }
}
