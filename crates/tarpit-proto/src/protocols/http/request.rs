//! Reading requests (RFC 9112, sections 2 to 6): line by line, keeping only what matters.
//!
//! Hostile bytes are inputs, not errors: malformed bytes count as a request, too.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    base::{fact::Fact, said::Said, state::Packed},
    protocols::{
        http::{
            clients::{self, HeldBy},
            fields::field,
            host,
            length::Length,
            reply::Reply,
            request_line::{request_line, tell_request},
            server::Server,
            site::Site,
            torn::{Collected, Torn},
        },
        secret::Shown,
    },
    script::Before,
    states,
};

states! {
    /// What was read of a request, as far as the course of its answer depends on it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Request {
        /// How it is answered, as far as it was read.
        pub(crate) reply: Packed<Reply>,
        /// It asks for the head of an answer alone.
        pub(crate) is_head: bool,
        pub(crate) version: Version,
        pub(crate) lasting: Lasting,
        pub(crate) codings: Codings,
        pub(crate) behind: Behind,
    }

    /// A request's version.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Version {
        /// The first, whose answers have no head.
        Http09,
        /// HTTP/1.0, which knows neither chunks nor lasting connections.
        Http10,
        /// HTTP/1.1, or what is taken for it.
        #[default]
        Http11,
    }

    /// What a client says of the connection behind the answer.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Lasting {
        Close,
        KeepAlive,
        #[default]
        Unsaid,
    }

    /// What stands behind a request's head.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Behind {
        /// So many bytes of a body, below a megabyte, and then the next request.
        Body { left: Length<20> },
        /// A body without a length, or one beyond all counting.
        Endless,
        /// Nobody knows, so that no other request is ever found.
        Unknown,
    }

    /// Which codings of the body a client accepts (RFC 9110, section 12.5.3).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Codings {
        /// It says nothing, and takes any.
        #[default]
        Any,
        Listed { others: bool, deflate: Mention, gzip: Mention },
    }

    /// What a list of codings says of one.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Mention {
        Accepted,
        #[default]
        Nothing,
        Refused,
    }

    /// How far a request was read, and what was seen of it and of its sender until its head was
    /// complete.
    #[derive(Debug, Default, PartialEq)]
    pub(crate) struct Reading {
        pub(super) cursor: Cursor,
        pub(super) credentials: Credentials,
        pub(super) agent: Agent,
        /// What has been told of this request is not told again.
        pub(super) told_host: bool,
        pub(super) has_length: bool,
        /// How many fields came, as far as anybody counts them.
        pub(super) fields: u8,
        /// It says what it accepts, as every browser does.
        pub(super) says_accept: bool,
        /// What its sender has waited before this request, its first.
        pub(super) spent: Spent,
    }

    /// What is kept of a request beyond that: while its head is read, and until the answer needs it
    /// no longer.
    #[derive(Debug, Default, PartialEq)]
    pub(crate) boxed struct Kept {
        /// What is told once the value that goes on has come to its end.
        pub(super) torn: Option<Torn>,
        /// The host that is asked for, if it is not too long.
        pub(super) host: Option<Vec<u8>>,
    }

    /// Time that a client has spent in a handshake, which is taken off its first wait. A minute is
    /// counted at most.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Spent {
        /// In units of 64 ms.
        ticks: Length<10>,
        /// Its stack limits handshake and answer together, as no browser's does; or the request
        /// before was one of a searcher for paths.
        is_searcher: bool,
    }

    /// Where in a request the reading stands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Cursor {
        /// Before it, or inside the body of the previous one.
        #[default]
        Start,
        /// Inside its line.
        InLine,
        /// At the start of a field.
        Fields,
        /// Inside a field.
        InField,
    }

    /// By what a client would get in.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Credentials {
        /// It comes from a tool that guesses them, and shows none yet.
        Expected,
        #[default]
        Missing,
        /// It carries some, right or wrong.
        Shown,
    }

    /// What a client calls itself.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Agent {
        Browser,
        /// A client of the table.
        Known { held_by: HeldBy },
        Other,
        #[default]
        Unnamed,
    }
}

