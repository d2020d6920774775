//! The trace in each of its formats, as the real binary writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    daemon::{Client, Daemon, Directory, file_gets, tarpitd, until},
    metrics::samples,
    require::require,
    ssh_packets::{client_offer, offer_of, packet},
    trace::on_a_terminal,
};

/// Where clients come from: no other address looks like it.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 9, 8, 77);

/// A name that would end a line, a string, and the order of writing if it stood there as it is.
const HOSTILE: &str = "r\"o'o\\t\u{1b}[2J\u{9b}\u{202e},\"event\":\"open";

/// A daemon whose trace is in a file.
struct Traced {
    daemon: Daemon,
    directory: Directory,
}

impl Traced {
    /// With these lines in `[logging]`.
    fn start(name: &str, logging: &str) -> Self {
        let directory = Directory::new(name);
        let path = directory.file("c.toml", &config(&directory, logging));
        let daemon = Daemon::start(&["-c", &path, "-v"], 4);
        Self { daemon, directory }
    }

    /// Clients that make every event and a few facts; then the daemon ends. The trace.
    fn end(self) -> String {
        let Self { mut daemon, directory } = self;
        let addresses = daemon.addresses.clone();
        let said: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: ua/1\r\n\r\n",
            b"SSH-2.0-x\r\nGET / HTTP/1.0\r\n\r\n",
            format!("USER {HOSTILE}\r\nPASS toor\r\n").leak().as_bytes(),
            b"SSH-2.0-OpenSSH_9.2p1\r\n",
        ];
        let mut clients = Vec::new();
        for (&address, said) in addresses.iter().zip(said) {
            let mut client = Client::from_to(SOURCE, address);
            daemon.log_has("ACCEPT ");
            client.0.write_all(said).expect("sent");
            clients.push(client);
        }
        // The last place of this address is taken: more are refused.
        Client::from_to(SOURCE, addresses[0]).is_reset();
        let received: usize = said.iter().map(|said| said.len()).sum();
        let received = format!(" received={received} ");
        until("all that was sent", || {
            daemon.signal(Signal::USR1);
            daemon.log_has("totals: ").contains(&received)
        });
        let last = clients.pop().expect("a client");
        let at_once = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&last.0, at_once).expect("an option of sockets");
        drop(last);
        daemon.log_has("CLOSE ");
        let (_, log, _) = daemon.stop();
        let log = log.join("\n");
        assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
        fs::read_to_string(directory.path("trace")).expect("a trace")
    }
}

fn config(directory: &Directory, logging: &str) -> String {
    let tarpits = ["http_hold", "ssh_kex_hold", "ftp_hold", "endlessh"].map(|pattern| {
        format!(
            "[tarpits.my_{pattern}]\npattern = '{pattern}'\nbind = '127.0.0.1:0'\n\
             client_trace = true\nrate_limit = 0\n"
        )
    });
    format!(
        "{}[limits]\nper_address = 4\n[logging]\nclient_trace = '{}'\n{logging}",
        tarpits.concat(),
        directory.path("trace")
    )
}

/// The lines as JSON. Nothing in them moves a cursor.
fn json(trace: &str) -> Vec<Value> {
    let is_harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    assert!(trace.chars().all(is_harmless), "{trace:?}");
    trace.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// How often each value of a key occurs.
fn count<'a>(lines: &'a [Value], key: &str) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let value = line.pointer(key).and_then(Value::as_str).expect("a string");
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The leaves of an object by the paths to them.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{key}"), found);
            }
        }
        _ => found.push((path.to_owned(), value.clone())),
    }
}

