//! A listener's settings, as a session sees them.

use core::net::{Ipv4Addr, SocketAddr};

use crate::{
    base::{host_keys::HostKeys, pace::Rate},
    persona::Persona,
    script::{Pattern, tls::Tls},
};

/// The addresses of a connection as the client saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conn {
    /// The client's address.
    pub client: SocketAddr,
    /// The address it connected to.
    pub server: SocketAddr,
    /// The relay, if one named the client in a header that tarpitd believes.
    pub via: Option<SocketAddr>,
}

/// A listener's settings. Never changed while a client is held under them.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The pattern that holds its clients.
    pub pattern: &'static dyn Pattern,
    /// The rate that the user set; `None`: the pattern's own pace.
    pub rate: Option<Rate>,
    /// Whether clients must show that they speak the pattern's protocol.
    pub validate: bool,
    /// The machine that the listener imitates.
    pub persona: Persona,
    /// Whether clients may be told that they got in.
    pub poison: bool,
    /// Whether a port for all speaks one protocol only: that of the port, where its server speaks
    /// first, and elsewhere the first that was decided for a network. `None`: only in the first
    /// case.
    pub strict_lock: Option<bool>,
    /// The TLS settings; `None`: no TLS.
    pub tls: Option<Tls>,
    /// The pattern inside a pattern of TLS.
    pub inner: Option<&'static dyn Pattern>,
    /// The address that clients are given for data connections; `None`: the one to which they
    /// connected.
    pub passive_address: Option<Ipv4Addr>,
    /// The SSH host keys; without them there is no key exchange.
    pub host_keys: Option<HostKeys>,
    /// Whether an SSH client's fingerprint is reported with the lists of which it is made.
    pub tells_ssh_offers: bool,
}

impl Profile {
    /// The settings of a listener whose owner chose nothing but the pattern: its own pace, and
    /// clients must show what they speak.
    pub fn new(pattern: &'static dyn Pattern, persona: Persona) -> Self {
        Self {
            pattern,
            rate: None,
            validate: true,
            persona,
            poison: false,
            strict_lock: None,
            tls: None,
            inner: None,
            passive_address: None,
            host_keys: None,
            tells_ssh_offers: false,
        }
    }

    /// Whether something is true of the pattern, or of the pattern inside it.
    pub fn any_pattern(&self, asks: impl Fn(&dyn Pattern) -> bool) -> bool {
        self.pattern.any(self.inner, asks)
    }
}
