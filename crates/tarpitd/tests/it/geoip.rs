//! Where clients come from: in the trace, in the metrics, and what happens to the files.

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;

use crate::{
    daemon::{Client, Daemon, Directory, file_gets, tarpitd, until},
    metrics::samples,
    mmdb::{asn, city, database},
    readers::example,
    require::{is_long, require},
};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 9, 8, 77);

/// Puts a database of cities in place, by rename. Clients from [`SOURCE`] are in this one.
fn put(directory: &Directory, country: &'static str, name: &'static str) {
    let bytes = database("Test-City", &[("127.9.8.0/24", city(country, name))]);
    put_bytes(directory, "city.mmdb", &bytes);
}

fn put_bytes(directory: &Directory, name: &str, bytes: &[u8]) {
    fs::write(directory.path("new"), bytes).expect("written");
    fs::rename(directory.path("new"), directory.path(name)).expect("renamed");
}

/// A configuration with both databases, and these lines.
fn config(directory: &Directory, lines: &str) -> String {
    directory.file(
        "c.toml",
        &format!(
            "[tarpits.a]\npattern = 'endless_banner'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
             [metrics]\nbind = '127.0.0.1:0'\n{}{lines}",
            // As in the documents.
            example("tarpits.toml")
                .replace("/var/lib/GeoIP/GeoLite2-City.mmdb", &directory.path("city.mmdb"))
                .replace("/var/lib/GeoIP/GeoLite2-ASN.mmdb", &directory.path("asn.mmdb"))
        ),
    )
}

/// A daemon with both databases.
fn start(directory: &Directory, lines: &str) -> Daemon {
    put(directory, "DE", "Köln");
    let systems = database("Test-ASN", &[("127.9.0.0/16", asn(64_500, "Exam\"ple\u{202e}"))]);
    put_bytes(directory, "asn.mmdb", &systems);
    Daemon::start(&["-c", &config(directory, lines)], 2)
}

#[test]
fn the_trace_and_the_metrics_know_where_a_client_comes_from() {
    let directory = Directory::new("geoip");
    for (lines, client) in [("", "127.9.8.77"), ("[logging]\nanonymize = 'prefix'\n", "127.9.8.0")]
    {
        let mut daemon = start(&directory, lines);
        let _client = Client::from_to(SOURCE, daemon.addresses[0]);
        let text = daemon.shown_line();
        assert!(!text.contains('\u{202e}'), "{text}");
        let open: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(open["conn_info"]["peername"][0], client);
        assert_eq!((&open["country"], &open["city"]), (&"DE".into(), &"Köln".into()));
        assert_eq!((&open["asn"], &open["as_org"]), (&64_500.into(), &"Exam\"ple\u{202e}".into()));
        let _other = daemon.connect();
        let open = daemon.trace_has("open");
        assert!(["country", "city", "asn", "as_org"].iter().all(|key| open[key].is_null()));
        let samples = samples(daemon.addresses[1]);
        for (label, count) in [
            ("country_total{country=\"DE\"}", 1.0),
            ("country_total{country=\"unknown\"}", 1.0),
            ("as_total{asn=\"64500\"}", 1.0),
        ] {
            let name = format!("tarpitd_clients_opened_by_{label}");
            assert_eq!(samples.get(&name), Some(&count), "{name}: {samples:?}");
        }
    }
}

#[test]
fn the_report_of_a_trace_has_countries_and_networks() {
    let directory = Directory::new("geoip_report");
    let trace = directory.path("trace.jsonl");
    let daemon = start(&directory, &format!("[logging]\nclient_trace = '{trace}'\n"));
    let clients = [Ipv4Addr::LOCALHOST, SOURCE, SOURCE]
        .map(|source| Client::from_to(source, daemon.addresses[0]));
    file_gets(&trace, |text| text.lines().count() == clients.len());
    drop(daemon.stop());
    let report = tarpitd().args(["report", "--json", &trace]).output().expect("it runs");
    let told = String::from_utf8_lossy(&report.stderr);
    assert_eq!((&*told, report.status.code()), ("", Some(0)), "every line is understood");
    let figures: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let first = |rows: &serde_json::Value| (rows[0]["name"].clone(), rows[0]["count"].clone());
    assert_eq!(first(&figures["countries"]), ("DE".into(), 2.into()), "{figures}");
    let systems = &figures["systems"]["rows"];
    assert_eq!(first(systems), ("AS64500".into(), 2.into()), "{figures}");
    assert_eq!(systems[0]["owner"], "Exam\"ple\u{202e}", "{figures}");
}

#[test]
fn the_dashboards_of_endlessh_go_know_where_the_busiest_come_from() {
    let directory = Directory::new("geoip-endlessh-go");
    put(&directory, "DE", "Köln");
    put_bytes(&directory, "asn.mmdb", &database("Test-ASN", &[]));
    let path = config(&directory, "");
    let text = fs::read_to_string(&path).expect("the configuration");
    let compat = "[metrics]\ncompat = 'endlessh-go'\ntop_clients = 5\n";
    let path = directory.file("compat.toml", &text.replace("[metrics]\n", compat));
    let daemon = Daemon::start(&["-c", &path], 2);
    let [tarpit, address] = daemon.addresses[..] else { panic!("two ports") };
    let _client = Client::from_to(SOURCE, tarpit);
    let name = format!(
        "endlessh_client_open_count{{ip=\"127.9.8.77\",local_port=\"{}\",geohash=\"\",\
         country=\"DE\",location=\"Köln\"}}",
        tarpit.port()
    );
    until("its series", || samples(address).get(&name) == Some(&1.0));
}

