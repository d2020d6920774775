//! Every family of metrics: name, kind, meaning, labels, and where its numbers come from. The manual
//! is made from the same table.

use std::time::Duration;

use tarpit_proto::{session::Cause, time::Time};

use super::exposition::{Kind, Page};
use crate::{
    admin::world::World,
    report::{
        counter::HistogramCounts,
        refusal::Refusal,
        totals::{HOLD_BOUNDS, LATENESS_BOUNDS, TarpitCounts, WorkerCounts, protocols},
        trace,
    },
};

/// A family of metrics.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    /// Its labels; the bounds of histograms are none.
    pub(crate) labels: &'static [&'static str],
    pub(super) samples: Samples,
}

/// How the samples of a family are made.
pub(super) enum Samples {
    /// For each tarpit.
    Each(fn(&Family, &Tarpit<'_>, &mut Page)),
    /// All at once.
    Once(fn(&Family, &View<'_>, &mut Page)),
}

/// What is known when metrics are asked for.
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) now: Time,
}

/// A tarpit at that moment.
pub(super) struct Tarpit<'a> {
    pub(super) name: &'a str,
    pub(super) held: u64,
    /// All that was ever counted.
    pub(super) counts: TarpitCounts,
}

impl View<'_> {
    /// All that workers ever counted.
    fn workers(&self) -> WorkerCounts {
        self.world.worker_counts()
    }
}

