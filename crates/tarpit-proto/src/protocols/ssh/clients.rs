//! The SSH clients that were tried, and what each of them bears.
//!
//! Each row was tried with the client itself; its limits are those of its own waiting. A client
//! that nobody has tried gets what no client is known to mind. Most clients wait for the next step
//! of a key exchange without any limit, and also for the answer to a password.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    base::state::{Field, Packer, Saved, Unpacker, bits_for, layout, load_name, save_name},
    script::{KnownClient, client},
};

/// A client, by what its identification line says: the place of its row in [`CLIENTS`], or the one
/// behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client(u8);

/// What holds a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Between two packets that it must ignore.
    pub(super) packets: Duration,
    /// Before it is offered to exchange keys, once it has said its line, or a little more.
    pub(super) offer: Duration,
    /// Before its part of the key exchange is answered.
    pub(super) exchange: Wait,
    /// Before it hears that nobody gets in without a password.
    pub(super) none: Wait,
    /// Before a password is refused, or asked for again.
    pub(super) guess: Wait,
    /// Whether passwords are among the ways in; there is also the one of questions and answers.
    pub(super) password: bool,
    /// Whether a listener that may say yes says so to its first password: such clients tell the
    /// password and stop.
    pub(super) stops: bool,
}

/// How long a client waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    AtOnce,
    For(Duration),
    /// The answer never comes.
    Never,
}

/// The longest wait for an answer: a client that may have no password leaves when it hears that it
/// needs one.
pub(super) const LONGEST: Duration = secs(150);

/// A client that only wants a handshake or a host key leaves with this reply and comes back for the
/// next. It is late by 4 to 5 seconds: no client is known to bear less at this place but
/// ssh-keyscan, whose limit is 5 seconds for each packet.
const LATE: Wait = Wait::For(Duration::from_millis(4_500));

/// The same for those who have seen enough once keys are offered: ssh-audit makes 4 connections and
/// more, and leaves each with our offer or our reply, of which it awaits either for 5 seconds; nmap's
/// scripts await each for 30. They record our lists, so that these never end with a name of theirs.
const LATE_OFFER: Duration = Duration::from_millis(4_100);

const PATIENT_CLIENT: Limits = Limits {
    // It has no limit: packets only tell it that the connection is alive.
    packets: secs(120),
    offer: Duration::ZERO,
    exchange: LATE,
    none: Wait::For(LONGEST),
    guess: Wait::Never,
    password: true,
    stops: false,
};

/// Packets below the 20 seconds, and answers below the 30, that guessers wait.
const UNKNOWN: Limits = Limits {
    packets: secs(15),
    offer: Duration::ZERO,
    exchange: LATE,
    none: Wait::AtOnce,
    guess: Wait::For(secs(25)),
    password: true,
    stops: false,
};

