//! What Prometheus is told.

mod cost;
mod prometheus;

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    admin::ask,
    clock::{now, pause},
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd, until},
    require::{is_long, require},
};

/// A daemon with a tarpit of each kind, whose last address is that of its metrics; and lines of its
/// configuration's `[metrics]`.
fn daemon(directory: &Directory, lines: &str) -> Daemon {
    let text = format!(
        "[tarpits.banner]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\nrate_limit = 100\n\
         [tarpits.any]\npattern = 'auto'\nbind = '127.0.0.1:0'\n\
         [tarpits.web]\npattern = 'http_hold'\nbind = '127.0.0.1:0'\nmax_clients = 1\n\
         [limits]\nevict = 'refuse'\n[metrics]\nbind = '127.0.0.1:0'\n{lines}\n"
    );
    Daemon::start(&["-c", &directory.file("tarpitd.toml", &text)], 4)
}

/// The page of metrics, as a client that accepts this gets it.
fn page(address: SocketAddr, accept: &str) -> (String, String) {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let (head, body) = ask(stream, &format!("GET /metrics HTTP/1.0\r\nAccept: {accept}"));
    assert!(head.contains(" 200 OK"), "{head}");
    (head, body)
}

/// All samples, by name and labels.
pub(crate) fn samples(address: SocketAddr) -> BTreeMap<String, f64> {
    let (_, body) = page(address, "*/*");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        (name.to_owned(), value.parse().expect("a number"))
    };
    body.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// Runs promtool with this on its standard input; what it says if it does not like it.
fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() && text.trim().is_empty() { Ok(()) } else { Err(text) }
}

#[test]
fn every_series_is_there_from_the_start_and_promtool_has_no_complaint() {
    let directory = Directory::new("metrics-start");
    let daemon = daemon(&directory, "");
    let address = daemon.addresses[3];
    let all = samples(address);
    for tarpit in ["banner", "any", "web"] {
        for reason in ["evicted", "finished", "reset", "stopped", "timed_out"] {
            let name =
                format!("tarpitd_clients_closed_total{{tarpit=\"{tarpit}\",reason=\"{reason}\"}}");
            assert_eq!(all.get(&name), Some(&0.0), "{name}");
        }
        for reason in ["allowed", "clients", "cpu", "denied", "max_clients", "per_address"] {
            let name =
                format!("tarpitd_clients_refused_total{{tarpit=\"{tarpit}\",reason=\"{reason}\"}}");
            assert_eq!(all.get(&name), Some(&0.0), "{name}");
        }
    }
    for name in [
        "tarpitd_clients_identified_total{protocol=\"ssh\"}",
        "tarpitd_clients_identified_total{protocol=\"unknown\"}",
        "tarpitd_handshakes_total{kind=\"tls\"}",
        "tarpitd_hold_duration_seconds_bucket{le=\"2592000.0\"}",
        "tarpitd_send_lateness_seconds_count",
        "tarpitd_trace_lines_lost_total",
        "tarpitd_load_level",
    ] {
        assert_eq!(all.get(name), Some(&0.0), "{name}");
    }
    assert_eq!(all.get("tarpitd_build_info{version=\"0.1.0\"}"), Some(&1.0));
    if require("prometheus") {
        promtool(&["check", "metrics"], &page(address, "*/*").1).expect("no complaint");
    }
}

#[test]
fn open_metrics_is_for_those_who_ask_for_it() {
    let directory = Directory::new("metrics-form");
    let daemon = daemon(&directory, "");
    let address = daemon.addresses[3];
    let (head, body) = page(address, "text/plain");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# TYPE tarpitd_clients_opened_total counter\n"), "{body}");
    let (head, body) =
        page(address, "application/openmetrics-text; version=1.0.0, text/plain;q=0.5");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.contains("# TYPE tarpitd_clients_opened counter\n"), "{body}");
    assert!(body.ends_with("\n# EOF\n"), "{body}");
}

