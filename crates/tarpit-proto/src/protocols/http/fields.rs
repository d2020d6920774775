//! The fields of a request's head (RFC 9110, section 10.1; RFC 9112, section 5).

use crate::{
    base::fact::Fact,
    protocols::{
        http::{
            clients,
            credentials::learn_credentials,
            request::{
                Agent, Behind, Codings, Credentials, LearnWhole, Mention, Reading, Request, tell,
            },
        },
        secret::Shown,
    },
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
    learn: LearnWhole<'_>,
) {
    // A line that begins with a space goes on with the field before it.
    let Some(colon) = line.iter().position(|&byte| byte == b':').filter(|_| !folds(line)) else {
        return;
    };
    let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    named_field(request, reading, name, value, learn);
}

/// Notes what matters in a field.
pub(crate) fn named_field(
    request: &mut Request,
    reading: &mut Reading,
    name: &[u8],
    value: &[u8],
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
    } else if is(b"content-length") {
        request.behind = match (request.behind, length(value)) {
            (Behind::Body { left }, Some(length)) => Behind::Body { left: left.max(length) },
            (Behind::Body { .. }, None) => Behind::Endless,
            (behind, _) => behind,
        };
    } else if is(b"transfer-encoding") && request.behind != Behind::Unknown {
        request.behind = Behind::Endless;
    }
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
fn length(value: &[u8]) -> Option<u32> {
    let digits = core::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
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
        let lengths = [&b"0"[..], b"12", b"+1", b"", b"4294967296"].map(length);
        assert_eq!(lengths, [Some(0), Some(12), None, None, None]);
    }
}
