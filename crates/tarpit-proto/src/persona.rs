//! Who we pretend to be: one coherent machine over all its ports.

use core::fmt::Write as _;

use alloc::{format, string::String};

use crate::{rng::Seed, time::Wall};

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
    /// The SSH identification string, without the line's end (RFC 4253, section 4.2).
    ///
    /// Both are releases before the strict key exchange, whose mark would forbid our packets.
    ssh: &'static str,
    /// The key exchange methods that this release offers as a server, in its order.
    ssh_key_exchanges: &'static str,
    http_server: &'static str,
    /// What stands between the host's name and the date in the SMTP greeting.
    smtp: &'static str,
    ftp: &'static str,
}

static KINDS: [Kind; 2] = [
    Kind {
        name: "debian-12",
        ssh: "SSH-2.0-OpenSSH_9.2p1 Debian-2",
        ssh_key_exchanges: "sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
            curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
            ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
            diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
            diffie-hellman-group14-sha256",
        http_server: "Apache/2.4.57 (Debian)",
        smtp: "ESMTP Exim 4.96",
        ftp: "220 (vsFTPd 3.0.3)",
    },
    Kind {
        name: "ubuntu-22.04",
        ssh: "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4",
        ssh_key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
            ecdh-sha2-nistp384,ecdh-sha2-nistp521,sntrup761x25519-sha512@openssh.com,\
            diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
            diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
        http_server: "Apache/2.4.52 (Ubuntu)",
        smtp: "ESMTP Exim 4.95 Ubuntu",
        ftp: "220 (vsFTPd 3.0.5)",
    },
];

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
        Self::played(&KINDS[1], seed)
    }

    fn played(kind: &'static Kind, seed: &Seed) -> Self {
        let role = ROLES[usize::from(seed.0[0]) % ROLES.len()];
        let mut host = String::from(role);
        // Writing to a string cannot fail.
        let _ = write!(host, "{:02}", seed.0[1] % 24 + 1);
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
        self.kind.ssh_key_exchanges
    }

    /// The value of HTTP's `Server:` header.
    pub fn http_server(&self) -> &'static str {
        self.kind.http_server
    }

    /// FTP's greeting, without the line's end.
    pub fn ftp(&self) -> &'static str {
        self.kind.ftp
    }

    /// Appends SMTP's greeting with today's date, without the line's end.
    pub fn smtp(&self, wall: Wall, out: &mut impl Extend<u8>) {
        let line = format!("220 {} {} {} +0000", self.host, self.kind.smtp, wall.date());
        out.extend(line.into_bytes());
    }
}
