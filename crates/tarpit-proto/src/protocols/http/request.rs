//! Reading requests (RFC 9112, sections 2 to 6): line by line, keeping only what matters.
//!
//! Hostile bytes are inputs, not errors: malformed bytes count as a request, too.

use alloc::{boxed::Box, vec, vec::Vec};

use crate::{
    base::{fact::Fact, said::Said},
    protocols::{
        http::{
            clients::{self, HeldBy},
            torn::{Collected, Torn},
        },
        secret::{self, Shown},
    },
    script::legacy::Registers,
    wire::base64,
    wire::sighting::is_token,
};

/// What was read of a request, kept as flags in [`Registers::count`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request(u16);

/// What a request asks for, as far as the answers of a server without any programs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing that can be understood.
    Garbled,
    /// The head of an answer alone.
    Head,
    /// By a method that is known and not for pages, a tunnel among them.
    Other,
    /// What can be asked of a page.
    PageOptions,
    /// What can be asked of the server as a whole.
    ServerOptions,
    /// A page.
    Page,
    /// The request itself.
    Trace,
    /// By a method that is not known.
    Unknown,
}

/// A coding of the body that a client may accept (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Deflate,
    Gzip,
}

impl Request {
    // Where in the request the reading stands: its line has been read; the last line read had no
    // end yet.
    const LINE: u16 = 1;
    const TORN: u16 = 1 << 1;
    // What the line says: an [`Ask`], by its place in the list of all, and the version.
    const ASK: u16 = 0b111 << Self::ASK_SHIFT;
    const ASK_SHIFT: u32 = 2;
    /// HTTP/1.0 or older.
    const OLD: u16 = 1 << 5;
    // What the fields say.
    /// It carries credentials, or comes from a tool that guesses them.
    const GUESS: u16 = 1 << 6;
    const CODINGS: u16 = 1 << 7;
    const ANY: u16 = 1 << 8;
    const DEFLATE: u16 = 1 << 9;
    const NO_DEFLATE: u16 = 1 << 10;
    const GZIP: u16 = 1 << 11;
    const NO_GZIP: u16 = 1 << 12;
    /// Where the next request begins is not known.
    const LAST: u16 = 1 << 13;
    /// What holds its sender: an [`HeldBy`], by its place in the list of all.
    pub(crate) const HOLD_SHIFT: u32 = 14;

    pub(crate) fn of(run: &Registers) -> Self {
        Self(run.count)
    }

    /// Makes the run as if a plain request had been read and no other could follow.
    pub(crate) fn presume(run: &mut Registers) {
        run.count = Self::LINE | Self::LAST;
    }

    /// Gives up finding the next request.
    pub(crate) fn lose(run: &mut Registers) {
        run.count |= Self::LAST;
    }

    /// Makes room for the next request.
    pub(crate) fn forget(run: &mut Registers) {
        (run.count, run.position) = (0, 0);
    }

    /// Notes what holds the sender of a request whose head is complete.
    pub(crate) fn set_hold(run: &mut Registers, hold: HeldBy) {
        run.count |= (hold as u16) << Self::HOLD_SHIFT;
    }

    /// What holds its sender.
    pub(crate) fn hold(self) -> HeldBy {
        HeldBy::ALL[usize::from(self.0 >> Self::HOLD_SHIFT)]
    }

    /// Whether it carries credentials, right or wrong, or comes from one of [`GUESSERS`].
    pub(crate) fn is_guess(self) -> bool {
        self.has(Self::GUESS)
    }

    /// Whether another request can follow.
    pub(crate) fn is_followed(self) -> bool {
        !self.has(Self::LAST)
    }

    /// What it asks for.
    pub(crate) fn ask(self) -> Ask {
        Ask::ALL[usize::from((self.0 & Self::ASK) >> Self::ASK_SHIFT)]
    }

