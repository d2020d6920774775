//! The clients' trace: an event becomes lines in one of several formats.

mod cowrie;
mod ecs;
mod endlessh;
mod fields;
mod json;
mod people;
mod quote;
pub(crate) mod reference;

use std::{
    iter,
    net::{IpAddr, SocketAddr},
    os::fd::RawFd,
    time::Duration,
};

use data_encoding::BASE64;
use tarpit_proto::{
    account::Told,
    fact::{Entry, Fact},
    patterns,
    session::SessionId,
    ssh_offer::SshOffer,
};

use crate::{
    report::{anonymize::Anonymizer, geoip::Origin},
    settings::{Discretion, TimeForm},
};

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) discretion: Discretion,
    pub(crate) form: Form,
    pub(crate) anonymizer: Anonymizer,
}

/// Who reads the lines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Readers of Cowrie's JSON.
    Cowrie,
    /// Readers of the Elastic Common Schema.
    Ecs,
    /// Readers of endlessh's lines.
    Endlessh,
    /// Programs that know tarpitd's own JSON.
    Json(TimeForm),
    /// A person at a terminal.
    People,
}

impl Form {
    /// Whether it has a line for events of this kind.
    pub(crate) fn has(self, kind: Kind) -> bool {
        match self {
            Self::Endlessh => endlessh::has(kind),
            Self::Cowrie | Self::Ecs | Self::Json(_) | Self::People => true,
        }
    }
}

/// An event, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// The time since 1970.
    pub(crate) wall: Duration,
    pub(crate) subject: Subject<'a>,
    /// The client's protocol, if it had to be found out.
    pub(crate) protocol: Option<&'a str>,
    pub(crate) what: Happening<'a>,
}

impl<'a> Event<'a> {
    /// The protocol that the client speaks, or else the one that its tarpit plays.
    fn spoken(&self) -> Option<&'a str> {
        let played = || patterns::named(self.subject.pattern)?.protocol().map(|it| it.name);
        self.protocol.or_else(played)
    }
}

/// Whose line it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The tarpit's name.
    pub(crate) name: &'a str,
    /// The pattern's name.
    pub(crate) pattern: &'a str,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// The relay, if one named the client.
    pub(crate) via: Option<SocketAddr>,
    pub(crate) session: SessionId,
    /// Whether the tarpit's clients are traced at all.
    pub(crate) traced: bool,
}

/// Where a client is held, for formats that tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// The connection's number among the daemon's open files.
    pub(crate) fd: RawFd,
    /// How many clients the port holds with this one.
    pub(crate) held: u32,
    /// How many it may hold; 0: no limit.
    pub(crate) most: u32,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    Close {
        fd: RawFd,
        held: Duration,
        sent: u64,
        received: u64,
        reason: &'static str,
        /// Guesses that were not written again, and facts beyond the bound of a connection.
        repeats: u32,
        untold: u32,
        /// What the worker used since the last close that was written.
        worker_cpu: Duration,
    },
    ConnError {
        err: &'a str,
        msg: &'a str,
    },
    /// Facts that belong together, without those of a guess that was written before.
    Learn {
        facts: &'a [Entry],
        told: Told,
    },
    /// The client broke a protocol.
    Malformed {
        layer: &'static str,
        reason: &'static str,
    },
    Open(Seat, Origin<'a>),
    Refuse {
        reason: &'static str,
    },
    Validate {
        expected: bool,
        data: &'a [u8],
        comment: &'a str,
    },
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Close,
    ConnError,
    Learn,
    Malformed,
    Open,
    Refuse,
    Validate,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::Close,
        Self::ConnError,
        Self::Learn,
        Self::Malformed,
        Self::Open,
        Self::Refuse,
        Self::Validate,
    ];

    /// The name in the trace.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::ConnError => "conn_error",
            Self::Learn => "learn",
            Self::Malformed => "malformed",
            Self::Open => "open",
            Self::Refuse => "refuse",
            Self::Validate => "validate",
        }
    }

    /// Whether it is left out last, if not all lines may be written.
    pub(crate) fn comes_first(self) -> bool {
        matches!(self, Self::Close | Self::Open)
    }
}

