//! A configuration under construction.

use std::{
    net::Ipv4Addr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use tarpit_proto::{
    pacer::Rate,
    persona::Persona,
    protocols::{SSH, TLS},
    script::Pattern,
};

use super::{
    Wrong,
    address::{Bind, Host, Ports, socket_name},
    cautions::cautions,
    problem::{Notes, Problem},
    surface::SurfaceAddress,
    values::pattern,
};
use crate::settings::{
    AccessLists, Anonymize, Certificate, ClientLimit, Compat, Control, Evict, Level, Limits,
    Logging, Metrics, Place, Placed, Route, SandboxMode, Settings, Sink, SocketName, Tarpit,
    TimeForm, Token, TraceFormat, User, Web,
};

/// The most addresses on which one daemon listens; more ports can be redirected to one.
const MAX_ADDRESSES: usize = 16_384;

/// A configuration that begins with the defaults, to which the file's values are added.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) workers: NonZeroUsize,
    pub(super) io_uring: bool,
    pub(super) state_dir: Option<Placed<PathBuf>>,
    pub(super) user: Option<Placed<User>>,
    pub(super) persona: &'static str,
    pub(super) tarpits: Vec<TarpitDraft>,
    pub(super) limits: Limits,
    pub(super) access: AccessLists,
    pub(super) logging: Logging,
    pub(super) geoip: Vec<Placed<PathBuf>>,
    pub(super) metrics: MetricsDraft,
    pub(super) control: Control,
    pub(super) web: WebDraft,
    pub(super) sandbox: Placed<SandboxMode>,
}

/// The metrics, with the address as it is written.
#[derive(Debug, Default)]
pub(super) struct MetricsDraft {
    pub(super) bind: Option<(Place, SurfaceAddress)>,
    pub(super) compat: Compat,
    pub(super) top_clients: Placed<Option<NonZeroU32>>,
}

/// The page, with the address as it is written.
#[derive(Debug, Default)]
pub(super) struct WebDraft {
    pub(super) bind: Option<(Place, SurfaceAddress)>,
    pub(super) token: Option<Placed<Token>>,
    /// Whether there is one, even a wrong one.
    pub(super) has_token: bool,
}

/// A tarpit that may still lack required keys.
#[derive(Debug)]
pub(super) struct TarpitDraft {
    pub(super) name: String,
    pub(super) pattern: Option<&'static dyn Pattern>,
    pub(super) binds: Vec<(Place, Bind)>,
    pub(super) sockets: Vec<(Place, SocketName)>,
    pub(super) rate: Option<Rate>,
    pub(super) max_clients: Placed<Option<NonZeroU32>>,
    pub(super) client_validation: bool,
    pub(super) client_trace: bool,
    pub(super) persona: Option<&'static str>,
    /// Where it is switched on.
    pub(super) poison: Option<Place>,
    /// Where it is switched on.
    pub(super) strict_lock: Option<(Place, bool)>,
    pub(super) cert: Option<(Place, PathBuf)>,
    pub(super) key: Option<(Place, PathBuf)>,
    pub(super) inner: Option<(Place, &'static dyn Pattern)>,
    pub(super) passive_ports: Option<(Place, Ports)>,
    pub(super) passive_address: Option<(Place, Ipv4Addr)>,
    pub(super) route: Route,
}

/// An entry of `bind` that may still lack a part.
#[derive(Debug, Default)]
pub(super) struct BindDraft {
    pub(super) host: Option<Host>,
    pub(super) ports: Option<Ports>,
}

impl Draft {
    /// The settings, or all their errors in the order of the text.
    pub(super) fn finish(self, mut notes: Notes) -> Result<Settings, Wrong> {
        self.find_address_problems(&mut notes);
        self.find_cautions(&mut notes);
        for tarpit in &self.tarpits {
            tarpit.find_tls_problems(&mut notes);
            tarpit.find_useless_settings(&mut notes);
            tarpit.find_data_problems(self.workers, &mut notes);
            tarpit.find_lone_settings(&mut notes);
        }
        notes.problems.sort_by(|one, other| one.place.cmp(&other.place));
        notes.warnings.sort_by(|one, other| one.place.cmp(&other.place));
        let mut settings = Settings {
            workers: self.workers,
            io_uring: self.io_uring,
            state_dir: self.state_dir,
            user: self.user,
            tarpits: self.tarpits.into_iter().filter_map(|it| it.finish(self.persona)).collect(),
            limits: self.limits,
            access: self.access,
            logging: self.logging,
            geoip: self.geoip,
            metrics: self.metrics.finish(),
            control: self.control,
            web: self.web.finish(),
            sandbox: self.sandbox,
            file: None,
            pid_file: None,
            keep_going: false,
            warnings: notes.warnings.into_iter().map(Problem::warning).collect(),
        };
        settings.warnings.extend(cautions(&settings));
        if notes.problems.is_empty() {
            Ok(settings)
        } else {
            // Without a pattern there is nothing to check.
            let rest = (!settings.tarpits.is_empty()).then(|| Box::new(settings));
            Err(Wrong { problems: notes.problems, rest })
        }
    }

