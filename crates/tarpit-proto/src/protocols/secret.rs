//! Secrets in reported lines: they are reported as secrets, and blanked elsewhere.
//!
//! Secrets are the arguments of the verbs by which clients of text protocols log in, user
//! information in addresses (RFC 3986, section 3.2.1), and the values of parameters whose names say
//! so. A password without such a mark cannot be recognised.

use alloc::{borrow::Cow, vec, vec::Vec};

use crate::{
    base::fact::Fact,
    script::Cx,
    wire::base64::{self, Beyond},
};

/// What stands in place of a secret.
pub(crate) const BLANK: &[u8] = b"***";

/// The most secrets of one line that are told; all are blanked.
const MOST: usize = 4;

/// What verbs of all protocols contain by which clients log in; a longer word comes before one that
/// it begins with.
const VERBS: [&str; 14] = [
    "AUTHENTICATE",
    "AUTHORIZATION",
    "AUTHINFO",
    "AUTH",
    "PASSWORD",
    "PASSWD",
    "PASS",
    "PSWD",
    "ACCT",
    "ADAT",
    "APOP",
    "LOGIN",
    "LOGON",
    "USER",
];

/// The names of what clients prove themselves by behind `AUTH` (RFC 2228, 4217, 4422 and others)
/// and `Authorization:` (RFC 9110, section 11.1).
const MECHANISMS: [&str; 26] = [
    "ANONYMOUS",
    "AWS4-HMAC-SHA256",
    "BASIC",
    "BEARER",
    "CRAM-MD5",
    "DIGEST",
    "DIGEST-MD5",
    "EXTERNAL",
    "GSSAPI",
    "KERBEROS_V4",
    "LOGIN",
    "NEGOTIATE",
    "NTLM",
    "OAUTHBEARER",
    "PLAIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SSL",
    "TLS",
    "TLS-C",
    "TLS-P",
    "TOKEN",
    "XOAUTH",
    "XOAUTH2",
];

/// What the names of parameters contain whose values are secrets.
const PARAMETERS: [&[u8]; 12] = [
    b"apikey",
    b"api_key",
    b"auth",
    b"credential",
    b"pass",
    b"psd",
    b"psw",
    b"pwd",
    b"secret",
    b"session",
    b"signature",
    b"token",
];

/// A line as it may be told.
pub(crate) struct Shown<'a> {
    /// The line, with secrets blanked.
    pub(crate) line: Cow<'a, [u8]>,
    /// What was blanked: users and secrets.
    pub(crate) learnt: Vec<(Fact, &'a [u8])>,
}

impl<'a> Shown<'a> {
    /// What is told of a line of text: a request, or a command without a meaning of its own.
    ///
    /// `is_cut` says that more of the line was not seen: of an address that it cuts, nothing is
    /// shown.
    pub(crate) fn line(line: &'a [u8], is_cut: bool) -> Self {
        Self::of_words(line, is_cut, Kind::Text)
    }

    /// The same of an authority: a host, or what is to be connected to.
    pub(crate) fn authority(host: &'a [u8], is_cut: bool) -> Self {
        Self::of_words(host, is_cut, Kind::Authority)
    }

    /// The same of a request, whose second word is an authority where a tunnel is asked for. Where
    /// `is_certain` says no more than that it looks like one, it may be another protocol's command.
    pub(crate) fn request(line: &'a [u8], is_cut: bool, is_certain: bool) -> Self {
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (method, rest) = line.split_at(end);
        if !is_certain && let Some(shown) = Self::login(method, rest.trim_ascii()) {
            return shown;
        }
        let asks_for_tunnel = method.eq_ignore_ascii_case(b"CONNECT");
        if asks_for_tunnel { Self::authority(line, is_cut) } else { Self::line(line, is_cut) }
    }

