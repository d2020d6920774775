//! The web server that a persona plays, and its rules for what no page answers.
//!
//! Apache's and nginx's answers were asked of Debian's packages on the loopback interface;
//! `tests/it/http_servers.rs` has them row by row. Those of IIS and Boa are what is publicly known
//! of them.

use alloc::string::String;

use crate::persona::{Machine, Persona};

/// A web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Apache,
    Boa,
    Iis,
    Nginx,
}

/// What the persona's server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    Server::name(persona).into()
}

impl Server {
    /// The one that the persona plays.
    pub(crate) fn of(persona: &Persona) -> Self {
        match persona.machine() {
            Machine::Debian12 => Self::Nginx,
            Machine::IpCamera => Self::Boa,
            Machine::Ubuntu2204 => Self::Apache,
            Machine::WindowsServer2019 => Self::Iis,
        }
    }

    /// What the persona's server calls itself in `Server:`.
    pub(crate) fn name(persona: &Persona) -> &'static str {
        match persona.machine() {
            Machine::Debian12 => "nginx/1.22.1",
            Machine::IpCamera => "Boa/0.94.14rc21",
            Machine::Ubuntu2204 => "Apache/2.4.52 (Ubuntu)",
            Machine::WindowsServer2019 => "Microsoft-IIS/10.0",
        }
    }

    /// Whether the line's end must be `\r\n`, its words one space apart, and fields beyond doubt.
    pub(crate) fn is_strict(self) -> bool {
        self == Self::Apache
    }

    /// The longest request line, its end not counted.
    pub(crate) fn longest_line(self) -> u32 {
        match self {
            Self::Apache | Self::Nginx => 8_190,
            Self::Boa => 2_048,
            Self::Iis => 16_384,
        }
    }

    /// The longest line of a field, with its end.
    pub(crate) fn longest_field(self) -> u32 {
        match self {
            Self::Apache => 8_194,
            Self::Boa => 2_048,
            Self::Iis => 16_384,
            Self::Nginx => 8_192,
        }
    }

    /// The most fields of a request.
    pub(crate) fn most_fields(self) -> u8 {
        if self == Self::Apache { 100 } else { u8::MAX }
    }
}
