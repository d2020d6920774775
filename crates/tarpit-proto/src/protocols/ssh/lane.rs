//! Packets under keys: ciphers and codes of authentication (RFC 4253, section 6; RFC 4344; RFC
//! 5647; RFC 6668; OpenSSH's `PROTOCOL` and `PROTOCOL.chacha20poly1305`).
//!
//! Keys are kept raw, a direction in 96 bytes and half the key of a long code apart, and expanded
//! for each packet: a held client speaks once in two minutes. A packet that was sealed can be sealed
//! again, to the same bytes, as long as the lane has not been moved on.

use alloc::{boxed::Box, vec::Vec};

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut as _, Aes128Gcm, Aes256Gcm};
use chacha20::{
    ChaCha20Legacy,
    cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _},
};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use poly1305::Poly1305;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::{
    base::said::Said,
    states,
    wire::ssh::{self, LONGEST, Malformed, padding, payload},
};

states! {
    /// One direction of a connection.
    #[derive(Clone)]
    pub(crate) boxed struct Lane {
        /// The key; or for AES the key, the next counter and the code's key, each at its place.
        secret: [u8; Lane::SECRET],
        /// What of the code's key has no place there.
        code_rest: Option<Box<[u8; Lane::LONGEST_CODE - (Lane::SECRET - CODE)]>>,
        /// Packets since the connection began, modulo 2^32.
        number: u32,
        suite: Suite,
    }

    /// How a direction is encrypted. The code is of no account where the cipher is one itself.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Suite {
        pub(super) cipher: Cipher,
        pub(super) code: Code,
        /// Whether packets are compressed from the moment on at which a client is let in. Such a
        /// client is not: nothing here compresses.
        pub(super) compresses: bool,
    }

    /// A cipher.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Cipher {
        Aes128,
        Aes128Gcm,
        Aes192,
        Aes256,
        Aes256Gcm,
        ChaCha20,
    }

    /// A code of authentication; `behind` says that it is made of what was encrypted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Code {
        Sha1,
        Sha256 { behind: bool },
        Sha512 { behind: bool },
    }
}

const _: () = assert!(size_of::<Lane>() <= 96, "a direction is at most 96 bytes");

impl Cipher {
    /// Whether it vouches for packets itself, so that no code is made.
    pub(super) fn is_code(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20)
    }

    /// The length of its key, or of both its keys.
    fn key(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes128Gcm => 16,
            Self::Aes192 => 24,
            Self::Aes256 | Self::Aes256Gcm => 32,
            Self::ChaCha20 => 64,
        }
    }

    /// What packets are padded to a multiple of.
    fn block(self) -> usize {
        if self == Self::ChaCha20 { 8 } else { BLOCK }
    }
}

impl Code {
    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 { .. } => 32,
            Self::Sha512 { .. } => 64,
        }
    }

    fn is_behind(self) -> bool {
        match self {
            Self::Sha1 => false,
            Self::Sha256 { behind } | Self::Sha512 { behind } => behind,
        }
    }
}

/// The keys of one direction, as they come out of an exchange.
pub(super) struct Material {
    pub(super) counter: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) code: Vec<u8>,
}

/// What the client's next bytes are.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Nonsense, or no packet of the client that has the keys.
    Broken(Malformed),
    Incomplete,
    Payload(Vec<u8>),
    /// A packet that is longer than can be waited for: so many bytes of it are to be dropped.
    TooLong(usize),
}

/// What a script is shown at once; a packet beyond it is dropped unread.
const ROOM: usize = 4_096;

const BLOCK: usize = 16;
const COUNTER: usize = 32;
const CODE: usize = 48;

impl Lane {
    /// The bytes of a direction's keys.
    pub(super) const SECRET: usize = 80;

    /// How many bytes of each kind of key are needed at most.
    pub(super) const LONGEST_KEY: usize = 64;
    pub(super) const LONGEST_CODE: usize = 64;

