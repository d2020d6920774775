//! Agreeing on keys: what both sides can do, and the server's part of it (RFC 4253, sections 7 and
//! 8; RFC 5656, section 4; RFC 8731; RFC 9142).

use alloc::vec::Vec;

use crate::{
    base::{
        host_keys::{HostKeys, Kind, positive},
        rng::Entropy,
        state::{Saved, layout, load_name, save_name},
    },
    protocols::ssh::{
        group::{GENERATOR, Group},
        hash::Hash,
        lane::{Cipher, Code, Lane, Material, Suite},
        method::{Exchanged, METHODS, Method},
    },
    states,
    wire::ssh::{
        ClientOffer, LISTS, MSG_GEX_GROUP, MSG_GEX_INIT, MSG_GEX_REPLY, MSG_GEX_REQUEST,
        MSG_KEXDH_INIT, MSG_KEXDH_REPLY, MSG_NEWKEYS, Offer, kexinit_payload, packet, string,
        take_string,
    },
};

states! {
    /// What was agreed on, and the hash over all that was said so far: what the client's offer
    /// leaves to be remembered until its part of the exchange comes.
    #[derive(Clone)]
    pub(crate) boxed struct Agreement {
        hash: Hash,
        method: Method,
        host_key: Kind,
        /// From the client.
        heard: Suite,
        /// To the client.
        sent: Suite,
        /// Whether the next packet was made on a wrong guess.
        pub(super) skips: bool,
        /// What group the client asked for, where it has to.
        choice: Option<Choice>,
    }

    /// The sizes of a group that a client asked for, and the group that it was told.
    #[derive(Clone, Copy)]
    boxed struct Choice {
        least: u32,
        wanted: u32,
        most: u32,
        group: Group,
    }

    /// Both directions of a connection.
    #[derive(Debug)]
    pub(crate) boxed struct Lanes {
        pub(super) heard: Lane,
        pub(super) sent: Lane,
    }
}

impl core::fmt::Debug for Agreement {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Agreement({:?}, {:?})", self.method, self.host_key)
    }
}

const HOST_KEYS: &[(&str, Kind)] = &[
    ("ecdsa-sha2-nistp256", Kind::EcdsaP256),
    ("rsa-sha2-256", Kind::RsaSha256),
    ("rsa-sha2-512", Kind::RsaSha512),
    ("ssh-ed25519", Kind::Ed25519),
    ("ssh-rsa", Kind::RsaSha1),
];

const CIPHERS: &[(&str, Cipher)] = &[
    ("aes128-ctr", Cipher::Aes128),
    ("aes128-gcm@openssh.com", Cipher::Aes128Gcm),
    ("aes192-ctr", Cipher::Aes192),
    ("aes256-ctr", Cipher::Aes256),
    ("aes256-gcm@openssh.com", Cipher::Aes256Gcm),
    ("chacha20-poly1305@openssh.com", Cipher::ChaCha20),
];

const CODES: &[(&str, Code)] = &[
    ("hmac-sha1", Code::Sha1),
    ("hmac-sha2-256", Code::Sha256 { behind: false }),
    ("hmac-sha2-256-etm@openssh.com", Code::Sha256 { behind: true }),
    ("hmac-sha2-512", Code::Sha512 { behind: false }),
    ("hmac-sha2-512-etm@openssh.com", Code::Sha512 { behind: true }),
];

