//! Agreeing on keys: what both sides can do, and the server's part of it (RFC 4253, sections 7 and
//! 8; RFC 5656, section 4; RFC 8731; RFC 9142).

use alloc::{string::String, vec::Vec};

use crypto_bigint::{
    U256, U2048, const_monty_form, const_monty_params, modular::ConstMontyParams as _,
};
use p256::{PublicKey, SecretKey, elliptic_curve::sec1::ToSec1Point as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, digest::common::hazmat::SerializableState};
use x25519_dalek::{PublicKey as XPublic, StaticSecret};

use crate::{
    base::{
        host_keys::{HostKeys, Kind, positive},
        rng::Entropy,
        state::{Saved, layout, load_name, save_name},
    },
    protocols::ssh::lane::{Cipher, Code, Lane, Material, Suite},
    states,
    wire::ssh::{
        ClientOffer, LISTS, MSG_KEXDH_INIT, MSG_KEXDH_REPLY, MSG_NEWKEYS, Offer, kexinit_payload,
        packet, string, take_string,
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
    }

    /// A hash that is not finished.
    #[derive(Clone)]
    boxed enum Hash {
        Sha1 { state: Sha1 },
        Sha256 { state: Sha256 },
    }

    /// A method of key exchange.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Method {
        Curve25519,
        Group14Sha1,
        Group14Sha256,
        NistP256,
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

const METHODS: &[(&str, Method)] = &[
    ("curve25519-sha256", Method::Curve25519),
    ("curve25519-sha256@libssh.org", Method::Curve25519),
    ("diffie-hellman-group14-sha1", Method::Group14Sha1),
    ("diffie-hellman-group14-sha256", Method::Group14Sha256),
    ("ecdh-sha2-nistp256", Method::NistP256),
];

const HOST_KEYS: &[(&str, Kind)] = &[
    ("ecdsa-sha2-nistp256", Kind::EcdsaP256),
    ("rsa-sha2-256", Kind::RsaSha256),
    ("rsa-sha2-512", Kind::RsaSha512),
    ("ssh-ed25519", Kind::Ed25519),
    ("ssh-rsa", Kind::RsaSha1),
];

const CIPHERS: &[(&str, Cipher)] = &[
    ("aes128-ctr", Cipher::Aes128),
    ("aes256-ctr", Cipher::Aes256),
    ("chacha20-poly1305@openssh.com", Cipher::ChaCha20),
];

const CODES: &[(&str, Code)] = &[
    ("hmac-sha1", Code::Sha1 { behind: false }),
    ("hmac-sha1-etm@openssh.com", Code::Sha1 { behind: true }),
    ("hmac-sha2-256", Code::Sha256 { behind: false }),
    ("hmac-sha2-256-etm@openssh.com", Code::Sha256 { behind: true }),
];

/// The name of one of a table.
fn name_of<T: PartialEq>(table: &[(&'static str, T)], wanted: &T) -> &'static str {
    table.iter().find(|(_, one)| one == wanted).map_or("", |&(name, _)| name)
}

/// What of a release's offer we can keep, in its order.
fn kept(offer: &Offer, keys: Option<&HostKeys>) -> [String; LISTS] {
    fn known<T>(table: &[(&str, T)], name: &str) -> bool {
        table.iter().any(|(known, _)| *known == name)
    }
    let has_key = |name: &str| {
        HOST_KEYS
            .iter()
            .any(|&(known, kind)| known == name && keys.is_none_or(|keys| keys.have(kind)))
    };
    let keep = |list: usize, name: &str| match list {
        0 => known(METHODS, name),
        1 => has_key(name),
        2 | 3 => known(CIPHERS, name),
        4 | 5 => known(CODES, name),
        _ => name == "none",
    };
    let lists = offer.lists();
    core::array::from_fn(|list| {
        let names = lists[list].split(',').filter(|name| keep(list, name));
        names.collect::<Vec<_>>().join(",")
    })
}

/// The offer that can be kept, as a packet.
pub(crate) fn kept_offer(
    cookie: [u8; 16],
    offer: &Offer,
    keys: Option<&HostKeys>,
    out: &mut Vec<u8>,
) {
    packet(&kexinit_payload(cookie, kept(offer, keys)), |_| {}, out);
}

impl Hash {
    fn of(method: Method) -> Self {
        match method {
            Method::Group14Sha1 => Self::Sha1 { state: Sha1::new() },
            _ => Self::Sha256 { state: Sha256::new() },
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1 { state } => state.update(bytes),
            Self::Sha256 { state } => state.update(bytes),
        }
    }

    fn add_string(&mut self, bytes: &[u8]) {
        self.add(&(bytes.len() as u32).to_be_bytes());
        self.add(bytes);
    }

    fn end(self) -> Vec<u8> {
        match self {
            Self::Sha1 { state } => state.finalize().to_vec(),
            Self::Sha256 { state } => state.finalize().to_vec(),
        }
    }
}

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
        let ours = kept(offer, keys);
        let method = chosen(METHODS, &theirs, 0, &ours)?;
        let host_key = chosen(HOST_KEYS, &theirs, 1, &ours)?;
        let suite = |way: usize| {
            let cipher = chosen(CIPHERS, &theirs, 2 + way, &ours)?;
            let code = match cipher {
                // That cipher is a code of authentication, too.
                Cipher::ChaCha20 => Code::Sha256 { behind: false },
                Cipher::Aes128 | Cipher::Aes256 => chosen(CODES, &theirs, 4 + way, &ours)?,
            };
            chosen(&[("none", ())], &theirs, 6 + way, &ours)?;
            Some(Suite { cipher, code })
        };
        let (heard, sent) = (suite(0)?, suite(1)?);
        let mut hash = Hash::of(method);
        hash.add_string(openings.client_line);
        hash.add_string(openings.server_line);
        hash.add_string(openings.client_offer);
        let first = |list: usize| ours[list].split(',').next().map(str::as_bytes);
        let guessed = [0, 1].into_iter().all(|list| theirs.names(list).next() == first(list));
        hash.add_string(&kexinit_payload(openings.cookie, ours.clone()));
        let skips = theirs.guesses && !guessed;
        Some(Self { hash, method, host_key, heard, sent, skips })
    }

    /// What answering costs, in handshakes of the cheapest kind.
    ///
    /// As measured in a release build on two busy cores: 0.26 ms with Curve25519 and Ed25519, 0.44
    /// with Curve25519 and ECDSA, 1.18 with P-256 and ECDSA, 1.8 with group 14 and Ed25519, 3.7
    /// with Curve25519 and RSA, 6.3 with group 14 and RSA.
    pub(crate) fn cost(&self) -> u32 {
        let method = match self.method {
            Method::Curve25519 => 0,
            Method::NistP256 => 4,
            Method::Group14Sha1 | Method::Group14Sha256 => 8,
        };
        let host_key = match self.host_key {
            Kind::Ed25519 => 1,
            Kind::EcdsaP256 => 2,
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => 17,
        };
        method + host_key
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
        let (public, after) = take_string(request.strip_prefix(&[MSG_KEXDH_INIT])?)?;
        if !after.is_empty() {
            return None;
        }
        let Exchanged { own, shared } = exchange(self.method, public, entropy)?;
        let host_key = self.host_key_blob(keys)?;
        let mut hash = self.hash.clone();
        for part in [&host_key[..], public, &own, &shared] {
            hash.add_string(part);
        }
        let id = hash.end();
        let mut signature = Vec::with_capacity(300);
        string(name_of(HOST_KEYS, &self.host_key).as_bytes(), &mut signature);
        string(&keys.sign(self.host_key, &id, entropy)?, &mut signature);
        let mut reply = Vec::with_capacity(1_024);
        reply.push(MSG_KEXDH_REPLY);
        for part in [&host_key, &own, &signature] {
            string(part, &mut reply);
        }
        let mut out = Vec::with_capacity(1_280);
        packet(&reply, |_| {}, &mut out);
        packet(&[MSG_NEWKEYS], |_| {}, &mut out);
        let derive = |letter: u8, length: usize| {
            let mut base = Hash::of(self.method);
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
                code: derive(code, 32),
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

impl Saved for Sha1 {
    const LAYOUT: u32 = layout(b"sha1", 0);

    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.serialize());
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let state: [u8; 92] = Saved::load(saved)?;
        Self::deserialize(&state.into()).ok()
    }
}

impl Saved for Sha256 {
    const LAYOUT: u32 = layout(b"sha256", 0);

    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.serialize());
    }

    fn load(saved: &mut &[u8]) -> Option<Self> {
        let state: [u8; 104] = Saved::load(saved)?;
        Self::deserialize(&state.into()).ok()
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
fn chosen<T: Copy>(
    table: &[(&'static str, T)],
    theirs: &ClientOffer<'_>,
    list: usize,
    ours: &[String; LISTS],
) -> Option<T> {
    let name = theirs
        .names(list)
        .find(|name| ours[list].split(',').any(|own| own.as_bytes() == *name && !own.is_empty()))?;
    table.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, one)| one)
}

/// Our public value, and the secret that both sides share as a positive number.
struct Exchanged {
    own: Vec<u8>,
    shared: Vec<u8>,
}

fn exchange(method: Method, public: &[u8], entropy: &mut dyn Entropy) -> Option<Exchanged> {
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    match method {
        Method::Curve25519 => {
            let public: [u8; 32] = public.try_into().ok()?;
            let secret = StaticSecret::from(secret);
            let shared = secret.diffie_hellman(&XPublic::from(public));
            if !shared.was_contributory() {
                return None;
            }
            let own = XPublic::from(&secret).to_bytes().to_vec();
            Some(Exchanged { own, shared: positive(shared.as_bytes()) })
        }
        Method::NistP256 => {
            let public = PublicKey::from_sec1_bytes(public).ok()?;
            // One in four thousand million is no secret of the curve; its client is held.
            let secret = SecretKey::from_slice(&secret).ok()?;
            let shared = secret.diffie_hellman(&public);
            let own = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
            Some(Exchanged { own, shared: positive(shared.raw_secret_bytes()) })
        }
        Method::Group14Sha1 | Method::Group14Sha256 => group14(public, secret),
    }
}

const_monty_params!(
    Group14,
    U2048,
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
     EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
     EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F\
     83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
     E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
     15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    "The prime of RFC 3526, section 3."
);
const_monty_form!(Modulo14, Group14);

/// The agreement over group 14 (RFC 3526, section 3). A secret of 256 bits is twice what the
/// group's strength asks for (RFC 7919, appendix A.1 asks for 225).
fn group14(public: &[u8], secret: [u8; 32]) -> Option<Exchanged> {
    const BYTES: usize = 256;
    let zeros = public.iter().take_while(|&&byte| byte == 0).count();
    let bare = &public[zeros..];
    let mut padded = [0; BYTES];
    padded.get_mut(BYTES.checked_sub(bare.len())?..)?.copy_from_slice(bare);
    let public = U2048::from_be_slice(&padded);
    let most = Group14::PARAMS.modulus().get().wrapping_sub(&U2048::ONE);
    // Between 1 and p - 1, both excluded (RFC 4253, section 8).
    if public <= U2048::ONE || public >= most {
        return None;
    }
    let secret = U256::from_be_slice(&secret);
    let power = |base: &U2048| Modulo14::new(base).pow(&secret).retrieve();
    let bytes = |number: U2048| positive(&number.to_be_bytes());
    let own = bytes(power(&U2048::from_u8(2)));
    Some(Exchanged { own, shared: bytes(power(&public)) })
}
