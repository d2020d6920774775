//! Which tarpit gets which ports.

use std::net::{IpAddr, SocketAddr};

use crate::settings::{Settings, Tarpit};

/// The tarpits to which connections are directed, in the order of their rules.
pub(super) struct Targets<'a>(Vec<Target<'a>>);

/// A tarpit and its ports.
pub(super) struct Target<'a> {
    pub(super) tarpit: &'a Tarpit,
    /// `None`: all that no earlier one gets.
    pub(super) ports: Option<Vec<u16>>,
    pub(super) v4: Option<SocketAddr>,
    pub(super) v6: Option<SocketAddr>,
}

impl<'a> Targets<'a> {
    /// The targets, or why there are none.
    pub(super) fn of(settings: &'a Settings, by_nat: bool) -> Result<Self, String> {
        let redirected: Vec<_> = settings.tarpits.iter().filter(|it| it.route.redirected).collect();
        // Alone, it gets everything, whatever it speaks.
        let is_alone = redirected.len() == 1;
        let mut all = Vec::new();
        for tarpit in redirected {
            let protocol = tarpit.pattern.protocol().filter(|_| !is_alone);
            let ports = protocol.map(|it| [it.ports, it.also_on].concat());
            let reached: Vec<_> =
                tarpit.addresses().filter(|at| !by_nat || !at.ip().is_loopback()).collect();
            if let (None, Some(sockets)) = (tarpit.bind.first(), tarpit.sockets.first()) {
                return Err(format!(
                    "{}: no rule can name the sockets of `{sockets}`, since only systemd knows \
                     their addresses: write an address",
                    tarpit.name
                ));
            }
            if reached.is_empty() {
                let lost = tarpit.addresses().next().map(|at| at.to_string()).unwrap_or_default();
                return Err(format!(
                    "{}: NAT cannot reach the loopback address {lost}: add another address to \
                     `bind`, such as \"*:9999\"",
                    tarpit.name
                ));
            }
            if let Some(at) = reached.iter().find(|at| at.port() == 0) {
                return Err(format!(
                    "{}: no rule can name {at}, since port 0 is another one at each start: choose \
                     a port",
                    tarpit.name
                ));
            }
            let of = |is_v4: bool| reached.iter().copied().find(|at| at.is_ipv4() == is_v4);
            all.push(Target { tarpit, ports, v4: of(true), v6: of(false) });
        }
        let rest: Vec<_> = all.iter().filter(|target| target.ports.is_none()).collect();
        match rest[..] {
            [_, _, ..] => Err(format!(
                "`{}` and `{}` would both get all other ports: leave `redirected = true` to one of \
                 them",
                rest[0].tarpit.name, rest[1].tarpit.name
            )),
            _ if all.is_empty() => Err("no tarpit has `redirected = true`: add it to the tarpit \
                                        that is to get the other ports"
                .to_owned()),
            _ => {
                all.sort_by_key(|target| target.ports.is_none());
                Ok(Self(all))
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Target<'a>> {
        self.0.iter()
    }

    /// Whether any of them is reached by addresses like this one.
    pub(super) fn serves(&self, is_v4: bool) -> bool {
        self.iter().any(|target| if is_v4 { target.v4 } else { target.v6 }.is_some())
    }
}

/// How nftables writes where a tarpit listens: without the host if that is every address.
pub(super) fn place(at: SocketAddr) -> String {
    match at.ip() {
        ip if ip.is_unspecified() => format!(":{}", at.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => at.to_string(),
    }
}