impl Happening<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Happening::Close { .. } => Kind::Close,
            Happening::ConnError { .. } => Kind::ConnError,
            Happening::Learn { .. } => Kind::Learn,
            Happening::Malformed { .. } => Kind::Malformed,
            Happening::Open(..) => Kind::Open,
            Happening::Refuse { .. } => Kind::Refuse,
            Happening::Validate { .. } => Kind::Validate,
        }
    }
}

/// Appends the event's lines to `out`, each with the client's address as the style shows it.
pub(crate) fn write(out: &mut Vec<u8>, style: Style, event: &Event<'_>) {
    let Style { discretion, form, anonymizer } = style;
    let client = anonymizer.shown(event.subject.client);
    let hidden;
    let what = match event.what {
        Happening::Learn { facts, told } => {
            hidden = anonymous(facts, anonymizer, event.subject.client.ip());
            Happening::Learn { facts: hidden.as_deref().unwrap_or(facts), told }
        }
        what => what,
    };
    let event = Event { subject: Subject { client, ..event.subject }, what, ..*event };
    match form {
        Form::Cowrie => cowrie::write(out, discretion, &event),
        Form::Ecs => ecs::write(out, discretion, &event),
        Form::Endlessh => endlessh::write(out, &event),
        Form::Json(time) => json::write(out, time, discretion, &event),
        Form::People => people::write(out, discretion, &event),
    }
}

/// The facts without the client's address, if one of them has it.
fn anonymous(facts: &[Entry], anonymizer: Anonymizer, client: IpAddr) -> Option<Vec<Entry>> {
    let hidden = |value: &[u8]| anonymizer.hidden(client, value);
    if !facts.iter().flat_map(values).any(|value| hidden(value).is_some()) {
        return None;
    }
    let offer = |offer: &SshOffer| {
        let shown = offer.lists().map(|list| hidden(list).unwrap_or_else(|| list.to_vec()));
        Box::new(SshOffer::new(shown.each_ref().map(Vec::as_slice)))
    };
    let all = facts.iter().map(|entry| {
        let entry = Entry { offer: entry.offer.as_deref().map(offer), ..entry.clone() };
        let Some(value) = hidden(&entry.value) else { return entry };
        // A value that was cut is longer than what is written, however long that is now.
        let is_whole = entry.length <= entry.value.len();
        let length = if is_whole { value.len() } else { entry.length.max(value.len() + 1) };
        Entry { value, length, ..entry }
    });
    Some(all.collect())
}

/// All that a client said in a fact.
fn values(entry: &Entry) -> impl Iterator<Item = &[u8]> {
    let lists = entry.offer.iter().flat_map(|offer| offer.lists());
    iter::once(&*entry.value).chain(lists)
}

/// Facts by their names.
#[derive(Clone, Copy, Debug)]
struct Learnt<'a> {
    facts: &'a [Entry],
    told: Told,
    discretion: Discretion,
}

impl<'a> Learnt<'a> {
    /// The facts that are written. The protocol has a key of its own.
    fn facts(&self) -> impl Iterator<Item = &'a Entry> {
        let told = self.told;
        self.facts.iter().filter(move |Entry { fact, .. }| {
            *fact != Fact::Protocol && !(told == Told::Beside && fact.is_of_guess())
        })
    }

    /// What is written of a fact: its value, and its length where the value is not all of it.
    fn told(&self, entry: &'a Entry) -> (Option<Shown<'a>>, Option<usize>) {
        let Entry { fact, value, length, .. } = entry;
        let shows = self.shows(*fact);
        let is_whole = shows && *length <= value.len();
        (shows.then(|| Shown::of(value)), (!is_whole).then_some(*length))
    }

    /// Whether a fact's value is written, or only its length.
    fn shows(&self, fact: Fact) -> bool {
        match fact {
            Fact::Secret => self.discretion.log_secrets,
            Fact::User => self.discretion.log_users,
            _ if fact.names_clients() => self.discretion.log_forwarded,
            _ => true,
        }
    }
}

