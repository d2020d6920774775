//! The addresses with the most clients, in memory that does not grow with the crowd.

use std::{net::IpAddr, time::Duration};

use tarpit_proto::time::Time;

use crate::report::{sketch::Sketch, totals::millis};

/// One worker's busiest addresses, each with the port to which its clients came.
#[derive(Debug)]
pub(crate) struct Busiest(Sketch<Key, Clients>);

/// A client's address, and the server's port.
type Key = (IpAddr, u16);

/// An address's clients, since it is among the busiest.
#[derive(Debug)]
struct Clients {
    /// Clients that were opened before are not counted.
    since: Time,
    opened: u64,
    held: u64,
    /// The sum of the moments at which held clients connected, in milliseconds.
    opened_millis: u64,
    /// Milliseconds for which closed clients were held.
    closed_millis: u64,
}

/// One of the busiest, since it is among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) address: IpAddr,
    /// The server's port.
    pub(crate) port: u16,
    pub(crate) opened: u64,
    pub(crate) held: Duration,
    /// The country's two letters and the city, where they are looked up and known.
    pub(crate) country: Option<Box<str>>,
    pub(crate) city: Option<Box<str>>,
}

impl Busiest {
    /// None yet, and never more than `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self(Sketch::new(most))
    }

    /// How many there may be.
    pub(crate) fn most(&self) -> usize {
        self.0.places()
    }

    /// A client was opened.
    pub(crate) fn open(&mut self, address: IpAddr, port: u16, at: Time) {
        let new = || Clients { since: at, opened: 0, held: 0, opened_millis: 0, closed_millis: 0 };
        let Some(clients) = self.0.count((address, port), new) else { return };
        clients.opened += 1;
        clients.held += 1;
        clients.opened_millis += at.as_millis();
    }

    /// A client that connected at `opened` was closed.
    pub(crate) fn close(&mut self, address: IpAddr, port: u16, opened: Time, end: Time) {
        let Some(clients) = self.0.get_mut(&(address, port)) else { return };
        if clients.since <= opened && clients.held > 0 {
            clients.held -= 1;
            clients.opened_millis = clients.opened_millis.saturating_sub(opened.as_millis());
            clients.closed_millis += millis(end.since(opened));
        }
    }

    /// All of them at `now`.
    pub(crate) fn all(&self, now: Time) -> impl Iterator<Item = Busy> + '_ {
        self.0.iter().map(move |(&(address, port), clients)| {
            let present = (clients.held * now.as_millis()).saturating_sub(clients.opened_millis);
            let held = Duration::from_millis(clients.closed_millis + present);
            Busy { address, port, opened: clients.opened, held, country: None, city: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn the_busiest_stay_in_a_crowd_and_the_crowd_takes_no_memory() {
        let mut busiest = Busiest::new(10);
        for number in 0..100_000 {
            busiest.open(address(1_000 + number), 22, at(1));
            if number % 5 == 0 {
                busiest.open(address(1), 22, at(1));
            }
        }
        let all: Vec<_> = busiest.all(at(1)).collect();
        assert_eq!(all.len(), 10);
        let first = all.iter().find(|busy| busy.address == address(1)).unwrap();
        assert_eq!(first.opened, 20_000);
    }

    #[test]
    fn time_held_is_that_of_clients_that_were_counted() {
        let mut busiest = Busiest::new(1);
        busiest.open(address(1), 22, at(10));
        busiest.open(address(1), 22, at(20));
        busiest.close(address(1), 22, at(10), at(25));
        let busy = |busiest: &Busiest, now| busiest.all(at(now)).next().unwrap();
        assert_eq!(busy(&busiest, 30).held, Duration::from_secs(15 + 10));
        // Another address takes the place, and gives it back: the client of before is not counted.
        busiest.open(address(2), 22, at(40));
        busiest.open(address(1), 22, at(50));
        busiest.close(address(1), 22, at(20), at(60));
        busiest.close(address(2), 22, at(40), at(60));
        let last = busy(&busiest, 61);
        assert_eq!((last.address, last.opened, last.held.as_secs()), (address(1), 1, 11));
    }

    #[test]
    fn no_places_hold_nobody() {
        let mut busiest = Busiest::new(0);
        busiest.open(address(1), 22, at(1));
        assert_eq!(busiest.all(at(2)).count(), 0);
    }
}