/// Clients by what their identification line contains; the first row that fits decides.
pub(super) static CLIENTS: &[KnownClient<Limits>] = &[
    // It waits 5 seconds for each packet, and leaves when it has seen the host's key.
    KnownClient::contains(
        "ssh-keyscan",
        b"keyscan",
        Limits { packets: secs(4), exchange: Wait::Never, guess: Wait::Never, ..UNKNOWN },
    ),
    // It waits 20 seconds; a write that is late must not lose it.
    KnownClient::contains("ncrack, as OpenSSH", b"OpenSSH_7.1\n", NCRACK),
    KnownClient::contains("ncrack", b"ncrack", NCRACK),
    // It names no patch level.
    KnownClient::contains(
        "ssh-audit",
        b"OpenSSH_10.3\r\n",
        Limits {
            offer: LATE_OFFER,
            exchange: Wait::For(Duration::from_millis(4_300)),
            ..PATIENT_CLIENT
        },
    ),
    KnownClient::contains(
        "nmap's scripts",
        b"-Nmap",
        Limits { offer: LATE_OFFER, packets: secs(20), ..PATIENT_CLIENT },
    ),
    KnownClient::contains("AsyncSSH", b"AsyncSSH", PATIENT_CLIENT),
    KnownClient::contains("OpenSSH", b"OpenSSH_", PATIENT_CLIENT),
    KnownClient::contains("PuTTY", b"PuTTY", PATIENT_CLIENT),
    KnownClient::contains("Go", b"SSH-2.0-Go", Limits { none: Wait::AtOnce, ..PATIENT_CLIENT }),
    KnownClient::contains("Dropbear", b"dropbear", PATIENT_CLIENT),
    // 60 seconds for each answer; nmap's script that lists the ways in waits 30 for the first.
    KnownClient::contains(
        "libssh2",
        b"libssh2",
        Limits { none: Wait::For(secs(25)), guess: Wait::For(secs(45)), ..PATIENT_CLIENT },
    ),
    // hydra's: 30 seconds in all to the end of the exchange, and as many for the verdict on a
    // password; questions it answers for ever.
    KnownClient::contains(
        "libssh",
        b"libssh_",
        Limits { guess: Wait::For(secs(12)), password: false, stops: true, ..UNKNOWN },
    ),
    KnownClient::contains(
        "medusa",
        b"MEDUSA",
        Limits { guess: Wait::Never, stops: true, ..UNKNOWN },
    ),
    // 30 seconds for each answer to a password, and no limit before.
    KnownClient::contains(
        "paramiko",
        b"paramiko",
        Limits {
            exchange: Wait::For(secs(90)),
            none: Wait::AtOnce,
            guess: Wait::For(secs(25)),
            ..PATIENT_CLIENT
        },
    ),
];

const NCRACK: Limits = Limits { packets: secs(8), guess: Wait::Never, stops: true, ..UNKNOWN };

impl Client {
    /// A client that stands in no row, or has not said its line.
    pub(super) const UNKNOWN: Self = Self(CLIENTS.len() as u8);

    /// The client with this identification line.
    pub(super) fn of(identification: &[u8]) -> Self {
        client::find(CLIENTS, identification).map_or(Self::UNKNOWN, |place| Self(place as u8))
    }

    /// What holds it.
    pub(super) fn limits(self) -> &'static Limits {
        self.row().map_or(&UNKNOWN, |row| &row.limits)
    }

    fn row(self) -> Option<&'static KnownClient<Limits>> {
        CLIENTS.get(usize::from(self.0))
    }
}

/// It is saved by its row's name, so that a new binary with other rows takes it for no neighbour.
impl Saved for Client {
    const LAYOUT: u32 = layout(b"ssh client", 0);

    fn save(&self, out: &mut Vec<u8>) {
        save_name(self.row().map_or("", |row| row.name), out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        match load_name(saved)? {
            "" => Some(Self::UNKNOWN),
            name => {
                let place = CLIENTS.iter().position(|row| row.name == name)?;
                u8::try_from(place).ok().map(Self)
            }
        }
    }
}

impl Field for Client {
    const BITS: u32 = bits_for(CLIENTS.len() as u32 + 1);

    #[inline]
    fn put(self, out: &mut Packer) {
        out.push(self.0.into(), Self::BITS);
    }

    #[inline]
    fn get(from: &mut Unpacker) -> Option<Self> {
        Some(Self(from.pull(Self::BITS) as u8))
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_what_the_line_contains_and_the_first_decides() {
        for (line, wanted) in [
            (&b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..], 120),
            (b"SSH-2.0-OpenSSH_7.1\n", 8),
            (b"SSH-2.0-OpenSSH_7.1\r\n", 120),
            (b"SSH-2.0-OpenSSH-keyscan\r\n", 4),
            (b"SSH-2.0-libssh_0.10.6\r\n", 15),
            (b"SSH-2.0-x\r\n", 15),
        ] {
            let got = Client::of(line).limits().packets;
            assert_eq!(got, secs(wanted), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_client_is_saved_by_name() {
        for place in 0..=Client::UNKNOWN.0 {
            let mut saved = Vec::new();
            Client(place).save(&mut saved);
            assert_eq!(Client::load(&mut &saved[..]), Some(Client(place)));
        }
        let mut saved = Vec::new();
        Client::of(b"SSH-2.0-libssh_0.10.6").save(&mut saved);
        assert_eq!(saved, b"\x06libssh");
        assert_eq!(Client::load(&mut &b"\x07another"[..]), None);
    }
}
