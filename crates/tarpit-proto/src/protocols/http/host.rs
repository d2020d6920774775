//! The host that a client asks for (RFC 9110, section 7.2), and what its server calls itself in
//! answers: that host, as far as it is one.
//!
//! Debian's Apache and nginx were asked on the loopback interface; the rest is what is publicly
//! known.

use alloc::{format, string::String};
use core::{net::Ipv6Addr, str};

use crate::{protocols::http::server::Server, script::Cx};

/// What a client asked for, where that is kept.
pub(crate) type Asked<'a> = Option<&'a [u8]>;

/// The longest host that is kept, in bytes. A name has 253 letters at most (RFC 1035, section
/// 2.3.4); behind a longer one the server's own address is told.
pub(crate) const LONGEST: usize = 255;

/// A host as its server reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// Its name or address, the latter of IPv6 in brackets.
    name: &'a [u8],
    /// The port behind it, if the server looks at it.
    port: Option<u16>,
}

impl<'a> Host<'a> {
    /// What a server makes of a field's value; `None`: it refuses the request.
    pub(crate) fn read(server: Server, value: &'a [u8]) -> Option<Self> {
        match server {
            Server::Apache => Self::of_apache(value),
            Server::Boa => Some(Self { name: value, port: None }),
            Server::Iis => Self::of_nginx(value).map(|Self { name, .. }| {
                let port = value.get(name.len() + 1..).and_then(port_of);
                Self { name, port }
            }),
            Server::Nginx => Self::of_nginx(value),
        }
    }

    fn of_apache(value: &'a [u8]) -> Option<Self> {
        let end = match value.iter().position(|&byte| byte == b']') {
            Some(end) if value.starts_with(b"[") => end + 1,
            _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
        };
        let (name, rest) = value.split_at_checked(end)?;
        let port = match rest {
            [] => None,
            [b':', port @ ..] => Some(port_of(port)?),
            _ => return None,
        };
        let is_right = if name.starts_with(b"[") { literal(name).is_some() } else { is_name(name) };
        is_right.then_some(Self { name, port })
    }

    fn of_nginx(value: &'a [u8]) -> Option<Self> {
        let is_wrong = |byte: &u8| *byte <= b' ' || matches!(byte, b'/' | 0x7F);
        if value.iter().any(is_wrong) || value.windows(2).any(|two| two == b"..") {
            return None;
        }
        let end = match value.first() {
            Some(b'[') => value.iter().position(|&byte| byte == b']').map(|end| end + 1),
            _ => value.iter().position(|&byte| byte == b':'),
        };
        let name = &value[..end.unwrap_or(value.len())];
        let name = name.strip_suffix(b".").unwrap_or(name);
        (!name.is_empty()).then_some(Self { name, port: None })
    }

    /// As the server writes it; `None`: it does not repeat it, or we had better not.
    fn repeated(self, server: Server) -> Option<String> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
        let may_stand = match server {
            Server::Apache | Server::Iis => self.name.iter().all(is_plain),
            Server::Boa => false,
            // It stands in a field only, and there nothing is escaped.
            Server::Nginx => self.name.iter().all(u8::is_ascii_graphic),
        };
        let name = str::from_utf8(self.name).ok().filter(|_| may_stand)?;
        Some(match server {
            Server::Apache => match literal(self.name) {
                Some(address) => format!("[{address}]"),
                None => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
            },
            Server::Boa | Server::Iis => name.into(),
            Server::Nginx => name.to_ascii_lowercase(),
        })
    }
}

/// What a server calls itself: the host that its client asked for, or else the address that it
/// connected to.
pub(crate) struct Name {
    host: String,
    port: u16,
}

impl Name {
    /// Apache and nginx as they come: the former takes the client's word for the port too, and the
    /// latter never does. IIS repeats what it reads, port or none.
    pub(crate) fn of(asked: Asked<'_>, cx: &Cx<'_>) -> Self {
        let server = Server::of(&cx.profile.persona);
        let own = cx.conn.server;
        let host = asked.and_then(|value| Host::read(server, value));
        let Some((Host { port, .. }, host)) =
            host.and_then(|host| Some((host, host.repeated(server)?)))
        else {
            let address = own.ip().to_canonical();
            let host =
                if address.is_ipv6() { format!("[{address}]") } else { format!("{address}") };
            return Self { host, port: own.port() };
        };
        let unsaid = if server == Server::Iis { usual_port(cx) } else { own.port() };
        Self { host, port: port.unwrap_or(unsaid) }
    }

    /// The URL of a path, which begins behind a slash.
    pub(crate) fn url(&self, path: &str, cx: &Cx<'_>) -> String {
        let Self { host, port } = self;
        let scheme = if cx.secured { "https" } else { "http" };
        if *port == usual_port(cx) {
            format!("{scheme}://{host}/{path}")
        } else {
            format!("{scheme}://{host}:{port}/{path}")
        }
    }

    /// Host and port as Apache's pages tell them.
    pub(crate) fn signature(&self) -> String {
        let Self { host, port } = self;
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        format!("{} Port {port}", inside.unwrap_or(host))
    }
}

/// The port that no URL needs to name.
fn usual_port(cx: &Cx<'_>) -> u16 {
    if cx.secured { 443 } else { 80 }
}

fn port_of(digits: &[u8]) -> Option<u16> {
    let digits = digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok())??;
    digits.parse().ok().filter(|&port| port > 0)
}

/// The address of IPv6 that stands in brackets.
fn literal(name: &[u8]) -> Option<Ipv6Addr> {
    let inside = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
    str::from_utf8(inside).ok()?.parse().ok()
}

/// Whether Apache takes it for a name, or for an address of IPv4.
fn is_name(name: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let has = |wrong: &[u8]| name.windows(2).any(|two| two == wrong);
    let is_number = name.iter().all(is_of_number);
    !name.is_empty()
        && name.iter().all(is_of_name)
        && !has(b"..")
        && !has(b".-")
        && (!is_number || name.split(|&byte| byte == b'.').count() == 4)
}
