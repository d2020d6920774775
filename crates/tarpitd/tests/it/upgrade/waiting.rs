//! Connections that are no clients yet, and a daemon that cannot be started again.

use std::{
    fs::File,
    io::{Read as _, Write as _},
};

use super::Upgraded;
use crate::daemon::{Client, Daemon, Directory, tarpitd, until};

#[test]
fn a_relay_s_header_is_awaited_by_the_new_program() {
    let text = "[tarpits.a]\npattern = 'ssh_trans_hold'\nbind = '127.0.0.1:0'\n\
                proxy_from = ['127.0.0.1']\n";
    let mut it = Upgraded::start("upgrade-header", text, 1, &["-t"]);
    let mut client = Client::of(it.daemon.addresses[0]);
    it.upgrade();
    assert_eq!(it.held(), 0, "nobody is held before its header");
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 22\r\n";
    client.0.write_all(header).expect("it is open");
    assert!(client.hear().starts_with(b"SSH-2.0-"));
    let open = it.daemon.trace_has("open");
    assert_eq!(open["conn_info"]["peername"].to_string(), r#"["192.0.2.7",40000]"#);
    let port = client.0.local_addr().expect("it is connected").port();
    assert_eq!(open["via"].to_string(), format!("[\"127.0.0.1\",{port}]"));
    it.upgrade();
    until("it is held", || it.held() == 1);
    let trace = it.stop();
    let close = trace.iter().find(|line| line["event"] == "close").expect("a line");
    assert_eq!((&close["session"], &close["via"]), (&open["session"], &open["via"]));
}

#[test]
fn a_health_check_is_answered_by_the_new_program() {
    let text = "[tarpits.a]\npattern = 'http_hold'\nbind = '127.0.0.1:0'\n\
                [access]\nhealth = ['127.0.0.1']\n";
    let mut it = Upgraded::start("upgrade-health", text, 1, &["-t"]);
    let mut client = Client::of(it.daemon.addresses[0]);
    it.upgrade();
    client.0.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
    let mut heard = Vec::new();
    client.0.read_to_end(&mut heard).expect("an end without a reset");
    assert!(heard.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", heard.escape_ascii());
    assert!(it.stop().is_empty(), "it is no client");
}

#[test]
fn a_daemon_with_its_configuration_from_standard_input_goes_on_and_says_why() {
    let directory = Directory::new("upgrade-stdin");
    let socket = directory.path("control");
    let text = format!(
        "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n[control]\nsocket = '{socket}'\n"
    );
    let file = directory.file("c.toml", &text);
    let mut command = tarpitd();
    command.args(["-c", "-"]).stdin(File::open(file).expect("it is there"));
    let daemon = Daemon::spawn(command, 1);
    let mut client = daemon.connect();
    client.hear();
    let output = Upgraded::run_at(&["upgrade"], &socket);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("standard input") && said.contains("-c FILE"), "{said}");
    assert!(said.contains("goes on"), "{said}");
    client.hear();
}
