//! Settings compared key by key: what a reload changes.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use tarpit_proto::{pacer::Rate, script::Pattern};

use crate::settings::{
    AccessLists, Certificate, ClientLimit, Compat, Control, Evict, Level, Limits, Logging, Metrics,
    Network, Placed, Route, SandboxMode, Settings, Tarpit, Web,
};

/// A difference, and when it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Such as `web: pattern http_hold -> auto`.
    pub(super) what: String,
    /// Whether the new value takes effect only at the next start.
    pub(super) needs_restart: bool,
}

/// A line for each setting that differs, for the log.
///
/// Addresses are left out: the daemon logs which ones it opened and closed.
pub(super) fn changes(old: &Settings, new: &Settings) -> Vec<Change> {
    let mut found = Found { prefix: String::new(), changes: Vec::new() };
    found.top(old, new);
    found.limits(&old.limits, &new.limits);
    found.geoip(&old.geoip, &new.geoip);
    found.logging(&old.logging, &new.logging);
    found.access(&old.access, &new.access);
    found.metrics(&old.metrics, &new.metrics);
    found.web(&old.web, &new.web);
    for tarpit in &old.tarpits {
        match new.tarpits.iter().find(|other| other.name == tarpit.name) {
            Some(other) => found.tarpit(tarpit, other),
            None => found.add(format!("{}: removed", tarpit.name), false),
        }
    }
    let is_known = |name: &str| old.tarpits.iter().any(|tarpit| tarpit.name == name);
    for tarpit in new.tarpits.iter().filter(|tarpit| !is_known(&tarpit.name)) {
        found.add(format!("{}: added, {}", tarpit.name, tarpit.pattern.name()), false);
    }
    found.changes
}

/// The settings to put in force: `new`, except for settings that take effect only at a start.
pub(super) fn in_force(old: &Settings, new: Settings) -> Settings {
    Settings {
        workers: old.workers,
        io_uring: old.io_uring,
        state_dir: old.state_dir.clone(),
        user: old.user.clone(),
        sandbox: old.sandbox.clone(),
        ..new
    }
}

/// What was found so far.
struct Found {
    /// What stands before a key.
    prefix: String,
    changes: Vec<Change>,
}

// The methods below name every field that they compare, so the compiler demands each new key.
impl Found {
    /// What [`in_force`] takes over from the old settings needs a restart.
    fn top(&mut self, old: &Settings, new: &Settings) {
        let Settings {
            workers,
            io_uring,
            state_dir,
            user,
            tarpits: _,
            limits: _,
            access: _,
            logging: _,
            geoip: _,
            metrics: _,
            control: Control { socket: _, group: _ },
            web: _,
            sandbox,
            file: _,
            pid_file: _,
            keep_going: _,
            warnings: _,
        } = old;
        self.at_restart("workers", workers, &new.workers, ToString::to_string);
        self.at_restart("io_uring", io_uring, &new.io_uring, ToString::to_string);
        self.at_restart("state_dir", state_dir, &new.state_dir, |directory| {
            or_unset(directory.as_ref().map(|path| path.display()))
        });
        self.at_restart("user", user, &new.user, |user| or_unset(user.as_ref()));
        let mode = |mode: &Placed<SandboxMode>| mode.name().to_owned();
        self.at_restart("[sandbox] mode", sandbox, &new.sandbox, mode);
    }

    fn limits(&mut self, old: &Limits, new: &Limits) {
        let Limits {
            clients,
            per_address,
            per_prefix,
            egress,
            egress_per_day,
            handshakes_per_second,
            cpu,
            evict,
        } = old;
        "[limits] ".clone_into(&mut self.prefix);
        self.key("clients", clients, &new.clients, |clients| match clients.value {
            ClientLimit::AtMost(most) => most.to_string(),
            ClientLimit::FileLimit => UNSET.to_owned(),
            ClientLimit::Unlimited => "0".to_owned(),
        });
        self.key("per_address", per_address, &new.per_address, cap);
        self.key("per_prefix", per_prefix, &new.per_prefix, cap);
        self.key("egress", egress, &new.egress, cap);
        self.key("egress_per_day", egress_per_day, &new.egress_per_day, cap);
        self.key("handshakes_per_second", handshakes_per_second, &new.handshakes_per_second, cap);
        self.key("cpu", cpu, &new.cpu, cap);
        self.key("evict", evict, &new.evict, |evict| Evict::name(*evict).to_owned());
    }

    fn geoip(&mut self, old: &[Placed<PathBuf>], new: &[Placed<PathBuf>]) {
        let paths = |all: &[Placed<PathBuf>]| {
            let paths: Vec<_> = all.iter().map(|path| path.display().to_string()).collect();
            or_unset((!paths.is_empty()).then(|| paths.join(", ")))
        };
        "[geoip] ".clone_into(&mut self.prefix);
        self.key("databases", &paths(old), &paths(new), ToString::to_string);
    }