#[test]
fn clients_are_counted_where_they_are_held_and_why_they_go() {
    let directory = Directory::new("metrics-counts");
    let daemon = daemon(&directory, "");
    let [banner, any, web, address] = daemon.addresses[..] else { panic!("four ports") };
    let series = samples(address).len();
    let (mut reader, mut talker) = (Client::of(banner), Client::of(any));
    reader.hear();
    reader.hear();
    talker.0.write_all(b"SSH-2.0-Go\r\n").expect("sent");
    let asker = Client::of(web);
    until("a client at the web", || {
        samples(address)["tarpitd_clients_held{tarpit=\"web\"}"] >= 1.0
    });
    // It is refused, perhaps before it is connected.
    let _ = TcpStream::connect(web).map(|stream| Client::from(stream).is_reset());
    drop((reader, asker));
    let mut now = BTreeMap::new();
    until("the counts", || {
        now = samples(address);
        [
            ("tarpitd_clients_held{tarpit=\"banner\"}", 0.0),
            ("tarpitd_clients_held{tarpit=\"any\"}", 1.0),
            ("tarpitd_clients_opened_total{tarpit=\"banner\"}", 1.0),
            ("tarpitd_clients_refused_total{tarpit=\"web\",reason=\"max_clients\"}", 1.0),
            ("tarpitd_clients_closed_total{tarpit=\"banner\",reason=\"reset\"}", 1.0),
            ("tarpitd_clients_closed_total{tarpit=\"web\",reason=\"left\"}", 1.0),
            ("tarpitd_clients_identified_total{protocol=\"ssh\"}", 1.0),
            ("tarpitd_hold_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
            ("tarpitd_received_bytes_total{tarpit=\"any\"}", 12.0),
        ]
        .iter()
        .all(|(name, value)| now.get(*name) == Some(value))
    });
    assert!(now["tarpitd_sent_bytes_total{tarpit=\"banner\"}"] > 0.0);
    assert!(now["tarpitd_send_lateness_seconds_count"] > 0.0);
    let held = |all: &BTreeMap<String, f64>| all["tarpitd_held_seconds_total{tarpit=\"any\"}"];
    until("time that is held", || held(&samples(address)) > held(&now));
    assert_eq!(samples(address).len(), series, "the same series as before");
    let (_, log, _) = daemon.stop();
    let totals = log.iter().find(|line| line.contains("totals: ")).expect("the totals");
    assert!(totals.contains("opened=3 refused=1 "), "{totals}");
}

#[test]
fn counters_go_on_after_a_restart() {
    let directory = Directory::new("metrics-restart");
    let state = directory.path("state");
    let text = |tarpits: &str| {
        format!("state_dir = '{state}'\n{tarpits}\n[metrics]\nbind = '127.0.0.1:0'\n")
    };
    let tarpit = |name: &str| {
        format!("[tarpits.{name}]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\n")
    };
    let path = directory.file("tarpitd.toml", &text(&tarpit("a")));
    let opened = |all: &BTreeMap<String, f64>, name: &str| {
        all.get(&format!("tarpitd_clients_opened_total{{tarpit=\"{name}\"}}")).copied()
    };
    for round in 1..=3 {
        let daemon = Daemon::start(&["-c", &path], 2);
        let mut client = Client::of(daemon.addresses[0]);
        client.hear();
        let all = samples(daemon.addresses[1]);
        assert_eq!(opened(&all, "a"), Some(f64::from(round)));
        assert_eq!(all.get("tarpitd_clients_held{tarpit=\"a\"}"), Some(&1.0));
        let (_, log, _) = daemon.stop();
        let totals = log.iter().find(|line| line.contains("totals: ")).expect("the totals");
        assert!(totals.contains("opened=1 "), "the log counts from the start: {totals}");
    }
    // Another tarpit beside it starts at 0.
    directory.file("tarpitd.toml", &text(&(tarpit("a") + &tarpit("b"))));
    let daemon = Daemon::start(&["-c", &path], 3);
    let all = samples(daemon.addresses[2]);
    assert_eq!((opened(&all, "a"), opened(&all, "b")), (Some(3.0), Some(0.0)));
    let stopped = "tarpitd_clients_closed_total{tarpit=\"a\",reason=\"stopped\"}";
    assert_eq!(all.get(stopped), Some(&3.0), "those that the last words counted, too");
    assert_eq!(all.get("tarpitd_hold_duration_seconds_count"), Some(&3.0));
    assert!(all["tarpitd_sent_bytes_total{tarpit=\"a\"}"] > 0.0);
    drop(daemon);
    for (content, word) in [
        ("{\"version\":1,", "are damaged"),
        ("", "are damaged"),
        ("{\"version\":7,\"more\":[]}", "another version of tarpitd wrote"),
    ] {
        std::fs::write(format!("{state}/counters"), content).expect("written");
        let output = tarpitd().args(["check", &path]).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && told.contains(word), "{told}");
        let mut daemon = Daemon::start(&["-c", &path], 0);
        let line = daemon.log_has(word);
        let (_, kept) = line.split_once("kept as ").expect("its new name");
        let kept = kept.split([',', ' ']).next().expect("a name");
        let kept = std::fs::read_to_string(format!("{state}/{kept}")).expect("it is there");
        assert_eq!(kept, content);
        daemon.log_has("metrics: HTTP on ");
        assert_eq!(opened(&samples(daemon.addresses[2]), "a"), Some(0.0));
        daemon.stop();
    }
}

