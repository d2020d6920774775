//! The fields of a request's head (RFC 9110, section 10.1; RFC 9112, section 5).

use crate::{
    base::fact::Fact,
    protocols::{
        http::{
            clients,
            credentials::learn_credentials,
            host::Host,
            length::Length,
            reply::{Extent, Reply},
            request::{
                Agent, Behind, Codings, Credentials, Lasting, LearnWhole, Mention, Reading,
                Request, fact_of, tell,
            },
            server::Server,
            site::Site,
        },
        secret::Shown,
    },
    wire::sighting::is_token,
};

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
pub(crate) fn field(
    request: &mut Request,
    reading: &mut Reading,
    line: &[u8],
    site: Site,
    learn: LearnWhole<'_>,
) {
    if !is_written_right(site.server, line, reading.fields == 1) {
        request.reply.yield_to(Reply::BadRequest);
    }
    // A line that begins with a space goes on with the field before it.
    let Some(colon) = line.iter().position(|&byte| byte == b':').filter(|_| !folds(line)) else {
        return;
    };
    let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    let is_host = name.eq_ignore_ascii_case(b"host");
    let is_right = || line.ends_with(b"\n") && Host::read(site.server, value).is_some();
    if is_host && (reading.told_host || !is_right()) {
        request.reply.yield_to(Reply::BadRequest);
    }
    framing(request, reading, name, value, site.server);
    named_field(request, reading, name, value, site, learn);
}

/// Notes what matters in a field.
pub(crate) fn named_field(
    request: &mut Request,
    reading: &mut Reading,
    name: &[u8],
    value: &[u8],
    site: Site,
    learn: LearnWhole<'_>,
) {
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    if is(b"authorization") || is(b"proxy-authorization") {
        if reading.credentials != Credentials::Shown {
            reading.credentials = Credentials::Shown;
            learn_credentials(value, learn);
        }
    } else if is(b"user-agent") {
        if reading.credentials == Credentials::Missing && GUESSERS.contains(&value) {
            reading.credentials = Credentials::Expected;
        }
        if reading.agent == Agent::Unnamed {
            reading.agent = agent(value);
            tell(Fact::HttpUserAgent, &Shown::line(value, false), learn);
        }
    } else if is(b"host") {
        if !reading.told_host {
            reading.told_host = true;
            let is_cut = value.len() > LONGEST_HOST;
            tell(Fact::HttpHost, &Shown::authority(value, is_cut), learn);
        }
    } else if is(b"accept") {
        reading.says_accept = true;
    } else if is(b"accept-encoding") {
        request.codings = codings(request.codings, value);
    } else if is(b"connection") {
        let says = |word: &[u8]| list(value).any(|item| item.eq_ignore_ascii_case(word));
        if says(b"close") {
            request.lasting = Lasting::Close;
        } else if says(b"keep-alive") {
            request.lasting = Lasting::KeepAlive;
        }
    } else if is(b"expect") && site.server == Server::Apache {
        if !value.is_empty() && !value.eq_ignore_ascii_case(b"100-continue") {
            request.reply.yield_to(Reply::Expectation);
        }
    } else if let Some(fact) = fact_of(name).filter(|fact| fact.names_clients()) {
        learn(fact, last_part(value));
    } else if let Reply::Page { page, extent } = request.reply.get() {
        let is_same = |item: &[u8]| {
            let tag = site.tag(page);
            item == b"*" || item.strip_prefix(b"W/").unwrap_or(item) == tag.as_bytes()
        };
        let extent = match extent {
            Extent::Whole if is(b"range") && value.starts_with(b"bytes=") => Extent::Part,
            _ if is(b"if-none-match") && list(value).any(is_same) => Extent::Unchanged,
            extent => extent,
        };
        request.reply = Reply::Page { page, extent }.into();
    }
}

