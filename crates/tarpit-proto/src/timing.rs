//! What holds which client: a table for each protocol, and what holds whoever is not in it.
//!
//! Each row was tried with the client itself; its limits are those of its own waiting. A client
//! that nobody has tried gets what no client is known to mind.

use core::time::Duration;

/// Seconds between two packets that SSH clients must ignore, by what their identification line
/// contains; the first row that fits decides.
///
/// Most clients wait for the next step of a key exchange without any limit. For them a packet now
/// and then only tells that the connection is alive.
const SSH_PACKETS: &[(&[u8], u16)] = &[
    // ssh-keyscan waits 5 seconds for each packet.
    (b"keyscan", 4),
    // ncrack calls itself so and waits 20 seconds; a write that is late must not lose it.
    (b"OpenSSH_7.1\n", 8),
    (b"ncrack", 8),
    (b"AsyncSSH", PATIENT),
    (b"OpenSSH_", PATIENT),
    (b"PuTTY", PATIENT),
    (b"SSH-2.0-Go", PATIENT),
    (b"dropbear", PATIENT),
    (b"libssh2", PATIENT),
    (b"paramiko", PATIENT),
];

/// For clients without a limit.
const PATIENT: u16 = 120;

/// For all others: below the 20 seconds that guessers wait.
const UNKNOWN: u16 = 15;

/// Seconds between two packets for the client with this identification line.
pub(crate) fn ssh_packets(identification: &[u8]) -> u16 {
    let says = |word: &[u8]| identification.windows(word.len()).any(|window| window == word);
    SSH_PACKETS.iter().find(|(word, _)| says(word)).map_or(UNKNOWN, |&(_, seconds)| seconds)
}

/// The interval that [`ssh_packets`] chose, or the one for clients of whom nothing is known.
pub(crate) fn ssh_interval(chosen: u16) -> Duration {
    Duration::from_secs(if chosen == 0 { UNKNOWN } else { chosen }.into())
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
            (b"SSH-2.0-libssh_0.10.6\r\n", UNKNOWN),
            (b"SSH-2.0-x\r\n", UNKNOWN),
        ] {
            assert_eq!(ssh_packets(line), wanted, "{}", line.escape_ascii());
        }
    }
}