    /// The direction whose next packet is the `number`th.
    pub(super) fn new(suite: Suite, material: &Material, number: u32) -> Self {
        let mut secret = [0; Self::SECRET];
        let mut code_rest = None;
        let Material { counter, key, code } = material;
        let length = suite.cipher.key();
        secret[..length].copy_from_slice(&key[..length]);
        if suite.cipher != Cipher::ChaCha20 {
            secret[COUNTER..CODE].copy_from_slice(&counter[..BLOCK]);
        }
        if !suite.cipher.is_code() {
            let (first, rest) =
                code[..suite.code.length()].split_at(suite.code.length().min(Self::SECRET - CODE));
            secret[CODE..CODE + first.len()].copy_from_slice(first);
            code_rest = rest.try_into().ok().map(Box::new);
        }
        Self { secret, code_rest, number, suite }
    }

    /// A direction with keys that a fuzzer is not told.
    fn for_checks(suite: Suite) -> Self {
        let bytes: Vec<u8> = (0..64).map(|byte: u8| byte.wrapping_mul(29) ^ 0x5C).collect();
        let material = Material { counter: bytes.clone(), key: bytes.clone(), code: bytes };
        Self::new(suite, &material, 3)
    }

    /// Appends the packet that holds `content`, padded by what `fill` draws.
    pub(crate) fn seal(&self, content: &[u8], fill: impl FnOnce(&mut [u8]), out: &mut Vec<u8>) {
        let start = out.len();
        let padding = self.padding(content.len());
        let length = 1 + content.len() + padding;
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.push(padding as u8);
        out.extend_from_slice(content);
        out.resize(start + 4 + length, 0);
        fill(&mut out[start + 4 + length - padding..]);
        match self.suite.cipher {
            Cipher::ChaCha20 => {
                self.chacha_length(&mut out[start..start + 4]);
                self.chacha().apply(&mut out[start + 4..]);
                let tag = self.chacha().tag(&out[start..]);
                out.extend_from_slice(&tag);
            }
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => {
                let (length, text) = out[start..].split_at_mut(4);
                let tag = self.gcm_seal(length, text);
                out.extend_from_slice(&tag);
            }
            _ if self.suite.code.is_behind() => {
                self.aes(&mut out[start + 4..]);
                let code = self.authentication(&out[start..]);
                out.extend_from_slice(&code);
            }
            _ => {
                let code = self.authentication(&out[start..]);
                self.aes(&mut out[start..]);
                out.extend_from_slice(&code);
            }
        }
    }

    /// Moves on behind a packet that was sealed and sent, whose content was so long.
    pub(crate) fn sent(&mut self, content: usize) {
        self.advance(1 + content + self.padding(content));
    }

    /// Moves on behind a packet that came before there were keys.
    pub(crate) fn pass(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    /// Whether packets are compressed behind a success.
    pub(crate) fn compresses(&self) -> bool {
        self.suite.compresses
    }

    /// How many packets went before, modulo 2^32.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Takes the client's next packet.
    pub(crate) fn open(&mut self, said: &mut Said<'_>) -> Opened {
        let rest = said.rest();
        let least = if self.clear_length() == 0 { BLOCK } else { 4 };
        if rest.len() < least {
            return Opened::Incomplete;
        }
        let mut first = [0; BLOCK];
        first[..least].copy_from_slice(&rest[..least]);
        match self.suite.cipher {
            Cipher::ChaCha20 => self.chacha_length(&mut first[..4]),
            _ if self.clear_length() > 0 => {}
            _ => self.aes(&mut first),
        }
        let [a, b, c, d, ..] = first;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let covered = length + 4 - self.clear_length();
        if !(2..=LONGEST).contains(&length) || !covered.is_multiple_of(self.suite.cipher.block()) {
            return Opened::Broken(Malformed::PacketLength);
        }
        let total = 4 + length + self.code_length();
        if total > ROOM || (rest.len() < total && said.is_full()) {
            self.advance(length);
            return Opened::TooLong(total);
        }
        if rest.len() < total {
            return Opened::Incomplete;
        }
        let mut packet = said.take(total).to_vec();
        let code = packet.split_off(4 + length);
        let genuine = match self.suite.cipher {
            Cipher::ChaCha20 => {
                let genuine = self.chacha().tag(&packet) == code[..];
                self.chacha().apply(&mut packet[4..]);
                genuine
            }
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => {
                let (length, text) = packet.split_at_mut(4);
                self.gcm_open(length, text, &code)
            }
            _ if self.suite.code.is_behind() => {
                let genuine = self.authentication(&packet) == code;
                self.aes(&mut packet[4..]);
                genuine
            }
            _ => {
                self.aes(&mut packet);
                self.authentication(&packet) == code
            }
        };
        if !genuine {
            return Opened::Broken(Malformed::Mac);
        }
        self.advance(length);
        match payload(&packet[4..]) {
            None => Opened::Broken(Malformed::Padding),
            Some(payload) => Opened::Payload(payload.to_vec()),
        }
    }

    fn padding(&self, content: usize) -> usize {
        padding(4 - self.clear_length() + 1 + content, self.suite.cipher.block())
    }

    /// Moves on behind a packet whose length says `length`.
    fn advance(&mut self, length: usize) {
        self.number = self.number.wrapping_add(1);
        let covered = length + 4 - self.clear_length();
        let counter = &mut self.secret[COUNTER..CODE];
        match self.suite.cipher {
            Cipher::ChaCha20 => {}
            // Behind 4 bytes that stay, 8 count packets (RFC 5647, section 7.1).
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => add(&mut counter[4..12], 1),
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                add(counter, (covered / BLOCK) as u64);
            }
        }
    }

