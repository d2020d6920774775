//! The TLS handshake, from the client's hello to the keys.
//!
//! ```text
//!            hello whole              answer due                  done
//! Listening ─────────────► PuttingOff ───────────► Shaking: the library ──► keys
//! ```
//! A client that waits for our answer costs only its hello: the library's connection is made when
//! the answer is due.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

use rustls::{
    Error,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus},
};

use crate::{
    base::{
        fact::Fact,
        handshake_budget::UnderWay,
        state::Saved,
        time::{ClockChange, Time, millis},
    },
    script::tls::Limits,
    transport::{Malformed, Tls, keys::Keys},
    wire::tls::{ClientHello, Hello, LONGEST_HELLO, Reading},
};

/// The first byte of a saved handshake. Saved keys begin with another.
pub(super) const SAVED: u8 = 0xFF;

/// A handshake under way.
pub(super) struct Handshake {
    /// Bytes that the library has not taken; less than [`LONGEST_HELLO`]. No message of a client in
    /// a handshake is longer than its hello.
    incoming: Vec<u8>,
    stage: Stage,
    begun: Time,
    limits: Limits,
}

/// The last version that is not spoken here.
const TLS_1_1: u16 = 0x0302;

/// A record's type, and how grave what it says is.
const ALERT: u8 = 21;
const FATAL: u8 = 2;

enum Stage {
    /// The client's hello is not whole.
    Listening,
    /// Its answer is due later.
    PuttingOff,
    /// The library's connection answers.
    Shaking { connection: Box<UnbufferedServerConnection>, _under_way: UnderWay },
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("incoming", &self.incoming.len()).finish_non_exhaustive()
    }
}

/// How far it has come.
pub(super) enum Progress {
    /// The keys, and the client's bytes under them so far.
    Done(Box<Keys>, Vec<u8>),
    /// The hello is whole; its answer is due after this time.
    Due(Duration),
    /// It failed. The reason, if the client broke the protocol.
    Failed(Option<Malformed>),
    Pending,
}

/// What the library wants next.
enum Want {
    Done,
    Failed(Option<Malformed>),
    More,
    /// To send an alert. Servers send one to a client without a version or a cipher in common, and
    /// scanners recognise TLS by it.
    Refusal,
    Turn,
}

impl Handshake {
    pub(super) fn new(begun: Time) -> Self {
        let (incoming, limits) = (Vec::new(), Limits::NONE);
        Self { incoming, stage: Stage::Listening, begun, limits }
    }

    /// When it was asked for.
    pub(super) fn begun(&self) -> Time {
        self.begun
    }

