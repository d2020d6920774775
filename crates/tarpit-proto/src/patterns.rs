//! The registry: every pattern by its name, one line each, in alphabetical order.

use crate::{
    auto::Auto,
    identify::Protocol,
    protocols::{ftp, http, raw, smtp, ssh, telnet, tls},
    script::Pattern,
};

/// All patterns.
pub const ALL: &[&dyn Pattern] = &[
    &Auto,
    &raw::egsh_aminoas::EgshAminoas,
    &raw::endless_banner::EndlessBanner,
    &ssh::endlessh::Endlessh,
    &ftp::endless_motd::FtpEndlessMotd,
    &ftp::hold::FtpHold,
    &http::bad_site::HttpBadSite,
    &http::deflate_html_bomb::HttpDeflateHtmlBomb,
    &http::deflate_size_bomb::HttpDeflateSizeBomb,
    &http::endless_header::HttpEndlessHeader,
    &http::fake_auth::HttpFakeAuth,
    &http::hold::HttpHold,
    &smtp::endless_ehlo::SmtpEndlessEhlo,
    &smtp::hold::SmtpHold,
    &ssh::auth_hold::SshAuthHold,
    &ssh::kex_hold::SshKexHold,
    &ssh::trans_hold::SshTransHold,
    &telnet::login::TelnetLogin,
    &tls::handshake::Tls,
    &tls::endless_hello_request::TlsEndlessHelloRequest,
    &tls::record_drip::TlsRecordDrip,
    &tls::slow_hello::TlsSlowHello,
];

/// The pattern called `name`, in any case: its own name, one of its [aliases](Pattern::aliases), or
/// the service that it is [recommended](RECOMMENDED) for.
pub fn named(name: &str) -> Option<&'static dyn Pattern> {
    let is_it = |other: &&str| other.eq_ignore_ascii_case(name);
    ALL.iter()
        .copied()
        .find(|pattern| is_it(&pattern.name()) || other_names(*pattern).any(|other| is_it(&other)))
}

/// What else `pattern` may be called: the services that it is recommended for, then its aliases.
pub fn other_names(pattern: &'static dyn Pattern) -> impl Iterator<Item = &'static str> {
    let recommended = RECOMMENDED.iter().filter(|it| it.pattern.name() == pattern.name());
    let services = recommended.map(|it| it.service).filter(|service| *service != pattern.name());
    services.chain(pattern.about().aliases.iter().copied())
}

/// The one answer to "which pattern?" for a port.
#[derive(Debug)]
pub struct Recommendation {
    /// What is expected on the ports; users may write it in place of the pattern's name.
    pub service: &'static str,
    /// The usual ports, those that need rights first. Empty: all the others.
    pub ports: &'static [u16],
    /// What to serve there.
    pub pattern: &'static dyn Pattern,
    /// What its clients are recorded with and held by, in one line.
    pub reason: &'static str,
    /// Its clients, as `auto` sees them; `None`: those of any protocol.
    protocol: Option<Protocol>,
}

/// What to serve on which port. The documents show this table.
pub const RECOMMENDED: &[Recommendation] = &[
    Recommendation {
        service: "ssh",
        ports: &[22, 2222],
        pattern: &ssh::auth_hold::SshAuthHold,
        reason: "records users and fingerprints; no login ever ends",
        protocol: Some(Protocol::Ssh),
    },
    Recommendation {
        service: "http",
        ports: &[80, 8080],
        pattern: &http::hold::HttpHold,
        reason: "records requests; holds browsers, password guessers and path scanners",
        protocol: Some(Protocol::Http),
    },
    Recommendation {
        service: "https",
        ports: &[443, 8443],
        pattern: &tls::handshake::Tls,
        reason: "completes the handshake, then holds the client by `http_hold` inside",
        protocol: Some(Protocol::Tls),
    },
    Recommendation {
        service: "smtp",
        ports: &[25, 587, 2525],
        pattern: &smtp::hold::SmtpHold,
        reason: "records senders and recipients; never accepts mail",
        protocol: Some(Protocol::Smtp),
    },
    Recommendation {
        service: "ftp",
        ports: &[21, 2121],
        pattern: &ftp::hold::FtpHold,
        reason: "records users; refuses every login slowly",
        protocol: Some(Protocol::Ftp),
    },
    Recommendation {
        service: "telnet",
        ports: &[23, 2323],
        pattern: &telnet::login::TelnetLogin,
        reason: "records users; never says whether a password is right",
        protocol: Some(Protocol::Telnet),
    },
    Recommendation {
        service: "auto",
        ports: &[],
        pattern: &Auto,
        reason: "recognises the protocol and holds the client by the pattern above",
        protocol: None,
    },
];

/// The pattern that serves a client of `protocol` where the owner has named none.
pub fn best_for(protocol: Protocol) -> Option<&'static dyn Pattern> {
    RECOMMENDED.iter().find(|it| it.protocol == Some(protocol)).map(|it| it.pattern)
}

/// What is inside `pattern`, if anything can be: `chosen` by the owner, or else what holds HTTP
/// clients best.
pub fn inside(
    pattern: &dyn Pattern,
    chosen: Option<&'static dyn Pattern>,
) -> Option<&'static dyn Pattern> {
    pattern.about().inner.map(|usual| chosen.unwrap_or(usual))
}

/// Whether what is asked is true of `pattern` or of what is [`inside`] it.
pub fn any(
    pattern: &dyn Pattern,
    chosen: Option<&'static dyn Pattern>,
    asks: impl Fn(&dyn Pattern) -> bool,
) -> bool {
    asks(pattern) || inside(pattern, chosen).is_some_and(asks)
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
        for protocol in Protocol::ALL {
            let best = name_of(best_for(protocol));
            assert!(best.is_some() && best == name_of(named(protocol.name())));
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
}
