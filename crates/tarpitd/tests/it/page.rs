//! The page for a browser: what it shows, to whom, and that nothing of a client's acts in it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
};

use serde_json::Value;

use crate::{
    admin::ask,
    daemon::{Client, Daemon, Directory, PATIENCE, tarpitd, until},
    require::require,
};

/// What a client types wherever something may be typed; it would act as HTML, in an attribute, and
/// at the end of a script.
const TRAP: &str = "<script>document.title='caught'</script>\"'&<img/src=x>";

/// A daemon with a web tarpit, a control socket and a page.
struct Shown {
    directory: Directory,
    daemon: Daemon,
}

impl Shown {
    fn start(name: &str, lines: &str) -> Self {
        let directory = Directory::new(name);
        let text = format!(
            "[tarpits.web]\npattern = 'http'\nbind = '127.0.0.1:0'\nclient_trace = true\n\
             [logging]\nlog_secrets = true\nclient_trace = '{}'\n\
             [control]\nsocket = '{}'\n[web]\nbind = '127.0.0.1:0'\n{lines}\n",
            directory.path("trace.jsonl"),
            directory.path("control"),
        );
        let config = directory.file("tarpitd.toml", &text);
        let daemon = Daemon::start(&["-c", &config], 2);
        Self { directory, daemon }
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

/// The first event of the page's stream.
fn event(address: SocketAddr) -> Value {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    let mut data = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    serde_json::from_str(&data.next().expect("an event")).expect("JSON")
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect_timeout(&address, PATIENCE).expect("it listens")
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
    let (head, why) = ask(connect(it.page()), "GET / HTTP/1.1");
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
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
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
fn a_browser_shows_the_page_and_nothing_of_a_client_acts_in_it() {
    if !require("chromium") {
        return;
    }
    let it = Shown::start("page-browser", "");
    let _clients = it.catch();
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--enable-logging=stderr", "--timeout=2000"])
        .arg(format!("--user-data-dir={}", it.directory.path("chromium")))
        .args(["--dump-dom", &format!("http://{}/", it.page())])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains(":CONSOLE"), "{told}");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("<title>2 held - tarpitd</title>"), "{page}");
    assert!(page.contains("<dd id=\"held\">2</dd>"), "{page}");
    let (program, user) = ("&lt;script&gt;document.title=", "&lt;script&gt;u</span>");
    assert!(page.contains(program) && page.contains(user), "{page}");
    assert!(!page.contains("<script>") && !page.contains("<img/src=x>\""), "{page}");
}
