//! Transcripts of `http_hold`.

use tarpit_proto::{persona::Persona, rng::Seed};

use crate::{
    http::{GET, GUESS, answer, asking, field},
    stage::Stage,
};

/// A request for `path` of a client that calls itself `agent`.
fn of(agent: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n")
}

#[test]
fn an_unknown_client_gets_a_head_that_goes_on_byte_by_byte() {
    let mut stage = asking("http_hold", None, GET);
    let head = stage.heard();
    assert!(head.ends_with("Vary: Accept-Encoding\\r\\n"), "{head}");
    stage.pass_secs(800);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1));
    let gaps = stage.gaps();
    assert!(gaps.len() > 90 && gaps.iter().all(|gap| (7_200..=8_800).contains(gap)), "{gaps:?}");
    assert!(stage.text().starts_with("Content-Type:    "));
    stage.pass_secs(30 * 86_400);
    // The strictest client bears fields of 8,190 bytes, and a hundred of them.
    let text = stage.text();
    let lines: Vec<_> = text.split("\\r\\n").collect();
    assert!((35..60).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().all(|line| line.len() < 8_190), "a field beyond the bound");
    assert!(lines[0].ends_with(" text/html"), "{}", lines[0].trim());
    let cookie = |line: &&str| line.starts_with("Set-Cookie:  ") && line.contains('=');
    assert!(lines[1..lines.len() - 1].iter().all(cookie), "{text}");
    assert_eq!(stage.closed, None);
}

#[test]
fn a_client_that_limits_the_head_gets_it_within_its_limit_and_then_a_body() {
    for agent in ["node", "undici"] {
        for path in ["/", "/x"] {
            let mut stage = asking("http_hold", None, &of(agent, path));
            stage.pass_secs(8_000);
            let end = stage.sent.iter().position(|(_, bytes)| bytes.len() > 1).expect("an opening");
            assert_eq!(end, 0);
            // It waits 300 seconds in all for a head.
            let end = stage.sent.iter().skip(1).position(|(_, bytes)| bytes.len() > 1);
            let end = stage.moments()[end.expect("the end of the head") + 1];
            assert!((220_000..290_000).contains(&end), "{end}");
            let (_, body) = answer(&stage.bytes());
            let first = stage.sent.iter().map(|(_, bytes)| bytes.len()).max().expect("a part");
            assert!(first > 200, "a page does not begin in crumbs: {first}");
            assert!(body.starts_with(b"<!DOCTYPE "));
        }
    }
}

#[test]
fn an_impatient_client_hears_something_every_three_seconds() {
    let mut stage = asking("http_hold", None, &of("python-httpx/0.28.1", "/"));
    stage.pass_secs(600);
    assert!(stage.gaps().iter().all(|gap| *gap < 3_400), "{:?}", stage.gaps());
    assert!(stage.session.sent() < 10 * 600);
}

#[test]
fn searchers_for_paths_get_whole_answers_and_keep_the_connection() {
    for agent in [
        "gobuster/3.5",
        "Fuzz Faster U Fool v2.0.0-dev",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "feroxbuster/2.10.0",
    ] {
        let mut stage = Stage::new("http_hold").open();
        for (path, status) in [
            ("/", "HTTP/1.1 200 OK"),
            ("/b3f1a2c4-0000-4111-8222-333344445555", "HTTP/1.1 404 Not Found"),
            ("/.htpasswd", "HTTP/1.1 403 Forbidden"),
            ("/a/.hta?x", "HTTP/1.1 404 Not Found"),
            ("/admin", "HTTP/1.1 404 Not Found"),
            ("/server-status", "HTTP/1.1 403 Forbidden"),
        ] {
            let start = stage.now;
            let before = stage.sent.len();
            stage.says(of(agent, path)).pass_secs(20);
            assert_eq!(stage.sent.len(), before + 1, "{agent} {path}: one write");
            let (at, bytes) = &stage.sent[before];
            assert!((8_000..=8_900).contains(&at.since(start).as_millis()));
            let (head, body) = answer(bytes);
            assert_eq!(head[0], status, "{agent} {path}");
            assert_eq!(field(&head, "Content-Length"), Some(&body.len().to_string()[..]));
        }
        // Heads have no page.
        stage.heard();
        stage.says(of(agent, "/x").replace("GET", "HEAD")).pass_secs(20);
        let (head, body) = answer(&stage.bytes());
        assert_eq!((&head[0][..], body.len()), ("HTTP/1.1 404 Not Found", 0));
    }
}