    /// What is told of a command by which a client may log in: its verb and nothing else that is
    /// not a mechanism's name. `None`: it is another command.
    pub(crate) fn login(verb: &'a [u8], argument: &'a [u8]) -> Option<Self> {
        let found = VERBS.iter().find_map(|keyword| {
            let mut windows = verb.windows(keyword.len());
            let start = windows.position(|it| it.eq_ignore_ascii_case(keyword.as_bytes()))?;
            Some((start, keyword))
        });
        let Some((start, keyword)) = found else { return Self::login_within(verb, argument) };
        let (shown, rest) = verb.split_at(start + keyword.len());
        let mut line = shown.to_vec();
        let mut learnt = Vec::new();
        if *keyword == "USER" && rest.is_empty() {
            let (user, secret) = name(argument);
            let facts = [(Fact::User, user), (Fact::Secret, secret)];
            learnt.extend(facts.into_iter().filter(|(_, value)| !value.is_empty()));
            return Some(Self { line: Cow::Owned(line), learnt });
        }
        let is_mark = |byte: &u8| matches!(byte, b'=' | b':');
        let mut tell = |secret: &'a [u8]| {
            let marks = secret.iter().take_while(|&byte| is_mark(byte)).count();
            let secret = secret[marks..].trim_ascii_start();
            if !secret.is_empty() {
                learnt.push((Fact::Secret, secret));
            }
        };
        match rest.split_first() {
            // As old clients write it: `AUTH=PLAIN`.
            Some((mark, word)) if is_mark(mark) && is_mechanism(word) => {
                line.extend_from_slice(rest);
                tell(argument);
            }
            _ => {
                tell(rest);
                let end = argument.iter().position(u8::is_ascii_whitespace);
                let (word, more) = argument.split_at(end.unwrap_or(argument.len()));
                if is_mechanism(word) {
                    line.push(b' ');
                    line.extend_from_slice(word);
                    tell(more);
                } else {
                    tell(argument);
                }
            }
        }
        Some(Self { line: Cow::Owned(line), learnt })
    }

    /// Tells of what was blanked.
    pub(crate) fn tell(&self, cx: &mut Cx<'_>) {
        for &(fact, value) in &self.learnt {
            cx.learn(fact, value);
        }
    }

    /// Tells of what was blanked where the last of it goes on beyond what is at hand. In base64 it
    /// is counted without that.
    pub(crate) fn tell_part(&self, beyond: Beyond, cx: &mut Cx<'_>) {
        let Some((&(fact, value), others)) = self.learnt.split_last() else { return };
        for &(fact, value) in others {
            cx.learn(fact, value);
        }
        match base64::decode_part(value, beyond) {
            Some((plain, _)) if plain.contains(&0) => learn_both(value, beyond, cx),
            Some((plain, length)) if beyond.bytes > 0 => cx.learn_part(fact, &plain, length),
            _ => cx.learn_part(fact, value, value.len() + beyond.bytes),
        }
    }

    /// The same where the verb that says so stands in the argument, such as `SITE PASSWD`, or an
    /// IMAP client's behind a tag.
    fn login_within(verb: &'a [u8], argument: &'a [u8]) -> Option<Self> {
        let mut from = 0;
        for word in argument.split(u8::is_ascii_whitespace) {
            let end = from + word.len();
            let ends_so = |keyword: &&str| {
                let start = word.len().checked_sub(keyword.len());
                start.is_some_and(|start| word[start..].eq_ignore_ascii_case(keyword.as_bytes()))
            };
            if VERBS.iter().filter(|&&keyword| keyword != "USER").any(ends_so) {
                let line = [verb, b" ", &argument[..end]].concat();
                let rest = argument[end..].trim_ascii();
                let learnt = if rest.is_empty() { Vec::new() } else { vec![(Fact::Secret, rest)] };
                return Some(Self { line: Cow::Owned(line), learnt });
            }
            from = end + 1;
        }
        None
    }

    /// Blanks what is to be blanked in each word.
    fn of_words(line: &'a [u8], is_cut: bool, kind: Kind) -> Self {
        let marks = line.iter().any(|byte| matches!(byte, b'@' | b'='));
        if !marks && !is_cut {
            return Self { line: Cow::Borrowed(line), learnt: Vec::new() };
        }
        let mut shown = Self { line: Cow::Owned(Vec::new()), learnt: Vec::new() };
        let mut rest = line;
        loop {
            let end = rest.iter().position(u8::is_ascii_whitespace);
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            shown.word(word, is_cut && end.is_none(), kind);
            let Some((space, after)) = after.split_first() else { return shown };
            shown.line.to_mut().push(*space);
            rest = after;
        }
    }

    /// Appends a word.
    fn word(&mut self, word: &'a [u8], is_cut: bool, kind: Kind) {
        let mut rest = word;
        // A word that is an address has no other user information in front of its scheme.
        let front = &word[..scheme(word, 0).unwrap_or(word.len())];
        let is_cut_there = is_cut && front.len() == word.len();
        if let Some((before, user, after)) = user_in_front(front, is_cut_there, kind) {
            self.blank(before, user);
            rest = &word[front.len() - after.len()..];
        }
        while let Some((before, user, after)) = user_behind_scheme(rest, is_cut) {
            self.blank(before, user);
            rest = after;
        }
        self.parameters(rest);
    }

    /// Appends what stands in front of user information, which is blanked and told.
    fn blank(&mut self, before: &'a [u8], user: &'a [u8]) {
        self.parameters(before);
        self.line.to_mut().extend_from_slice(BLANK);
        self.user(user);
    }

    /// Tells of user information: a name and a password, or a secret alone.
    fn user(&mut self, user: &'a [u8]) {
        match user.iter().position(|&byte| byte == b':') {
            Some(colon) => {
                self.learn(Fact::User, &user[..colon]);
                self.learn(Fact::Secret, &user[colon + 1..]);
            }
            None => self.learn(Fact::Secret, user),
        }
    }

    fn learn(&mut self, fact: Fact, value: &'a [u8]) {
        if self.learnt.len() < MOST && !value.is_empty() {
            self.learnt.push((fact, value));
        }
    }

    /// Appends text, in which the values of parameters are blanked whose names say so.
    fn parameters(&mut self, text: &'a [u8]) {
        let mut rest = text;
        while let Some(equals) = rest.iter().position(|&byte| byte == b'=') {
            let (name, value) = rest.split_at(equals + 1);
            self.line.to_mut().extend_from_slice(name);
            rest = value;
            if is_secret(&name[..equals]) {
                let end = value.iter().position(|byte| matches!(byte, b'&' | b'#' | b';'));
                let (secret, after) = value.split_at(end.unwrap_or(value.len()));
                self.learn(Fact::Secret, secret);
                self.line.to_mut().extend_from_slice(BLANK);
                rest = after;
            }
        }
        self.line.to_mut().extend_from_slice(rest);
    }
}

