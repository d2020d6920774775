//! The client's records, read as they come (RFC 8446, section 5; RFC 5246, section 6.2).
//!
//! ```text
//!             header, at most LONGEST_KEPT            whole: vouched for, and heard
//! (between) ────────────────────────────► kept in part ─────────────────────────► (between)
//!     │       header, more than that                    its last byte has come
//!     └───────────────────────────────► long: heard as it comes ────────────────► (between)
//! ```
//! The last bytes of a record authenticate it. A reader that needs certainty must keep the whole
//! record, 16 KiB for each client. A tarpit trusts nothing that clients send, so it does not need
//! that: it keeps short records until they are whole, and decrypts each byte of longer ones when it
//! comes.

use alloc::vec::Vec;

use crate::transport::{
    Malformed,
    keys::{APPLICATION_DATA, Keys},
};

/// The longest record that is kept until it is whole, in bytes after its header. Alerts, changes of
/// keys and nearly all requests are shorter.
const LONGEST_KEPT: usize = 1_536;

/// The longest record that clients may send (RFC 5246, section 6.2.3).
const LONGEST: usize = 16 * 1_024 + 2 * 1_024;

/// Bytes of the client that were not decrypted yet.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The beginning of a record: its header, and at most [`LONGEST_KEPT`] bytes.
    partial: Vec<u8>,
    /// A record that is decrypted as it comes.
    long: Option<Long>,
}

/// A long record that has come in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Long {
    nonce: [u8; 12],
    /// How much of its text has come.
    at: u16,
    /// How much of its text comes, with its type and padding where these are hidden.
    text: u16,
    /// How many of its bytes are still to come.
    left: u16,
    /// The last byte that is not 0, which may be the record's hidden type, and how many zeros
    /// followed, which may be padding. More than 255 zeros are passed on as 255.
    last: Option<u8>,
    zeros: u8,
}

impl Records {
    /// Decrypts `bytes` and appends their text to `plain`: at most as many bytes as `bytes` and
    /// [`Records::waiting`] have together, and 255 zeros. An error if something cannot be
    /// understood: the reason, unless it is allowed.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        keys: &mut Keys,
        plain: &mut Vec<u8>,
    ) -> Result<(), Option<Malformed>> {
        let mut joined = core::mem::take(&mut self.partial);
        let mut rest = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined[..]
        };
        loop {
            if let Some(long) = &mut self.long {
                let (part, after) = rest.split_at(rest.len().min(long.left.into()));
                rest = after;
                long.hear(part, keys, plain);
                if long.left > 0 {
                    break;
                }
                self.long = None;
                keys.heard();
            }
            let Some((header, body)) = rest.split_first_chunk::<5>() else { break };
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if length > LONGEST {
                return Err(Some(Malformed::RecordLength));
            }
            if length > LONGEST_KEPT {
                if header[0] != APPLICATION_DATA {
                    return Err(Some(Malformed::RecordType));
                }
                let Some((nonce, after)) = keys.nonce(body) else { break };
                self.long = Some(Long::begin(nonce, length - (body.len() - after.len())));
                rest = after;
                continue;
            }
            let Some((body, after)) = body.split_at_checked(length) else { break };
            keys.open(*header, body, plain)?;
            rest = after;
        }
        // A copy, since the joined bytes have more room than the rest needs.
        self.partial = rest.to_vec();
        Ok(())
    }

    /// How many bytes wait for more.
    pub(super) fn waiting(&self) -> usize {
        self.partial.len()
    }

    /// Saves the bytes that were not decrypted yet; never empty.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.push(self.long.is_some().into());
        if let Some(Long { nonce, at, text, left, last, zeros }) = self.long {
            out.extend_from_slice(&nonce);
            for number in [at, text, left] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(&[last.unwrap_or(0), zeros]);
        }
        out.extend_from_slice(&self.partial);
    }

    /// Reads what [`Records::save`] wrote.
    pub(super) fn resume(saved: &[u8]) -> Option<Self> {
        fn number(saved: &[u8]) -> Option<(u16, &[u8])> {
            let (number, rest) = saved.split_first_chunk()?;
            Some((u16::from_be_bytes(*number), rest))
        }
        let (is_long, mut rest) = saved.split_first()?;
        let mut long = None;
        if *is_long != 0 {
            let (nonce, after) = rest.split_first_chunk()?;
            let (at, after) = number(after)?;
            let (text, after) = number(after)?;
            let (left, after) = number(after)?;
            let ([last, zeros], after) = after.split_first_chunk()?;
            let last = (*last != 0).then_some(*last);
            long = Some(Long { nonce: *nonce, at, text, left, last, zeros: *zeros });
            rest = after;
        }
        Some(Self { partial: rest.to_vec(), long })
    }
}