/// The name of one of a table.
fn name_of<T: PartialEq>(table: &[(&'static str, T)], wanted: &T) -> &'static str {
    table.iter().find(|(_, one)| one == wanted).map_or("", |&(name, _)| name)
}

const COMPRESSIONS: &[(&str, bool)] = &[("none", false), ("zlib@openssh.com", true)];

/// The name by which Dropbear says that a guess is right if it is what both agree on.
const GUESS_BY_RESULT: &str = "kexguess2@matt.ucc.asn.au";

/// What both sides said before the exchange.
pub(crate) struct Openings<'a> {
    pub(crate) client_line: &'a [u8],
    pub(crate) server_line: &'a [u8],
    pub(crate) client_offer: &'a [u8],
    pub(crate) cookie: [u8; 16],
}

impl Agreement {
    /// What both sides agree on; `None` if there is nothing.
    pub(crate) fn find(
        openings: &Openings<'_>,
        offer: &Offer,
        keys: Option<&HostKeys>,
    ) -> Option<Self> {
        let theirs = ClientOffer::read(openings.client_offer)?;
        let ours = offer.lists();
        let method = chosen(METHODS, &theirs, 0, &ours)?;
        let host_key = chosen(HOST_KEYS, &theirs, 1, &ours)?;
        if !keys.is_some_and(|keys| keys.have(host_key)) {
            return None;
        }
        let suite = |way: usize| {
            let cipher = chosen(CIPHERS, &theirs, 2 + way, &ours)?;
            let code = match cipher {
                cipher if cipher.is_code() => Code::Sha256 { behind: false },
                _ => chosen(CODES, &theirs, 4 + way, &ours)?,
            };
            let compresses = chosen(COMPRESSIONS, &theirs, 6 + way, &ours)?;
            Some(Suite { cipher, code, compresses })
        };
        let (heard, sent) = (suite(0)?, suite(1)?);
        let mut hash = method.hash();
        hash.add_string(openings.client_line);
        hash.add_string(openings.server_line);
        hash.add_string(openings.client_offer);
        hash.add_string(&kexinit_payload(openings.cookie, ours));
        let skips = theirs.guesses && !guessed(&theirs, &ours);
        Some(Self { hash, method, host_key, heard, sent, skips, choice: None })
    }

    /// What answering costs, in handshakes of the cheapest kind.
    ///
    /// As measured in a release build on two busy cores: 0.26 ms with Curve25519 and Ed25519, 0.44
    /// with Curve25519 and ECDSA, 3.7 with Curve25519 and RSA. What other methods add stands with
    /// [`Method::cost`].
    pub(crate) fn cost(&self) -> u32 {
        let method = self.method.cost(self.choice.map(|choice| choice.group));
        let host_key = match self.host_key {
            Kind::Ed25519 => 1,
            Kind::EcdsaP256 => 2,
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => 17,
        };
        method + host_key
    }

    /// Whether the client's next part of the exchange is a message of this number.
    pub(super) fn awaits(&self, number: u8) -> bool {
        number
            == match (self.method, self.choice) {
                (Method::GroupExchange, None) => MSG_GEX_REQUEST,
                (Method::GroupExchange, Some(_)) => MSG_GEX_INIT,
                _ => MSG_KEXDH_INIT,
            }
    }

    /// Makes the packet with the group that the client asks for, if that is what it does. `None`:
    /// there is none for it.
    pub(super) fn choose(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let sizes: [u8; 12] = request.strip_prefix(&[MSG_GEX_REQUEST])?.try_into().ok()?;
        let [least, wanted, most] = core::array::from_fn(|size| {
            sizes[4 * size..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
        });
        let group = Group::asked(least, wanted, most)?;
        self.choice = Some(Choice { least, wanted, most, group });
        let mut payload = Vec::with_capacity(1_024);
        payload.push(MSG_GEX_GROUP);
        string(&positive(&group.prime()), &mut payload);
        string(&[GENERATOR], &mut payload);
        let mut out = Vec::with_capacity(1_024);
        packet(&payload, |_| {}, &mut out);
        Some(out)
    }

    /// Makes the server's part: the packets that say so, and the keys, for packets behind as many
    /// as `heard` and `sent` count. `None`: the client's part is none.
    pub(crate) fn answer(
        &self,
        request: &[u8],
        (heard, sent): (u32, u32),
        keys: &HostKeys,
        entropy: &mut dyn Entropy,
    ) -> Option<(Vec<u8>, Lanes)> {
        let chosen = self.method == Method::GroupExchange;
        let (heard_as, told_as) =
            if chosen { (MSG_GEX_INIT, MSG_GEX_REPLY) } else { (MSG_KEXDH_INIT, MSG_KEXDH_REPLY) };
        let (public, after) = take_string(request.strip_prefix(&[heard_as])?)?;
        if !after.is_empty() {
            return None;
        }
        let group = self.choice.map(|choice| choice.group);
        let Exchanged { own, shared } = self.method.exchange(public, group, entropy)?;
        let host_key = self.host_key_blob(keys)?;
        let mut hash = self.hash.clone();
        hash.add_string(&host_key);
        if let Some(Choice { least, wanted, most, group }) = self.choice {
            for bits in [least, wanted, most] {
                hash.add(&bits.to_be_bytes());
            }
            hash.add_string(&positive(&group.prime()));
            hash.add_string(&[GENERATOR]);
        }
        for part in [public, &own, &shared] {
            hash.add_string(part);
        }
        let id = hash.end();
        let mut signature = Vec::with_capacity(300);
        string(name_of(HOST_KEYS, &self.host_key).as_bytes(), &mut signature);
        string(&keys.sign(self.host_key, &id, entropy)?, &mut signature);
        let mut reply = Vec::with_capacity(2_048);
        reply.push(told_as);
        for part in [&host_key, &own, &signature] {
            string(part, &mut reply);
        }
        let mut out = Vec::with_capacity(2_304);
        packet(&reply, |_| {}, &mut out);
        packet(&[MSG_NEWKEYS], |_| {}, &mut out);
        let derive = |letter: u8, length: usize| {
            let mut base = self.method.hash();
            base.add_string(&shared);
            base.add(&id);
            let mut first = base.clone();
            first.add(&[letter]);
            first.add(&id);
            let mut bytes = first.end();
            while bytes.len() < length {
                let mut next = base.clone();
                next.add(&bytes);
                bytes.extend(next.end());
            }
            bytes
        };
        let lane = |suite, [counter, key, code]: [u8; 3], number| {
            let material = Material {
                counter: derive(counter, 16),
                key: derive(key, Lane::LONGEST_KEY),
                code: derive(code, Lane::LONGEST_CODE),
            };
            Lane::new(suite, &material, number)
        };
        let lanes =
            Lanes { heard: lane(self.heard, *b"ACE", heard), sent: lane(self.sent, *b"BDF", sent) };
        Some((out, lanes))
    }

    fn host_key_blob(&self, keys: &HostKeys) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(300);
        let name = match self.host_key {
            Kind::RsaSha256 | Kind::RsaSha512 => name_of(HOST_KEYS, &Kind::RsaSha1),
            kind => name_of(HOST_KEYS, &kind),
        };
        string(name.as_bytes(), &mut out);
        for part in keys.public(self.host_key)? {
            string(&part, &mut out);
        }
        Some(out)
    }
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

/// The first of the client's names that stands in our list, too.
fn common<'a>(theirs: &ClientOffer<'a>, list: usize, ours: &[&str; LISTS]) -> Option<&'a [u8]> {
    let own = |name: &[u8]| ours[list].split(',').any(|own| own.as_bytes() == name);
    theirs.names(list).find(|name| !name.is_empty() && own(name))
}

/// What that name stands for.
fn chosen<T: Copy>(
    table: &[(&'static str, T)],
    theirs: &ClientOffer<'_>,
    list: usize,
    ours: &[&str; LISTS],
) -> Option<T> {
    let name = common(theirs, list, ours)?;
    table.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, one)| one)
}

/// Whether a packet that was made on a guess fits what is agreed on (RFC 4253, section 7).
fn guessed(theirs: &ClientOffer<'_>, ours: &[&str; LISTS]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::rng::Seed, persona::Persona, protocols::ssh::server};

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
