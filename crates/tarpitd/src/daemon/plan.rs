//! The plan of a reload for ports, made from settings alone, before anything changes.

use std::net::SocketAddr;

use super::changes::{Change, changes};
use crate::settings::{Purpose, Settings, Wanted};

/// A port that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenPort<'a> {
    pub(super) key: u64,
    /// The tarpit that it belongs to.
    pub(super) tarpit: &'a str,
    /// The configured address, possibly with port 0.
    pub(super) at: SocketAddr,
    pub(super) purpose: Purpose,
    /// The address that the kernel gave.
    pub(super) bound: SocketAddr,
}

/// What a reload does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The changed settings, for the log.
    pub(super) changes: Vec<Change>,
    /// The keys of ports that stay open, and the purpose of each from now on.
    pub(super) keep: Vec<(u64, Wanted)>,
    pub(super) open: Vec<Opening>,
    /// The keys of ports to close; their clients stay held.
    pub(super) close: Vec<u64>,
}

/// A port to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) wanted: Wanted,
    /// Whether a port to close may be in the way: this one is opened after that one is closed.
    pub(super) may_wait: bool,
}

/// Compares `old` and the open ports with `new`, for this many workers. `closing` are the addresses
/// that an earlier reload has taken from the workers, and that one of them may still have open.
pub(super) fn plan(
    old: &Settings,
    (ports, closing): (&[OpenPort<'_>], &[SocketAddr]),
    new: &Settings,
    workers: usize,
) -> Plan {
    let mut plan = Plan { changes: changes(old, new), ..Plan::default() };
    let mut left = ports.to_vec();
    let serves = |port: &OpenPort<'_>, wanted: Wanted| {
        port.at == wanted.at && port.purpose == wanted.purpose
    };
    // A tarpit that keeps name and address keeps its port. Other ports are matched by address
    // alone, so a renamed tarpit keeps its ports, too.
    let mut unmatched = Vec::new();
    for wanted in new.wanted(workers) {
        let name = &new.tarpits[wanted.index].name;
        match left.iter().position(|port| serves(port, wanted) && port.tarpit == *name) {
            Some(at) => plan.keep.push((left.remove(at).key, wanted)),
            None => unmatched.push(wanted),
        }
    }
    let mut missing = Vec::new();
    for wanted in unmatched {
        match left.iter().position(|port| serves(port, wanted)) {
            Some(at) => plan.keep.push((left.remove(at).key, wanted)),
            None => missing.push(wanted),
        }
    }
    plan.open.extend(missing.into_iter().map(|wanted| {
        Opening {
            wanted,
            may_wait: left
                .iter()
                .map(|port| port.bound)
                .chain(closing.iter().copied())
                .any(|bound| overlap(bound, wanted.at)),
        }
    }));
    plan.close.extend(left.iter().map(|port| port.key));
    plan
}

/// Whether the kernel allows only one of the two addresses: they are the same, or one of them means
/// every address of the family.
pub(super) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_wild = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || is_wild)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// Tarpits with these names and addresses.
    fn settings(tarpits: &[(&str, &str)]) -> Settings {
        let table = |(name, bind): &(&str, &str)| {
            format!("[tarpits.{name}]\npattern = 'ftp'\nbind = {bind}\n")
        };
        config::parse("x", &tarpits.iter().map(table).collect::<String>()).unwrap()
    }

    /// The ports that `settings` have open, numbered from 10 on; port 0 became 40000.
    fn open(settings: &Settings) -> Vec<OpenPort<'_>> {
        let port = |(key, wanted): (u64, Wanted)| {
            let mut bound = wanted.at;
            if bound.port() == 0 {
                bound.set_port(40_000);
            }
            let tarpit = settings.tarpits[wanted.index].name.as_str();
            OpenPort { key, tarpit, at: wanted.at, purpose: wanted.purpose, bound }
        };
        (10..).zip(settings.wanted(1)).map(port).collect()
    }

    /// Checks what a reload keeps (key and tarpit), opens (address, and whether it may wait) and
    /// closes.
    #[track_caller]
    fn check(
        old: &[(&str, &str)],
        new: &[(&str, &str)],
        keep: &[(u64, &str)],
        open_new: &[(&str, bool)],
        close: &[u64],
    ) {
        let (old, new) = (settings(old), settings(new));
        let plan = plan(&old, (&open(&old), &[]), &new, 1);
        let name = |wanted: &Wanted| new.tarpits[wanted.index].name.as_str();
        let kept: Vec<_> = plan.keep.iter().map(|(key, wanted)| (*key, name(wanted))).collect();
        let opened: Vec<_> =
            plan.open.iter().map(|it| (it.wanted.at.to_string(), it.may_wait)).collect();
        let wanted: Vec<_> = open_new.iter().map(|&(at, waits)| (at.to_owned(), waits)).collect();
        assert_eq!((&kept[..], &opened, &plan.close[..]), (keep, &wanted, close));
    }

    #[test]
    fn the_same_settings_keep_every_port_and_tell_nothing() {
        let old = settings(&[("a", "['127.0.0.1:21', '127.0.0.1:0']"), ("b", "'[::1]:21'")]);
        let plan = plan(&old, (&open(&old), &[]), &old, 1);
        let keys: Vec<_> = plan.keep.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [10, 11, 12]);
        assert_eq!((plan.changes, plan.open, plan.close), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_port_goes_with_its_tarpit_and_else_with_its_address() {
        let (one, other) = (("a", "'127.0.0.1:0'"), ("b", "'127.0.0.1:0'"));
        check(&[one, other], &[other, one], &[(11, "b"), (10, "a")], &[], &[]);
        check(&[one, other], &[other, ("c", one.1)], &[(11, "b"), (10, "c")], &[], &[]);
        check(&[one, other], &[other], &[(11, "b")], &[], &[10]);
    }

    #[test]
    fn what_a_closing_port_may_be_in_the_way_of_is_marked() {
        let old = [("a", "'127.0.0.1:21'")];
        for (bind, at, may_wait) in [
            ("'0.0.0.0:21'", "0.0.0.0:21", true),
            ("'127.0.0.2:21'", "127.0.0.2:21", false),
            ("'127.0.0.1:22'", "127.0.0.1:22", false),
            // A socket of IPv6 takes no IPv4 here.
            ("'[::]:21'", "[::]:21", false),
        ] {
            check(&old, &[("a", bind)], &[], &[(at, may_wait)], &[10]);
        }
        // The address that the kernel chose counts, not the one that was written.
        check(
            &[("a", "'127.0.0.1:0'")],
            &[("a", "'*:40000'")],
            &[],
            &[("0.0.0.0:40000", true), ("[::]:40000", false)],
            &[10],
        );
    }

    #[test]
    fn a_port_that_was_lost_is_opened_anew() {
        let old = settings(&[("a", "'127.0.0.1:21'")]);
        let plan = plan(&old, (&[], &[]), &old, 1);
        assert_eq!((plan.changes.len(), plan.open.len(), plan.close.len()), (0, 1, 0));
    }

    #[test]
    fn a_port_that_a_busy_worker_has_not_closed_yet_is_waited_for() {
        let new = settings(&[("a", "'127.0.0.1:21'")]);
        let may_wait = |closing: &str| {
            plan(&new, (&[], &[closing.parse().unwrap()]), &new, 1).open[0].may_wait
        };
        assert!(may_wait("127.0.0.1:21") && may_wait("0.0.0.0:21"));
        assert!(!may_wait("127.0.0.1:22"));
    }

    #[test]
    fn a_port_for_data_is_no_port_for_clients() {
        let old = settings(&[("a", "'127.0.0.1:21'\npassive_ports = 2121")]);
        let new = settings(&[("a", "['127.0.0.1:21', '127.0.0.1:2121']")]);
        let plan = plan(&old, (&open(&old), &[]), &new, 1);
        assert_eq!((plan.keep.len(), &plan.close[..]), (1, &[11][..]));
        assert!(plan.open[0].may_wait, "its own data port goes first");
    }
}