/// A column of the table of all keys in the documents.
fn column(name: &str) -> BTreeSet<String> {
    let page = include_str!("../../../../docs/logging.md");
    let (_, table) = page.split_once("<!-- the table \"keys\"").expect("the table");
    let (table, _) = table.split_once("<!-- end").expect("its end");
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let mut rows = table.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = rows.next().expect("a head");
    let place = head.iter().position(|title| title == name).expect("the column");
    rows.flat_map(|row| row[place].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether a key has its row; of a fact's length there is one row for all.
fn has_row(rows: &BTreeSet<String>, key: &str) -> bool {
    let general = |ending: &str, row: &str| {
        let name = key.strip_suffix(ending)?;
        let (place, _) = name.rsplit_once('.').unwrap_or(("", name));
        let dot = if place.is_empty() { "" } else { "." };
        Some(rows.contains(&format!("{place}{dot}{row}")))
    };
    rows.contains(key) || general("_length", "NAME_length").unwrap_or(false)
}

#[test]
fn no_key_is_written_that_the_documents_do_not_list() {
    for format in ["jsonl", "ecs", "cowrie"] {
        let trace =
            Traced::start(&format!("rows-{format}"), &format!("format = '{format}'\n")).end();
        let rows = column(if format == "jsonl" { "key" } else { format });
        for line in json(&trace) {
            let mut found = Vec::new();
            leaves(&line, "", &mut found);
            for (key, _) in found {
                assert!(has_row(&rows, &key), "{format}: {key} in {line}");
            }
        }
    }
}

/// The fields of the Elastic Common Schema 9.4 that tarpitd uses, with their types: from the list
/// that Elastic publishes (`fields.csv` of the schema, and its types for TypeScript).
const ECS: [(&str, &str); 35] = [
    ("@timestamp", "date"),
    ("destination.bytes", "long"),
    ("destination.ip", "ip"),
    ("destination.port", "long"),
    ("ecs.version", "keyword"),
    ("email.from.address", "keyword array"),
    ("email.to.address", "keyword array"),
    ("error.message", "text"),
    ("error.type", "keyword"),
    ("event.action", "keyword"),
    ("event.category", "keyword array"),
    ("event.dataset", "keyword"),
    ("event.duration", "long"),
    ("event.kind", "keyword"),
    ("event.module", "keyword"),
    ("event.outcome", "keyword"),
    ("event.reason", "keyword"),
    ("event.type", "keyword array"),
    ("http.request.method", "keyword"),
    ("http.version", "keyword"),
    ("labels", "object"),
    ("message", "text"),
    ("network.protocol", "keyword"),
    ("network.transport", "keyword"),
    ("network.type", "keyword"),
    ("source.as.number", "long"),
    ("source.as.organization.name", "keyword"),
    ("source.bytes", "long"),
    ("source.geo.city_name", "keyword"),
    ("source.geo.country_iso_code", "keyword"),
    ("source.ip", "ip"),
    ("source.port", "long"),
    ("tls.client.ja3", "keyword"),
    ("tls.client.server_name", "keyword"),
    ("url.original", "keyword"),
];

/// The same for fields that only some clients show.
const ECS_OF_CLIENTS: [(&str, &str); 2] =
    [("user.name", "keyword"), ("user_agent.original", "keyword")];

/// What the schema allows in the fields whose values it lists.
const ECS_VALUES: [(&str, &[&str]); 4] = [
    ("event.category", &["network"]),
    ("event.kind", &["event"]),
    ("event.outcome", &["failure", "success", "unknown"]),
    // For events of this category.
    (
        "event.type",
        &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"],
    ),
];

/// Checks a value against its field of the schema.
fn check_ecs(field: &str, value: &Value) {
    let fields = || ECS.iter().chain(&ECS_OF_CLIENTS);
    // A label is a keyword, and no object.
    let listed = if field.starts_with("labels.") {
        assert_eq!(field.matches('.').count(), 1, "{field}");
        "keyword"
    } else {
        fields().find(|(name, _)| *name == field).unwrap_or_else(|| panic!("no field {field}")).1
    };
    let text = value.as_str();
    let fits = match listed {
        "date" => text.is_some_and(|text| text.len() == 24 && text.ends_with('Z')),
        "ip" => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "keyword" | "text" => text.is_some(),
        "keyword array" => {
            value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string))
        }
        "long" => {
            value.is_i64() || value.as_u64().is_some_and(|value| i64::try_from(value).is_ok())
        }
        _ => false,
    };
    assert!(fits, "{field} is {listed}, but {value}");
    if let Some((_, allowed)) = ECS_VALUES.iter().find(|(name, _)| *name == field) {
        let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in all {
            assert!(allowed.contains(&value.as_str().expect("a keyword")), "{field}: {value}");
        }
    }
}

