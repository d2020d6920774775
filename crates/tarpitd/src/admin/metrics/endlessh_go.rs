//! The metrics of endlessh-go, under its names, for those who have its dashboards.

use super::exposition::{Kind, Page};
use crate::{
    admin::world::World,
    report::{busiest::Busy, totals::PortCounts},
};

/// How far the page is.
pub(super) struct Lines {
    busiest: Vec<Busy>,
    /// The place in [`FAMILIES`], and behind them in [`CLIENTS`].
    family: usize,
    /// The next port, or the next address.
    place: usize,
}

/// A family with a sample for each port.
struct Family {
    name: &'static str,
    help: &'static str,
    value: fn(&PortCounts) -> f64,
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
static FAMILIES: [Family; 4] = [
    Family {
        name: "endlessh_client_open_count_total",
        help: "Clients that were opened.",
        value: |counts| counts.opened as f64,
    },
    Family {
        name: "endlessh_client_closed_count_total",
        help: "Clients that are gone.",
        value: |counts| counts.closed as f64,
    },
    Family {
        name: "endlessh_sent_bytes_total",
        help: "Bytes that were sent.",
        value: |counts| counts.sent as f64,
    },
    Family {
        name: "endlessh_trapped_time_seconds_total",
        help: "The time for which all clients were held.",
        value: |counts| counts.held_millis as f64 / 1_000.0,
    },
];

/// A family with a sample for each address.
struct Clients {
    name: &'static str,
    help: &'static str,
    sample: fn(&str, &[(&str, &str)], &Busy, &mut Page),
}

static CLIENTS: [Clients; 2] = [
    Clients {
        name: "endlessh_client_open_count",
        help: "Clients of the busiest addresses.",
        sample: |name, labels, busy, page| {
            let country = busy.country.as_deref().unwrap_or_default();
            let city = busy.city.as_deref().unwrap_or_default();
            // The databases' coordinates are not read.
            let place = [("geohash", ""), ("country", country), ("location", city)];
            page.sample(name, &[labels, &place].concat(), busy.opened);
        },
    },
    Clients {
        name: "endlessh_client_trapped_time_seconds",
        help: "The time for which clients of the busiest addresses were held.",
        sample: |name, labels, busy, page| page.sample(name, labels, busy.held.as_secs_f64()),
    },
];

impl Lines {
    /// The whole page, with series for these addresses.
    pub(super) fn new(busiest: Vec<Busy>) -> Self {
        Self { busiest, family: 0, place: 0 }
    }

    /// Writes the next lines; says whether there may be more.
    pub(super) fn next(&mut self, world: &World, page: &mut Page) -> bool {
        let has_written = if let Some(family) = FAMILIES.get(self.family) {
            self.next_port(family, world, page)
        } else if let Some(clients) = CLIENTS.get(self.family - FAMILIES.len()) {
            self.next_client(clients, page)
        } else {
            return false;
        };
        (self.family, self.place) =
            if has_written { (self.family, self.place + 1) } else { (self.family + 1, 0) };
        true
    }

    fn next_port(&self, family: &Family, world: &World, page: &mut Page) -> bool {
        let Some(tally) = world.port_tallies.get(self.place) else { return false };
        if self.place == 0 {
            page.family(family.name, Kind::Counter, family.help);
        }
        let value = (family.value)(&world.port_counts(tally));
        page.sample(family.name, &[("local_port", &tally.port.to_string())], value);
        true
    }

    fn next_client(&self, clients: &Clients, page: &mut Page) -> bool {
        let Some(busy) = self.busiest.get(self.place) else { return false };
        if self.place == 0 {
            page.family(clients.name, Kind::Counter, clients.help);
        }
        let (ip, port) = (busy.address.to_string(), busy.port.to_string());
        (clients.sample)(clients.name, &[("ip", &ip), ("local_port", &port)], busy, page);
        true
    }
}