    /// Whether it asks for the head of an answer alone; its sender may leave once that is whole.
    pub(crate) fn is_head(self) -> bool {
        self.ask() == Ask::Head
    }

    /// Whether it asks for a page and all of it.
    pub(crate) fn asks_for_page(self) -> bool {
        self.ask() == Ask::Page
    }

    /// Whether it is of a version that knows neither chunks nor lasting connections.
    pub(crate) fn is_old(self) -> bool {
        self.has(Self::OLD)
    }

    /// Whether `coding` may be used: a client that says nothing of codings takes any (RFC 9110,
    /// section 12.5.3).
    pub(crate) fn accepts(self, coding: Coding) -> bool {
        let (named, refused) = match coding {
            Coding::Deflate => (Self::DEFLATE, Self::NO_DEFLATE),
            Coding::Gzip => (Self::GZIP, Self::NO_GZIP),
        };
        !self.has(Self::CODINGS) || !self.has(refused) && (self.has(named) || self.has(Self::ANY))
    }

    fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// What was seen of a request beside what it asks for: flags in [`Registers::position`], which
/// nothing else needs while a request is read.
#[derive(Clone, Copy)]
pub(crate) struct Signs(u32);

impl Signs {
    // What has been told of this request is not told again.
    const HOST: u32 = 1;
    const AGENT: u32 = 1 << 1;
    const SECRET: u32 = 1 << 2;
    /// It calls itself a browser.
    const BROWSER: u32 = 1 << 3;
    /// It says what it accepts, as every browser does.
    const ACCEPTS: u32 = 1 << 4;
    /// A body without a length comes behind it, or one beyond all counting.
    const ENDLESS: u32 = 1 << 5;
    /// What it asks for is there, but not for everybody.
    const CLOSED: u32 = 1 << 6;
    /// It asks for a tunnel to somewhere else.
    const TUNNEL: u32 = 1 << 7;
    /// What holds its sender, by the table: an [`HeldBy`], by its place and one.
    const HOLD_SHIFT: u32 = 8;

    pub(crate) fn of(run: &Registers) -> Self {
        Self(run.position)
    }

    /// Whether it carries credentials.
    pub(crate) fn shows_secret(self) -> bool {
        self.has(Self::SECRET)
    }

    /// Whether what it asks for is there, but not for everybody.
    pub(crate) fn asks_for_closed(self) -> bool {
        self.has(Self::CLOSED)
    }

    /// Whether it asks for a tunnel to somewhere else.
    pub(crate) fn asks_for_tunnel(self) -> bool {
        self.has(Self::TUNNEL)
    }

    /// What holds its sender.
    pub(crate) fn hold(self) -> HeldBy {
        let row = (self.0 >> Self::HOLD_SHIFT & 0b111) as usize;
        let named = row.checked_sub(1).map(|row| HeldBy::ALL[row]);
        clients::held_by(named, self.has(Self::BROWSER) && !self.has(Self::ACCEPTS))
    }

    fn has(self, sign: u32) -> bool {
        self.0 & sign != 0
    }

    /// Notes it; says whether it is new.
    fn note(run: &mut Registers, sign: u32) -> bool {
        let new = run.position & sign == 0;
        run.position |= sign;
        new
    }
}

/// A body of so many bytes is an upload, which is left in its sender's own buffers.
const UPLOAD: u32 = 64 * 1_024;

/// Whether more comes behind the head than is worth reading.
pub(crate) fn is_upload(run: &Registers) -> bool {
    run.mark >= UPLOAD || Signs::of(run).has(Signs::ENDLESS)
}

/// Who wants to know what is learnt of a client.
pub(crate) type Learn<'a> = &'a mut dyn FnMut(Fact, &[u8], usize);

/// Who wants to know values that are whole, as far as can be seen.
type LearnWhole<'a> = &'a mut dyn FnMut(Fact, &[u8]);

impl Ask {
    /// All of them; a page comes first, as what is asked for where nothing else is said.
    const ALL: [Self; 8] = [
        Self::Page,
        Self::Garbled,
        Self::Head,
        Self::Other,
        Self::PageOptions,
        Self::ServerOptions,
        Self::Trace,
        Self::Unknown,
    ];