    fn find_address_problems(&self, notes: &mut Notes) {
        let mut earlier: Vec<(&Place, String, &Bind)> = Vec::new();
        let surfaces = [(&self.metrics.bind, "[metrics]"), (&self.web.bind, "[web]")];
        for (at, user) in surfaces {
            let Some((place, address)) = at else { continue };
            let Some(bind) = address.bind() else { continue };
            let overlap = earlier
                .iter()
                .find_map(|(place, user, other)| Some((bind.overlap(other, user)?, *place)));
            if let Some((why, other)) = overlap {
                notes.problems.push(
                    place.problem(format!("{why} at {other}: give one of them another port")),
                );
            }
            earlier.push((place, user.to_owned(), bind));
        }
        let mut count = 0;
        let passive: Vec<_> = self.tarpits.iter().map(TarpitDraft::passive_binds).collect();
        for (tarpit, passive) in self.tarpits.iter().zip(&passive) {
            for (place, bind) in tarpit.binds.iter().chain(passive) {
                let overlap = earlier
                    .iter()
                    .find_map(|(place, user, other)| Some((bind.overlap(other, user)?, *place)));
                if let Some((why, other)) = overlap {
                    notes.problems.push(
                        place.problem(format!("{why} at {other}: give one of them another port")),
                    );
                }
                let had_room = count <= MAX_ADDRESSES;
                count += bind.count();
                if had_room && count > MAX_ADDRESSES {
                    notes.problems.push(place.problem(format!(
                        "more than {MAX_ADDRESSES} addresses: listen on a few and redirect the \
                         other ports to them"
                    )));
                }
                earlier.push((place, format!("tarpit `{}`", tarpit.name), bind));
            }
        }
        self.find_shared_sockets(notes);
    }

    /// Sockets of the service manager that two tarpits would have.
    fn find_shared_sockets(&self, notes: &mut Notes) {
        let mut earlier: Vec<(&Place, &str, &SocketName)> = Vec::new();
        for tarpit in &self.tarpits {
            for (place, name) in &tarpit.sockets {
                let same = earlier.iter().find(|(_, _, other)| *other == name);
                if let Some((other, user, _)) = same {
                    notes.problems.push(place.problem(format!(
                        "`{name}` is already used by tarpit `{user}` at {other}: give each tarpit \
                         sockets with a name of their own (FileDescriptorName= in the socket unit)"
                    )));
                }
                earlier.push((place, &tarpit.name, name));
            }
        }
    }

