//! The limit of open files, and the limits of clients that follow from it.

use std::num::NonZeroU32;

use crate::{
    admin::server,
    admit::admission::Caps,
    settings::{
        ClientLimit, Placed, Purpose, Settings, Tarpit,
        finding::{Finding, Gravity},
    },
};

/// The open files that a configuration needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files {
    /// How many may be open.
    pub(super) limit: u64,
    pub(super) listeners: u64,
    workers: u64,
    /// What the admin server has open.
    admin: u64,
}

/// Files kept for streams, state, and everything else that is not a client.
const SPARE: u64 = 64;

/// How the limit is raised.
pub(super) const CURE: &str = "raise LimitNOFILE= of the unit, or `ulimit -n`";

impl Files {
    pub(super) fn of(settings: &Settings, workers: usize, limit: u64) -> Self {
        let listeners = |purpose| match purpose {
            Purpose::Clients => workers as u64,
            Purpose::Data(_) => 1,
        };
        let listeners =
            settings.wanted(workers).iter().map(|wanted| listeners(wanted.purpose)).sum();
        let admin = match settings.surfaces().len() as u64 {
            0 => 0,
            sockets => sockets + server::FILES,
        };
        Self { limit, listeners, workers: workers as u64, admin }
    }

    /// Files kept for everything that is neither a listener nor a client.
    pub(super) fn spare(&self) -> u64 {
        SPARE + self.admin
    }

    /// How many files clients may have.
    pub(super) fn for_clients(&self) -> u32 {
        /// The most clients that a kernel could hold; larger tables would be useless.
        const MOST: u64 = 10_000_000;
        let left = self.limit.saturating_sub(self.listeners + self.spare()).clamp(1, MOST);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Reports if there are too few files to start and hold one client.
    pub(super) fn shortage(&self) -> Option<Finding> {
        let own = self.own();
        (self.limit <= self.listeners + own).then(|| {
            let what = format!(
                "only {} open files are allowed, and {} are needed before the first client ({} \
                 for listeners): {CURE}, or listen on fewer addresses",
                self.limit,
                self.listeners + own,
                self.listeners
            );
            Finding::new(Gravity::Refused, None, what)
        })
    }

    /// The caps in force.
    pub(super) fn caps(&self, settings: &Settings) -> Caps {
        let limits = &settings.limits;
        let most = self.for_clients();
        Caps {
            clients: match *limits.clients {
                ClientLimit::AtMost(clients) => clients.get().min(most),
                ClientLimit::FileLimit => most,
                ClientLimit::Unlimited => 0,
            },
            per_address: limits.per_address.map_or(0, NonZeroU32::get),
            per_prefix: limits.per_prefix.map_or(0, NonZeroU32::get),
        }
    }

    /// Reports configured limits that can never be reached, since files run out before.
    pub(super) fn cuts(&self, settings: &Settings) -> Vec<Finding> {
        let limits = &settings.limits;
        let clients = match *limits.clients {
            ClientLimit::AtMost(clients) => Some(clients),
            ClientLimit::FileLimit | ClientLimit::Unlimited => None,
        };
        let clients = Placed { value: clients, place: limits.clients.place.clone() };
        let ports =
            settings.tarpits.iter().map(|Tarpit { max_clients, .. }| ("max_clients", max_clients));
        let caps = [
            ("clients", &clients),
            ("per_address", &limits.per_address),
            ("per_prefix", &limits.per_prefix),
        ];
        let cut = |(key, cap): (&str, &Placed<Option<NonZeroU32>>)| {
            let (wanted, most) = (cap.value?.get(), self.for_clients());
            let is_cut = cap.place.is_some() && wanted > most;
            is_cut.then(|| {
                let what = format!(
                    "`{key} = {wanted}` is lowered to {most}: only {} open files are allowed, \
                     less {} for listeners and {} for tarpitd itself; {CURE}",
                    self.limit,
                    self.listeners,
                    self.spare()
                );
                Finding::new(Gravity::Warning, cap.place.as_ref(), what)
            })
        };
        caps.into_iter().chain(ports).filter_map(cut).collect()
    }

    /// Streams, log, trace, signals and a host key being made; and for each worker its poll, its
    /// waker, its ring and the timer of first answers.
    fn own(&self) -> u64 {
        12 + 4 * self.workers + self.admin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn files(limits: &str, limit: u64) -> (Files, Settings) {
        let text = format!(
            "workers = 2\n[tarpits.a]\npattern = 'ftp_hold'\nbind = '127.0.0.1:1-3'\n\
             passive_ports = '10-13'\nmax_clients = 900\n[limits]\n{limits}"
        );
        let settings = config::parse("x", &text).unwrap();
        (Files::of(&settings, 2, limit), settings)
    }

    #[test]
    fn listeners_of_every_worker_and_ports_for_data_are_no_clients() {
        let (files, settings) = files("", 1_000);
        assert_eq!(files.listeners, 2 * 3 + 4);
        assert_eq!(files.caps(&settings).clients, 1_000 - 10 - 64);
        assert!(files.cuts(&settings).is_empty() && files.shortage().is_none());
    }

    #[test]
    fn a_cap_above_the_file_limit_is_cut_and_told_with_both_figures() {
        let (files, settings) = files("clients = 100000\nper_address = 127", 200);
        assert_eq!(files.caps(&settings).clients, 126);
        let told: Vec<_> = files.cuts(&settings).iter().map(ToString::to_string).collect();
        let [clients, address, port] = &told[..] else { panic!("{told:?}") };
        assert!(clients.starts_with("x:8:11: `clients = 100000` is lowered to 126"), "{clients}");
        assert!(clients.contains("200 open files") && clients.contains("ulimit -n"), "{clients}");
        assert!(address.starts_with("x:9:15: `per_address = 127` is lowered to 126"), "{address}");
        assert!(port.starts_with("x:6:15: `max_clients = 900` is lowered to 126"), "{port}");
        let (files, settings) = files_of_no_cap();
        assert_eq!(files.caps(&settings).clients, 0);
        assert!(files.cuts(&settings).is_empty());
    }

    fn files_of_no_cap() -> (Files, Settings) {
        let (files, mut settings) = files("clients = 0", 200);
        settings.tarpits[0].max_clients.place = None;
        (files, settings)
    }

    #[test]
    fn too_few_files_are_told_before_they_run_out() {
        for (limit, is_short) in [(12, true), (30, true), (31, false)] {
            let (files, _) = files("", limit);
            let told = files.shortage().map(|finding| finding.to_string());
            assert_eq!(told.is_some(), is_short, "{limit}: {told:?}");
            if let Some(told) = told {
                assert!(told.contains(&format!("only {limit} open files")), "{told}");
            }
            assert_eq!(files.for_clients(), 1);
        }
    }
}
