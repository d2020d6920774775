//! The names by which both sides choose (RFC 4253, section 7.1): what each stands for, and which of
//! them both have.

use alloc::vec::Vec;

use crate::{
    base::{
        host_keys::Kind,
        state::{Saved, layout, load_name, save_name},
    },
    protocols::ssh::lane::{Cipher, Code},
    wire::ssh::{ClientOffer, LISTS},
};

pub(super) const HOST_KEYS: &[(&str, Kind)] = &[
    ("ecdsa-sha2-nistp256", Kind::EcdsaP256),
    ("rsa-sha2-256", Kind::RsaSha256),
    ("rsa-sha2-512", Kind::RsaSha512),
    ("ssh-ed25519", Kind::Ed25519),
    ("ssh-rsa", Kind::RsaSha1),
];

pub(super) const CIPHERS: &[(&str, Cipher)] = &[
    ("aes128-ctr", Cipher::Aes128),
    ("aes128-gcm@openssh.com", Cipher::Aes128Gcm),
    ("aes192-ctr", Cipher::Aes192),
    ("aes256-ctr", Cipher::Aes256),
    ("aes256-gcm@openssh.com", Cipher::Aes256Gcm),
    ("chacha20-poly1305@openssh.com", Cipher::ChaCha20),
];

pub(super) const CODES: &[(&str, Code)] = &[
    ("hmac-sha1", Code::Sha1),
    ("hmac-sha2-256", Code::Sha256 { behind: false }),
    ("hmac-sha2-256-etm@openssh.com", Code::Sha256 { behind: true }),
    ("hmac-sha2-512", Code::Sha512 { behind: false }),
    ("hmac-sha2-512-etm@openssh.com", Code::Sha512 { behind: true }),
];

pub(super) const COMPRESSIONS: &[(&str, bool)] = &[("none", false), ("zlib@openssh.com", true)];

/// The name by which Dropbear says that a guess is right if it is what both agree on.
const GUESS_BY_RESULT: &str = "kexguess2@matt.ucc.asn.au";

/// The name of one of a table.
pub(super) fn name_of<T: PartialEq>(table: &[(&'static str, T)], wanted: &T) -> &'static str {
    table.iter().find(|(_, one)| one == wanted).map_or("", |&(name, _)| name)
}

/// The first of the client's names that stands in our list, too.
fn common<'a>(theirs: &ClientOffer<'a>, list: usize, ours: &[&str; LISTS]) -> Option<&'a [u8]> {
    let own = |name: &[u8]| ours[list].split(',').any(|own| own.as_bytes() == name);
    theirs.names(list).find(|name| !name.is_empty() && own(name))
}

/// What that name stands for.
pub(super) fn chosen<T: Copy>(
    table: &[(&'static str, T)],
    theirs: &ClientOffer<'_>,
    list: usize,
    ours: &[&str; LISTS],
) -> Option<T> {
    let name = common(theirs, list, ours)?;
    table.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, one)| one)
}

/// Whether a packet that was made on a guess fits what is agreed on (RFC 4253, section 7).
pub(super) fn guessed(theirs: &ClientOffer<'_>, ours: &[&str; LISTS]) -> bool {
    let by_result = |name: &[u8]| name == GUESS_BY_RESULT.as_bytes();
    let by_result =
        theirs.names(0).any(by_result) && ours[0].split(',').map(str::as_bytes).any(by_result);
    [0, 1].into_iter().all(|list| {
        let first = theirs.names(list).next();
        if by_result {
            first == common(theirs, list, ours)
        } else {
            first == ours[list].split(',').next().map(str::as_bytes)
        }
    })
}

impl Saved for Kind {
    const LAYOUT: u32 = layout(b"host key", 0);

    fn save(&self, out: &mut Vec<u8>) {
        save_name(name_of(HOST_KEYS, self), out);
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let name = load_name(saved)?;
        HOST_KEYS.iter().find(|(known, _)| *known == name).map(|&(_, kind)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::rng::Seed,
        persona::Persona,
        protocols::ssh::{method::METHODS, server},
        wire::ssh::Offer,
    };

    #[test]
    fn all_that_any_persona_offers_can_be_agreed_on() {
        fn known<T>(table: &[(&str, T)], name: &str) -> bool {
            table.iter().any(|(known, _)| *known == name)
        }
        let mut offers: Vec<&Offer> = Vec::new();
        for name in Persona::names() {
            for number in 0..32 {
                let persona = Persona::named(name, &Seed([number; 32])).expect("a persona");
                let offer = server::offer(&persona);
                if !offers.iter().any(|known| core::ptr::eq(*known, offer)) {
                    offers.push(offer);
                }
            }
        }
        assert_eq!(offers.len(), 5, "two of each release of OpenSSH, or one");
        for offer in offers {
            let lists = offer.lists();
            for (list, names) in lists.into_iter().enumerate() {
                for name in names.split(',') {
                    assert!(
                        match list {
                            0 => known(METHODS, name) || name == GUESS_BY_RESULT,
                            1 => known(HOST_KEYS, name),
                            2 | 3 => known(CIPHERS, name),
                            4 | 5 => known(CODES, name),
                            6 | 7 => known(COMPRESSIONS, name),
                            _ => name.is_empty(),
                        },
                        "{list}: {name}"
                    );
                }
            }
        }
    }
}
