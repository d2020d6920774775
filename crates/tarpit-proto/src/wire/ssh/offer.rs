//! What each side offers when keys are to be exchanged (RFC 4253, section 7.1), and by what a
//! client's offer is known again.

use alloc::{borrow::Cow, string::String, vec::Vec};

use md5::{Digest as _, Md5};

use crate::{
    base::ssh_offer::{SshOffer, hassh_algorithms},
    wire::{
        ssh::{MSG_KEXINIT, packet::packet, string, take_string},
        text,
    },
};

/// What a server's release offers, each a list of names in its order, separated by commas. Ciphers
/// and what follows them are the same in both directions.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) key_exchanges: &'static str,
    pub(crate) host_keys: &'static str,
    pub(crate) ciphers: &'static str,
    /// Codes of authentication.
    pub(crate) codes: &'static str,
    pub(crate) compressions: &'static str,
}

impl Offer {
    /// The lists in the order of a packet: two for each direction, and no languages.
    pub(crate) fn lists(&self) -> Lists {
        let Self { key_exchanges, host_keys, ciphers, codes, compressions } = *self;
        let both = [ciphers, ciphers, codes, codes, compressions, compressions];
        let [c1, c2, m1, m2, z1, z2] = both;
        [key_exchanges, host_keys, c1, c2, m1, m2, z1, z2, "", ""].map(Cow::Borrowed)
    }
}

/// How many lists an offer has.
pub(crate) const LISTS: usize = 10;

/// The lists of an offer, in the order of a packet.
pub(crate) type Lists = [Cow<'static, str>; LISTS];

/// The places of some of them; from those on that there are for each direction, one place each way.
pub(crate) const KEY_EXCHANGES: usize = 0;
pub(crate) const HOST_KEYS: usize = 1;
pub(crate) const CIPHERS: usize = 2;
pub(crate) const CODES: usize = 4;
pub(crate) const COMPRESSIONS: usize = 6;
pub(crate) const LANGUAGES: usize = 8;

/// Appends a packet with this offer.
///
/// The padding is zero, as OpenSSH's is before there are keys.
pub(crate) fn offer(cookie: [u8; 16], lists: &Lists, out: &mut Vec<u8>) {
    packet(&kexinit_payload(cookie, lists), |_| {}, out);
}

/// The payload of such a packet.
pub(crate) fn kexinit_payload(cookie: [u8; 16], lists: &Lists) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1_024);
    payload.push(MSG_KEXINIT);
    payload.extend_from_slice(&cookie);
    for names in lists {
        string(names.as_bytes(), &mut payload);
    }
    // No guessed packet follows, and nothing is reserved.
    payload.extend_from_slice(&[0; 5]);
    payload
}

/// A client's offer.
#[derive(Debug)]
pub(crate) struct ClientOffer<'a> {
    lists: [&'a [u8]; LISTS],
    /// Whether a packet follows that was made on a guess of what will be agreed on.
    pub(crate) guesses: bool,
}

impl<'a> ClientOffer<'a> {
    /// The offer in this payload, if it is one.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut rest = payload.strip_prefix(&[MSG_KEXINIT])?.get(16..)?;
        let mut lists: [&[u8]; LISTS] = [b""; LISTS];
        for list in &mut lists {
            (*list, rest) = take_string(rest)?;
        }
        Some(Self { lists, guesses: *rest.first()? != 0 })
    }

    /// The names of one list, in the client's order.
    pub(crate) fn names(&self, list: usize) -> impl Iterator<Item = &'a [u8]> {
        self.lists[list].split(|&byte| byte == b',')
    }

    /// The fingerprint known as HASSH: MD5, in hexadecimal, over the methods of key exchange,
    /// ciphers, codes and compressions that the client offers for what it sends.
    pub(crate) fn hassh(&self) -> String {
        text::hexadecimal(&Md5::digest(hassh_algorithms(self.of_client())))
    }

    /// A copy of the lists for what the client sends.
    pub(crate) fn copied(&self) -> SshOffer {
        SshOffer::new(self.of_client())
    }

    /// For the fuzzer: a copy has the same lists.
    pub(crate) fn check_copy(&self) {
        assert_eq!(self.copied().lists(), self.of_client());
    }

    /// The lists for what the client sends.
    fn of_client(&self) -> [&'a [u8]; SshOffer::LISTS] {
        [KEY_EXCHANGES, HOST_KEYS, CIPHERS, CODES, COMPRESSIONS, LANGUAGES]
            .map(|list| self.lists[list])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_offer_has_a_fingerprint() {
        let lists = ["k1,k2", "h", "c", "C", "m", "M", "z", "Z", "", ""].map(Cow::Borrowed);
        let payload = kexinit_payload([7; 16], &lists);
        let offer = ClientOffer::read(&payload).expect("an offer");
        // printf 'k1,k2;c;m;z' | md5sum
        assert_eq!(offer.hassh(), "c12fc63b9f970d47dffba2af909ebd57");
        assert!(!offer.guesses);
        assert_eq!(offer.names(0).collect::<Vec<_>>(), [b"k1", b"k2"]);
        for end in 0..payload.len() - 4 {
            assert!(ClientOffer::read(&payload[..end]).is_none(), "{end}");
        }
    }
}
