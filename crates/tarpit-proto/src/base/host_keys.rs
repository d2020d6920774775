//! SSH host keys (RFC 4253, section 6.6; RFC 5656; RFC 8332; RFC 8709).
//!
//! The daemon makes them once for an installation and keeps them in files. A new RSA key takes the
//! time of thousands of handshakes.

use alloc::{sync::Arc, vec::Vec};
use core::{convert::Infallible, fmt};

use ed25519_dalek::Signer as _;
use rsa::{
    BoxedUint,
    rand_core::{TryCryptoRng, TryRng},
    traits::{PrivateKeyParts as _, PublicKeyParts as _},
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use crate::base::rng::Entropy;

/// The keys of a host. Cheap to clone.
#[derive(Clone)]
pub struct HostKeys {
    ed25519: Arc<ed25519_dalek::SigningKey>,
    ecdsa: Arc<p256::ecdsa::SigningKey>,
    rsa: Option<Arc<RsaKey>>,
}

impl fmt::Debug for HostKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets must not get into a log by accident.
        f.write_str("HostKeys(..)")
    }
}

impl HostKeys {
    /// The keys with these secrets: of Ed25519, and of ECDSA over P-256. `None`: the second is no
    /// secret of that curve.
    pub fn new(ed25519: [u8; 32], ecdsa: [u8; 32]) -> Option<Self> {
        Some(Self {
            ed25519: Arc::new(ed25519_dalek::SigningKey::from_bytes(&ed25519)),
            ecdsa: Arc::new(p256::ecdsa::SigningKey::from_slice(&ecdsa).ok()?),
            rsa: None,
        })
    }

    /// A new secret for [`HostKeys::new`], good for either.
    pub fn secret(entropy: &mut dyn Entropy) -> [u8; 32] {
        let mut secret = [0; 32];
        // One in four thousand million is no secret of the curve.
        for _ in 0..8 {
            entropy.fill(&mut secret);
            if p256::ecdsa::SigningKey::from_slice(&secret).is_ok() {
                break;
            }
        }
        secret
    }

    /// The same, and a key of RSA.
    #[must_use]
    pub fn with_rsa(&self, rsa: Arc<RsaKey>) -> Self {
        Self { rsa: Some(rsa), ..self.clone() }
    }

    /// Whether there is a key for `kind`.
    pub(crate) fn have(&self, kind: Kind) -> bool {
        match kind {
            Kind::EcdsaP256 | Kind::Ed25519 => true,
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => self.rsa.is_some(),
        }
    }

    /// What a signature costs, in handshakes of the cheapest kind.
    ///
    /// As measured in a release build on two busy cores: 0.2 ms with ECDSA, and with RSA 3.4 ms, or
    /// 8.9 where the key is long.
    pub(crate) fn cost(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Ed25519 => 1,
            Kind::EcdsaP256 => 2,
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => {
                let is_long = self.rsa.as_ref().is_some_and(|key| key.bits() > RsaKey::SHORT);
                if is_long { 41 } else { 17 }
            }
        }
    }

    /// The parts of the public key for `kind` after its name, each written as a string; `None` if
    /// there is no such key.
    pub(crate) fn public(&self, kind: Kind) -> Option<Vec<Vec<u8>>> {
        Some(match kind {
            Kind::EcdsaP256 => {
                let point = self.ecdsa.verifying_key().to_sec1_point(false);
                alloc::vec![b"nistp256".to_vec(), point.as_bytes().to_vec()]
            }
            Kind::Ed25519 => alloc::vec![self.ed25519.verifying_key().to_bytes().to_vec()],
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => {
                let key = &self.rsa.as_ref()?.0;
                alloc::vec![positive(&key.e_bytes()), positive(&key.n_bytes())]
            }
        })
    }

    /// The signature over `data` in the form of `kind`; `None` if there is no such key.
    pub(crate) fn sign(
        &self,
        kind: Kind,
        data: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Option<Vec<u8>> {
        Some(match kind {
            Kind::EcdsaP256 => {
                let signature: p256::ecdsa::Signature = self.ecdsa.sign(data);
                let (r, s) = signature.split_bytes();
                let mut out = Vec::with_capacity(80);
                for number in [positive(&r), positive(&s)] {
                    out.extend_from_slice(&(number.len() as u32).to_be_bytes());
                    out.extend_from_slice(&number);
                }
                out
            }
            Kind::Ed25519 => self.ed25519.sign(data).to_bytes().to_vec(),
            Kind::RsaSha1 | Kind::RsaSha256 | Kind::RsaSha512 => {
                let key = &self.rsa.as_ref()?.0;
                let rng = &mut Drawn(entropy);
                let signed = match kind {
                    Kind::RsaSha1 => {
                        key.pkcs1v15_sign_prehash_with_rng::<Sha1, _>(rng, &Sha1::digest(data))
                    }
                    Kind::RsaSha512 => {
                        key.pkcs1v15_sign_prehash_with_rng::<Sha512, _>(rng, &Sha512::digest(data))
                    }
                    _ => {
                        key.pkcs1v15_sign_prehash_with_rng::<Sha256, _>(rng, &Sha256::digest(data))
                    }
                };
                signed.ok()?
            }
        })
    }
}