/// Notes what a field says of the body behind the request, and whether the server believes it.
fn framing(
    request: &mut Request,
    reading: &mut Reading,
    name: &[u8],
    value: &[u8],
    server: Server,
) {
    if name.eq_ignore_ascii_case(b"content-length") {
        let length = length(value);
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        if reading.has_length || !is_number || value.len() > 18 {
            request.reply.yield_to(Reply::BadRequest);
        }
        reading.has_length = true;
        request.behind = match (request.behind, length) {
            (Behind::Body { left }, Some(length)) => Behind::Body { left: left.max(length) },
            (Behind::Body { .. }, None) => Behind::Endless,
            (behind, _) => behind,
        };
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        let is_known = match server {
            Server::Apache => {
                list(value).last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"))
            }
            Server::Boa => true,
            Server::Iis | Server::Nginx => value.eq_ignore_ascii_case(b"chunked"),
        };
        if !is_known {
            request.reply.yield_to(Reply::Coding);
        } else if server == Server::Nginx && reading.has_length {
            request.reply.yield_to(Reply::BadRequest);
        }
        if request.behind != Behind::Unknown {
            request.behind = Behind::Endless;
        }
    }
}

/// Whether a field's line, or the first part of one, is written as the server wants it.
fn is_written_right(server: Server, line: &[u8], is_first: bool) -> bool {
    let is_whole = line.ends_with(b"\n");
    if server.is_strict() && is_whole && !line.ends_with(b"\r\n") {
        return false;
    }
    let text = line.trim_ascii_end();
    if folds(line) {
        return server.is_strict() && !is_first;
    }
    let name = text.iter().take_while(|&&byte| byte != b':').count();
    let has_colon = name < text.len();
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    match server {
        Server::Apache => {
            let is_name = name > 0 && text[..name].iter().all(|&byte| is_token(byte));
            has_colon && is_name && !text[name..].iter().any(is_control)
        }
        Server::Boa => true,
        Server::Iis | Server::Nginx => {
            let is_of_name = |byte: &u8| !byte.is_ascii_control() && *byte != b' ';
            name > 0 && text[..name].iter().all(is_of_name) && !text.contains(&0)
        }
    }
}

/// The end of a list, as far as it is shown: each relay adds its client at the end, and what stands
/// before may be anything.
fn last_part(value: &[u8]) -> &[u8] {
    let Some(start) = value.len().checked_sub(Fact::SHOWN).filter(|&start| start > 0) else {
        return value;
    };
    let end = &value[start..];
    let comma = end.iter().position(|&byte| byte == b',');
    comma.map_or(end, |comma| end[comma + 1..].trim_ascii_start())
}

/// The items of a list, without the blanks around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// What a client is that calls itself so.
fn agent(value: &[u8]) -> Agent {
    match clients::named(value) {
        Some(held_by) => Agent::Known { held_by },
        None if value.starts_with(b"Mozilla/") => Agent::Browser,
        None => Agent::Other,
    }
}

/// Of a host's name that is longer, nearly as long as what may wait, the end may lie beyond.
const LONGEST_HOST: usize = 4_000;

fn folds(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))
}

/// A body's length; `None` if it is none or cannot be counted here.
fn length(value: &[u8]) -> Option<Length<20>> {
    let digits = core::str::from_utf8(value).ok()?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    number.filter(|&number| number <= Length::<20>::MOST).map(Length)
}

/// What one more list in `Accept-Encoding` makes of what is known of the codings that we have.
fn codings(known: Codings, list: &[u8]) -> Codings {
    let (mut others, mut deflate, mut gzip) = match known {
        Codings::Any => (false, Mention::Nothing, Mention::Nothing),
        Codings::Listed { others, deflate, gzip } => (others, deflate, gzip),
    };
    for item in list.split(|&byte| byte == b',') {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(weighs_nothing);
        match &name[..] {
            b"*" => others |= !refused,
            b"deflate" => deflate = deflate.and(refused),
            b"gzip" | b"x-gzip" => gzip = gzip.and(refused),
            _ => {}
        }
    }
    Codings::Listed { others, deflate, gzip }
}

impl Mention {
    /// What one more mention makes of it: a refusal stands.
    fn and(self, refused: bool) -> Self {
        if refused || self == Self::Refused { Self::Refused } else { Self::Accepted }
    }
}

/// Whether a parameter is a weight of nothing, such as `q=0.00` (RFC 9110, section 12.4.2).
fn weighs_nothing(parameter: &[u8]) -> bool {
    let weight = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="));
    weight.is_some_and(|weight| {
        !weight.is_empty() && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_body_is_a_plain_number() {
        let lengths = [&b"0"[..], b"12", b"+1", b"", b"2097152"].map(length);
        assert_eq!(lengths, [Some(Length(0)), Some(Length(12)), None, None, None]);
    }
}
