//! The line that a request begins with (RFC 9112, section 3), and what HTTP/2 has in its place.

use crate::{
    base::fact::Fact,
    protocols::{
        http::{
            reply::Reply,
            request::{Behind, LearnWhole, Request, Version, tell},
            server::Server,
            site::Site,
            target,
        },
        secret::Shown,
    },
    wire::sighting::is_token,
};

/// Tells of a request line, or of the first part of one. A line that does not begin with a method
/// is not told: it may be what was sent behind a request without being announced, such as a form.
pub(crate) fn tell_request(line: &[u8], torn: bool, learn: LearnWhole<'_>) {
    let method = line.iter().take_while(|&&byte| is_token(byte)).count();
    if method > 0 && line.get(method).is_some_and(u8::is_ascii_whitespace) {
        let version = line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
        let is_certain = torn || names_protocol(version);
        tell(Fact::HttpRequest, &Shown::request(line, torn, is_certain), learn);
    }
}

/// Notes what the request line says, or the first part of one; says whether that is a request of
/// HTTP/0.9, which is only a line.
pub(crate) fn request_line(request: &mut Request, line: &[u8], is_torn: bool, site: Site) -> bool {
    let text = line.trim_ascii();
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let method = words.next().unwrap_or_default();
    let (target, version, more) = (words.next().unwrap_or_default(), words.next(), words.next());
    // An HTTP/2 client's opening, behind which come frames (RFC 9113, section 3.4).
    if method == b"PRI" {
        request.behind = Behind::Unknown;
    }
    request.is_head = method == b"HEAD";
    let names_page = !target.is_empty() && !names_protocol(target);
    let in_a_line = method == b"GET" && names_page && version.is_none();
    let is_plain = is_torn || is_written_right(site.server, line, in_a_line);
    let knows_method = match site.server {
        Server::Nginx => {
            method.iter().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(byte))
        }
        Server::Apache | Server::Boa | Server::Iis => method.iter().all(|&byte| is_token(byte)),
    };
    let number = version.and_then(|version| version_of(site.server, version));
    let reply = match number {
        _ if !is_plain || !knows_method || method.is_empty() || more.is_some() => Reply::BadRequest,
        Some(number) if number >= 20 && site.server != Server::Apache => Reply::UnknownVersion,
        None if !is_torn && !in_a_line => Reply::BadRequest,
        _ => target::answer_to(site, method, target, is_torn),
    };
    request.reply = reply.into();
    // nginx takes any method for one of the first version, where there is none.
    let is_first = in_a_line || site.server == Server::Nginx && version.is_none();
    if is_first && !is_torn && is_plain && target.starts_with(b"/") {
        request.version = Version::Http09;
    } else if is_old(text.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default()) {
        request.version = Version::Http10;
    }
    in_a_line && !is_torn
}

/// Notes what the fields of an HTTP/2 request say that take the place of its line. `is_torn` says
/// that of the target there is only the beginning.
pub(crate) fn frame_line(
    request: &mut Request,
    method: &[u8],
    target: &[u8],
    is_torn: bool,
    site: Site,
    learn: LearnWhole<'_>,
) {
    let end: &[u8] = if is_torn { b"" } else { b" HTTP/2.0" };
    tell_request(&[method, b" ", target, end].concat(), is_torn, learn);
    request.is_head = method == b"HEAD";
    request.reply = target::answer_to(site, method, target, is_torn).into();
}

/// Whether the words of a line stand as the server wants them.
fn is_written_right(server: Server, line: &[u8], in_a_line: bool) -> bool {
    let Some(text) = line.strip_suffix(b"\n") else { return false };
    let text = match text.strip_suffix(b"\r") {
        None if server.is_strict() => return false,
        Some(text) => text,
        None => text,
    };
    if text.contains(&b'\t') || text.first() == Some(&b' ') {
        return false;
    }
    // Apache bears a blank at the end of a line only where no version could stand behind it.
    let text = if in_a_line { text.trim_ascii_end() } else { text };
    let has_spare_blanks = text.ends_with(b" ") || text.windows(2).any(|two| two == b"  ");
    !(server.is_strict() && has_spare_blanks)
}

/// A version as its major number times ten and the first digit of its minor one; `None`: the server
/// does not take it for one.
fn version_of(server: Server, word: &[u8]) -> Option<u8> {
    let number = word.strip_prefix(b"HTTP/")?;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| byte - b'0');
    let (major, minor) = match number {
        [major, b'.', minor] => (digit(major)?, digit(minor)?),
        [major, b'.', minor, b'0'..=b'9'] if !server.is_strict() => (digit(major)?, digit(minor)?),
        _ => return None,
    };
    (major > 0).then_some(major * 10 + minor)
}

/// Whether the word names the protocol, in any case: behind such a word stand fields, and
/// credentials may be among them.
fn names_protocol(word: &[u8]) -> bool {
    word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
}

/// Whether the word names a version without lasting connections.
fn is_old(word: &[u8]) -> bool {
    names_protocol(word) && (word[5..].starts_with(b"0.") || word[5..].starts_with(b"1.0"))
}
