//! Frames of HTTP/2 (RFC 9113, sections 4 and 6): their nine bytes read, and whole ones made.

use alloc::vec::Vec;

/// Kinds of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags; the first means different things on different frames.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// What a frame begins with.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    pub(crate) const LENGTH: usize = 9;

    /// The head in front of `bytes`; `None`: it is not whole yet.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let &[high, middle, low, kind, flags, a, b, c, d, ..] = bytes else { return None };
        let length = u32::from_be_bytes([0, high, middle, low]);
        let stream = u32::from_be_bytes([a, b, c, d]) & 0x7FFF_FFFF;
        Some(Self { length, kind, flags, stream })
    }

    /// The fields in a frame of headers with this `payload`, without what may stand around them.
    pub(crate) fn block<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        let mut block = payload;
        if self.flags & PADDED != 0
            && let Some((&padding, rest)) = block.split_first()
        {
            // The padding stands at the end, which may lie beyond what is seen.
            let beyond = (self.length as usize).saturating_sub(payload.len());
            let padding = usize::from(padding).saturating_sub(beyond);
            block = &rest[..rest.len().saturating_sub(padding)];
        }
        if self.flags & PRIORITY != 0 {
            block = block.get(5..).unwrap_or_default();
        }
        block
    }
}

/// Appends a frame. Its payload is at most 16 kB.
pub(crate) fn write(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
