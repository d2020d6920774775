//! The protocols that are held, a folder each, and what text protocols share.

pub(crate) mod command;
pub(crate) mod ftp;
pub(crate) mod http;
pub(crate) mod raw;
pub(crate) mod secret;
pub(crate) mod shell;
pub(crate) mod smtp;
pub(crate) mod ssh;
pub(crate) mod telnet;
pub(crate) mod tls;
