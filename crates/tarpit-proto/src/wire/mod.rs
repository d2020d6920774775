//! Framing that protocols share: bytes in, bytes out.

pub(crate) mod base64;
pub(crate) mod deflate;
pub(crate) mod http;
pub mod proxy_header;
pub(crate) mod sighting;
pub(crate) mod ssh;
pub(crate) mod telnet;
pub(crate) mod text;
pub(crate) mod tls;
