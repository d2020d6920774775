//! `tarpitd check`: what a start would report, without serving any client or changing anything.

use std::{
    fmt::{Display, Write as _},
    num::NonZeroU32,
};

use super::{
    activated::{self, Activated},
    files::Files,
    hand_over::take::Inherited,
    prepare::{Parts, Prepared, prepare},
};
use crate::{
    keys::state_dir::Touch,
    os::{clock::Clock, privileges},
    settings::{
        ClientLimit, Placed, Settings, Tarpit,
        finding::{Finding, Gravity, in_order},
    },
};

/// The result of a check.
pub(crate) struct Checked {
    /// Errors, warnings and notes.
    pub(crate) findings: Vec<Finding>,
    /// The tarpits that would be served, and the limits in force.
    pub(crate) summary: String,
}

/// Checks whether this machine could serve `config`.
pub(crate) fn check(settings: &Settings) -> Checked {
    let (opened, inherited) = (&Activated::default(), &mut Inherited::default());
    let prepared = prepare(settings, Clock::start(), Touch::Look, (opened, inherited));
    let Prepared { parts, findings, .. } = prepared;
    let Parts { files, user, unbound, .. } = parts;
    let mut findings: Vec<_> = findings.into_iter().chain(unbound).collect();
    findings.extend(settings.warnings.iter().cloned());
    findings.extend(activated::notes(settings));
    // This configuration is meant for root, who has more rights.
    let is_for_root = user.is_some() && !privileges::may_change_users();
    let is_beyond_us = |finding: &Finding| finding.gravity == Gravity::Rights;
    if is_for_root && findings.iter().any(is_beyond_us) {
        for finding in findings.iter_mut().filter(|finding| is_beyond_us(finding)) {
            finding.gravity = Gravity::Note;
        }
        let what = "root must start a configuration with `user`; run `check` as root to see \
                    everything that root would be refused";
        findings.push(Finding::new(Gravity::Note, None, what));
    }
    Checked { findings: in_order(findings), summary: summary(settings, &files) }
}

/// The tarpits, and the limits in force with their reasons.
fn summary(settings: &Settings, files: &Files) -> String {
    let mut text = "would serve\n".to_owned();
    // Writing to a string cannot fail.
    for tarpit in &settings.tarpits {
        let _ = writeln!(text, "  {}", line(tarpit));
    }
    for bind in settings.surfaces() {
        let _ = writeln!(text, "  {}: HTTP on {}", bind.surface.name(), bind.at);
    }
    let _ = writeln!(text, "within these limits");
    for limit in limits(settings, files) {
        let _ = writeln!(text, "  {limit}");
    }
    text
}

fn line(tarpit: &Tarpit) -> String {
    /// The most addresses that are shown for a tarpit.
    const NAMED: usize = 4;
    let sockets = tarpit.sockets.iter().map(|it| format!("sockets of {it}"));
    let all = tarpit.addresses().map(|it| it.to_string()).chain(sockets);
    let named: Vec<_> = all.take(NAMED).collect();
    let more = match (tarpit.bind.len() + tarpit.sockets.len()).saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {} on {}{more}", tarpit.name, tarpit.pattern.name(), named.join(", "))
}

/// Each limit with its reason.
pub(super) fn limits(settings: &Settings, files: &Files) -> Vec<String> {
    let limits = &settings.limits;
    let Files { limit, listeners, .. } = *files;
    let (most, spare) = (files.for_clients(), files.spare());
    let by_files = format!(
        "{limit} open files are allowed, less {listeners} for listeners and {spare} \
                 for tarpitd itself"
    );
    let clients = match *limits.clients {
        ClientLimit::AtMost(wanted) if wanted.get() > most => {
            format!("clients = {most}: lowered from {wanted}, since {by_files}")
        }
        ClientLimit::AtMost(wanted) => format!("clients = {wanted}: configured"),
        ClientLimit::FileLimit => format!("clients = {most}: {by_files}"),
        ClientLimit::Unlimited => format!("clients: no limit, configured; {by_files}"),
    };
    let mut lines = vec![clients];
    let cut = |key: &str, scope: &str, cap: &Placed<Option<NonZeroU32>>| match cap.value {
        Some(wanted) if wanted.get() > most && cap.place.is_some() => {
            format!("{key} = {most}{scope}: lowered from {wanted}, since {by_files}")
        }
        _ => uncut(key, scope, cap),
    };
    lines.push(cut("per_address", "", &limits.per_address));
    lines.push(cut("per_prefix", "", &limits.per_prefix));
    let caps: Vec<_> = settings
        .tarpits
        .iter()
        .map(|it| cut("max_clients", " on each port", &it.max_clients))
        .collect();
    let is_one = caps.len() > 1 && caps.iter().all(|cap| *cap == caps[0]);
    lines.extend(caps.into_iter().take(usize::from(is_one)));
    for tarpit in settings.tarpits.iter().filter(|_| !is_one) {
        let scope = format!(" on each port of {}", tarpit.name);
        lines.push(cut("max_clients", &scope, &tarpit.max_clients));
    }
    lines.push(uncut("egress", "", &limits.egress));
    lines.push(uncut("egress_per_day", "", &limits.egress_per_day));
    lines.push(uncut("handshakes_per_second", "", &limits.handshakes_per_second));
    lines.push(uncut("cpu", "", &limits.cpu));
    lines.push(uncut("trace_per_second", "", &settings.logging.trace_per_second));
    lines
}

fn uncut(key: &str, scope: &str, cap: &Placed<Option<impl Display>>) -> String {
    let why = if cap.place.is_some() { "configured" } else { "default" };
    match &cap.value {
        Some(cap) => format!("{key} = {cap}{scope}: {why}"),
        None => format!("{key}{scope}: no limit, {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_summary_has_names_patterns_and_the_reason_of_each_limit() {
        let text = "[tarpits.web]\npattern = 'http_hold'\nbind = '127.0.0.1:1-6'\nmax_clients = 9\n\
                    [limits]\nclients = 5000\nper_prefix = 0\negress = 7\n";
        let settings = config::parse("x", text).unwrap();
        let files = Files::of(&settings, 1, 1_000);
        assert_eq!(
            summary(&settings, &files),
            "would serve\n  \
               web: http_hold on 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3, 127.0.0.1:4 and 2 more\n\
             within these limits\n  \
               clients = 930: lowered from 5000, since 1000 open files are allowed, less 6 for listeners and 64 for tarpitd itself\n  \
               per_address = 256: default\n  \
               per_prefix: no limit, configured\n  \
               max_clients = 9 on each port of web: configured\n  \
               egress = 7: configured\n  \
               egress_per_day: no limit, default\n  \
               handshakes_per_second = 100: default\n  \
               cpu = 80: default\n  \
               trace_per_second = 100: default\n"
        );
    }
}
