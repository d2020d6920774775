//! A session written down, for a hand-over to a new binary.

use alloc::{boxed::Box, vec::Vec};

use crate::session::{Doing, Live, Session, hundredths, low, pattern};
use crate::{
    base::{pace::Pacer, time::Time},
    script::{Profile, ReadMode},
    transport::Transport,
};

const DOINGS: [Doing; 10] = [
    Doing::Asking,
    Doing::Closing,
    Doing::Dripping,
    Doing::Freeing,
    Doing::Prompting,
    Doing::Resting,
    Doing::Securing,
    Doing::Stating,
    Doing::StatingLater,
    Doing::Waiting,
];

const READ_MODES: [ReadMode; 4] =
    [ReadMode::Discard, ReadMode::Deliver, ReadMode::Ended, ReadMode::Paused];

impl Session {
    /// Writes down what a new binary needs to take the session over, for [`Session::resume`].
    pub fn save(&mut self, now: Time) -> Vec<u8> {
        let live = self.unpack();
        let mut out = Vec::new();
        out.extend_from_slice(&self.held_millis(now).to_be_bytes());
        // Behind the present if credit has been saved up, and then the number wraps.
        let wait = self.pacer.moment(now).as_millis().wrapping_sub(now.as_millis());
        out.extend_from_slice(&wait.to_be_bytes());
        out.extend_from_slice(&(live.sent_before + u64::from(self.sent)).to_be_bytes());
        out.extend_from_slice(&(live.heard_before + u64::from(self.heard)).to_be_bytes());
        out.push(live.script);
        out.push(live.doing as u8);
        out.push(live.read_mode as u8);
        out.extend_from_slice(&live.offset.to_be_bytes());
        let mut transport = Vec::new();
        if let Some(tls) = &live.transport {
            transport.push(1);
            tls.save(&mut transport);
        }
        let boxed = live.boxed.as_deref().unwrap_or_default();
        for part in [&live.inbox[..], boxed, &transport, &live.run.save()] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(part);
        }
        self.pack(live);
        out
    }

    /// The session that [`Session::save`] wrote down, under the same profile. `None` if it was not
    /// written by this version for it. [`Input::Resumed`] must come next.
    pub fn resume(now: Time, profile: &Profile, saved: &[u8]) -> Option<Self> {
        let mut saved = Saved(saved);
        let held = saved.number()?;
        let wait = saved.number()?;
        let (sent, heard) = (saved.number()?, saved.number()?);
        let [script, doing, read_mode, offset_high, offset_low] = *saved.bytes(5)? else {
            return None;
        };
        let doing = DOINGS.into_iter().find(|&one| one as u8 == doing)?;
        let read_mode = READ_MODES.into_iter().find(|&one| one as u8 == read_mode)?;
        let inbox = saved.part()?.to_vec();
        let boxed = saved.part()?;
        let transport = match saved.part()? {
            [] => None,
            [_, rest @ ..] => Some(Box::new(Transport::resume(rest)?)),
        };
        let run = pattern(script, profile)?.resume(saved.part()?)?;
        let mut session = Self::open(now);
        session.opened = hundredths(now).wrapping_sub(low(held / 10));
        session.pacer = Pacer::starting(Time::from_millis(now.as_millis().wrapping_add(wait)));
        session.sent = low(sent);
        session.heard = low(heard);
        session.pack(Live {
            script,
            doing,
            read_mode,
            offset: u16::from_be_bytes([offset_high, offset_low]),
            run,
            inbox,
            boxed: (!boxed.is_empty()).then(|| boxed.into()),
            transport,
            cause: None,
            sent_before: sent & !0xFFFF_FFFF,
            heard_before: heard & !0xFFFF_FFFF,
        });
        Some(session)
    }
}

/// Reads what [`Session::save`] wrote.
struct Saved<'a>(&'a [u8]);

impl<'a> Saved<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.bytes(4)?.try_into().ok()?);
        self.bytes(usize::try_from(length).ok()?)
    }
}
