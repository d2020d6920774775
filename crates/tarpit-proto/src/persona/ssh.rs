//! What each persona's SSH server offers, by the defaults of its release and in its order.

use crate::wire::ssh::Offer;

pub(super) static DROPBEAR_2017_75: Offer = Offer {
    key_exchanges: "curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,\
        ecdh-sha2-nistp256,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,\
        kexguess2@matt.ucc.asn.au",
    host_keys: "ecdsa-sha2-nistp256,ssh-rsa,ssh-dss",
    ciphers: "aes128-ctr,aes256-ctr,aes128-cbc,aes256-cbc,twofish256-cbc,twofish-cbc,\
        twofish128-cbc,3des-ctr,3des-cbc",
    codes: "hmac-sha1-96,hmac-sha1,hmac-sha2-256,hmac-sha2-512,hmac-md5",
    compressions: "zlib@openssh.com,none",
};

pub(super) static OPENSSH_7_7_WINDOWS: Offer = Offer {
    key_exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
        diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
        diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
    host_keys: "ssh-rsa,rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    compressions: "none",
    ..OPENSSH_8_9
};

pub(super) static OPENSSH_8_9: Offer = Offer {
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

pub(super) static OPENSSH_9_2: Offer = Offer {
    key_exchanges: "sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
        curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
        diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
        diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
    ..OPENSSH_8_9
};