    /// The ask as [`Registers::count`] keeps it.
    fn flags(self) -> u16 {
        let place = Self::ALL.iter().position(|&one| one == self).unwrap_or(0);
        (place as u16) << Request::ASK_SHIFT
    }
}

/// Reads on in a request, behind the body of the one before; says whether its head is complete.
pub(crate) fn read(run: &mut Registers, said: &mut Said<'_>, learn: Learn<'_>) -> bool {
    if run.count == 0 {
        skip_body(run, said);
    }
    if run.count == 0 && run.mark > 0 {
        return false;
    }
    while let Some(line) = said.line() {
        if read_line(run, line, learn) {
            return true;
        }
    }
    false
}

/// Takes what belongs to the body of the request; says whether there was any.
pub(crate) fn skip_body(run: &mut Registers, said: &mut Said<'_>) -> bool {
    let taken = said.take(usize::try_from(run.mark).unwrap_or(usize::MAX));
    // At most as many as there were to come.
    run.mark -= taken.len() as u32;
    !taken.is_empty()
}

/// Notes what matters in a line or a part of one; says whether it ends the head.
fn read_line(run: &mut Registers, line: &[u8], learn: Learn<'_>) -> bool {
    let goes_on = run.count & Request::TORN != 0;
    let text = line.trim_ascii();
    // Empty lines may stand in front of a request (RFC 9112, section 2.2).
    if run.count == 0 && text.is_empty() && line.ends_with(b"\n") {
        return false;
    }
    let in_fields = run.count & Request::LINE != 0;
    if line.ends_with(b"\n") {
        run.count = run.count & !Request::TORN | Request::LINE;
    } else {
        run.count |= Request::TORN;
    }
    let torn = run.count & Request::TORN != 0;
    if goes_on {
        if let Some(waiting) = Torn::of(run) {
            waiting.add(if torn { line } else { line.trim_ascii_end() });
        }
        if !torn && let Some(told) = Torn::take(run) {
            told.tell(learn);
        }
    }
    let mut learnt = Collected::default();
    let mut collect = |fact, value: &[u8]| learnt.add(fact, value);
    let ends_head = match (in_fields, goes_on) {
        (false, false) => {
            tell_request(text, torn, &mut collect);
            request_line(run, text, torn)
        }
        // Behind a target of a kilobyte a version is taken for granted.
        (false, true) => {
            run.count |= if !torn && text.ends_with(b"1.0") { Request::OLD } else { 0 };
            false
        }
        (true, false) if text.is_empty() => !torn,
        (true, false) => {
            field(run, line, &mut collect);
            false
        }
        (true, true) => false,
    };
    if torn && !goes_on {
        match learnt.tear(opened_by(in_fields, line), line) {
            Ok(waiting) => run.big = Some(Box::new(waiting)),
            Err(learnt) => learnt.tell(learn),
        }
    } else {
        learnt.tell(learn);
    }
    ends_head
}

/// Which fact goes on in a line that does; `None`: the secret in its credentials.
fn opened_by(in_fields: bool, line: &[u8]) -> Option<Fact> {
    if !in_fields {
        return Some(Fact::HttpRequest);
    }
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    fact_of(name.trim_ascii())
}

/// The fact that a field is; `None`: the secret in its credentials, or nothing.
pub(crate) fn fact_of(name: &[u8]) -> Option<Fact> {
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    if is(b"user-agent") {
        Some(Fact::HttpUserAgent)
    } else if is(b"host") {
        Some(Fact::HttpHost)
    } else {
        None
    }
}

/// Tells of a request line, or of the first part of one. A line that does not begin with a method
/// is not told: it may be what was sent behind a request without being announced, such as a form.
fn tell_request(line: &[u8], torn: bool, learn: LearnWhole<'_>) {
    let method = line.iter().take_while(|&&byte| is_token(byte)).count();
    if method > 0 && line.get(method).is_some_and(u8::is_ascii_whitespace) {
        let version = line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
        let is_certain = torn || names_protocol(version);
        tell(Fact::HttpRequest, &Shown::request(line, torn, is_certain), learn);
    }
}

/// Tells of something, and of the secrets in it.
fn tell(fact: Fact, shown: &Shown<'_>, learn: LearnWhole<'_>) {
    learn(fact, &shown.line);
    for &(fact, value) in &shown.learnt {
        learn(fact, value);
    }
}

/// Notes what the request line says, or the first part of one; says whether that is a request of
/// HTTP/0.9, which is only a line.
fn request_line(run: &mut Registers, line: &[u8], torn: bool) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace);
    let method = words.next().unwrap_or_default();
    let (target, version, more) = (words.next().unwrap_or_default(), words.next(), words.next());
    // An HTTP/2 client's opening, behind which come frames (RFC 9113, section 3.4).
    if method == b"PRI" {
        run.count |= Request::LAST;
    }
    let names_page = !target.is_empty() && !names_protocol(target);
    let in_a_line = method == b"GET" && names_page && version.is_none();
    let ask = match version {
        _ if torn || in_a_line => asked_by(method, target),
        // Like Apache, which is strict about the version's case and the words' number.
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) if more.is_none() => {
            asked_by(method, target)
        }
        _ => Ask::Garbled,
    };
    // Who takes us for a proxy counts whatever is shown to it for a page of somebody else's.
    let ask = if names_server(target) { Ask::Garbled } else { ask };
    run.count |= ask.flags();
    if method == b"CONNECT" {
        Signs::note(run, Signs::TUNNEL);
    }
    if names_closed(target) {
        Signs::note(run, Signs::CLOSED);
    }
    if in_a_line || is_old(line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default()) {
        run.count |= Request::OLD;
    }
    in_a_line && !torn
}

