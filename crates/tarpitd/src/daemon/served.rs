//! What is in force: the settings, and each open port with the profile for its new clients.

use std::{num::NonZeroU32, sync::Arc};

use tarpit_proto::{keys::HostKeys, patterns, persona::Persona, rng::Seed, script::Profile};

use super::{plan::OpenPort, ports::Opened, tallies::Tallies};
use crate::{
    admit::{admission::Port, relays::Relays},
    os::listen_socket::{ListenSocket, NAT_ONLY, Redirected},
    report::{anonymize::Anonymizer, geoip::Geoip, log::Log},
    settings::{Purpose, Settings, Tarpit, Wanted},
    worker::{Listener, endpoints::Binding, hand_over::Origin},
};

/// The settings in force and the open ports.
pub(super) struct Served {
    pub(super) settings: Settings,
    /// How clients' addresses are written and shown.
    pub(super) anonymizer: Anonymizer,
    /// Where clients come from, if that is looked up.
    pub(super) geoip: Option<Geoip>,
    /// What new clients of each tarpit are held under, in the order of the settings.
    profiles: Vec<Profile>,
    /// The relays of each tarpit, in the same order.
    relays: Vec<Arc<Relays>>,
    ports: Vec<OpenedPort>,
    next_key: u64,
    /// Whether TPROXY has led to a port of this process.
    pub(super) has_had_tproxy: bool,
    pub(super) tallies: Tallies,
}

/// A port: the configured address, and the one that the kernel gave.
struct OpenedPort {
    key: u64,
    wanted: Wanted,
    binding: Arc<Binding>,
}

impl Served {
    /// Settings without open ports yet, with the profiles of their tarpits.
    pub(super) fn new(
        settings: Settings,
        profiles: Vec<Profile>,
        (anonymizer, geoip): (Anonymizer, Option<Geoip>),
        tallies: Tallies,
    ) -> Self {
        let (relays, ports) = (relays(&settings), Vec::new());
        let mut served = Self {
            settings,
            anonymizer,
            geoip,
            profiles,
            relays,
            ports,
            next_key: 0,
            has_had_tproxy: false,
            tallies,
        };
        served.add_tallies();
        served
    }

    /// Adds an opened port: a listener for each worker, or one for the worker whose data
    /// connections arrive there.
    pub(super) fn add(&mut self, opened: Opened, listeners: &mut [Vec<Listener>], log: &Log) {
        let Opened { wanted, sockets } = opened;
        let tarpit = &self.settings.tarpits[wanted.index];
        let Some(address) = sockets.first().map(ListenSocket::address) else { return };
        let first = match wanted.purpose {
            Purpose::Clients => {
                let pattern = tarpit.pattern.name();
                log.notice(format_args!("{}: {pattern} on {address}", tarpit.name));
                0
            }
            Purpose::Data(worker) => {
                log.debug(format_args!("{}: data on {address}", tarpit.name));
                worker
            }
        };
        let is_any = |way| sockets.iter().any(|socket| socket.redirected() == way);
        self.has_had_tproxy |= is_any(Redirected::Yes);
        if is_any(Redirected::ByNat) {
            log.warning(format_args!("{}: {address}: {NAT_ONLY}", tarpit.name));
        }
        let binding = self.binding(wanted, Arc::new(Port::new(address)));
        let key = self.next_key;
        self.next_key += 1;
        // A daemon with more workers may have handed over more sockets than there are workers now.
        let count = listeners.len().max(1);
        for (place, socket) in (first..).zip(sockets) {
            if let Some(listeners) = listeners.get_mut(place % count) {
                listeners.push(Listener::new(key, socket, Arc::clone(&binding)));
            }
        }
        self.ports.push(OpenedPort { key, wanted, binding });
    }

    /// Forgets a port that a worker has lost, so that the next reload opens it again.
    pub(super) fn lose(&mut self, key: u64) {
        self.ports.retain(|port| port.key != key);
    }

    /// Shows `keys` to new clients wherever host keys are shown.
    pub(super) fn show(&mut self, keys: Option<&HostKeys>) {
        for profile in self.profiles.iter_mut().filter(|profile| profile.host_keys.is_some()) {
            profile.host_keys = keys.cloned();
        }
        self.renew_bindings();
    }

    /// The persona of the first tarpit that shows host keys, if any does.
    pub(super) fn host_key_persona(&self) -> Option<&Persona> {
        let mut all = self.profiles.iter().filter(|profile| profile.host_keys.is_some());
        all.next().map(|profile| &profile.persona)
    }

