//! A listener's TLS settings, and the limits that a client's hello shows.

use alloc::sync::Arc;
use core::time::Duration;

use rustls::ServerConfig;

/// A listener's TLS settings.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For clients that would speak one of its protocols inside.
    named: Arc<ServerConfig>,
    /// For all others, whom a choice among protocols would only turn away.
    unnamed: Arc<ServerConfig>,
    /// The alert to a client that knows nothing newer than TLS 1.1 (RFC 8446, section 6).
    pub(crate) alert_to_old: u8,
}

impl Tls {
    /// TLS as `config` has it, but without resumption: nothing is kept of a client.
    pub fn new(config: ServerConfig) -> Self {
        let mut named = config;
        named.enable_secret_extraction = true;
        named.send_tls13_tickets = 0;
        let mut unnamed = named.clone();
        unnamed.alpn_protocols.clear();
        Self { named: Arc::new(named), unnamed: Arc::new(unnamed), alert_to_old: Self::INTERNAL }
    }

    /// What OpenSSL 3 says to old clients, as it comes with Debian: an error of its own.
    const INTERNAL: u8 = 80;

    /// What other libraries say to them: that the version is not spoken.
    pub const PROTOCOL_VERSION: u8 = 70;

    /// The same, with another alert to old clients.
    #[must_use]
    pub fn telling_old(self, alert: u8) -> Self {
        Self { alert_to_old: alert, ..self }
    }

    /// The settings for a client that would speak what it `offers` inside.
    pub(crate) fn config(&self, offers: impl Fn(&[u8]) -> bool) -> Arc<ServerConfig> {
        let common = self.named.alpn_protocols.iter().any(|protocol| offers(protocol));
        Arc::clone(if common { &self.named } else { &self.unnamed })
    }
}

/// The limits of a client with such a hello; from the protocol's table of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the answer to its hello may take, jitter and a busy worker included.
    pub first: Duration,
    /// How long the handshake and the first answer inside may take together, if the client limits
    /// that.
    pub whole: Option<Duration>,
}

impl Limits {
    /// Of a client in the clear, which waits for nobody.
    pub const NONE: Self = Self { first: Duration::ZERO, whole: None };
}
