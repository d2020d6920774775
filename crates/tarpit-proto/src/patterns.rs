//! Every pattern by its name: those of the protocols, those for any client, and `auto`.

use alloc::vec::Vec;

use crate::{
    auto::Auto,
    protocols::{self, raw},
    script::Pattern,
};

/// How many patterns there are.
const COUNT: usize = {
    let (mut count, mut place) = (1 + raw::PATTERNS.len(), 0);
    while place < protocols::ALL.len() {
        count += protocols::ALL[place].patterns.len();
        place += 1;
    }
    count
};

/// All patterns, in the order of the registry of protocols.
pub static ALL: [&dyn Pattern; COUNT] = {
    let mut all: [&dyn Pattern; COUNT] = [&Auto; COUNT];
    let mut filled = 1;
    let mut place = 0;
    while place < raw::PATTERNS.len() {
        all[filled] = raw::PATTERNS[place];
        (filled, place) = (filled + 1, place + 1);
    }
    place = 0;
    while place < protocols::ALL.len() {
        let patterns = protocols::ALL[place].patterns;
        let mut inner = 0;
        while inner < patterns.len() {
            all[filled] = patterns[inner];
            (filled, inner) = (filled + 1, inner + 1);
        }
        place += 1;
    }
    all
};

/// All patterns, in the order of their names.
pub fn by_name() -> Vec<&'static dyn Pattern> {
    let mut all = ALL.to_vec();
    all.sort_unstable_by_key(|pattern| pattern.name());
    all
}

/// The pattern called `name`, in any case: its own name, one of its
/// [aliases](crate::script::About::aliases), or the service that it is [recommended] for.
pub fn named(name: &str) -> Option<&'static dyn Pattern> {
    let is_it = |other: &&str| other.eq_ignore_ascii_case(name);
    ALL.iter()
        .copied()
        .find(|pattern| is_it(&pattern.name()) || other_names(*pattern).any(|other| is_it(&other)))
}

/// What else `pattern` may be called: the service that it is recommended for, then its aliases.
pub fn other_names(pattern: &'static dyn Pattern) -> impl Iterator<Item = &'static str> {
    let is_best = |protocol: &&protocols::Protocol| {
        protocol.best().is_some_and(|best| best.name() == pattern.name())
    };
    let names = protocols::held().filter(is_best).flat_map(|it| [it.service, it.name]);
    let names = names.filter(|name| *name != pattern.name());
    let mut before = "";
    let names = names.filter(move |name| core::mem::replace(&mut before, name) != *name);
    names.chain(pattern.about().aliases.iter().copied())
}

/// The one answer to "which pattern?" for a port.
#[derive(Debug)]
pub struct Recommendation {
    /// The service on these ports. Users may write it in place of the pattern's name.
    pub service: &'static str,
    /// The usual ports, those that need rights first. Empty: all the others.
    pub ports: &'static [u16],
    /// What to serve there.
    pub pattern: &'static dyn Pattern,
    /// What it records, and how it holds its clients, in one line.
    pub reason: &'static str,
}

/// What to serve on which port, in the order of the ports. The documents show this table.
pub fn recommended() -> Vec<Recommendation> {
    let of_protocol = |protocol: &'static protocols::Protocol| {
        let pattern = protocol.best()?;
        let protocols::Protocol { service, ports, reason, .. } = *protocol;
        Some(Recommendation { service, ports, pattern, reason })
    };
    let mut all: Vec<_> = protocols::held().filter_map(of_protocol).collect();
    all.sort_by_key(|it| it.ports.first().copied());
    all.push(Recommendation {
        service: "auto",
        ports: &[],
        pattern: &Auto,
        reason: "recognises the protocol and holds the client by the pattern above",
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(pattern: Option<&dyn Pattern>) -> Option<&'static str> {
        pattern.map(<dyn Pattern>::name)
    }

    #[test]
    fn protocols_and_old_names_lead_to_the_pattern_that_is_meant() {
        for (name, wanted) in [
            ("ssh", "ssh_auth_hold"),
            ("SSH", "ssh_auth_hold"),
            ("http", "http_hold"),
            ("https", "tls"),
            ("tls", "tls"),
            ("smtp", "smtp_hold"),
            ("ftp", "ftp_hold"),
            ("telnet", "telnet_login"),
            ("auto", "auto"),
            ("misc_endlessh", "endlessh"),
            ("misc_egsh_aminoas", "egsh_aminoas"),
            ("http_endless_cookie", "http_endless_header"),
            ("HTTP_ENDLESS_COOKIE", "http_endless_header"),
            ("http_deflate_bomb", "http_deflate_size_bomb"),
            ("http_bad_html", "http_bad_site"),
        ] {
            assert_eq!(name_of(named(name)), Some(wanted), "{name}");
        }
        for protocol in protocols::held() {
            let best = name_of(protocol.best());
            assert!(best.is_some() && best == name_of(named(protocol.name)));
        }
        assert!(named("misc_").is_none() && named("").is_none());
    }

    #[test]
    fn no_name_belongs_to_two_patterns() {
        let mut names: alloc::vec::Vec<_> = ALL
            .iter()
            .flat_map(|pattern| core::iter::once(pattern.name()).chain(other_names(*pattern)))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_pattern_of_a_protocol_says_so() {
        for protocol in protocols::held() {
            for pattern in protocol.patterns {
                assert_eq!(pattern.protocol(), Some(protocol), "{}", pattern.name());
            }
        }
        assert_eq!(ALL.iter().filter(|pattern| pattern.protocol().is_none()).count(), 3);
    }
}
