//! Writing answers (RFC 9112, sections 4 to 7): heads whole or in part, bodies, and chunks.

use alloc::{format, vec::Vec};

use crate::{
    protocols::http::{
        course::{At, Exchange, run_of_blanks},
        error_page::error_page,
        head::{Stamp, first_lines, head as lines, last_line},
        host::Asked,
        reply::{Extent, Reply},
        request::{Lasting, Request, Version},
        server::Server,
        site::Site,
    },
    script::Cx,
};

/// Appends the head of an answer whose body has no end, or what is due of it.
pub(crate) fn head(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    due(exchange, cx, out, |out| ending(exchange.request, cx, out));
}

/// Appends the first lines of such a head: what scanners record.
pub(crate) fn opening(request: Request, stamp: Stamp, cx: &Cx<'_>, out: &mut Vec<u8>) {
    text(out, &first_lines(request, stamp, cx));
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
    match Server::of(&cx.profile.persona) {
        Server::Apache => "Content-Type: text/html; charset=UTF-8\r\n",
        Server::Boa => "Content-Type: text/html\r\n",
        Server::Iis | Server::Nginx => "",
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
    due(exchange, cx, out, |out| text(out, &ending));
}

/// Appends what is told in the states that are the same for all patterns.
pub(crate) fn reply(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let request = exchange.request;
    match exchange.at {
        At::Answering { stamp } => whole(request, exchange.asked(), stamp, cx, out),
        At::Opening { stamp } => {
            let head = lines(request, exchange.asked(), stamp, cx);
            text(out, &head[..last_line(&head)]);
        }
        At::Naming => {
            let head = lines(request, None, Stamp::default(), cx);
            text(out, split_last_line(&head).0);
        }
        At::Padding { .. } => {
            let blanks = run_of_blanks(exchange.held_by, cx) as usize;
            out.resize(out.len() + blanks, b' ');
        }
        At::Asking { .. }
        | At::Pausing
        | At::Heading { .. }
        | At::Ending
        | At::Telling { .. }
        | At::Holding => debug_assert!(false, "a pattern says this itself, or nobody does"),
    }
}

/// Appends what the last line of a head that was padded ends with: the value of its field.
pub(crate) fn last_value(request: Request, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let head = lines(request, None, Stamp::default(), cx);
    text(out, split_last_line(&head).1);
}

/// The name of the last field in a head, with its colon, and what follows.
fn split_last_line(head: &str) -> (&str, &str) {
    let line = &head[last_line(head)..];
    line.split_at(line.find(':').map_or(line.len(), |colon| colon + 1))
}

/// How many parts the body has.
pub(crate) fn body_parts(request: Request, cx: &Cx<'_>) -> u32 {
    match request.reply.get() {
        Reply::Page { page, .. } => Site::of(&cx.profile.persona).parts(page),
        _ => 1,
    }
}

/// Appends a part of the body. The end of a page is in none of them, nor is the last byte of a
/// short one: without it the client waits on.
pub(crate) fn body_part(
    request: Request,
    asked: Asked<'_>,
    part: u32,
    cx: &Cx<'_>,
    out: &mut Vec<u8>,
) {
    if let Reply::Page { page, .. } = request.reply.get() {
        return Site::of(&cx.profile.persona).write(page, part, out);
    }
    let page = error_page(request.reply.get(), asked, cx);
    out.extend_from_slice(page.as_bytes().split_last().map_or(&[], |(_, most)| most));
}

/// Appends a whole answer.
fn whole(request: Request, asked: Asked<'_>, stamp: Stamp, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let request = asked_on(request);
    let head = lines(request, asked, stamp, cx);
    text(out, &format!("{head}\r\n"));
    if !request.is_head {
        whole_body(request.reply.get(), asked, cx, out);
    }
}

/// The request of a client that is to ask again on the connection.
fn asked_on(request: Request) -> Request {
    let is_guess = matches!(request.reply.get(), Reply::Refused | Reply::Welcome);
    let lasting = match (request.version, request.lasting) {
        // What HTTP/1.1 takes for granted an older client must be told.
        (Version::Http09 | Version::Http10, Lasting::Unsaid) => Lasting::KeepAlive,
        // A guesser goes on, whatever it says.
        (_, Lasting::Close) if is_guess => Lasting::Unsaid,
        (_, lasting) => lasting,
    };
    Request { lasting, ..request }
}

/// Appends the whole body of an answer.
pub(crate) fn whole_body(reply: Reply, asked: Asked<'_>, cx: &Cx<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Page { extent: Extent::Unchanged, .. } => {}
        Reply::Page { page, .. } => Site::of(&cx.profile.persona).write_all(page, out),
        reply => text(out, &error_page(reply, asked, cx)),
    }
}

/// Appends the head of a refusal, or what is due of it.
pub(crate) fn refusal_head(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>) {
    let request = asked_on(Request { reply: Reply::Refused.into(), ..exchange.request });
    let stamp = match exchange.at {
        At::Heading { stamp } => stamp,
        _ => Stamp::default(),
    };
    let head = lines(request, None, stamp, cx);
    let (first, rest) = head.split_at(first_lines_end(&head));
    match exchange.at {
        At::Heading { .. } if request.is_head => text(out, first),
        At::Heading { .. } => text(out, &format!("{head}\r\n")),
        _ => text(out, &format!("{rest}\r\n")),
    }
}

/// Where in a head the lines end by which scanners know a server.
fn first_lines_end(head: &str) -> usize {
    let end_of = |name: &str| {
        let start = head.find(name)? + 2;
        Some(start + head.get(start..)?.find("\r\n")? + 2)
    };
    end_of("\r\nDate: ").max(end_of("\r\nServer: ")).unwrap_or(head.len())
}

/// Appends what is due of a head: all of it, unless it is all that the client wants.
fn due(exchange: &Exchange, cx: &Cx<'_>, out: &mut Vec<u8>, ending: impl FnOnce(&mut Vec<u8>)) {
    if let At::Heading { stamp } = exchange.at {
        opening(exchange.request, stamp, cx, out);
        if exchange.request.is_head {
            return;
        }
    }
    ending(out);
}

/// Appends the page of a refusal.
pub(crate) fn refusal_page(cx: &Cx<'_>, out: &mut Vec<u8>) {
    text(out, &error_page(Reply::Refused, None, cx));
}

/// Whether a body without an end comes in chunks (RFC 9112, section 7.1).
fn has_chunks(request: Request, cx: &Cx<'_>) -> bool {
    // A camera's server is too small to know them.
    request.version == Version::Http11 && Server::of(&cx.profile.persona) != Server::Boa
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
    let start = out.len();
    write(cx, out);
    let length = out.len() - start;
    // A chunk of nothing would be the last one.
    debug_assert!(length > 0, "a chunk that ends the body");
    text(out, &format!("{length:x}\r\n"));
    let data = start + length;
    let head = out.len() - data;
    out[start..].rotate_right(head);
    out.extend_from_slice(b"\r\n");
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
