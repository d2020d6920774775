//! HTTP's binary framing (RFC 9113, RFC 7541).

pub(crate) mod frame;
pub(crate) mod hpack;
pub(crate) mod huffman;
