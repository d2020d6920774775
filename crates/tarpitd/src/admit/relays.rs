//! The relays of a tarpit: who may name the client in a header, and how many may be about to.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use crate::settings::Network;

/// The relays of a tarpit. All its ports and workers share them.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    networks: Vec<Network>,
    waiting: AtomicU32,
}

/// The most connections of a tarpit that wait for their header. They count against no limit of an
/// address, so they need one of their own.
const MOST: u32 = 1_024;

/// A connection that waits for its header; dropped, it waits no longer.
#[derive(Debug)]
pub(crate) struct Place(Arc<Relays>);

impl Relays {
    /// Relays in these networks.
    pub(crate) fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { networks: networks.into_iter().collect(), waiting: AtomicU32::new(0) }
    }

    /// Whether `ip` may send a header.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(ip))
    }

    /// A place for one more connection that waits for its header; `None` if there is none left.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let one_more = |waiting| (waiting < MOST).then_some(waiting + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_wait_and_no_more_until_one_has_its_header() {
        let relays = Arc::new(Relays::new([Network::of("192.0.2.0".parse().unwrap(), 24)]));
        let mut places: Vec<_> = (0..MOST).map(|_| relays.enter().unwrap()).collect();
        assert!(relays.enter().is_none());
        places.pop();
        assert!(relays.enter().is_some());
    }

    #[test]
    fn only_networks_that_are_named_are_relays() {
        let relays = Relays::new([Network::of("192.0.2.0".parse().unwrap(), 24)]);
        assert!(relays.has("192.0.2.255".parse().unwrap()));
        assert!(!relays.has("192.0.3.0".parse().unwrap()));
        assert!(!relays.has("::1".parse().unwrap()));
        assert!(!Relays::default().has("192.0.2.1".parse().unwrap()));
    }
}
