//! The page for a browser: what it shows, to whom, and that nothing of a client's acts in it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

use serde_json::Value;

use crate::{
    admin::ask,
    browser::{TRAP, shown_by_browser},
    clock::now,
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd, until},
    require::require,
};

/// A daemon with a web tarpit, a control socket and a page.
struct Shown {
    directory: Directory,
    daemon: Daemon,
}

impl Shown {
    fn start(name: &str, lines: &str) -> Self {
        let directory = Directory::new(name);
        let config = configure(&directory, &format!("[web]\nbind = '127.0.0.1:0'\n{lines}"));
        let daemon = Daemon::start(&["-c", &config], 2);
        Self { directory, daemon }
    }

    /// Puts another [web] in force and returns what `tarpitd reload` says.
    fn reload(&self, web: &str) -> String {
        configure(&self.directory, web);
        let mut command = tarpitd();
        command.args(["reload", "--socket", &self.directory.path("control")]);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn page(&self) -> SocketAddr {
        self.daemon.addresses[1]
    }

    fn status(&self) -> Value {
        let mut command = tarpitd();
        command.args(["status", "--json", "--socket", &self.directory.path("control")]);
        let output = command.output().expect("it runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Two clients, which type the trap as their program, a name and a password.
    fn catch(&self) -> [Client; 2] {
        // "<script>u:<script>p" in Base64.
        let login = "PHNjcmlwdD51OjxzY3JpcHQ+cA==";
        let request = format!(
            "GET /admin HTTP/1.1\r\nHost: x\r\nUser-Agent: {TRAP}\r\nAuthorization: Basic \
             {login}\r\n\r\n"
        );
        let client = || {
            let mut client = Client::of(self.daemon.addresses[0]);
            client.0.write_all(request.as_bytes()).expect("it listens");
            client
        };
        let clients = [client(), client()];
        until("what they typed", || self.status()["secrets"][0]["count"] == 2);
        clients
    }
}

/// Writes a configuration with one tarpit and these lines about the page; returns its path.
fn configure(directory: &Directory, web: &str) -> String {
    let text = format!(
        "[tarpits.web]\npattern = 'http'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
         [logging]\nlog_secrets = true\nclient_trace = '{}'\n[control]\nsocket = '{}'\n{web}\n",
        directory.path("trace.jsonl"),
        directory.path("control"),
    );
    directory.file("tarpitd.toml", &text)
}

/// The page's stream of events, as far as it goes.
fn events(address: SocketAddr, headers: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = connect(address);
    write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").expect("it reads");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line in time"));
    lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
}

/// The first event of the page's stream.
pub(crate) fn event(address: SocketAddr) -> Value {
    serde_json::from_str(&events(address, "").next().expect("an event")).expect("JSON")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    stream
}

#[test]
fn the_page_has_the_figures_of_the_status() {
    let it = Shown::start("page-figures", "");
    let clients = it.catch();
    let (event, status) = (event(it.page()), it.status());
    for key in ["held", "opened", "refused"] {
        assert_eq!(event[key], status["total"][key], "{key}");
        assert_eq!(event["tarpits"][0][key], status["tarpits"][0][key], "{key}");
    }
    assert_eq!((&event["held"], &event["day"]["now"]), (&2.into(), &2.into()));
    assert_eq!(event["hours"][23], 2);
    assert_eq!(event["protocols"][0]["name"], "http");
    assert_eq!(
        (&event["users"][0]["name"], &event["passwords"][0]["name"]),
        (&"<script>u".into(), &"<script>p".into())
    );
    assert_eq!(event["longest"][0]["says"], TRAP);
    assert_eq!(event["newest"].as_array().map(Vec::len), Some(2));
    assert!(event["countries"].is_null(), "without a database there is no map");
    // The totals stand in the page itself, for those without its program.
    let (head, page) = ask_by_address(it.page(), "/");
    assert!(page.contains("<dd id=\"held\">2</dd>"), "{page}");
    assert!(!page.contains("<script>"), "{page}");
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    // A foreign web page whose name leads here names its own.
    let (head, why) = ask(connect(it.page()), "GET http://x/ HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 403") && why.contains("by an address"), "{head}: {why}");
    drop(clients);
    until("an empty house", || it.status()["total"]["held"] == 0);
    until("what the page says of it", || self::event(it.page())["held"] == 0);
}

