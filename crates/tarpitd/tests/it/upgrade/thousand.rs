//! A thousand clients of all protocols, two upgrades, two reloads and a restart of the unit: nobody is
//! closed, and nobody waits too long.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::{GAP, HELD, Upgraded};
use crate::{
    clock::{now, pause},
    daemon::{Client, Daemon, Directory, file_gets, until},
    require::{require, require_files},
    systemd::{Manager, of_store},
    tls,
};

/// How many there are.
const CLIENTS: usize = 1_000;

/// How many of these have completed a TLS handshake.
const SECURED: usize = 20;

/// Patterns whose clients wait for an answer for long, and what these say first.
const SILENT: [(&str, &str); 6] = [
    ("ftp_hold", "USER a\r\n"),
    ("redis_hold", "PING\r\n"),
    ("smtp_hold", "EHLO a\r\n"),
    ("ssh_kex_hold", "SSH-2.0-x\r\n"),
    ("telnet_login", "root\r\n"),
    ("tls_slow_hello", ""),
];

/// The configuration; `lines` is what a reload changes.
fn text(state: &str, lines: &str) -> String {
    let table = |(pattern, _): &(&str, &str)| {
        format!("[tarpits.{pattern}]\npattern = '{pattern}'\nbind = '127.0.0.1:0'\n{lines}\n")
    };
    let tarpits: String = HELD.iter().chain(&SILENT).map(table).collect();
    format!(
        "state_dir = '{state}'\n{tarpits}[tarpits.secured]\npattern = 'tls'\ninner = 'http_endless_header'\n\
         bind = '127.0.0.1:0'\n[limits]\nper_address = 0\nper_prefix = 0\n\
         handshakes_per_second = 100000\n"
    )
}

/// Clients, and when each heard something last.
struct Crowd {
    clients: Vec<(Client, Heard)>,
}

/// What is to be heard.
enum Heard {
    /// Something now and then; it was then.
    Again(Instant),
    Perhaps,
}

impl Crowd {
    fn of(addresses: &[SocketAddr]) -> Self {
        let kinds: Vec<_> = HELD.iter().chain(&SILENT).zip(addresses).enumerate().collect();
        let one = |number: usize| {
            let &(kind, ((_, says), address)) = &kinds[number % kinds.len()];
            let mut client = Client::of(*address);
            client.0.write_all(says.as_bytes()).expect("sent");
            client.0.set_nonblocking(true).expect("a mode");
            let heard = if kind < HELD.len() { Heard::Again(now()) } else { Heard::Perhaps };
            (client, heard)
        };
        Self { clients: (0..CLIENTS - SECURED).map(one).collect() }
    }

    /// Hears what has come. Nobody may be closed, and nobody may have waited too long.
    fn hear(&mut self) {
        let mut buffer = [0; 4_096];
        for (number, (client, heard)) in self.clients.iter_mut().enumerate() {
            match client.0.read(&mut buffer) {
                Ok(0) => panic!("client {number} is closed"),
                Ok(_) => {
                    if let Heard::Again(last) = heard {
                        *last = now();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("client {number}: {error}"),
            }
            if let Heard::Again(last) = heard {
                assert!(last.elapsed() < GAP, "client {number} waits since {:?}", last.elapsed());
            }
        }
    }

    fn hear_for(&mut self, time: Duration) {
        let start = now();
        while start.elapsed() < time {
            self.hear();
            pause(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_thousand_clients_of_all_protocols_notice_neither_upgrades_nor_reloads_nor_a_restart() {
    if !require_files(3 * CLIENTS + 200) {
        return;
    }
    let ports = HELD.len() + SILENT.len() + 1;
    let traces = Directory::new("upgrade-thousand-trace");
    let trace = traces.path("trace.jsonl");
    let directory = Directory::new("upgrade-thousand");
    let (config, state) = (directory.path("tarpitd.toml"), directory.path("state"));
    let control = format!("\n[control]\nsocket = '{}'\n", directory.path("control"));
    let set = |lines: &str| fs::write(&config, text(&state, lines) + &control).expect("written");
    set("");
    let (manager, arguments) = (Manager::new("thousand"), ["-c", &config, "-t", &trace]);
    let daemon = Daemon::spawn(of_store(&manager, Vec::new(), &arguments), ports);
    let mut it = Upgraded { directory, daemon, pid: None };
    let addresses = it.daemon.addresses.clone();
    let secured = addresses[ports - 1];
    let settings = tls::settings();
    let asking: Vec<_> =
        (0..SECURED).map(|_| tls::asking(&settings, secured, "a.example")).collect();
    let mut crowd = Crowd::of(&addresses);
    let mut streams: Vec<tls::Stream> = asking.into_iter().map(|it| tls::answered(it).0).collect();
    let mut ssh = require("ssh").then(|| {
        let port =
            addresses[HELD.iter().position(|it| it.0 == "ssh_auth_hold").expect("one")].port();
        let options = "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oBatchMode=yes";
        let mut command = Command::new("ssh");
        command.args(options.split(' ')).args(["-p", &port.to_string(), "root@127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("it runs")
    });
    let all = CLIENTS + usize::from(ssh.is_some());
    until("all are held", || it.held() == all);
    let begun = now();
    crowd.hear_for(Duration::from_secs(5));
    let ids = it.held_ids();
    for lines in ["max_clients = 900", "max_clients = 800"] {
        set(lines);
        it.says(&["reload"]);
        crowd.hear_for(Duration::from_secs(6));
        it.upgrade();
        assert_eq!(it.held_ids(), ids);
        crowd.hear_for(Duration::from_secs(9));
    }
    // As by `systemctl restart`, which keeps the sockets meanwhile.
    let pid = it.pid.take().expect("the second new program");
    kill_process(pid, Signal::TERM).expect("it runs");
    let stored = manager.store();
    assert_eq!(stored.len(), all);
    it.daemon.rest_of_trace();
    it.daemon = Daemon::spawn(of_store(&manager, stored, &arguments), ports);
    assert_eq!(it.held_ids(), ids);
    crowd.hear_for(GAP);
    // What comes is still under the keys of the handshake.
    for stream in &mut streams {
        assert!(stream.read(&mut [0; 256]).expect("it is decrypted") > 0);
    }
    if let Some(ssh) = &mut ssh {
        assert_eq!(ssh.try_wait().expect("it was started"), None, "its messages are authentic");
        ssh.kill().and_then(|()| ssh.wait()).expect("it ran");
    }
    let held = begun.elapsed();
    it.daemon.signal(Signal::INT);
    assert!(manager.store().is_empty(), "INT closes all");
    it.daemon.rest_of_trace();
    let text = file_gets(&trace, |text| text.matches("\"close\"").count() >= all);
    let mut events: HashMap<String, Vec<Value>> = HashMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        events.entry(line["session"].as_str().expect("an id").to_owned()).or_default().push(line);
    }
    for id in &ids {
        let of = |event: &str| events[id].iter().filter(|it| it["event"] == event).count();
        assert_eq!((of("open"), of("close")), (1, 1), "{id}");
        let close = events[id].iter().find(|it| it["event"] == "close").expect("one");
        if close["reason"] == "stopped" {
            assert!(close["duration"].as_f64() > Some(held.as_secs_f64()), "{close}");
        } else {
            assert_eq!(close["pattern"], "ssh_auth_hold", "only ssh was ended: {close}");
        }
    }
}
