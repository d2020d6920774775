//! What a reload changes: two configurations compared, key by key.

use std::fmt;

use tarpit_proto::{pacer::Rate, script::Pattern};

use crate::settings::{Certificate, ClientLimit, Limits, Logging, Settings, Tarpit};

/// A line for each difference between two configurations, for the log.
///
/// Addresses are left out: which of them were really opened and closed is told by whoever does it.
pub(crate) fn changes(old: &Settings, new: &Settings) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &top(old), &top(new), &mut changes);
    compare("[limits] ", &limits(&old.limits), &limits(&new.limits), &mut changes);
    compare("[logging] ", &logging(&old.logging), &logging(&new.logging), &mut changes);
    for (key, old, new) in [
        ("allow", &old.access.allow, &new.access.allow),
        ("deny", &old.access.deny, &new.access.deny),
    ] {
        let lost = old.difference(new).map(|network| format!("[access] {key}: {network} removed"));
        let won = new.difference(old).map(|network| format!("[access] {key}: {network} added"));
        changes.extend(lost.chain(won).map(Change::at_once));
    }
    let named = |settings: &'_ Settings, name: &str| {
        settings.tarpits.iter().position(|tarpit| tarpit.name == name)
    };
    for tarpit in &old.tarpits {
        let prefix = format!("{}: ", tarpit.name);
        match named(new, &tarpit.name) {
            Some(at) => {
                compare(&prefix, &settings(tarpit), &settings(&new.tarpits[at]), &mut changes);
            }
            None => changes.push(Change::at_once(format!("{prefix}removed"))),
        }
    }
    for tarpit in new.tarpits.iter().filter(|tarpit| named(old, &tarpit.name).is_none()) {
        let pattern = tarpit.pattern.name();
        changes.push(Change::at_once(format!("{}: added, {pattern}", tarpit.name)));
    }
    changes
}

/// A difference, and when it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Such as `web: pattern http_hold -> auto`.
    pub(crate) what: String,
    /// Whether the new value is only read at the next start.
    pub(crate) needs_restart: bool,
}

impl Change {
    fn at_once(what: String) -> Self {
        Self { what, needs_restart: false }
    }
}

/// A key, and its value as it would be written.
type Setting = (&'static str, String);

/// The keys that are only read at the start.
const AT_THE_START: [&str; 4] = ["io_uring", "state_dir", "user", "workers"];

/// Adds a line for each key whose values differ; both lists have the same keys.
fn compare(prefix: &str, old: &[Setting], new: &[Setting], changes: &mut Vec<Change>) {
    for ((key, old), (_, new)) in old.iter().zip(new).filter(|(old, new)| old != new) {
        changes.push(Change {
            what: format!("{prefix}{key} {old} -> {new}"),
            needs_restart: prefix.is_empty() && AT_THE_START.contains(key),
        });
    }
}

// In the functions below every field is named, so that the compiler asks for each new key.

fn top(settings: &Settings) -> Vec<Setting> {
    let Settings {
        workers,
        io_uring,
        state_dir,
        user,
        tarpits: _,
        limits: _,
        access: _,
        logging: _,
        pid_file: _,
        keep_going: _,
        warnings: _,
    } = settings;
    vec![
        ("workers", workers.to_string()),
        ("io_uring", io_uring.to_string()),
        ("state_dir", or_unset(state_dir.as_ref().map(|path| path.display()))),
        ("user", or_unset(user.as_ref().map(|user| &user.value))),
    ]
}

fn limits(limits: &Limits) -> Vec<Setting> {
    let Limits {
        clients,
        per_address,
        per_prefix,
        egress,
        egress_per_day,
        handshakes_per_second,
        cpu,
        evict,
    } = limits;
    let clients = match **clients {
        ClientLimit::AtMost(most) => most.to_string(),
        ClientLimit::FileLimit => UNSET.to_owned(),
        ClientLimit::Unlimited => "0".to_owned(),
    };
    vec![
        ("clients", clients),
        ("per_address", cap(**per_address)),
        ("per_prefix", cap(**per_prefix)),
        ("egress", cap(egress.value)),
        ("egress_per_day", cap(egress_per_day.value)),
        ("handshakes_per_second", cap(handshakes_per_second.value)),
        ("cpu", cap(cpu.value)),
        ("evict", evict.name().to_owned()),
    ]
}

fn logging(logging: &Logging) -> Vec<Setting> {
    let Logging {
        main,
        level,
        client_trace,
        log_secrets,
        log_users,
        time,
        trace_per_second,
        json: _,
    } = logging;
    vec![
        ("main", main.to_string()),
        ("level", level.name().to_owned()),
        ("client_trace", client_trace.to_string()),
        ("time", time.name().to_owned()),
        ("trace_per_second", cap(trace_per_second.value)),
        ("log_secrets", log_secrets.to_string()),
        ("log_users", log_users.to_string()),
    ]
}

fn settings(tarpit: &Tarpit) -> Vec<Setting> {
    let Tarpit {
        name: _,
        pattern,
        bind: _,
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
    } = tarpit;
    let files = certificate.as_ref();
    let file = |which: fn(&Certificate) -> &std::path::PathBuf| {
        or_unset(files.map(|files| which(files).display()))
    };
    vec![
        ("pattern", pattern.name().to_owned()),
        ("rate_limit", or_unset(rate.map(Rate::number))),
        ("max_clients", cap(**max_clients)),
        ("client_validation", client_validation.to_string()),
        ("client_trace", client_trace.to_string()),
        ("persona", (*persona).to_owned()),
        ("poison", poison.to_string()),
        ("strict_lock", strict_lock.to_string()),
        ("cert", file(|files| &files.cert)),
        ("key", file(|files| &files.key)),
        ("inner", or_unset(inner.map(<dyn Pattern>::name))),
        ("passive_ports", or_unset(range(passive_ports))),
        ("passive_address", or_unset(passive_address.as_ref())),
    ]
}

/// What stands for a key that is not written.
const UNSET: &str = "unset";

fn or_unset(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| UNSET.to_owned(), |value| value.to_string())
}

/// A cap, of which 0 is none.
fn cap(cap: Option<impl fmt::Display>) -> String {
    cap.map_or_else(|| "0".to_owned(), |cap| cap.to_string())
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