/// A coding of the body that a client may accept (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Deflate,
    Gzip,
}

/// Who wants to know what is learnt of a client.
pub(crate) type Learn<'a> = &'a mut dyn FnMut(Fact, &[u8], usize);

/// Who wants to know values that are whole, as far as can be seen.
pub(crate) type LearnWhole<'a> = &'a mut dyn FnMut(Fact, &[u8]);

/// A body of this many bytes is an upload, which stays in its sender's own buffers.
const UPLOAD: u32 = 64 * 1_024;

impl Request {
    /// A plain request that no other can follow.
    pub(crate) fn presumed() -> Self {
        Self { behind: Behind::Unknown, ..Self::default() }
    }

    /// Takes what belongs to its body; says whether there was any.
    pub(crate) fn skip_body(&mut self, said: &mut Said<'_>) -> bool {
        let Behind::Body { left } = &mut self.behind else { return false };
        let taken = said.take(usize::try_from(left.0).unwrap_or(usize::MAX));
        // At most as many as there were to come.
        left.0 -= taken.len() as u32;
        !taken.is_empty()
    }

    /// Gives up finding the next request.
    pub(crate) fn lose_next(&mut self) {
        if let Behind::Body { .. } = self.behind {
            self.behind = Behind::Unknown;
        }
    }

    /// The next request, if another can follow; nothing of it was read yet.
    pub(crate) fn next(self) -> Option<Self> {
        match self.behind {
            Behind::Body { .. } => Some(Self { behind: self.behind, ..Self::default() }),
            Behind::Endless | Behind::Unknown => None,
        }
    }

    /// Whether more comes behind the head than is worth reading.
    pub(crate) fn is_upload(self) -> bool {
        match self.behind {
            Behind::Body { left } => left.0 >= UPLOAD,
            Behind::Endless => true,
            Behind::Unknown => false,
        }
    }

    /// Whether `coding` may be used.
    pub(crate) fn accepts(self, coding: Coding) -> bool {
        let Codings::Listed { others, deflate, gzip } = self.codings else { return true };
        let mention = match coding {
            Coding::Deflate => deflate,
            Coding::Gzip => gzip,
        };
        match mention {
            Mention::Accepted => true,
            Mention::Nothing => others,
            Mention::Refused => false,
        }
    }
}

impl Default for Behind {
    fn default() -> Self {
        Self::Body { left: Length(0) }
    }
}

impl From<Before> for Spent {
    fn from(before: Before) -> Self {
        let ticks = u32::try_from(before.spent.as_millis() / Self::TICK).unwrap_or(u32::MAX);
        Self {
            ticks: Length(ticks.min(Length::<10>::MOST)),
            is_searcher: before.limits.whole.is_some(),
        }
    }
}

impl Spent {
    const TICK: u128 = 64;

    /// Of a client whose request before was held so.
    pub(crate) fn behind(held_by: HeldBy) -> Self {
        Self { ticks: Length(0), is_searcher: held_by == HeldBy::Answers }
    }
}

impl From<Spent> for Duration {
    fn from(spent: Spent) -> Self {
        Self::from_millis(u64::from(spent.ticks.0) * Spent::TICK as u64)
    }
}

impl Reading {
    /// Of the first request, whose sender has waited so long.
    pub(crate) fn after(spent: Spent) -> Self {
        Self { spent, ..Self::default() }
    }

    /// Whether nothing of a request was read yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.cursor == Cursor::Start
    }

    /// Whether it carries credentials, right or wrong, or comes from a tool that guesses them.
    pub(crate) fn is_guess(&self) -> bool {
        self.credentials != Credentials::Missing
    }

    /// What holds its sender.
    pub(crate) fn held_by(&self) -> HeldBy {
        match self.agent {
            Agent::Browser => clients::held_by(None, !self.says_accept || self.spent.is_searcher),
            Agent::Known { held_by } => held_by,
            Agent::Other | Agent::Unnamed => clients::held_by(None, false),
        }
    }
}