    /// The client's limits, as its hello shows them.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the library's connection answers already.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Shaking { .. })
    }

    /// Whether the hello waits for its answer.
    pub(super) fn puts_off(&self) -> bool {
        matches!(self.stage, Stage::PuttingOff)
    }

    /// Takes the client's bytes. Appends bytes to send to `out`, and plain text to `plain`. Facts
    /// of a whole hello go to `learn`; `weigh` says what the client tolerates.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        learn: impl FnMut(Fact, &[u8]),
        weigh: fn(&Hello) -> Limits,
    ) -> Progress {
        self.incoming.extend_from_slice(bytes);
        let progress = match self.stage {
            Stage::Listening => self.listen(learn, weigh),
            Stage::PuttingOff => Progress::Pending,
            Stage::Shaking { .. } => self.shake(out, plain),
        };
        self.bounded(progress)
    }

    /// Answers the waiting hello; appends to `out` and `plain` as [`Handshake::advance`] does.
    pub(super) fn answer(
        &mut self,
        under_way: UnderWay,
        tls: &Tls,
        out: &mut Vec<u8>,
        plain: &mut Vec<u8>,
    ) -> Progress {
        let Some(hello) = Hello::read(&self.incoming) else { return Progress::Failed(None) };
        match hello.newest() {
            // The client's own version is that of the record, as OpenSSL has it.
            TLS_1_1 => {
                out.extend_from_slice(&[ALERT, 3, 2, 0, 2, FATAL, tls.alert_to_old]);
                return Progress::Failed(None);
            }
            // An alert would end its waiting, and silence holds medusa, which waits for ever.
            ..TLS_1_1 => return Progress::Failed(None),
            _ => {}
        }
        let config = tls.config(|protocol| hello.offers(protocol));
        let Ok(connection) = UnbufferedServerConnection::new(config) else {
            return Progress::Failed(None);
        };
        self.stage = Stage::Shaking { connection: Box::new(connection), _under_way: under_way };
        let progress = self.shake(out, plain);
        self.bounded(progress)
    }

    /// Keeps what waits small.
    fn bounded(&mut self, progress: Progress) -> Progress {
        if self.incoming.len() >= LONGEST_HELLO && !matches!(progress, Progress::Done(..)) {
            return Progress::Failed(Some(Malformed::MessageTooLong));
        }
        // What grew by doubling, or held what has been taken, has room for more than is left.
        self.incoming.shrink_to_fit();
        progress
    }

    /// Writes it down, unless the library's connection answers already, which keeps its state for
    /// itself.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        if self.is_answered() {
            return;
        }
        out.push(SAVED);
        self.puts_off().save(out);
        self.begun.save(out);
        millis(self.limits.first).save(out);
        self.limits.whole.map(millis).save(out);
        self.incoming.save(out);
    }

    /// The handshake that [`Handshake::save`] wrote down after the first byte.
    pub(super) fn resume(mut saved: &[u8], change: ClockChange) -> Option<Self> {
        let saved = &mut saved;
        let stage = if bool::load(saved)? { Stage::PuttingOff } else { Stage::Listening };
        let begun = change.moment(Time::load(saved)?);
        let first = Duration::from_millis(u64::load(saved)?);
        let whole = Option::<u64>::load(saved)?.map(Duration::from_millis);
        let incoming: Vec<u8> = Vec::load(saved)?;
        let is_bounded = incoming.len() < LONGEST_HELLO && saved.is_empty();
        is_bounded.then_some(Self { incoming, stage, begun, limits: Limits { first, whole } })
    }

    /// How many bytes wait for more.
    pub(super) fn waiting(&self) -> usize {
        self.incoming.len()
    }

    /// Gives the waiting bytes back.
    pub(super) fn into_waiting(self) -> Vec<u8> {
        self.incoming
    }

    fn listen(&mut self, learn: impl FnMut(Fact, &[u8]), weigh: fn(&Hello) -> Limits) -> Progress {
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
        self.limits = weigh(&hello);
        self.stage = Stage::PuttingOff;
        Progress::Due(self.limits.first)
    }

    fn shake(&mut self, out: &mut Vec<u8>, plain: &mut Vec<u8>) -> Progress {
        // Each round takes a message, or is the last; no flight of a client has as many.
        for _ in 0..64 {
            match self.turn(out, plain) {
                Want::Turn => {}
                Want::Refusal => {
                    // The library's next output says why, whatever else waits.
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
        let Stage::Shaking { connection, .. } = &mut self.stage else { return Want::Failed(None) };
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
            // The server may speak now, but the client only once it has finished, too.
            Ok(ConnectionState::WriteTraffic(_)) => {
                answers = true;
                Want::More
            }
            Err(Error::PeerIncompatible(_)) => Want::Refusal,
            Ok(_) => Want::Failed(None),
            Err(error) => Want::Failed(Malformed::of(&error)),
        };
        self.incoming.drain(..discard);
        if answers && !connection.is_handshaking() { Want::Done } else { want }
    }

    /// Takes the keys out, and drops the library's connection.
    fn finish(&mut self) -> Option<Progress> {
        let stage = core::mem::replace(&mut self.stage, Stage::Listening);
        let Stage::Shaking { connection, .. } = stage else { return None };
        let version = connection.protocol_version()?;
        let (secrets, _) = connection.dangerous_into_kernel_connection().ok()?;
        let keys = Keys::new(version, &secrets)?;
        Some(Progress::Done(Box::new(keys), core::mem::take(&mut self.incoming)))
    }
}