/// A user's name, which is one word, and the secret that some write behind it, also with its own
/// verb: `USER u PASS p`.
pub(crate) fn name(words: &[u8]) -> (&[u8], &[u8]) {
    let words = words.trim_ascii();
    let end = words.iter().position(u8::is_ascii_whitespace);
    let (name, rest) = words.split_at(end.unwrap_or(words.len()));
    let rest = rest.trim_ascii();
    let verb = rest.get(..5).filter(|verb| verb[4].is_ascii_whitespace());
    let has_verb = verb.is_some_and(|verb| verb[..4].eq_ignore_ascii_case(b"PASS"));
    (name, if has_verb { rest[5..].trim_ascii() } else { rest })
}

/// Tells of a name and of what stands behind it, where `words` are all of it or the beginning, and
/// have `length` bytes in all.
pub(crate) fn learn_name(words: &[u8], length: usize, cx: &mut Cx<'_>) {
    let beyond = length.saturating_sub(words.len());
    let (name, rest) = name(words);
    if rest.is_empty() {
        cx.learn_part(Fact::User, name, name.len() + beyond);
    } else {
        cx.learn(Fact::User, name);
        cx.learn_part(Fact::Secret, rest, rest.len() + beyond);
    }
}

/// Tells of a secret that stands alone on a line behind `AUTH`, where base64 is spoken; as it is if
/// it is none.
pub(crate) fn learn_word(word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    let is_whole = (word.len() + beyond.bytes).is_multiple_of(4);
    match base64::decode_part(word, beyond).filter(|_| is_whole) {
        Some((plain, _)) if plain.contains(&0) => learn_both(word, beyond, cx),
        Some((plain, length)) => cx.learn_part(Fact::Secret, &plain, length),
        None => cx.learn_part(Fact::Secret, word, word.len() + beyond.bytes),
    }
}