    /// How many bytes of a packet's length are apart from the blocks behind it.
    fn clear_length(&self) -> usize {
        if self.suite.cipher.is_code() || self.suite.code.is_behind() { 4 } else { 0 }
    }

    fn code_length(&self) -> usize {
        if self.suite.cipher.is_code() { 16 } else { self.suite.code.length() }
    }

    fn authentication(&self, packet: &[u8]) -> Vec<u8> {
        let mut key = [0; Self::LONGEST_CODE];
        key[..Self::SECRET - CODE].copy_from_slice(&self.secret[CODE..]);
        if let Some(rest) = &self.code_rest {
            key[Self::SECRET - CODE..].copy_from_slice(&rest[..]);
        }
        let key = &key[..self.suite.code.length()];
        let number = self.number.to_be_bytes();
        match self.suite.code {
            Code::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .map(|code| code.chain_update(number).chain_update(packet))
                .map(|code| code.finalize().into_bytes().to_vec()),
            Code::Sha256 { .. } => Hmac::<Sha256>::new_from_slice(key)
                .map(|code| code.chain_update(number).chain_update(packet))
                .map(|code| code.finalize().into_bytes().to_vec()),
            Code::Sha512 { .. } => Hmac::<Sha512>::new_from_slice(key)
                .map(|code| code.chain_update(number).chain_update(packet))
                .map(|code| code.finalize().into_bytes().to_vec()),
        }
        // A key of any length will do.
        .unwrap_or_default()
    }

    /// The first bytes of the key.
    fn key<const N: usize>(&self) -> [u8; N] {
        let mut key = [0; N];
        key.copy_from_slice(&self.secret[..N]);
        key
    }

    /// Encrypts or decrypts `bytes`, which begin with the packet's first block.
    fn aes(&self, bytes: &mut [u8]) {
        let mut counter = [0; BLOCK];
        counter.copy_from_slice(&self.secret[COUNTER..CODE]);
        let counter = counter.into();
        match self.suite.cipher {
            Cipher::Aes128 => {
                Ctr128BE::<Aes128>::new(&self.key().into(), &counter).apply_keystream(bytes);
            }
            Cipher::Aes192 => {
                Ctr128BE::<Aes192>::new(&self.key().into(), &counter).apply_keystream(bytes);
            }
            _ => Ctr128BE::<Aes256>::new(&self.key().into(), &counter).apply_keystream(bytes),
        }
    }

