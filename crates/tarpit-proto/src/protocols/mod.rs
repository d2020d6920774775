//! The registry: every protocol that first bytes can show, one line each, whether it is held or
//! only named.
//!
//! What a protocol is stands in its own file or folder; see [`Protocol`].

pub(crate) mod command;
mod ftp;
pub(crate) mod http;
mod named;
pub(crate) mod raw;
mod redis;
pub(crate) mod secret;
pub(crate) mod shell;
pub(crate) mod smtp;
pub(crate) mod ssh;
mod telnet;
pub(crate) mod tls;

use alloc::vec::Vec;

pub use self::{ftp::FTP, http::HTTP, smtp::SMTP, ssh::SSH, telnet::TELNET, tls::TLS};
pub use crate::script::Protocol;
use crate::{
    base::state::{Field, Packer, Saved, Unpacker, layout, load_name, save_name},
    script::{Side, Sight},
    wire::sighting::Sighting,
};

/// All of them. If first bytes may still mean two protocols, the upper one has precedence.
pub static ALL: &[&Protocol] = &[
    &SSH,
    &TLS,
    &TELNET,
    &FTP,
    &SMTP,
    &redis::REDIS,
    &named::POP3,
    &named::RTSP,
    &named::SIP,
    &HTTP,
    &named::IMAP,
    &named::MEMCACHED,
    &named::IRC,
    &named::VNC,
    &named::RSYNC,
    &named::XMPP,
    &named::JRMI,
    &named::ADB,
    &named::GIOP,
    &named::T3,
    &named::BITTORRENT,
    &named::X11,
    &named::AJP,
    &named::RDP,
    &named::SOCKS5,
    &named::SOCKS4,
    &named::MSSQL,
    &named::MQTT,
    &named::LDAP,
    &named::SMB,
    &named::POSTGRES,
    &named::TNS,
    &named::DNS,
    // The vaguest comes last: two of its first bytes may be anything.
    &named::MONGODB,
];

/// Those that are held.
pub fn held() -> impl Iterator<Item = &'static Protocol> {
    ALL.iter().copied().filter(|protocol| !protocol.patterns.is_empty())
}

/// The protocol called `name`.
pub fn named(name: &str) -> Option<&'static Protocol> {
    ALL.iter().copied().find(|protocol| protocol.name == name)
}

/// The protocol whose clients are expected on this port.
pub fn on(port: u16) -> Option<&'static Protocol> {
    ALL.iter().copied().find(|protocol| protocol.is_on(port))
}

/// What first bytes show.
#[derive(Clone, Copy, Debug)]
pub enum Detection {
    /// They may still become one of several; this is the likeliest, if there are any bytes.
    Incomplete(Option<&'static Protocol>),
    /// They are of this protocol, whatever follows.
    Shown(&'static Protocol),
    /// They are of none, whatever follows.
    Unknown,
}

/// Whether a client whose first bytes are `bytes` speaks `protocol`.
///
/// A verdict other than [`Sighting::Incomplete`] is final: more bytes never change it.
pub fn sight(protocol: &'static Protocol, bytes: &[u8]) -> Sighting {
    let rest = match protocol.sight {
        Sight::Own(sight) => return sight(bytes),
        Sight::Rest(sight) => sight(bytes),
    };
    rest.unwrap_or_else(|| {
        let others = held().filter(|&other| other != protocol);
        let verdicts = others.filter_map(|other| match (&other.sight, other.first) {
            (Sight::Rest(_), _) => None,
            // Its clients do not wait for a greeting, so that words are rarely theirs.
            (Sight::Own(_), Side::Client) => Some(sight_among_others(other, bytes)),
            (Sight::Own(sight), Side::Server) => Some(sight(bytes)),
        });
        // What is of none of them is this one's; what is of one is not.
        verdicts.fold(Sighting::Matches, |verdict, other| match (verdict, other) {
            (Sighting::Differs, _) | (_, Sighting::Matches) => Sighting::Differs,
            (_, Sighting::Incomplete) => Sighting::Incomplete,
            (verdict, Sighting::Differs) => verdict,
        })
    })
}

/// The protocol of a client whose first bytes are `bytes`.
///
/// Some words belong to several protocols (`HELP`, `QUIT`, `AUTH`). They mean the one that the
/// client `expects`, in which it was greeted; without a greeting they mean none. A verdict other
/// than [`Detection::Incomplete`] is final: more bytes never change it, and after some 512 bytes
/// there is one.
pub fn detect(bytes: &[u8], expects: Option<&'static Protocol>) -> Detection {
    if bytes.is_empty() {
        return Detection::Incomplete(None);
    }
    let expected = expects.filter(|protocol| !protocol.patterns.is_empty());
    let expected = expected.map(|protocol| (protocol, sight(protocol, bytes)));
    // The first row that does not differ decides, now or later.
    let rows = ALL.iter().map(|&protocol| (protocol, sight_among_others(protocol, bytes)));
    for (protocol, verdict) in expected.into_iter().chain(rows) {
        match verdict {
            Sighting::Differs => {}
            Sighting::Incomplete => return Detection::Incomplete(Some(protocol)),
            Sighting::Matches => return Detection::Shown(protocol),
        }
    }
    Detection::Unknown
}

fn sight_among_others(protocol: &'static Protocol, bytes: &[u8]) -> Sighting {
    match protocol.among_others {
        Some(sight) => sight(bytes),
        None => sight(protocol, bytes),
    }
}

/// Where a protocol stands in the registry.
pub(crate) fn place(protocol: &Protocol) -> u8 {
    let place = ALL.iter().position(|&one| one == protocol);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// What stands at a place of the registry.
pub(crate) fn at(place: u8) -> Option<&'static Protocol> {
    ALL.get(usize::from(place)).copied()
}

impl Saved for &'static Protocol {
    const LAYOUT: u32 = layout(b"protocol", 0);

    fn save(&self, out: &mut Vec<u8>) {
        save_name(self.name, out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        named(load_name(saved)?)
    }
}

impl Field for &'static Protocol {
    const BITS: u32 = 7;

    fn put(self, out: &mut Packer) {
        out.push(place(self).into(), Self::BITS);
    }

    fn get(from: &mut Unpacker) -> Option<Self> {
        at(u8::try_from(from.pull(Self::BITS)).ok()?)
    }
}

/// For the fuzzer and its replayed corpus: a final verdict is never changed by more bytes, whatever
/// the client expects.
#[doc(hidden)]
pub fn check_detections_are_final(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(1_024)];
    for expects in held().map(Some).chain([None]) {
        let mut verdict = Detection::Incomplete(None);
        for end in 0..=bytes.len() {
            let now = detect(&bytes[..end], expects);
            let stays = match (verdict, now) {
                (Detection::Incomplete(_), _) | (Detection::Unknown, Detection::Unknown) => true,
                (Detection::Shown(then), Detection::Shown(now)) => then == now,
                _ => false,
            };
            assert!(stays, "{expects:?} at {end}: {verdict:?}, then {now:?}");
            verdict = now;
        }
        let open = matches!(verdict, Detection::Incomplete(_));
        assert!(bytes.len() < 516 || !open, "{expects:?} never decides");
    }
}

