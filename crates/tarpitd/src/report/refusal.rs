//! Why new clients are refused: a closed list, since the trace has its names.

/// Why a new client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many from its address.
    Address,
    /// Clients of too many different server addresses are held.
    Addresses,
    /// `[access] allow` names its address.
    Allowed,
    /// Too many in all.
    Clients,
    /// `[access] deny` names its address.
    Denied,
    /// Too many relays have not named their clients yet.
    Headers,
    /// Too many on this port.
    Port,
    /// Too many from its prefix.
    Prefix,
    /// CPU use is above `[limits] cpu`.
    Pressed,
    /// It connected to a data port, and no session with its address expects it.
    Unawaited,
}

impl Refusal {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Address,
        Self::Addresses,
        Self::Allowed,
        Self::Clients,
        Self::Denied,
        Self::Headers,
        Self::Port,
        Self::Prefix,
        Self::Pressed,
        Self::Unawaited,
    ];

    /// The name in traces and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "per_address",
            Self::Addresses => "server_addresses",
            Self::Allowed => "allowed",
            Self::Clients => "clients",
            Self::Denied => "denied",
            Self::Headers => "proxy_from",
            Self::Port => "max_clients",
            Self::Prefix => "per_prefix",
            Self::Pressed => "cpu",
            Self::Unawaited => "unawaited",
        }
    }
}
