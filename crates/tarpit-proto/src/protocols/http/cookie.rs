//! Cookies without a meaning (RFC 6265, section 4.1), which differ for each installation.

use alloc::vec::Vec;

use crate::{base::rng::Rng, script::Cx};

/// Appends a header line that sets a cookie: at least 60 bytes, at most 150.
///
/// One shape for all installations would be a name that they answer to. So each has its own few
/// names, forms of values and attributes; which of them comes next is the client's own chance.
pub(crate) fn cookie(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Set-Cookie: ");
    cookie_value(cx, out);
}

/// The name of such a line's field, with its colon.
pub(crate) const COOKIE: &str = "Set-Cookie:";

/// Appends the value of such a line, and its end.
pub(crate) fn cookie_value(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    let shape = Shape::of(cx.profile.persona.number());
    let mut dice = Dice::new(&mut cx.rng);
    shape.name(&mut dice, out);
    out.push(b'=');
    shape.value(&mut dice, out);
    out.extend_from_slice(shape.attributes.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// What an installation's cookies have in common.
struct Shape {
    /// Where in [`NAMES`] its own begin, how far they lie apart, and how many they are.
    first: usize,
    apart: usize,
    names: usize,
    joint: &'static str,
    /// How a name that occurs more than once is told apart.
    suffix: &'static Alphabet,
    /// The alphabets of its values, and their least length.
    alphabets: [&'static Alphabet; 2],
    length: usize,
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

/// The letters of a value, repeated to as many as six random bits tell apart: so a letter is found
/// without a product and a bound, of which each line would need a hundred.
type Alphabet = [u8; 64];

static DIGITS: Alphabet = repeated(b"0123456789");
static LOWER_HEX: Alphabet = repeated(b"0123456789abcdef");
static UPPER_HEX: Alphabet = repeated(b"0123456789ABCDEF");
static LOWER: Alphabet = repeated(b"abcdefghijklmnopqrstuvwxyz0123456789");
static BASE_64: Alphabet =
    repeated(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

const fn repeated(letters: &[u8]) -> Alphabet {
    let mut all = [0; 64];
    let mut place = 0;
    while place < all.len() {
        all[place] = letters[place % letters.len()];
        place += 1;
    }
    all
}

impl Shape {
    /// The shape of the cookies of the installation with this number.
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
            names: 5 + below(9),
            joint: JOINTS[below(JOINTS.len())],
            suffix: [&DIGITS, &LOWER_HEX, &UPPER_HEX, &LOWER][below(4)],
            alphabets: [
                [&LOWER_HEX, &UPPER_HEX, &BASE_64, &LOWER][below(4)],
                [&DIGITS, &LOWER_HEX, &BASE_64][below(3)],
            ],
            length: 40 + below(33),
            attributes: ATTRIBUTES[below(ATTRIBUTES.len())],
        }
    }

    fn name(&self, dice: &mut Dice, out: &mut Vec<u8>) {
        let place = self.first + self.apart * dice.below(self.names);
        out.extend_from_slice(NAMES[place % NAMES.len()].as_bytes());
        out.extend_from_slice(self.joint.as_bytes());
        let count = 2 + dice.below(4);
        dice.letters(self.suffix, count, out);
    }

    fn value(&self, dice: &mut Dice, out: &mut Vec<u8>) {
        let count = self.length + dice.below(16);
        let alphabet = self.alphabets[dice.below(self.alphabets.len())];
        dice.letters(alphabet, count, out);
    }
}

/// Choices that were drawn at once: a line is made again for each of its bytes that is sent, and to
/// draw it letter by letter was most of what that cost.
struct Dice {
    random: [u8; MOST],
    used: usize,
}

/// The most choices that one line takes: one for the name, two for lengths, one for the alphabet,
/// and the letters of both.
const MOST: usize = 4 + 5 + (72 + 15);

impl Dice {
    fn new(rng: &mut Rng) -> Self {
        let mut random = [0; MOST];
        rng.fill(&mut random);
        Self { random, used: 0 }
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let random = self.random.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        (usize::from(random) * bound) >> 8
    }

    /// Appends so many letters of the alphabet.
    fn letters(&mut self, alphabet: &Alphabet, count: usize, out: &mut Vec<u8>) {
        debug_assert!(self.used + count <= MOST, "a line longer than its choices");
        let left = self.random.get(self.used..).unwrap_or_default();
        self.used += count;
        out.extend(left.iter().take(count).map(|random| alphabet[usize::from(random >> 2)]));
    }
}