    fn find_cautions(&self, notes: &mut Notes) {
        for tarpit in &self.tarpits {
            let caution =
                tarpit.pattern.and_then(|pattern| Some((pattern.name(), pattern.about().caution?)));
            let public = tarpit.binds.iter().find(|(_, bind)| bind.is_public());
            if let (Some((pattern, caution)), Some((place, _))) = (caution, public) {
                let what = format!("`{pattern}` is open to the world here: {caution}");
                notes.warnings.push(place.problem(what));
            }
        }
        let top = &self.metrics.top_clients;
        if let (Some(place), Some(_), Compat::None) = (&top.place, top.value, self.metrics.compat) {
            notes.warnings.push(place.problem(
                "`top_clients` has no effect without `compat = \"endlessh-go\"`: add it, or remove \
                 `top_clients`",
            ));
        }
        if let Some((place, address)) = &self.web.bind
            && !self.web.has_token
            && address.bind().is_some_and(|bind| !bind.is_loopback())
        {
            notes.problems.push(place.problem(
                "other machines can read the page here without a login: write an address of this \
                 machine only, such as \"127.0.0.1:9117\", and put a web server with a login before \
                 it; or set `token`",
            ));
        }
        let bind = self.metrics.bind.as_ref();
        if let Some((place, address)) = bind
            && address.bind().is_some_and(Bind::is_public)
        {
            notes.warnings.push(place.problem(
                "[metrics] is open to the world here, and tells everybody that this is a tarpit: \
                 write an address of a private network, or keep others out with a firewall",
            ));
        }
    }
}

impl WebDraft {
    fn finish(self) -> Web {
        let bind = self.bind.map(|(place, address)| address.addresses(&place));
        Web { bind: bind.unwrap_or_default(), token: self.token }
    }
}

impl MetricsDraft {
    fn finish(self) -> Metrics {
        let bind = self.bind.map(|(place, address)| address.addresses(&place));
        Metrics {
            bind: bind.unwrap_or_default(),
            compat: self.compat,
            top_clients: self.top_clients,
        }
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            workers: NonZeroUsize::MIN,
            io_uring: true,
            state_dir: None,
            user: None,
            persona: Persona::DEFAULT,
            tarpits: Vec::new(),
            limits: Limits {
                clients: ClientLimit::FileLimit.into(),
                per_address: NonZeroU32::new(256).into(),
                per_prefix: NonZeroU32::new(1024).into(),
                egress: None.into(),
                egress_per_day: None.into(),
                handshakes_per_second: NonZeroU32::new(100).into(),
                cpu: NonZeroU32::new(80).into(),
                evict: Evict::NoisiestPrefix,
            },
            access: AccessLists::default(),
            geoip: Vec::new(),
            logging: Logging {
                main: Sink::Stderr.into(),
                level: Level::Info,
                client_trace: Sink::Stdout.into(),
                log_secrets: false.into(),
                log_users: true,
                format: TraceFormat::Jsonl.into(),
                time: TimeForm::Epoch.into(),
                anonymize: Anonymize::None.into(),
                trace_per_second: NonZeroU32::new(100).into(),
                json: false,
            },
            metrics: MetricsDraft::default(),
            control: Control::default(),
            web: WebDraft::default(),
            sandbox: Placed::default(),
        }
    }
}

