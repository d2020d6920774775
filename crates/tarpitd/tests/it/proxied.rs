//! Clients behind a relay: the PROXY protocol, as tests write it and as real relays do.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

use crate::{
    clock::now,
    daemon::{Client, Daemon, Directory, until},
    namespace::Namespace,
    require::{require, require_files},
};

/// A port for SSH, and one for everything, behind relays.
fn daemon(directory: &Directory, more: &str) -> Daemon {
    let text = format!(
        "[tarpits.ssh]\npattern = 'ssh_trans_hold'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
         proxy_from = ['127.0.0.1']\n[logging]\ntrace_per_second = 0\n{more}"
    );
    Daemon::start(&["-c", &directory.file("c.toml", &text)], 1)
}

/// Connects and sends these bytes at once.
fn say(daemon: &Daemon, said: &[u8]) -> Client {
    let mut client = daemon.connect();
    client.0.write_all(said).expect("it is open");
    client
}

fn line(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 198.51.100.1 40000 22\r\n").into_bytes()
}

/// Version 2 over IPv6, with something that only the relay knows.
fn binary() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2A".to_vec();
    for ip in ["2001:db8::7", "2001:db8::1"] {
        header.extend(ip.parse::<std::net::Ipv6Addr>().expect("an address").octets());
    }
    header.extend([0x9C, 0x40, 0, 22, 4, 0, 3, 1, 2, 3]);
    header
}

