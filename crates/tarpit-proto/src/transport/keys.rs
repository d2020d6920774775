//! Keys of an open connection: records made and read (RFC 8446, section 5.2; RFC 5246, section
//! 6.2.3; RFC 5288; RFC 7905).
//!
//! Keys are kept raw and expanded for each record. That costs less than a microsecond, and an
//! expanded key is several times as large.

use alloc::vec::Vec;

use aes::{Aes128, Aes256};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _},
};
use chacha20poly1305::ChaCha20Poly1305;
use ctr::Ctr32BE;
use rustls::{ConnectionTrafficSecrets, ExtractedSecrets, ProtocolVersion};

use crate::transport::Malformed;

/// Types of records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// TLS 1.2, the version that every record names.
const VERSION: [u8; 2] = [3, 3];

/// What the ciphers append.
const TAG: usize = Keys::TAG;

/// How much of a nonce a record of TLS 1.2 under AES-GCM carries.
const EXPLICIT: usize = 8;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Keys {
    cipher: Cipher,
    version: Version,
    ours: Half,
    theirs: Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V12,
    V13,
}

/// One direction.
struct Half {
    key: [u8; 32],
    iv: [u8; 12],
    /// The number of the next record.
    number: u64,
}

impl core::fmt::Debug for Half {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The key must not get into a log by accident.
        f.debug_struct("Half").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Keys {
    /// The length of a record's authentication tag, at its end.
    pub(super) const TAG: usize = 16;

    /// The keys that a handshake agreed on; `None` if tarpitd does not offer their cipher.
    pub(super) fn new(version: ProtocolVersion, secrets: &ExtractedSecrets) -> Option<Self> {
        let version = match version {
            ProtocolVersion::TLSv1_2 => Version::V12,
            ProtocolVersion::TLSv1_3 => Version::V13,
            _ => return None,
        };
        let half = |(number, secrets): &(u64, ConnectionTrafficSecrets)| {
            let (cipher, key, iv) = match secrets {
                ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Cipher::Aes128Gcm, key, iv),
                ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Cipher::Aes256Gcm, key, iv),
                ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                    (Cipher::ChaCha20Poly1305, key, iv)
                }
                _ => return None,
            };
            let mut half = Half { key: [0; 32], iv: [0; 12], number: *number };
            half.key.get_mut(..key.as_ref().len())?.copy_from_slice(key.as_ref());
            half.iv.get_mut(..iv.as_ref().len())?.copy_from_slice(iv.as_ref());
            Some((cipher, half))
        };
        let ((cipher, ours), (_, theirs)) = (half(&secrets.tx)?, half(&secrets.rx)?);
        Some(Self { cipher, version, ours, theirs })
    }

    /// Makes the next record of `said`, in place.
    pub(super) fn seal(&self, said: &mut Vec<u8>) {
        let Half { number, .. } = self.ours;
        let nonce = self.ours.nonce();
        let plain = said.len() as u16;
        let explicit = self.explicit();
        let inner = usize::from(self.version == Version::V13);
        let length = (explicit + said.len() + inner + TAG) as u16;
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, VERSION[0], VERSION[1], high, low];
        let bound = match self.version {
            Version::V12 => bound_12(number, APPLICATION_DATA, plain),
            Version::V13 => Bound::V13(header),
        };
        let mut body = core::mem::take(said);
        if self.version == Version::V13 {
            body.push(APPLICATION_DATA);
        }
        if !self.cipher.seal(&self.ours.key, nonce, bound.bytes(), &mut body) {
            debug_assert!(false, "a record beyond the cipher's bound");
            return;
        }
        said.reserve_exact(header.len() + explicit + body.len());
        said.extend_from_slice(&header);
        said.extend_from_slice(&nonce[nonce.len() - explicit..]);
        said.append(&mut body);
    }

    /// Goes to the next number: the record that [`Keys::seal`] made is being sent.
    pub(super) fn count(&mut self) {
        self.ours.number += 1;
    }

    /// Decrypts the client's next record and appends its text to `plain`. An error if it cannot be
    /// understood, or if nothing after it can: a change of keys, which is allowed.
    pub(super) fn open(
        &mut self,
        header: [u8; 5],
        body: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), Option<Malformed>> {
        if header[0] == CHANGE_CIPHER_SPEC && self.version == Version::V13 {
            // Some send one to please old devices on the way (RFC 8446, appendix D.4).
            return Ok(());
        }
        let too_short = Some(Malformed::RecordLength);
        let (nonce, body) = self.nonce(body).ok_or(too_short)?;
        let length = body.len().checked_sub(TAG).ok_or(too_short)?;
        let bound = match self.version {
            Version::V12 => bound_12(self.theirs.number, header[0], length as u16),
            Version::V13 => Bound::V13(header),
        };
        let mut body = body.to_vec();
        if !self.cipher.open(&self.theirs.key, nonce, bound.bytes(), &mut body) {
            return Err(Some(Malformed::RecordMac));
        }
        self.heard();
        let kind = match self.version {
            Version::V12 => header[0],
            Version::V13 => {
                // Behind what is said stand its type and padding of zeros.
                let end = body.iter().rposition(|&byte| byte != 0).unwrap_or(0);
                let kind = body.get(end).copied().unwrap_or(0);
                body.truncate(end);
                kind
            }
        };
        match kind {
            APPLICATION_DATA => plain.append(&mut body),
            // Alerts need no answer.
            ALERT => {}
            HANDSHAKE => return Err(None),
            _ => return Err(Some(Malformed::RecordType)),
        }
        Ok(())
    }

    /// The nonce of the client's next record, whose body begins with these bytes, and the bytes
    /// after it. `None`: it is not complete.
    pub(super) fn nonce<'a>(&self, body: &'a [u8]) -> Option<([u8; 12], &'a [u8])> {
        let (sent, rest) = body.split_at_checked(self.explicit())?;
        let mut nonce = self.theirs.nonce();
        if !sent.is_empty() {
            nonce[4..].copy_from_slice(sent);
        }
        Some((nonce, rest))
    }

    /// Decrypts `bytes` of the client, which begin `at` bytes after the nonce of their record. The
    /// result is not authenticated.
    pub(super) fn decrypt(&self, nonce: &[u8; 12], at: usize, bytes: &mut [u8]) {
        let key = &self.theirs.key;
        self.cipher.stream(key, nonce, at, bytes);
    }

    /// Whether a record's type is encrypted, after its text.
    pub(super) fn hide_types(&self) -> bool {
        self.version == Version::V13
    }

    /// Goes to the next number: the client's record was read.
    pub(super) fn heard(&mut self) {
        self.theirs.number += 1;
    }

    fn explicit(&self) -> usize {
        let carries = self.version == Version::V12 && self.cipher != Cipher::ChaCha20Poly1305;
        if carries { EXPLICIT } else { 0 }
    }

    /// Writes the keys down.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.push(self.cipher as u8);
        out.push(self.version as u8);
        for half in [&self.ours, &self.theirs] {
            out.extend_from_slice(&half.key);
            out.extend_from_slice(&half.iv);
            out.extend_from_slice(&half.number.to_be_bytes());
        }
    }

    /// The keys that [`Keys::save`] wrote, and the bytes after them.
    pub(super) fn resume(saved: &[u8]) -> Option<(Self, &[u8])> {
        const CIPHERS: [Cipher; 3] =
            [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
        let ([cipher, version], rest) = saved.split_first_chunk()?;
        let (ours, rest) = Half::resume(rest)?;
        let (theirs, rest) = Half::resume(rest)?;
        let keys = Self {
            cipher: CIPHERS.into_iter().find(|&one| one as u8 == *cipher)?,
            version: [Version::V12, Version::V13].into_iter().find(|&it| it as u8 == *version)?,
            ours,
            theirs,
        };
        Some((keys, rest))
    }
}