/// Tells of a name and a password in one word in base64 (RFC 4616, section 2).
pub(crate) fn learn_both(word: &[u8], beyond: Beyond, cx: &mut Cx<'_>) {
    if let Some((plain, length)) = base64::decode_part(word, beyond) {
        // Behind whom the name is to act for.
        let mut parts = plain.splitn(3, |&byte| byte == 0).skip(1);
        if let (Some(user), Some(password)) = (parts.next(), parts.next()) {
            cx.learn(Fact::User, user);
            let in_front = plain.len() - password.len();
            return cx.learn_part(Fact::Secret, password, length - in_front);
        }
    }
    // It may still hold a password.
    cx.learn_part(Fact::Secret, word, word.len() + beyond.bytes);
}

/// Whether the word names by what clients prove themselves, here or in HTTP.
pub(crate) fn is_mechanism(word: &[u8]) -> bool {
    MECHANISMS.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether text that ends with a parameter's name says that its value is a secret.
fn is_secret(text: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(byte);
    let start = text.iter().rposition(|byte| !is_of_name(byte)).map_or(0, |place| place + 1);
    let name = &text[start..];
    let contains = |part: &&[u8]| name.windows(part.len()).any(|it| it.eq_ignore_ascii_case(part));
    PARAMETERS.iter().any(contains)
}

/// What words without a scheme are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Hosts, or what is to be connected to: whatever stands in front of an `@` is user
    /// information.
    Authority,
    /// Text: it is if there is a colon in it.
    Text,
}

/// The parts of a word: before user information, itself, and from its `@` on.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Where the next `//` stands, from `from` on, that begins the authority of an address: at the
/// start of a word, or behind a mark.
fn scheme(word: &[u8], from: usize) -> Option<usize> {
    let mut places = from..word.len().saturating_sub(1);
    places.find(|&place| {
        let is_marked =
            place.checked_sub(1).is_none_or(|before| b":=\"'(,<;".contains(&word[before]));
        is_marked && word[place..].starts_with(b"//")
    })
}

/// The user information with which a word begins that has no scheme, or a segment of it.
fn user_in_front(word: &[u8], is_cut: bool, kind: Kind) -> Option<Parts<'_>> {
    let Some(at) = word.iter().rposition(|&byte| byte == b'@') else {
        let hides = is_cut && kind == Kind::Authority;
        return hides.then_some((&[], word, &[]));
    };
    let colon = |from: usize| {
        word[from..at].iter().position(|&byte| byte == b':').map(|colon| from + colon)
    };
    let mut first = colon(0);
    let mut start = 0;
    if let (Some(end), Kind::Text) = (first, kind)
        && is_no_user(&word[..end])
    {
        (start, first) = (end + 1, colon(end + 1));
    }
    if first.is_none() && kind == Kind::Text {
        return None;
    }
    let slash = word[..first.unwrap_or(at)].iter().rposition(|&byte| byte == b'/');
    let start = slash.map_or(start, |slash| slash + 1);
    Some((&word[..start], &word[start..at], &word[at..]))
}

/// Whether the word ends with what stands in front of a mail address and a colon, and is no user.
fn is_no_user(word: &[u8]) -> bool {
    const OTHERS: [&[u8]; 6] = [b"from", b"mailto", b"sip", b"sips", b"to", b"xmpp"];
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let letters = word.iter().rev().take_while(|byte| is_letter(byte)).count();
    OTHERS.iter().any(|other| word[word.len() - letters..].eq_ignore_ascii_case(other))
}