#[test]
fn ecs_has_fields_of_the_schema_with_values_of_their_types() {
    let trace = Traced::start("ecs", "format = 'ecs'\nlog_secrets = true\n").end();
    let lines = json(&trace);
    for line in &lines {
        let mut found = Vec::new();
        leaves(line, "", &mut found);
        for (field, value) in &found {
            check_ecs(field, value);
        }
        for needed in ["@timestamp", "ecs.version", "event.kind", "event.category", "event.type"] {
            assert!(found.iter().any(|(field, _)| field == needed), "{needed}: {line}");
        }
        assert_eq!(line["source"]["ip"], SOURCE.to_string());
    }
    let actions = count(&lines, "/event/action");
    let all = ["close", "conn_error", "learn", "malformed", "open", "refuse", "validate"];
    assert_eq!(actions.keys().copied().collect::<Vec<_>>(), all);
    assert_eq!((actions["open"], actions["close"], actions["refuse"]), (4, 4, 1));
    let one = |key: &str, value: &str| {
        let is_it = |line: &&Value| line.pointer(key).and_then(Value::as_str) == Some(value);
        lines.iter().find(is_it).unwrap_or_else(|| panic!("no {key} is {value}: {lines:#?}"))
    };
    let close = one("/event/action", "close");
    assert_eq!(close["event"]["type"], serde_json::json!(["connection", "end"]));
    assert!(close["event"]["duration"].as_u64() > Some(1_000_000), "nanoseconds: {close}");
    let request = one("/url/original", "/");
    assert_eq!(request["http"]["request"]["method"], "GET");
    assert_eq!(request["user_agent"]["original"], "ua/1");
    assert_eq!(request["network"]["protocol"], "http");
    one("/user/name", HOSTILE);
    one("/labels/secret", "toor");
}