impl Half {
    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, part) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= part;
        }
        nonce
    }

    fn resume(saved: &[u8]) -> Option<(Self, &[u8])> {
        let (key, rest) = saved.split_first_chunk()?;
        let (iv, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        Some((Self { key: *key, iv: *iv, number: u64::from_be_bytes(*number) }, rest))
    }
}

/// What a record's tag authenticates besides the encrypted text.
enum Bound {
    V12([u8; 13]),
    V13([u8; 5]),
}

impl Bound {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::V12(bytes) => bytes,
            Self::V13(bytes) => bytes,
        }
    }
}

fn bound_12(number: u64, kind: u8, length: u16) -> Bound {
    let mut bytes = [0; 13];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8] = kind;
    bytes[9..11].copy_from_slice(&VERSION);
    bytes[11..].copy_from_slice(&length.to_be_bytes());
    Bound::V12(bytes)
}

impl Cipher {
    /// Encrypts `body` in place and appends its tag; false if it is too long.
    fn seal(self, key: &[u8; 32], nonce: [u8; 12], bound: &[u8], body: &mut Vec<u8>) -> bool {
        let nonce = nonce.into();
        match self {
            Self::Aes128Gcm => Aes128Gcm::new_from_slice(&key[..16])
                .is_ok_and(|cipher| cipher.encrypt_in_place(&nonce, bound, body).is_ok()),
            Self::Aes256Gcm => {
                Aes256Gcm::new(&(*key).into()).encrypt_in_place(&nonce, bound, body).is_ok()
            }
            Self::ChaCha20Poly1305 => {
                ChaCha20Poly1305::new(&(*key).into()).encrypt_in_place(&nonce, bound, body).is_ok()
            }
        }
    }

