//! Cookies that no site means (RFC 6265, section 4.1), in the manner of one installation.

use alloc::vec::Vec;

use crate::{rng::Rng, script::Cx};

/// Appends a header line that sets a cookie: at least 60 bytes, at most 150.
///
/// One shape for all installations would be a name that they answer to. So each has its own few
/// names, forms of values and attributes; which of them comes next is the client's own chance.
pub(crate) fn cookie(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    let manner = Manner::of(cx.profile.persona.number());
    out.extend_from_slice(b"Set-Cookie: ");
    manner.name(&mut cx.rng, out);
    out.push(b'=');
    manner.value(&mut cx.rng, out);
    out.extend_from_slice(manner.attributes.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// What an installation's cookies have in common.
struct Manner {
    /// Where in [`NAMES`] its own begin, how far they lie apart, and how many they are.
    first: usize,
    apart: usize,
    names: u32,
    joint: &'static str,
    /// How a name that occurs more than once is told apart.
    suffix: &'static str,
    /// The alphabets of its values, and their least length.
    alphabets: [&'static str; 2],
    length: u32,
    attributes: &'static str,
}

/// What cookies are called, by their first words. Their number is prime, so that steps of any
/// size visit them all.
const NAMES: [&str; 31] = [
    "ab", "acct", "auth", "basket", "cart", "client", "consent", "csrf", "cust", "device", "flash",
    "geo", "guest", "id", "lang", "last", "locale", "nonce", "pref", "ref", "region", "return",
    "sess", "sid", "site", "state", "theme", "token", "track", "user", "visit",
];

const JOINTS: [&str; 4] = ["", "-", ".", "_"];

const ATTRIBUTES: [&str; 7] = [
    "; HttpOnly; Path=/",
    "; Max-Age=31536000; Path=/",
    "; Path=/; HttpOnly",
    "; Path=/; SameSite=Lax",
    "; path=/",
    "; path=/; HttpOnly",
    "; path=/; HttpOnly; SameSite=Lax",
];

const DIGITS: &str = "0123456789";
const LOWER_HEX: &str = "0123456789abcdef";
const UPPER_HEX: &str = "0123456789ABCDEF";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const BASE_64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Manner {
    /// The manner of the installation with this number.
    fn of(number: u64) -> Self {
        let mut rest = number;
        let mut below = |bound: usize| {
            let choice = rest % bound as u64;
            rest /= bound as u64;
            choice as usize
        };
        Self {
            first: below(NAMES.len()),
            apart: 1 + below(NAMES.len() - 1),
            names: 5 + below(9) as u32,
            joint: JOINTS[below(JOINTS.len())],
            suffix: [DIGITS, LOWER_HEX, UPPER_HEX, LOWER][below(4)],
            alphabets: [
                [LOWER_HEX, UPPER_HEX, BASE_64, LOWER][below(4)],
                [DIGITS, LOWER_HEX, BASE_64][below(3)],
            ],
            length: 40 + below(33) as u32,
            attributes: ATTRIBUTES[below(ATTRIBUTES.len())],
        }
    }

    fn name(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        let place = self.first + self.apart * rng.below(self.names) as usize;
        out.extend_from_slice(NAMES[place % NAMES.len()].as_bytes());
        out.extend_from_slice(self.joint.as_bytes());
        letters(self.suffix, 2 + rng.below(4), rng, out);
    }

    fn value(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        let length = self.length + rng.below(16);
        letters(rng.pick(&self.alphabets), length, rng, out);
    }
}

/// The most letters that are needed at a time.
const MOST_LETTERS: usize = 96;

/// Appends so many letters of the alphabet.
///
/// They are drawn and written at once: a line is made again for each of its bytes that is sent, and
/// to do so letter by letter was most of what that cost.
fn letters(alphabet: &str, count: u32, rng: &mut Rng, out: &mut Vec<u8>) {
    let mut random = [[0; 2]; MOST_LETTERS];
    let count = (count as usize).min(MOST_LETTERS);
    rng.fill(random[..count].as_flattened_mut());
    out.extend(random[..count].iter().map(|two| {
        let place = (usize::from(u16::from_le_bytes(*two)) * alphabet.len()) >> 16;
        alphabet.as_bytes()[place]
    }));
}
