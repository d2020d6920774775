//! A small SSH client, written from the standards and not from the code it tests: it exchanges keys,
//! checks the host's signature, and reads what it is told under keys, code by code.

use std::sync::{Arc, OnceLock};

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut as _, Aes128Gcm, Aes256Gcm};
use chacha20::{
    ChaCha20Legacy,
    cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
};
use crypto_bigint::{
    Odd, U256, U2048,
    modular::{FixedMontyForm, FixedMontyParams},
};
use ed25519_dalek::Verifier as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tarpit_proto::{
    keys::{HostKeys, RsaKey},
    rng::Entropy,
};

use crate::{
    ssh::{IDENTIFICATION, offer_of, packet, string, stringed},
    stage::Stage,
};

/// The prime of RFC 3526, section 3.
const PRIME: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
                     514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
                     F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
                     C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
                     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
                     9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
                     15728E5A8AACAA68FFFFFFFFFFFFFFFF";

/// What a client insists on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) line: &'static str,
    pub(crate) method: &'static str,
    pub(crate) host_key: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) code: &'static str,
}

/// A client of whom nothing is known.
pub(crate) const WISHES: Wishes = Wishes {
    line: "SSH-2.0-x",
    method: "curve25519-sha256",
    host_key: "ssh-ed25519",
    cipher: "aes128-ctr",
    code: "hmac-sha2-256",
};

/// A client with keys.
pub(crate) struct Client {
    sends: Lane,
    hears: Lane,
    /// How much of what was sent has been read.
    pub(crate) read: usize,
}

struct Lane {
    cipher: &'static str,
    code: &'static str,
    counter: Vec<u8>,
    key: Vec<u8>,
    code_key: Vec<u8>,
    number: u32,
    /// Its first packet under keys.
    first: u32,
    bytes: u64,
}

struct Steady(u8);

impl Entropy for Steady {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(181).wrapping_add(13);
            *byte = self.0 ^ 0x5A;
        }
    }
}

/// A generator with a long period, for primes.
struct Long(u64);

impl Entropy for Long {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// The host keys of all tests.
pub(crate) fn host_keys() -> HostKeys {
    static RSA: OnceLock<Arc<RsaKey>> = OnceLock::new();
    let rsa = RSA.get_or_init(|| {
        let key = RsaKey::new(RsaKey::LONG, &mut Long(7)).expect("a key");
        Arc::new(RsaKey::from_primes(&key.primes()).expect("the same key"))
    });
    HostKeys::new([3; 32], [5; 32]).expect("secrets").with_rsa(Arc::clone(rsa))
}

/// A listener with host keys.
pub(crate) fn listener() -> Stage {
    let mut stage = Stage::new("ssh_auth_hold");
    stage.profile.host_keys = Some(host_keys());
    stage
}

/// What such a client says before there are keys: its line and offer, and its part of the exchange.
pub(crate) struct Opening {
    pub(crate) offer: Vec<u8>,
    pub(crate) request: Vec<u8>,
    public: Vec<u8>,
    secret: [u8; 32],
}

fn prime() -> FixedMontyParams<{ U2048::LIMBS }> {
    FixedMontyParams::new(Odd::new(U2048::from_be_hex(PRIME)).expect("odd"))
}

fn power(base: &U2048, exponent: [u8; 32]) -> Vec<u8> {
    let power = FixedMontyForm::new(base, &prime()).pow(&U256::from_be_slice(&exponent)).retrieve();
    number(&power.to_be_bytes())
}

/// A number as SSH writes it, without its length.
fn number(bytes: &[u8]) -> Vec<u8> {
    let bare = &bytes[bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len())..];
    if bare.first().is_some_and(|&byte| byte > 127) { [&[0], bare].concat() } else { bare.to_vec() }
}

/// A number with zeros in front.
fn padded<const N: usize>(number: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out[N - number.len()..].copy_from_slice(number);
    out
}

