//! Heads of answers (RFC 9110, section 6.3; RFC 9112, section 4): which fields the server that is
//! played writes, and in which order.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    base::time::Wall,
    protocols::http::{
        error_page::error_page,
        host::{Asked, Name},
        reply::{Entry, Extent, Reply},
        request::{Lasting, Request, Version},
        server::Server,
        site::Site,
    },
    script::Cx,
    states,
    wire::http::hpack,
};

states! {
    /// The moment of a head's date, kept so that the head comes out the same again.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Stamp {
        /// Seconds of the calendar; of those beyond its 32 bits, in 2106, the last.
        seconds: u32,
    }
}

impl Stamp {
    pub(crate) fn now(cx: &Cx<'_>) -> Self {
        Self { seconds: u32::try_from(cx.wall.0).unwrap_or(u32::MAX) }
    }
}

/// A field of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    AcceptRanges,
    Allow,
    Connection,
    ContentLength,
    ContentRange,
    ContentType,
    Date,
    ETag,
    KeepAlive,
    LastModified,
    Location,
    PoweredBy,
    Server,
    Vary,
    WwwAuthenticate,
}

/// The fields of each server in its order.
fn order(server: Server) -> &'static [Field] {
    match server {
        Server::Apache => &[
            Field::Date,
            Field::Server,
            Field::Location,
            Field::LastModified,
            Field::ETag,
            Field::AcceptRanges,
            Field::Allow,
            Field::WwwAuthenticate,
            Field::ContentLength,
            Field::Vary,
            Field::ContentRange,
            Field::KeepAlive,
            Field::Connection,
            Field::ContentType,
        ],
        Server::Boa => &[
            Field::Date,
            Field::Server,
            Field::AcceptRanges,
            Field::Connection,
            Field::WwwAuthenticate,
            Field::Location,
            Field::ContentLength,
            Field::LastModified,
            Field::ContentRange,
            Field::ContentType,
        ],
        Server::Iis => &[
            Field::ContentType,
            Field::LastModified,
            Field::AcceptRanges,
            Field::ETag,
            Field::Allow,
            Field::Location,
            Field::Server,
            Field::WwwAuthenticate,
            Field::ContentRange,
            Field::PoweredBy,
            Field::Date,
            Field::Connection,
            Field::ContentLength,
        ],
        Server::Nginx => &[
            Field::Server,
            Field::Date,
            Field::ContentType,
            Field::ContentLength,
            Field::LastModified,
            Field::Location,
            Field::Connection,
            Field::ETag,
            Field::AcceptRanges,
            Field::ContentRange,
            Field::WwwAuthenticate,
        ],
    }
}

/// The lines of a head, each with its end, in the order in which the server has them.
pub(crate) fn head(request: Request, asked: Asked<'_>, stamp: Stamp, cx: &Cx<'_>) -> String {
    let fields = order(Server::of(&cx.profile.persona)).iter();
    let fields = fields.map(|&field| (field, value(field, request, asked, stamp, cx)));
    write(request.reply.get(), fields, cx)
}

/// The first lines of an answer whose other fields are the pattern's own: those by which scanners
/// know a server.
pub(crate) fn first_lines(request: Request, stamp: Stamp, cx: &Cx<'_>) -> String {
    let server = Server::of(&cx.profile.persona);
    let is_first = |field: &&Field| match field {
        Field::Date | Field::PoweredBy | Field::Server => true,
        Field::ContentType => matches!(server, Server::Iis | Server::Nginx),
        _ => false,
    };
    let fields = order(server).iter().filter(is_first);
    let fields = fields.map(|&field| (field, value(field, request, None, stamp, cx)));
    write(request.reply.get(), fields, cx)
}

