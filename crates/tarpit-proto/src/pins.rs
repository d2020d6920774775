//! Pins for `strict_lock`: the one protocol that a port speaks to a network.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    base::{
        net::Prefix,
        state::{Saved as _, load_name, save_name},
        time::Time,
    },
    protocols,
    script::{Conn, Pinned},
};

/// The format of saved pins; another format has another number.
const FORMAT: u8 = 1;

/// One worker's pins, lent to its sessions. It takes no memory while no listener uses it.
#[derive(Debug, Default)]
pub struct Pins {
    held: BTreeMap<Place, Pin>,
    /// The keys of `held`, the oldest first.
    order: VecDeque<Place>,
}

/// A server port, and the network of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) port: u16,
    /// The key of the client's [`Prefix`].
    pub(crate) network: u64,
}

#[derive(Debug)]
struct Pin {
    protocol: &'static str,
    since: Time,
}

impl Pins {
    /// The most pins. Beyond that the oldest is forgotten.
    pub const MOST: usize = 4_096;

    /// How long one is held.
    pub const TERM: Duration = Duration::from_secs(24 * 60 * 60);

    /// Saves all pins for a new binary whose clock goes on; `None`: there are none.
    pub fn save(&self) -> Option<Vec<u8>> {
        if self.order.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        FORMAT.save(&mut out);
        for (place, pin) in &self.held {
            place.port.save(&mut out);
            place.network.save(&mut out);
            pin.since.save(&mut out);
            save_name(pin.protocol, &mut out);
        }
        Some(out)
    }

    /// Goes on from what several workers saved with [`Pins::save`]. Where they disagree, the first
    /// decision holds. What is damaged, or names a protocol that this binary does not know, is
    /// decided anew.
    pub fn recall<'a>(&mut self, saved: impl IntoIterator<Item = &'a [u8]>, now: Time) {
        let mut all = Vec::new();
        for mut saved in saved {
            if u8::load(&mut saved) != Some(FORMAT) {
                continue;
            }
            while let Some((place, since, name)) = load_pin(&mut saved) {
                if let Some(protocol) = protocols::named(name) {
                    all.push((since.min(now), place, protocol.name));
                }
            }
        }
        all.sort_by_key(|&(since, ..)| since);
        for (since, place, protocol) in all {
            self.claim(place, protocol, since);
        }
    }

    /// The protocol that is spoken there from now on: `protocol`, unless another one was decided
    /// before.
    fn claim(&mut self, place: Place, protocol: &'static str, now: Time) -> &'static str {
        if let Some(decided) = self.decided(place, now) {
            return decided;
        }
        if self.order.len() >= Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.held.remove(&oldest);
        }
        self.held.insert(place, Pin { protocol, since: now });
        self.order.push_back(place);
        protocol
    }

    /// The protocol that is spoken there, if it was decided.
    fn decided(&mut self, place: Place, now: Time) -> Option<&'static str> {
        while let Some(oldest) = self.order.front()
            && self.held.get(oldest).is_none_or(|pin| now.since(pin.since) >= Self::TERM)
        {
            self.held.remove(oldest);
            self.order.pop_front();
        }
        self.held.get(&place).map(|pin| pin.protocol)
    }
}

/// Reads one pin; `None`: that was the last one.
fn load_pin<'a>(saved: &mut &'a [u8]) -> Option<(Place, Time, &'a str)> {
    let place = Place { port: u16::load(saved)?, network: u64::load(saved)? };
    Some((place, Time::load(saved)?, load_name(saved)?))
}

impl Pinned for Pins {
    fn pinned(&mut self, conn: &Conn, now: Time) -> Option<&'static str> {
        self.decided(Place::of(conn), now)
    }

    fn pin(&mut self, conn: &Conn, protocol: &'static str, now: Time) -> &'static str {
        self.claim(Place::of(conn), protocol, now)
    }
}

impl Place {
    /// Where this client has come from, and to.
    pub(crate) fn of(conn: &Conn) -> Self {
        Self { port: conn.server.port(), network: Prefix::of(conn.client.ip()).key() }
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;

    fn place(client: &str) -> Place {
        let client = client.parse().expect("an address");
        let server = SocketAddr::from(([198, 51, 100, 1], 22));
        Place::of(&Conn { client, server, via: None })
    }

    #[test]
    fn neighbours_share_a_place_and_strangers_do_not() {
        assert_eq!(place("192.0.2.1:1"), place("192.0.2.250:9"));
        assert_eq!(place("192.0.2.1:1"), place("[::ffff:192.0.2.3]:1"));
        assert_ne!(place("192.0.2.1:1"), place("192.0.3.1:1"));
        assert_eq!(place("[2001:db8:1:100::1]:1"), place("[2001:db8:1:1ff::2]:1"));
        assert_ne!(place("[2001:db8:1:100::1]:1"), place("[2001:db8:1:200::1]:1"));
        assert_ne!(place("[::1]:1"), place("0.0.0.1:1"));
    }

    #[test]
    fn the_first_decision_holds_for_a_day() {
        let mut pins = Pins::default();
        let here = place("192.0.2.1:1");
        assert_eq!(pins.decided(here, Time::START), None);
        assert_eq!(pins.claim(here, "ftp", Time::START), "ftp");
        let almost = Time::from_millis(86_400_000 - 1);
        assert_eq!(pins.claim(here, "ssh", almost), "ftp");
        let after = Time::from_millis(86_400_000);
        assert_eq!(pins.decided(here, after), None);
        assert_eq!(pins.claim(here, "ssh", after), "ssh");
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_forgotten() {
        let mut pins = Pins::default();
        let there = |number: usize| Place { port: 22, network: number as u64 };
        for number in 0..3 * Pins::MOST {
            pins.claim(there(number), "ssh", Time::from_millis(number as u64));
            assert!(pins.held.len() <= Pins::MOST && pins.order.len() == pins.held.len());
        }
        let now = Time::from_millis(20_000);
        assert_eq!(pins.decided(there(2 * Pins::MOST - 1), now), None);
        assert_eq!(pins.decided(there(2 * Pins::MOST), now), Some("ssh"));
    }

    #[test]
    fn the_next_binary_keeps_to_what_was_decided() {
        let (here, there) = (place("192.0.2.1:1"), place("198.51.100.1:1"));
        let at = |seconds: u64| Time::from_millis(seconds * 1_000);
        let (mut one, mut other) = (Pins::default(), Pins::default());
        assert_eq!(one.save(), None);
        one.claim(here, "ftp", at(20));
        other.claim(here, "ssh", at(10));
        other.claim(there, "smtp", at(30));
        let saved = [one.save().expect("pins"), other.save().expect("pins")];
        let saved = || saved.iter().map(Vec::as_slice);
        let mut next = Pins::default();
        next.recall(saved(), at(40));
        assert_eq!(
            (next.decided(here, at(40)), next.decided(there, at(40))),
            (Some("ssh"), Some("smtp"))
        );
        // The day goes on.
        assert_eq!(next.decided(here, at(86_410)), None);
        assert_eq!(next.decided(there, at(86_410)), Some("smtp"));
        // Each cut is read as far as it goes, and nonsense is not read at all.
        for saved in saved() {
            for cut in 0..saved.len() {
                Pins::default().recall([&saved[..cut], b"\xFF\xFF"], at(40));
            }
        }
        // A moment that lies ahead holds no longer than a day from now.
        let mut ahead = Pins::default();
        ahead.claim(here, "ftp", at(1 << 40));
        let mut next = Pins::default();
        next.recall(ahead.save().as_deref(), at(40));
        assert_eq!(next.decided(here, at(86_440)), None);
    }
}