    /// Decrypts `body` in place and removes its tag; false if the tag is wrong.
    fn open(self, key: &[u8; 32], nonce: [u8; 12], bound: &[u8], body: &mut Vec<u8>) -> bool {
        let nonce = nonce.into();
        match self {
            Self::Aes128Gcm => Aes128Gcm::new_from_slice(&key[..16])
                .is_ok_and(|cipher| cipher.decrypt_in_place(&nonce, bound, body).is_ok()),
            Self::Aes256Gcm => {
                Aes256Gcm::new(&(*key).into()).decrypt_in_place(&nonce, bound, body).is_ok()
            }
            Self::ChaCha20Poly1305 => {
                ChaCha20Poly1305::new(&(*key).into()).decrypt_in_place(&nonce, bound, body).is_ok()
            }
        }
    }

    /// Encrypts or decrypts `bytes`, which begin `at` bytes behind the start of a record's text, by
    /// the stream alone: the first block of either cipher's serves the tag (RFC 8439, section 2.8;
    /// NIST SP 800-38D, section 7.1).
    fn stream(self, key: &[u8; 32], nonce: &[u8; 12], at: usize, bytes: &mut [u8]) {
        let mut counter = [0; 16];
        counter[..12].copy_from_slice(nonce);
        counter[15] = 2;
        match self {
            Self::Aes128Gcm => {
                let mut half = [0; 16];
                half.copy_from_slice(&key[..16]);
                let mut stream = Ctr32BE::<Aes128>::new(&half.into(), &counter.into());
                stream.seek(at);
                stream.apply_keystream(bytes);
            }
            Self::Aes256Gcm => {
                let mut stream = Ctr32BE::<Aes256>::new(&(*key).into(), &counter.into());
                stream.seek(at);
                stream.apply_keystream(bytes);
            }
            Self::ChaCha20Poly1305 => {
                let mut stream = ChaCha20::new(&(*key).into(), &(*nonce).into());
                stream.seek(64 + at);
                stream.apply_keystream(bytes);
            }
        }
    }
}

/// Keys by which a test plays the client.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One pair of keys of each kind. What they seal they open, too.
    pub(in crate::transport) fn all() -> Vec<Keys> {
        let half = || Half { key: [7; 32], iv: [9; 12], number: 3 };
        let keys = |cipher, version| Keys { cipher, version, ours: half(), theirs: half() };
        [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305]
            .into_iter()
            .flat_map(|cipher| [keys(cipher, Version::V12), keys(cipher, Version::V13)])
            .collect()
    }

    impl Keys {
        /// Lets the client's first record come once more.
        pub(in crate::transport) fn begin_again(&mut self) {
            self.theirs.number = 3;
        }
    }

    /// The client's next record, in which this is said. Where types are hidden, so many zeros are
    /// its padding.
    pub(in crate::transport) fn record(keys: &mut Keys, said: &[u8], padding: usize) -> Vec<u8> {
        let mut record = said.to_vec();
        if keys.hide_types() {
            record.push(APPLICATION_DATA);
            record.resize(record.len() + padding, 0);
            let [high, low] = ((record.len() + TAG) as u16).to_be_bytes();
            let header = [APPLICATION_DATA, VERSION[0], VERSION[1], high, low];
            let Half { key, .. } = &keys.ours;
            assert!(keys.cipher.seal(key, keys.ours.nonce(), &header, &mut record));
            record.splice(0..0, header);
        } else {
            keys.seal(&mut record);
        }
        keys.count();
        record
    }
}