impl Long {
    /// A record with `left` bytes still to come, at most [`LONGEST`].
    fn begin(nonce: [u8; 12], left: usize) -> Self {
        let text = left.saturating_sub(Keys::TAG) as u16;
        Self { nonce, at: 0, text, left: left as u16, last: None, zeros: 0 }
    }

    /// Decrypts the record's next bytes.
    fn hear(&mut self, part: &[u8], keys: &Keys, plain: &mut Vec<u8>) {
        // At most as many as are left.
        self.left -= part.len() as u16;
        let text = part.len().min(usize::from(self.text - self.at));
        let mut said = part[..text].to_vec();
        keys.decrypt(&self.nonce, self.at.into(), &mut said);
        self.at += text as u16;
        if !keys.hide_types() {
            return plain.append(&mut said);
        }
        let end = said.iter().rposition(|&byte| byte != 0);
        let zeros = said.len() - end.map_or(0, |end| end + 1);
        if let Some(end) = end {
            plain.extend(self.last);
            plain.resize(plain.len() + usize::from(self.zeros), 0);
            plain.extend_from_slice(&said[..end]);
            (self.last, self.zeros) = (Some(said[end]), 0);
        }
        self.zeros = self.zeros.saturating_add(u8::try_from(zeros).unwrap_or(u8::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::keys::tests::{all, record};

    /// What is read of these portions, and the most that waited.
    fn read<'a>(keys: &mut Keys, portions: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, usize) {
        let (mut records, mut plain, mut most) = (Records::default(), Vec::new(), 0);
        for portion in portions {
            assert_eq!(records.read(portion, keys, &mut plain), Ok(()));
            most = most.max(records.partial.capacity());
            let mut saved = Vec::new();
            records.save(&mut saved);
            let resumed = Records::resume(&saved).expect("what was saved");
            assert_eq!((&resumed.partial, resumed.long), (&records.partial, records.long));
            records = resumed;
        }
        (plain, most)
    }

    #[test]
    fn what_is_said_in_records_of_any_length_is_heard_however_they_are_cut() {
        let text: Vec<u8> = (0..16_384_usize).map(|place| (place % 251) as u8).collect();
        for (mut keys, mut client) in all().into_iter().zip(all()) {
            let lengths = [3, 1_500, 1_519, 2_100, 16_384, 1];
            let padding = [0, 9, 0, 700, 0, 3_000];
            let mut out = Vec::new();
            for (length, padding) in lengths.into_iter().zip(padding) {
                out.extend(record(&mut client, &text[..length], padding));
            }
            let wanted: Vec<u8> =
                lengths.into_iter().flat_map(|length| &text[..length]).copied().collect();
            for cut in [1, 7, 1_000, 4_096] {
                keys.begin_again();
                let (plain, most) = read(&mut keys, out.chunks(cut));
                assert!(plain == wanted, "{keys:?}, cut at {cut}");
                assert!(most <= 5 + LONGEST_KEPT, "{most}");
            }
        }
    }

    #[test]
    fn zeros_are_not_saved_up() {
        for mut keys in all().into_iter().filter(Keys::hide_types) {
            let said = [&[0; 16_000][..], b"x"].concat();
            let out = record(&mut keys, &said, 0);
            let (plain, _) = read(&mut keys, out.chunks(4_096));
            // Those of the last portion, and 255.
            assert!(plain.len() <= 4_096 + 255 && plain.ends_with(b"\0x"), "{}", plain.len());
        }
    }
}
