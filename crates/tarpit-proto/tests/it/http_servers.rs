//! The statuses and heads of the web servers that are played.
//!
//! What they are compared with are answers of the real ones; see `http_rows.rs`.

use tarpit_proto::{persona::Persona, rng::Seed};

use crate::{
    http::field,
    http_rows::{PLAYED, rows},
    stage::{Stage, seed},
};

/// A client of the persona's server that has asked for something, in portions as the daemon reads.
fn asking(persona: &str, request: &[u8]) -> Stage {
    asking_of(Persona::named(persona, &seed()).expect("a persona"), request)
}

/// The same of a certain installation.
fn asking_of(persona: Persona, request: &[u8]) -> Stage {
    let mut stage = Stage::new("http_hold");
    stage.profile.persona = persona;
    let mut stage = stage.open();
    for portion in request.chunks(1_400) {
        stage.says(portion);
    }
    stage
}

/// The status of the answer, and its head as far as it is there.
fn head(persona: &str, request: &[u8]) -> (String, Vec<String>) {
    let mut stage = asking(persona, request);
    // An answer to a request for a tunnel comes byte by byte.
    if stage.session.sent() == 1 {
        stage.pass_secs(120);
    }
    let text = String::from_utf8(stage.bytes()).expect("text");
    let status = text.strip_prefix("HTTP/1.1 ").map_or("body", |rest| &rest[..3]).to_owned();
    (status, text.split("\r\n").map(str::to_owned).collect())
}

