//! The SSH server of each persona: what it calls itself, and what it offers by the defaults of its
//! release and in its order.

use alloc::string::String;

use crate::{
    persona::{Machine, Persona},
    wire::ssh::Offer,
};

/// The identification string, without the line's end (RFC 4253, section 4.2).
///
/// All are releases before the strict key exchange, whose mark would forbid our packets.
pub(super) fn identification(persona: &Persona) -> &'static str {
    match persona.machine() {
        Machine::Debian12 => "SSH-2.0-OpenSSH_9.2p1 Debian-2",
        Machine::IpCamera => "SSH-2.0-dropbear_2017.75",
        Machine::Ubuntu2204 => "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.4",
        Machine::WindowsServer2019 => "SSH-2.0-OpenSSH_for_Windows_7.7",
    }
}

/// What the server calls itself.
pub(super) fn software(persona: &Persona) -> String {
    identification(persona).trim_start_matches("SSH-2.0-").into()
}

/// All that the server offers.
pub(super) fn offer(persona: &Persona) -> &'static Offer {
    match persona.machine() {
        Machine::Debian12 => &OPENSSH_9_2,
        Machine::IpCamera => &DROPBEAR_2017_75,
        Machine::Ubuntu2204 => &OPENSSH_8_9,
        Machine::WindowsServer2019 => &OPENSSH_7_7_WINDOWS,
    }
}

static DROPBEAR_2017_75: Offer = Offer {
    key_exchanges: "curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,\
        ecdh-sha2-nistp256,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,\
        kexguess2@matt.ucc.asn.au",
    host_keys: "ecdsa-sha2-nistp256,ssh-rsa,ssh-dss",
    ciphers: "aes128-ctr,aes256-ctr,aes128-cbc,aes256-cbc,twofish256-cbc,twofish-cbc,\
        twofish128-cbc,3des-ctr,3des-cbc",
    codes: "hmac-sha1-96,hmac-sha1,hmac-sha2-256,hmac-sha2-512,hmac-md5",
    compressions: "zlib@openssh.com,none",
};

static OPENSSH_7_7_WINDOWS: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
        diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
        diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
    host_keys: "ssh-rsa,rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    compressions: "none",
    ..OPENSSH_8_9
};

static OPENSSH_8_9: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp521,sntrup761x25519-sha512@openssh.com,\
        diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
        diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
    host_keys: "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    ciphers: "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,\
        aes128-gcm@openssh.com,aes256-gcm@openssh.com",
    codes: "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
        hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,\
        umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1",
    compressions: "none,zlib@openssh.com",
};

static OPENSSH_9_2: Offer = Offer {
    key_exchanges: "sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
        curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
        diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
        diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
    ..OPENSSH_8_9
};