    fn logging(&mut self, old: &Logging, new: &Logging) {
        let Logging {
            main,
            level,
            client_trace,
            log_secrets,
            log_users,
            format,
            time,
            anonymize,
            trace_per_second,
            json: _,
        } = old;
        "[logging] ".clone_into(&mut self.prefix);
        self.key("main", main, &new.main, ToString::to_string);
        self.key("level", level, &new.level, |level| Level::name(*level).to_owned());
        self.key("client_trace", client_trace, &new.client_trace, ToString::to_string);
        self.key("format", format, &new.format, |format| format.name().to_owned());
        self.key("time", time, &new.time, |time| time.name().to_owned());
        self.key("anonymize", anonymize, &new.anonymize, |way| way.name().to_owned());
        self.key("trace_per_second", trace_per_second, &new.trace_per_second, cap);
        self.key("log_secrets", log_secrets, &new.log_secrets, ToString::to_string);
        self.key("log_users", log_users, &new.log_users, ToString::to_string);
    }

    fn metrics(&mut self, old: &Metrics, new: &Metrics) {
        let Metrics { bind: _, compat, top_clients } = old;
        "[metrics] ".clone_into(&mut self.prefix);
        self.key("compat", compat, &new.compat, |compat| Compat::name(*compat).to_owned());
        self.key("top_clients", top_clients, &new.top_clients, cap);
    }

    fn web(&mut self, old: &Web, new: &Web) {
        let Web { bind: _, token } = old;
        if *token != new.token {
            self.add("[web] token: another one".to_owned(), false);
        }
    }

    fn access(&mut self, old: &AccessLists, new: &AccessLists) {
        let AccessLists { allow, deny, forwarded_from, health } = old;
        for (key, old, new) in [
            ("allow", allow, &new.allow),
            ("deny", deny, &new.deny),
            ("forwarded_from", forwarded_from, &new.forwarded_from),
            ("health", health, &new.health),
        ] {
            self.networks(&format!("[access] {key}"), old, new);
        }
    }

    fn networks(&mut self, key: &str, old: &BTreeSet<Network>, new: &BTreeSet<Network>) {
        for network in old.difference(new) {
            self.add(format!("{key}: {network} removed"), false);
        }
        for network in new.difference(old) {
            self.add(format!("{key}: {network} added"), false);
        }
    }

    fn tarpit(&mut self, old: &Tarpit, new: &Tarpit) {
        let Tarpit {
            name,
            pattern,
            bind: _,
            sockets: _,
            rate,
            max_clients,
            client_validation,
            client_trace,
            persona,
            poison,
            strict_lock,
            certificate,
            inner,
            passive_ports,
            passive_address,
            route: Route { redirected, proxy_from },
        } = old;
        self.prefix = format!("{name}: ");
        self.key("pattern", &pattern.name(), &new.pattern.name(), ToString::to_string);
        self.key("rate_limit", rate, &new.rate, |rate| or_unset(rate.map(Rate::number)));
        self.key("max_clients", max_clients, &new.max_clients, cap);
        let validation = &new.client_validation;
        self.key("client_validation", client_validation, validation, ToString::to_string);
        self.key("client_trace", client_trace, &new.client_trace, ToString::to_string);
        self.key("persona", persona, &new.persona, ToString::to_string);
        self.key("poison", poison, &new.poison, ToString::to_string);
        self.key("strict_lock", strict_lock, &new.strict_lock, |lock| or_unset(*lock));
        let file = |files: &Option<Certificate>, which: fn(&Certificate) -> &PathBuf| {
            files.as_ref().map(|files| which(files).clone())
        };
        let show = |path: &Option<PathBuf>| or_unset(path.as_ref().map(|path| path.display()));
        let (old_cert, new_cert) = (certificate, &new.certificate);
        self.key("cert", &file(old_cert, |it| &it.cert), &file(new_cert, |it| &it.cert), show);
        self.key("key", &file(old_cert, |it| &it.key), &file(new_cert, |it| &it.key), show);
        let (old_inner, new_inner) =
            (inner.map(<dyn Pattern>::name), new.inner.map(<dyn Pattern>::name));
        self.key("inner", &old_inner, &new_inner, |name| or_unset(name.as_ref()));
        self.key("passive_ports", passive_ports, &new.passive_ports, |ports| {
            or_unset(range(ports))
        });
        self.key("passive_address", passive_address, &new.passive_address, |address| {
            or_unset(address.as_ref())
        });
        self.networks(&format!("{name}: proxy_from"), proxy_from, &new.route.proxy_from);
        self.key("redirected", redirected, &new.route.redirected, ToString::to_string);
    }

