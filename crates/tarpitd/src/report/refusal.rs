//! Why newcomers are refused: a closed list, since the trace has its names.

/// Why a newcomer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many from its address.
    Address,
    /// Clients of too many different addresses of ours are held.
    Addresses,
    /// Its address is to be let go.
    Allowed,
    /// Too many in all.
    Clients,
    /// Its address is to be refused.
    Denied,
    /// Too many on this port.
    Port,
    /// Too many from its prefix.
    Prefix,
    /// The processor is used as far as it may be.
    Pressed,
    /// It came for data, and nobody of its address had been asked to.
    Unawaited,
}

impl Refusal {
    /// The name in traces and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "per_address",
            Self::Addresses => "server_addresses",
            Self::Allowed => "allowed",
            Self::Clients => "clients",
            Self::Denied => "denied",
            Self::Port => "max_clients",
            Self::Prefix => "per_prefix",
            Self::Pressed => "cpu",
            Self::Unawaited => "unawaited",
        }
    }
}
