//! TLS between a script and the connection, once the script has asked for it.
//!
//! ```text
//!                  handshake done
//! Handshake ─────────────────► Open: two keys and two numbers
//!     │                          │
//!     └─ no hello, no success ───┴─ garbled ──► Dead: only silence
//! ```
//! The library's connection takes four and a half kilobytes, so it lives only for the handshake.
//! Then the keys remain, and this module makes and reads the records (RFC 8446, section 5; RFC
//! 5246, section 6.2; RFC 5288 and RFC 7905).

mod handshake;
mod keys;
mod malformed;
mod records;

use alloc::vec::Vec;
use core::time::Duration;

pub use crate::script::tls::{Limits, Tls};
pub(crate) use crate::transport::malformed::Malformed;
use crate::{
    base::{
        fact::Fact,
        handshake_budget::UnderWay,
        time::{ClockChange, Time},
    },
    transport::{
        handshake::{Handshake, Progress},
        keys::Keys,
        records::Records,
    },
    wire::tls::Hello,
};

/// How long each of a client's two messages in a handshake may take: its hello, and its answer to
/// ours. An honest client answers within a round trip, or within 15 seconds if four packets in a
/// row are lost; scanners give it 20 seconds in all. A client that takes longer is held in silence,
/// which costs less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The most application bytes in one record. If the connection takes a record only in part, the
/// rest is stored, since a key must never make two records of one number.
pub(crate) const LONGEST_SAID: usize = 2 * 1_024;

/// TLS beneath one client's script.
#[derive(Debug)]
pub(crate) struct Transport {
    state: State,
    /// Bytes to send before anything else: a message of the handshake, or the rest of a record.
    owed: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Dead,
    Handshake(Handshake),
    Open {
        keys: Keys,
        /// The client's records. `None`: they are dropped.
        records: Option<Records>,
    },
}

const _: () = assert!(size_of::<Transport>() <= 192, "what a client in TLS keeps is small");

/// What a client's bytes led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The hello is whole; [`Transport::answer`] is due after this time.
    Due(Duration),
    /// Nothing more can be understood. The reason, if the client broke the protocol.
    Failed(Option<Malformed>),
    /// Plain bytes, or none.
    Plain,
    /// The handshake is done: when it began, and the client's limits.
    Ready { begun: Time, limits: Limits },
}

impl Transport {
    /// Waits for the client's part of a handshake that begins `now`.
    pub(crate) fn begin(now: Time) -> Self {
        Self { state: State::Handshake(Handshake::new(now)), owed: Vec::new() }
    }

    /// Takes the client's bytes and appends their plain text to `plain`. Facts of the client's
    /// hello go to `learn`; `weigh` says what the client tolerates.
    pub(crate) fn hear(
        &mut self,
        bytes: &[u8],
        plain: &mut Vec<u8>,
        learn: impl FnMut(Fact, &[u8]),
        weigh: fn(&Hello) -> Limits,
    ) -> Hearing {
        let State::Handshake(handshake) = &mut self.state else { return self.read(bytes, plain) };
        let progress = handshake.advance(bytes, &mut self.owed, plain, learn, weigh);
        self.heed(progress, plain)
    }

    /// Answers the waiting hello, and appends the plain text that follows it to `plain`.
    pub(crate) fn answer(
        &mut self,
        under_way: UnderWay,
        tls: Option<&Tls>,
        plain: &mut Vec<u8>,
    ) -> Hearing {
        let (State::Handshake(handshake), Some(tls)) = (&mut self.state, tls) else {
            return self.fail(None);
        };
        let progress = handshake.answer(under_way, tls, &mut self.owed, plain);
        self.heed(progress, plain)
    }

    fn heed(&mut self, progress: Progress, plain: &mut Vec<u8>) -> Hearing {
        match (progress, &self.state) {
            (Progress::Done(keys, rest), State::Handshake(handshake)) => {
                let (begun, limits) = (handshake.begun(), handshake.limits());
                self.state = State::Open { keys: *keys, records: Some(Records::default()) };
                match self.read(&rest, plain) {
                    Hearing::Plain => Hearing::Ready { begun, limits },
                    failed => failed,
                }
            }
            (Progress::Due(after), _) => Hearing::Due(after),
            (Progress::Failed(malformed), _) => self.fail(malformed),
            (Progress::Done(..) | Progress::Pending, _) => Hearing::Plain,
        }
    }

