//! Packets under keys: ciphers and codes of authentication (RFC 4253, section 6; RFC 4344; RFC
//! 6668; OpenSSH's `PROTOCOL` and `PROTOCOL.chacha20poly1305`).
//!
//! Keys are kept raw, a direction in 96 bytes, and expanded for each packet: a held client speaks
//! once in two minutes. A packet that was sealed can be sealed again, to the same bytes, as long as
//! the lane has not been moved on.

use alloc::vec::Vec;

use aes::{Aes128, Aes256};
use chacha20::{
    ChaCha20Legacy,
    cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _},
};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use poly1305::Poly1305;
use sha1::Sha1;
use sha2::Sha256;

use crate::{
    base::said::Said,
    states,
    wire::ssh::{self, LONGEST, Malformed, padding, payload},
};

states! {
    /// One direction of a connection.
    #[derive(Clone, Copy)]
    pub(crate) boxed struct Lane {
        /// The key; or for AES the key, the first counter and the code's key, each at its place.
        secret: [u8; Lane::SECRET],
        /// Packets since the connection began, modulo 2^32.
        number: u32,
        /// Blocks under AES so far.
        blocks: u64,
        suite: Suite,
    }

    /// How a direction is encrypted. The code is of no account where the cipher is one itself.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Suite {
        pub(super) cipher: Cipher,
        pub(super) code: Code,
    }

    /// A cipher.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Cipher {
        Aes128,
        Aes256,
        ChaCha20,
    }

    /// A code of authentication; `behind` says that it is made of what was encrypted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Code {
        Sha1 { behind: bool },
        Sha256 { behind: bool },
    }
}

const _: () = assert!(size_of::<Lane>() <= 96, "a direction is at most 96 bytes");

impl Code {
    fn length(self) -> usize {
        match self {
            Self::Sha1 { .. } => 20,
            Self::Sha256 { .. } => 32,
        }
    }

    fn is_behind(self) -> bool {
        let (Self::Sha1 { behind } | Self::Sha256 { behind }) = self;
        behind
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

    /// The direction whose next packet is the `number`th.
    pub(super) fn new(suite: Suite, material: &Material, number: u32) -> Self {
        let mut secret = [0; Self::SECRET];
        let Material { counter, key, code: code_key } = material;
        match suite.cipher {
            Cipher::ChaCha20 => secret[..64].copy_from_slice(&key[..64]),
            Cipher::Aes128 | Cipher::Aes256 => {
                let length = if suite.cipher == Cipher::Aes128 { 16 } else { 32 };
                secret[..length].copy_from_slice(&key[..length]);
                secret[COUNTER..CODE].copy_from_slice(&counter[..BLOCK]);
                let length = suite.code.length();
                secret[CODE..CODE + length].copy_from_slice(&code_key[..length]);
            }
        }
        Self { secret, number, blocks: 0, suite }
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
            Cipher::Aes128 | Cipher::Aes256 if self.suite.code.is_behind() => {
                self.aes(0, &mut out[start + 4..]);
                let code = self.authentication(&out[start..]);
                out.extend_from_slice(&code);
            }
            Cipher::Aes128 | Cipher::Aes256 => {
                let code = self.authentication(&out[start..]);
                self.aes(0, &mut out[start..]);
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
            Cipher::Aes128 | Cipher::Aes256 if self.suite.code.is_behind() => {}
            Cipher::Aes128 | Cipher::Aes256 => self.aes(0, &mut first),
        }
        let [a, b, c, d, ..] = first;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let covered = length + 4 - self.clear_length();
        let block = if self.suite.cipher == Cipher::ChaCha20 { 8 } else { BLOCK };
        if !(2..=LONGEST).contains(&length) || !covered.is_multiple_of(block) {
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
            Cipher::Aes128 | Cipher::Aes256 if self.suite.code.is_behind() => {
                let genuine = self.authentication(&packet) == code;
                self.aes(0, &mut packet[4..]);
                genuine
            }
            Cipher::Aes128 | Cipher::Aes256 => {
                self.aes(0, &mut packet);
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
        let block = if self.suite.cipher == Cipher::ChaCha20 { 8 } else { BLOCK };
        padding(4 - self.clear_length() + 1 + content, block)
    }

    /// Moves on behind a packet whose length says `length`.
    fn advance(&mut self, length: usize) {
        self.number = self.number.wrapping_add(1);
        if self.suite.cipher != Cipher::ChaCha20 {
            let covered = length + 4 - self.clear_length();
            self.blocks = self.blocks.wrapping_add((covered / BLOCK) as u64);
        }
    }

    /// How many bytes of a packet's length are apart from the blocks behind it.
    fn clear_length(&self) -> usize {
        if self.suite.cipher == Cipher::ChaCha20 || self.suite.code.is_behind() { 4 } else { 0 }
    }

    fn code_length(&self) -> usize {
        if self.suite.cipher == Cipher::ChaCha20 { 16 } else { self.suite.code.length() }
    }

    fn authentication(&self, packet: &[u8]) -> Vec<u8> {
        let key = &self.secret[CODE..CODE + self.suite.code.length()];
        let number = self.number.to_be_bytes();
        match self.suite.code {
            Code::Sha1 { .. } => Hmac::<Sha1>::new_from_slice(key)
                .map(|code| code.chain_update(number).chain_update(packet))
                .map(|code| code.finalize().into_bytes().to_vec()),
            Code::Sha256 { .. } => Hmac::<Sha256>::new_from_slice(key)
                .map(|code| code.chain_update(number).chain_update(packet))
                .map(|code| code.finalize().into_bytes().to_vec()),
        }
        // A key of any length will do.
        .unwrap_or_default()
    }

    /// Encrypts or decrypts `bytes`, which begin `blocks` behind the packet's first.
    fn aes(&self, blocks: u64, bytes: &mut [u8]) {
        let mut counter = [0; BLOCK];
        counter.copy_from_slice(&self.secret[COUNTER..CODE]);
        let moved = u128::from(self.blocks.wrapping_add(blocks));
        let counter = u128::from_be_bytes(counter).wrapping_add(moved).to_be_bytes();
        let mut key = [0; 32];
        key.copy_from_slice(&self.secret[..32]);
        match self.suite.cipher {
            Cipher::Aes128 => {
                let mut half = [0; 16];
                half.copy_from_slice(&key[..16]);
                Ctr128BE::<Aes128>::new(&half.into(), &counter.into()).apply_keystream(bytes);
            }
            _ => Ctr128BE::<Aes256>::new(&key.into(), &counter.into()).apply_keystream(bytes),
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

/// One of each way in which packets are made.
const SUITES: [Suite; 4] = [
    Suite { cipher: Cipher::Aes128, code: Code::Sha256 { behind: false } },
    Suite { cipher: Cipher::Aes256, code: Code::Sha256 { behind: true } },
    Suite { cipher: Cipher::Aes128, code: Code::Sha1 { behind: true } },
    Suite { cipher: Cipher::ChaCha20, code: Code::Sha1 { behind: false } },
];

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
