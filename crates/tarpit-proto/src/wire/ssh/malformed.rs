//! How a client breaks SSH, as the trace names it.

/// What is wrong with what a client sent. After each of them no more of it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Its first line has no end within 255 bytes (RFC 4253, section 4.2).
    IdentificationTooLong,
    /// Its part of a key exchange is none, or comes before there is anything to answer.
    KeyExchange,
    /// A packet's code of authentication is not the one that it should be.
    Mac,
    /// Its first line does not begin with `SSH-`.
    NoIdentification,
    /// Its offer of a key exchange cannot be read, or comes twice.
    Offer,
    /// A packet's length cannot be one (RFC 4253, section 6).
    PacketLength,
    /// A packet without keys that the protocol allows, but that is longer than can be waited for.
    PacketTooLong,
    /// A packet has more padding than it is long, or nothing else.
    Padding,
}

impl Malformed {
    /// The layer that is broken.
    pub(crate) const LAYER: &str = "ssh";

    /// All of them, with what each means, for the manual.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::IdentificationTooLong, "the first line does not end within 255 bytes"),
        (Self::KeyExchange, "the client's part of the key exchange is invalid or comes too early"),
        (Self::Mac, "the authentication code of a packet is wrong"),
        (Self::NoIdentification, "the first line does not begin with `SSH-`"),
        (Self::Offer, "the offer of a key exchange cannot be read, or comes twice"),
        (Self::PacketLength, "the length of a packet is invalid"),
        (
            Self::PacketTooLong,
            "a packet before the key exchange is longer than tarpitd reads, which is 4 KiB",
        ),
        (Self::Padding, "a packet has more padding than its length allows"),
    ];

    /// Its name in the trace.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::IdentificationTooLong => "identification too long",
            Self::KeyExchange => "key exchange",
            Self::Mac => "mac",
            Self::NoIdentification => "no identification",
            Self::Offer => "offer",
            Self::PacketLength => "packet length",
            Self::PacketTooLong => "packet too long",
            Self::Padding => "padding",
        }
    }
}