#[test]
fn cowrie_has_its_event_ids_and_keys() {
    let trace = Traced::start("cowrie", "format = 'cowrie'\nlog_secrets = true\n").end();
    let lines = json(&trace);
    let ids = count(&lines, "/eventid");
    assert_eq!((ids["cowrie.session.connect"], ids["cowrie.session.closed"]), (4, 4));
    let of = |id: &str| {
        let found = lines.iter().find(|line| line["eventid"] == id);
        found.unwrap_or_else(|| panic!("no {id}: {lines:#?}"))
    };
    for line in &lines {
        for key in ["timestamp", "session", "src_ip", "dst_ip", "protocol", "sensor", "message"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        assert_eq!(line["src_ip"], SOURCE.to_string());
        assert!(line["src_port"].is_u64() && line["dst_port"].is_u64(), "{line}");
        let timestamp = line["timestamp"].as_str().unwrap_or_default();
        assert!(timestamp.len() == 27 && timestamp.ends_with('Z'), "{line}");
    }
    assert_eq!(of("cowrie.client.version")["version"], "SSH-2.0-x");
    let login = of("cowrie.login.failed");
    assert_eq!((&login["password"], &login["protocol"]), (&"toor".into(), &"ftp".into()));
    let closed = of("cowrie.session.closed");
    let (seconds, millis) = (closed["duration"].as_f64(), closed["duration_ms"].as_u64());
    let (seconds, millis) =
        (seconds.map(Duration::from_secs_f64), millis.map(Duration::from_millis));
    let difference = seconds.zip(millis).map(|(one, other)| one.abs_diff(other));
    assert!(difference.is_some_and(|it| it < Duration::from_millis(1)), "{closed}");
    assert_eq!(of("tarpitd.refuse")["reason"], "per_address");
    assert!(lines.iter().any(|line| line["username"] == HOSTILE), "{lines:#?}");
}

/// The MD5 of these bytes, by another program.
fn md5(bytes: &[u8]) -> String {
    let mut program = Command::new("md5sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    program.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    let output = program.wait_with_output().expect("it ends").stdout;
    String::from_utf8_lossy(&output).split(' ').next().unwrap_or_default().to_owned()
}

impl Traced {
    /// The first event of a client that begins to exchange keys with the tarpit for SSH.
    fn kex_of(self, begin: impl FnOnce(SocketAddr)) -> Value {
        begin(self.daemon.addresses[1]);
        let path = self.directory.path("trace");
        until("its offer", || {
            fs::read_to_string(&path).is_ok_and(|trace| trace.contains("cowrie.client.kex"))
        });
        self.daemon.stop();
        let lines = json(&fs::read_to_string(path).expect("a trace"));
        let kex = lines.into_iter().find(|line| line["eventid"] == "cowrie.client.kex");
        kex.expect("its offer")
    }
}

#[test]
fn cowrie_has_the_lists_behind_the_fingerprint_of_an_ssh_client() {
    let kex = |name: &str, lists: [&[u8]; 10]| {
        Traced::start(name, "format = 'cowrie'\n").kex_of(|address| {
            let mut client = Client::from_to(SOURCE, address);
            let offer = packet(&offer_of(lists));
            client.0.write_all(&[b"SSH-2.0-x\r\n", &offer[..]].concat()).expect("sent");
            client.hear();
        })
    };
    let text = kex(
        "cowrie-text",
        [HOSTILE.as_bytes(), b"h1,h2", b"c;", b"not for us", b"m", b"", b"", b"z", b",l", b""],
    );
    let algorithms = format!("{HOSTILE};c;;m;");
    assert_eq!(text["hasshAlgorithms"], algorithms);
    assert_eq!(text["hassh"], md5(algorithms.as_bytes()));
    let names: Vec<_> = HOSTILE.split(',').collect();
    assert_eq!(text["kexAlgs"], Value::from(names));
    for (key, wanted) in [
        ("keyAlgs", &["h1", "h2"][..]),
        ("encCS", &["c;"]),
        ("macCS", &["m"]),
        ("compCS", &[""]),
        ("langCS", &["", "l"]),
    ] {
        assert_eq!(text[key], Value::from(wanted), "{key}: {text}");
    }

    let long = [&[0xFF; 2_000][..], b",k"].concat();
    let bytes = kex("cowrie-bytes", [&long, b"h", b"c", b"", b"m", b"", b"none", b"", b"", b""]);
    let read = |key: &str| {
        let value = bytes[key].as_str().expect("a text");
        data_encoding::BASE64.decode(value.as_bytes()).expect("base64")
    };
    assert_eq!(read("kexAlgs_base64"), long);
    let algorithms = read("hasshAlgorithms_base64");
    assert_eq!(algorithms, [&long, &b";c;m;none"[..]].concat());
    assert_eq!(bytes["hassh"], md5(&algorithms));
    assert_eq!((&bytes["kexAlgs"], &bytes["encCS"]), (&Value::Null, &Value::from(vec!["c"])));
}

#[test]
fn clients_that_come_after_a_reload_to_cowrie_have_their_lists() {
    let mut traced = Traced::start("cowrie-reload", "format = 'jsonl'\n");
    traced.directory.file("c.toml", &config(&traced.directory, "format = 'cowrie'\n"));
    traced.daemon.signal(Signal::HUP);
    traced.daemon.log_has("configuration reloaded");
    let path = traced.directory.path("trace");
    let mut client = Client::from_to(SOURCE, traced.daemon.addresses[1]);
    client.0.write_all(&[b"SSH-2.0-x\r\n", &client_offer()[..]].concat()).expect("sent");
    file_gets(&path, |trace| trace.contains(r#""kexAlgs":["curve25519-sha256"]"#));
}

#[test]
fn cowrie_has_the_lists_of_openssh() {
    if !require("ssh") {
        return;
    }
    let mut ssh = None;
    let kex = Traced::start("cowrie-ssh", "format = 'cowrie'\n").kex_of(|address| {
        let port = address.port().to_string();
        let options = ["BatchMode=yes", "Ciphers=aes256-ctr,aes128-ctr", "MACs=hmac-sha2-512"];
        let client = Command::new("ssh")
            .args(["-F", "none", "-p", &port])
            .args(options.iter().flat_map(|option| ["-o", option]))
            .args(["root@127.0.0.1", "true"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        ssh = Some(client.expect("it runs"));
    });
    // The daemon has gone, and the client with it.
    ssh.expect("a client").wait().expect("it ends");
    let algorithms = kex["hasshAlgorithms"].as_str().expect("a text");
    assert_eq!(kex["hassh"], md5(algorithms.as_bytes()));
    let lists: Vec<_> = algorithms.split(';').map(|list| list.split(',').collect()).collect();
    let [kex_algs, ciphers, codes, compressions]: [Vec<&str>; 4] =
        lists.try_into().expect("four lists");
    assert_eq!((&ciphers, &codes), (&vec!["aes256-ctr", "aes128-ctr"], &vec!["hmac-sha2-512"]));
    for (key, wanted) in
        [("kexAlgs", kex_algs), ("encCS", ciphers), ("macCS", codes), ("compCS", compressions)]
    {
        assert_eq!(kex[key], Value::from(wanted), "{key}: {kex}");
    }
    let host_keys = kex["keyAlgs"].as_array().expect("a list");
    assert!(host_keys.contains(&"ssh-ed25519".into()), "{kex}");
    assert_eq!(kex["langCS"], Value::from(vec![""]));
}

/// What endlessh writes behind `host=`, by their names, of a line with this word.
fn words<'a>(line: &'a str, word: &str) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut words = line.split(' ');
    let time = words.next()?;
    assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
    (words.next()? == word).then(|| words.filter_map(|word| word.split_once('=')).collect())
}

#[test]
fn endlessh_has_its_two_lines_and_no_other() {
    let trace = Traced::start("endlessh", "format = 'endlessh'\n").end();
    let mut counts = (0, 0);
    for line in trace.lines() {
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let words = if let Some(words) = words(line, "ACCEPT") {
            counts.0 += 1;
            assert_eq!(words.keys().copied().collect::<Vec<_>>(), ["fd", "host", "n", "port"]);
            let (held, most) = words["n"].split_once('/').expect("two numbers");
            assert_eq!((held, most), ("1", "4096"));
            words
        } else {
            counts.1 += 1;
            let words = words(line, "CLOSE").unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                words.keys().copied().collect::<Vec<_>>(),
                ["bytes", "fd", "host", "port", "time"]
            );
            let (seconds, millis) = words["time"].split_once('.').expect("a fraction");
            assert!(digits(seconds) && digits(millis) && millis.len() == 3, "{line}");
            assert!(digits(words["bytes"]), "{line}");
            words
        };
        assert_eq!(words["host"], SOURCE.to_string());
        assert!(digits(words["port"]) && digits(words["fd"]), "{line}");
    }
    assert_eq!(counts, (4, 4), "{trace}");
}

#[test]
fn an_address_is_nowhere_where_it_is_made_anonymous() {
    for format in ["jsonl", "ecs", "cowrie", "endlessh"] {
        for (anonymize, wanted) in [("prefix", "127.9.8.0"), ("keyed", "fd")] {
            let name = format!("anonymous-{format}-{anonymize}");
            let logging = format!("format = '{format}'\nanonymize = '{anonymize}'\n");
            let mut traced = Traced::start(&name, &logging);
            let mut client = Client::from_to(SOURCE, traced.daemon.addresses[0]);
            let request = format!("GET / HTTP/1.1\r\nHost: {SOURCE}\r\n\r\n");
            client.0.write_all(request.as_bytes()).expect("sent");
            client.hear();
            let accepted = traced.daemon.log_has("ACCEPT host=");
            assert!(accepted.contains(&format!("host={wanted}")), "{accepted}");
            let (_, log, _) = traced.daemon.stop();
            let trace = fs::read_to_string(traced.directory.path("trace")).expect("a trace");
            let all = log.join("\n") + &trace;
            assert!(!all.contains(&SOURCE.to_string()), "{all}");
            assert!(trace.lines().count() > 1 && trace.lines().all(|line| line.contains(wanted)));
        }
    }
}

#[test]
fn no_surface_shows_an_address_that_is_anonymous() {
    let directory = Directory::new("anonymous-surfaces");
    let socket = directory.path("control");
    for (anonymize, wanted) in [("prefix", "127.9.8.0"), ("keyed", "[fd")] {
        let text = format!(
            "[tarpits.a]\npattern = 'ssh_kex_hold'\nbind = '127.0.0.1:0'\n\
             [logging]\nanonymize = '{anonymize}'\n[control]\nsocket = '{socket}'\n\
             [metrics]\nbind = '127.0.0.1:0'\ncompat = 'endlessh-go'\ntop_clients = 5\n"
        );
        let daemon = Daemon::start(&["-c", &directory.file("c.toml", &text)], 2);
        let mut client = Client::from_to(SOURCE, daemon.addresses[0]);
        client.0.write_all(b"SSH-2.0-x\r\n").expect("sent");
        client.hear();
        let says = |words: &[&str]| {
            let mut command = tarpitd();
            let output = command.args(words).args(["--socket", &socket]).output();
            let output = output.expect("it runs");
            assert!(output.status.success(), "{words:?}: {output:?}");
            String::from_utf8(output.stdout).expect("text")
        };
        let held = says(&["held", "--json"]);
        assert!(held.contains(&format!("\"client\":\"{wanted}")), "{held}");
        let mut all = vec![held, says(&["held"]), says(&["status"]), says(&["status", "--json"])];
        all.push(format!("{:?}", samples(daemon.addresses[1])));
        for text in all {
            assert!(!text.contains(&SOURCE.to_string()), "{text}");
        }
        // What decides about a client is its real address.
        assert!(says(&["held", &SOURCE.to_string()]).contains("ssh_kex_hold"));
        says(&["drop", &SOURCE.to_string()]);
        client.is_reset();
    }
}

#[test]
fn a_format_that_is_written_is_used_on_a_terminal_too() {
    let directory = Directory::new("format-terminal");
    for (lines, wanted) in [
        ("", " a: opened"),
        ("[logging]\nformat = 'endlessh'", " ACCEPT host="),
        ("[logging]\nformat = 'ecs'", "\"@timestamp\":"),
        ("[logging]\nformat = 'jsonl'", "\"event\":\"open\""),
        ("[logging]\nanonymize = 'prefix'", " 127.0.0.0:"),
    ] {
        let text = format!(
            "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n\
             client_trace = true\n{lines}\n"
        );
        let mut daemon = on_a_terminal(&["-c", &directory.file("c.toml", &text)]);
        let _client = daemon.connect();
        let line = daemon.shown_line();
        assert!(line.contains(wanted), "{lines}: {line}");
        daemon.signal(Signal::TERM);
        daemon.ends();
    }
}

#[test]
fn a_hash_of_an_address_outlives_a_start_where_its_key_does() {
    let directory = Directory::new("hashes");
    let state = directory.path("state");
    let hosts = |kept: bool| {
        let top = if kept { format!("state_dir = '{state}'\n") } else { String::new() };
        let text = top + &config(&directory, "anonymize = 'keyed'\nformat = 'endlessh'\n");
        let path = directory.file("c.toml", &text);
        let mut daemon = Daemon::start(&["-c", &path, "-v"], 4);
        drop(Client::from_to(SOURCE, daemon.addresses[0]));
        let line = daemon.log_has("ACCEPT ");
        let host = line.split("host=").nth(1).and_then(|rest| rest.split(' ').next());
        host.expect("a host").to_owned()
    };
    let first = hosts(true);
    assert_eq!(hosts(true), first);
    assert_ne!(hosts(false), first);
    let mode = fs::metadata(directory.path("state/anonymize_key")).expect("a key").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    fs::remove_file(directory.path("state/anonymize_key")).expect("it is there");
    assert_ne!(hosts(true), first);
}

#[test]
fn a_reload_changes_format_and_addresses_and_check_tells_what_has_no_effect() {
    let mut traced = Traced::start("reload-format", "");
    let (path, trace) = (traced.directory.path("c.toml"), traced.directory.path("trace"));
    let _first = Client::from_to(SOURCE, traced.daemon.addresses[0]);
    file_gets(&trace, |text| text.contains("\"event\":\"open\""));
    let logging = "format = 'endlessh'\nanonymize = 'prefix'\ntime = 'epoch'\n";
    traced.directory.file("c.toml", &config(&traced.directory, logging));
    traced.daemon.signal(Signal::HUP);
    traced.daemon.log_has("[logging] format jsonl -> endlessh");
    traced.daemon.log_has("[logging] anonymize none -> prefix");
    traced.daemon.log_has("`time` has no effect");
    traced.daemon.log_has("configuration reloaded");
    let _second = Client::from_to(SOURCE, traced.daemon.addresses[0]);
    file_gets(&trace, |text| text.contains(" ACCEPT host=127.9.8.0 "));
    let output = tarpitd().args(["check", &path]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("`time` has no effect"), "{said}");
    for (key, wanted) in [
        ("format = 'xml'", "there is no trace format `xml`: write `jsonl`, `ecs`, `cowrie`"),
        ("anonymize = 'yes'", "there is no way `yes` to write addresses: write `none`"),
    ] {
        traced.directory.file("c.toml", &config(&traced.directory, key));
        let output = tarpitd().args(["check", &path]).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(wanted), "{said}");
    }
}
