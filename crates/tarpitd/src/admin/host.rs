//! The host that a request is for (RFC 9112, section 3.2).

use std::net::{IpAddr, Ipv6Addr};

use hyper::{Request, Version, header::HOST};

/// The name of the host that a request is for, without its port; empty where it names none. `Err`:
/// what is wrong with it.
pub(super) fn name<B>(request: &Request<B>) -> Result<&str, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_10 => "",
        (None, _) => return Err("the Host header is missing"),
        (Some(_), Some(_)) => return Err("there is more than one Host header"),
        // Others than ASCII are in no name.
        (Some(host), None) => host.to_str().unwrap_or("?"),
    };
    // A target with a host of its own stands above the header.
    let host = request.uri().authority().map_or(host, |authority| authority.as_str());
    if host.is_empty() {
        return Ok(host);
    }
    split(host).ok_or("the host is not NAME, NAME:PORT, or an address")
}

/// Whether a request is for an address or `localhost`. A foreign web page whose name leads to this
/// machine (DNS rebinding) is at its own name, and browsers send that.
pub(super) fn is_address<B>(request: &Request<B>) -> bool {
    name(request)
        .is_ok_and(|name| name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

/// The name before the port; `None`: the text as a whole is no host.
fn split(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok())?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    let has = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = host.starts_with('[') || !name.is_empty() && name.bytes().all(has);
    (is_port && is_name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_else() {
        for (host, name) in [
            ("127.0.0.1:9117", Some("127.0.0.1")),
            ("localhost", Some("localhost")),
            ("some_name.example:", Some("some_name.example")),
            ("[::1]:9117", Some("::1")),
            ("[::1]", Some("::1")),
            ("[::1]x.evil", None),
            ("[::1]:80x", None),
            ("[::1", None),
            ("[localhost]", None),
            ("::1", None),
            (":80", None),
            ("a:+80", None),
            ("a:80:80", None),
            ("a@127.0.0.1", None),
            ("127.0.0.1, evil.example", None),
            ("127.0.0.1/", None),
        ] {
            assert_eq!(split(host), name, "{host}");
        }
    }

    #[test]
    fn a_foreign_name_is_not_this_machines() {
        for (host, is_ours) in [
            ("127.0.0.1:9117", true),
            ("localhost", true),
            ("LOCALHOST:80", true),
            ("[::1]:9117", true),
            ("192.0.2.7", true),
            ("", false),
            ("rebound.example:9117", false),
            ("localhost.example", false),
            ("127.0.0.1.example:80", false),
        ] {
            let request = Request::builder().header(HOST, host).body(()).unwrap();
            assert_eq!(is_address(&request), is_ours, "{host}");
        }
    }
}