pub(crate) fn opening(wishes: Wishes) -> Opening {
    let Wishes { method, host_key, cipher, code, .. } = wishes;
    let offer = offer_of([method, host_key, cipher, cipher, code, code, "none", "none", "", ""]);
    let mut secret = [0; 32];
    Steady(9).fill(&mut secret);
    let public = match method {
        "curve25519-sha256" | "curve25519-sha256@libssh.org" => {
            x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES).to_vec()
        }
        "ecdh-sha2-nistp256" => {
            let secret = p256::SecretKey::from_slice(&secret).expect("a secret");
            secret.public_key().to_sec1_point(false).as_bytes().to_vec()
        }
        "ecdh-sha2-nistp384" => {
            let secret = p384::SecretKey::from_slice(&padded::<48>(&secret)).expect("a secret");
            secret.public_key().to_sec1_point(false).as_bytes().to_vec()
        }
        "ecdh-sha2-nistp521" => {
            let secret = p521::SecretKey::from_slice(&padded::<66>(&secret)).expect("a secret");
            secret.public_key().to_sec1_point(false).as_bytes().to_vec()
        }
        _ => power(&U2048::from_u8(2), secret),
    };
    let request = [vec![30], stringed(&public)].concat();
    Opening { offer, request, public, secret }
}

impl Client {
    /// Connects, and goes through the whole exchange.
    pub(crate) fn connect(stage: &mut Stage, wishes: Wishes) -> Self {
        let opening = opening(wishes);
        stage.says(format!("{}\r\n", wishes.line));
        stage.says(packet(&opening.offer)).says(packet(&opening.request));
        Self::complete(stage, wishes, &opening)
    }

    /// Waits for the reply, which is late, and begins to use the keys.
    pub(crate) fn complete(stage: &mut Stage, wishes: Wishes, opening: &Opening) -> Self {
        stage.pass_secs(5);
        let sent = stage.bytes();
        let mut rest = sent.strip_prefix(IDENTIFICATION).expect("the line");
        let mut plain = Vec::new();
        while plain.last() != Some(&vec![21]) {
            let (length, after) = rest.split_first_chunk().expect("a packet");
            let (one, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            plain.push(one[1..one.len() - usize::from(one[0])].to_vec());
            rest = after;
        }
        let reply = &plain[plain.len() - 2];
        assert_eq!(reply[0], 31);
        let (blob, after) = string(&reply[1..]);
        let (public, after) = string(after);
        let (signature, after) = string(after);
        assert!(after.is_empty());
        let shared = match wishes.method {
            "curve25519-sha256" | "curve25519-sha256@libssh.org" => {
                number(&x25519_dalek::x25519(opening.secret, public.try_into().expect("a point")))
            }
            "ecdh-sha2-nistp256" => {
                let public = p256::PublicKey::from_sec1_bytes(public).expect("a point");
                let secret = p256::SecretKey::from_slice(&opening.secret).expect("a secret");
                number(secret.diffie_hellman(&public).raw_secret_bytes())
            }
            "ecdh-sha2-nistp384" => {
                let public = p384::PublicKey::from_sec1_bytes(public).expect("a point");
                let secret = p384::SecretKey::from_slice(&padded::<48>(&opening.secret));
                number(secret.expect("one").diffie_hellman(&public).raw_secret_bytes())
            }
            "ecdh-sha2-nistp521" => {
                let public = p521::PublicKey::from_sec1_bytes(public).expect("a point");
                let secret = p521::SecretKey::from_slice(&padded::<66>(&opening.secret));
                number(secret.expect("one").diffie_hellman(&public).raw_secret_bytes())
            }
            _ => {
                let mut padded = vec![0; 256 - (public.len().min(256))];
                padded.extend(&public[public.len().saturating_sub(256)..]);
                power(&U2048::from_be_slice(&padded), opening.secret)
            }
        };
        let server_line = &IDENTIFICATION[..IDENTIFICATION.len() - 2];
        let parts = [
            wishes.line.as_bytes(),
            server_line,
            &opening.offer,
            &plain[0],
            blob,
            &opening.public,
            public,
            &shared,
        ];
        let all: Vec<u8> = parts.iter().flat_map(stringed).collect();
        let hash = |bytes: &[u8]| match wishes.method {
            "diffie-hellman-group14-sha1" => Sha1::digest(bytes).to_vec(),
            "ecdh-sha2-nistp384" => Sha384::digest(bytes).to_vec(),
            "ecdh-sha2-nistp521" => Sha512::digest(bytes).to_vec(),
            _ => Sha256::digest(bytes).to_vec(),
        };
        let id = hash(&all);
        verify(wishes.host_key, blob, signature, &id);
        let derive = |letter: u8| {
            let base = [stringed(&shared), id.clone()].concat();
            let mut out = hash(&[&base[..], &[letter], &id].concat());
            while out.len() < 64 {
                let more = hash(&[&base[..], &out].concat());
                out.extend(more);
            }
            out
        };
        let lane = |letters: [u8; 3], number| Lane {
            cipher: wishes.cipher,
            code: wishes.code,
            counter: derive(letters[0]),
            key: derive(letters[1]),
            code_key: derive(letters[2]),
            number,
            first: number,
            bytes: 0,
        };
        stage.says(packet(&[21]));
        let heard = u32::try_from(plain.len()).expect("few");
        Self { sends: lane(*b"ACE", 3), hears: lane(*b"BDF", heard), read: sent.len() - rest.len() }
    }

    /// A packet under keys.
    pub(crate) fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        self.sends.seal(payload)
    }

