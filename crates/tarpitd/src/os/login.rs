//! The SSH login in which this program was started, by the environment that sshd(8) sets.

use std::{env, net::SocketAddr};

/// The two ends of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// The present login, if it came by SSH.
pub(crate) fn present() -> Option<Login> {
    parse(&env::var("SSH_CONNECTION").ok()?)
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
