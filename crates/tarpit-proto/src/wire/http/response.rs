//! Writing answers (RFC 9112, sections 4 to 7): heads in the order in which Apache httpd has them,
//! the refusal, and chunks.

use alloc::{format, string::String, vec::Vec};

use super::{Ask, Phase, Request};
use crate::{
    script::{Cx, Run},
    time::Wall,
};

/// The present for a head's date, as [`Run::position`] keeps it.
pub(super) fn stamp(cx: &Cx<'_>) -> u32 {
    u32::try_from(cx.wall.0).unwrap_or(u32::MAX)
}

/// Appends the head of an answer whose body has no end, or what is due of it.
pub(crate) fn head(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    due(run, out, |out| opening(run, cx, out), |out| ending(run, out));
}

/// Appends the first lines of such a head: what scanners record.
pub(crate) fn opening(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    status("200 OK", run, cx, out);
}

/// Appends the last lines of such a head.
pub(crate) fn ending(run: &Run, out: &mut Vec<u8>) {
    // Before HTTP/1.1 the end of a body is the end of the connection.
    let old = Request::of(run).is_old();
    let framing = if old { "Connection: close" } else { "Transfer-Encoding: chunked" };
    text(out, &format!("{framing}\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n"));
}

/// Appends the head of an answer whose body is `length` bytes in `coding`, or what is due of it.
pub(crate) fn coded_head(coding: &str, length: u32, run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let ending = format!(
        "Vary: Accept-Encoding\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\
         Content-Type: text/html; charset=UTF-8\r\n\r\n"
    );
    due(run, out, |out| opening(run, cx, out), |out| text(out, &ending));
}

/// Appends what is told in the phases that are the same for all patterns.
pub(crate) fn reply(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    match (Phase::of(run), run.position) {
        (Phase::Declining, _) => decline(run, cx, out),
        // Blanks may stand in front of a field's value (RFC 9112, section 5), as many as there are.
        (Phase::Padding, 0) => text(out, "Content-Length:"),
        (Phase::Padding, _) => text(out, " "),
        _ => refusal(run, cx, out),
    }
}

/// Appends the first lines of the answer to whoever asks for no page.
fn decline(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
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

/// The methods that Apache allows on a file: in an order that each of its starts turns round.
fn methods(cx: &Cx<'_>) -> &'static str {
    const TURNED: [&str; 4] = [
        "GET,POST,OPTIONS,HEAD",
        "HEAD,GET,POST,OPTIONS",
        "OPTIONS,HEAD,GET,POST",
        "POST,OPTIONS,HEAD,GET",
    ];
    TURNED[(cx.profile.persona.number() % 4) as usize]
}

/// Appends a whole refusal: what a guess is answered with.
fn refusal(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    refusal_head(run, cx, out);
    if !Request::of(run).is_head() {
        refusal_page(cx, out);
    }
}

/// Appends the head of a refusal, or what is due of it.
pub(crate) fn refusal_head(run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let length = sorry(cx).len();
    // What HTTP/1.1 takes for granted an older client must be told.
    let lasting = if Request::of(run).is_old() { "Connection: Keep-Alive\r\n" } else { "" };
    let ending = format!(
        "WWW-Authenticate: Basic realm=\"Server\"\r\nContent-Length: {length}\r\n{lasting}\
         Content-Type: text/html; charset=iso-8859-1\r\n\r\n"
    );
    due(run, out, |out| status("401 Unauthorized", run, cx, out), |out| text(out, &ending));
}

/// Appends what is due of a head: all of it, unless it is all that the client wants.
fn due(
    run: &Run,
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
    text(out, &sorry(cx));
}

/// Appends what `write` writes as one chunk (RFC 9112, section 7.1), or as it is for a client that
/// knows no chunks.
pub(crate) fn chunk(run: &Run, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if Request::of(run).is_old() {
        return write(out);
    }
    let mut data = Vec::new();
    write(&mut data);
    // A chunk of nothing would be the last one.
    debug_assert!(!data.is_empty(), "a chunk that ends the body");
    text(out, &format!("{:x}\r\n", data.len()));
    out.append(&mut data);
    out.extend_from_slice(b"\r\n");
}

fn status(status: &str, run: &Run, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let date = Wall(run.position.into()).date();
    text(
        out,
        &format!(
            "HTTP/1.1 {status}\r\nDate: {date} GMT\r\nServer: {}\r\n",
            cx.profile.persona.http_server(),
        ),
    );
}

/// The page that tells a client that it may not come in, word for word as the versions of Apache
/// that we name have it: a page of our own would tell who we are.
fn sorry(cx: &Cx<'_>) -> String {
    let server = cx.profile.persona.http_server();
    // The host that the client has named, which is nearly always the address that it connected to.
    let (host, port) = (cx.conn.server.ip().to_canonical(), cx.conn.server.port());
    let host = if host.is_ipv6() { format!("[{host}]") } else { format!("{host}") };
    format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
         <title>401 Unauthorized</title>\n</head><body>\n<h1>Unauthorized</h1>\n\
         <p>This server could not verify that you\nare authorized to access the document\n\
         requested.  Either you supplied the wrong\ncredentials (e.g., bad password), or your\n\
         browser doesn't understand how to supply\nthe credentials required.</p>\n<hr>\n\
         <address>{server} Server at {host} Port {port}</address>\n</body></html>\n"
    )
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
