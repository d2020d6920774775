//! What holds which client: a table for each protocol, and what holds whoever is not in it.
//!
//! Each row was tried with the client itself; its limits are those of its own waiting. A client
//! that nobody has tried gets what no client is known to mind.

use core::time::Duration;

/// What holds an SSH client; times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SshHold {
    /// Between two packets that it must ignore.
    pub(crate) packets: u16,
    /// Before its part of the key exchange is answered.
    pub(crate) exchange: u16,
    /// Before it hears that nobody gets in without a password.
    pub(crate) none: u16,
    /// Before a password is refused, or asked for again.
    pub(crate) guess: u16,
    /// Whether passwords are among the ways in; there is also the one of questions and answers.
    pub(crate) password: bool,
    /// Whether a listener that may say yes says so to its first password: such clients tell the
    /// password and stop.
    pub(crate) stops: bool,
}

/// For a wait that never ends.
pub(crate) const NEVER: u16 = u16::MAX;

/// For packets to clients without a limit, to which they only tell that the connection is alive.
const PATIENT: u16 = 120;

/// Before a client that may have no password hears that it needs one: it leaves then.
pub(crate) const LONG: u16 = 150;

/// SSH clients by what their identification line contains; the first row that fits decides.
///
/// Most clients wait for the next step of a key exchange without any limit, and also for the answer
/// to a password.
const SSH: &[(&[u8], SshHold)] = &[
    // ssh-keyscan waits 5 seconds for each packet, and leaves when it has seen the host's key.
    (
        b"keyscan",
        SshHold {
            packets: 4,
            exchange: NEVER,
            none: 0,
            guess: NEVER,
            password: true,
            stops: false,
        },
    ),
    // ncrack calls itself so and waits 20 seconds; a write that is late must not lose it.
    (
        b"OpenSSH_7.1\n",
        SshHold { packets: 8, exchange: 0, none: 0, guess: NEVER, password: true, stops: true },
    ),
    (
        b"ncrack",
        SshHold { packets: 8, exchange: 0, none: 0, guess: NEVER, password: true, stops: true },
    ),
    (b"AsyncSSH", PATIENT_CLIENT),
    (b"OpenSSH_", PATIENT_CLIENT),
    (b"PuTTY", PATIENT_CLIENT),
    (b"SSH-2.0-Go", SshHold { none: 0, ..PATIENT_CLIENT }),
    (b"dropbear", PATIENT_CLIENT),
    // 60 seconds for each answer.
    (b"libssh2", SshHold { none: 45, guess: 45, ..PATIENT_CLIENT }),
    // hydra: 30 seconds in all to the end of the exchange, and as many for the verdict on a
    // password; questions it answers for ever.
    (
        b"libssh_",
        SshHold { packets: 15, exchange: 0, none: 0, guess: 12, password: false, stops: true },
    ),
    (
        b"MEDUSA",
        SshHold { packets: 15, exchange: 0, none: 0, guess: NEVER, password: true, stops: true },
    ),
    // 30 seconds for each answer to a password, and no limit before.
    (b"paramiko", SshHold { exchange: 90, none: 0, guess: 25, ..PATIENT_CLIENT }),
];

const PATIENT_CLIENT: SshHold = SshHold {
    packets: PATIENT,
    exchange: 0,
    none: LONG,
    guess: NEVER,
    password: true,
    stops: false,
};

/// For all others: packets below the 20 seconds, and answers below the 30, that guessers wait.
const UNKNOWN: SshHold =
    SshHold { packets: 15, exchange: 0, none: 0, guess: 25, password: true, stops: false };

/// The row for the client with this identification line; 0 is nobody's.
pub(crate) fn ssh_row(identification: &[u8]) -> u16 {
    let says = |word: &[u8]| identification.windows(word.len()).any(|window| window == word);
    let row = SSH.iter().position(|(word, _)| says(word)).unwrap_or(SSH.len());
    1 + row as u16
}

/// What holds the client of whom [`ssh_row`] said this; of 0, whom nobody knows.
pub(crate) fn ssh_hold(row: u16) -> SshHold {
    let row = usize::from(row).checked_sub(1);
    row.and_then(|row| SSH.get(row)).map_or(UNKNOWN, |&(_, hold)| hold)
}

/// How long such a client is left without a packet.
pub(crate) fn ssh_interval(row: u16) -> Duration {
    Duration::from_secs(ssh_hold(row).packets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_what_the_line_contains_and_the_first_decides() {
        for (line, wanted) in [
            (&b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..], PATIENT),
            (b"SSH-2.0-OpenSSH_7.1\n", 8),
            (b"SSH-2.0-OpenSSH_7.1\r\n", PATIENT),
            (b"SSH-2.0-OpenSSH-keyscan\r\n", 4),
            (b"SSH-2.0-libssh_0.10.6\r\n", 15),
            (b"SSH-2.0-x\r\n", 15),
        ] {
            assert_eq!(ssh_hold(ssh_row(line)).packets, wanted, "{}", line.escape_ascii());
        }
    }
}
