//! The names by which both sides choose (RFC 4253, section 7.1): what each stands for, which of them
//! both have, and with what our lists end where there is none.

use alloc::vec::Vec;

use crate::{
    base::{
        host_keys::Kind,
        state::{Saved, layout, load_name, save_name},
    },
    protocols::ssh::lane::{Cipher, Code},
    wire::ssh::{self, ClientOffer, Lists},
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

/// Our lists, where those that have nothing in common with the client's end with what it has.
/// `None`: all have something in common, or the client has nothing to choose.
///
/// Old clients leave at once where they have nothing in common. They stay for an exchange by a name
/// that only they know, and get no further.
pub(super) fn ended_for(theirs: &ClientOffer<'_>, ours: &Lists) -> Option<Lists> {
    let mut ended = ours.clone();
    for (list, own) in ended.iter_mut().enumerate().take(ssh::LANGUAGES) {
        let needs_none = || {
            (ssh::CODES..ssh::COMPRESSIONS).contains(&list)
                && chosen(CIPHERS, theirs, list - ssh::CODES + ssh::CIPHERS, ours)
                    .is_some_and(Cipher::is_code)
        };
        if common(theirs, list, ours).is_none() && !needs_none() {
            let name = theirs.names(list).find_map(algorithm)?;
            let own = own.to_mut();
            own.push(',');
            own.push_str(name);
        }
    }
    (ended != *ours).then_some(ended)
}

/// A client's name, if it is that of an algorithm: of at most 64 visible signs (RFC 4251, section
/// 6), and not what a side says of itself.
fn algorithm(name: &[u8]) -> Option<&str> {
    const LONGEST: usize = 64;
    let is_name = (1..=LONGEST).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    let name = core::str::from_utf8(name).ok().filter(|_| is_name)?;
    let is_mark =
        name == GUESS_BY_RESULT || name.starts_with("ext-info-") || name.starts_with("kex-strict-");
    (!is_mark).then_some(name)
}

/// The first of the client's names of algorithms that stands in our list, too.
fn common<'a>(theirs: &ClientOffer<'a>, list: usize, ours: &Lists) -> Option<&'a str> {
    theirs
        .names(list)
        .filter_map(algorithm)
        .find(|name| ours[list].split(',').any(|own| own == *name))
}

/// What that name stands for.
pub(super) fn chosen<T: Copy>(
    table: &[(&'static str, T)],
    theirs: &ClientOffer<'_>,
    list: usize,
    ours: &Lists,
) -> Option<T> {
    let name = common(theirs, list, ours)?;
    table.iter().find(|(known, _)| *known == name).map(|&(_, one)| one)
}

/// Whether a packet that was made on a guess fits what is agreed on (RFC 4253, section 7).
pub(super) fn guessed(theirs: &ClientOffer<'_>, ours: &Lists) -> bool {
    let by_result = |name: &[u8]| name == GUESS_BY_RESULT.as_bytes();
    let by_result = theirs.names(ssh::KEY_EXCHANGES).any(by_result)
        && ours[ssh::KEY_EXCHANGES].split(',').map(str::as_bytes).any(by_result);
    [ssh::KEY_EXCHANGES, ssh::HOST_KEYS].into_iter().all(|list| {
        let first = theirs.names(list).next();
        if by_result {
            first == common(theirs, list, ours).map(str::as_bytes)
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