impl TarpitDraft {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            pattern: None,
            binds: Vec::new(),
            sockets: Vec::new(),
            rate: None,
            max_clients: NonZeroU32::new(4096).into(),
            client_validation: true,
            client_trace: false,
            persona: None,
            poison: None,
            strict_lock: None,
            cert: None,
            key: None,
            inner: None,
            passive_ports: None,
            passive_address: None,
            route: Route::default(),
        }
    }

    /// What the command line's `PATTERN:HOST:PORT` stands for; an IPv6 host is in brackets.
    pub(super) fn from_argument(index: usize, argument: &str, notes: &mut Notes) -> Self {
        let mut tarpit = Self::new(&format!("cli_{index}"));
        let place = Place::Argument { index, value: argument.to_owned() };
        let Some((named, address)) = argument.split_once(':') else {
            notes
                .problems
                .push(place.problem("write PATTERN:HOST:PORT; -c FILE serves a configuration"));
            return tarpit;
        };
        let read = pattern(named).map(Some).map_err(|what| place.problem(what));
        notes.keep(&mut tarpit.pattern, read);
        tarpit.add_bind(place, address, "PATTERN:HOST:PORT", notes);
        tarpit
    }

    /// Adds an address, or sockets of the service manager; `form` is how an address is written.
    pub(super) fn add_bind(&mut self, place: Place, text: &str, form: &str, notes: &mut Notes) {
        match (socket_name(text), Bind::parse(text, form)) {
            (Some(Ok(name)), _) => self.sockets.push((place, name)),
            (Some(Err(what)), _) => notes.problems.push(place.problem(what)),
            (None, Ok(bind)) => self.binds.push((place, bind)),
            (None, Err(what)) => {
                notes.problems.extend(what.into_iter().map(|it| place.problem(it)));
            }
        }
    }

    /// Settings that make no difference to the pattern.
    fn find_useless_settings(&self, notes: &mut Notes) {
        let Some(pattern) = self.pattern else { return };
        let inner = self.inner.as_ref().map(|&(_, inner)| inner);
        let any = |asks: fn(&dyn Pattern) -> bool| pattern.any(inner, asks);
        let cert = self.cert.as_ref().map(|(place, _)| place);
        let lock = self.strict_lock.as_ref().and_then(|(place, on)| on.then_some(place));
        for (what, place, is_of_use) in [
            ("`cert` and `key`: remove them", cert, any(|it| it.uses().tls)),
            ("`poison`: remove it", self.poison.as_ref(), any(|it| it.uses().poison)),
            ("`strict_lock`: remove it", lock, any(|it| it.uses().pins)),
        ] {
            if let (Some(place), false) = (place, is_of_use) {
                let what = format!("`{}` has no use for {what}", pattern.name());
                notes.warnings.push(place.problem(what));
            }
        }
    }

    /// Warns of combinations of settings that hold hardly any client.
    fn find_lone_settings(&self, notes: &mut Notes) {
        let has_data = self.pattern.is_some_and(|pattern| pattern.about().data.is_some());
        if let (Some(place), None, true) = (&self.poison, &self.passive_ports, has_data) {
            notes.warnings.push(place.problem(
                "without `passive_ports`, `poison` lets clients log in and gives them no listing: \
                 add `passive_ports = 0`",
            ));
        }
        if let Some((place, inner)) = &self.inner
            && inner.protocol() == Some(&SSH)
        {
            notes.warnings.push(place.problem(format!(
                "SSH clients do not use TLS, so `{}` inside it holds none of them: give it a tarpit \
                 of its own",
                inner.name()
            )));
        }
    }

    fn find_tls_problems(&self, notes: &mut Notes) {
        let mut problem = |place: &Place, what: String| notes.problems.push(place.problem(what));
        match (&self.cert, &self.key) {
            (Some((place, _)), None) => {
                problem(place, "`cert` needs `key`".into());
            }
            (None, Some((place, _))) => {
                problem(place, "`key` needs `cert`".into());
            }
            _ => {}
        }
        let Some((place, inner)) = &self.inner else { return };
        if let Some(pattern) = self.pattern.filter(|pattern| pattern.about().inner.is_none()) {
            let what = format!(
                "`{}` has nothing inside: `inner` is for patterns such as `tls`",
                pattern.name()
            );
            problem(place, what);
        }
        if inner.about().inner.is_some() || inner.protocol() == Some(&TLS) {
            let what = format!("`{}` cannot be inside TLS: name another pattern", inner.name());
            problem(place, what);
        }
    }

    /// Where data connections are awaited: the ports on each host of `bind`.
    fn passive_binds(&self) -> Vec<(Place, Bind)> {
        let Some((place, ports)) = &self.passive_ports else { return Vec::new() };
        let mut hosts: Vec<_> = self.binds.iter().map(|(_, bind)| bind.host).collect();
        hosts.dedup();
        let bind = |host| (place.clone(), Bind { host, ports: ports.clone() });
        hosts.into_iter().map(bind).collect()
    }

    fn find_data_problems(&self, workers: NonZeroUsize, notes: &mut Notes) {
        let mut problem = |place: &Place, what: String| notes.problems.push(place.problem(what));
        if let Some((place, ports)) = &self.passive_ports {
            if let Some(pattern) = self.pattern.filter(|pattern| pattern.about().data.is_none()) {
                let what = format!("`{}` has no data connections: remove this", pattern.name());
                problem(place, what);
            }
            if ports.numbers().count() < workers.get() {
                let what = format!("{workers} workers need a port each: name at least as many");
                problem(place, what);
            }
        }
        if let (Some((place, _)), None) = (&self.passive_address, &self.passive_ports) {
            problem(place, "`passive_address` needs `passive_ports`".into());
        }
    }

    /// The tarpit, unless it lacks something that was already reported.
    fn finish(self, persona: &'static str) -> Option<Tarpit> {
        Some(Tarpit {
            name: self.name,
            pattern: self.pattern?,
            bind: self
                .binds
                .iter()
                .flat_map(|(place, bind)| {
                    bind.addresses().map(|address| Placed::at(place.clone(), address))
                })
                .collect(),
            sockets: self
                .sockets
                .into_iter()
                .map(|(place, name)| Placed::at(place, name))
                .collect(),
            rate: self.rate,
            max_clients: self.max_clients,
            client_validation: self.client_validation,
            client_trace: self.client_trace,
            persona: self.persona.unwrap_or(persona),
            poison: self.poison.is_some(),
            strict_lock: self.strict_lock.map(|(_, on)| on),
            certificate: self.cert.zip(self.key).map(|((cert_place, cert), (key_place, key))| {
                Certificate { cert: Placed::at(cert_place, cert), key: Placed::at(key_place, key) }
            }),
            inner: self.inner.map(|(_, inner)| inner),
            passive_ports: self
                .passive_ports
                .map(|(place, ports)| Placed::at(place, ports.numbers().collect()))
                .unwrap_or_default(),
            passive_address: self.passive_address.map(|(_, address)| address),
            route: self.route,
        })
    }
}
