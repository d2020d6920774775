//! The SSH server of each persona: what it calls itself, and what it offers.
//!
//! All three holds offer the same, since two lists under one name would give an installation away;
//! and all that is offered can be agreed on, since a client that chooses by its own order may choose
//! any of it. By their defaults releases of OpenSSH offer `sntrup761x25519-sha512` and `umac`, for
//! which there is no maintained implementation to use. So what is played is one of two published
//! hardenings without them, of which each installation keeps one:
//!
//! - The benchmarks of the Center for Internet Security for Debian, Ubuntu and others, with the lists
//!   that they recommend for `Ciphers`, `MACs` and `KexAlgorithms`. Many scripts write these.
//! - The same `Ciphers` and `MACs` with the key exchanges of Mozilla's guideline and their newer name
//!   of Curve25519: no group of fixed numbers.
//!
//! Dropbear 2020.81 is played as it is by default: it is the first release without ciphers in CBC
//! mode, Twofish and MD5.

use alloc::{string::String, vec::Vec};

use crate::{
    persona::{Machine, Persona},
    protocols::ssh::names::HOST_KEYS,
    script::Profile,
    wire::ssh::{self, Lists, Offer},
};

/// The identification string, without the line's end (RFC 4253, section 4.2).
///
/// All are releases before the strict key exchange, whose mark would forbid our packets.
pub(super) fn identification(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::Debian12 => "SSH-2.0-OpenSSH_9.2p1 Debian-2",
        Machine::IpCamera => "SSH-2.0-dropbear_2020.81",
        Machine::Ubuntu2204 => "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4",
        Machine::WindowsServer2019 => "SSH-2.0-OpenSSH_for_Windows_7.7",
    }
}

/// What the server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    identification(persona).trim_start_matches("SSH-2.0-").into()
}

/// What the server offers a client: of host keys only those that it has. The key of RSA takes about
/// a second to make at the first start. Patterns without keys offer all of them.
pub(super) fn lists(profile: &Profile) -> Lists {
    let mut lists = offer(&profile.persona).lists();
    if let Some(keys) = &profile.host_keys {
        let names = lists[ssh::HOST_KEYS].split(',');
        let is_had = |name: &&str| {
            let known = HOST_KEYS.iter().find(|(known, _)| known == name);
            known.is_some_and(|&(_, kind)| keys.have(kind))
        };
        lists[ssh::HOST_KEYS] = names.filter(is_had).collect::<Vec<_>>().join(",").into();
    }
    lists
}

/// All that the server offers.
pub(super) fn offer(persona: &Persona) -> &'static Offer {
    let [benchmark, guideline] = match persona.machine() {
        Machine::IpCamera => return &DROPBEAR_2020_81,
        Machine::Debian12 | Machine::Ubuntu2204 => [&BENCHMARK, &GUIDELINE],
        Machine::WindowsServer2019 => [&BENCHMARK_WINDOWS, &GUIDELINE_WINDOWS],
    };
    if persona.number().is_multiple_of(2) { benchmark } else { guideline }
}

static DROPBEAR_2020_81: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group14-sha256,\
        diffie-hellman-group14-sha1,kexguess2@matt.ucc.asn.au",
    host_keys: "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-256,ssh-rsa",
    ciphers: "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
    codes: "hmac-sha1,hmac-sha2-256",
    compressions: "zlib@openssh.com,none",
};

static BENCHMARK: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group14-sha256,\
        diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,ecdh-sha2-nistp521,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256",
    host_keys: "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    ciphers: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,\
        aes256-ctr,aes192-ctr,aes128-ctr",
    codes: "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512,\
        hmac-sha2-256",
    compressions: "none,zlib@openssh.com",
};

static GUIDELINE: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256",
    ..BENCHMARK
};

/// That release has other defaults where the hardenings say nothing.
static BENCHMARK_WINDOWS: Offer = Offer {
    host_keys: "ssh-rsa,rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    compressions: "none",
    ..BENCHMARK
};

static GUIDELINE_WINDOWS: Offer =
    Offer { key_exchanges: GUIDELINE.key_exchanges, ..BENCHMARK_WINDOWS };
