//! A network namespace of our own, where nothing else is counted and no address is anybody's
//! (ip-netns(8)).

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where the server is in a namespace with a TUN device: in the network for benchmarks (RFC 2544).
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// The TUN device.
pub(crate) const DEVICE: &str = "tun0";

/// Where the server is in a namespace in which all of `fd74:6172::/32` is local.
pub(crate) const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xFD74, 0x6172, 0, 0, 0, 0, 0, 1);

/// The two ends of a link: the server's, which the kernel speaks at, and the one where a client speaks
/// that has a TCP of its own.
const LINK: [&str; 2] = ["link0", "link1"];

/// The client's end.
pub(crate) const CLIENT_END: &str = LINK[1];

/// The hardware address of the server's end.
pub(crate) const SERVER_MAC: &str = "02:00:00:00:00:01";

/// Where the client is at its end, an address that the kernel does not answer for.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// The machine lets us make no network namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Impossible;

impl std::fmt::Display for Impossible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no network namespace can be made (ip of iproute2, as root)")
    }
}

/// Whether the error says that no namespace can be made, which not everybody may; unless the variable
/// by which the daemon's tests are told what must be there names namespaces.
pub(crate) fn is_excused(error: &anyhow::Error) -> bool {
    let required = std::env::var("TARPIT_REQUIRE").unwrap_or_default();
    error.downcast_ref::<Impossible>().is_some() && !required.split(',').any(|need| need == "netns")
}

/// A namespace; dropped, it is gone.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// One with a TUN device, behind which clients may be anywhere in 198.18.0.0/15.
    pub(crate) fn with_tun() -> Result<Self> {
        let namespace = Self::new()?;
        namespace.ip(&["tuntap", "add", "dev", DEVICE, "mode", "tun"])?;
        namespace.ip(&["address", "add", &format!("{SERVER}/15"), "dev", DEVICE])?;
        // Room for a send to everybody at once: what the reader is late for is not lost.
        namespace.ip(&["link", "set", DEVICE, "txqueuelen", "200000", "up"])?;
        Ok(namespace)
    }

    /// One in which a crowd may come from everywhere in `fd74:6172::/32`.
    pub(crate) fn with_v6() -> Result<Self> {
        let namespace = Self::new()?;
        namespace.ip(&["-6", "route", "add", "local", "fd74:6172::/32", "dev", "lo"])?;
        // A local route alone lets nobody bind there.
        let setting = "echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind";
        quietly(&["netns", "exec", &namespace.name, "sh", "-c", setting])?;
        Ok(namespace)
    }

    /// One with a link, both ends of which are here.
    pub(crate) fn with_link() -> Result<Self> {
        let namespace = Self::new()?;
        let [server, client] = LINK;
        namespace.ip(&[
            "link", "add", server, "address", SERVER_MAC, "type", "veth", "peer", "name", client,
        ])?;
        namespace.ip(&["address", "add", &format!("{SERVER}/15"), "dev", server])?;
        for end in LINK {
            namespace.ip(&["link", "set", end, "up"])?;
        }
        Ok(namespace)
    }

    /// What stands in front of a command that is to run in it.
    pub(crate) fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).into()
    }

    /// Moves the calling thread into it, and so the programs that it starts from then on.
    pub(crate) fn enter(&self) -> Result<()> {
        let path = format!("/run/netns/{}", self.name);
        let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("cannot enter the network namespace {}", self.name))
    }

    /// One in which only the loopback device is up.
    pub(crate) fn new() -> Result<Self> {
        // Several chores may have one each.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tarpit-{}-{number}", std::process::id());
        // One that an earlier process left behind whose number has come again.
        let _ = Command::new("ip").args(["netns", "del", &name]).output();
        quietly(&["netns", "add", &name]).context(Impossible)?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, words: &[&str]) -> Result<()> {
        quietly(&[&["-n", &self.name], words].concat())
    }
}

fn quietly(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output().context("cannot run ip")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("`ip {}`: {}", words.join(" "), why.trim());
    }
    Ok(())
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // If it is gone already nothing is left to do.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}
