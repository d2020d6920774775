//! What an SSH client offers when keys are to be exchanged (RFC 4253, section 7.1): the lists of
//! which HASSH is a fingerprint.

use alloc::vec::Vec;

/// A client's lists of names, in its order, with commas between them. Where a list exists for each
/// direction, it is the one for what the client sends. Together they are no longer than the bytes of
/// a client that may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshOffer {
    /// The lists one after the other.
    names: Vec<u8>,
    /// Where each of them ends.
    ends: [usize; Self::LISTS],
}

impl SshOffer {
    /// How many lists there are.
    pub const LISTS: usize = 6;

    /// A copy of these lists.
    pub fn new(lists: [&[u8]; Self::LISTS]) -> Self {
        let mut end = 0;
        let ends = lists.map(|list| {
            end += list.len();
            end
        });
        Self { names: lists.concat(), ends }
    }

    /// The lists: methods of key exchange, host keys, ciphers, authentication codes, compressions,
    /// languages.
    pub fn lists(&self) -> [&[u8]; Self::LISTS] {
        let mut start = 0;
        self.ends.map(|end| &self.names[core::mem::replace(&mut start, end)..end])
    }

    /// The bytes of which HASSH is the MD5.
    pub fn hassh_algorithms(&self) -> Vec<u8> {
        hassh_algorithms(self.lists())
    }
}

/// The same of lists that are not copied.
pub(crate) fn hassh_algorithms(lists: [&[u8]; SshOffer::LISTS]) -> Vec<u8> {
    let [key_exchanges, _, ciphers, codes, compressions, _] = lists;
    [key_exchanges, ciphers, codes, compressions].join(&b';')
}