#[test]
fn clients_by_country_and_network_are_counted_on_after_a_restart() {
    let directory = Directory::new("geoip-restart");
    let top = format!("state_dir = '{}'\n", directory.path("state"));
    for round in [1.0, 2.0] {
        drop(start(&directory, ""));
        let text = fs::read_to_string(directory.path("c.toml")).expect("a configuration");
        let path = directory.file("c.toml", &(top.clone() + &text));
        let mut daemon = Daemon::start(&["-c", &path], 2);
        let _client = Client::from_to(SOURCE, daemon.addresses[0]);
        daemon.trace_has("open");
        let samples = samples(daemon.addresses[1]);
        for label in ["country_total{country=\"DE\"}", "as_total{asn=\"64500\"}"] {
            let name = format!("tarpitd_clients_opened_by_{label}");
            assert_eq!(samples.get(&name), Some(&round), "{name}");
        }
        daemon.stop();
    }
}

#[test]
fn a_reload_reads_what_was_replaced_and_keeps_what_it_has_for_a_wrong_file() {
    let directory = Directory::new("geoip-reload");
    let mut daemon = start(&directory, "");
    let country = |daemon: &mut Daemon| {
        let _client = Client::from_to(SOURCE, daemon.addresses[0]);
        daemon.trace_has("open")["country"].as_str().map(str::to_owned)
    };
    assert_eq!(country(&mut daemon).as_deref(), Some("DE"));
    put(&directory, "AT", "Wien");
    daemon.signal(Signal::HUP);
    daemon.log_has("[geoip] read ");
    daemon.log_has("configuration reloaded");
    assert_eq!(country(&mut daemon).as_deref(), Some("AT"));
    put_bytes(&directory, "city.mmdb", b"not a database");
    daemon.signal(Signal::HUP);
    let line = daemon.log_has("the database that was read before stays in use");
    assert!(line.contains("error: ") && line.contains("city.mmdb: this is no whole database"));
    daemon.log_has("configuration reloaded");
    assert_eq!(country(&mut daemon).as_deref(), Some("AT"));
    // A new path has no old database.
    let lines = format!("[geoip]\ndatabases = ['{}']\n", directory.path("none.mmdb"));
    let text = fs::read_to_string(directory.path("c.toml")).expect("a configuration");
    let (before, _) = text.split_once("[geoip]").expect("the table");
    directory.file("c.toml", &format!("{before}{lines}"));
    daemon.signal(Signal::HUP);
    daemon.log_has("none.mmdb: cannot read this: No such file or directory; check its name");
    daemon.log_has("configuration not reloaded");
    assert_eq!(country(&mut daemon).as_deref(), Some("AT"));
    directory.file("c.toml", before);
    daemon.signal(Signal::HUP);
    daemon.log_has("[geoip] databases ");
    daemon.log_has("configuration reloaded");
    assert_eq!(country(&mut daemon), None);
}

#[test]
fn a_wrong_file_prevents_a_start_and_check_says_the_same() {
    let directory = Directory::new("geoip-wrong");
    let whole = database("Test-City", &[("127.9.8.0/24", city("DE", "Köln"))]);
    put_bytes(&directory, "asn.mmdb", &whole);
    for (bytes, wanted) in [
        (&b"text"[..], "this is no whole database"),
        (&whole[..whole.len() - 40], "this is no whole database"),
    ] {
        put_bytes(&directory, "city.mmdb", bytes);
        let path = config(&directory, "");
        for arguments in [&["-c", &path][..], &["check", &path]] {
            let output = tarpitd().args(arguments).output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            let place = format!("{path}:8:14: {}: {wanted}", directory.path("city.mmdb"));
            assert!(said.lines().count() == 1 && said.starts_with(&place), "{said}");
        }
    }
}

#[test]
fn databases_that_nothing_uses_or_that_the_user_cannot_read_are_told() {
    let directory = Directory::new("geoip-told");
    drop(start(&directory, ""));
    let path = directory.path("c.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    let told = |text: &str| {
        directory.file("c.toml", text);
        let output = tarpitd().args(["check", &path]).output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!told(&text).contains("databases"), "{text}");
    let idle = text.replace("client_trace = true\n", "");
    assert!(!told(&idle).contains("databases"), "there are metrics");
    let idle = idle.replace("[metrics]\nbind = '127.0.0.1:0'\n", "");
    assert!(told(&idle).contains("c.toml:5:14: warning: no tarpit has a trace"), "{}", told(&idle));
    if require("root") {
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(directory.path("city.mmdb"), mode).expect("it is ours");
        let said = told(&format!("user = '65534:65534'\n{text}"));
        let wanted = format!("user 65534:65534 cannot read {}", directory.path("city.mmdb"));
        assert!(said.contains(&wanted) && !said.contains("asn.mmdb"), "{said}");
    }
}

#[test]
fn a_file_that_is_replaced_is_read_within_a_minute() {
    if !is_long() {
        return;
    }
    let directory = Directory::new("geoip-minute");
    let mut daemon = start(&directory, "");
    put(&directory, "AT", "Wien");
    let line = daemon.log_line_within(std::time::Duration::from_secs(70), "[geoip] read ");
    assert!(line.contains("city.mmdb, a Test-City"), "{line}");
    let _client = Client::from_to(SOURCE, daemon.addresses[0]);
    // The workers get it right after the line.
    crate::daemon::until("the new database", || {
        let _client = Client::from_to(SOURCE, daemon.addresses[0]);
        daemon.trace_has("open")["country"] == "AT"
    });
}

#[test]
fn no_thread_stays_for_databases() {
    let directory = Directory::new("geoip-threads");
    let daemon = start(&directory, "");
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero()));
    let mut names = tasks.expect("it runs").flatten().map(|task| {
        fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim().to_owned()
    });
    assert!(names.all(|name| name != "geoip"));
}