/// Asks for a part of the page as a browser on this machine does.
fn ask_by_address(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

#[test]
fn every_part_of_the_page_is_in_the_program_and_asks_nobody_else() {
    let it = Shown::start("page-parts", "");
    for (path, kind) in [
        ("/style.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/", "text/html"),
    ] {
        let (head, body) = ask_by_address(it.page(), path);
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {kind}")), "{path}: {head}");
        let own = body.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("http://") && !own.contains("https://"), "{path}");
    }
    let (head, _) = ask_by_address(it.page(), "/v1/status");
    assert!(head.starts_with("HTTP/1.1 404"), "the page's readers command nothing: {head}");
}

#[test]
fn a_token_keeps_others_out() {
    let it = Shown::start("page-token", "token = '0123456789abcdef'");
    let answer = |headers: &str| ask(connect(it.page()), &format!("GET / HTTP/1.1{headers}")).0;
    let refused = answer("");
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("www-authenticate: Basic"), "{refused}");
    let wrong = answer("\r\nAuthorization: Bearer 0123456789abcdee");
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    for shown in ["Bearer 0123456789abcdef", "Basic eDowMTIzNDU2Nzg5YWJjZGVm"] {
        let right = answer(&format!("\r\nAuthorization: {shown}"));
        assert!(right.starts_with("HTTP/1.1 200"), "{shown}: {right}");
    }
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let directory = Directory::new("page-public");
    let text = |lines: &str| {
        format!("[tarpits.a]\npattern = 'ssh'\nbind = '127.0.0.1:0'\n[web]\nbind = '{lines}\n")
    };
    let (_, told, code) =
        Daemon::start_and_fail(&["-c", &directory.file("open.toml", &text("0.0.0.0:0'"))]);
    assert_eq!(code, Some(2));
    assert!(told.contains("open.toml:5:8: other machines can read the page here"), "{told}");
    let closed = directory.file("closed.toml", &text("0.0.0.0:0'\ntoken = '0123456789abcdef'"));
    drop(Daemon::start(&["-c", &closed], 2));
    let short = directory.file("short.toml", &text("0.0.0.0:0'\ntoken = 'secret'"));
    let (_, told, _) = Daemon::start_and_fail(&["-c", &short]);
    assert!(told.contains("short.toml:6:9: a token has at least 16 characters"), "{told}");
    assert!(!told.contains("secret'"), "a token is never shown: {told}");
    assert!(!told.contains("without a login"), "one mistake is told once: {told}");
}

#[test]
fn a_reload_ends_streams_under_an_old_token_and_moves_and_closes_the_page() {
    let directory = Directory::new("page-reload");
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let (here, there) = (free(), free());
    let page = |bind: SocketAddr, token: &str| format!("[web]\nbind = '{bind}'\ntoken = '{token}'");
    let [old, new] = ["0123456789abcdef", "fedcba9876543210"];
    let show = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let code = |address: SocketAddr, token: &str| {
        let token = show(token);
        ask(connect(address), &format!("GET / HTTP/1.1\r\n{}", token.trim_end())).0
    };
    let config = configure(&directory, &page(here, old));
    let daemon = Daemon::start(&["-c", &config], 2);
    let it = Shown { directory, daemon };

    let mut reader = events(here, &show(old));
    assert!(reader.next().is_some());
    assert_eq!(it.reload(&page(here, new)), "[web] token: another one\n");
    assert!(reader.take(3).count() < 3, "who knows the old token reads no more");
    assert!(code(here, old).starts_with("HTTP/1.1 401"));
    assert!(code(here, new).starts_with("HTTP/1.1 200"));

    let mut reader = events(here, &show(new));
    assert!(reader.next().is_some());
    // A connection that waits for the next request ends with its socket, too.
    let mut waiting = connect(here);
    write!(waiting, "HEAD /icon.svg HTTP/1.1\r\nHost: {here}\r\n{}\r\n", show(new)).expect("sent");
    let mut head = [0; 12];
    waiting.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let told = it.reload(&page(there, new));
    assert_eq!(told, format!("web: stopped listening on {here}\nweb: HTTP on {there}\n"));
    assert!(reader.take(3).count() < 3);
    let closed = now();
    let _ = waiting.read_to_end(&mut Vec::new());
    assert!(closed.elapsed() < PATIENCE / 8, "{:?}", closed.elapsed());
    assert!(TcpStream::connect(here).is_err());
    assert!(code(there, new).starts_with("HTTP/1.1 200"));

    let mut reader = events(there, &show(new));
    assert!(reader.next().is_some());
    let told = it.reload("");
    assert_eq!(told, format!("[web] token: another one\nweb: stopped listening on {there}\n"));
    assert!(reader.take(3).count() < 3);
    assert!(TcpStream::connect(there).is_err());
}

