//! What `Authorization:` says (RFC 7617, section 2; RFC 7616, section 3.4; RFC 6750, section 2.1).

use alloc::vec;

use crate::{
    base::fact::Fact,
    protocols::{http::request::LearnWhole, secret},
    wire::base64,
};

/// Tells what credentials say, without their wrapping: by which scheme, whose they are, and the
/// secret (RFC 7617, section 2; RFC 7616, section 3.4; RFC 6750, section 2.1).
pub(crate) fn learn_credentials(credentials: &[u8], learn: LearnWhole<'_>) {
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
