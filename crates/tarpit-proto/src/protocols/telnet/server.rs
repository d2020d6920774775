//! The telnet service of each persona (RFC 854).

use alloc::string::String;

use crate::persona::{Machine, Persona};

/// What a machine's telnet service says.
#[derive(Debug)]
pub(super) struct Server {
    /// The name by which scanners know it.
    name: &'static str,
    /// The options that it negotiates at once, by which scanners name it.
    pub(super) offers: &'static [u8],
    /// Those that follow when the client has a terminal.
    pub(super) more: &'static [u8],
    /// What it asks for a name with: `{host}` stands for the host's name.
    ///
    /// What marks a shell's prompt (`#`, `$`, `>`, `%`) or a path must not stand in it: guessers
    /// take that for a success.
    login: &'static str,
    /// What it asks for a password with, on a new line.
    pub(super) password: &'static str,
    /// The prompt of its shell.
    pub(super) prompt: &'static str,
    /// Whether it asks for a password where no name was given.
    pub(super) takes_no_name: bool,
    /// Whether it has a terminal behind it, which shows control characters and obeys some.
    pub(super) has_terminal: bool,
    /// Whether it answers who asks if anybody is there, and marks times.
    pub(super) answers_signals: bool,
}

/// `BusyBox` from 1.14: echo, window size, and a server that echoes and never waits.
static BUSYBOX: Server = Server {
    name: "BusyBox telnetd",
    offers: b"\xFF\xFD\x01\xFF\xFD\x1F\xFF\xFB\x01\xFF\xFB\x03",
    more: b"",
    login: "\r\n{host} login: ",
    password: "Password: ",
    prompt: "# ",
    takes_no_name: false,
    has_terminal: true,
    answers_signals: false,
};

/// The telnetd of Linux distributions: terminal type, speed, display and environment. It talks of
/// echo only with terminals. Behind it is Debian 12's `login`.
const LINUX: Server = Server {
    name: "Linux telnetd",
    offers: b"\xFF\xFD\x18\xFF\xFD\x20\xFF\xFD\x23\xFF\xFD\x27",
    more: b"\xFF\xFB\x03\xFF\xFB\x01\xFF\xFD\x1F",
    login: "\r\n{host} login: ",
    password: "Password: ",
    prompt: "$ ",
    takes_no_name: true,
    has_terminal: true,
    answers_signals: true,
};

static LATER_LINUX: Server = LINUX;

/// The same with an earlier `login`, which asks for a name again.
static EARLIER_LINUX: Server = Server { takes_no_name: false, ..LINUX };

/// Microsoft's service: authentication first, and binary both ways.
static MICROSOFT: Server = Server {
    name: "Microsoft Telnet Service",
    offers: b"\xFF\xFD\x25\xFF\xFB\x01\xFF\xFB\x03\xFF\xFD\x27\xFF\xFD\x1F\xFF\xFD\x00\xFF\xFB\x00",
    more: b"",
    login: "Welcome to Microsoft Telnet Service \r\n\n\rlogin: ",
    password: "password: ",
    prompt: "C:\\>",
    takes_no_name: false,
    has_terminal: false,
    answers_signals: false,
};

/// The persona's service.
pub(super) fn of(persona: &Persona) -> &'static Server {
    match persona.machine() {
        Machine::Debian12 => &LATER_LINUX,
        Machine::IpCamera => &BUSYBOX,
        Machine::Ubuntu2204 => &EARLIER_LINUX,
        Machine::WindowsServer2019 => &MICROSOFT,
    }
}

/// What the persona's service is called.
pub(super) fn software(persona: &Persona) -> String {
    of(persona).name.into()
}

impl Server {
    /// Appends what it asks for a name with on this host.
    pub(super) fn ask_for_name(&self, host: &str, out: &mut impl Extend<u8>) {
        out.extend(self.login.replace("{host}", host).into_bytes());
    }
}
