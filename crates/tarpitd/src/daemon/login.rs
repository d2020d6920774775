//! Warnings about ports that the present SSH login needs.

use super::ports::Spot;
use crate::{
    admit::access::{Access, Verdict},
    os::login::Login,
    settings::{
        Purpose, Settings,
        finding::{Finding, Gravity},
    },
};

/// The port on which administrators log in.
const SSH: u16 = 22;

/// What the owner of this login should know of the tarpits that are to be served.
pub(super) fn warnings(settings: &Settings, login: Login) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_allowed =
        Access::new(settings.access.clone()).verdict(login.client.ip()) == Verdict::Allowed;
    for wanted in settings.wanted(1) {
        let tarpit = &settings.tarpits[wanted.index];
        let (at, server) = (wanted.at, login.server);
        if wanted.purpose != Purpose::Clients {
            continue;
        }
        let spot = Spot::of(wanted, tarpit);
        let mut warn = |what: String| {
            let what = format!("{}: {spot}: {what}", tarpit.name);
            found.push(Finding::new(Gravity::Warning, tarpit.place(wanted), what));
        };
        let is_another = at.ip() != server.ip() && !at.ip().is_unspecified();
        if at.port() == server.port() && is_another {
            warn(format!(
                "your present SSH login came to {server}, the same port of another address; do \
                 not confuse the two"
            ));
        }
        if at.port() == SSH && !is_allowed {
            warn(format!(
                "[access] allow does not name {}, from where you are logged in: if you connect to \
                 this port by mistake, it holds you, too; add that address there",
                login.client.ip()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[track_caller]
    fn check(bind: &str, allow: &str, wanted: &[&str]) {
        let text =
            format!("[tarpits.a]\npattern = 'ssh'\nbind = '{bind}'\n[access]\nallow = [{allow}]\n");
        let login = Login {
            client: "203.0.113.7:40000".parse().unwrap(),
            server: "192.0.2.1:22".parse().unwrap(),
        };
        let found = warnings(&config::parse("x", &text).unwrap(), login);
        let found: Vec<_> = found.iter().map(Finding::labelled).collect();
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        for (line, word) in found.iter().zip(wanted) {
            assert!(line.starts_with("x:3:8: warning: a: ") && line.contains(word), "{line}");
        }
    }

    #[test]
    fn the_port_of_the_login_on_another_address_and_a_missing_exception_are_told() {
        check("192.0.2.2:22", "'203.0.113.0/24'", &["came to 192.0.2.1:22"]);
        check("192.0.2.2:22", "", &["came to 192.0.2.1:22", "does not name 203.0.113.7"]);
        check("0.0.0.0:22", "'198.51.100.1'", &["does not name 203.0.113.7"]);
        check("0.0.0.0:22", "'203.0.113.7'", &[]);
        check("192.0.2.2:2222", "", &[]);
    }
}
