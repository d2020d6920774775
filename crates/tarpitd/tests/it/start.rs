//! Starting: what is served, and what is in the way.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::{
    daemon::{Client, Daemon, Directory, tarpitd, until},
    namespace::Namespace,
    require::require,
};

/// Runs it to its end; exit code and standard error.
fn fails(arguments: &[&str]) -> (Option<i32>, String) {
    let output = tarpitd().args(arguments).output().expect("the binary starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// An address that somebody listens on, and who.
fn busy() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    (listener, address)
}

#[test]
fn a_busy_port_is_named_and_ends_the_start_with_1() {
    let (_listener, address) = busy();
    let (code, text) = fails(&["-s", &format!("endless_banner:{address}")]);
    assert_eq!(code, Some(1));
    let who = format!("(pid {}) uses it; stop that program", std::process::id());
    assert!(text.contains(&address) && text.contains(&who), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_port_of_another_tarpitd_is_busy_too_also_with_several_workers() {
    let directory = Directory::new("twice");
    let config = |port| {
        format!(
            "workers = 2\n[tarpits.a]\npattern = \"endless_banner\"\n\
             bind = [{{ host = \"127.0.0.1\", port = {port} }}]\n"
        )
    };
    let first = directory.file("first.toml", &config(0));
    let first = Daemon::start(&["-c", &first], 1);
    let second = directory.file("second.toml", &config(first.addresses[0].port()));
    let (code, text) = fails(&["-c", &second]);
    assert_eq!(code, Some(1));
    let who = format!("the running tarpitd (pid {}) uses it", first.pid());
    assert!(text.contains(&who), "{text}");
}

#[test]
fn a_second_start_of_the_same_is_told_in_one_line_with_the_pid_of_the_first() {
    let serve = |one: &str, other: &str| {
        ["-s".to_owned(), format!("endless_banner:{one}"), format!("endlessh:{other}")]
    };
    let strings = serve("127.0.0.1:0", "127.0.0.1:0");
    let first = Daemon::start(&strings.each_ref().map(String::as_str), 2);
    let [one, other] = [0, 1].map(|place| first.addresses[place].to_string());
    let (code, text) = fails(&serve(&one, &other).each_ref().map(String::as_str));
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    let who = format!("the running tarpitd (pid {}) uses it", first.pid());
    assert!(text.contains(&format!("{one} and 1 other address")) && text.contains(&who), "{text}");
}

#[test]
fn one_address_in_the_way_stops_all_unless_told_to_keep_going() {
    let (_listener, address) = busy();
    let bad = format!("endless_banner:{address}");
    let (code, text) = fails(&["-s", "endless_banner:127.0.0.1:0", &bad]);
    assert_eq!(code, Some(1));
    assert!(text.contains("--keep-going"), "{text}");
    let daemon = Daemon::start(&["--keep-going", "-s", "endless_banner:127.0.0.1:0", &bad], 1);
    assert!(!daemon.connect().hear().is_empty());
}

#[test]
fn an_address_that_is_not_there_yet_is_listened_on_with_a_warning() {
    for (host, ip) in [("192.0.2.1", "192.0.2.1:"), ("[2001:db8::1]", "[2001:db8::1]:")] {
        if host.contains("::") && !require("ipv6") {
            continue;
        }
        let mut daemon = Daemon::start(&["-s", &format!("endless_banner:{host}:0")], 0);
        let line = daemon.log_line();
        assert!(line.contains("warning: ") && line.contains("ip address"), "{line}");
        assert!(line.contains(ip) && line.contains("does not have this address yet"), "{line}");
        daemon.log_has(&format!(" on {ip}"));
    }
}

#[test]
fn clients_come_as_soon_as_the_address_is_there() {
    // In a thread of its own: the others stay in the machine's network.
    std::thread::spawn(|| {
        let Some(namespace) = Namespace::new("late") else { return };
        assert!(namespace.ip("link set lo up"));
        namespace.enter();
        let addresses = ["192.0.2.1:2222", "[2001:db8::1]:2222"];
        let [one, other] = addresses.map(|address| format!("endless_banner:{address}"));
        let daemon = Daemon::start(&["-s", &one, &other], 2);
        assert!(namespace.ip("address add 192.0.2.1/32 dev lo"));
        assert!(namespace.ip("address add 2001:db8::1/128 dev lo nodad"));
        for &address in &daemon.addresses {
            // The kernel takes its time to route there.
            until("a route", || TcpStream::connect(address).is_ok());
            assert!(!Client::of(address).hear().is_empty());
        }
    })
    .join()
    .expect("it passed");
}

#[test]
fn an_unwritable_log_is_an_error_before_anything_is_served() {
    let path = "/nonexistent/trace.jsonl";
    let (code, text) = fails(&["-s", "endless_banner:127.0.0.1:0", "-t", path]);
    assert_eq!(code, Some(1));
    assert!(text.contains(path), "{text}");
}

#[test]
fn usage_and_configuration_end_with_2() {
    let directory = Directory::new("usage");
    let empty = directory.file("empty.toml", "");
    for arguments in [
        &["-s", "endless_baner:127.0.0.1:0"][..],
        &["-s", "endless_banner:127.0.0.1:70000"],
        &["-s", "endless_banner:127.0.0.1:-1"],
        &["-s", "endless_banner:127.0.0.1:x"],
        &["-s", "endless_banner:127.0.0.1:0", "-c", &empty],
        &["-c", &empty],
        &["-c", "/nonexistent.toml"],
        &["--frobnicate"],
    ] {
        let (code, text) = fails(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(!text.is_empty());
    }
}

#[test]
fn ipv6_and_both_families_of_localhost_are_served() {
    let daemon = Daemon::start(&["-s", "endless_banner:[::1]:0", "-t"], 1);
    assert!(daemon.addresses[0].is_ipv6());
    let mut client = daemon.connect();
    client.hear();
    let both = Daemon::start(&["-s", "endless_banner:localhost:0"], 2);
    assert!(both.addresses[0].is_ipv4() != both.addresses[1].is_ipv4());
}

#[test]
fn the_published_example_of_the_reference_loads_unchanged() {
    let directory = Directory::new("example");
    // Nothing of it is changed but the ports, which may be in use on the machine of the test.
    let example = r#"
[tarpits]
[tarpits.my_cool_ssh_tarpit]
pattern = "ssh_trans_hold"
client_trace = true
client_valiation = true
max_clients = 8152
rate_limit = -2
bind = [{ host = "127.0.0.1", port = "0" }]
[tarpits.http_tarpit]
pattern = "http_endless_header"
bind = [ { host = "127.0.0.1", port = "0" }, { host = "::1", port = "0" } ]
[tarpits.tls_tarpit]
pattern = "tls_slow_hello"
rate_limit = 1
bind = [ { host = "127.0.0.1", port = "0" } ]
[logging]
client_trace = "./client_trace.log"
"#;
    let config = directory.file("example.toml", example);
    let mut command = tarpitd();
    command.args(["-c", &config]).current_dir(directory.path(""));
    let mut daemon = Daemon::spawn(command, 4);
    assert!(daemon.connect().hear().starts_with(b"SSH-2.0-"));
    let (_, log, status) = {
        daemon.signal(rustix::process::Signal::USR1);
        daemon.log_has("totals");
        assert!(daemon.log.iter().any(|line| line.contains("client_validation")));
        daemon.stop()
    };
    assert_eq!(status.code(), Some(0), "{log:?}");
    let trace = std::fs::read_to_string(directory.path("client_trace.log")).expect("the trace");
    assert!(trace.contains("my_cool_ssh_tarpit"), "{trace}");
}

#[test]
fn a_protocol_s_name_serves_the_recommended_pattern_and_the_trace_has_our_name() {
    let arguments = ["-s", "ssh:127.0.0.1:0", "HTTP_Endless_Cookie:127.0.0.1:0", "-t"];
    let mut daemon = Daemon::start(&arguments, 2);
    let lines = daemon.log.join("\n");
    assert!(lines.contains("cli_0: ssh_auth_hold on 127.0.0.1:"), "{lines}");
    assert!(lines.contains("cli_1: http_endless_header on 127.0.0.1:"), "{lines}");
    let mut client = daemon.connect();
    assert!(client.hear().starts_with(b"SSH-2.0-"));
    assert_eq!(daemon.trace_has("open")["pattern"], "ssh_auth_hold");
}

#[test]
fn an_address_behind_t_makes_no_file() {
    let directory = Directory::new("address-behind-t");
    let mut command = tarpitd();
    command.current_dir(directory.path(""));
    command.args(["-s", "ssh:127.0.0.1:0", "-t", "http:127.0.0.1:0"]);
    let output = command.output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("needs -s") && text.lines().count() == 1, "{text}");
    assert_eq!(std::fs::read_dir(directory.path("")).expect("a directory").count(), 0);
}

/// A server beside which others may listen, as far as the system is concerned.
fn shared_listener() -> TcpListener {
    let socket =
        net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
    net::sockopt::set_socket_reuseport(&socket, true).expect("an option");
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    net::listen(&socket, 1).expect("it listens");
    socket.into()
}

#[test]
fn the_address_of_the_present_login_is_never_taken() {
    let sshd = shared_listener();
    let at = sshd.local_addr().expect("it is bound");
    let login =
        |address: SocketAddr| format!("203.0.113.7 40000 {} {}", address.ip(), address.port());
    for workers in ["1", "2"] {
        let directory = Directory::new("login");
        let text = format!("workers = {workers}\n[tarpits.a]\npattern = 'ssh'\nbind = '{at}'\n");
        let file = directory.file("c.toml", &text);
        let mut command = tarpitd();
        command.args(["-c", &file]).env("SSH_CONNECTION", login(at));
        let output = command.output().expect("it ends");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains("your present SSH login came to it"), "{log}");
        assert!(!log.contains("in use"), "{log}");
    }
    // The same port of another address is served, with a warning.
    let other = SocketAddr::from(([127, 0, 0, 9], at.port()));
    let mut command = tarpitd();
    command.args(["-s", &format!("ssh:{other}")]).env("SSH_CONNECTION", login(at));
    let mut daemon = Daemon::spawn(command, 1);
    assert!(Client::of(daemon.addresses[0]).hear().starts_with(b"SSH-2.0-"));
    let warning = "the same port of another address";
    if !daemon.log.iter().any(|line| line.contains(warning)) {
        daemon.log_has(warning);
    }
}