    fn read(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Hearing {
        let State::Open { keys, records: Some(records) } = &mut self.state else {
            return Hearing::Plain;
        };
        match records.read(bytes, keys, plain) {
            Ok(()) => Hearing::Plain,
            Err(malformed) => self.fail(malformed),
        }
    }

    /// Whether the handshake is under way.
    pub(crate) fn is_shaking(&self) -> bool {
        matches!(self.state, State::Handshake(_))
    }

    /// Whether a hello waits for its answer.
    pub(crate) fn puts_off(&self) -> bool {
        matches!(&self.state, State::Handshake(handshake) if handshake.puts_off())
    }

    /// Gives back the client's bytes of a handshake that will not happen.
    pub(crate) fn into_waiting(self) -> Vec<u8> {
        match self.state {
            State::Handshake(handshake) => handshake.into_waiting(),
            State::Dead | State::Open { .. } => Vec::new(),
        }
    }

    /// How many of the client's bytes wait here for more.
    pub(crate) fn waiting(&self) -> usize {
        match &self.state {
            State::Handshake(handshake) => handshake.waiting(),
            State::Open { records: Some(records), .. } => records.waiting(),
            State::Dead | State::Open { records: None, .. } => 0,
        }
    }

    /// Stops keeping and decrypting, since the script will hear nothing more.
    pub(crate) fn stop_listening(&mut self) {
        if let State::Open { records, .. } = &mut self.state {
            *records = None;
        }
    }

    fn fail(&mut self, malformed: Option<Malformed>) -> Hearing {
        self.abandon();
        Hearing::Failed(malformed)
    }

    /// Gives up: nothing more can be sent or understood.
    pub(crate) fn abandon(&mut self) {
        self.state = State::Dead;
    }

    /// Whether a script's bytes can be sent at all.
    pub(crate) fn speaks(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// The bytes to send before anything else.
    pub(crate) fn owed(&self) -> &[u8] {
        &self.owed
    }

    /// This many of the owed bytes were sent.
    pub(crate) fn pay(&mut self, count: usize) {
        self.owed = self.owed[count.min(self.owed.len())..].to_vec();
    }

    /// Makes a record of `said` in place. The same number gives the same record, so a record may be
    /// forgotten while none of it was sent.
    pub(crate) fn seal(&self, said: &mut Vec<u8>) {
        match &self.state {
            State::Open { keys, .. } => keys.seal(said),
            _ => said.clear(),
        }
    }

    /// A part of the last record was sent; `rest` was not.
    pub(crate) fn sealed(&mut self, rest: &[u8]) {
        if let State::Open { keys, .. } = &mut self.state {
            keys.count();
        }
        self.owed = rest.to_vec();
    }

    /// Whether [`Transport::save`] writes down all of it: not once a handshake has been answered.
    pub(crate) fn can_be_saved(&self) -> bool {
        match &self.state {
            State::Handshake(handshake) => !handshake.is_answered(),
            State::Dead | State::Open { .. } => true,
        }
    }

    /// Writes down what a new binary needs. A handshake that has been answered cannot be written
    /// down.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        match &self.state {
            State::Dead => {}
            State::Handshake(handshake) => handshake.save(out),
            State::Open { keys, records } => {
                keys.save(out);
                out.extend_from_slice(&(self.owed.len() as u32).to_be_bytes());
                out.extend_from_slice(&self.owed);
                if let Some(records) = records {
                    records.save(out);
                }
            }
        }
    }

    /// The transport that [`Transport::save`] wrote down; `change` is to this daemon's clock.
    pub(crate) fn resume(saved: &[u8], change: ClockChange) -> Option<Self> {
        match saved {
            [] => return Some(Self { state: State::Dead, owed: Vec::new() }),
            [handshake::SAVED, handshake @ ..] => {
                let handshake = Handshake::resume(handshake, change)?;
                return Some(Self { state: State::Handshake(handshake), owed: Vec::new() });
            }
            _ => {}
        }
        let (keys, rest) = Keys::resume(saved)?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (owed, records) = rest.split_at_checked(length)?;
        let records = if records.is_empty() { None } else { Some(Records::resume(records)?) };
        Some(Self { state: State::Open { keys, records }, owed: owed.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::PATIENCE;
    use crate::base::handshake_budget::HandshakeBudget;

    #[test]
    fn a_hundred_handshakes_a_second_are_never_too_many_at_a_time() {
        let begun = PATIENCE.as_secs() * (100 / u64::from(HandshakeBudget::TLS_COST));
        assert_eq!(begun, 1_500, "as docs/is-it-safe.md has it");
        assert!(begun < HandshakeBudget::MOST_UNDER_WAY.into());
    }
}
