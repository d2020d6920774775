//! `tarpitd report --html`: what the page shows, that nothing of a client's acts in it, and which
//! files it replaces.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    process::Output,
};

use serde_json::{Value, json};

use crate::{
    browser::{TRAP, shown_by_browser},
    daemon::{Directory, tarpitd},
    made_trace::MadeTrace,
    report::line,
    require::require,
};

fn report(arguments: &[&str]) -> Output {
    tarpitd().arg("report").args(arguments).output().expect("it runs")
}

/// What standard error says and how it ends.
fn told(output: &Output) -> (String, Option<i32>) {
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

/// Writes a trace with a few hundred clients; returns its path.
fn made(directory: &Directory) -> String {
    let mut lines = Vec::new();
    MadeTrace::new().write(&mut lines, 4_000).expect("memory");
    let path = directory.path("trace.jsonl");
    fs::write(&path, lines).expect("written");
    path
}

/// The page of a trace.
#[track_caller]
fn page(arguments: &[&str]) -> String {
    let output = report(&[&["--html", "-"], arguments].concat());
    assert_eq!(told(&output), (String::new(), Some(0)));
    String::from_utf8(output.stdout).expect("text")
}

/// The elements with that name, each with its attributes and its content.
fn elements<'a>(page: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (begin, end) = (format!("<{name}"), format!("</{name}>"));
    let parts = page.split(&*begin).skip(1).filter(|part| part.starts_with([' ', '>']));
    parts
        .map(|part| {
            let (attributes, rest) = part.split_once('>').expect("an end of the tag");
            (attributes, rest.split(&*end).next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn the_page_has_the_figures_of_json() {
    let directory = Directory::new("html-figures");
    let trace = made(&directory);
    let page = page(&[&trace]);
    let json: Value =
        serde_json::from_slice(&report(&["--json", &trace]).stdout).expect("an object");
    let cells: Vec<_> = elements(&page, "dd").into_iter().map(|(_, text)| text).collect();
    for (figure, pointer) in [(0, "/clients/held"), (1, "/addresses/distinct")] {
        let wanted = json.pointer(pointer).and_then(Value::as_u64).expect("a number");
        assert_eq!(cells[figure].replace(',', ""), wanted.to_string(), "{pointer}");
    }
    let tables = elements(&page, "section");
    let section = |title: &str| {
        let found = tables.iter().find(|(_, content)| content.contains(title));
        found.unwrap_or_else(|| panic!("{title} is missing")).1
    };
    for (title, rows) in [
        ("Addresses (10 of", &json["addresses"]["rows"]),
        ("SSH clients, by identification", &json["facts"][1]["rows"]),
        ("Why connections ended", &json["close_reasons"]),
    ] {
        for row in rows.as_array().expect("rows") {
            let name = row["name"].as_str().expect("a name");
            assert!(section(title).contains(&format!("<span>{name}</span>")), "{title}: {name}");
        }
    }
    // A column for each hour, and the table beside it has as many rows.
    let hours = json["hours"].as_array().expect("hours").len();
    let time = section("By hour (UTC)");
    let columns = elements(time, "g").into_iter().filter(|(attributes, _)| attributes.is_empty());
    assert_eq!(columns.count(), 2 * hours);
    assert_eq!(elements(time, "tr").len(), 1 + hours);
}

#[test]
fn what_an_hour_costs_is_that_of_clients_that_have_left() {
    let directory = Directory::new("html-price");
    let line = |time, event, session, end| line(time, event, "endlessh", session, end);
    let close = ",\"duration\":3600,\"sent\":5000,\"received\":1,\"reason\":\"left\"";
    let text = line(0, "open", 1, "") + &line(0, "open", 2, "") + &line(3_600, "close", 1, close);
    let page = page(&[&directory.file("trace.jsonl", &text)]);
    assert!(page.contains("<dt>sent in a client&#8217;s hour</dt><dd>5.0 kB</dd>"), "{page}");
}

#[test]
fn every_picture_is_told_to_those_who_do_not_see_it() {
    let directory = Directory::new("html-told");
    // The clients of one trace come from a country, and so it has a map.
    let page = page(&[&trapped(&directory), &made(&directory)]);
    let pictures = elements(&page, "svg");
    let mut told = 0;
    for (attributes, content) in pictures {
        if attributes.contains("aria-hidden=true") {
            continue;
        }
        told += 1;
        assert!(attributes.contains("role=\"img\""), "{attributes}");
        // A reader of the screen hears the text, not each column and each country.
        let (_, shapes) = content.split_once("</desc>").expect("what it says");
        assert!(shapes.starts_with("<g aria-hidden=true>"), "{content}");
        let names = attributes.split("aria-labelledby=\"").nth(1).expect("a name");
        for id in names.split('"').next().expect("an end").split(' ') {
            let own = content.split(&format!("id=\"{id}\">")).nth(1).expect("its own");
            assert!(!own.starts_with('<'), "{id}: {content}");
        }
    }
    assert!(page.contains("id=\"map-picture\"") && told >= 4, "{told}");
    let mut ids: Vec<_> = page.split(" id=").skip(1).map(|rest| rest.split('>').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "each id is there once");
    for wanted in ["prefers-color-scheme: dark", "max-width: 46rem", "@media print", "width=device"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
}

/// A trace with the trap in every place that has a text.
fn trapped(directory: &Directory) -> String {
    let facts = [
        "command",
        "http_forwarded",
        "http_host",
        "http_request",
        "http_user_agent",
        "http_x_forwarded_for",
        "http_x_real_ip",
        "ja3",
        "ja4",
        "method",
        "protocol",
        "secret",
        "smtp_helo",
        "smtp_mail_from",
        "smtp_rcpt_to",
        "ssh_hassh",
        "ssh_ident",
        "ssh_key",
        "telnet_terminal",
        "tls_alpn",
        "tls_sni",
        "user",
    ];
    let learnt: serde_json::Map<_, _> =
        facts.into_iter().map(|fact| (fact.to_owned(), TRAP.into())).collect();
    let line = |time: u64, event: &str, meta: Value| {
        let mut line = json!({
            "time": time, "event": event, "name": TRAP, "pattern": TRAP,
            "conn_info": {"peername": [TRAP, 1], "sockname": ["::", 2]},
            "meta": meta, "session": TRAP, "protocol": TRAP, "reason": TRAP,
            "country": TRAP, "asn": 64_496, "as_org": TRAP,
        });
        if event == "close" {
            line["duration"] = 5_000.into();
        }
        line.to_string() + "\n"
    };
    let lines = [
        line(1_790_000_000, "open", Value::Null),
        line(1_790_000_001, "learn", learnt.into()),
        line(1_790_000_002, "malformed", json!({"layer": TRAP, "reason": TRAP})),
        line(1_790_000_003, "refuse", json!({"limit": TRAP})),
        line(1_790_005_000, "close", Value::Null),
        line(1_790_005_001, "open", Value::Null),
    ];
    let path = directory.path("trap.jsonl");
    fs::write(&path, lines.concat()).expect("written");
    path
}

#[test]
fn nothing_of_a_client_acts_in_the_page() {
    let directory = Directory::new("html-trap");
    let path = trapped(&directory);
    let page = page(&[&path]);
    // The figures have it, so the page has it, too: 22 facts, login, and a dozen other places.
    let escaped = "&#60;script&#62;document.title&#61;";
    assert!(page.matches(escaped).count() >= 25, "{}", page.matches(escaped).count());
    for never in ["<script", "<img", "javascript:", "http:", "https:", " src", " href", " style="] {
        assert!(!page.contains(never), "{never}");
    }
    let policy = "content=\"default-src &#39;none&#39;; style-src &#39;sha256-";
    assert!(page.contains(policy));
    if !require("chromium") {
        return;
    }
    let file = directory.path("page.html");
    assert_eq!(told(&report(&["--html", &file, &path])), (String::new(), Some(0)));
    let shown = shown_by_browser(&directory, &format!("file://{file}"));
    assert!(shown.contains("<title>tarpitd report</title>"), "{shown}");
    assert!(shown.contains("&lt;script&gt;document.title="), "{shown}");
    assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
}

#[test]
fn a_page_replaces_a_page_and_nothing_else() {
    let directory = Directory::new("html-files");
    let trace = made(&directory);
    let file = directory.path("page.html");
    let html = |file: &str| told(&report(&["--html", file, &trace]));
    assert_eq!(html(&file), (String::new(), Some(0)));
    let first = fs::read_to_string(&file).expect("written");
    assert!(
        first.starts_with("<!doctype html>") && first.ends_with("</html>\n"),
        "{}",
        first.len()
    );
    // It has the same rights as the one before, and a link to it stays one.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
    let link = directory.path("link.html");
    symlink(&file, &link).expect("made");
    let inode = fs::metadata(&file).expect("there").ino();
    assert_eq!(html(&link), (String::new(), Some(0)));
    let metadata = fs::metadata(&file).expect("there");
    assert_ne!(metadata.ino(), inode, "it was not written in place");
    assert_eq!(metadata.mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(fs::read_to_string(&file).expect("there"), first);

    let before = fs::read(&trace).expect("there");
    let empty = directory.file("empty.jsonl", "");
    for (wrong, why) in [
        (&*trace, "it is no page of an earlier report"),
        (&*empty, "it is no page of an earlier report"),
        (&*directory.path("."), "it is a directory"),
        (&*directory.path("gone/page.html"), "No such file"),
    ] {
        let (said, code) = html(wrong);
        assert!(said.contains(&format!(": cannot be written: {why}")), "{wrong}: {said}");
        assert_eq!((said.lines().count(), code), (1, Some(1)), "{said}");
    }
    assert_eq!(fs::read(&trace).expect("there"), before);
    // Without a trace there is no page, and the old one stays.
    assert_eq!(told(&report(&["--html", &file, &directory.path("gone")])).1, Some(1));
    assert_eq!(fs::read_to_string(&file).expect("there"), first);
    assert_eq!(told(&report(&["--html", "/dev/full", &trace])).1, Some(1));
    assert_eq!(told(&report(&["--html", "/dev/null", &trace])), (String::new(), Some(0)));
    assert_eq!(told(&report(&["--html", &file, "--json", &trace])).1, Some(2));
    let names = fs::read_dir(directory.path(".")).expect("there").flatten();
    let mut names: Vec<_> = names.map(|it| it.file_name().into_string().expect("text")).collect();
    names.sort();
    assert_eq!(names, ["empty.jsonl", "link.html", "page.html", "trace.jsonl"]);
}

#[test]
fn an_empty_trace_has_a_page_that_says_so() {
    let directory = Directory::new("html-empty");
    let page = page(&[&directory.file("trace.jsonl", "")]);
    assert!(page.contains("No client is in the trace (0 lines)."), "{page}");
    assert!(!page.contains("<svg"), "{page}");
}
