//! The machine that tarpitd imitates: one coherent host over all ports.

mod ssh;

use core::fmt::Write as _;

use alloc::{format, string::String};

use crate::{
    base::{rng::Seed, time::Wall},
    wire::ssh::Offer,
};

/// The machine that all listeners pretend to be.
#[derive(Clone, Debug)]
pub struct Persona {
    kind: &'static Kind,
    /// The host's name, the same on every port and after every start of one installation.
    host: String,
    /// See [`Persona::number`].
    number: u64,
}

/// What a kind of machine says of itself.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    machine: Machine,
    system: System,
    /// The SSH identification string, without the line's end (RFC 4253, section 4.2).
    ///
    /// All are releases before the strict key exchange, whose mark would forbid our packets.
    ssh: &'static str,
    /// What this release offers as a server.
    ssh_offer: &'static Offer,
    http_server: &'static str,
    /// SMTP's greeting: `{host}` stands for the host's name, `{date}` for the moment.
    smtp: &'static str,
    ftp: &'static str,
    telnet: Telnet,
}

/// What a machine's telnet service says (RFC 854).
#[derive(Debug)]
pub(crate) struct Telnet {
    /// The options that it negotiates at once, by which scanners name it.
    pub(crate) offers: &'static [u8],
    /// Those that follow when the client has a terminal.
    pub(crate) more: &'static [u8],
    /// What it asks for a name with: `{host}` stands for the host's name.
    ///
    /// What marks a shell's prompt (`#`, `$`, `>`, `%`) or a path must not stand in it: guessers
    /// take that for a success.
    login: &'static str,
    /// What it asks for a password with, on a new line.
    pub(crate) password: &'static str,
    /// The prompt of its shell.
    pub(crate) prompt: &'static str,
}

/// Each machine that can be played. What a server says is a match on it in the protocol's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `debian-12`.
    Debian12,
    /// `ip-camera`.
    IpCamera,
    /// `ubuntu-22.04`.
    Ubuntu2204,
    /// `windows-server-2019`.
    WindowsServer2019,
}

/// What a machine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// A small device with little else than busybox.
    Camera,
    /// A distribution's usual packages.
    Linux,
    /// A server of Microsoft's.
    Windows,
}

/// The telnetd of Linux distributions: terminal type, speed, display and environment. It talks of
/// echo only with terminals.
const LINUX_TELNET: Telnet = Telnet {
    offers: b"\xFF\xFD\x18\xFF\xFD\x20\xFF\xFD\x23\xFF\xFD\x27",
    more: b"\xFF\xFB\x03\xFF\xFB\x01\xFF\xFD\x1F",
    login: "\r\n{host} login: ",
    password: "Password: ",
    prompt: "$ ",
};

/// The machine in force where the user names none; see [`Persona::DEFAULT`].
const DEFAULT: Machine = Machine::Ubuntu2204;

static KINDS: [Kind; 4] = [
    Kind {
        name: "debian-12",
        machine: Machine::Debian12,
        system: System::Linux,
        ssh: "SSH-2.0-OpenSSH_9.2p1 Debian-2",
        ssh_offer: &ssh::OPENSSH_9_2,
        http_server: "nginx/1.22.1",
        smtp: "220 {host} ESMTP Exim 4.96 {date}",
        ftp: "220 (vsFTPd 3.0.3)",
        telnet: LINUX_TELNET,
    },
    Kind {
        name: "ip-camera",
        machine: Machine::IpCamera,
        system: System::Camera,
        ssh: "SSH-2.0-dropbear_2017.75",
        ssh_offer: &ssh::DROPBEAR_2017_75,
        http_server: "Boa/0.94.14rc21",
        smtp: "220 {host} ESMTP Sendmail 8.14.4/8.14.4; {date}",
        ftp: "220 (vsFTPd 2.3.5)",
        telnet: Telnet {
            // BusyBox from 1.14: echo, window size, and a server that echoes and never waits.
            offers: b"\xFF\xFD\x01\xFF\xFD\x1F\xFF\xFB\x01\xFF\xFB\x03",
            more: b"",
            login: "\r\n{host} login: ",
            password: "Password: ",
            prompt: "# ",
        },
    },
    Kind {
        name: "ubuntu-22.04",
        machine: Machine::Ubuntu2204,
        system: System::Linux,
        ssh: "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4",
        ssh_offer: &ssh::OPENSSH_8_9,
        http_server: "Apache/2.4.52 (Ubuntu)",
        smtp: "220 {host} ESMTP Exim 4.95 Ubuntu {date}",
        ftp: "220 (vsFTPd 3.0.5)",
        telnet: LINUX_TELNET,
    },
    Kind {
        name: "windows-server-2019",
        machine: Machine::WindowsServer2019,
        system: System::Windows,
        ssh: "SSH-2.0-OpenSSH_for_Windows_7.7",
        ssh_offer: &ssh::OPENSSH_7_7_WINDOWS,
        http_server: "Microsoft-IIS/10.0",
        smtp: "220 {host} Microsoft ESMTP MAIL Service, Version: 10.0.17763.1 ready at  {date}",
        ftp: "220 Microsoft FTP Service",
        telnet: Telnet {
            // Microsoft's service: authentication first, and binary both ways.
            offers: b"\xFF\xFD\x25\xFF\xFB\x01\xFF\xFB\x03\xFF\xFD\x27\xFF\xFD\x1F\xFF\xFD\x00\
                \xFF\xFB\x00",
            more: b"",
            login: "Welcome to Microsoft Telnet Service \r\n\n\rlogin: ",
            password: "password: ",
            prompt: "C:\\>",
        },
    },
];