/// The fields of an answer of the present moment in HTTP/2, in the same order. Those that speak of
/// the connection have no place there (RFC 9113, section 8.2.2).
pub(crate) fn frame_fields(
    request: Request,
    asked: Asked<'_>,
    has_length: bool,
    cx: &Cx<'_>,
) -> Vec<u8> {
    let (server, stamp) = (Server::of(&cx.profile.persona), Stamp::now(cx));
    let mut out = Vec::new();
    hpack::write(hpack::Name::Status, &request.reply.get().status(server)[..3], &mut out);
    for &field in order(server) {
        let name = match field {
            Field::AcceptRanges => hpack::Name::AcceptRanges,
            Field::Allow => hpack::Name::Allow,
            Field::Connection | Field::KeepAlive => continue,
            Field::ContentLength if !has_length => continue,
            Field::ContentLength => hpack::Name::ContentLength,
            Field::ContentRange => hpack::Name::ContentRange,
            Field::ContentType => hpack::Name::ContentType,
            Field::Date => hpack::Name::Date,
            Field::ETag => hpack::Name::ETag,
            Field::LastModified => hpack::Name::LastModified,
            Field::Location => hpack::Name::Location,
            Field::PoweredBy => hpack::Name::PoweredBy,
            Field::Server => hpack::Name::Server,
            Field::Vary => hpack::Name::Vary,
            Field::WwwAuthenticate => hpack::Name::WwwAuthenticate,
        };
        if let Some(value) = value(field, request, asked, stamp, cx) {
            hpack::write(name, &value, &mut out);
        }
    }
    out
}

/// Where in a head its last line begins.
pub(crate) fn last_line(head: &str) -> usize {
    head.trim_end().rfind("\r\n").map_or(0, |end| end + 2)
}

fn write<'a>(
    reply: Reply,
    fields: impl Iterator<Item = (Field, Option<Cow<'a, str>>)>,
    cx: &Cx<'_>,
) -> String {
    let status = reply.status(Server::of(&cx.profile.persona));
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (field, value) in fields {
        if let Some(value) = value {
            head.extend([name(field), ": ", &value, "\r\n"]);
        }
    }
    head
}

fn name(field: Field) -> &'static str {
    match field {
        Field::AcceptRanges => "Accept-Ranges",
        Field::Allow => "Allow",
        Field::Connection => "Connection",
        Field::ContentLength => "Content-Length",
        Field::ContentRange => "Content-Range",
        Field::ContentType => "Content-Type",
        Field::Date => "Date",
        Field::ETag => "ETag",
        Field::KeepAlive => "Keep-Alive",
        Field::LastModified => "Last-Modified",
        Field::Location => "Location",
        Field::PoweredBy => "X-Powered-By",
        Field::Server => "Server",
        Field::Vary => "Vary",
        Field::WwwAuthenticate => "WWW-Authenticate",
    }
}

/// What a field says in this answer; `None`: the answer does not have it.
fn value(
    field: Field,
    request: Request,
    asked: Asked<'_>,
    stamp: Stamp,
    cx: &Cx<'_>,
) -> Option<Cow<'static, str>> {
    let site = Site::of(&cx.profile.persona);
    let (server, reply) = (site.server, request.reply.get());
    let page = match reply {
        Reply::Page { page, extent } => Some((page, extent)),
        _ => None,
    };
    let extent = page.map(|(_, extent)| extent);
    match field {
        Field::AcceptRanges => match server {
            Server::Nginx if extent != Some(Extent::Whole) => None,
            _ => page.map(|_| "bytes".into()),
        },
        Field::Allow => allowed(reply, cx).map(Cow::Borrowed),
        Field::Connection => lasting(request, server).map(Cow::Borrowed),
        Field::ContentLength => match page {
            Some((_, Extent::Unchanged)) => None,
            Some((page, _)) => Some(site.length(page).to_string().into()),
            // Apache counts the bytes that it sends.
            None if request.is_head && server == Server::Apache => None,
            None => Some(error_page(reply, asked, cx).len().to_string().into()),
        },
        Field::ContentRange => {
            let (page, _) = page.filter(|&(_, extent)| extent == Extent::Part)?;
            let length = site.length(page);
            Some(format!("bytes 0-{}/{length}", length.saturating_sub(1)).into())
        }
        Field::ContentType => kind(reply, server).map(Cow::Borrowed),
        Field::Date => Some(format!("{} GMT", Wall(stamp.seconds.into()).date()).into()),
        Field::ETag => page.map(|(page, _)| site.tag(page).into()),
        Field::KeepAlive => {
            let lasts = lasting(request, server) == Some("Keep-Alive");
            lasts.then_some("timeout=5, max=100".into())
        }
        Field::LastModified => {
            page.map(|(page, _)| format!("{} GMT", site.modified(page).date()).into())
        }
        Field::Location => match reply {
            Reply::Moved { folder } => Some(moved_to(folder, asked, cx).into()),
            _ => None,
        },
        Field::PoweredBy => (!is_of_http_sys(reply, server)).then_some("ASP.NET".into()),
        Field::Server if is_of_http_sys(reply, server) => Some("Microsoft-HTTPAPI/2.0".into()),
        Field::Server => Some(Server::name(&cx.profile.persona).into()),
        Field::Vary => {
            extent.filter(|&extent| extent != Extent::Unchanged).map(|_| "Accept-Encoding".into())
        }
        Field::WwwAuthenticate => realm(reply, cx).map(Cow::Borrowed),
    }
}

