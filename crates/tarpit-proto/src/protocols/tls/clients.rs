//! When the hello of each TLS client is answered: a table of known clients, and a default for all
//! others.
//!
//! Scanners and clients that only want a handshake open dozens of connections and leave as soon as
//! each has its answer, so the answer is late: inside the tightest limit that the client is known to
//! have. Each row was tried with the client itself.

use core::time::Duration;

use crate::{
    script::{KnownClient, Sign, client::HelloSign, tls::Limits},
    wire::tls::Hello,
};

/// What a client that is not known bears. The tightest of them are httpx of Python, which gives the
/// handshake 5 seconds in all, and nmap, which gives each probe of `-sV` as many.
const UNKNOWN: Limits = Limits { first: Duration::from_secs(4), whole: None };

/// Clients by their hello; the first row that fits decides.
pub(super) static CLIENTS: &[KnownClient<Limits>] = &[
    // For its scripts a connection and the handshake may take a second together, three ways and our
    // jitter included. `-sV` would wait longer, but both have the same hello.
    KnownClient {
        name: "nmap",
        sign: Sign::Hello(HelloSign(is_nmap)),
        limits: Limits { first: Duration::from_millis(300), whole: None },
    },
    KnownClient {
        name: "sslscan",
        sign: Sign::Hello(HelloSign(is_sslscan)),
        limits: Limits { first: Duration::from_millis(2_500), whole: None },
    },
    // Its own package for HTTP gives a handshake 10 seconds, and the searchers for paths that are
    // written in it (gobuster, ffuf) give the handshake and the answer together as many.
    KnownClient {
        name: "Go",
        sign: Sign::Hello(HelloSign(is_go)),
        limits: Limits { whole: Some(Duration::from_millis(9_500)), ..UNKNOWN },
    },
];

/// What the client with this hello bears.
pub(crate) fn limits(hello: &Hello) -> Limits {
    CLIENTS.iter().find(|row| row.sign.fits_hello(hello)).map_or(UNKNOWN, |row| row.limits)
}

/// nmap's own library offers everything that OpenSSL knows, and first of all old suites, since they
/// were the fastest once. Behind those of TLS 1.3, which have an order of their own, no other
/// client has them in front of suites with forward secrecy.
fn is_nmap(hello: &Hello) -> bool {
    /// ECDHE with AES-256-GCM, which others offer first.
    const MODERN: u16 = 0xC02C;
    let suites = hello.suites();
    let first = suites.iter().find(|suite| *suite >> 8 != 0x13);
    hello.protocols.is_empty()
        && hello.extends(TICKET)
        && hello.extends(ENCRYPT_THEN_MAC)
        && !hello.extends(NEXT_PROTOCOL)
        && suites.len() >= MANY
        && first.is_some_and(|&first| 0 < first && first < 0xFF)
        && suites.contains(&MODERN)
}

/// sslscan waits 3 seconds for each answer, and takes what comes later for a refusal. Its hellos
/// differ, as it asks for one thing after another: none names a protocol to be spoken inside, each
/// asks for a ticket, as nmap's scripts do not, and for no protocol the old way, as testssl's do. Each
/// offers either more suites than other clients
/// know, or all five of TLS 1.3, the last of which nobody else offers by default. Its hello of SSL 3
/// is an exception; to that it expects no answer.
fn is_sslscan(hello: &Hello) -> bool {
    /// The only one that OpenSSL and others leave out unless told otherwise.
    const AES_128_CCM_8: u16 = 0x1305;
    let suites = hello.suites();
    hello.protocols.is_empty()
        && hello.extends(TICKET)
        && !hello.extends(NEXT_PROTOCOL)
        && (suites.len() >= MANY || suites.contains(&AES_128_CCM_8))
}

/// Go's own package for TLS asks for timestamps of certificates and never for tickets, unless a
/// program tells it to keep them; it has no grease, and no encryption before authentication.
fn is_go(hello: &Hello) -> bool {
    const ASKED: [u16; 3] = [STATUS, TIMESTAMPS, RENEGOTIATION];
    const NOT_ASKED: [u16; 4] = [ENCRYPT_THEN_MAC, RECORD_SIZE, DELEGATED, TICKET];
    !hello.has_grease()
        && ASKED.iter().all(|&number| hello.extends(number))
        && !NOT_ASKED.iter().any(|&number| hello.extends(number))
}

/// More suites than a client offers that only wants to speak with a server: most offer 30.
const MANY: usize = 51;

/// Numbers of extensions (RFC 6066, 6962, 5746, 7366, 8449, 9345, 5077; the last is of a draft).
const STATUS: u16 = 5;
const TIMESTAMPS: u16 = 18;
const RENEGOTIATION: u16 = 0xFF01;
const ENCRYPT_THEN_MAC: u16 = 22;
const RECORD_SIZE: u16 = 28;
const DELEGATED: u16 = 34;
const TICKET: u16 = 35;
const NEXT_PROTOCOL: u16 = 0x3374;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stack_is_known_by_its_hello_and_no_other_is_taken_for_it() {
        macro_rules! hello {
            ($name:literal) => {
                (
                    $name,
                    &include_bytes!(concat!("../../../tests/corpus/hellos/", $name, ".bin"))[..],
                )
            };
        }
        let seconds = |limits: Limits| (limits.first.as_secs_f32(), limits.whole.is_some());
        for (wanted, hellos) in [
            (
                (4.0, false),
                &[
                    hello!("gnutls"),
                    hello!("nmap_ciphers"),
                    hello!("nmap_version_13"),
                    hello!("openssl"),
                    hello!("python"),
                    hello!("testssl"),
                    hello!("testssl_ciphers"),
                ][..],
            ),
            ((0.3, false), &[hello!("nmap_openssl")]),
            ((4.0, true), &[hello!("go"), hello!("go_http")]),
            (
                (2.5, false),
                &[
                    hello!("sslscan_ciphers"),
                    hello!("sslscan_groups"),
                    hello!("sslscan_heartbeat"),
                    hello!("sslscan_suites"),
                ],
            ),
        ] {
            for (name, bytes) in hellos {
                let hello = Hello::read(bytes).expect("a whole hello");
                assert_eq!(seconds(limits(&hello)), wanted, "{name}");
            }
        }
    }
}
