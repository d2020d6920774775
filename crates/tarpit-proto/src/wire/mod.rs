//! Framing that patterns share: how each protocol's lines, packets and records are made and read.

pub(crate) mod base64;
pub(crate) mod command;
pub(crate) mod deflate;
pub(crate) mod ftp;
pub(crate) mod http;
pub(crate) mod secret;
pub(crate) mod shell;
pub(crate) mod smtp;
pub(crate) mod ssh;
pub(crate) mod telnet;
pub(crate) mod text;
pub(crate) mod tls;