/// Reads on in a request, behind the body of the one before; says whether its head is complete.
pub(crate) fn read(
    request: &mut Request,
    reading: &mut Reading,
    kept: &mut Option<Box<Kept>>,
    said: &mut Said<'_>,
    site: Site,
    learn: Learn<'_>,
) -> bool {
    if reading.is_fresh() {
        request.skip_body(said);
        if request.behind != Behind::default() {
            return false;
        }
    }
    let mut host = None;
    while let Some(line) = said.line() {
        let told_host = reading.told_host;
        let is_end = read_line(request, reading, kept, line, site, learn);
        if reading.told_host && !told_host {
            host = host_in(line);
        }
        if is_end {
            end(request, reading);
            // Most answers name no host, and cost no allocation then.
            if request.reply.get().names_host(site.server) || reading.is_guess() {
                keep(kept, host);
            } else {
                *kept = None;
            }
            return true;
        }
    }
    keep(kept, host);
    false
}

/// The value of a field's line, if it is a host that may be kept.
fn host_in(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let value = line[colon + 1..].trim_ascii();
    (value.len() <= host::LONGEST).then_some(value)
}

/// Keeps a host, and frees the box of which nothing is left.
fn keep(kept: &mut Option<Box<Kept>>, host: Option<&[u8]>) {
    if let Some(host) = host {
        kept.get_or_insert_default().host = Some(host.to_vec());
    }
    kept.take_if(|kept| **kept == Kept::default());
}

/// Notes what is missing at the end of a request's head.
pub(super) fn end(request: &mut Request, reading: &Reading) {
    if request.version == Version::Http11 && !reading.told_host {
        request.reply.yield_to(Reply::BadRequest);
    }
}

/// Notes what matters in a line or a part of one; says whether it ends the head.
fn read_line(
    request: &mut Request,
    reading: &mut Reading,
    kept: &mut Option<Box<Kept>>,
    line: &[u8],
    site: Site,
    learn: Learn<'_>,
) -> bool {
    let text = line.trim_ascii();
    let (cursor, is_torn) = (reading.cursor, !line.ends_with(b"\n"));
    // Empty lines may stand in front of a request (RFC 9112, section 2.2).
    if cursor == Cursor::Start && text.is_empty() && !is_torn {
        return false;
    }
    reading.cursor = match cursor {
        _ if !is_torn => Cursor::Fields,
        Cursor::Start | Cursor::InLine => Cursor::InLine,
        Cursor::Fields | Cursor::InField => Cursor::InField,
    };
    if let Some(mut torn) = kept.as_mut().and_then(|kept| kept.torn.take()) {
        torn.add(if is_torn { line } else { line.trim_ascii_end() });
        bound(request, cursor, torn.lengthen(line), site);
        if is_torn {
            kept.get_or_insert_default().torn = Some(torn);
        } else {
            torn.tell(learn);
        }
    }
    let mut learnt = Collected::default();
    let mut collect = |fact, value: &[u8]| learnt.add(fact, value);
    let ends_head = match cursor {
        Cursor::Start => {
            tell_request(text, is_torn, &mut collect);
            request_line(request, line, is_torn, site)
        }
        // Behind a target of a kilobyte a version is taken for granted.
        Cursor::InLine => {
            if !is_torn && text.ends_with(b"1.0") {
                request.version = Version::Http10;
            }
            false
        }
        Cursor::Fields if text.is_empty() => !is_torn,
        Cursor::Fields => {
            reading.fields = reading.fields.saturating_add(1);
            if reading.fields > site.server.most_fields() {
                request.reply.yield_to(Reply::TooManyFields);
            }
            field(request, reading, line, site, &mut collect);
            false
        }
        Cursor::InField => false,
    };
    let opened = match cursor {
        Cursor::Start => Some(Fact::HttpRequest),
        Cursor::Fields => fact_of(line.split(|&byte| byte == b':').next().unwrap_or_default()),
        Cursor::InLine | Cursor::InField => None,
    };
    if is_torn && matches!(cursor, Cursor::Start | Cursor::Fields) {
        // Of a line that tells nothing the length is counted all the same.
        let mut torn = learnt.tear(opened, line).unwrap_or_else(|learnt| {
            learnt.tell(learn);
            Torn::default()
        });
        torn.lengthen(line);
        kept.get_or_insert_default().torn = Some(torn);
    } else {
        learnt.tell(learn);
        bound(request, cursor, u32::try_from(line.len()).unwrap_or(u32::MAX), site);
    }
    ends_head
}