    fn gcm_nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.secret[COUNTER..COUNTER + 12]);
        nonce
    }

    /// Encrypts a packet's text, and makes the tag over its length and text.
    fn gcm_seal(&self, length: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = self.gcm_nonce().into();
        let text = text.into();
        let tag = if self.suite.cipher == Cipher::Aes128Gcm {
            Aes128Gcm::new(&self.key().into()).encrypt_inout_detached(&nonce, length, text)
        } else {
            Aes256Gcm::new(&self.key().into()).encrypt_inout_detached(&nonce, length, text)
        };
        // Only a text of many gigabytes is refused.
        tag.map(Into::into).unwrap_or_default()
    }

    /// Decrypts a packet's text, and says whether the tag is that of its length and text.
    fn gcm_open(&self, length: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        let Ok(tag) = <[u8; 16]>::try_from(tag) else { return false };
        let nonce = self.gcm_nonce().into();
        let (text, tag) = (text.into(), tag.into());
        if self.suite.cipher == Cipher::Aes128Gcm {
            let cipher = Aes128Gcm::new(&self.key().into());
            cipher.decrypt_inout_detached(&nonce, length, text, &tag).is_ok()
        } else {
            let cipher = Aes256Gcm::new(&self.key().into());
            cipher.decrypt_inout_detached(&nonce, length, text, &tag).is_ok()
        }
    }

    /// The stream over the packet behind its length.
    fn chacha(&self) -> ChaCha {
        ChaCha(self.stream(0))
    }

    /// Encrypts or decrypts a packet's length.
    fn chacha_length(&self, length: &mut [u8]) {
        self.stream(32).apply_keystream(length);
    }

    fn stream(&self, from: usize) -> ChaCha20Legacy {
        let mut key = [0; 32];
        key.copy_from_slice(&self.secret[from..from + 32]);
        ChaCha20Legacy::new(&key.into(), &u64::from(self.number).to_be_bytes().into())
    }
}

impl core::fmt::Debug for Lane {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The keys must not get into a log by accident.
        write!(f, "Lane({:?}, {})", self.suite.cipher, self.number)
    }
}

/// Adds to a number whose highest byte is its first, modulo what it can be.
fn add(number: &mut [u8], more: u64) {
    let mut carry = u128::from(more);
    for byte in number.iter_mut().rev() {
        carry += u128::from(*byte);
        *byte = carry as u8;
        carry >>= 8;
    }
}

/// One of each way in which packets are made.
const SUITES: [Suite; 8] = [
    plainly(Cipher::Aes128, Code::Sha256 { behind: false }),
    plainly(Cipher::Aes128, Code::Sha1),
    plainly(Cipher::Aes128Gcm, Code::Sha256 { behind: false }),
    plainly(Cipher::Aes192, Code::Sha512 { behind: false }),
    plainly(Cipher::Aes192, Code::Sha512 { behind: true }),
    plainly(Cipher::Aes256, Code::Sha256 { behind: true }),
    plainly(Cipher::Aes256Gcm, Code::Sha256 { behind: false }),
    plainly(Cipher::ChaCha20, Code::Sha1),
];

const fn plainly(cipher: Cipher, code: Code) -> Suite {
    Suite { cipher, code, compresses: false }
}

/// The main stream of a packet: its first block is the key of the tag, its second begins the text.
struct ChaCha(ChaCha20Legacy);

impl ChaCha {
    fn apply(mut self, bytes: &mut [u8]) {
        self.0.seek(64_u64);
        self.0.apply_keystream(bytes);
    }

    fn tag(mut self, bytes: &[u8]) -> [u8; 16] {
        let mut key = [0; 32];
        self.0.apply_keystream(&mut key);
        Poly1305::new(&key.into()).compute_unpadded(bytes).into()
    }
}

/// For the fuzzer and its replayed corpus: packets are read the same however they are cut, whatever
/// they say; and what is sealed is opened again.
#[doc(hidden)]
pub fn check_packets_have_one_reading(bytes: &[u8]) {
    ssh::check_plain_packets_have_one_reading(bytes);
    for suite in SUITES {
        let lane = Lane::for_checks(suite);
        let mut out = Vec::new();
        let content = &bytes[..bytes.len().min(3_000)];
        if !content.is_empty() {
            lane.seal(content, |_| {}, &mut out);
            match lane.clone().open(&mut Said::new(&out, false)) {
                Opened::Payload(opened) => assert_eq!(opened, content),
                other => panic!("{other:?}"),
            }
        }
        lane.clone().open(&mut Said::new(bytes, true));
    }
}