/// Notes what the fields of an HTTP/2 request say that take the place of its line. `is_torn` says
/// that of the target there is only the beginning.
pub(crate) fn frame_line(
    run: &mut Registers,
    method: &[u8],
    target: &[u8],
    is_torn: bool,
    learn: LearnWhole<'_>,
) {
    let end: &[u8] = if is_torn { b"" } else { b" HTTP/2.0" };
    tell_request(&[method, b" ", target, end].concat(), is_torn, learn);
    run.count |= asked_by(method, target).flags() | Request::LINE;
    if names_closed(target) {
        Signs::note(run, Signs::CLOSED);
    }
}

/// Whether the target is an address with a scheme, as proxies are asked for one (RFC 9112, section
/// 3.2.2).
fn names_server(target: &[u8]) -> bool {
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let scheme = target.iter().take_while(|byte| is_of_scheme(byte)).count();
    scheme > 0 && target[scheme..].starts_with(b"://")
}

/// Whether the target names what servers have and keep to themselves: the site's start without a
/// page, the server's own files, and its state.
fn names_closed(target: &[u8]) -> bool {
    let path = target.split(|&byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    path == b"/" || name.starts_with(b".ht") || path == b"/server-status"
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

/// The user agents of tools that guess passwords for HTTP's own authentication. They may ask
/// without credentials first, to learn what is wanted, and take a success for a password found.
///
/// What such tools call themselves when they fill in forms is missing: a page that goes on and on
/// holds them, and a `401` sends them away.
const GUESSERS: [&[u8]; 2] = [
    // medusa 2.2.
    b"Mozilla/1.22 (compatible; MSIE 10.0; Windows 3.1)",
    // hydra 9.4.
    b"Mozilla/4.0 (Hydra)",
];

/// Notes what matters in a field's line, or in the first part of one.
fn field(run: &mut Registers, line: &[u8], learn: LearnWhole<'_>) {
    // A line that begins with a space goes on with the field before it.
    let Some(colon) = line.iter().position(|&byte| byte == b':').filter(|_| !folds(line)) else {
        return;
    };
    named_field(run, line[..colon].trim_ascii(), line[colon + 1..].trim_ascii(), learn);
}

/// Notes what matters in a field.
pub(crate) fn named_field(run: &mut Registers, name: &[u8], value: &[u8], learn: LearnWhole<'_>) {
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    if is(b"authorization") || is(b"proxy-authorization") {
        run.count |= Request::GUESS;
        if Signs::note(run, Signs::SECRET) {
            learn_credentials(value, learn);
        }
    } else if is(b"user-agent") {
        run.count |= if GUESSERS.contains(&value) { Request::GUESS } else { 0 };
        if Signs::note(run, Signs::AGENT) {
            tell(Fact::HttpUserAgent, &Shown::line(value, false), learn);
            let row = clients::named(value).map_or(0, |hold| hold as u32 + 1);
            run.position |= row << Signs::HOLD_SHIFT;
            if value.starts_with(b"Mozilla/") {
                Signs::note(run, Signs::BROWSER);
            }
        }
    } else if is(b"host") {
        if Signs::note(run, Signs::HOST) {
            let is_cut = value.len() > LONGEST_HOST;
            tell(Fact::HttpHost, &Shown::authority(value, is_cut), learn);
        }
    } else if is(b"accept") {
        Signs::note(run, Signs::ACCEPTS);
    } else if is(b"accept-encoding") {
        run.count |= Request::CODINGS | codings(value);
    } else if is(b"content-length") {
        if let Some(length) = length(value) {
            run.mark = run.mark.max(length);
        } else {
            run.count |= Request::LAST;
            Signs::note(run, Signs::ENDLESS);
        }
    } else if is(b"transfer-encoding") {
        run.count |= Request::LAST;
        Signs::note(run, Signs::ENDLESS);
    }
}

/// Of a host's name that is longer, nearly as long as what may wait, the end may lie beyond.
const LONGEST_HOST: usize = 4_000;

/// Tells what credentials say, without their wrapping: by which scheme, whose they are, and the
/// secret (RFC 7617, section 2; RFC 7616, section 3.4; RFC 6750, section 2.1).
fn learn_credentials(credentials: &[u8], learn: LearnWhole<'_>) {
    let end = credentials.iter().position(u8::is_ascii_whitespace).unwrap_or(credentials.len());
    let (scheme, rest) = (&credentials[..end], credentials[end..].trim_ascii());
    if rest.is_empty() || !secret::is_mechanism(scheme) {
        // A word alone names no scheme, nor does one that nobody knows: it may well be a password.
        return learn(Fact::Secret, credentials);
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let mut room = vec![0; rest.len()];
        let decoded = base64::decode_into(rest, &mut room);
        // What is no base64 is told as it stands.
        let decoded = if decoded.is_empty() { rest } else { decoded };
        match decoded.iter().position(|&byte| byte == b':') {
            Some(colon) => {
                learn(Fact::User, &decoded[..colon]);
                learn(Fact::Secret, &decoded[colon + 1..]);
            }
            None => learn(Fact::Secret, decoded),
        }
    } else {
        const NAME: &[u8] = b"username=\"";
        let start = rest.windows(NAME.len()).position(|window| window == NAME);
        if let Some(start) = start.filter(|_| scheme.eq_ignore_ascii_case(b"digest")) {
            let name = rest[start + NAME.len()..].split(|&byte| byte == b'"').next();
            learn(Fact::User, name.unwrap_or_default());
        }
        learn(Fact::Secret, rest);
    }
    learn(Fact::Method, &scheme.to_ascii_lowercase());
}

fn folds(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))
}