#[test]
fn the_client_that_a_header_names_is_held_as_if_it_had_come_by_itself() {
    let directory = Directory::new("proxied");
    let mut daemon = daemon(&directory, "[limits]\nper_address = 2\n");
    let mut clients = Vec::new();
    for (said, peer, server) in [
        (line("192.0.2.7"), r#"["192.0.2.7",40000]"#, r#"["198.51.100.1",22]"#),
        (binary(), r#"["2001:db8::7",40000,0,0]"#, r#"["2001:db8::1",22,0,0]"#),
    ] {
        let mut client = say(&daemon, &said);
        assert!(client.hear().starts_with(b"SSH-2.0-"));
        let via = client.0.local_addr().expect("it is connected");
        let open = daemon.trace_has("open");
        assert_eq!(open["conn_info"]["peername"].to_string(), peer);
        assert_eq!(open["conn_info"]["sockname"].to_string(), server);
        assert_eq!(open["via"].to_string(), format!("[\"127.0.0.1\",{}]", via.port()));
        clients.push(client);
    }
    // The relay may bring as many as it likes, and each client only as many as others.
    for host in 10..15 {
        clients.push(say(&daemon, &line(&format!("192.0.2.{host}"))));
        assert_eq!(daemon.trace_line()["event"], "open");
    }
    clients.push(say(&daemon, &line("192.0.2.7")));
    assert_eq!(daemon.trace_line()["event"], "open");
    let mut third = say(&daemon, &line("192.0.2.7"));
    let refused = daemon.trace_line();
    assert_eq!(
        (&refused["event"], &refused["meta"]["reason"]),
        (&"refuse".into(), &"per_address".into())
    );
    third.is_reset();
    // What follows the header is the client's, and a line is the same client's to its end.
    clients[0].0.write_all(b"SSH-2.0-x\r\n").expect("it is open");
    let validate = daemon.trace_has("validate");
    assert_eq!(validate["conn_info"]["peername"].to_string(), r#"["192.0.2.7",40000]"#);
    let (trace, _, _) = daemon.stop();
    let closed = trace.iter().filter(|line| line["event"] == "close");
    assert!(closed.clone().all(|line| !line["via"].is_null()), "{trace:?}");
    assert_eq!(closed.count(), 8);
}

#[test]
fn a_relay_without_a_header_is_held_as_itself_and_told() {
    let directory = Directory::new("headless");
    let mut daemon = daemon(&directory, "");
    for (said, reason) in [
        (&b"SSH-2.0-x\r\n"[..], "no header"),
        (b"PROXY TCP4 1.2.3.4 999.1.1.1 1 2\r\n", "address"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF", "too long"),
        (b"PROXY TCP4 192.0.2.7", "absent"),
        (b"", "absent"),
    ] {
        let start = now();
        let mut client = say(&daemon, said);
        let malformed = daemon.trace_has("malformed");
        assert_eq!(
            malformed["meta"].to_string(),
            format!(r#"{{"layer":"proxy","reason":"{reason}"}}"#)
        );
        let peer = client.0.local_addr().expect("it is connected").port();
        assert_eq!(malformed["conn_info"]["peername"][1], peer);
        assert!(malformed["via"].is_null());
        assert!(client.hear().starts_with(b"SSH-2.0-"));
        assert!(
            reason != "absent" || start.elapsed().as_millis() >= 1_900,
            "{:?}",
            start.elapsed()
        );
    }
    // A relay that speaks for itself is itself.
    let mut own = say(&daemon, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert!(own.hear().starts_with(b"SSH-2.0-"));
    // Others send bytes.
    let mut other = Client::from_to(Ipv4Addr::new(127, 0, 0, 2), daemon.addresses[0]);
    other.0.write_all(&line("192.0.2.7")).expect("it is open");
    let validate = loop {
        let line = daemon.trace_has("validate");
        if line["conn_info"]["peername"][0] == "127.0.0.2" {
            break line;
        }
    };
    assert_eq!(validate["meta"]["expected"], false);
    assert_eq!(validate["meta"]["data"], "b'PROX'");
}

#[test]
fn a_bounded_number_of_relays_waits_for_a_header_and_stands_in_nobody_s_way() {
    if !require_files(4_000) {
        return;
    }
    let directory = Directory::new("waiting");
    let mut daemon = daemon(&directory, "[limits]\nper_address = 1\n");
    let waiting: Vec<_> = (0..1_024).map(|_| daemon.connect()).collect();
    daemon.refuses();
    let line = daemon.trace_line();
    assert_eq!((&line["event"], &line["meta"]["reason"]), (&"refuse".into(), &"proxy_from".into()));
    // A client of no relay is held meanwhile.
    let mut other = Client::from_to(Ipv4Addr::new(127, 0, 0, 3), daemon.addresses[0]);
    assert!(other.hear().starts_with(b"SSH-2.0-"));
    // Once the patience with them is over, each is itself, and counts: one may stay.
    let open = loop {
        let line = daemon.trace_has("open");
        if line["conn_info"]["peername"][0] == "127.0.0.1" {
            break line;
        }
    };
    assert!(open["via"].is_null());
    let reason = loop {
        let line = daemon.trace_has("refuse");
        if line["meta"]["reason"] != "proxy_from" {
            break line["meta"]["reason"].clone();
        }
    };
    assert_eq!(reason, "per_address");
    drop(waiting);
}

/// A program of this test that ends with it.
struct Relay(Child);

impl Relay {
    fn start(program: &str, arguments: &[&str], listens: SocketAddr) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let relay = Self(command.spawn().expect("it is installed"));
        until("the relay", || TcpStream::connect(listens).is_ok());
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // If it has ended by itself, the test says so elsewhere.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a part of a test in a network of its own, in a thread of its own.
fn alone(name: &'static str, part: impl FnOnce(&Directory) + Send + 'static) {
    let part = move || {
        let Some(namespace) = Namespace::new(name) else { return };
        assert!(namespace.ip("link set lo up"));
        namespace.enter();
        part(&Directory::new(name));
    };
    thread::spawn(part).join().expect("it passed");
}

const RELAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2_222);
const BY_V2: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2_223);

/// A client of the relay is held under its own address.
fn check_client(daemon: &mut Daemon, relay: SocketAddr) {
    let mut client = Client::from_to(Ipv4Addr::new(127, 0, 0, 77), relay);
    assert!(client.hear().starts_with(b"SSH-2.0-"));
    let own = client.0.local_addr().expect("it is connected");
    let open = loop {
        let line = daemon.trace_has("open");
        // The test's own look whether the relay listens came from elsewhere.
        if line["conn_info"]["peername"][0] == "127.0.0.77" {
            break line;
        }
    };
    assert_eq!(open["conn_info"]["peername"][1], own.port());
    assert_eq!(
        open["conn_info"]["sockname"].to_string(),
        format!("[\"127.0.0.1\",{}]", relay.port())
    );
    assert_eq!(open["via"][0], "127.0.0.1");
}

#[test]
fn haproxy_names_its_clients_in_both_versions() {
    alone("haproxy", |directory| {
        if !require("haproxy") {
            return;
        }
        let mut daemon = daemon(directory, "");
        let to = daemon.addresses[0];
        let text = format!(
            "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  \
             timeout server 1m\nlisten one\n  bind {RELAY}\n  server a {to} send-proxy\nlisten two\n  \
             bind {BY_V2}\n  server a {to} send-proxy-v2\n"
        );
        let file = directory.file("haproxy.cfg", &text);
        let _relay = Relay::start("haproxy", &["-db", "-f", &file], RELAY);
        check_client(&mut daemon, RELAY);
        check_client(&mut daemon, BY_V2);
    });
}

#[test]
fn nginx_names_its_clients() {
    alone("nginx", |directory| {
        if !require("nginx_stream") {
            return;
        }
        let mut daemon = daemon(directory, "");
        let to = daemon.addresses[0];
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nworker_processes 1;\n\
             pid {0};\nerror_log stderr;\nevents {{}}\nstream {{\n  server {{\n    listen {RELAY};\n    \
             proxy_pass {to};\n    proxy_protocol on;\n  }}\n}}\n",
            directory.path("nginx.pid")
        );
        let file = directory.file("nginx.conf", &text);
        let _relay =
            Relay::start("nginx", &["-c", &file, "-g", "daemon off; master_process off;"], RELAY);
        check_client(&mut daemon, RELAY);
    });
}

/// An HTTP request with these fields.
fn request(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// A port for HTTP.
fn web(directory: &Directory, more: &str) -> Daemon {
    let text = format!(
        "[tarpits.web]\npattern = 'http_hold'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
         [logging]\ntrace_per_second = 0\n{more}"
    );
    Daemon::start(&["-c", &directory.file("c.toml", &text)], 1)
}

#[test]
fn a_forwarded_client_is_a_fact_and_only_a_named_relay_is_believed() {
    let directory = Directory::new("forwarded");
    let access = "[access]\nforwarded_from = ['127.0.0.1', '10.0.0.0/8']\nallow = ['192.0.2.99']\n\
                  deny = ['192.0.2.98']\n[limits]\nper_address = 2\n";
    let mut daemon = web(&directory, access);
    let fields = "X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.0.0.1\r\nForwarded: for=1.1.1.2\r\n\
                  X-Real-IP: 1.1.1.3\r\n";
    let mut clients = Vec::new();
    for number in 0..3 {
        let client = say(&daemon, &request(fields));
        let open = daemon.trace_has("open");
        assert_eq!(open["conn_info"]["peername"][0], "127.0.0.1");
        let learn = loop {
            let line = daemon.trace_line();
            // The third is one too many of that client, though not of the relay.
            if number == 2 && line["event"] == "close" {
                assert_eq!(line["reason"], "refused");
            }
            if line["event"] == "learn" {
                break line;
            }
        };
        assert_eq!(learn["session"], open["session"]);
        assert_eq!(learn["conn_info"]["peername"].to_string(), r#"["192.0.2.7",0]"#);
        assert_eq!(learn["via"][0], "127.0.0.1");
        let meta = &learn["meta"];
        assert_eq!(meta["http_x_forwarded_for"], "1.1.1.1, 192.0.2.7, 10.0.0.1");
        assert_eq!(meta["http_forwarded"], "for=1.1.1.2");
        assert_eq!(meta["http_x_real_ip"], "1.1.1.3");
        clients.push(client);
    }
    assert_eq!(daemon.trace_has("close")["reason"], "refused");
    for listed in ["192.0.2.98", "192.0.2.99"] {
        say(&daemon, &request(&format!("Forwarded: for={listed}\r\n"))).is_reset();
        assert_eq!(daemon.trace_has("close")["reason"], "refused");
    }
    // From others the field is a fact.
    let mut other = Client::from_to(Ipv4Addr::new(127, 0, 0, 2), daemon.addresses[0]);
    other.0.write_all(&request(fields)).expect("it is open");
    let learn = loop {
        let line = daemon.trace_has("learn");
        if line["conn_info"]["peername"][0] == "127.0.0.2" {
            break line;
        }
    };
    assert_eq!(learn["meta"]["http_x_real_ip"], "1.1.1.3");
    assert!(learn["via"].is_null());
    // Its address may be of another family than the connection.
    let sixth = say(&daemon, &request("X-Real-IP: 2001:db8::7\r\n"));
    let learn = daemon.trace_has("learn");
    assert_eq!(learn["conn_info"]["peername"].to_string(), r#"["2001:db8::7",0,0,0]"#);
    let (trace, _, _) = daemon.stop();
    let closed: Vec<_> = trace.iter().filter(|line| line["event"] == "close").collect();
    let peers = closed.iter().map(|line| line["conn_info"]["peername"][0].clone());
    let mut peers: Vec<_> = peers.collect();
    peers.sort_by_key(ToString::to_string);
    assert_eq!(peers, ["127.0.0.2", "192.0.2.7", "192.0.2.7", "2001:db8::7"]);
    drop((clients, sixth));
}

#[test]
fn what_a_client_writes_in_front_of_its_relay_s_word_does_not_count() {
    let directory = Directory::new("forged");
    let mut daemon = web(&directory, "[access]\nforwarded_from = ['127.0.0.1']\n");
    let long = "1.2.3.4, ".repeat(60);
    for (fields, wanted) in [
        // Some relays add a line of their own, others an address at the end.
        ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        (&format!("X-Forwarded-For: {long}192.0.2.8\r\n"), "192.0.2.8"),
        (
            "X-Forwarded-For: 192.0.2.9\r\nForwarded: for=1.1.1.1\r\nForwarded: for=1.1.1.1\r\n",
            "192.0.2.9",
        ),
        ("X-Forwarded-For: nobody\r\n", "127.0.0.1"),
        // A relay may not know its client; what that one wrote does not count for all that.
        ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: unknown\r\n", "127.0.0.1"),
        ("X-Forwarded-For: unknown\r\nForwarded: for=1.1.1.1\r\n", "127.0.0.1"),
        ("Forwarded: for=unknown\r\nX-Real-IP: 1.1.1.1\r\n", "127.0.0.1"),
    ] {
        let client = say(&daemon, &request(fields));
        let open = daemon.trace_has("open");
        // The last line of the request says who it is.
        let mut who = None;
        while who.as_deref() != Some(wanted) {
            let line = daemon.trace_has("learn");
            assert_eq!(line["session"], open["session"], "{fields} is not {wanted}");
            who = line["conn_info"]["peername"][0].as_str().map(str::to_owned);
        }
        drop(client);
        let close = daemon.trace_has("close");
        assert_eq!(close["conn_info"]["peername"][0], wanted, "{fields}");
        assert_eq!(close["via"].is_null(), wanted == "127.0.0.1", "{close}");
    }
}

#[test]
fn an_address_that_is_hidden_is_hidden_in_what_relays_say() {
    let directory = Directory::new("hidden");
    let text = "[access]\nforwarded_from = ['127.0.0.1']\n".to_owned();
    let file = format!(
        "[tarpits.web]\npattern = 'http_hold'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
         {text}[logging]\nanonymize = 'prefix'\n"
    );
    let mut daemon = Daemon::start(&["-c", &directory.file("c.toml", &file)], 1);
    let _client = say(&daemon, &request("X-Forwarded-For: 192.0.2.7\r\n"));
    let learn = daemon.trace_has("learn");
    assert_eq!(learn["conn_info"]["peername"][0], "192.0.2.0");
    assert_eq!(learn["meta"]["http_x_forwarded_for_length"], 9);
    assert!(!learn.to_string().contains("192.0.2.7"), "{learn}");
}

#[test]
fn health_checks_are_answered_and_leave_no_line() {
    let directory = Directory::new("health");
    let text = "[tarpits.web]\npattern = 'http_hold'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
                [tarpits.ssh]\npattern = 'ssh_auth_hold'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
                [access]\nhealth = ['127.0.0.1']\ndeny = ['127.0.0.0/8']\n[logging]\nlevel = 'info'\n";
    let daemon = Daemon::start(&["-c", &directory.file("c.toml", text)], 2);
    let ends_with = |address: SocketAddr, said: &[u8]| {
        let mut client = Client::of(address);
        client.0.write_all(said).expect("it is open");
        let mut heard = Vec::new();
        std::io::Read::read_to_end(&mut client.0, &mut heard).expect("an end without a reset");
        heard
    };
    let [web, ssh] = daemon.addresses[..] else { panic!("two") };
    let whole = ends_with(web, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(whole.starts_with(b"HTTP/1.1 200 OK\r\n") && whole.ends_with(b"\r\n\r\nok\n"));
    let head = ends_with(web, b"HEAD / HTTP/1.0\r\n\r\n");
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n") && head.ends_with(b"\r\n\r\n"));
    assert_eq!(ends_with(web, b"\x16\x03\x01"), b"");
    // A check that only connects.
    assert!(ends_with(ssh, b"").starts_with(b"SSH-2.0-"));
    let (trace, log, _) = daemon.stop();
    assert!(trace.is_empty(), "{trace:?}");
    let totals = log.iter().find(|line| line.contains("totals:")).expect("a line");
    assert!(
        totals.contains(" opened=0 refused=0 ") && totals.contains(" health_checks=4 "),
        "{totals}"
    );
}
