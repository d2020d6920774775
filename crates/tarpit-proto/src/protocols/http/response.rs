//! Writing answers (RFC 9112, sections 4 to 7): heads in the order in which the persona's server
//! has them, the refusal, and chunks.

use alloc::{format, string::String, vec::Vec};

use crate::{
    base::time::Wall,
    persona::System,
    protocols::http::{Ask, Phase, Request},
    script::{Cx, legacy::Registers},
    wire::http::hpack::{self, Name},
};

/// The present for a head's date, as [`Registers::position`] keeps it.
pub(crate) fn stamp(cx: &Cx<'_>) -> u32 {
    u32::try_from(cx.wall.0).unwrap_or(u32::MAX)
}

/// Appends the head of an answer whose body has no end, or what is due of it.
pub(crate) fn head(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    due(run, out, |out| opening(run, cx, out), |out| ending(run, cx, out));
}

/// Appends the first lines of such a head: what scanners record.
pub(crate) fn opening(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    status("200 OK", run, cx, out);
}

/// Appends the last lines of such a head.
pub(crate) fn ending(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    // Before HTTP/1.1 the end of a body is the end of the connection.
    let framing =
        if has_chunks(run, cx) { "Transfer-Encoding: chunked" } else { "Connection: close" };
    text(out, &format!("{framing}\r\n{}\r\n", kind_of_page(cx)));
}

/// What follows to say that a page is one, where the server has not said so at the start.
fn kind_of_page(cx: &Cx<'_>) -> &'static str {
    match cx.profile.persona.system() {
        System::Camera => "Content-Type: text/html\r\n",
        System::Linux => "Content-Type: text/html; charset=UTF-8\r\n",
        System::Windows => "",
    }
}

/// Appends the head of an answer whose body is `length` bytes in `coding`, or what is due of it.
pub(crate) fn coded_head(
    coding: &str,
    length: u32,
    run: &Registers,
    cx: &Cx<'_>,
    out: &mut Vec<u8>,
) {
    let ending = format!(
        "Vary: Accept-Encoding\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\
         {}\r\n",
        kind_of_page(cx)
    );
    due(run, out, |out| opening(run, cx, out), |out| text(out, &ending));
}

/// Appends what is told in the phases that are the same for all patterns.
pub(crate) fn reply(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    match (Phase::of(run), run.position) {
        (Phase::Declining, _) => decline(run, cx, out),
        // Blanks may stand in front of a field's value (RFC 9112, section 5), as many as there are.
        (Phase::Padding, 0) => text(out, "Content-Length:"),
        (Phase::Padding, _) => text(out, " "),
        _ => refusal(run, cx, out),
    }
}

/// Appends the first lines of the answer to a client that asks for no page.
fn decline(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let (answer, allowed) = match Request::of(run).ask() {
        Ask::PageOptions => ("200 OK", Some(methods(cx))),
        Ask::ServerOptions => ("200 OK", None),
        // A success would be taken for an open proxy.
        Ask::Other => ("405 Method Not Allowed", Some(methods(cx))),
        // Both Debian and Ubuntu switch it off, and then the list is empty.
        Ask::Trace => ("405 Method Not Allowed", Some("")),
        Ask::Unknown => ("501 Not Implemented", Some(methods(cx))),
        Ask::Garbled | Ask::Head | Ask::Page => ("400 Bad Request", None),
    };
    status(answer, run, cx, out);
    if let Some(allowed) = allowed {
        text(out, &format!("Allow: {allowed}\r\n"));
    }
}

/// The methods that the server allows on a file; Apache's in an order that each of its starts turns
/// round.
fn methods(cx: &Cx<'_>) -> &'static str {
    const TURNED: [&str; 4] = [
        "GET,POST,OPTIONS,HEAD",
        "HEAD,GET,POST,OPTIONS",
        "OPTIONS,HEAD,GET,POST",
        "POST,OPTIONS,HEAD,GET",
    ];
    let persona = &cx.profile.persona;
    match persona.system() {
        System::Camera => "GET, HEAD, POST",
        System::Linux => TURNED[(persona.number() % 4) as usize],
        System::Windows => "GET, HEAD, OPTIONS, TRACE",
    }
}

/// Appends a whole refusal: what a guess is answered with.
fn refusal(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    refusal_head(run, cx, out);
    if !Request::of(run).is_head() {
        refusal_page(cx, out);
    }
}

/// Appends the head of a refusal, or what is due of it.
pub(crate) fn refusal_head(run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let answer = Answer::Refused;
    due(run, out, |out| status(answer.status(), run, cx, out), |out| rest(answer, run, cx, out));
}

/// The answer to a client that asks for something else than an endless page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is there, but not for this client.
    Forbidden,
    /// It is not there.
    Missing,
    /// No password, or a wrong one.
    Refused,
    /// The right password. Only for those who are to believe it.
    Welcome,
}

impl Answer {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 4] =
        [Self::Forbidden, Self::Missing, Self::Refused, Self::Welcome];

    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Forbidden => "403 Forbidden",
            Self::Missing => "404 Not Found",
            Self::Refused => "401 Unauthorized",
            Self::Welcome => "200 OK",
        }
    }
}

