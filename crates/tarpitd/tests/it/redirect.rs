//! Ports that the firewall directs to a tarpit: the rules that `tarpitd firewall` prints, loaded in
//! a network of the test's own.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::{Command, Stdio},
    thread,
};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use serde_json::Value;

use crate::{
    daemon::{Client, Daemon, Directory, tarpitd},
    namespace::Namespace,
    require::{require, require_files},
};

/// The server's addresses, and a network that is routed to it and that no machine uses.
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 1);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xFD74, 1, 0, 0, 0, 0, 0, 1);
const UNUSED: [u8; 2] = [198, 19];

/// Two networks with a cable between them: the server's, and the clients'.
struct Pair {
    server: Namespace,
    clients: Namespace,
}

impl Pair {
    /// None where the machine allows none.
    fn new(name: &str) -> Option<Self> {
        if !(require("nft") && require("ipv6") && require_files(2_500)) {
            return None;
        }
        let server = Namespace::new(&format!("{name}-server"))?;
        let clients = Namespace::new(&format!("{name}-clients"))?;
        let cable = format!("link add cable type veth peer name cable netns {}", clients.name());
        for words in ["link set lo up", &cable, "address add 198.18.1.1/16 dev cable"] {
            assert!(server.ip(words), "{words}");
        }
        for words in ["address add fd74:1::1/64 dev cable nodad", "link set cable up"] {
            assert!(server.ip(words), "{words}");
        }
        for words in [
            "link set cable up",
            "address add 198.18.2.1/16 dev cable",
            "address add fd74:1::2/64 dev cable nodad",
            "route add 198.19.0.0/16 via 198.18.1.1",
            // Clients have all addresses of 198.18.2.0/24.
            "route add local 198.18.2.0/24 dev lo",
        ] {
            assert!(clients.ip(words), "{words}");
        }
        Some(Self { server, clients })
    }
}

/// Runs a program of this namespace, with something to read; what it wrote.
fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}\n{input}");
    String::from_utf8(output.stdout).expect("text")
}

/// The rules for a configuration.
fn rules(arguments: &[&str]) -> String {
    let output = tarpitd().arg("firewall").args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What each client says, and what holds it then; the ports of protocols whose server speaks first
/// get a client that says nothing.
const SPOKEN: [(&[u8], &str); 5] = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "ssh"),
    (b"*1\r\n$4\r\nPING\r\n", "redis"),
    (b"USER root\r\n", "ftp"),
    (b"EHLO a\r\n", "smtp"),
];
const GREETED: [(u16, &[u8]); 4] =
    [(21, b"220"), (25, b"220 "), (2_222, b"SSH-2.0-"), (23, b"\xFF\xFD")];

/// Rules of the machine's own, for which the kernel tracks connections.
const TRACKING: &str = "table inet own {\n\
                        chain input {\ntype filter hook input priority 0\nct state invalid counter\n}\n\
                        }\n";

/// The configuration: everything goes to one port.
fn configuration(bind: &str) -> String {
    format!(
        "[tarpits.all]\npattern = 'auto'\nbind = '{bind}'\nredirected = true\nclient_trace = true\n\
         strict_lock = false\n[limits]\nper_address = 0\nper_prefix = 0\n\
         [logging]\ntrace_per_second = 0\n"
    )
}

/// A client of one of the addresses in 198.18.2.0/24.
fn connect(number: u16, server: SocketAddr) -> Client {
    let flags = SocketFlags::CLOEXEC;
    let (family, source): (_, IpAddr) = match server {
        SocketAddr::V4(_) => {
            (AddressFamily::INET, Ipv4Addr::new(198, 18, 2, 1 + (number % 50) as u8).into())
        }
        SocketAddr::V6(_) => {
            (AddressFamily::INET6, Ipv6Addr::new(0xFD74, 1, 0, 0, 0, 0, 0, 2).into())
        }
    };
    let socket = net::socket_with(family, SocketType::STREAM, flags, None).expect("a socket");
    net::bind(&socket, &SocketAddr::from((source, 0))).expect("an address of its own");
    net::connect(&socket, &server).unwrap_or_else(|error| panic!("{server}: {error}"));
    std::net::TcpStream::from(socket).into()
}

/// Connects to a thousand ports from the clients' namespace; which protocol each is to be held by.
/// `places` makes the address of a server of a number.
fn crowd(
    pair: &Pair,
    place: fn(u16, u16) -> SocketAddr,
) -> (Vec<Client>, BTreeMap<SocketAddr, &'static str>) {
    pair.clients.enter();
    let mut clients = Vec::new();
    let mut wanted = BTreeMap::new();
    for (number, (port, greeting)) in (0..).zip(GREETED) {
        let mut client = connect(number, place(number, port));
        let heard = client.hear();
        assert!(heard.starts_with(greeting), "{port}: {}", heard.escape_ascii());
        clients.push(client);
    }
    // Any port but one that is excepted, in an order that looks random.
    let ports = (1..=u16::MAX).map(|number| number.wrapping_mul(40_503));
    let ports = ports.filter(|port| !GREETED.iter().any(|(other, _)| other == port) && *port > 30);
    for (number, port) in (0..996).zip(ports) {
        let (said, protocol) = SPOKEN[usize::from(number) % SPOKEN.len()];
        let server = place(number, port);
        let mut client = connect(number, server);
        client.0.write_all(said).expect("it is open");
        wanted.insert(server, protocol);
        clients.push(client);
    }
    pair.server.enter();
    (clients, wanted)
}

