//! The real Prometheus reads the metrics, and answers every question of the dashboard.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    admin::ask,
    blocks::blocks,
    daemon::{Client, Directory, PATIENCE, until},
    mmdb::{city, database},
    require::require,
};

/// A running Prometheus, which ends with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// One that scrapes `target` twice a second.
    fn start(directory: &Directory, target: SocketAddr) -> Self {
        // As in the documents, but for places, and faster.
        let config = example("prometheus.yml")
            .replace("/etc/prometheus/tarpitd-alerts.yml", &path("alerts.yml"))
            .replace("127.0.0.1:9910", &target.to_string());
        let config = format!("global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n{config}");
        let config = directory.file("prometheus.yml", &config);
        // A port that was free a moment ago: Prometheus does not tell which one it got for port 0.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let address = port.expect("a free port");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={config}"));
        command.arg(format!("--storage.tsdb.path={}", directory.path("prometheus")));
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=error");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let prometheus = Self { child: command.spawn().expect("it starts"), address };
        until("Prometheus", || {
            TcpStream::connect(address)
                .is_ok_and(|stream| ask(stream, "GET /-/ready HTTP/1.0").0.contains(" 200 OK"))
        });
        prometheus
    }

    /// The values that answer a query; those that are no numbers are left out.
    fn query(&self, query: &str) -> Vec<f64> {
        let escaped: Vec<_> = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let escaped = escaped.concat();
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
        let (_, body) = ask(stream, &format!("GET /api/v1/query?query={escaped} HTTP/1.0"));
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {body}");
        let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let values = results.iter().filter_map(|it| it["value"][1].as_str()?.parse().ok());
        values.filter(|value: &f64| !value.is_nan()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards")
}

/// The path of a file among the dashboards.
fn path(name: &str) -> String {
    dashboards().join(name).canonicalize().expect("it is there").display().to_string()
}

const PAGE: &str = include_str!("../../../../../docs/metrics.md");

/// An example of the page on metrics.
fn example(file: &str) -> String {
    let block = blocks(PAGE).into_iter().find(|block| block.purpose == file);
    block.unwrap_or_else(|| panic!("no example of {file}")).text
}

/// Every query of the dashboard with the title of its panel, and every query of the page with what it
/// answers.
fn queries() -> Vec<(String, String)> {
    let text = fs::read_to_string(dashboards().join("tarpitd.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"));
    let rows = rows.filter_map(|(question, rest)| Some((question, rest.strip_suffix("` |")?)));
    let mut all: Vec<_> = rows.map(|(asks, query)| (asks.to_owned(), query.to_owned())).collect();
    assert!(all.len() > 4, "{all:?}");
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().expect("queries") {
            all.push((title.to_owned(), target["expr"].as_str().expect("a query").to_owned()));
        }
    }
    all
}

#[test]
fn every_query_of_the_dashboard_has_data() {
    if !require("prometheus") {
        return;
    }
    let directory = Directory::new("metrics-prometheus");
    let cities = directory.path("city.mmdb");
    let network = [("127.0.0.0/8", city("DE", "Köln"))];
    fs::write(&cities, database("Test-City", &network)).expect("written");
    let daemon = super::daemon(&directory, &format!("[geoip]\ndatabases = ['{cities}']"));
    let [banner, any, web, address] = daemon.addresses[..] else { panic!("four ports") };
    let prometheus = Prometheus::start(&directory, address);
    let mut held = [Client::of(banner), Client::of(web)];
    // Clients that come and go, are refused, and show what they speak.
    let mut stir = || {
        held[0].hear();
        // It is refused, perhaps before it is connected.
        let _ = TcpStream::connect(web);
        Client::of(banner).hear();
        let mut talker = Client::of(any);
        std::io::Write::write_all(&mut talker.0, b"SSH-2.0-Go\r\n").expect("sent");
        talker.hear();
    };
    let queries = queries();
    assert!(queries.len() > 25, "{queries:?}");
    for (panel, query) in queries {
        let asked = query
            .replace("$__rate_interval", "10s")
            .replace("$__range", "1m")
            .replace("$instance", ".*");
        assert!(!asked.contains('$'), "{query}");
        until(&format!("{panel}: {asked}"), || {
            stir();
            !prometheus.query(&asked).is_empty()
        });
    }
    assert!(prometheus.query("up == 0").is_empty(), "no scrape failed");
    assert!(prometheus.query("ALERTS{alertstate='firing'}").is_empty(), "all is well");
}

#[test]
fn every_alert_fires_once_and_none_where_all_is_well() {
    let read = |name| fs::read_to_string(dashboards().join(name)).expect("a file of alerts");
    let (alerts, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    let names: Vec<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 5);
    let well = tests.split("name: all is well").nth(1).expect("a test where all is well");
    for name in names {
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels: ");
        assert_eq!(tests.matches(&fires).count(), 1, "{name} fires in one test");
        assert!(well.contains(&format!("alertname: {name}\n")), "{name}");
    }
    if require("prometheus") {
        for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
            let output =
                Command::new("promtool").args(arguments).current_dir(dashboards()).output();
            let output = output.expect("promtool starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
