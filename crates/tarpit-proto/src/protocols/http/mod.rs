//! HTTP: version 1.1 (RFC 9110, RFC 9112) and version 2 (RFC 9113).

pub(crate) mod bad_site;
mod bomb;
mod clients;
mod cookie;
mod course;
mod credentials;
pub(crate) mod deflate_html_bomb;
pub(crate) mod deflate_size_bomb;
pub(crate) mod endless_header;
mod error_page;
pub(crate) mod fake_auth;
mod fields;
mod head;
pub(crate) mod hold;
mod host;
pub(crate) mod http2;
mod length;
mod page;
mod reply;
mod request;
mod request_line;
mod response;
mod server;
mod sight;
mod site;
mod target;
mod torn;

pub use crate::protocols::http::request::check_requests_are_read_the_same_however_cut;
pub(crate) use crate::protocols::http::{
    bomb::Bomb,
    cookie::{COOKIE, cookie, cookie_value},
    course::{
        At, Cue, Exchange, PART, converse, hear, hold, next_request, open, pause, pause_of,
        run_of_blanks, tell, tell_more_of, tell_on,
    },
    page::{link, page},
    request::Coding,
    response::{
        body_part, body_parts, chunk, coded_head, ending, head, last_value, opening, refusal_head,
        refusal_page, reply,
    },
};
use crate::{
    base::fact::Fact,
    script::{Protocol, Side, Sight},
};

/// See the module.
pub static HTTP: Protocol = Protocol {
    name: "http",
    service: "http",
    ports: &[80, 8080],
    also_on: &[81, 591, 2080, 3128, 5000, 8000, 8001, 8008, 8081, 8088, 8888, 9080],
    first: Side::Client,
    sight: Sight::Own(sight::request_line),
    among_others: None,
    bears_anything: true,
    openings: &[
        b"GET /admin HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"OPTIONS / HTTP/1.0\r\n\r\n",
        b"\r\nOPTIONS * HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n",
        b"CONNECT a:443 HTTP/1.1\r\n",
        b"FROBNICATE / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    greet: None,
    refuse: None,
    plays: Some(server::software),
    try_it: "curl http://{address}/",
    reason: "records requests; holds browsers, password guessers and path scanners",
    facts: &[
        Fact::HttpForwarded,
        Fact::HttpHost,
        Fact::HttpRequest,
        Fact::HttpUserAgent,
        Fact::HttpXForwardedFor,
        Fact::HttpXRealIp,
        Fact::Method,
        Fact::Secret,
        Fact::User,
    ],
    clients: &clients::CLIENTS,
    patterns: &[
        &hold::HttpHold,
        &bad_site::HttpBadSite,
        &deflate_html_bomb::HttpDeflateHtmlBomb,
        &deflate_size_bomb::HttpDeflateSizeBomb,
        &endless_header::HttpEndlessHeader,
        &fake_auth::HttpFakeAuth,
    ],
};