/// For the fuzzer and its replayed corpus: a final verdict is never changed by more bytes.
#[doc(hidden)]
pub fn check_verdicts_are_final(bytes: &[u8]) {
    for protocol in held() {
        let mut verdict = Sighting::Incomplete;
        for end in 0..=bytes.len() {
            let now = sight(protocol, &bytes[..end]);
            assert!(verdict == Sighting::Incomplete || now == verdict, "{protocol:?} at {end}");
            verdict = now;
        }
        assert!(
            bytes.len() < 1_024 || verdict != Sighting::Incomplete,
            "{protocol:?} never decides"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        script::Sign,
        wire::sighting::{SHARED, verb},
    };

    extern crate std;
    use std::{collections::HashSet, vec::Vec};

    fn shown(bytes: &[u8], expects: Option<&'static Protocol>) -> &'static str {
        match detect(bytes, expects) {
            Detection::Incomplete(_) => "?",
            Detection::Shown(protocol) => protocol.name,
            Detection::Unknown => "-",
        }
    }

    #[test]
    fn every_name_and_place_leads_to_its_protocol() {
        let names: HashSet<_> = ALL.iter().map(|protocol| protocol.name).collect();
        assert_eq!(names.len(), ALL.len());
        for (number, &protocol) in ALL.iter().enumerate() {
            assert_eq!(usize::from(place(protocol)), number);
            assert_eq!(named(protocol.name), Some(protocol));
        }
        assert!(ALL.len() < 1 << <&'static Protocol as Field>::BITS);
    }

    #[test]
    fn no_port_belongs_to_two() {
        let ports = ALL.iter().flat_map(|protocol| protocol.ports.iter().chain(protocol.also_on));
        let ports: Vec<_> = ports.collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    }

    #[test]
    fn every_protocol_is_told_by_its_openings_where_it_is_expected_and_no_other_is() {
        for &protocol in ALL {
            assert!(!protocol.openings.is_empty(), "{protocol:?}");
            for &opening in protocol.openings {
                let text = opening.escape_ascii();
                assert_eq!(shown(opening, Some(protocol)), protocol.name, "{text}");
                check_detections_are_final(opening);
                for other in held() {
                    let wanted =
                        if other == protocol { Sighting::Matches } else { Sighting::Differs };
                    // What is not held may be a name to telnet, and some words belong to several.
                    let is_shared = verb(opening, SHARED) == Sighting::Matches;
                    if !protocol.patterns.is_empty() && !is_shared {
                        assert_eq!(sight(other, opening), wanted, "{text} as {other:?}");
                    }
                }
            }
            let told = |&&opening: &&&[u8]| shown(opening, None) == protocol.name;
            let count = protocol.openings.iter().filter(told).count();
            assert!(count > 0, "{protocol:?} cannot be told from others");
            // What is only named is always told so.
            assert!(!protocol.patterns.is_empty() || count == protocol.openings.len());
        }
    }

    #[test]
    fn a_server_that_speaks_first_has_a_greeting_and_no_other_has() {
        for &protocol in ALL {
            assert_eq!(protocol.first == Side::Server, protocol.greet.is_some(), "{protocol:?}");
        }
    }

    #[test]
    fn shared_words_mean_what_the_client_expects() {
        for (bytes, expects, wanted) in [
            (&b"HELP\r\n"[..], None, "-"),
            (b"HELP\r\n", Some(&FTP), "ftp"),
            (b"HELP\r\n", Some(&SMTP), "smtp"),
            (b"QUIT\r\n", Some(&SSH), "-"),
            (b"AUTH x\r\n", Some(&SMTP), "smtp"),
            (b"AUTH LOGIN\r\n", Some(&SSH), "smtp"),
            (b"USER a\r\n", Some(&SMTP), "ftp"),
            (b"GET / HTTP/1.1\r\n", Some(&SSH), "http"),
            (b"abc", None, "?"),
            (b"hello\r\n", None, "-"),
            (b"\xDE\xAD\xBE\xEF", None, "-"),
            (b"", Some(&FTP), "?"),
        ] {
            assert_eq!(shown(bytes, expects), wanted, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_may_still_match_is_waited_for() {
        for (protocol, bytes) in [
            (&SSH, &b"SS"[..]),
            (&HTTP, b"GE"),
            (&HTTP, b"FROB /"),
            (&FTP, b"us"),
            (&FTP, b"\xFF\xF4"),
            (&FTP, b"\xFF\xF4\xFF\xF2AB"),
            (&SMTP, b"EHL"),
            (&TELNET, b"us"),
            (&TELNET, b"\xFF"),
            (&TELNET, b"GET"),
            (&TELNET, b"\xFB\xC1"),
            (&TLS, b"\x16\x03"),
        ] {
            assert_eq!(sight(protocol, bytes), Sighting::Incomplete, "{bytes:?}");
        }
    }

    #[test]
    fn a_verb_alone_may_be_a_name() {
        for (bytes, wanted) in [
            (&b"user"[..], Sighting::Incomplete),
            (b"user\r\n", Sighting::Matches),
            (b"Mail\n", Sighting::Matches),
            (b"user root\r\n", Sighting::Differs),
            (b"quit\r\n", Sighting::Differs),
        ] {
            assert_eq!(sight(&TELNET, bytes), wanted, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn verdicts_are_final(bytes in prop::collection::vec(any::<u8>(), 0..1_100)) {
            check_verdicts_are_final(&bytes);
        }

        #[test]
        fn verdicts_behind_signals_are_final(
            signals in prop::collection::vec(0xDF_u8.., 0..200),
            text in "(ABOR|STAT|EHLO|[A-Za-z]{0,9})[ \r\n]{0,2}",
        ) {
            check_verdicts_are_final(&[&signals[..], text.as_bytes()].concat());
        }

        #[test]
        fn verdicts_on_text_are_final(
            text in "(GET|HELO|user|FROB|SSH-|[A-Za-z]{0,40})[ /\r\n]{0,3}[ -~]{0,40}( HTTP/1.1)?\r?\n?",
        ) {
            check_verdicts_are_final(text.as_bytes());
        }

        #[test]
        fn detections_are_final(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            check_detections_are_final(&bytes);
        }

        #[test]
        fn detections_of_small_numbers_are_final(bytes in prop::collection::vec(0_u8..6, 0..24)) {
            check_detections_are_final(&bytes);
        }

        #[test]
        fn what_begins_like_something_known_is_final(
            row in 0..ALL.len(),
            keep in 0_usize..40,
            more in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let openings = ALL[row].openings;
            let opening = openings[keep % openings.len()];
            let kept = &opening[..keep.min(opening.len())];
            check_detections_are_final(&[kept, &more].concat());
        }

        #[test]
        fn detections_of_lines_are_final(
            word in "(AUTH|OPTIONS|GET_PARAMETER|stats|get|a1|HELP|\\*1|[A-Za-z]{0,9})",
            rest in "[ /\r\n]{0,2}[ -~]{0,30}( HTTP/1.1| RTSP/1.0| SIP/2.0)?\r?\n?",
        ) {
            check_detections_are_final(&[word.as_bytes(), rest.as_bytes()].concat());
        }
    }

    #[test]
    fn every_known_client_has_a_name_of_its_own_and_is_found_by_what_it_shows() {
        let mut count = 0;
        for protocol in held() {
            let signs = protocol.clients.signs();
            for (place, (name, sign)) in signs.iter().enumerate() {
                count += 1;
                let first = signs.iter().position(|(other, _)| other == name);
                assert_eq!(first, Some(place), "{}: {name} twice", protocol.name);
                let (Sign::Contains(words) | Sign::Says(words)) = sign else { continue };
                let found = signs.iter().position(|(_, sign)| sign.fits(words));
                assert_eq!(found, Some(place), "{}: {name} is taken for another", protocol.name);
            }
        }
        assert!(count > 25, "{count}");
    }
}
