//! Thousands of ports: what a daemon costs that has them all.

use std::fmt::Write as _;

use crate::{
    daemon::{Client, Daemon, Directory},
    require::require_files,
};

const PORTS: usize = 2_000;

#[test]
fn two_thousand_ports_need_little_memory() {
    if !require_files(PORTS + 200) {
        return;
    }
    let mut text = "[tarpits.a]\npattern = \"endless_banner\"\nbind = [\n".to_owned();
    for number in 0..PORTS {
        // Port 0 of many addresses, since a range of ports may be in use in part.
        let (high, low) = (number / 250, number % 250 + 1);
        writeln!(text, "{{ host = \"127.3.{high}.{low}\", port = 0 }},").expect("memory");
    }
    text += "]\n";
    let directory = Directory::new("ports");
    let path = directory.file("c.toml", &text);
    let daemon = Daemon::start(&["-c", &path], PORTS);
    for &address in [daemon.addresses.first(), daemon.addresses.last()].into_iter().flatten() {
        Client::of(address).hear();
    }
    let private = daemon.private();
    assert!(private < 4_000_000, "{private} bytes");
}
