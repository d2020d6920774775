//! The line that a request begins with (RFC 9112, section 3), and what HTTP/2 has in its place.

use crate::{
    base::fact::Fact,
    protocols::{
        http::request::{Ask, Behind, LearnWhole, Reading, Request, Target, Version, tell},
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
pub(crate) fn request_line(
    request: &mut Request,
    reading: &mut Reading,
    line: &[u8],
    torn: bool,
) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    let method = words.next().unwrap_or_default();
    let (target, version, more) = (words.next().unwrap_or_default(), words.next(), words.next());
    // An HTTP/2 client's opening, behind which come frames (RFC 9113, section 3.4).
    if method == b"PRI" {
        request.behind = Behind::Unknown;
    }
    let names_page = !target.is_empty() && !names_protocol(target);
    let in_a_line = method == b"GET" && names_page && version.is_none();
    request.ask = match version {
        // Who takes us for a proxy counts whatever is shown to it for a page of somebody else's.
        _ if names_server(target) => Ask::Garbled,
        _ if torn || in_a_line => asked_by(method, target),
        // Like Apache, which is strict about the version's case and the words' number.
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) if more.is_none() => {
            asked_by(method, target)
        }
        _ => Ask::Garbled,
    };
    reading.target = if method == b"CONNECT" { Target::Tunnel } else { whose(target) };
    if in_a_line || is_old(line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default()) {
        request.version = Version::Http10;
    }
    in_a_line && !torn
}

/// Notes what the fields of an HTTP/2 request say that take the place of its line. `is_torn` says
/// that of the target there is only the beginning.
pub(crate) fn frame_line(
    request: &mut Request,
    reading: &mut Reading,
    method: &[u8],
    target: &[u8],
    is_torn: bool,
    learn: LearnWhole<'_>,
) {
    let end: &[u8] = if is_torn { b"" } else { b" HTTP/2.0" };
    tell_request(&[method, b" ", target, end].concat(), is_torn, learn);
    request.ask = asked_by(method, target);
    reading.target = whose(target);
}

/// Whether the target is an address with a scheme, as proxies are asked for one (RFC 9112, section
/// 3.2.2).
fn names_server(target: &[u8]) -> bool {
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let scheme = target.iter().take_while(|byte| is_of_scheme(byte)).count();
    scheme > 0 && target[scheme..].starts_with(b"://")
}

/// Whose a target is. Servers have and keep to themselves the site's start without a page, their own
/// files, and their state.
fn whose(target: &[u8]) -> Target {
    let path = target.split(|&byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_closed = path == b"/" || name.starts_with(b".ht") || path == b"/server-status";
    if is_closed { Target::Closed } else { Target::Open }
}

/// What a method asks for. The known ones are those that Apache knows without further modules.
fn asked_by(method: &[u8], target: &[u8]) -> Ask {
    match method {
        b"GET" | b"POST" => Ask::Page,
        b"HEAD" => Ask::Head,
        b"OPTIONS" if target == b"*" => Ask::ServerOptions,
        b"OPTIONS" => Ask::PageOptions,
        b"TRACE" => Ask::Trace,
        b"BASELINE-CONTROL" | b"CHECKIN" | b"CHECKOUT" | b"CONNECT" | b"COPY" | b"DELETE"
        | b"LABEL" | b"LOCK" | b"MERGE" | b"MKACTIVITY" | b"MKCOL" | b"MKWORKSPACE" | b"MOVE"
        | b"PATCH" | b"PROPFIND" | b"PROPPATCH" | b"PUT" | b"REPORT" | b"UNCHECKOUT"
        | b"UNLOCK" | b"UPDATE" | b"VERSION-CONTROL" => Ask::Other,
        _ => Ask::Unknown,
    }
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