    /// Says something under keys.
    pub(crate) fn says(&mut self, stage: &mut Stage, payload: &[u8]) {
        let packet = self.sends.seal(payload);
        stage.says(packet);
    }

    /// What has been said under keys since this was last asked.
    pub(crate) fn hears(&mut self, stage: &Stage) -> Vec<Vec<u8>> {
        let sent = stage.bytes();
        let mut heard = Vec::new();
        while let Some((payload, length)) = self.hears.open(&sent[self.read..]) {
            heard.push(payload);
            self.read += length;
        }
        heard
    }
}

/// Checks the host's signature over `id`.
fn verify(name: &str, blob: &[u8], signature: &[u8], id: &[u8]) {
    let (kind, blob) = string(blob);
    let (signed, signature) = string(signature);
    let (signature, rest) = string(signature);
    assert_eq!((signed, rest), (name.as_bytes(), &b""[..]));
    match name {
        "ssh-ed25519" => {
            assert_eq!(kind, b"ssh-ed25519");
            let key: [u8; 32] = string(blob).0.try_into().expect("a key");
            let key = ed25519_dalek::VerifyingKey::from_bytes(&key).expect("a key");
            let signature = ed25519_dalek::Signature::from_slice(signature).expect("one");
            key.verify(id, &signature).expect("it is the host's");
        }
        "ecdsa-sha2-nistp256" => {
            let (curve, blob) = string(blob);
            assert_eq!((kind, curve), (&b"ecdsa-sha2-nistp256"[..], &b"nistp256"[..]));
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(string(blob).0).expect("a key");
            let (r, s) = string(signature);
            let fixed = |bytes: &[u8]| -> [u8; 32] {
                let bare = &bytes[bytes.len().saturating_sub(32)..];
                let mut out = [0; 32];
                out[32 - bare.len()..].copy_from_slice(bare);
                out
            };
            let signature =
                p256::ecdsa::Signature::from_scalars(fixed(r), fixed(string(s).0)).expect("one");
            key.verify(id, &signature).expect("it is the host's");
        }
        _ => {
            assert_eq!(kind, b"ssh-rsa");
            let (e, blob) = string(blob);
            let number = |bytes: &[u8]| rsa::BoxedUint::from_be_slice_vartime(bytes);
            let key = rsa::PublicKey::new(number(string(blob).0), number(e)).expect("a key");
            let verdict = match name {
                "rsa-sha2-256" => {
                    key.pkcs1v15_verify_prehash::<Sha256>(&Sha256::digest(id), signature)
                }
                "rsa-sha2-512" => {
                    key.pkcs1v15_verify_prehash::<Sha512>(&Sha512::digest(id), signature)
                }
                _ => key.pkcs1v15_verify_prehash::<Sha1>(&Sha1::digest(id), signature),
            };
            verdict.expect("it is the host's");
        }
    }
}

