//! The TLS handshake, by the library, from the client's hello to the keys.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use rustls::{
    Error, PeerIncompatible,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus},
};

use crate::{
    base::{fact::Fact, handshake_budget::UnderWay, time::Time},
    transport::{Malformed, Tls, keys::Keys},
    wire::tls::{ClientHello, Hello, LONGEST_HELLO, Reading},
};

/// A handshake that is not done.
pub(super) struct Handshake {
    /// What the client sent and the library has not taken; less than [`LONGEST_HELLO`]. No message
    /// of a client's in a handshake is longer than its hello.
    incoming: Vec<u8>,
    /// The library's connection, from the moment on at which the hello is whole.
    connection: Option<Box<UnbufferedServerConnection>>,
    begun: Time,
    _under_way: UnderWay,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("incoming", &self.incoming.len()).finish_non_exhaustive()
    }
}

/// How far it has come.
pub(super) enum Progress {
    /// The keys, and what the client has said under them already.
    Done(Box<Keys>, Vec<u8>),
    /// Because of this, unless the client broke nothing.
    Failed(Option<Malformed>),
    Pending,
}

/// What the library wants next.
enum Want {
    Done,
    Failed(Option<Malformed>),
    More,
    /// To tell the client why there will be no handshake: servers send an alert to a client without
    /// a cipher in common with them, and scanners know TLS by it. Clients of older versions are
    /// held better by silence: medusa, which knows TLS 1.0, waits for ever.
    Refusal,
    Turn,
}

impl Handshake {
    pub(super) fn new(under_way: UnderWay, begun: Time) -> Self {
        Self { incoming: Vec::new(), connection: None, begun, _under_way: under_way }
    }

    /// When it was asked for.
    pub(super) fn begun(&self) -> Time {
        self.begun
    }

    /// Takes the client's bytes in, appends to `out` what is to be sent and to `plain` what was
    /// said inside.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        tls: &Tls,
        out: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        learn: impl FnMut(Fact, &[u8]),
    ) -> Progress {
        let progress = self.take(bytes, tls, out, plain, learn);
        if self.incoming.len() >= LONGEST_HELLO && matches!(progress, Progress::Pending) {
            return Progress::Failed(Some(Malformed::MessageTooLong));
        }
        // What grew by doubling, or held what has been taken, has room for more than is left.
        self.incoming.shrink_to_fit();
        progress
    }

    /// How many bytes wait for more.
    pub(super) fn waiting(&self) -> usize {
        self.incoming.len()
    }

    fn take(
        &mut self,
        bytes: &[u8],
        tls: &Tls,
        out: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        learn: impl FnMut(Fact, &[u8]),
    ) -> Progress {
        self.incoming.extend_from_slice(bytes);
        if self.connection.is_none() {
            // One that is garbled is none.
            let Some(hello) = Hello::read(&self.incoming) else {
                let garbled = ClientHello::read(&self.incoming) == Reading::Garbled;
                return if garbled {
                    Progress::Failed(Some(Malformed::Hello))
                } else {
                    Progress::Pending
                };
            };
            hello.tell(learn);
            let config = tls.config(|protocol| hello.offers(protocol));
            self.connection = UnbufferedServerConnection::new(config).map(Box::new).ok();
        }
        // Each turn takes a message off, or is the last; no flight of a client's has as many.
        for _ in 0..64 {
            match self.turn(out, plain) {
                Want::Turn => {}
                Want::Refusal => {
                    // The next thing that the library says, whatever waits, is why.
                    self.turn(out, plain);
                    return Progress::Failed(None);
                }
                Want::More => return Progress::Pending,
                Want::Failed(malformed) => return Progress::Failed(malformed),
                Want::Done => return self.finish().unwrap_or(Progress::Failed(None)),
            }
        }
        Progress::Failed(Some(Malformed::UnexpectedMessage))
    }

    fn turn(&mut self, out: &mut Vec<u8>, plain: &mut Vec<u8>) -> Want {
        let Some(connection) = &mut self.connection else { return Want::Failed(None) };
        let UnbufferedStatus { discard, state, .. } =
            connection.process_tls_records(&mut self.incoming);
        let mut answers = false;
        let want = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                match data.encode(&mut []) {
                    Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                        let start = out.len();
                        out.resize(start + required_size, 0);
                        match data.encode(&mut out[start..]) {
                            Ok(_) => Want::Turn,
                            Err(_) => Want::Failed(None),
                        }
                    }
                    // It has nothing to say after all.
                    _ => Want::Turn,
                }
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Want::Turn
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    plain.extend_from_slice(record.payload);
                }
                Want::Turn
            }
            Ok(ConnectionState::BlockedHandshake) => Want::More,
            // It may speak; but so may the client only once it has finished, too.
            Ok(ConnectionState::WriteTraffic(_)) => {
                answers = true;
                Want::More
            }
            Err(Error::PeerIncompatible(
                PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
            )) => Want::Refusal,
            Ok(_) => Want::Failed(None),
            Err(error) => Want::Failed(Malformed::of(&error)),
        };
        self.incoming.drain(..discard);
        if answers && !connection.is_handshaking() { Want::Done } else { want }
    }

    /// Takes the keys out, and lets the library go.
    fn finish(&mut self) -> Option<Progress> {
        let connection = *self.connection.take()?;
        let version = connection.protocol_version()?;
        let (secrets, _) = connection.dangerous_into_kernel_connection().ok()?;
        let keys = Keys::new(version, &secrets)?;
        Some(Progress::Done(Box::new(keys), core::mem::take(&mut self.incoming)))
    }
}
