//! Targets of requests (RFC 9112, section 3.2), resolved as each server resolves them.

use alloc::vec::Vec;

use crate::protocols::http::{
    reply::{self, Reply},
    server::Server,
    site::Site,
};

/// The answer to a method and a target, as far as the rest of the request does not matter.
/// `is_torn` says that of the target there is only the beginning.
pub(crate) fn answer_to(site: Site, method: &[u8], target: &[u8], is_torn: bool) -> Reply {
    let server = site.server;
    if target == b"*" {
        return match (method, server) {
            (b"OPTIONS", Server::Apache | Server::Iis) => Reply::ServerOptions,
            _ => Reply::BadRequest,
        };
    }
    let is_tunnel = method == b"CONNECT" && !target.starts_with(b"/");
    if is_tunnel {
        return Reply::Tunnel;
    }
    let Some(path) = path_of(server, target) else {
        // A scheme is read, and refused behind the host.
        let has_scheme = target.windows(3).any(|part| part == b"://");
        return if has_scheme { Reply::BadPath } else { Reply::BadRequest };
    };
    let found = match normalised(server, path) {
        None => return Reply::BadPath,
        // The name goes on.
        Some(_) if is_torn && server != Server::Apache => Reply::Missing,
        Some(Path::Found(path)) => site.find(&path),
        Some(Path::Nowhere) => Reply::Missing,
    };
    by_method(server, method, found)
}

/// The answer to a method, where GET would have `found`.
fn by_method(server: Server, method: &[u8], found: Reply) -> Reply {
    let (is_known, number) = reply::method(method);
    let (allowed, unknown) =
        (Reply::NotAllowed { method: number }, Reply::NotImplemented { method: number });
    match (server, method) {
        (_, b"GET" | b"HEAD") => found,
        (Server::Apache, b"CONNECT") => Reply::BadRequest,
        (Server::Apache, _) if found == Reply::Forbidden => found,
        (Server::Apache, b"POST") => found,
        (Server::Apache | Server::Iis, b"OPTIONS") => {
            Reply::Options { is_page: matches!(found, Reply::Page { .. }) }
        }
        (Server::Apache, b"TRACE") => Reply::Trace,
        (Server::Apache, _) if is_known => allowed,
        (Server::Apache | Server::Boa, _) | (Server::Iis, b"TRACE") => unknown,
        (Server::Iis, _) if !is_known => unknown,
        (Server::Nginx, b"CONNECT" | b"TRACE") => allowed,
        (Server::Iis | Server::Nginx, _) if found == Reply::Missing => found,
        (Server::Iis | Server::Nginx, _) => allowed,
    }
}

/// The path of a target; `None`: it is none.
///
/// A target with a scheme is what proxies are asked for (RFC 9112, section 3.2.2). The real servers
/// answer with a page of their own, and tools report them as open proxies; we refuse.
fn path_of(server: Server, target: &[u8]) -> Option<&[u8]> {
    // Apache knows of fragments only that they are not sent.
    let is_wrong =
        |byte: &u8| *byte <= b' ' || *byte == 0x7F || server.is_strict() && *byte == b'#';
    match target.first() {
        _ if target.iter().any(is_wrong) => None,
        Some(b'/') => Some(target),
        Some(b'?') if server == Server::Apache => Some(b"/"),
        _ => None,
    }
}

/// Where a path leads.
enum Path {
    /// To this name, without escapes and dots, and from the root on.
    Found(Vec<u8>),
    /// To a name that no file can have.
    Nowhere,
}

/// Resolves a path; `None`: the server refuses to.
fn normalised(server: Server, path: &[u8]) -> Option<Path> {
    let path = path.split(|byte| b"?#".contains(byte)).next().unwrap_or_default();
    let decodes_first = server != Server::Apache;
    let mut plain = Vec::new();
    let (mut rest, mut is_nowhere) = (path, false);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let (code, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        let digits =
            core::str::from_utf8(code).ok().filter(|_| code.iter().all(u8::is_ascii_hexdigit));
        match u8::from_str_radix(digits?, 16).ok()? {
            0 if server != Server::Apache => return None,
            // To Apache a slash that is coded is not one, and no name has one.
            0 | b'/' if !decodes_first => {
                is_nowhere = true;
                plain.push(0);
            }
            byte => plain.push(byte),
        }
    }
    let mut names: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for name in plain.split(|&byte| byte == b'/') {
        ends_open = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => {
                // A camera's server is glad to stay where it is.
                if names.pop().is_none() && server != Server::Boa {
                    return None;
                }
            }
            name => names.push(name),
        }
    }
    if is_nowhere {
        return Some(Path::Nowhere);
    }
    let mut found = Vec::new();
    for name in &names {
        found.push(b'/');
        found.extend_from_slice(name);
    }
    if ends_open {
        found.push(b'/');
    }
    Some(Path::Found(found))
}