    /// Puts other settings in force. Only the ports in `keep` stay, each with its new purpose.
    pub(super) fn replace(
        &mut self,
        settings: Settings,
        profiles: Vec<Profile>,
        keep: &[(u64, Wanted)],
    ) {
        self.relays = relays(&settings);
        self.settings = settings;
        self.profiles = profiles;
        self.add_tallies();
        self.ports.retain_mut(|port| {
            let kept = keep.iter().find(|(key, _)| *key == port.key);
            if let Some((_, wanted)) = kept {
                port.wanted = *wanted;
            }
            kept.is_some()
        });
        self.renew_bindings();
    }

    /// The ports that are open.
    pub(super) fn ports(&self) -> Vec<OpenPort<'_>> {
        let ports = self.ports.iter().map(|OpenedPort { key, wanted, binding }| OpenPort {
            key: *key,
            tarpit: &binding.name,
            at: wanted.at,
            purpose: wanted.purpose,
            bound: binding.port.address,
        });
        ports.collect()
    }

    /// What new clients of each port are held under, by the port's key.
    pub(super) fn bindings(&self) -> Vec<(u64, Arc<Binding>)> {
        self.ports.iter().map(|port| (port.key, Arc::clone(&port.binding))).collect()
    }

    /// What a client of an earlier daemon is held under. Its tarpit may be gone: then its pattern goes
    /// on without the tarpit's settings.
    pub(super) fn binding_of(&mut self, origin: &Origin, seed: &Seed) -> Arc<Binding> {
        let Origin { tarpit, pattern, bound, is_data } = origin;
        let is_own = |binding: &Binding| {
            binding.name == *tarpit && binding.port.address == *bound && binding.data == *is_data
        };
        if let Some(port) = self.ports.iter().find(|port| is_own(&port.binding)) {
            return Arc::clone(&port.binding);
        }
        let port = Arc::new(Port::new(*bound));
        if let Some(index) = self.settings.tarpits.iter().position(|it| it.name == *tarpit) {
            let purpose = if *is_data { Purpose::Data(0) } else { Purpose::Clients };
            return self.binding(Wanted { index, at: *bound, purpose }, port);
        }
        let known = patterns::named(pattern).unwrap_or(self.settings.tarpits[0].pattern);
        Arc::new(Binding {
            name: tarpit.clone(),
            profile: Profile::new(known, Persona::default_for(seed)),
            max_clients: 0,
            traced: true,
            data: *is_data,
            redirected: false,
            relays: Arc::default(),
            port,
            tally: self.tallies.tarpit(tarpit),
            port_tally: None,
        })
    }

    /// Makes a tally for each tarpit, whether it can be served or not.
    fn add_tallies(&mut self) {
        for tarpit in &self.settings.tarpits {
            self.tallies.tarpit(&tarpit.name);
        }
    }

    fn renew_bindings(&mut self) {
        let mut ports = std::mem::take(&mut self.ports);
        for port in &mut ports {
            port.binding = self.binding(port.wanted, Arc::clone(&port.binding.port));
        }
        self.ports = ports;
    }

    /// What new clients of a port are held under.
    fn binding(&mut self, wanted: Wanted, port: Arc<Port>) -> Arc<Binding> {
        let tarpit = &self.settings.tarpits[wanted.index];
        let mut profile = self.profiles[wanted.index].clone();
        let data = wanted.purpose != Purpose::Clients;
        if data {
            profile.pattern = profile.pattern.about().data.unwrap_or(profile.pattern);
            // A session told this client to connect, so the client need not show its protocol.
            profile.validate = false;
        }
        let counts_port = self.settings.metrics.count_ports() && !data;
        let port_tally = counts_port.then(|| self.tallies.port(port.address.port()));
        Arc::new(Binding {
            name: tarpit.name.clone(),
            profile,
            max_clients: tarpit.max_clients.map_or(0, NonZeroU32::get),
            traced: tarpit.client_trace,
            data,
            redirected: tarpit.route.redirected && !data,
            relays: if data { Arc::default() } else { Arc::clone(&self.relays[wanted.index]) },
            port,
            tally: self.tallies.tarpit(&tarpit.name),
            port_tally,
        })
    }
}

/// The relays of each tarpit.
fn relays(settings: &Settings) -> Vec<Arc<Relays>> {
    let of = |tarpit: &Tarpit| Arc::new(Relays::new(tarpit.route.proxy_from.iter().copied()));
    settings.tarpits.iter().map(of).collect()
}