/// A body's length; `None` if it is none or cannot be counted here.
fn length(value: &[u8]) -> Option<u32> {
    let digits = core::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// What the list in `Accept-Encoding` says of the codings that we have.
fn codings(list: &[u8]) -> u16 {
    let of_one = |item: &[u8]| {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(weighs_nothing);
        match (&name[..], refused) {
            (b"*", false) => Request::ANY,
            (b"deflate", false) => Request::DEFLATE,
            (b"deflate", true) => Request::NO_DEFLATE,
            (b"gzip" | b"x-gzip", false) => Request::GZIP,
            (b"gzip" | b"x-gzip", true) => Request::NO_GZIP,
            _ => 0,
        }
    };
    list.split(|&byte| byte == b',').map(of_one).fold(0, |all, one| all | one)
}

/// Whether a parameter is a weight of nothing, such as `q=0.00` (RFC 9110, section 12.4.2).
fn weighs_nothing(parameter: &[u8]) -> bool {
    let weight = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="));
    weight.is_some_and(|weight| {
        !weight.is_empty() && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

/// For the fuzzer and its replayed corpus: however the bytes are cut, the same is read.
#[doc(hidden)]
pub fn check_requests_are_read_the_same_however_cut(bytes: &[u8]) {
    let whole = requests_and_facts(bytes, bytes.len());
    for cut in [1, 3, 64, 1_000, 1_025] {
        assert!(requests_and_facts(bytes, cut) == whole, "cut into portions of {cut}");
    }
}

/// What is read of requests that arrive in portions, what waits at the end, and what is learnt.
type Reading = (Vec<(u16, u32)>, u16, u32, usize, Vec<(Fact, Vec<u8>, usize)>);

/// What is read of requests that arrive in portions of `cut` bytes, which wait as they do in a
/// session.
fn requests_and_facts(bytes: &[u8], cut: usize) -> Reading {
    const WINDOW: usize = 1_024;
    let mut facts = Vec::new();
    let (mut run, mut inbox, mut read_so_far) = (Registers::default(), Vec::new(), Vec::new());
    for portion in bytes.chunks(cut.max(1)) {
        inbox.extend_from_slice(portion);
        loop {
            let window = &inbox[..inbox.len().min(WINDOW)];
            let mut said = Said::new(window, window.len() == WINDOW);
            let mut learn = |fact, value: &[u8], length| facts.push((fact, value.to_vec(), length));
            if read(&mut run, &mut said, &mut learn) {
                read_so_far.push((run.count, run.mark));
                Request::forget(&mut run);
            }
            let taken = said.taken();
            assert!(taken > 0 || window.len() < WINDOW, "what may not wait is taken");
            inbox.drain(..taken);
            if taken == 0 {
                break;
            }
        }
    }
    (read_so_far, run.count, run.mark, inbox.len(), facts)
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec};

    use proptest::prelude::*;

    use super::*;

    extern crate std;

    fn requests(bytes: &[u8], cut: usize) -> (Vec<(u16, u32)>, u16, u32, usize) {
        let (read, count, mark, waiting, _) = requests_and_facts(bytes, cut);
        (read, count, mark, waiting)
    }

    /// The only request in `bytes`, and the length of its body.
    fn request(bytes: &str) -> (Request, u32) {
        let (read, _, _, _) = requests(bytes.as_bytes(), usize::MAX);
        assert_eq!(read.len(), 1, "{bytes:?}");
        (Request(read[0].0), read[0].1)
    }

    #[test]
    fn the_request_line_says_method_and_version() {
        for (line, ask, old) in [
            ("GET / HTTP/1.1", Ask::Page, false),
            ("POST /http://a.example/ HTTP/1.2", Ask::Page, false),
            ("POST http://a.example/ HTTP/1.1", Ask::Garbled, false),
            ("HEAD ftp://a.example/ HTTP/1.0", Ask::Garbled, true),
            ("HEAD / HTTP/1.1", Ask::Head, false),
            ("CONNECT a.example:25 HTTP/1.1", Ask::Other, false),
            ("PROPFIND / HTTP/1.0", Ask::Other, true),
            ("OPTIONS * HTTP/1.0", Ask::ServerOptions, true),
            ("OPTIONS /x HTTP/1.1", Ask::PageOptions, false),
            ("TRACE / HTTP/1.1", Ask::Trace, false),
            ("FOO / HTTP/1.1", Ask::Unknown, false),
            ("get / HTTP/1.1", Ask::Unknown, false),
            ("GET / HTTP/9.9", Ask::Garbled, false),
            ("GET / HTTP/0.9", Ask::Garbled, true),
            ("GET / HTTP/1.1x", Ask::Garbled, false),
            ("GET / http/1.1", Ask::Garbled, false),
            ("GET / http/1.0", Ask::Garbled, true),
            ("GET HTTP/1.1", Ask::Garbled, false),
            ("GET /a b HTTP/1.0", Ask::Garbled, true),
            ("GET", Ask::Garbled, false),
            ("POST /", Ask::Garbled, false),
        ] {
            let (got, _) = request(&std::format!("{line}\r\nHost: a\r\n\r\n"));
            assert_eq!((got.ask(), got.is_old()), (ask, old), "{line}");
        }
        for (index, &ask) in Ask::ALL.iter().enumerate() {
            assert_eq!(Request(ask.flags()).ask(), ask, "{index}");
        }
        assert!(request("GET /\r\n").0.is_old());
        assert!(!request("PRI * HTTP/2.0\r\n\r\n").0.is_followed());
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
            let (got, _) = request(&std::format!("GET / HTTP/1.1\r\n{field}\r\n\r\n"));
            assert_eq!(got.is_guess(), guess, "{field}");
        }
    }

    #[test]
    fn the_rest_of_an_endless_line_is_no_field() {
        let mut text = String::from("GET / HTTP/1.1\r\nX: ");
        text.push_str(&"a".repeat(1_021));
        text.push_str("Authorization: Basic eDp5\r\n\r\n");
        assert!(!request(&text).0.is_guess());
        // A window that other lines have filled cuts no line.
        for padding in 900..1_100 {
            let text = std::format!(
                "GET / HTTP/1.1\r\nX: {}\r\nAuthorization: Basic eDp5\r\n\r\n",
                "a".repeat(padding)
            );
            assert!(request(&text).0.is_guess(), "{padding}");
        }
    }

    #[test]
    fn what_is_learnt_is_told_once_for_each_request() {
        let text = "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\nUser-Agent: x\r\n\
                    Authorization: Basic cm9vdDp0b29y\r\nAuthorization: Basic eDp5\r\n\r\n\
                    CONNECT b.example:25 HTTP/1.1\r\n\
                    Proxy-Authorization: Digest realm=\"x\", username=\"y\"\r\n\r\n";
        let (.., facts) = requests_and_facts(text.as_bytes(), usize::MAX);
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
        let (read, count, mark, rest) = requests(text.as_bytes(), usize::MAX);
        assert_eq!((read.len(), count, mark, rest), (2, 0, 0, 0));
        assert_eq!(read[0].1, 11);
        assert!(Request(read[1].0).is_old());
        for unknown in ["Transfer-Encoding: chunked", "Content-Length: x", "Content-Length: -1"] {
            let (got, _) = request(&std::format!("POST / HTTP/1.1\r\n{unknown}\r\n\r\n"));
            assert!(!got.is_followed(), "{unknown}");
        }
        let (got, _) = request("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n");
        assert!(!got.is_followed());
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

    #[test]
    fn the_length_of_a_body_is_a_plain_number() {
        let read =
            vec![length(b"0"), length(b"12"), length(b"+1"), length(b""), length(b"4294967296")];
        assert_eq!(read, vec![Some(0), Some(12), None, None, None]);
    }
}
