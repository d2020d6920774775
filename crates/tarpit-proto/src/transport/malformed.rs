//! How a client breaks TLS, as the trace names it.

use rustls::Error;

/// What is wrong with a client's bytes. After that nothing more can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A message of its handshake says what it must not.
    Handshake,
    /// There is no hello where a handshake must begin.
    Hello,
    /// A message cannot be read.
    Message,
    /// A message of its handshake is longer than may wait.
    MessageTooLong,
    /// A record is longer than allowed, or too short for its authentication tag.
    RecordLength,
    /// A record's authentication tag is wrong.
    RecordMac,
    /// A record is of a type that cannot come here.
    RecordType,
    /// A message comes in place of another one.
    UnexpectedMessage,
}

impl Malformed {
    /// The layer that is broken.
    pub(crate) const LAYER: &str = "tls";

    /// All of them, with what each means, for the manual.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Handshake, "a message of the handshake has a value that the protocol forbids"),
        (Self::Hello, "the handshake does not begin with a ClientHello"),
        (Self::Message, "a message or record cannot be read"),
        (Self::MessageTooLong, "a message of the handshake is longer than tarpitd reads"),
        (Self::RecordLength, "the length of a record is invalid"),
        (Self::RecordMac, "a record does not decrypt under the connection's keys"),
        (Self::RecordType, "the type of a record is invalid there"),
        (Self::UnexpectedMessage, "a message comes out of order"),
    ];

    /// How a client broke the protocol, by the library's error, if it did. A missing common cipher
    /// or an alert breaks nothing: TLS may end like that.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::DecryptError => Some(Self::RecordMac),
            Error::InappropriateHandshakeMessage { .. } | Error::InappropriateMessage { .. } => {
                Some(Self::UnexpectedMessage)
            }
            Error::InvalidMessage(_) => Some(Self::Message),
            Error::PeerMisbehaved(_) => Some(Self::Handshake),
            Error::PeerSentOversizedRecord => Some(Self::RecordLength),
            _ => None,
        }
    }

    /// Its name in the trace.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Hello => "hello",
            Self::Message => "message",
            Self::MessageTooLong => "message too long",
            Self::RecordLength => "record length",
            Self::RecordMac => "record mac",
            Self::RecordType => "record type",
            Self::UnexpectedMessage => "unexpected message",
        }
    }
}