/// A key of RSA.
pub struct RsaKey(rsa::PrivateKey);

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(..)")
    }
}

impl RsaKey {
    /// The bits of certificates' keys, and of those that `ssh-keygen` made up to OpenSSH 7.9.
    pub const SHORT: u32 = 2_048;

    /// The bits of those that `ssh-keygen` has made since.
    pub const LONG: u32 = 3_072;

    /// The length of [`RsaKey::primes`] in bytes where the key is short.
    pub const SAVED_SHORT: usize = Self::SHORT as usize / 8;

    /// The same where it is long.
    pub const SAVED_LONG: usize = Self::LONG as usize / 8;

    /// A new key of so many bits. It takes up to some seconds. `None`: none was found.
    pub fn new(bits: u32, entropy: &mut dyn Entropy) -> Option<Self> {
        rsa::PrivateKey::new(&mut Drawn(entropy), bits as usize).ok().map(Self)
    }

    fn bits(&self) -> u32 {
        self.0.n().bit_width()
    }

    /// Its two primes, to keep it.
    pub fn primes(&self) -> Vec<u8> {
        self.0.primes().iter().flat_map(|prime| prime.to_be_bytes()).collect()
    }

    /// The key as libraries of TLS take it (RFC 5958, around RFC 8017, appendix A.1.2). `None`: a
    /// part of it is lacking.
    pub fn to_pkcs8(&self) -> Option<Vec<u8>> {
        /// The sequence that says that a key of RSA follows.
        const RSA: [u8; 15] = [48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
        const VERSION: [u8; 3] = [2, 1, 0];
        let [p, q] = self.0.primes() else { return None };
        let parts = [
            self.0.n().to_be_bytes(),
            self.0.e().to_be_bytes(),
            self.0.d().to_be_bytes(),
            p.to_be_bytes(),
            q.to_be_bytes(),
            self.0.dp()?.to_be_bytes(),
            self.0.dq()?.to_be_bytes(),
            self.0.qinv()?.retrieve().to_be_bytes(),
        ];
        let numbers = parts.iter().flat_map(|part| der(2, &positive(part)));
        let key = der(48, &VERSION.into_iter().chain(numbers).collect::<Vec<_>>());
        Some(der(48, &[&VERSION[..], &RSA, &der(4, &key)].concat()))
    }

    /// The key that [`RsaKey::primes`] wrote down. `None`: these are no primes of one.
    pub fn from_primes(saved: &[u8]) -> Option<Self> {
        let bits = match saved.len() {
            Self::SAVED_SHORT => Self::SHORT,
            Self::SAVED_LONG => Self::LONG,
            _ => return None,
        };
        let number = |half: &[u8]| BoxedUint::from_be_slice(half, bits / 2).ok();
        let (p, q) = saved.split_at(saved.len() / 2);
        let key = rsa::PrivateKey::from_p_q(number(p)?, number(q)?, BoxedUint::from(65_537_u64));
        let key = key.ok()?;
        key.validate().is_ok().then_some(Self(key))
    }
}

/// By what certificates name a public key, which is given as the bits of its own encoding (RFC
/// 5280, section 4.2.1.2, the first way).
pub fn key_identifier(public: &[u8]) -> [u8; 20] {
    Sha1::digest(public).into()
}

/// What is signed with, by its name in SSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EcdsaP256,
    Ed25519,
    RsaSha1,
    RsaSha256,
    RsaSha512,
}

/// A positive number as SSH writes it: no zeros in front, but for one that keeps it positive
/// (RFC 4251, section 5).
pub(crate) fn positive(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let bare = &bytes[zeros..];
    let sign = bare.first().is_some_and(|&byte| byte >= 0x80);
    let mut out = Vec::with_capacity(bare.len() + 1);
    out.extend(sign.then_some(0));
    out.extend_from_slice(bare);
    out
}

/// A part of a structure in DER, of less than 64 KiB.
fn der(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    let length: &[u8] = match content.len() {
        0..0x80 => &[low],
        0x80..0x100 => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[kind], length, content].concat()
}

/// The system's randomness in the form that the libraries take.
struct Drawn<'a>(&'a mut dyn Entropy);

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}
