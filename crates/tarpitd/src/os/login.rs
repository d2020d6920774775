//! The SSH login in which this program was started, by the environment that sshd(8) sets.

use std::{env, fs, net::SocketAddr};

/// The two ends of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// The present login, if it came by SSH. Programs such as sudo(8) hide it, so the environment of the
/// processes above counts, too, as far as this user may read it.
pub(crate) fn present() -> Option<Login> {
    if let Ok(text) = env::var(VARIABLE) {
        return parse(&text);
    }
    let mut process = parent("self")?;
    // More than any login has.
    for _ in 0..16 {
        let found = fs::read(format!("/proc/{process}/environ")).ok().and_then(|all| within(&all));
        if found.is_some() {
            return found;
        }
        process = parent(&process)?;
    }
    None
}

/// What sshd(8) tells the programs of a login.
const VARIABLE: &str = "SSH_CONNECTION";

/// The parent of a process.
fn parent(process: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    (line != "0").then(|| line.to_owned())
}

/// The login in an environment as the kernel shows it.
fn within(environment: &[u8]) -> Option<Login> {
    let mut all = environment.split(|&byte| byte == 0).filter_map(|one| str::from_utf8(one).ok());
    all.find_map(|one| parse(one.strip_prefix(VARIABLE)?.strip_prefix('=')?))
}

impl Login {
    /// Whether a socket that listens at `address` is the one to which this login came.
    pub(crate) fn came_to(&self, address: SocketAddr) -> bool {
        let is_it = address.ip() == self.server.ip() || address.ip().is_unspecified();
        address.port() == self.server.port() && is_it
    }
}

/// Reads `SSH_CONNECTION`: the client's address and port, then the server's.
fn parse(text: &str) -> Option<Login> {
    let words: Vec<_> = text.split(' ').collect();
    let [client, client_port, server, server_port] = words[..] else { return None };
    let end = |ip: &str, port: &str| {
        // A link-local address has its interface behind it.
        let ip: std::net::IpAddr = ip.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(ip.to_canonical(), port.parse().ok()?))
    };
    Some(Login { client: end(client, client_port)?, server: end(server, server_port)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_in_the_environment_of_another_process() {
        let found = within(b"A=1\0SSH_CONNECTION=192.0.2.7 40000 198.51.100.1 22\0B=\xFF\0");
        assert_eq!(found, parse("192.0.2.7 40000 198.51.100.1 22"));
        assert_eq!(within(b"XSSH_CONNECTION=192.0.2.7 1 198.51.100.1 22\0\0"), None);
        assert!(parent("self").is_some());
    }

    #[test]
    fn a_login_has_two_ends() {
        let login = parse("192.0.2.7 40000 198.51.100.1 22").unwrap();
        assert_eq!(login.client, "192.0.2.7:40000".parse().unwrap());
        assert_eq!(login.server, "198.51.100.1:22".parse().unwrap());
        let login = parse("fe80::7%eth0 40000 ::ffff:198.51.100.1 22").unwrap();
        assert_eq!(login.client, "[fe80::7]:40000".parse().unwrap());
        assert_eq!(login.server, "198.51.100.1:22".parse().unwrap());
        for text in ["", "192.0.2.7 40000 198.51.100.1", "a b c d", "UNKNOWN 1 UNKNOWN 2"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
