//! Writing answers (RFC 9112, sections 4 to 7): heads in the order in which the persona's server
//! has them, the refusal, and chunks.

use alloc::{format, string::String, vec::Vec};

use crate::{
    base::time::Wall,
    persona::System,
    protocols::http::{
        course::{At, Exchange},
        request::{Ask, Request, Version},
    },
    script::Cx,
    states,
    wire::http::hpack::{self, Name},
};

states! {
    /// The moment of a head's date, kept so that the head comes out the same again.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Stamp {
        /// Seconds of the calendar; of those beyond its 32 bits, in 2106, the last.
        seconds: u32,
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
}

impl Stamp {
    pub(crate) fn now(cx: &Cx<'_>) -> Self {
        Self { seconds: u32::try_from(cx.wall.0).unwrap_or(u32::MAX) }
    }
}

impl Answer {
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Forbidden => "403 Forbidden",
            Self::Missing => "404 Not Found",
            Self::Refused => "401 Unauthorized",
            Self::Welcome => "200 OK",
        }
    }
}

/// Appends the head of an answer whose body has no end, or what is due of it.
pub(crate) fn head(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    due(exchange, "200 OK", cx, out, |out| ending(exchange.request, cx, out));
}

/// Appends the first lines of such a head: what scanners record.
pub(crate) fn opening(stamp: Stamp, cx: &Cx<'_>, out: &mut Vec<u8>) {
    status("200 OK", stamp, cx, out);
}

/// Appends the last lines of such a head.
pub(crate) fn ending(request: Request, cx: &Cx<'_>, out: &mut Vec<u8>) {
    // Before HTTP/1.1 the end of a body is the end of the connection.
    let framing =
        if has_chunks(request, cx) { "Transfer-Encoding: chunked" } else { "Connection: close" };
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
    exchange: &Exchange,
    cx: &Cx<'_>,
    out: &mut Vec<u8>,
) {
    let ending = format!(
        "Vary: Accept-Encoding\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\
         {}\r\n",
        kind_of_page(cx)
    );
    due(exchange, "200 OK", cx, out, |out| text(out, &ending));
}

/// Appends what is told in the states that are the same for all patterns.
pub(crate) fn reply(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    match exchange.at {
        At::Answering { answer, stamp } => whole(answer, stamp, exchange.request, cx, out),
        At::Declining { stamp } => decline(exchange.request.ask, stamp, cx, out),
        At::Padding { is_begun: false } => text(out, "Content-Length:"),
        // Blanks may stand in front of a field's value (RFC 9112, section 5), as many as there are.
        At::Padding { is_begun: true } => text(out, " "),
        At::Asking { .. }
        | At::Pausing { .. }
        | At::Heading { .. }
        | At::Ending
        | At::Telling { .. }
        | At::Holding => debug_assert!(false, "a pattern says this itself, or nobody does"),
    }
}

/// Appends the first lines of the answer to a client that asks for no page.
fn decline(ask: Ask, stamp: Stamp, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let (answer, allowed) = match ask {
        Ask::PageOptions => ("200 OK", Some(methods(cx))),
        Ask::ServerOptions => ("200 OK", None),
        // A success would be taken for an open proxy.
        Ask::Other => ("405 Method Not Allowed", Some(methods(cx))),
        // Both Debian and Ubuntu switch it off, and then the list is empty.
        Ask::Trace => ("405 Method Not Allowed", Some("")),
        Ask::Unknown => ("501 Not Implemented", Some(methods(cx))),
        Ask::Garbled | Ask::Head | Ask::Page => ("400 Bad Request", None),
    };
    status(answer, stamp, cx, out);
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

/// Appends the head of a refusal, or what is due of it.
pub(crate) fn refusal_head(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let answer = Answer::Refused;
    due(exchange, answer.status(), cx, out, |out| rest(answer, exchange.request, cx, out));
}

/// Appends a whole answer.
fn whole(answer: Answer, stamp: Stamp, request: Request, cx: &Cx<'_>, out: &mut Vec<u8>) {
    status(answer.status(), stamp, cx, out);
    rest(answer, request, cx, out);
    if !request.is_head() {
        text(out, &sorry(answer, cx));
    }
}

/// Appends the head of a whole answer from its third line on.
fn rest(answer: Answer, request: Request, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let length = sorry(answer, cx).len();
    // What HTTP/1.1 takes for granted an older client must be told.
    let lasting = match request.version {
        Version::Http10 => "Connection: Keep-Alive\r\n",
        Version::Http11 => "",
    };
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
    exchange: &Exchange,
    answer: &str,
    cx: &Cx<'_>,
    out: &mut Vec<u8>,
    ending: impl FnOnce(&mut Vec<u8>),
) {
    if let At::Heading { stamp } = exchange.at {
        status(answer, stamp, cx, out);
        if exchange.request.is_head() {
            return;
        }
    }
    ending(out);
}

/// Appends the page of a refusal.
pub(crate) fn refusal_page(cx: &Cx<'_>, out: &mut Vec<u8>) {
    text(out, &sorry(Answer::Refused, cx));
}

/// Whether a body without an end comes in chunks (RFC 9112, section 7.1).
fn has_chunks(request: Request, cx: &Cx<'_>) -> bool {
    // A camera's server is too small to know them.
    request.version == Version::Http11 && cx.profile.persona.system() != System::Camera
}

/// Appends what `write` writes as one chunk, or as it is where there are none.
pub(crate) fn chunk(
    request: Request,
    cx: &mut Cx<'_>,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Cx<'_>, &mut Vec<u8>),
) {
    if !has_chunks(request, cx) {
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
fn status(status: &str, stamp: Stamp, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let persona = &cx.profile.persona;
    let (date, server) = (Wall(stamp.seconds.into()).date(), persona.http_server());
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
