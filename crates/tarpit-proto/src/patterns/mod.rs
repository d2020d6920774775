//! The registry: every pattern by its name, one line each, in alphabetical order.

mod auto;
mod egsh_aminoas;
mod endless_banner;
mod endlessh;
mod ftp_endless_motd;
mod ftp_hold;
mod ftp_listing;
mod http_bad_site;
mod http_deflate_html_bomb;
mod http_deflate_size_bomb;
mod http_endless_header;
mod http_fake_auth;
mod http_hold;
mod smtp_endless_ehlo;
mod smtp_hold;
mod ssh_auth_hold;
mod ssh_kex_hold;
mod ssh_trans_hold;
mod telnet_login;
mod tls;
mod tls_endless_hello_request;
mod tls_record_drip;
mod tls_slow_hello;

use core::time::Duration;

use crate::{
    identify::Protocol,
    pacer::{Pace, Unit},
    script::Pattern,
};

/// All patterns.
pub const ALL: &[&dyn Pattern] = &[
    &auto::Auto,
    &egsh_aminoas::EgshAminoas,
    &endless_banner::EndlessBanner,
    &endlessh::Endlessh,
    &ftp_endless_motd::FtpEndlessMotd,
    &ftp_hold::FtpHold,
    &http_bad_site::HttpBadSite,
    &http_deflate_html_bomb::HttpDeflateHtmlBomb,
    &http_deflate_size_bomb::HttpDeflateSizeBomb,
    &http_endless_header::HttpEndlessHeader,
    &http_fake_auth::HttpFakeAuth,
    &http_hold::HoldHttp,
    &smtp_endless_ehlo::SmtpEndlessEhlo,
    &smtp_hold::SmtpHold,
    &ssh_auth_hold::SshAuthHold,
    &ssh_kex_hold::SshKexHold,
    &ssh_trans_hold::SshTransHold,
    &telnet_login::TelnetLogin,
    &tls::Tls,
    &tls_endless_hello_request::TlsEndlessHelloRequest,
    &tls_record_drip::TlsRecordDrip,
    &tls_slow_hello::TlsSlowHello,
];

/// The pattern called `name`, in any case.
pub fn named(name: &str) -> Option<&'static dyn Pattern> {
    ALL.iter().copied().find(|pattern| pattern.name().eq_ignore_ascii_case(name))
}

/// Where `pattern` stands in the registry.
pub(crate) fn place(pattern: &dyn Pattern) -> Option<u16> {
    let place = ALL.iter().position(|one| one.name() == pattern.name());
    place.and_then(|place| u16::try_from(place).ok())
}

/// The pattern that stands at `place` in the registry.
pub(crate) fn at(place: u16) -> Option<&'static dyn Pattern> {
    ALL.get(usize::from(place)).copied()
}

/// What holds clients of each protocol best.
const BEST: [(Protocol, &dyn Pattern); 6] = [
    (Protocol::Ftp, &ftp_hold::FtpHold),
    (Protocol::Http, &http_hold::HoldHttp),
    (Protocol::Smtp, &smtp_hold::SmtpHold),
    (Protocol::Ssh, &ssh_auth_hold::SshAuthHold),
    (Protocol::Telnet, &telnet_login::TelnetLogin),
    (Protocol::Tls, &tls::Tls),
];

/// The pattern that serves a client of `protocol` where the owner has named none.
pub fn best_for(protocol: Protocol) -> Option<&'static dyn Pattern> {
    BEST.iter().find(|(one, _)| *one == protocol).map(|&(_, pattern)| pattern)
}

/// What is inside `pattern`, if anything can be: `chosen` by the owner, or else what holds HTTP
/// clients best.
pub fn inside(
    pattern: &dyn Pattern,
    chosen: Option<&'static dyn Pattern>,
) -> Option<&'static dyn Pattern> {
    chosen.or_else(|| best_for(Protocol::Http)).filter(|_| pattern.carries())
}

/// Whether what is asked is true of `pattern` or of what is [`inside`] it.
pub fn any(
    pattern: &dyn Pattern,
    chosen: Option<&'static dyn Pattern>,
    asks: impl Fn(&dyn Pattern) -> bool,
) -> bool {
    asks(pattern) || inside(pattern, chosen).is_some_and(asks)
}

/// What SSH clients bear between two lines or packets.
pub(crate) const EVERY_15_SECONDS: Pace =
    Pace { unit: Unit::Chunk, interval: Duration::from_secs(15) };

/// A line or packet every 8 seconds: below every inactivity limit that was measured, and no more
/// packets than that takes.
pub(crate) const EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Chunk, interval: Duration::from_secs(8) };

/// A byte every 8 seconds, for headers and records that a client reads as they come.
pub(crate) const BYTE_EVERY_8_SECONDS: Pace =
    Pace { unit: Unit::Byte, interval: Duration::from_secs(8) };