/// Notes that a line is longer than the server reads.
fn bound(request: &mut Request, cursor: Cursor, length: u32, site: Site) {
    match cursor {
        Cursor::Start | Cursor::InLine if length > site.server.longest_line() + 2 => {
            request.reply.yield_to(Reply::TargetTooLong);
        }
        Cursor::Fields | Cursor::InField if length > site.server.longest_field() => {
            request.reply.yield_to(Reply::FieldTooLong);
        }
        _ => {}
    }
}

/// The fact that a field is; `None`: the secret in its credentials, or nothing.
pub(crate) fn fact_of(name: &[u8]) -> Option<Fact> {
    let is = |wanted: &[u8]| name.trim_ascii().eq_ignore_ascii_case(wanted);
    if is(b"user-agent") {
        Some(Fact::HttpUserAgent)
    } else if is(b"host") {
        Some(Fact::HttpHost)
    } else if is(b"forwarded") {
        Some(Fact::HttpForwarded)
    } else if is(b"x-forwarded-for") {
        Some(Fact::HttpXForwardedFor)
    } else if is(b"x-real-ip") {
        Some(Fact::HttpXRealIp)
    } else {
        None
    }
}

/// Tells of something, and of the secrets in it.
pub(crate) fn tell(fact: Fact, shown: &Shown<'_>, learn: LearnWhole<'_>) {
    learn(fact, &shown.line);
    for &(fact, value) in &shown.learnt {
        learn(fact, value);
    }
}

/// For the fuzzer and its replayed corpus: however the bytes are cut, the same is read.
#[doc(hidden)]
pub fn check_requests_are_read_the_same_however_cut(bytes: &[u8]) {
    for server in [Server::Apache, Server::Boa, Server::Iis, Server::Nginx] {
        let site = Site::sample(server);
        let whole = read_in_portions(bytes, bytes.len(), site);
        for cut in [1, 3, 64, 1_000, 1_025] {
            assert!(read_in_portions(bytes, cut, site) == whole, "cut into portions of {cut}");
        }
    }
}

/// What is read of bytes that arrive in portions.
#[derive(Default, PartialEq)]
struct Read {
    /// The requests whose heads are complete, and what was seen of each.
    requests: Vec<(Request, Reading, Option<Box<Kept>>)>,
    /// The one that is not, and how much waits of it.
    begun: (Request, Reading, Option<Box<Kept>>),
    waiting: usize,
    facts: Vec<(Fact, Vec<u8>, usize)>,
}

