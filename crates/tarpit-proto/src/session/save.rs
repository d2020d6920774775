//! A session saved for a hand-over to a new binary.
//!
//! After a format byte come the moment, the session's own numbers, the script by its pattern's
//! name, and its state as the pattern writes it. The new daemon's clock may have started at another
//! time, so every moment keeps its distance to the present. If the new binary does not know
//! something, it holds the client in silence.

use alloc::{boxed::Box, vec::Vec};

use super::{Doing, Live, Session, hundredths, low, named, pattern};
use crate::{
    base::{
        pace::Pacer,
        time::{ClockChange, Time},
    },
    script::{
        Profile, ReadMode,
        state::{Saved, load_name, save_name},
    },
    transport::Transport,
};

/// The format of saved sessions; another format has another number.
const FORMAT: u8 = 3;

/// What is read in front of a session's changing part.
struct Numbers {
    /// When it was saved, by the clock of that daemon.
    before: Time,
    sent: u64,
    heard: u64,
}

/// A session that was taken over.
#[derive(Debug)]
pub struct Resumed {
    /// The session. [`Input::Due`](super::Input::Due) must come next.
    pub session: Session,
    /// Whether this binary knows all that was written down. Otherwise the client is held in
    /// silence.
    pub is_known: bool,
}

impl Session {
    /// Saves everything that a new binary needs to take the session over, for [`Session::resume`].
    pub fn save(&mut self, now: Time, profile: &Profile) -> Vec<u8> {
        let mut live = self.unpack();
        let mut out = Vec::new();
        FORMAT.save(&mut out);
        now.save(&mut out);
        self.held_millis(now).save(&mut out);
        // Behind the present if credit has been saved up, and then the number wraps.
        self.pacer.moment(now).as_millis().wrapping_sub(now.as_millis()).save(&mut out);
        (live.sent_before + u64::from(self.sent)).save(&mut out);
        (live.heard_before + u64::from(self.heard)).save(&mut out);
        let pattern = pattern(live.script, profile);
        save_name(pattern.name(), &mut out);
        live.doing.save(&mut out);
        live.read_mode.save(&mut out);
        live.offset.save(&mut out);
        live.inbox.save(&mut out);
        live.boxed.as_deref().map(<[u8]>::to_vec).save(&mut out);
        let transport = live.transport.as_ref().map(|transport| {
            let mut saved = Vec::new();
            transport.save(&mut saved);
            saved
        });
        transport.save(&mut out);
        pattern.save(&mut live.run, &mut out);
        self.pack(live);
        out
    }

    /// The session that [`Session::save`] wrote, under the same profile.
    pub fn resume(now: Time, profile: &Profile, mut saved: &[u8]) -> Resumed {
        let mut session = Self::open(now);
        session.be_silent();
        let Some(Numbers { before, sent, heard }) = session.load_numbers(now, &mut saved) else {
            return Resumed { session, is_known: false };
        };
        let live = load_live(profile, ClockChange { before, now }, saved);
        let is_known = live.is_some();
        let live = live.unwrap_or_else(|| session.unpack());
        let (sent_before, heard_before) = (sent & !0xFFFF_FFFF, heard & !0xFFFF_FFFF);
        session.pack(Live { sent_before, heard_before, ..live });
        Resumed { session, is_known }
    }

    /// Reads the session's own numbers, and gives back those that it has no room for.
    fn load_numbers(&mut self, now: Time, saved: &mut &[u8]) -> Option<Numbers> {
        if u8::load(saved)? != FORMAT {
            return None;
        }
        let before = Time::load(saved)?;
        let (held, wait) = (u64::load(saved)?, u64::load(saved)?);
        let (sent, heard) = (u64::load(saved)?, u64::load(saved)?);
        self.opened = hundredths(now).wrapping_sub(low(held / 10));
        self.pacer = Pacer::starting(Time::from_millis(now.as_millis().wrapping_add(wait)));
        (self.sent, self.heard) = (low(sent), low(heard));
        Some(Numbers { before, sent, heard })
    }
}

/// Reads the changing part.
fn load_live(profile: &Profile, change: ClockChange, mut saved: &[u8]) -> Option<Live> {
    let (script, pattern) = named(load_name(&mut saved)?, profile)?;
    let doing = Doing::load(&mut saved)?;
    let read_mode = ReadMode::load(&mut saved)?;
    let offset = u16::load(&mut saved)?;
    let inbox = Vec::load(&mut saved)?;
    let boxed: Option<Vec<u8>> = Option::load(&mut saved)?;
    let transport: Option<Vec<u8>> = Option::load(&mut saved)?;
    let transport = match transport {
        Some(transport) => Some(Box::new(Transport::resume(&transport, change)?)),
        None => None,
    };
    Some(Live {
        script,
        doing,
        read_mode,
        offset,
        run: pattern.load(saved, change)?,
        inbox,
        boxed: boxed.map(Vec::into_boxed_slice),
        transport,
        cause: None,
        sent_before: 0,
        heard_before: 0,
    })
}