#[test]
fn every_request_has_the_status_that_the_real_servers_gave() {
    let mut wrong = Vec::new();
    for row in rows() {
        for (persona, wanted) in PLAYED.into_iter().zip(row.ours()) {
            let (status, _) = head(persona, &row.request);
            if status != wanted {
                wrong.push(format!("{persona}: {status}, not {wanted}: {}", row.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
    assert!(rows().count() > 200);
}

#[test]
fn whatever_the_status_is_the_client_is_held() {
    for row in rows() {
        let text = row.text;
        for persona in Persona::names() {
            let mut stage = asking(persona, &row.request);
            stage.pass_secs(7);
            let pieces = stage.sent.iter().filter(|(_, bytes)| bytes.len() == 1).count();
            assert!(pieces < 2, "{persona}: {text}: dribbles at once");
            stage.pass_secs(600);
            assert_eq!(stage.closed, None, "{persona}: {text}");
            let text = stage.text();
            let ends = text.contains("\\r\\n\\r\\n") && text.starts_with("HTTP/");
            assert!(!ends, "{persona}: a head that ends: {text}");
        }
    }
}

/// The names of fields in a head, in their order.
fn names(head: &[String]) -> Vec<&str> {
    head.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect()
}

#[test]
fn the_fields_of_a_head_stand_in_the_order_of_the_real_server() {
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const MISSING: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const PUT: &[u8] = b"PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    // The last field of each comes slowly, and is not here.
    for (persona, request, wanted) in [
        (
            "ubuntu-22.04",
            GET,
            "Date Server Last-Modified ETag Accept-Ranges Content-Length Vary Connection",
        ),
        ("ubuntu-22.04", MISSING, "Date Server Content-Length Connection"),
        ("ubuntu-22.04", PUT, "Date Server Allow Content-Length Connection"),
        ("debian-12", GET, "Server Date Content-Type Content-Length Last-Modified Connection ETag"),
        ("debian-12", MISSING, "Server Date Content-Type Content-Length"),
        ("debian-12", PUT, "Server Date Content-Type Content-Length"),
    ] {
        let (_, head) = head(persona, request);
        assert_eq!(names(&head).join(" "), wanted, "{persona}");
    }
}

#[test]
fn a_page_has_one_tag_one_date_and_one_length_however_often_it_is_asked_for() {
    for persona in ["ubuntu-22.04", "debian-12"] {
        let get = b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n";
        let (_, first) = head(persona, get);
        let (_, again) = head(persona, get);
        let facts = |head: &[String]| {
            ["ETag", "Last-Modified", "Content-Length"]
                .map(|name| field(head, name).expect("a field").to_owned())
        };
        assert_eq!(facts(&first), facts(&again));
        let [tag, _, length] = facts(&first);
        let length: usize = length.parse().expect("a number");
        assert!(tag.contains(&format!("{length:x}")), "{tag} {length}");
        // Who has that page already is told so.
        let same = format!("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n");
        assert_eq!(head(persona, same.as_bytes()).0, "304");
    }
}

#[test]
fn the_links_of_a_page_lead_to_pages_and_no_other_name_does() {
    for installation in 0..12_u8 {
        let seed = Seed([installation.wrapping_mul(37); 32]);
        let kind = Persona::names().nth(usize::from(installation) % 4).expect("a persona");
        let persona = || Persona::named(kind, &seed).expect("a persona");
        let get = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            asking_of(persona(), request.as_bytes()).text()[9..12].to_owned()
        };
        let mut stage = asking_of(persona(), b"GET /\r\n");
        stage.pass_secs(90 * 86_400);
        let page = String::from_utf8(stage.bytes()).expect("text");
        let links: Vec<_> =
            page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 50, "{kind}: {} links", links.len());
        for link in links {
            assert_eq!(get(link), "200", "{kind}: {link}");
            let digits = link.len() - ".html".len() - 9;
            let other = format!("{}0{}.html", &link[..digits], &link[digits..link.len() - 6]);
            assert_eq!(get(&other), "404", "{kind}: {other}");
        }
    }
}

#[test]
fn no_form_or_length_of_a_line_is_common_to_all_installations() {
    use std::collections::BTreeSet;

    let (mut lengths, mut forms, mut all) = (Vec::new(), Vec::new(), BTreeSet::new());
    for installation in 0..16_u8 {
        let persona = Persona::default_for(&Seed([installation; 32]));
        let get = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: gobuster/3.5\r\n\r\n";
        let mut stage = asking_of(persona, get);
        stage.pass_secs(10);
        let text = String::from_utf8(stage.bytes()).expect("text");
        let (head, page) = text.split_once("\r\n\r\n").expect("a whole answer");
        let head: Vec<_> = head.split("\r\n").map(str::to_owned).collect();
        assert_eq!(field(&head, "Content-Length"), Some(&*page.len().to_string()));
        let items: Vec<_> = page.lines().filter(|line| line.contains("href")).collect();
        assert!(items.len() > 50, "{page}");
        lengths.push(items.iter().map(|item| item.len()).collect::<BTreeSet<_>>());
        // What stands around a link.
        let form = |item: &&str| {
            let (before, link) = item.split_once("<a").expect("a link");
            let (link, behind) = link.split_once("</a>").expect("its end");
            let names = link.split("href").next().expect("its attributes");
            let shape = |text: &str| text.replace(|letter: char| letter.is_alphanumeric(), "");
            format!("{before}<a{names}{} {}", shape(link), shape(behind))
        };
        forms.push(items.iter().map(form).collect::<BTreeSet<_>>());
        all.extend(forms.last().expect("it was pushed").clone());
    }
    let common = |sets: &[BTreeSet<String>]| {
        sets.iter().cloned().reduce(|one, other| &one & &other).expect("some sets")
    };
    assert_eq!(common(&forms), BTreeSet::new());
    let lengths: Vec<_> = lengths
        .iter()
        .map(|set| set.iter().map(usize::to_string).collect::<BTreeSet<_>>())
        .collect();
    assert_eq!(common(&lengths), BTreeSet::new());
    assert!(all.len() > 12, "{all:?}");
}

#[test]
fn each_installation_has_a_few_files_and_folders_of_its_own() {
    const NAMES: [&str; 24] = [
        "about.html",
        "archive.html",
        "careers.html",
        "contact.html",
        "events.html",
        "gallery.html",
        "help.html",
        "history.html",
        "links.html",
        "partners.html",
        "services.html",
        "team.html",
        "assets",
        "css",
        "data",
        "docs",
        "download",
        "files",
        "images",
        "img",
        "js",
        "media",
        "static",
        "upload",
    ];
    let mut kinds = std::collections::BTreeSet::new();
    for installation in 0..40_u8 {
        let mut there = Vec::new();
        for name in NAMES {
            let mut stage = Stage::new("http_hold");
            stage.profile.persona = Persona::default_for(&Seed([installation; 32]));
            let mut stage = stage.open();
            stage.says(format!("GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n"));
            match &stage.text()[9..12] {
                "404" => {}
                status => there.push(format!("{name} {status}")),
            }
        }
        assert_eq!(there.len(), 6, "{there:?}");
        assert!(there[..3].iter().all(|one| one.ends_with("200")), "{there:?}");
        assert!(there[3..].iter().all(|one| one.ends_with("301")), "{there:?}");
        kinds.insert(there);
    }
    assert!(kinds.len() > 8, "{} kinds of sites", kinds.len());
}

/// The whole answer that a searcher for paths gets.
fn answer_to_searcher(mut stage: Stage, method: &str, path: &str, more: &str) -> String {
    stage.says(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: gobuster/3.5\r\n{more}\r\n"
    ));
    stage.pass_secs(10);
    String::from_utf8(stage.bytes()).expect("text")
}

/// The answer to a searcher that asks for a folder of the site, with this `Host` line, at this port.
fn redirect(persona: &str, port: u16, version: &str, host: &str) -> String {
    let folders = ["assets", "css", "data", "docs"].into_iter();
    let mut answers = folders.map(|folder| {
        let mut stage = Stage::new("http_hold");
        stage.profile.persona = Persona::named(persona, &seed()).expect("a persona");
        stage.conn.server.set_port(port);
        let mut stage = stage.open();
        stage.says(format!("GET /{folder} {version}\r\n{host}User-Agent: gobuster/3.5\r\n\r\n"));
        // Also where the daemon is replaced meanwhile.
        stage.hand_over().pass_secs(10);
        let text = String::from_utf8(stage.bytes()).expect("text");
        text.replace(&format!("/{folder}/"), "/FOLDER/")
    });
    answers.find(|text| !text.contains(" 404 ")).expect("each has one folder of four")
}

/// What real servers that listen at port 8080 make of a host: Apache's redirect and the end of its
/// page, and nginx's redirect. No answer but a 400: `-`.
const HOSTS: &[(&str, &str, &str)] = &[
    (
        "Example.ORG.",
        "http://example.org:8080/ at example.org Port 8080",
        "http://example.org:8080/",
    ),
    ("example.org:80", "http://example.org/ at example.org Port 80", "http://example.org:8080/"),
    ("a.b:0099", "http://a.b:99/ at a.b Port 99", "http://a.b:8080/"),
    ("a_b.c:65536", "-", "http://a_b.c:8080/"),
    ("a.b:", "-", "http://a.b:8080/"),
    ("999.1.1.1", "http://999.1.1.1:8080/ at 999.1.1.1 Port 8080", "http://999.1.1.1:8080/"),
    ("1.2.3", "-", "http://1.2.3:8080/"),
    ("[::FFFF]:90", "http://[::ffff]:90/ at ::ffff Port 90", "http://[::ffff]:8080/"),
    ("[::G]", "-", "http://[::g]:8080/"),
    ("[::1]x", "-", "http://[::1]:8080/"),
    ("a<b>\"&'", "-", "http://a<b>\"&':8080/"),
    ("a.-b", "-", "http://a.-b:8080/"),
    (".a", "http://.a:8080/ at .a Port 8080", "http://.a:8080/"),
    ("::1", "-", "-"),
    (".", "-", "-"),
    ("a..b", "-", "-"),
    ("a\x7fb", "-", "-"),
];

#[test]
fn answers_name_the_host_that_the_client_asked_for_as_the_real_servers_do() {
    for &(host, apache, nginx) in HOSTS {
        for (persona, wanted) in PLAYED.into_iter().zip([apache, nginx]) {
            let text = redirect(persona, 8080, "HTTP/1.1", &format!("Host: {host}\r\n"));
            let Some((url, signature)) = wanted.split_once(" at ").or(Some((wanted, ""))) else {
                unreachable!("either has a URL");
            };
            if url == "-" {
                assert!(text.starts_with("HTTP/1.1 400 "), "{persona} {host}: {text}");
                assert!(!text.contains(&format!("Server at {host}")), "{host}: {text}");
                continue;
            }
            assert!(text.starts_with("HTTP/1.1 301 "), "{persona} {host}: {text}");
            assert!(text.contains(&format!("\r\nLocation: {url}FOLDER/\r\n")), "{host}: {text}");
            if !signature.is_empty() {
                let words = [format!("Server at {signature}</"), format!("\"{url}FOLDER/\">here")];
                assert!(words.iter().all(|words| text.contains(words)), "{host}: {text}");
            }
        }
    }
}

#[test]
fn who_names_no_host_or_one_that_is_too_long_is_told_the_address() {
    for (persona, port, wanted) in [
        ("ubuntu-22.04", 80, "http://198.51.100.1/FOLDER/"),
        ("ubuntu-22.04", 8080, "http://198.51.100.1:8080/FOLDER/"),
        ("debian-12", 8080, "http://198.51.100.1:8080/FOLDER/"),
        ("windows-server-2019", 8080, "http://198.51.100.1:8080/FOLDER/"),
    ] {
        let long = format!("Host: {}\r\n", "a".repeat(256));
        for text in
            [redirect(persona, port, "HTTP/1.0", ""), redirect(persona, port, "HTTP/1.1", &long)]
        {
            assert!(text.contains(&format!("\r\nLocation: {wanted}\r\n")), "{text}");
        }
    }
    // IIS repeats what it reads, and no more.
    let text = redirect("windows-server-2019", 8080, "HTTP/1.1", "Host: A.b\r\n");
    assert!(text.contains("\r\nLocation: http://A.b/FOLDER/\r\n"), "{text}");
    assert!(text.contains("<a HREF=\"http://A.b/FOLDER/\">here"), "{text}");
    let text = redirect("windows-server-2019", 8080, "HTTP/1.1", "Host: a\"<b>\r\n");
    assert!(text.contains("\r\nLocation: http://198.51.100.1:8080/FOLDER/\r\n"), "{text}");
}

#[test]
fn a_request_that_is_refused_before_its_host_is_read_gets_the_address() {
    let answer = |request: &str| {
        let mut stage = Stage::new("http_hold").open();
        stage.says(format!("{request}\r\nHost: a.b:99\r\nUser-Agent: gobuster/3.5\r\n\r\n"));
        stage.pass_secs(10);
        String::from_utf8(stage.bytes()).expect("text")
    };
    for (request, wanted) in [
        ("GET /../../x HTTP/1.1", "a.b Port 99"),
        ("GET /%zz HTTP/1.1", "a.b Port 99"),
        ("PUT / HTTP/1.1", "a.b Port 99"),
        ("GET / HTTP/1.1\r\nExpect: foo", "a.b Port 99"),
        ("GET /a b HTTP/1.1", "198.51.100.1 Port 22"),
        ("GET x HTTP/1.1", "198.51.100.1 Port 22"),
        ("GET / HTTP/1.1\r\nno colon", "198.51.100.1 Port 22"),
        ("GET / HTTP/1.1\r\nContent-Length: x", "198.51.100.1 Port 22"),
        ("GET * HTTP/1.1", "198.51.100.1 Port 22"),
    ] {
        let text = answer(request);
        assert!(text.contains(&format!("Server at {wanted}</address>")), "{request}: {text}");
    }
}

#[test]
fn a_held_client_keeps_no_host() {
    let request = |host: &str| format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let [short, long] = ["a", &"a".repeat(255)].map(|host| {
        let mut stage = Stage::new("http_hold").open();
        stage.says(request(host)).pass_secs(60);
        assert!(stage.text().contains(" 404 "), "{}", stage.text());
        stage.save().len()
    });
    assert_eq!(short, long);
}

#[test]
fn no_page_names_what_the_client_has_not_said() {
    let answer = |method: &str, more: &str| {
        answer_to_searcher(Stage::new("http_hold").open(), method, "/", more)
    };
    let unknown = answer("ABCD", "");
    assert!(unknown.starts_with("HTTP/1.1 501 ") && !unknown.contains(&"X".repeat(4)), "{unknown}");
    assert!(answer("FOO", "").contains("<p>FOO not supported"));
    let expecting = answer("GET", "Expect: foo\r\n");
    assert!(expecting.starts_with("HTTP/1.1 417 ") && !expecting.contains("200-ok"), "{expecting}");
}

#[test]
fn windows_takes_letters_of_both_cases_for_the_same() {
    let status = |persona, path: &str| {
        head(persona, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).0
    };
    let iis = Persona::names()
        .find(|name| status(name, "/iisstart.htm") == "200")
        .expect("a persona with IIS");
    assert_eq!(status(iis, "/IISStart.htm"), "200");
    assert_eq!(status("debian-12", "/INDEX.html"), "404");
}

#[test]
fn two_machines_of_one_installation_have_different_sites() {
    let mut facts = std::collections::BTreeSet::new();
    for persona in Persona::names() {
        let (_, head) = head(persona, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        facts.insert(field(&head, "Last-Modified").expect("a date").to_owned());
    }
    assert_eq!(facts.len(), Persona::names().count(), "{facts:?}");
}
