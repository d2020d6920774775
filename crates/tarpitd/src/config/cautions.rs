//! Warnings of settings that are allowed and hardly meant.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::settings::{
    AccessLists, Limits, Network, Settings,
    finding::{Finding, Gravity},
};

/// All such settings.
pub(super) fn cautions(settings: &Settings) -> Vec<Finding> {
    let mut findings = unheld(&settings.access);
    findings.extend(useless_cap(&settings.limits));
    findings
}

/// Warns if the lists leave nobody to be held.
fn unheld(access: &AccessLists) -> Vec<Finding> {
    let AccessLists { allow, deny, forwarded_from, health } = access;
    let all: BTreeSet<_> = [allow, deny, health].into_iter().flatten().copied().collect();
    let warning = |what: String| Finding::new(Gravity::Warning, None, what);
    let family = |first: IpAddr, name: &str| {
        let whole = Network::of(first, 0);
        whole.is_covered_by(&all).then(|| {
            warning(format!(
                "[access] `allow`, `deny` and `health` name every {name} address: no {name} client \
                 is held; name smaller networks"
            ))
        })
    };
    let relay = |relay: &Network| {
        relay.is_covered_by(health).then(|| {
            warning(format!(
                "[access] `health` covers the relay {relay} of `forwarded_from`: each connection \
                 from there counts as a health check, and no client is held; let the checks come \
                 from another address, or let them connect only"
            ))
        })
    };
    [family(Ipv4Addr::UNSPECIFIED.into(), "IPv4"), family(Ipv6Addr::UNSPECIFIED.into(), "IPv6")]
        .into_iter()
        .flatten()
        .chain(forwarded_from.iter().filter_map(relay))
        .collect()
}

/// Warns of a cap of one address that its network's cap makes useless.
fn useless_cap(limits: &Limits) -> Option<Finding> {
    let (address, prefix) = (&limits.per_address, &limits.per_prefix);
    let is_useless =
        address.place.is_some() && prefix.place.is_some() && prefix.value < address.value;
    let (most, least) = (address.value?, prefix.value?);
    is_useless.then(|| {
        let what = format!(
            "`per_prefix = {least}` is below `per_address = {most}`, which so has no effect: no \
             address can have more clients than its network"
        );
        Finding::new(Gravity::Warning, prefix.place.as_ref(), what)
    })
}

#[cfg(test)]
mod tests {
    use crate::config;

    fn told(lines: &str) -> Vec<String> {
        let text = format!("[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:1'\n{lines}");
        let settings = config::parse("x", &text).unwrap();
        settings.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_that_leave_nobody_to_be_held_are_told() {
        for (lines, wanted) in [
            ("allow = ['0.0.0.0/0']", Some("no IPv4 client is held")),
            ("allow = ['::/0']", Some("no IPv6 client is held")),
            ("allow = ['0.0.0.0/1']\ndeny = ['128.0.0.0/2', '192.0.0.0/2']", Some("no IPv4")),
            ("health = ['10.0.0.1']\nforwarded_from = ['10.0.0.1']", Some("the relay 10.0.0.1/32")),
            ("health = ['10.0.0.1']\nforwarded_from = ['10.0.0.0/24']", None),
            ("allow = ['0.0.0.0/1', '192.0.0.0/2']", None),
            ("deny = ['10.0.0.0/8']", None),
        ] {
            let told = told(&format!("[access]\n{lines}"));
            assert_eq!(told.len(), usize::from(wanted.is_some()), "{lines}: {told:?}");
            assert!(wanted.is_none_or(|it| told[0].contains(it)), "{told:?}");
        }
    }

    #[test]
    fn a_cap_that_a_lower_one_makes_useless_is_told() {
        let [told] = &told("[limits]\nper_address = 9\nper_prefix = 3")[..] else {
            panic!("one warning")
        };
        assert!(told.starts_with("x:6:14: `per_prefix = 3` is below `per_address = 9`"), "{told}");
    }

    #[test]
    fn caps_that_differ_as_they_should_are_fine() {
        for lines in ["per_address = 3\nper_prefix = 9", "per_prefix = 3", "per_address = 9000"] {
            assert_eq!(told(&format!("[limits]\n{lines}")), [""; 0], "{lines}");
        }
    }
}