/// What is read of requests that arrive in portions of `cut` bytes, which wait as they do in a
/// session. Behind one that no other can follow nothing is read.
fn read_in_portions(bytes: &[u8], cut: usize, site: Site) -> Read {
    const WINDOW: usize = 1_024;
    let (mut all, mut inbox) = (Read::default(), Vec::new());
    for portion in bytes.chunks(cut.max(1)) {
        inbox.extend_from_slice(portion);
        loop {
            let window = &inbox[..inbox.len().min(WINDOW)];
            let mut said = Said::new(window, window.len() == WINDOW);
            let (request, reading, kept) = &mut all.begun;
            let learn = &mut |fact, value: &[u8], length| {
                all.facts.push((fact, value.to_vec(), length));
            };
            if read(request, reading, kept, &mut said, site, learn) {
                let complete = core::mem::take(&mut all.begun);
                let next = complete.0.next();
                all.requests.push(complete);
                let Some(next) = next else { return all };
                all.begun = (next, Reading::default(), None);
            }
            let taken = said.taken();
            assert!(taken > 0 || window.len() < WINDOW, "what may not wait is taken");
            inbox.drain(..taken);
            if taken == 0 {
                break;
            }
        }
    }
    all.waiting = inbox.len();
    all
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::script::tls::Limits;

    extern crate std;

    const APACHE: Site = Site::sample(Server::Apache);

    /// The only request in `bytes`, and what was seen of it.
    fn request(bytes: &str) -> (Request, Reading) {
        let mut all = read_in_portions(bytes.as_bytes(), usize::MAX, APACHE).requests;
        assert_eq!(all.len(), 1, "{bytes:?}");
        let (request, reading, _) = all.remove(0);
        (request, reading)
    }

    #[test]
    fn a_browser_by_name_over_the_stack_of_searchers_is_held_by_answers_every_time() {
        const PAGE: &[u8] =
            b"GET /x HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (X11)\r\nAccept: */*\r\n\r\n";
        let (first, spent) = (Duration::from_secs(4), Duration::from_secs(4));
        for (whole, wanted) in [(None, HeldBy::Head), (Some(2 * first), HeldBy::Answers)] {
            let before = Before { limits: Limits { first, whole }, spent };
            for spent in [before.into(), Spent::behind(wanted)] {
                let (mut request, mut reading) = (Request::default(), Reading::after(spent));
                let mut said = Said::new(PAGE, false);
                let learn = &mut |_, _: &[u8], _| {};
                assert!(read(&mut request, &mut reading, &mut None, &mut said, APACHE, learn));
                assert_eq!(reading.held_by(), wanted);
            }
        }
    }

    #[test]
    fn the_request_line_says_method_and_version() {
        for (line, status, is_head, version) in [
            ("GET / HTTP/1.1", "200", false, Version::Http11),
            ("POST /http://a.example/ HTTP/1.2", "404", false, Version::Http11),
            ("HEAD ftp://a.example/ HTTP/1.0", "400", true, Version::Http10),
            ("HEAD / HTTP/1.1", "200", true, Version::Http11),
            ("PROPFIND / HTTP/1.0", "405", false, Version::Http10),
            ("FOO / HTTP/1.1", "501", false, Version::Http11),
            ("GET / HTTP/0.9", "400", false, Version::Http10),
            ("GET / http/1.0", "400", false, Version::Http10),
            ("GET HTTP/1.1", "400", false, Version::Http11),
            ("GET", "400", false, Version::Http11),
            ("POST /", "400", false, Version::Http11),
        ] {
            let (got, _) = request(&std::format!("{line}\r\nHost: a\r\n\r\n"));
            let got = (&got.reply.get().status(Server::Apache)[..3], got.is_head, got.version);
            assert_eq!(got, (status, is_head, version), "{line}");
        }
        assert_eq!(request("GET /\r\n").0.version, Version::Http09);
        assert_eq!(request("PRI * HTTP/2.0\r\n\r\n").0.next(), None);
    }

    #[test]
    fn guesses_are_known_by_the_fields_that_begin_a_line() {
        for (field, guess) in [
            ("Authorization: Basic eDp5", true),
            ("authorization:x", true),
            ("AUTHORIZATION :", true),
            ("Proxy-Authorization: Basic eDp5", true),
            ("X-Authorization: x", false),
            ("X: a\r\n Authorization: Basic eDp5", false),
            ("User-Agent: Mozilla/4.0 (Hydra)", true),
            ("user-agent:Mozilla/1.22 (compatible; MSIE 10.0; Windows 3.1) ", true),
            ("User-Agent: Mozilla/4.0 (Hydra) x", false),
            ("User-Agent: Mozilla/5.0 (Hydra)", false),
            ("X: Mozilla/4.0 (Hydra)", false),
        ] {
            let (_, got) = request(&std::format!("GET / HTTP/1.1\r\n{field}\r\n\r\n"));
            assert_eq!(got.is_guess(), guess, "{field}");
        }
    }

    #[test]
    fn the_rest_of_an_endless_line_is_no_field() {
        let mut text = String::from("GET / HTTP/1.1\r\nX: ");
        text.push_str(&"a".repeat(1_021));
        text.push_str("Authorization: Basic eDp5\r\n\r\n");
        assert!(!request(&text).1.is_guess());
        // A window that other lines have filled cuts no line.
        for padding in 900..1_100 {
            let text = std::format!(
                "GET / HTTP/1.1\r\nX: {}\r\nAuthorization: Basic eDp5\r\n\r\n",
                "a".repeat(padding)
            );
            assert!(request(&text).1.is_guess(), "{padding}");
        }
    }

    #[test]
    fn what_is_learnt_is_told_once_for_each_request() {
        let text = "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\nUser-Agent: x\r\n\
                    Authorization: Basic cm9vdDp0b29y\r\nAuthorization: Basic eDp5\r\n\r\n\
                    CONNECT b.example:25 HTTP/1.1\r\n\
                    Proxy-Authorization: Digest realm=\"x\", username=\"y\"\r\n\r\n";
        let facts = read_in_portions(text.as_bytes(), usize::MAX, APACHE).facts;
        let facts: Vec<_> = facts
            .iter()
            .map(|(fact, value, _)| std::format!("{} {}", fact.name(), value.escape_ascii()))
            .collect();
        assert_eq!(
            facts,
            [
                "http_request GET /a HTTP/1.1",
                "http_host a",
                "http_user_agent x",
                "user root",
                "secret toor",
                "method basic",
                "http_request CONNECT b.example:25 HTTP/1.1",
                "user y",
                "secret realm=\\\"x\\\", username=\\\"y\\\"",
                "method digest",
            ]
        );
    }

    #[test]
    fn bodies_are_skipped_to_the_next_request() {
        let text =
            "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / HTTP\r\nGET /x HTTP/1.0\r\n\r\n";
        // One byte of that line is no longer of the body.
        let read = read_in_portions(text.as_bytes(), usize::MAX, APACHE);
        assert_eq!((read.requests.len(), read.waiting), (2, 0));
        assert_eq!(read.begun, (Request::default(), Reading::default(), None));
        assert_eq!(read.requests[0].0.behind, Behind::Body { left: Length(11) });
        assert_eq!(read.requests[1].0.version, Version::Http10);
        for unknown in [
            "Transfer-Encoding: chunked",
            "Content-Length: x",
            "Content-Length: -1",
            "Content-Length: 99999999999",
        ] {
            let (got, _) = request(&std::format!("POST / HTTP/1.1\r\n{unknown}\r\n\r\n"));
            assert_eq!((got.behind, got.next()), (Behind::Endless, None), "{unknown}");
        }
    }

    #[test]
    fn codings_are_those_of_the_field() {
        for (fields, gzip, deflate) in [
            ("", true, true),
            ("Accept-Encoding: gzip, deflate, br", true, true),
            ("Accept-Encoding: GZIP", true, false),
            ("accept-encoding: x-gzip;q=0.5", true, false),
            ("Accept-Encoding: deflate;q=1, gzip;q=0", false, true),
            ("Accept-Encoding: identity", false, false),
            ("Accept-Encoding:", false, false),
            ("Accept-Encoding: *", true, true),
            ("Accept-Encoding: *;q=0", false, false),
            ("Accept-Encoding: *, gzip; q=0.000", false, true),
            ("Accept-Encoding: gzip;q=0.001", true, false),
            ("Accept-Encoding: br\r\nAccept-Encoding: deflate", false, true),
        ] {
            let end = if fields.is_empty() { "" } else { "\r\n" };
            let (got, _) = request(&std::format!("GET / HTTP/1.1\r\n{fields}{end}\r\n"));
            let accepts = (got.accepts(Coding::Gzip), got.accepts(Coding::Deflate));
            assert_eq!(accepts, (gzip, deflate), "{fields}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_the_same_however_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..3_000),
        ) {
            check_requests_are_read_the_same_however_cut(&bytes);
        }

        #[test]
        fn requests_are_read_the_same_however_cut(parts in prop::collection::vec(
            prop_oneof![
                Just(String::from("\r\n")),
                "(GET|HEAD|POST|PRI) /[a-z]{0,9}( HTTP/1\\.[01])?\r?\n",
                "(Content-Length|Accept-Encoding|Authorization|transfer-encoding|X)?: ?[0-9a-z*;=, ]{0,9}\r?\n",
                (900_usize..1_200).prop_map(|length| "a".repeat(length)),
            ],
            0..12,
        )) {
            check_requests_are_read_the_same_however_cut(parts.concat().as_bytes());
        }
    }
}