/// A client's bytes: text if they are UTF-8, else base64.
#[derive(Clone, Debug)]
enum Shown<'a> {
    Base64(String),
    Text(&'a str),
}

impl<'a> Shown<'a> {
    fn of(value: &'a [u8]) -> Self {
        Self::text_or_base64(quote::shown(value), value)
    }

    /// The same of a value that was never cut.
    fn whole(value: &'a [u8]) -> Self {
        Self::text_or_base64(str::from_utf8(value).ok(), value)
    }

    fn text_or_base64(text: Option<&'a str>, value: &[u8]) -> Self {
        text.map_or_else(|| Self::Base64(BASE64.encode(value)), Self::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCREET: Discretion =
        Discretion { log_secrets: false, log_users: true, log_forwarded: true };

    /// When everything happens in tests.
    const WALL: Duration = Duration::from_micros(1_795_333_948_123_456);

    pub(super) fn subject(client: &str) -> Subject<'_> {
        Subject {
            name: "my_ssh",
            pattern: "ssh_trans_hold",
            client: client.parse().unwrap(),
            server: "198.51.100.1:22".parse().unwrap(),
            via: None,
            session: SessionId(0xAB),
            traced: true,
        }
    }

    pub(super) const SEAT: Seat = Seat { fd: 9, held: 3, most: 4_096 };

    pub(super) const NOWHERE: Origin<'_> =
        Origin { country: None, city: None, asn: None, as_org: None };

    pub(super) fn entries(facts: &[(Fact, &[u8], usize)]) -> Vec<Entry> {
        let entry = |&(fact, value, length): &(Fact, &[u8], usize)| Entry {
            fact,
            value: value.to_vec(),
            length,
            offer: None,
        };
        facts.iter().map(entry).collect()
    }

    /// An SSH client's offer with these bytes in every list.
    pub(super) fn offer(list: &[u8]) -> SshOffer {
        SshOffer::new([list; SshOffer::LISTS])
    }

    fn line(what: Happening<'_>, client: &str) -> String {
        styled(what, client, DISCREET, Form::Json(TimeForm::Epoch), None)
    }

    pub(super) fn styled(
        what: Happening<'_>,
        client: &str,
        discretion: Discretion,
        form: Form,
        protocol: Option<&str>,
    ) -> String {
        let mut out = Vec::new();
        let anonymizer = Anonymizer::Whole;
        let event = Event { wall: WALL, subject: subject(client), protocol, what };
        write(&mut out, Style { discretion, form, anonymizer }, &event);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_come_in_the_promised_order() {
        assert_eq!(
            line(Happening::Open(SEAT, NOWHERE), "192.0.2.7:40000"),
            "{\"time\":1795333948.123456,\"event\":\"open\",\"name\":\"my_ssh\",\
             \"pattern\":\"ssh_trans_hold\",\"conn_info\":{\"peername\":[\"192.0.2.7\",40000],\
             \"sockname\":[\"198.51.100.1\",22]},\"meta\":null,\
             \"session\":\"00000000000000ab\"}\n"
        );
        let close = Happening::Close {
            fd: 9,
            held: Duration::from_millis(1_502),
            sent: 23,
            received: 9,
            reason: "left",
            repeats: 8,
            untold: 0,
            worker_cpu: Duration::from_micros(250),
        };
        let text = line(close, "[2001:db8::7]:40000");
        assert!(text.contains("\"peername\":[\"2001:db8::7\",40000,0,0]"), "{text}");
        assert!(
            text.ends_with(
                "\"meta\":{\"request\":\"b''\"},\"session\":\"00000000000000ab\",\
                 \"duration\":1.502000,\"sent\":23,\"received\":9,\"reason\":\"left\",\"repeats\":8,\
                 \"untold\":0,\"worker_cpu\":0.000250}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_broken_protocol_is_told_by_layer_and_reason() {
        let text = line(Happening::Malformed { layer: "ssh", reason: "mac" }, "192.0.2.7:1");
        assert!(text.contains(r#""event":"malformed","#), "{text}");
        assert!(text.contains(r#""meta":{"layer":"ssh","reason":"mac"},"#), "{text}");
    }

    #[test]
    fn hostile_bytes_stay_within_their_string() {
        let text = line(
            Happening::Validate { expected: false, data: b"\"}\n\x1b", comment: "no" },
            "192.0.2.7:1",
        );
        assert!(text.contains(r#""data":"b'\"}\\n\\x1b'""#), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    fn meta(facts: &[(Fact, &[u8], usize)], log_secrets: bool, log_users: bool) -> String {
        meta_of(facts, Told::All, Discretion { log_secrets, log_users, log_forwarded: log_users })
    }

    fn meta_of(facts: &[(Fact, &[u8], usize)], told: Told, discretion: Discretion) -> String {
        let learn = Happening::Learn { facts: &entries(facts), told };
        let text = styled(learn, "192.0.2.7:1", discretion, Form::Json(TimeForm::Epoch), None);
        let (_, meta) = text.split_once("\"meta\":").unwrap();
        meta.split_once(",\"session\"").unwrap().0.to_owned()
    }

    #[test]
    fn what_a_step_taught_is_told_by_name_and_a_secret_by_its_length() {
        let guess: [(Fact, &[u8], usize); 3] = [
            (Fact::User, "r\"öt\n".as_bytes(), 6),
            (Fact::Secret, b"let'mein", 8),
            (Fact::Method, b"password", 8),
        ];
        let told = r#"{"user":"r\"öt\n","secret":"let'mein","method":"password"}"#;
        assert_eq!(meta(&guess, true, true), told);
        let told = r#"{"user":"r\"öt\n","secret_length":8,"method":"password"}"#;
        assert_eq!(meta(&guess, false, true), told);
        let told = r#"{"user_length":6,"secret":"let'mein","method":"password"}"#;
        assert_eq!(meta(&guess, true, false), told);
        let bytes: [(Fact, &[u8], usize); 2] =
            [(Fact::HttpHost, b"caf\xE9", 4), (Fact::HttpUserAgent, b"cut", 6_000)];
        let told = r#"{"http_host":{"base64":"Y2Fm6Q=="},"http_user_agent":"cut","http_user_agent_length":6000}"#;
        assert_eq!(meta(&bytes, false, false), told);
    }

    #[test]
    fn time_and_protocol_stand_where_they_are_promised() {
        let form = Form::Json(TimeForm::Rfc3339);
        let text =
            styled(Happening::Open(SEAT, NOWHERE), "192.0.2.7:1", DISCREET, form, Some("redis"));
        assert!(text.starts_with("{\"time\":\"2026-11-22T07:52:28.123Z\",\"event\":\"open\""));
        assert!(text.ends_with("\"session\":\"00000000000000ab\",\"protocol\":\"redis\"}\n"));
    }

    #[test]
    fn a_guess_that_was_told_and_the_protocol_are_no_facts_of_an_event() {
        let facts: [(Fact, &[u8], usize); 4] = [
            (Fact::Protocol, b"http", 4),
            (Fact::HttpRequest, b"GET /", 5),
            (Fact::User, b"root", 4),
            (Fact::Secret, b"toor", 4),
        ];
        let told = r#"{"http_request":"GET /"}"#;
        assert_eq!(meta_of(&facts, Told::Beside, DISCREET), told);
        let told = r#"{"http_request":"GET /","user":"root","secret_length":4}"#;
        assert_eq!(meta_of(&facts, Told::All, DISCREET), told);
    }

    #[test]
    fn nothing_in_a_value_moves_a_cursor() {
        let value = "a\u{9b}2J\u{7f}\u{202e}\u{1f600}\u{e0001}\u{1b}".as_bytes();
        let told = r#"{"user":"a\u009b2J\u007f\u202e😀\udb40\udc01\u001b"}"#;
        let text = meta(&[(Fact::User, value, value.len())], false, true);
        assert_eq!(text, told);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["user"].as_str().unwrap().as_bytes(), value);
    }

    #[test]
    fn a_letter_that_was_cut_makes_no_base64() {
        let mut value = vec![b'a'; Fact::SHOWN - 1];
        value.push("ö".as_bytes()[0]);
        let text = meta(&[(Fact::User, &value, 300)], false, true);
        assert_eq!(text, format!("{{\"user\":\"{}\",\"user_length\":300}}", "a".repeat(255)));
        // So much came of it, and no more.
        assert!(meta(&[(Fact::User, b"a\xC3", 2)], false, true).contains("base64"));
    }

    const FORMS: [Form; 5] =
        [Form::Cowrie, Form::Ecs, Form::Endlessh, Form::Json(TimeForm::Epoch), Form::People];

    #[test]
    fn no_value_of_a_client_ends_a_line_or_moves_a_cursor_in_any_format() {
        let bytes = (0..=u8::MAX).map(|byte| vec![byte, b'"', b'\\', byte]);
        let letters = ["\u{85}", "\u{2028}", "\u{202e}", "\u{feff}", "\u{e0001}", "\\u0000", "%s"];
        for value in bytes.chain(letters.map(|letter| letter.as_bytes().to_vec())) {
            let facts = [Fact::User, Fact::Secret, Fact::Command, Fact::HttpRequest, Fact::TlsSni];
            let facts = facts.map(|fact| (fact, &*value, value.len()));
            let hassh = Entry::whole(Fact::SshHassh, b"0".to_vec());
            let hassh = Entry { offer: Some(Box::new(offer(&value))), ..hassh };
            let (facts, open) = (
                [entries(&facts), vec![hassh]].concat(),
                Discretion { log_secrets: true, log_users: true, log_forwarded: true },
            );
            for what in [
                Happening::Learn { facts: &facts, told: Told::All },
                Happening::Validate { expected: false, data: &value, comment: "no" },
            ] {
                for form in FORMS {
                    let text = styled(what, "192.0.2.7:1", open, form, None);
                    let is_harmless = |c: char| c == '\n' || c.escape_debug().nth(1).is_none();
                    let is_plain = |c: char| is_harmless(c) || "\"'\\".contains(c);
                    assert!(text.chars().all(is_plain), "{form:?} {value:?}: {text:?}");
                    if !matches!(form, Form::People) {
                        for line in text.lines() {
                            serde_json::from_str::<serde_json::Value>(line).unwrap();
                        }
                    }
                    let most = if matches!(form, Form::Cowrie) { 4 } else { 1 };
                    assert!(text.lines().count() <= most, "{form:?} {value:?}: {text:?}");
                }
            }
        }
    }

    #[test]
    fn every_format_has_the_address_as_it_is_to_be_shown() {
        for form in FORMS {
            let mut out = Vec::new();
            let (subject, what) = (subject("192.0.2.77:40000"), Happening::Open(SEAT, NOWHERE));
            let event = Event { wall: WALL, subject, protocol: None, what };
            let anonymizer = Anonymizer::Prefix;
            write(&mut out, Style { discretion: DISCREET, form, anonymizer }, &event);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("192.0.2.0") && !text.contains("192.0.2.77"), "{text}");
            assert!(text.contains("40000"), "{text}");
            let facts = entries(&[
                (Fact::SmtpHelo, b"[192.0.2.77]", 12),
                (Fact::Command, b"PORT 192,0,2,77,1,2", 300),
            ]);
            let hassh = Entry::whole(Fact::SshHassh, b"0".to_vec());
            let hassh = Entry { offer: Some(Box::new(offer(b"a,192.0.2.77"))), ..hassh };
            let facts = [facts, vec![hassh]].concat();
            let what = Happening::Learn { facts: &facts, told: Told::All };
            let mut out = Vec::new();
            write(
                &mut out,
                Style { discretion: DISCREET, form, anonymizer },
                &Event { what, ..event },
            );
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains("2.77") && !text.contains("2,77"), "{text}");
            let says_all = text.contains("[192.0.2.0]") && text.contains("PORT 192,0,2,0,1,2");
            assert!(says_all || matches!(form, Form::Endlessh), "{text}");
            assert!(!text.contains("helo_length"), "it is whole: {text}");
            let has_offer = text.contains(r#"kexAlgs":["a","192.0.2.0"]"#);
            assert_eq!(has_offer, matches!(form, Form::Cowrie), "{text}");
        }
    }
}