/// What an installer makes names of.
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// What hosts are called for: plain names of the trade, none of which points at this program.
const ROLES: [&str; 8] = ["app", "db", "files", "gw", "mail", "node", "srv", "web"];

impl Persona {
    /// The persona in force where the user names none.
    pub const DEFAULT: &'static str = "ubuntu-22.04";

    /// The persona called `name`, as the installation with this seed plays it.
    pub fn named(name: &str, seed: &Seed) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).map(|kind| Self::played(kind, seed))
    }

    /// The persona called [`Persona::DEFAULT`].
    pub fn default_for(seed: &Seed) -> Self {
        let is_default = |kind: &&Kind| kind.machine == DEFAULT;
        Self::played(KINDS.iter().find(is_default).unwrap_or(&KINDS[0]), seed)
    }

    fn played(kind: &'static Kind, seed: &Seed) -> Self {
        let mut host = String::new();
        // Writing to a string cannot fail.
        let _ = match kind.system {
            System::Linux => {
                let role = ROLES[usize::from(seed.0[0]) % ROLES.len()];
                write!(host, "{role}{:02}", seed.0[1] % 24 + 1)
            }
            System::Camera => write!(host, "IPC-{:02X}{:02X}", seed.0[0], seed.0[1]),
            System::Windows => {
                // As the installer names it when nobody does.
                host.push_str("WIN-");
                let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
                host.extend(seed.0[10..21].iter().map(letter));
                Ok(())
            }
        };
        // Other bytes than the host's, so that neither tells of the other.
        let number = u64::from_le_bytes(core::array::from_fn(|index| seed.0[index + 2]));
        Self { kind, host, number }
    }

    /// The names of all personas, in alphabetical order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// The host's name, such as `web07`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which machine is played.
    pub fn machine(&self) -> Machine {
        self.kind.machine
    }

    /// What the machine runs on.
    pub fn system(&self) -> System {
        self.kind.system
    }

    /// A number for the small differences between one installation and the next. It is a part of
    /// the seed: what is chosen by it may be seen, and no more.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The SSH identification string, without the line's end.
    pub fn ssh(&self) -> &'static str {
        self.kind.ssh
    }

    /// The key exchange methods of its SSH server: a list of names, separated by commas.
    pub fn ssh_key_exchanges(&self) -> &'static str {
        self.kind.ssh_offer.key_exchanges
    }

    /// All that its SSH server offers.
    pub(crate) fn ssh_offer(&self) -> &'static Offer {
        self.kind.ssh_offer
    }

    /// The value of HTTP's `Server:` header.
    pub fn http_server(&self) -> &'static str {
        self.kind.http_server
    }

    /// FTP's greeting, without the line's end.
    pub fn ftp(&self) -> &'static str {
        self.kind.ftp
    }

    /// What its telnet service says.
    pub(crate) fn telnet(&self) -> &'static Telnet {
        &self.kind.telnet
    }

    /// Appends what its telnet service asks for a name with.
    pub(crate) fn telnet_login(&self, out: &mut impl Extend<u8>) {
        out.extend(self.kind.telnet.login.replace("{host}", &self.host).into_bytes());
    }

    /// Appends SMTP's greeting with today's date, without the line's end.
    pub fn smtp(&self, wall: Wall, out: &mut impl Extend<u8>) {
        let date = format!("{} +0000", wall.date());
        let line = self.kind.smtp.replace("{host}", &self.host).replace("{date}", &date);
        out.extend(line.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_one_name_that_fits_what_it_runs_on() {
        let seed = Seed([7; 32]);
        for (kind, wanted) in [
            ("debian-12", "web08"),
            ("ip-camera", "IPC-0707"),
            ("ubuntu-22.04", "web08"),
            ("windows-server-2019", "WIN-77777777777"),
        ] {
            let persona = Persona::named(kind, &seed).expect("a persona");
            assert_eq!(persona.host(), wanted);
            let mut greeting = alloc::vec::Vec::new();
            persona.smtp(Wall(1_795_333_948), &mut greeting);
            let greeting = String::from_utf8(greeting).expect("text");
            assert!(greeting.starts_with(&format!("220 {wanted} ")), "{greeting}");
            assert!(greeting.contains("Sun, 22 Nov 2026 07:52:28 +0000"), "{greeting}");
        }
    }

    #[test]
    fn personas_stand_in_alphabetical_order_and_the_default_is_one_of_them() {
        assert!(Persona::names().is_sorted());
        let seed = Seed([1; 32]);
        assert_eq!(Persona::default_for(&seed).kind.name, Persona::DEFAULT);
    }
}