/// Whether Windows answers in front of IIS, in the name of its own.
pub(crate) fn is_of_http_sys(reply: Reply, server: Server) -> bool {
    server == Server::Iis && reply.ends_connection()
}

/// How a password is asked for, if it is.
fn realm(reply: Reply, cx: &Cx<'_>) -> Option<&'static str> {
    (reply == Reply::Refused).then_some(match Server::of(&cx.profile.persona) {
        Server::Boa => "Basic realm=\"IP Camera\"",
        Server::Apache | Server::Nginx => "Basic realm=\"Server\"",
        Server::Iis => "Basic realm=\"localhost\"",
    })
}

/// What kind of body follows.
fn kind(reply: Reply, server: Server) -> Option<&'static str> {
    const ERROR: &str = "text/html; charset=iso-8859-1";
    match (reply, server) {
        (Reply::Page { extent: Extent::Unchanged, .. } | Reply::ServerOptions, _)
        | (Reply::Options { is_page: false }, Server::Apache)
        | (Reply::Options { .. }, Server::Boa | Server::Iis | Server::Nginx) => None,
        (Reply::Page { .. }, _) | (Reply::Options { .. }, Server::Apache) => Some("text/html"),
        (_, Server::Iis) if is_of_http_sys(reply, server) => Some("text/html; charset=us-ascii"),
        (_, Server::Apache | Server::Boa) => Some(ERROR),
        (_, Server::Iis | Server::Nginx) => Some("text/html"),
    }
}

/// What the server says of the connection behind the answer.
fn lasting(request: Request, server: Server) -> Option<&'static str> {
    let Request { version, lasting, .. } = request;
    let reply = request.reply.get();
    let is_old = version == Version::Http10 && lasting != Lasting::KeepAlive;
    let ends = reply.ends_connection() || lasting == Lasting::Close || is_old;
    match server {
        _ if ends => Some("close"),
        Server::Nginx => Some("keep-alive"),
        Server::Apache | Server::Boa if lasting == Lasting::KeepAlive => Some("Keep-Alive"),
        Server::Iis if version == Version::Http10 => Some("keep-alive"),
        Server::Apache | Server::Boa | Server::Iis => None,
    }
}

/// The methods that the server allows on a file; Apache's in an order that each of its starts turns
/// round.
fn allowed(reply: Reply, cx: &Cx<'_>) -> Option<&'static str> {
    const TURNED: [&str; 4] = [
        "GET,POST,OPTIONS,HEAD",
        "HEAD,GET,POST,OPTIONS",
        "OPTIONS,HEAD,GET,POST",
        "POST,OPTIONS,HEAD,GET",
    ];
    let persona = &cx.profile.persona;
    let server = Server::of(persona);
    match reply {
        // Both Debian and Ubuntu switch it off, and then the list is empty.
        Reply::Trace => Some(""),
        Reply::Tunnel if server == Server::Nginx => None,
        Reply::NotAllowed { .. }
        | Reply::NotImplemented { .. }
        | Reply::Options { .. }
        | Reply::Tunnel => match server {
            Server::Apache => Some(TURNED[(persona.number() % 4) as usize]),
            Server::Iis => Some("GET, HEAD, OPTIONS, TRACE"),
            Server::Boa | Server::Nginx => None,
        },
        _ => None,
    }
}

/// The URL of a folder, by the host that the client asked for.
pub(crate) fn moved_to(folder: Entry, asked: Asked<'_>, cx: &Cx<'_>) -> String {
    Name::of(asked, cx).url(&format!("{}/", Site::folder(folder)), cx)
}