#[test]
fn counters_are_saved_every_minute() {
    if !is_long() {
        return;
    }
    let directory = Directory::new("metrics-minute");
    let lines = "[tarpits.z]\npattern = 'ssh'\nbind = '127.0.0.1:0'\n";
    let text = format!(
        "state_dir = '{}'\n{lines}[metrics]\nbind = '127.0.0.1:0'\n",
        directory.path("state")
    );
    let path = directory.file("tarpitd.toml", &text);
    let daemon = Daemon::start(&["-c", &path], 2);
    let _client = Client::of(daemon.addresses[0]);
    let saved = directory.path("state/counters");
    let start = now();
    while !std::fs::read_to_string(&saved).is_ok_and(|text| text.contains("\"opened\":1")) {
        assert!(start.elapsed() < Duration::from_secs(90), "nothing is saved");
        pause(Duration::from_millis(100));
    }
    // Killed, and so without a last word.
    drop(daemon);
    let daemon = Daemon::start(&["-c", &path], 2);
    let opened = "tarpitd_clients_opened_total{tarpit=\"z\"}";
    assert_eq!(samples(daemon.addresses[1]).get(opened), Some(&1.0));
}

#[test]
fn the_dashboards_of_endlessh_go_find_their_names() {
    let directory = Directory::new("metrics-compat");
    let daemon = daemon(&directory, "compat = 'endlessh-go'\ntop_clients = 3");
    let [banner, any, _, address] = daemon.addresses[..] else { panic!("four ports") };
    let (head, body) = page(address, "application/openmetrics-text");
    assert!(head.contains("version=0.0.4") && !body.contains("# EOF"), "always classic: {head}");
    let all = samples(address);
    for port in [banner.port(), any.port()] {
        for name in [
            "endlessh_client_open_count_total",
            "endlessh_client_closed_count_total",
            "endlessh_sent_bytes_total",
            "endlessh_trapped_time_seconds_total",
        ] {
            let name = format!("{name}{{local_port=\"{port}\"}}");
            assert_eq!(all.get(&name), Some(&0.0), "{name}");
        }
    }
    let of_clients = |all: &BTreeMap<String, f64>| {
        all.keys().filter(|name| name.contains("{ip=")).cloned().collect::<Vec<_>>()
    };
    assert!(of_clients(&all).is_empty(), "a series begins with its client");
    // More addresses than have series; one of them comes three times.
    let mut clients = Vec::new();
    for source in [1, 2, 1, 3, 4, 1, 5, 6] {
        let mut client = Client::from_to(Ipv4Addr::new(127, 0, 7, source), banner);
        client.hear();
        clients.push(client);
    }
    let all = samples(address);
    assert_eq!(of_clients(&all).len(), 6, "{:?}", of_clients(&all));
    let port = banner.port();
    let first = format!("ip=\"127.0.7.1\",local_port=\"{port}\"");
    let opened =
        format!("endlessh_client_open_count{{{first},geohash=\"\",country=\"\",location=\"\"}}");
    assert_eq!(all.get(&opened), Some(&3.0), "{:?}", of_clients(&all));
    let trapped = format!("endlessh_client_trapped_time_seconds{{{first}}}");
    let port = format!("{{local_port=\"{port}\"}}");
    until("time that is held", || samples(address).get(&trapped).is_some_and(|&time| time > 0.1));
    let all = samples(address);
    assert_eq!(all.get(&format!("endlessh_client_open_count_total{port}")), Some(&8.0));
    assert!(all[&format!("endlessh_sent_bytes_total{port}")] > 0.0);
    drop(clients);
    let closed = format!("endlessh_client_closed_count_total{port}");
    until("the end of the clients", || samples(address).get(&closed) == Some(&8.0));
}

#[test]
fn wrong_settings_of_metrics_are_told_in_a_line_each() {
    let directory = Directory::new("metrics-wrong");
    let check = |lines: &str| {
        let text =
            format!("[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:8123'\n[metrics]\n{lines}\n");
        let path = directory.file("tarpitd.toml", &text);
        let (_, told, status) = Daemon::start_and_fail(&["check", &path]);
        (told, status)
    };
    for (lines, wanted) in [
        ("compat = 'endlessh'", "there are no metric names of `endlessh`: write `endlessh-go`"),
        ("top_clients = 501", "501 is not between 0 and 500"),
        ("bind = '127.0.0.1:8123'", "127.0.0.1:8123 is already used by [metrics] at "),
        ("bind = 9100", "this must be a string"),
        ("bin = '127.0.0.1:0'", "unknown key `bin`; did you mean `bind`?"),
    ] {
        let (told, status) = check(lines);
        assert_eq!(status, Some(2), "{told}");
        assert!(told.contains(wanted) && told.lines().count() == 1, "{wanted}: {told}");
    }
    let (told, status) = check("top_clients = 5\nbind = '127.0.0.1:0'");
    assert!(told.contains("warning: `top_clients` has no effect without") && status == Some(0));
    let (told, status) = check("bind = '*:0'");
    assert!(
        told.contains("warning: [metrics] is open to the world") && status == Some(0),
        "{told}"
    );
}
