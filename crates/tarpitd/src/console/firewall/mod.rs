//! `tarpitd firewall`: nftables rules that direct other ports to the tarpits of a configuration.
//! They are printed, never applied.

mod kept;
mod rules;
mod targets;

use std::{fs, net::SocketAddr, ops::RangeInclusive, path::Path};

use self::{kept::Kept, targets::Targets};
use crate::{
    config::{self, Problem},
    os::{login, port_owner::Owners},
    settings::Settings,
};

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The ports that stay as they are; `None`: those on which something listens now.
    pub(crate) except: Option<Vec<RangeInclusive<u16>>>,
    /// Whether connections are redirected by NAT, not by TPROXY.
    pub(crate) redirect: bool,
}

/// What the rules need to know of this machine.
#[derive(Debug, Default)]
struct Machine {
    /// The listening sockets, each with the name of its program.
    listening: Vec<(SocketAddr, String)>,
    /// The address at which the present user logged in.
    login: Option<SocketAddr>,
    /// The most connections that conntrack keeps.
    conntrack: Option<u64>,
}

/// The configuration for which rules are printed if the user has none: one that is ready to be
/// saved.
fn example(redirect: bool) -> String {
    // NAT reaches no loopback address.
    let host = if redirect { "*" } else { "localhost" };
    format!("[tarpits.all]\npattern = \"auto\"\nbind = \"{host}:9999\"\nredirected = true\n")
}

/// The rules for the configuration in `file`, or all that is wrong with it.
pub(crate) fn text(file: Option<&Path>, asked: &Asked) -> Result<String, Vec<String>> {
    let of_problems =
        |wrong: config::Wrong| wrong.problems.iter().map(Problem::to_string).collect::<Vec<_>>();
    let (settings, head) = if let Some(file) = file {
        let name = config::shown_name(file);
        let settings = config::load(file).map_err(of_problems)?;
        (settings, format!("# Rules of `tarpitd firewall` for {name}.\n"))
    } else {
        let example = example(asked.redirect);
        let settings = config::parse("the example", &example).map_err(of_problems)?;
        let lines = example.trim_end().replace('\n', "\n#     ");
        let why = "# Rules of `tarpitd firewall` for this example of a configuration:\n#\n";
        (settings, format!("{why}#     {lines}\n"))
    };
    let rules = for_machine(&settings, asked, &Machine::look()).map_err(|what| {
        let what = match file {
            Some(file) => format!("{}: {what}", config::shown_name(file)),
            None => what,
        };
        vec![what]
    })?;
    Ok(format!("#!/usr/sbin/nft -f\n{head}{rules}"))
}

/// The rules for these settings on a machine, or what is in the way.
fn for_machine(settings: &Settings, asked: &Asked, machine: &Machine) -> Result<String, String> {
    let targets = Targets::of(settings, asked.redirect)?;
    let kept = Kept::of(settings, asked, machine);
    Ok(rules::text(settings, asked, &targets, &kept, machine.conntrack))
}

impl Machine {
    /// This machine as it is now.
    fn look() -> Self {
        let most = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").ok();
        Self {
            listening: Owners::look().listening(),
            login: login::present().map(|login| login.server),
            conntrack: most.and_then(|text| text.trim().parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let listening = [("0.0.0.0:22", "sshd"), ("[::]:25", "exim4"), ("127.0.0.1:631", "cupsd")];
        Machine {
            listening: listening.map(|(at, name)| (at.parse().unwrap(), name.into())).into(),
            login: Some("192.0.2.1:22".parse().unwrap()),
            conntrack: Some(65_536),
        }
    }

    fn rules(text: &str, asked: &Asked) -> Result<String, String> {
        for_machine(&config::parse("x", text).unwrap(), asked, &machine())
    }

    #[track_caller]
    fn check(text: &str, asked: &Asked, lines: &[&str], absent: &[&str]) {
        let rules = rules(text, asked).unwrap();
        for line in lines {
            let has = rules.lines().any(|it| it.trim() == *line);
            assert!(has, "no line {line:?} in\n{rules}");
        }
        for word in absent {
            assert!(!rules.contains(word), "{word:?} in\n{rules}");
        }
    }

    const ALL: &str =
        "[tarpits.all]\npattern = 'auto'\nbind = 'localhost:9999'\nredirected = true\n";

    #[test]
    fn everything_but_what_listens_goes_to_the_tarpit() {
        check(
            ALL,
            &Asked::default(),
            &[
                "# 22: sshd listens on 0.0.0.0; your present SSH login",
                "# 25: exim4 listens on [::]",
                "elements = { 22, 25 }",
                "meta mark 0x7461 meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:9999 accept",
                "meta mark 0x7461 meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [::1]:9999 accept",
                "notrack",
            ],
            &["631", "redirect to", "dnat"],
        );
    }

    #[test]
    fn the_exceptions_of_the_user_keep_the_present_login_and_name_what_else_listens() {
        let except = Some(vec![80..=80, 8_000..=8_009]);
        check(
            ALL,
            &Asked { except, redirect: false },
            &[
                "# 22: your present SSH login",
                "# 80: --except",
                "# 8000-8009: --except",
                "elements = { 22, 80, 8000-8009 }",
                "# Not in --except, and left alone while it listens: 25 (exim4)",
            ],
            &[],
        );
    }

    #[test]
    fn a_tarpit_of_one_protocol_gets_its_ports_and_another_the_rest() {
        let text = format!(
            "{ALL}[tarpits.ssh]\npattern = 'ssh'\nbind = '*:2200'\nredirected = true\n\
             [tarpits.direct]\npattern = 'ftp'\nbind = '0.0.0.0:2121'\n\
             [access]\nallow = ['192.0.2.0/24', '2001:db8::/32']\ndeny = ['198.51.100.7']\n"
        );
        check(
            &text,
            &Asked::default(),
            &[
                "meta mark 0x7461 meta nfproto ipv4 tcp dport { 22, 2222, 222, 8022 } tproxy ip to :2200 accept",
                "meta mark 0x7461 meta nfproto ipv6 tcp dport { 22, 2222, 222, 8022 } tproxy ip6 to :2200 accept",
                "# 2121: tarpit `direct`",
                "elements = { 192.0.2.0/24 }",
                "elements = { 2001:db8::/32 }",
                "elements = { 198.51.100.7/32 }",
            ],
            &[],
        );
    }

    #[test]
    fn nat_needs_an_address_that_it_reaches_and_says_what_it_costs() {
        let asked = Asked { redirect: true, ..Asked::default() };
        let error = rules(ALL, &asked).unwrap_err();
        assert!(error.contains("127.0.0.1:9999") && error.contains("NAT"), "{error}");
        check(
            &example(true),
            &asked,
            &["meta mark 0x7461 meta nfproto ipv4 meta l4proto tcp redirect to :9999"],
            &["notrack\n", "tproxy"],
        );
        let rules = rules(&example(true), &asked).unwrap();
        assert!(rules.contains("65536") && rules.contains("nf_conntrack_max"), "{rules}");
    }

    #[test]
    fn a_configuration_that_redirects_nothing_says_which_key_is_missing() {
        let error = rules(config::EMBEDDED, &Asked::default()).unwrap_err();
        assert!(error.contains("`redirected = true`"), "{error}");
        let two = format!("{ALL}{}", ALL.replace("all", "b").replace("9999", "9998"));
        let error = rules(&two, &Asked::default()).unwrap_err();
        assert!(error.contains("`all` and `b`"), "{error}");
        let error = rules(&ALL.replace("9999", "0"), &Asked::default()).unwrap_err();
        assert!(error.contains("port 0"), "{error}");
    }
}