impl Lane {
    fn behind(&self) -> bool {
        self.code.contains("-etm@")
    }

    fn chacha(&self) -> bool {
        self.cipher.starts_with("chacha20")
    }

    fn gcm(&self) -> bool {
        self.cipher.contains("-gcm@")
    }

    fn crypt(&self, bytes: &mut [u8]) {
        fn stream<C>(key: &[u8], counter: &[u8], at: u64, bytes: &mut [u8])
        where
            C: KeyIvInit + StreamCipher + StreamCipherSeek,
        {
            let mut stream = C::new_from_slices(key, counter).expect("of the right lengths");
            stream.seek(at);
            stream.apply_keystream(bytes);
        }
        let (key, counter, at) = (&self.key, &self.counter[..16], self.bytes);
        match self.cipher {
            "aes128-ctr" => stream::<ctr::Ctr128BE<Aes128>>(&key[..16], counter, at, bytes),
            "aes192-ctr" => stream::<ctr::Ctr128BE<Aes192>>(&key[..24], counter, at, bytes),
            _ => stream::<ctr::Ctr128BE<Aes256>>(&key[..32], counter, at, bytes),
        }
    }

    /// What the packet counter has come to, behind the four bytes that stay.
    fn nonce(&self) -> [u8; 12] {
        let mut nonce: [u8; 12] = self.counter[..12].try_into().expect("a nonce");
        let count = u64::from_be_bytes(nonce[4..].try_into().expect("eight"));
        let packets = self.number - self.first;
        nonce[4..].copy_from_slice(&count.wrapping_add(packets.into()).to_be_bytes());
        nonce
    }

    /// Encrypts a packet behind its length, or decrypts it where its tag is given.
    fn gcm_crypt(&self, packet: &mut [u8], tag: Option<&[u8]>) -> Vec<u8> {
        let (length, text) = packet.split_at_mut(4);
        let (nonce, text) = (self.nonce().into(), text.into());
        let expected = tag.map(|tag| <[u8; 16]>::try_from(tag).expect("a tag").into());
        if self.cipher.starts_with("aes128") {
            let cipher = Aes128Gcm::new_from_slice(&self.key[..16]).expect("a key");
            let Some(tag) = expected else {
                return cipher.encrypt_inout_detached(&nonce, length, text).expect("it").to_vec();
            };
            cipher.decrypt_inout_detached(&nonce, length, text, &tag).expect("it is genuine");
        } else {
            let cipher = Aes256Gcm::new_from_slice(&self.key[..32]).expect("a key");
            let Some(tag) = expected else {
                return cipher.encrypt_inout_detached(&nonce, length, text).expect("it").to_vec();
            };
            cipher.decrypt_inout_detached(&nonce, length, text, &tag).expect("it is genuine");
        }
        Vec::new()
    }

    fn stream(&self, from: usize) -> ChaCha20Legacy {
        let key: [u8; 32] = self.key[from..from + 32].try_into().expect("a key");
        ChaCha20Legacy::new(&key.into(), &u64::from(self.number).to_be_bytes().into())
    }

    fn tag(&self, bytes: &[u8]) -> Vec<u8> {
        if self.chacha() {
            let mut key = [0; 32];
            self.stream(0).apply_keystream(&mut key);
            return poly1305::Poly1305::new(&key.into()).compute_unpadded(bytes).to_vec();
        }
        let number = self.number.to_be_bytes();
        if self.code.contains("sha1") {
            let code = Hmac::<Sha1>::new_from_slice(&self.code_key[..20]).expect("a key");
            code.chain_update(number).chain_update(bytes).finalize().into_bytes().to_vec()
        } else if self.code.contains("512") {
            let code = Hmac::<Sha512>::new_from_slice(&self.code_key[..64]).expect("a key");
            code.chain_update(number).chain_update(bytes).finalize().into_bytes().to_vec()
        } else {
            let code = Hmac::<Sha256>::new_from_slice(&self.code_key[..32]).expect("a key");
            code.chain_update(number).chain_update(bytes).finalize().into_bytes().to_vec()
        }
    }

    fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let apart = self.chacha() || self.gcm() || self.behind();
        let block = if self.chacha() { 8 } else { 16 };
        let head = if apart { 1 } else { 5 };
        let padding = 4 + (block - (head + payload.len() + 4) % block) % block;
        let length = u32::try_from(1 + payload.len() + padding).expect("small");
        let mut out = length.to_be_bytes().to_vec();
        out.push(u8::try_from(padding).expect("small"));
        out.extend_from_slice(payload);
        out.resize(out.len() + padding, 7);
        let tag = if self.chacha() {
            self.stream(32).apply_keystream(&mut out[..4]);
            let mut stream = self.stream(0);
            stream.seek(64_u64);
            stream.apply_keystream(&mut out[4..]);
            self.tag(&out)
        } else if self.gcm() {
            self.gcm_crypt(&mut out, None)
        } else if self.behind() {
            self.crypt(&mut out[4..]);
            self.tag(&out)
        } else {
            let tag = self.tag(&out);
            self.crypt(&mut out);
            tag
        };
        self.pass(length as usize);
        out.extend(tag);
        out
    }

    /// The next packet's payload, and the packet's length.
    fn open(&mut self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut head = bytes.get(..4)?.to_vec();
        if self.chacha() {
            self.stream(32).apply_keystream(&mut head);
        } else if !self.behind() && !self.gcm() {
            self.crypt(&mut head);
        }
        let length = u32::from_be_bytes(head[..].try_into().expect("four")) as usize;
        assert!(length < 1_000, "a length of {length}");
        let mut packet = bytes.get(..4 + length)?.to_vec();
        let tag_length = if self.chacha() || self.gcm() {
            16
        } else if self.code.contains("512") {
            64
        } else if self.code.contains("sha1") {
            20
        } else {
            32
        };
        let tag = bytes.get(4 + length..4 + length + tag_length)?;
        if self.chacha() {
            assert_eq!(self.tag(&packet), tag);
            let mut stream = self.stream(0);
            stream.seek(64_u64);
            stream.apply_keystream(&mut packet[4..]);
            assert_eq!(length % 8, 0);
        } else if self.gcm() {
            self.gcm_crypt(&mut packet, Some(tag));
            assert_eq!(length % 16, 0);
        } else if self.behind() {
            assert_eq!(self.tag(&packet), tag);
            self.crypt(&mut packet[4..]);
            assert_eq!(length % 16, 0);
        } else {
            self.crypt(&mut packet);
            assert_eq!(self.tag(&packet), tag);
            assert_eq!((4 + length) % 16, 0);
        }
        self.pass(length);
        let padding = usize::from(packet[4]);
        assert!(padding >= 4);
        Some((packet[5..4 + length - padding].to_vec(), 4 + length + tag_length))
    }

    fn pass(&mut self, length: usize) {
        self.number += 1;
        self.bytes += (length + if self.behind() { 0 } else { 4 }) as u64;
    }
}

/// The request for the service of authentication.
pub(crate) fn service() -> Vec<u8> {
    [vec![5], stringed("ssh-userauth")].concat()
}

/// A request to be known as `user`, by `method` and what belongs to it.
pub(crate) fn authentication(user: &str, method: &str, rest: &[u8]) -> Vec<u8> {
    let parts = [user, "ssh-connection", method].map(stringed).concat();
    [&[50], &parts[..], rest].concat()
}

/// The same by a password.
pub(crate) fn password(word: &str) -> Vec<u8> {
    authentication("root", "password", &[&[0], &stringed(word)[..]].concat())
}

/// The answer to one question.
pub(crate) fn answers(word: &str) -> Vec<u8> {
    [&[61, 0, 0, 0, 1], &stringed(word)[..]].concat()
}
