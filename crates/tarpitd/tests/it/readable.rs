//! The page for those who read it by ear, by keyboard or on a phone, in a real browser.

use std::{fs, io::Write as _};

use serde_json::Value;

use crate::{
    browser::Browser,
    daemon::{Client, Daemon, Directory, tarpitd, until},
    made_trace::MadeTrace,
    mmdb::{city, database},
    require::require,
};

/// A daemon with a page and a map, and clients of two countries and of none that is known.
fn shown(directory: &Directory) -> (Daemon, Vec<Client>) {
    let cities = [("192.0.2.0/24", city("CN", "Beijing")), ("198.51.100.0/24", city("DE", "Köln"))];
    fs::write(directory.path("city.mmdb"), database("Test-City", &cities)).expect("written");
    let text = format!(
        "[tarpits.web]\npattern = 'http'\nbind = '127.0.0.1:0'\nproxy_from = ['127.0.0.1']\n\
         [web]\nbind = '127.0.0.1:0'\n[geoip]\ndatabases = ['{}']\n",
        directory.path("city.mmdb")
    );
    let daemon = Daemon::start(&["-c", &directory.file("tarpitd.toml", &text)], 2);
    let addresses = ["192.0.2.7", "192.0.2.8", "198.51.100.7", "203.0.113.7"];
    let clients = addresses.map(|address| {
        let mut client = Client::of(daemon.addresses[0]);
        let said = format!(
            "PROXY TCP4 {address} 127.0.0.1 40000 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\
             Authorization: Basic cm9vdDp0b29y\r\n\r\n"
        );
        client.0.write_all(said.as_bytes()).expect("it listens");
        client
    });
    (daemon, clients.into())
}

/// The role and the name of what a reader of the screen is told of.
fn told(node: &Value) -> (&str, &str) {
    let of = |key: &str| node[key]["value"].as_str().unwrap_or_default();
    (of("role"), of("name"))
}

/// The names of all that have this role.
fn of_role<'a>(all: &[(&str, &'a str)], role: &str) -> Vec<&'a str> {
    all.iter().filter(|(its, _)| *its == role).map(|(_, name)| *name).collect()
}

#[test]
fn the_page_is_read_by_ear_by_keyboard_and_on_a_phone() {
    if !require("chromium") {
        return;
    }
    let directory = Directory::new("readable");
    let (daemon, _clients) = shown(&directory);
    let url = format!("http://{}/", daemon.addresses[1]);
    let mut browser = Browser::open(&directory, &url, [390, 844]);
    let map = "A map of the world. Clients came from 2 countries, most from China (2). The list \
               below has their numbers.";
    until("the map", || {
        browser.evaluate("document.querySelector('#map svg')?.getAttribute('aria-label')") == map
    });

    // Only tables and their like are wider than a phone.
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);

    let nodes = browser.accessible();
    let all: Vec<_> = nodes.iter().map(told).collect();
    let named = |role: &str| of_role(&all, role);
    assert!(named("image").contains(&map), "{all:?}");
    for role in ["image", "table", "list", "region", "group"] {
        assert!(!named(role).is_empty(), "no {role}: {all:?}");
        assert!(
            named(role).iter().all(|name| !name.is_empty()),
            "a {role} without a name: {all:?}"
        );
    }
    // Its text tells what a picture shows, and not each of its shapes.
    assert_eq!(named("graphics-symbol").len(), 0, "{all:?}");
    assert_eq!(named("table").len(), 3);
    assert_eq!(named("columnheader").len(), 7 + 2 * 6);
    // The tarpit, and each client in both lists.
    assert_eq!(named("rowheader").len(), 1 + 2 * 4, "{all:?}");
    for wanted in ["China", "Germany", "unknown"] {
        assert!(all.contains(&("StaticText", wanted)), "{wanted}: {all:?}");
    }

    // One place speaks by itself, and it says nothing while nothing but the figures changes.
    let live = nodes.iter().filter(|node| {
        let properties = node["properties"].as_array();
        properties.is_some_and(|all| all.iter().any(|one| one["name"] == "live"))
    });
    assert_eq!(live.map(told).map(|(role, _)| role).collect::<Vec<_>>(), ["status"]);
    let spoken = browser.evaluate(
        "new Promise((done) => {
            let [spoken, news] = [0, 0];
            const watch = (id, heard) => new MutationObserver(heard).observe(
                document.getElementById(id), { childList: true, characterData: true, subtree: true });
            watch('connection', () => spoken += 1);
            watch('about', () => (news += 1) === 3 && done(spoken));
        })",
    );
    assert_eq!(spoken, 0);

    // Each stop of the keyboard is seen.
    let mut stops = Vec::new();
    for _ in 0..4 {
        browser.tab();
        let stop = browser.evaluate(
            "((at) => [at.getAttribute('aria-labelledby') ?? at.textContent,
                getComputedStyle(at).outlineStyle].join(' '))(document.activeElement)",
        );
        stops.push(stop.as_str().unwrap_or_default().to_owned());
    }
    let wanted = ["Skip to the totals", "tarpits-title", "longest-title", "newest-title"];
    assert_eq!(stops, wanted.map(|stop| format!("{stop} solid")));
}

#[test]
fn a_report_is_no_wider_than_a_phone() {
    if !require("chromium") {
        return;
    }
    let directory = Directory::new("readable-report");
    let mut trace = Vec::new();
    MadeTrace::new().write(&mut trace, 4_000).expect("memory");
    let (trace, page) = (
        directory.file("trace.jsonl", &String::from_utf8(trace).expect("text")),
        directory.path("page.html"),
    );
    let made = tarpitd().args(["report", "--html", &page, &trace]).status();
    assert!(made.expect("it runs").success());
    let mut browser = Browser::open(&directory, &format!("file://{page}"), [390, 844]);
    until("the page", || browser.evaluate("document.readyState") == "complete");
    assert_eq!(browser.evaluate("document.title"), "tarpitd report");
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
}
