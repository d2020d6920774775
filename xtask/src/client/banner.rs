//! What masscan must record of each service. It has a TCP of its own, so it needs an address that the
//! kernel does not answer for, at the end of a link.

use crate::client::listener::Listener;
use crate::client::tool::Tool;
use crate::running::namespace::{CLIENT, CLIENT_END, SERVER, SERVER_MAC};

pub(crate) static MASSCAN: Tool = Tool::debian("masscan", "masscan", "masscan");

/// A service, and what masscan must record of it.
pub(crate) struct Banner {
    /// Who is scanned.
    pub(crate) on: &'static Listener,
    /// The port where that is: masscan decides by it what it says first.
    pub(crate) port: u16,
    /// What its record must contain.
    pub(crate) wanted: &'static str,
}

/// A scan of all these ports at once, divided at spaces (see `running::job::Job::new`). After the
/// last packet masscan waits 10 seconds for banners, by default.
pub(crate) fn command(banners: &[&Banner]) -> String {
    let ports: Vec<_> = banners.iter().map(|banner| banner.port.to_string()).collect();
    format!(
        "masscan {SERVER} -p{} --banners --rate 100 -e {CLIENT_END} --adapter-ip {CLIENT} \
         --adapter-port 40000 --router-mac {}",
        ports.join(","),
        SERVER_MAC.replace(':', "-"),
    )
}

/// What masscan printed of this port, without what stands in front of each line.
pub(crate) fn recorded(port: u16, output: &str) -> String {
    let start = format!("Banner on port {port}/tcp on {SERVER}: ");
    // What it says of its progress it writes over with carriage returns.
    let lines = output.split(['\n', '\r']).filter_map(|line| line.strip_prefix(&start));
    lines.map(str::trim_end).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_recorded_of_one_port_is_found() {
        let output = "Discovered open port 80/tcp on 198.18.0.1        \r\
            Banner on port 80/tcp on 198.18.0.1: [http.server] Apache   \n\
            Banner on port 8080/tcp on 198.18.0.1: [ssl] x\n\
            rate: 0\rBanner on port 80/tcp on 198.18.0.1: [http] HTTP/1.1 200 OK\n";
        assert_eq!(recorded(80, output), "[http.server] Apache; [http] HTTP/1.1 200 OK");
        assert_eq!(recorded(21, output), "");
    }
}