#[test]
fn a_page_that_a_reload_begins_counts_no_earlier_client_as_one_of_this_hour() {
    let directory = Directory::new("page-begins");
    let config = configure(&directory, "");
    let daemon = Daemon::start(&["-c", &config], 1);
    let mut it = Shown { directory, daemon };
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let page = format!("[web]\nbind = '{free}'");
    let tarpit = it.daemon.addresses[0];
    let mut clients = Vec::new();
    // The second time, the page begins anew: nobody knows what was in the meantime.
    for before in [1, 3] {
        clients.push(Client::of(tarpit));
        until("a client before", || it.status()["total"]["opened"] == before);
        it.reload(&page);
        let first = event(free);
        assert_eq!((&first["opened"], &first["hours"][23]), (&before.into(), &0.into()));
        clients.push(Client::of(tarpit));
        until("a client of this hour", || event(free)["hours"][23] == 1);
        it.reload("");
        it.daemon.log_has("web: stopped listening");
    }
}

#[test]
fn each_wrong_address_of_the_page_is_one_line_in_check_and_at_the_start() {
    let directory = Directory::new("page-wrong");
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = busy.local_addr().expect("bound");
    let file = directory.file("file", "no socket");
    for (lines, code, wanted) in [
        (format!("bind = '{taken}'"), 1, "toml:4:8: web: "),
        (format!("bind = '{taken}'"), 1, "choose another port"),
        (format!("bind = 'unix:{file}'"), 1, "a file that is no socket"),
        ("bind = '*:1'".into(), 2, "other machines can read the page here"),
        ("bind = 'example.com:1'".into(), 2, "toml:4:8: "),
        ("bind = '127.0.0.1:1'\ntoken = 'with a space in it'".into(), 2, "toml:5:9: "),
        ("token = '0123456789abcdef'\nbind = ['127.0.0.1:1']".into(), 2, "toml:5:8: "),
    ] {
        let text =
            format!("tarpits.a = {{ pattern = 'ssh', bind = '127.0.0.1:0' }}\n\n[web]\n{lines}\n");
        let path = directory.file("tarpitd.toml", &text);
        for arguments in [vec!["check", &path], vec!["-c", &path]] {
            let (_, log, status) = Daemon::start_and_fail(&arguments);
            let lines: Vec<_> = log.lines().filter(|line| line.contains(wanted)).collect();
            assert!(matches!(lines[..], [_]), "{wanted}: {log}");
            assert_eq!(status, Some(code), "{wanted}: {log}");
        }
    }
}

#[test]
fn a_browser_shows_the_page_and_nothing_of_a_client_acts_in_it() {
    if !require("chromium") {
        return;
    }
    let it = Shown::start("page-browser", "");
    let _clients = it.catch();
    let page = shown_by_browser(&it.directory, &format!("http://{}/", it.page()));
    assert!(page.contains("<title>2 held - tarpitd</title>"), "{page}");
    assert!(page.contains("<dd id=\"held\">2</dd>"), "{page}");
    let (program, user) = ("&lt;script&gt;document.title=", "&lt;script&gt;u</span>");
    assert!(page.contains(program) && page.contains(user), "{page}");
    assert!(!page.contains("<script>") && !page.contains("<img/src=x>\""), "{page}");
}
