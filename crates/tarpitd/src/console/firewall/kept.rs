//! Which ports stay as they are, and why.

use std::{collections::BTreeMap, net::SocketAddr, ops::RangeInclusive};

use super::{Asked, Machine};
use crate::settings::Settings;

/// The ports that stay as they are.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each with its reasons.
    ports: BTreeMap<(u16, u16), Vec<String>>,
    /// Ports on which something listens, although the user does not name them: port and program.
    pub(super) unnamed: Vec<(u16, String)>,
}

impl Kept {
    pub(super) fn of(settings: &Settings, asked: &Asked, machine: &Machine) -> Self {
        let mut kept = Self::default();
        for range in asked.except.iter().flatten() {
            kept.add(range.clone(), "--except".to_owned());
        }
        let (redirected, direct): (Vec<_>, Vec<_>) =
            settings.tarpits.iter().partition(|tarpit| tarpit.route.redirected);
        let is_target = |at: SocketAddr| {
            redirected.iter().any(|tarpit| {
                let is_it = |bind: SocketAddr| bind.port() == at.port();
                tarpit.addresses().any(is_it)
            })
        };
        for &(at, ref program) in &machine.listening {
            let port = at.port();
            if at.ip().is_loopback() || is_target(at) {
                continue;
            }
            if asked.except.is_none() {
                let ip = match at {
                    SocketAddr::V4(v4) => v4.ip().to_string(),
                    SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
                };
                kept.add(port..=port, format!("{program} listens on {ip}"));
            } else if !kept.has(port) && !kept.unnamed.iter().any(|(other, _)| *other == port) {
                kept.unnamed.push((port, program.clone()));
            }
        }
        for tarpit in direct {
            for at in tarpit.addresses().filter(|at| !at.ip().is_loopback() && at.port() != 0) {
                kept.add(at.port()..=at.port(), format!("tarpit `{}`", tarpit.name));
            }
        }
        for tarpit in &settings.tarpits {
            for &port in tarpit.passive_ports.iter() {
                kept.add(port..=port, format!("data connections of tarpit `{}`", tarpit.name));
            }
        }
        if let Some(login) = machine.login {
            kept.add(login.port()..=login.port(), "your present SSH login".to_owned());
        }
        let Self { ports, unnamed } = &mut kept;
        unnamed.retain(|(port, _)| !ports.keys().any(|&(from, to)| (from..=to).contains(port)));
        kept
    }

    fn add(&mut self, range: RangeInclusive<u16>, reason: String) {
        let reasons = self.ports.entry(range.into_inner()).or_default();
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    fn has(&self, port: u16) -> bool {
        self.ports.keys().any(|&(from, to)| (from..=to).contains(&port))
    }

    /// Each port or range, and why it is kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, String)> {
        self.ports.iter().map(|(&range, reasons)| (shown(range), reasons.join("; ")))
    }
}

fn shown((from, to): (u16, u16)) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}