    /// Adds a line if the values of a key differ; the new one takes effect at once.
    fn key<T: PartialEq>(&mut self, key: &str, old: &T, new: &T, show: impl Fn(&T) -> String) {
        if old != new {
            self.add(format!("{}{key} {} -> {}", self.prefix, show(old), show(new)), false);
        }
    }

    /// As [`Found::key`], for a key that takes effect only at a start.
    fn at_restart<T: PartialEq>(
        &mut self,
        key: &str,
        old: &T,
        new: &T,
        show: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.add(format!("{key} {} -> {}", show(old), show(new)), true);
        }
    }

    fn add(&mut self, what: String, needs_restart: bool) {
        self.changes.push(Change { what, needs_restart });
    }
}

/// What the log shows for a key that is not set.
const UNSET: &str = "unset";

fn or_unset(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| UNSET.to_owned(), |value| value.to_string())
}

/// A limit; none is shown as 0.
fn cap(cap: &Placed<Option<impl fmt::Display>>) -> String {
    cap.value.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string)
}

/// Ports in a row.
fn range(ports: &[u16]) -> Option<String> {
    match ports {
        [] => None,
        [port] => Some(port.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// Checks what a reload tells that goes from one text to another.
    #[track_caller]
    fn check(old: &str, new: &str, wanted: &[&str]) {
        let settings = |text: &str| config::parse("x", text).unwrap();
        let changes = changes(&settings(old), &settings(new));
        let lines: Vec<_> = changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(lines, wanted);
    }

    /// A tarpit of this name with these lines.
    fn tarpit(name: &str, lines: &str) -> String {
        format!("[tarpits.{name}]\nbind = [{{ host = '::1', port = 0 }}]\n{lines}\n")
    }

    #[test]
    fn what_stays_the_same_is_not_told() {
        let text = tarpit("web", "pattern = 'http_hold'\nrate_limit = -2");
        check(&text, &text, &[]);
        check(&text, &format!("# a remark\n{text}"), &[]);
        check(&text, &text.replace("http_hold", "http"), &[]);
    }

    #[test]
    fn each_change_of_a_tarpit_is_a_line() {
        check(
            &tarpit("web", "pattern = 'http_hold'"),
            &tarpit("web", "pattern = 'auto'\nrate_limit = -2\nmax_clients = 0"),
            &[
                "web: pattern http_hold -> auto",
                "web: rate_limit unset -> -2",
                "web: max_clients 4096 -> 0",
            ],
        );
        check(
            &tarpit("ftp", "pattern = 'ftp'\npoison = true\npassive_ports = '40-49'"),
            &tarpit("ftp", "pattern = 'ftp'\npassive_ports = '40'"),
            &["ftp: poison true -> false", "ftp: passive_ports 40-49 -> 40"],
        );
        check(
            &tarpit("tls", "pattern = 'tls'\ncert = 'a'\nkey = 'k'"),
            &tarpit("tls", "pattern = 'tls'\ncert = 'b'\nkey = 'k'\ninner = 'ssh'"),
            &["tls: cert a -> b", "tls: inner unset -> ssh_auth_hold"],
        );
    }

    #[test]
    fn tarpits_come_and_go() {
        let (one, other) = (tarpit("a", "pattern = 'ssh'"), tarpit("b", "pattern = 'auto'"));
        check(&one, &other, &["a: removed", "b: added, auto"]);
        check(&one, &format!("{other}{one}"), &["b: added, auto"]);
    }

    #[test]
    fn tables_name_themselves_and_lists_each_network() {
        let one = tarpit("a", "pattern = 'ssh'");
        check(
            &format!("{one}[limits]\nper_address = 3\n[access]\nallow = ['192.0.2.7']"),
            &format!(
                "{one}[limits]\nclients = 9\nper_address = 30\nevict = 'oldest'\n\
                 [access]\ndeny = ['2001:db8::/32', '192.0.2.7']\n[logging]\nlevel = 'debug'"
            ),
            &[
                "[limits] clients unset -> 9",
                "[limits] per_address 3 -> 30",
                "[limits] evict noisiest-prefix -> oldest",
                "[logging] level info -> debug",
                "[access] allow: 192.0.2.7/32 removed",
                "[access] deny: 192.0.2.7/32 added",
                "[access] deny: 2001:db8::/32 added",
            ],
        );
    }

    #[test]
    fn what_is_only_read_at_the_start_is_marked() {
        let one = tarpit("a", "pattern = 'ssh'");
        let settings = |text: &str| config::parse("x", &format!("{text}\n{one}")).unwrap();
        let changes =
            changes(&settings(""), &settings("workers = 2\nuser = 'x'\nio_uring = false"));
        let lines: Vec<_> = changes.iter().map(|it| (it.what.as_str(), it.needs_restart)).collect();
        assert_eq!(
            lines,
            [
                ("workers 1 -> 2", true),
                ("io_uring true -> false", true),
                ("user unset -> \"x\"", true)
            ]
        );
    }
}