/// The address to which the client of a line connected.
fn destination(line: &Value) -> SocketAddr {
    let end = &line["conn_info"]["sockname"];
    let ip: IpAddr = end[0].as_str().expect("an address").parse().expect("an address");
    let port = u16::try_from(end[1].as_u64().expect("a number")).expect("a port");
    SocketAddr::new(ip, port)
}

/// Waits until each client is held by the right protocol.
fn check_protocols(daemon: &mut Daemon, mut wanted: BTreeMap<SocketAddr, &'static str>) {
    while !wanted.is_empty() {
        let line = daemon.trace_line();
        let server = destination(&line);
        if let (Some(protocol), Some(expected)) = (line["protocol"].as_str(), wanted.get(&server)) {
            assert_eq!(protocol, *expected, "{line}");
            wanted.remove(&server);
        }
    }
}

/// Where the client with this number connects to: to the server's addresses of both families, and
/// to some that no machine has.
fn anywhere(number: u16, port: u16) -> SocketAddr {
    match number % 4 {
        3 if number > 100 => SocketAddr::from(([UNUSED[0], UNUSED[1], 7, 9], port)),
        // One IPv6 network may send fewer SYNs than the clients of this test do in all.
        2 if number < 200 => (SERVER_V6, port).into(),
        _ => (SERVER, port).into(),
    }
}

fn at_home(number: u16, port: u16) -> SocketAddr {
    if number % 4 == 2 && number < 200 { (SERVER_V6, port).into() } else { (SERVER, port).into() }
}

#[test]
fn a_thousand_ports_are_held_by_the_protocol_of_each_client() {
    // In threads of their own: the others stay in the machine's namespace.
    for by_nat in [false, true] {
        thread::spawn(move || redirect(by_nat)).join().expect("it passed");
    }
}

fn redirect(by_nat: bool) {
    let Some(pair) = Pair::new(if by_nat { "nat" } else { "tproxy" }) else { return };
    let directory = Directory::new(if by_nat { "nat" } else { "tproxy" });
    let bind = if by_nat { "*:9999" } else { "localhost:9999" };
    let file = directory.file("c.toml", &configuration(bind));
    pair.server.enter();
    let mut arguments = vec![&*file, "--except", "30"];
    if by_nat {
        arguments.push("--redirect");
    }
    run("nft", &["-f", "-"], &rules(&arguments));
    // Something of the machine's own that tracks connections.
    run("nft", &["-f", "-"], TRACKING);
    if !by_nat {
        for words in
            ["rule add fwmark 0x7461 lookup 29793", "route add local default dev lo table 29793"]
        {
            assert!(pair.server.ip(words), "{words}");
        }
        let element = "add element inet tarpitd unused4 { 198.19.0.0/16 }";
        run("nft", &["-f", "-"], element);
    }
    let mut daemon = Daemon::start(&["-c", &file], 2);
    let (clients, wanted) = crowd(&pair, if by_nat { at_home } else { anywhere });
    check_protocols(&mut daemon, wanted);
    let tracked = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
    let tracked: u32 = tracked.expect("this kernel tracks").trim().parse().expect("a number");
    if by_nat {
        assert!(tracked >= 1_000, "{tracked}");
    } else {
        assert_eq!(tracked, 0, "of a thousand that are held");
    }
    // A port that is excepted refuses as before, and another program's is its own.
    let own = std::net::TcpListener::bind((SERVER, 0)).expect("a free port");
    pair.clients.enter();
    let refused = std::net::TcpStream::connect((SERVER, 30)).expect_err("nothing listens there");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let theirs = connect(7, own.local_addr().expect("it is bound"));
    assert_eq!(own.accept().expect("it came").1, theirs.0.local_addr().expect("it is connected"));
    drop(clients);
}

#[test]
fn nftables_takes_the_rules_for_every_kind_of_configuration() {
    thread::spawn(|| {
        if !require("nft") {
            return;
        }
        let Some(namespace) = Namespace::new("rules") else { return };
        namespace.enter();
        let directory = Directory::new("rules");
        let text = "[tarpits.a]\npattern = 'auto'\nbind = ['0.0.0.0:9999', '[2001:db8::1]:9998']\n\
                    redirected = true\n[tarpits.b]\npattern = 'ssh'\nbind = '*:2222'\n\
                    redirected = true\n[tarpits.c]\npattern = 'ftp'\nbind = '*:2121'\n\
                    [access]\nallow = ['192.0.2.0/24', '192.0.2.7', '2001:db8::/32', '0.0.0.0/1']\n\
                    deny = ['198.51.100.7', '::1']\n";
        let many = directory.file("many.toml", text);
        let one = "[tarpits.a]\npattern = 'ssh'\nbind = '192.0.2.1:9999'\nredirected = true\n";
        let one = directory.file("one.toml", one);
        for file in [&[][..], &[&*many], &[&*one]] {
            for options in [&[][..], &["--redirect"], &["--except", "22,80-90,443"]] {
                let rules = rules(&[file, options].concat());
                run("nft", &["-c", "-f", "-"], &rules);
            }
        }
    })
    .join()
    .expect("it passed");
}