/// Appends a whole answer of the present moment.
pub(crate) fn whole(answer: Answer, run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let dated = Registers { position: stamp(cx), count: run.count, ..Registers::default() };
    status(answer.status(), &dated, cx, out);
    rest(answer, run, cx, out);
    if !Request::of(run).is_head() {
        text(out, &sorry(answer, cx));
    }
}

/// Appends the head of a whole answer from its third line on.
fn rest(answer: Answer, run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let length = sorry(answer, cx).len();
    // What HTTP/1.1 takes for granted an older client must be told.
    let lasting = if Request::of(run).is_old() { "Connection: Keep-Alive\r\n" } else { "" };
    let wanted = match realm(answer, cx) {
        Some(realm) => format!("WWW-Authenticate: {realm}\r\n"),
        None => String::new(),
    };
    let kind = match cx.profile.persona.system() {
        System::Camera | System::Linux => "Content-Type: text/html; charset=iso-8859-1\r\n",
        System::Windows => "",
    };
    text(out, &format!("{wanted}Content-Length: {length}\r\n{lasting}{kind}\r\n"));
}

/// How a password is asked for, if it is.
pub(crate) fn realm(answer: Answer, cx: &Cx<'_>) -> Option<&'static str> {
    (answer == Answer::Refused).then_some(match cx.profile.persona.system() {
        System::Camera => "Basic realm=\"IP Camera\"",
        System::Linux => "Basic realm=\"Server\"",
        System::Windows => "Basic realm=\"localhost\"",
    })
}

/// The fields of an answer of the present moment in HTTP/2.
pub(crate) fn fields(
    code: &str,
    realm: Option<&str>,
    length: Option<usize>,
    cx: &Cx<'_>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut write = |name, value: &str| hpack::write(name, value, &mut out);
    write(Name::Status, code);
    write(Name::Date, &format!("{} GMT", cx.wall.date()));
    write(Name::Server, cx.profile.persona.http_server());
    if let Some(realm) = realm {
        write(Name::WwwAuthenticate, realm);
    }
    if let Some(length) = length {
        write(Name::ContentLength, &format!("{length}"));
    }
    write(Name::ContentType, "text/html");
    out
}

/// Appends what is due of a head: all of it, unless it is all that the client wants.
fn due(
    run: &Registers,
    out: &mut Vec<u8>,
    opening: impl FnOnce(&mut Vec<u8>),
    ending: impl FnOnce(&mut Vec<u8>),
) {
    let split = Request::of(run).is_head();
    match Phase::of(run) {
        Phase::Ending => ending(out),
        Phase::Heading if split => opening(out),
        _ => {
            opening(out);
            ending(out);
        }
    }
}

/// Appends the page of a refusal.
pub(crate) fn refusal_page(cx: &Cx<'_>, out: &mut Vec<u8>) {
    text(out, &sorry(Answer::Refused, cx));
}

/// Whether a body without an end comes in chunks (RFC 9112, section 7.1).
fn has_chunks(run: &Registers, cx: &Cx<'_>) -> bool {
    // A camera's server is too small to know them.
    !Request::of(run).is_old() && cx.profile.persona.system() != System::Camera
}

/// Appends what `write` writes as one chunk, or as it is where there are none.
pub(crate) fn chunk(
    run: &Registers,
    cx: &mut Cx<'_>,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Cx<'_>, &mut Vec<u8>),
) {
    if !has_chunks(run, cx) {
        return write(cx, out);
    }
    let mut data = Vec::new();
    write(cx, &mut data);
    // A chunk of nothing would be the last one.
    debug_assert!(!data.is_empty(), "a chunk that ends the body");
    text(out, &format!("{:x}\r\n", data.len()));
    out.append(&mut data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the lines by which scanners know a server, in its order.
fn status(status: &str, run: &Registers, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let persona = &cx.profile.persona;
    let (date, server) = (Wall(run.position.into()).date(), persona.http_server());
    let fields = match persona.system() {
        System::Camera | System::Linux => format!("Date: {date} GMT\r\nServer: {server}\r\n"),
        System::Windows => format!(
            "Content-Type: text/html\r\nServer: {server}\r\nX-Powered-By: ASP.NET\r\n\
             Date: {date} GMT\r\n"
        ),
    };
    text(out, &format!("HTTP/1.1 {status}\r\n{fields}"));
}

/// The page of a whole answer. Apache's are word for word as its versions that we name have them:
/// pages of our own would tell who we are.
pub(crate) fn sorry(answer: Answer, cx: &Cx<'_>) -> String {
    let persona = &cx.profile.persona;
    let status = answer.status();
    let reason = &status[4..];
    match persona.system() {
        System::Camera => {
            let words = match answer {
                Answer::Forbidden => "Your client may not see that.",
                Answer::Missing => "There is no such page on this device.",
                Answer::Refused => "A user name and a password are required.",
                Answer::Welcome => "Loading ...",
            };
            format!(
                "<HTML><HEAD><TITLE>{status}</TITLE></HEAD>\n<BODY><H1>{status}</H1>\n{words}\n\
                 </BODY></HTML>\n"
            )
        }
        System::Windows => String::from(match answer {
            Answer::Forbidden | Answer::Refused => {
                "You do not have permission to view this directory or page."
            }
            Answer::Missing => {
                "The resource you are looking for has been removed, had its name changed, or is \
                 temporarily unavailable."
            }
            Answer::Welcome => "<html><head><title>Home</title></head><body></body></html>",
        }),
        System::Linux => {
            let server = persona.http_server();
            // The host that the client has named, which is nearly always the address that it
            // connected to.
            let (host, port) = (cx.conn.server.ip().to_canonical(), cx.conn.server.port());
            let host = if host.is_ipv6() { format!("[{host}]") } else { format!("{host}") };
            let words = match answer {
                Answer::Forbidden => "You don't have permission to access this resource.",
                Answer::Missing => "The requested URL was not found on this server.",
                Answer::Refused => {
                    "This server could not verify that you\nare authorized to access the document\n\
                     requested.  Either you supplied the wrong\ncredentials (e.g., bad password), \
                     or your\nbrowser doesn't understand how to supply\nthe credentials required."
                }
                Answer::Welcome => return String::from("<html><body></body></html>\n"),
            };
            format!(
                "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
                 <title>{status}</title>\n</head><body>\n<h1>{reason}</h1>\n<p>{words}</p>\n<hr>\n\
                 <address>{server} Server at {host} Port {port}</address>\n</body></html>\n"
            )
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