/// All families, in the order of the page.
pub(crate) static ALL: &[Family] = &[
    Family {
        name: "tarpitd_build_info",
        kind: Kind::Gauge,
        help: "The running version; always 1.",
        labels: &["version"],
        samples: Samples::Once(|family, _, page| {
            page.sample(family.name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        }),
    },
    Family {
        name: "tarpitd_start_time_seconds",
        kind: Kind::Gauge,
        help: "When the daemon started, in seconds since 1970.",
        labels: &[],
        samples: Samples::Once(|family, view, page| {
            let clock = view.world.clock;
            let start = clock.wall().saturating_sub(clock.since_start());
            page.sample(family.name, &[], format_args!("{:.3}", start.as_secs_f64()));
        }),
    },
    Family {
        name: "tarpitd_clients_held",
        kind: Kind::Gauge,
        help: "Clients that are held now.",
        labels: &["tarpit"],
        samples: Samples::Each(|family, tarpit, page| {
            page.sample(family.name, &[("tarpit", tarpit.name)], tarpit.held);
        }),
    },
    Family {
        name: "tarpitd_clients_opened_total",
        kind: Kind::Counter,
        help: "New clients that were held.",
        labels: &["tarpit"],
        samples: Samples::Each(|family, tarpit, page| {
            page.sample(family.name, &[("tarpit", tarpit.name)], tarpit.counts.opened);
        }),
    },
    Family {
        name: "tarpitd_clients_closed_total",
        kind: Kind::Counter,
        help: "Clients that are gone, by the reason that the trace has.",
        labels: &["tarpit", "reason"],
        samples: Samples::Each(|family, tarpit, page| {
            for ((cause, _), count) in Cause::ALL.iter().zip(tarpit.counts.closed) {
                let labels = [("tarpit", tarpit.name), ("reason", cause.name())];
                page.sample(family.name, &labels, count);
            }
        }),
    },
    Family {
        name: "tarpitd_clients_refused_total",
        kind: Kind::Counter,
        help: "New clients that were not held, by the reason that the trace has.",
        labels: &["tarpit", "reason"],
        samples: Samples::Each(|family, tarpit, page| {
            for (refusal, count) in Refusal::ALL.iter().zip(tarpit.counts.refused) {
                let labels = [("tarpit", tarpit.name), ("reason", refusal.name())];
                page.sample(family.name, &labels, count);
            }
        }),
    },
    Family {
        name: "tarpitd_clients_identified_total",
        kind: Kind::Counter,
        help: "Clients whose first bytes showed what they speak. What is inside TLS counts, too.",
        labels: &["protocol"],
        samples: Samples::Once(|family, view, page| {
            for (protocol, count) in protocols().zip(view.workers().identified) {
                page.sample(family.name, &[("protocol", protocol)], count);
            }
        }),
    },
    Family {
        name: "tarpitd_clients_opened_by_country_total",
        kind: Kind::Counter,
        help: "New clients that were held, by the country of their address. Only with [geoip].",
        labels: &["country"],
        samples: Samples::Once(|family, view, page| {
            let counts = view.world.origins.as_ref().map(|_| view.world.countries());
            for (country, count) in counts.into_iter().flatten() {
                page.sample(family.name, &[("country", &country)], count);
            }
        }),
    },
    Family {
        name: "tarpitd_clients_opened_by_as_total",
        kind: Kind::Counter,
        help: "New clients that were held, by the number of their autonomous system: the busiest \
               100, whose counts may be too high. Only with [geoip].",
        labels: &["asn"],
        samples: Samples::Once(|family, view, page| {
            let counts = view.world.origins.as_ref().map(|_| view.world.systems());
            for (asn, count) in counts.into_iter().flatten() {
                page.sample(family.name, &[("asn", &asn.to_string())], count);
            }
        }),
    },
    Family {
        name: "tarpitd_held_seconds_total",
        kind: Kind::Counter,
        help: "The time for which all clients together were held, those held now included.",
        labels: &["tarpit"],
        samples: Samples::Each(|family, tarpit, page| {
            let seconds = Duration::from_millis(tarpit.counts.held_millis).as_secs_f64();
            page.sample(family.name, &[("tarpit", tarpit.name)], format_args!("{seconds:.3}"));
        }),
    },
    Family {
        name: "tarpitd_hold_duration_seconds",
        kind: Kind::Histogram,
        help: "For how long clients that are gone were held.",
        labels: &[],
        samples: Samples::Once(|family, view, page| {
            histogram(family, (&HOLD_BOUNDS, 1_000.0), &view.workers().hold, page);
        }),
    },
    Family {
        name: "tarpitd_sent_bytes_total",
        kind: Kind::Counter,
        help: "Bytes that were sent to clients, encryption included.",
        labels: &["tarpit"],
        samples: Samples::Each(|family, tarpit, page| {
            page.sample(family.name, &[("tarpit", tarpit.name)], tarpit.counts.sent);
        }),
    },
    Family {
        name: "tarpitd_received_bytes_total",
        kind: Kind::Counter,
        help: "Bytes that clients sent and tarpitd read.",
        labels: &["tarpit"],
        samples: Samples::Each(|family, tarpit, page| {
            page.sample(family.name, &[("tarpit", tarpit.name)], tarpit.counts.received);
        }),
    },
    Family {
        name: "tarpitd_send_lateness_seconds",
        kind: Kind::Histogram,
        help: "How late clients were served whose next bytes were due.",
        labels: &[],
        samples: Samples::Once(|family, view, page| {
            histogram(family, (&LATENESS_BOUNDS, 1e6), &view.workers().lateness, page);
        }),
    },
    Family {
        name: "tarpitd_handshakes_total",
        kind: Kind::Counter,
        help: "Handshakes with cryptography that began.",
        labels: &["kind"],
        samples: Samples::Once(|family, view, page| {
            let counts = view.workers();
            page.sample(family.name, &[("kind", "ssh")], counts.ssh_handshakes);
            page.sample(family.name, &[("kind", "tls")], counts.tls_handshakes);
        }),
    },
    Family {
        name: "tarpitd_trace_lines_left_out_total",
        kind: Kind::Counter,
        help: "Lines of the trace that were left out beyond [logging] trace_per_second.",
        labels: &["event"],
        samples: Samples::Once(|family, view, page| {
            for (kind, count) in trace::Kind::ALL.iter().zip(view.workers().left_out) {
                page.sample(family.name, &[("event", kind.name())], count);
            }
        }),
    },
    Family {
        name: "tarpitd_trace_lines_lost_total",
        kind: Kind::Counter,
        help: "Lines of the trace that could not be written.",
        labels: &[],
        samples: Samples::Once(|family, view, page| {
            page.sample(family.name, &[], view.world.lost_lines());
        }),
    },
    Family {
        name: "tarpitd_load_level",
        kind: Kind::Gauge,
        help: "How much tarpitd gives up to stay within [limits] cpu and egress: 0 nothing, 1 reads \
               less, 2 paces, 3 key exchanges, 4 sends, 5 new clients. The highest of all workers.",
        labels: &[],
        samples: Samples::Once(|family, view, page| {
            page.sample(family.name, &[], view.workers().load_level);
        }),
    },
];

/// The samples of a histogram whose values are counted in parts of a second.
#[expect(clippy::cast_precision_loss, reason = "a sum of seconds needs no more than 52 bits")]
fn histogram<const B: usize>(
    family: &Family,
    (bounds, parts): (&[u64; B], f64),
    counts: &HistogramCounts<B>,
    page: &mut Page,
) {
    let bucket = format!("{}_bucket", family.name);
    let mut sum = 0;
    for (bound, count) in bounds.iter().zip(counts.within) {
        sum += count;
        // With a point in it, as OpenMetrics wants it.
        page.sample(&bucket, &[("le", &format!("{:?}", *bound as f64 / parts))], sum);
    }
    sum += counts.above;
    page.sample(&bucket, &[("le", "+Inf")], sum);
    page.sample(&format!("{}_sum", family.name), &[], counts.sum as f64 / parts);
    page.sample(&format!("{}_count", family.name), &[], sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_field() {
        for family in ALL {
            assert!(family.name.starts_with("tarpitd_"), "{}", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"));
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n', '"']));
            assert_eq!(ALL.iter().filter(|other| other.name == family.name).count(), 1);
        }
    }
}