#[test]
fn scripts_of_nmap_get_whole_answers_before_they_ask_again_inside_tls() {
    let agent = "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)";
    for _ in 0..20 {
        let mut stage = asking("http_hold", None, &of(agent, "/nothing"));
        let start = stage.now;
        stage.pass_secs(7);
        let (at, bytes) = &stage.sent[0];
        assert!((5_500..6_500).contains(&at.since(start).as_millis()));
        assert_eq!(answer(bytes).0[0], "HTTP/1.1 404 Not Found");
        assert_eq!(stage.sent.len(), 1);
    }
}

#[test]
fn a_browser_that_accepts_nothing_is_a_searcher_in_disguise() {
    let browser = "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0 (X11)\r\n";
    let mut stage = asking("http_hold", None, &format!("{browser}Accept-Encoding: gzip\r\n\r\n"));
    stage.pass_secs(8);
    assert_eq!(stage.text(), "");
    stage.pass_secs(1);
    assert!(stage.text().starts_with("HTTP/1.1 200 OK") && stage.text().ends_with("</html>\\n"));
    let stage = asking("http_hold", None, &format!("{browser}Accept: text/html\r\n\r\n"));
    assert!(stage.text().starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn what_is_learnt_of_a_request_is_told() {
    let stage = asking(
        "http_hold",
        None,
        "CONNECT b.example:25 HTTP/1.1\r\nHost: b.example:25\r\nUser-Agent: x\r\n\
         Proxy-Authorization: Basic cm9vdDp0b29y\r\n\r\n",
    );
    assert_eq!(
        stage.news[1..],
        [
            "learnt http_request CONNECT b.example:25 HTTP/1.1",
            "learnt http_host b.example:25",
            "learnt http_user_agent x",
            "learnt user root",
            "learnt secret toor",
            "learnt method basic",
        ]
    );
    assert_eq!(
        stage.learnt,
        ["http_request CONNECT b.example:25 HTTP/1.1, http_host b.example:25, http_user_agent x, \
          user root, secret toor, method basic"]
    );
}

#[test]
fn credentials_are_told_without_their_wrapping() {
    let long = [b'a'; 300];
    for (credentials, wanted) in [
        ("Basic cm9vdDp0bzpvcg==", "user root, secret to:or, method basic"),
        ("BASIC OnRvb3I=", "user , secret toor, method basic"),
        ("Basic cm9vdA==", "secret root, method basic"),
        ("Basic ???", "secret ???, method basic"),
        ("Bearer abc.def", "secret abc.def, method bearer"),
        ("letmein", "secret letmein"),
        (
            "Digest username=\"y\", response=\"z\"",
            "user y, secret username=\\\"y\\\", response=\\\"z\\\", method digest",
        ),
    ] {
        let request = format!("GET / HTTP/1.1\r\nAuthorization: {credentials}\r\n\r\n");
        let stage = asking("http_hold", None, &request);
        assert_eq!(stage.learnt, [format!("http_request GET / HTTP/1.1, {wanted}")]);
    }
    // `root:` and 300 letters.
    let coded = format!("cm9vdDph{}YWE=", "YWFh".repeat(99));
    let request = format!("GET / HTTP/1.1\r\nAuthorization: Basic {coded}\r\n\r\n");
    let stage = asking("http_hold", None, &request);
    let shown = &long[..256].escape_ascii().to_string();
    assert!(stage.learnt[0].contains(&format!("secret {shown} (of 300),")), "{:?}", stage.learnt);
}

#[test]
fn a_request_for_a_tunnel_is_answered_byte_by_byte_from_the_first_byte_on() {
    let mut stage = asking("http_hold", None, "CONNECT b.example:25 HTTP/1.1\r\n\r\n");
    stage.pass_secs(240);
    assert!(stage.sent.iter().all(|(_, bytes)| bytes.len() == 1));
    assert!("HTTP/1.1 405 Method Not Allowed".starts_with(&stage.text()), "{}", stage.text());
    stage.pass_secs(86_400);
    assert!(stage.text().contains("405 Method Not Allowed\\r\\nDate: "));
    assert!(!stage.text().contains("\\r\\n\\r\\n"));
}

#[test]
fn an_upload_is_not_read_and_the_answer_goes_on() {
    for line in
        ["Content-Length: 65536", "Content-Length: 99999999999", "Transfer-Encoding: chunked"]
    {
        for method in ["POST", "PUT"] {
            let start = "x".repeat(2_000);
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n{start}");
            let mut stage = asking("http_hold", None, &request);
            stage.pass_secs(600);
            assert!(!stage.listens(), "{method} {line}");
            assert!(stage.session.sent() < 600, "{method} {line}");
            assert!(stage.sent.len() > 60, "{method} {line}: something goes out");
            assert!(stage.save().len() < 200, "{method} {line}: nothing is kept");
        }
    }
    let mut stage =
        asking("http_hold", None, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    stage.pass_secs(600);
    assert!(stage.listens());
}

#[test]
fn a_guesser_is_let_in_only_where_the_owner_wants_it() {
    for (poison, status) in [(false, "HTTP/1.1 401 "), (true, "HTTP/1.1 200 ")] {
        let mut stage = Stage::new("http_hold");
        stage.profile.poison = poison;
        let mut stage = stage.open();
        stage.says(GUESS).pass_secs(10);
        assert!(stage.text().starts_with(status), "{poison}");
        assert_eq!(stage.sent.len(), 1);
    }
    // Without a password nobody is let in.
    let mut stage = Stage::new("http_hold");
    stage.profile.poison = true;
    let mut stage = stage.open();
    stage.says(of("Mozilla/4.0 (Hydra)", "/")).pass_secs(10);
    assert!(stage.text().starts_with("HTTP/1.1 401 "));
}

#[test]
fn who_asks_for_the_head_alone_never_sees_its_end() {
    let mut stage = asking("http_hold", Some(65_536), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.pass_secs(86_400);
    assert!(stage.session.sent() < 26_000, "{}", stage.session.sent());
    assert!(!stage.text().contains("\\r\\n\\r\\n"));
    assert!(stage.text().ends_with("   "));
}

#[test]
fn every_persona_has_its_own_lines_and_their_order() {
    const DATE: &str = "Date: Sun, 22 Nov 2026 07:52:33 GMT\\r\\n";
    for (persona, lines) in [
        ("debian-12", format!("Server: nginx/1.22.1\\r\\n{DATE}Content-Type: text/html\\r\\n")),
        ("ip-camera", format!("{DATE}Server: Boa/0.94.14rc21\\r\\n")),
        (
            "windows-server-2019",
            format!(
                "Content-Type: text/html\\r\\nServer: Microsoft-IIS/10.0\\r\\n\
                 X-Powered-By: ASP.NET\\r\\n{DATE}"
            ),
        ),
    ] {
        for name in ["http_hold", "http_endless_header"] {
            let mut stage = Stage::new(name);
            stage.profile.persona = Persona::named(persona, &Seed([3; 32])).expect("a persona");
            let mut stage = stage.open();
            stage.says(GET);
            let head = stage.text();
            assert!(head.starts_with("HTTP/1.1 200 OK\\r\\n"), "{persona}: {head}");
            // The fields of a page stand between those of the server.
            for line in lines.split_inclusive("\\r\\n") {
                assert!(head.contains(line), "{persona} {name}: {head}");
            }
            if name == "http_hold" {
                continue;
            }
            assert_eq!(head, format!("HTTP/1.1 200 OK\\r\\n{lines}"), "{persona}");
            stage.pass_secs(86_400);
            // A server without chunks ends its bodies with the connection.
            let (head, body) = answer(&stage.pass_secs(86_400).bytes());
            let chunks = field(&head, "Transfer-Encoding").is_some();
            assert_eq!(chunks, persona != "ip-camera");
            assert_eq!(head.iter().filter(|line| line.starts_with("Content-Type: ")).count(), 1);
            assert_eq!(body.starts_with(b"<!DOCTYPE"), !chunks, "{persona}");
        }
    }
}

/// What is learnt of a request in which one value has `length` bytes; it comes in small portions.
fn learnt_of(text: &str) -> Vec<String> {
    let mut stage = Stage::new("http_hold").open();
    for portion in text.as_bytes().chunks(1_400) {
        stage.says(portion);
    }
    stage.learnt
}

#[test]
fn a_value_beyond_what_may_wait_is_told_with_its_true_length() {
    let shown = "a".repeat(256);
    for length in [256, 300, 4_000, 4_096, 6_000, 20_000] {
        let long = "a".repeat(length);
        let of = if length > 256 { format!(" (of {length})") } else { String::new() };
        let learnt =
            learnt_of(&format!("GET / HTTP/1.1\r\nUser-Agent: {long}\r\nHost: {long}\r\n\r\n"))
                .join(", ");
        assert!(learnt.contains(&format!("http_user_agent {shown}{of}")), "{length}: {learnt}");
        // Whether such a host is a user's name and a secret before an @ is not to be seen.
        let host = if length > 4_000 { "http_host ***, secret" } else { "http_host" };
        assert!(learnt.contains(&format!("{host} {shown}{of}")), "{length}: {learnt}");
        // The method and the version are fifteen bytes.
        let learnt = learnt_of(&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).join(", ");
        let request = format!("http_request GET /{} (of {})", &shown[5..], length + 14);
        assert!(learnt.contains(&request) && learnt.contains("http_host x"), "{learnt}");
        // Three letters of base64 are two bytes and more; `a:` stands in front of the secret.
        let coded = format!("YTph{}YQ==", "YWFh".repeat(length / 3));
        let guess = format!("GET / HTTP/1.1\r\nAuthorization: Basic {coded}\r\n\r\n");
        let learnt = learnt_of(&guess).join(", ");
        let guess = format!("user a, secret {shown} (of {}), method basic", length / 3 * 3 + 2);
        assert!(length == 256 || learnt.contains(&guess), "{length}: {learnt}");
    }
    // What never ends is not told, and nothing more is kept of it.
    let mut stage = Stage::new("http_hold").open();
    stage.says("GET /");
    for _ in 0..1_000 {
        stage.says([b'a'; 1_400]);
    }
    assert!(stage.learnt.is_empty() && stage.save().len() < 5_000);
}

#[test]
fn a_value_amid_which_the_daemon_is_replaced_is_told_with_its_true_length() {
    let long = "a".repeat(9_000);
    let request = format!("GET / HTTP/1.1\r\nUser-Agent: {long}\r\n\r\n");
    let mut stage = Stage::new("http_hold").open();
    for portion in request.as_bytes().chunks(1_400) {
        stage.hand_over().says(portion);
    }
    let learnt = stage.learnt.join(", ");
    assert!(learnt.contains(&format!("http_user_agent {} (of 9000)", &long[..256])), "{learnt}");
}