/// The first user information behind the `//` of an address.
fn user_behind_scheme(word: &[u8], is_cut: bool) -> Option<Parts<'_>> {
    let mut from = 0;
    while let Some(slashes) = scheme(word, from) {
        let start = slashes + 2;
        let authority = &word[start..];
        let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let host = &authority[..end.unwrap_or(authority.len())];
        let last = |text: &[u8]| text.iter().rposition(|&byte| byte == b'@');
        // A password may hold what ends an authority; a port holds nothing but digits.
        let port = host.split(|&byte| byte == b':').nth(1);
        let is_odd = port.is_some_and(|port| !port.iter().all(u8::is_ascii_digit));
        let at = match last(host) {
            Some(at) => Some(at),
            None if is_odd => last(authority).or(is_cut.then_some(authority.len())),
            None => (end.is_none() && is_cut).then_some(authority.len()),
        };
        if let Some(at) = at {
            return Some((&word[..start], &authority[..at], &authority[at..]));
        }
        from = start;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    extern crate std;
    use std::string::{String, ToString};

    fn told(shown: &Shown<'_>) -> (String, Vec<String>) {
        let learnt = shown.learnt.iter();
        let learnt =
            learnt.map(|(fact, value)| std::format!("{} {}", fact.name(), value.escape_ascii()));
        (shown.line.escape_ascii().to_string(), learnt.collect())
    }

    #[test]
    fn user_information_is_blanked_and_told_wherever_an_address_stands() {
        for (line, wanted, learnt) in [
            (
                "GET http://u:p@h/ HTTP/1.1",
                "GET http://***@h/ HTTP/1.1",
                vec!["user u", "secret p"],
            ),
            ("GET http://token@h/x HTTP/1.1", "GET http://***@h/x HTTP/1.1", vec!["secret token"]),
            ("GET //u:p@h/ HTTP/1.1", "GET //***@h/ HTTP/1.1", vec!["user u", "secret p"]),
            (
                "CONNECT u:p@h:443 HTTP/1.1",
                "CONNECT ***@h:443 HTTP/1.1",
                vec!["user u", "secret p"],
            ),
            (
                "GET /?url=ftp://u:a@b@h/ x",
                "GET /?url=ftp://***@h/ x",
                vec!["user u", "secret a@b"],
            ),
            ("GET http://u:p/w@h/", "GET http://***@h/", vec!["user u", "secret p/w"]),
            ("GET /x/u:p@h/", "GET /x/***@h/", vec!["user u", "secret p"]),
            ("GET http://h:80/@x?m=a@b", "GET http://h:80/@x?m=a@b", vec![]),
            ("GET /@scope/pkg HTTP/1.1", "GET /@scope/pkg HTTP/1.1", vec![]),
            ("VRFY a@b.example", "VRFY a@b.example", vec![]),
            ("MAIL FROM:<a@b.example>", "MAIL FROM:<a@b.example>", vec![]),
            ("Bot/1 (+mailto:a@b.example)", "Bot/1 (+mailto:a@b.example)", vec![]),
            ("REGISTER sip:u:p@h", "REGISTER sip:***@h", vec!["user u", "secret p"]),
            (
                "GET http://h/ http://u:p@h",
                "GET http://h/ http://***@h",
                vec!["user u", "secret p"],
            ),
        ] {
            let (text, facts) = told(&Shown::line(line.as_bytes(), false));
            assert_eq!(
                (text.as_str(), facts),
                (wanted, learnt.iter().map(ToString::to_string).collect())
            );
        }
        let (text, facts) = told(&Shown::authority(b"name@h:80", false));
        assert_eq!((text.as_str(), facts), ("***@h:80", vec!["secret name".to_string()]));
    }

    #[test]
    fn values_are_blanked_whose_names_say_that_they_are_secrets() {
        for (line, wanted) in [
            ("GET /a?user=x&Password=y&z=1 HTTP/1.1", "GET /a?user=x&Password=***&z=1 HTTP/1.1"),
            ("POST /f?username=a&psd=b HTTP/1.0", "POST /f?username=a&psd=*** HTTP/1.0"),
            ("GET /?q=a=b", "GET /?q=a=b"),
            ("GET /x;token=abc#t", "GET /x;token=***#t"),
            ("password=x", "password=***"),
        ] {
            assert_eq!(told(&Shown::line(line.as_bytes(), false)).0, wanted);
        }
    }

    #[test]
    fn of_an_address_that_is_cut_nothing_is_shown() {
        for (line, wanted) in [
            ("GET http://user:passw", "GET http://***"),
            ("GET http://user", "GET http://***"),
            ("GET http://h/path", "GET http://h/path"),
        ] {
            assert_eq!(told(&Shown::line(line.as_bytes(), true)).0, wanted);
        }
        assert_eq!(told(&Shown::authority(b"user:passw", true)).0, "***");
    }

    #[test]
    fn of_a_login_the_verb_is_shown_and_the_mechanism() {
        for (verb, argument, wanted, learnt) in [
            ("AUTH", "LOGIN dQ==", "AUTH LOGIN", vec!["secret dQ=="]),
            ("auth", "p", "auth", vec!["secret p"]),
            ("AUTH", "u p", "AUTH", vec!["secret u p"]),
            ("AUTH=PLAIN", "AHUAcA==", "AUTH=PLAIN", vec!["secret AHUAcA=="]),
            ("AUTH=AHUAcA==", "", "AUTH", vec!["secret AHUAcA=="]),
            ("AUTHp", "q", "AUTH", vec!["secret p", "secret q"]),
            ("Authorization:", "Basic eDp5", "Authorization Basic", vec!["secret eDp5"]),
            ("USER", "u", "USER", vec!["user u"]),
            ("USER", "u pass p q", "USER", vec!["user u", "secret p q"]),
            ("USER", "u p", "USER", vec!["user u", "secret p"]),
            ("XPASSWORD", "a b", "XPASSWORD", vec!["secret a b"]),
            ("LOGIN", "u p", "LOGIN", vec!["secret u p"]),
            ("ACCT", "", "ACCT", vec![]),
            ("SITE", "CHPASSWD u p", "SITE CHPASSWD", vec!["secret u p"]),
            ("a1", "LOGIN u p", "a1 LOGIN", vec!["secret u p"]),
        ] {
            let shown = Shown::login(verb.as_bytes(), argument.as_bytes()).expect("a login");
            let (text, facts) = told(&shown);
            assert_eq!(
                (text.as_str(), facts),
                (wanted, learnt.iter().map(ToString::to_string).collect())
            );
        }
        for verb in ["VRFY", "SITE", "PASV", "CWD", "FROB", ""] {
            assert!(Shown::login(verb.as_bytes(), b"x").is_none(), "{verb}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_borne_and_a_password_in_it_is_not_shown(
            before in "[ -~]{0,20}",
            scheme in "(http://|//|u:p@h )?",
            user in "[a-z]{1,5}",
            password in "[A-Z]{6,9}",
            after in "[ -~]{0,20}",
            is_cut in any::<bool>(),
        ) {
            // Behind these stands a mail address, which is shown.
            prop_assume!(!is_no_user(user.as_bytes()));
            let line = std::format!("{before} {scheme}{user}:{password}@{after}");
            for shown in [
                Shown::line(line.as_bytes(), is_cut),
                Shown::authority(line.as_bytes(), is_cut),
                Shown::request(line.as_bytes(), is_cut, true),
            ] {
                let shown = std::string::String::from_utf8_lossy(&shown.line);
                prop_assert!(!shown.contains(&password), "{line:?} is shown as {shown:?}");
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..300), is_cut in any::<bool>()) {
            let (verb, argument) = bytes.split_at(bytes.len() / 3);
            let _: Option<Shown<'_>> = Shown::login(verb, argument);
            let most = bytes.len() + BLANK.len() * (bytes.len() + 1);
            prop_assert!(Shown::line(&bytes, is_cut).line.len() <= most);
            prop_assert!(Shown::authority(&bytes, is_cut).line.len() <= most);
            prop_assert!(name(&bytes).0.len() <= bytes.len());
        }
    }
}
