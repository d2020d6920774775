//! The web servers that are played, asked side by side with the real ones.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    daemon::{Daemon, Directory, until},
    http_rows::{PLAYED, Row, rows},
    require::require,
};

/// A real server, which ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends its own children then. One that has ended by itself is no worse.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts it with what `configure` makes of a free port.
    pub(crate) fn start(program: &str, configure: impl Fn(u16) -> Vec<String>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let child = Command::new(program)
            .args(configure(address.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server that runs");
        let server = Self { child, address };
        until("the server listens", || TcpStream::connect(address).is_ok());
        server
    }

    fn apache(directory: &Directory) -> Self {
        let site = site(directory);
        let path = |name: &str| directory.path(name);
        let modules =
            ["mpm_event", "authz_core", "alias", "autoindex", "dir", "mime", "filter", "deflate"];
        let load = |name: &&str| {
            format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
        };
        Self::start("apache2", |port| {
            // As Debian's packages have it, but for the address and the folders.
            let text = format!(
                "ServerRoot {root}\nPidFile {root}/apache.pid\nErrorLog {root}/apache.log\n\
                 Listen 127.0.0.1:{port}\nServerName 127.0.0.1:{port}\nUser www-data\n\
                 {modules}TypesConfig /etc/mime.types\nTraceEnable Off\nServerSignature On\nServerTokens OS\n\
                 DocumentRoot {site}\n\
                 <Directory {site}>\nOptions FollowSymLinks\nRequire all granted\n</Directory>\n\
                 <FilesMatch \"^\\.ht\">\nRequire all denied\n</FilesMatch>\n\
                 Alias /icons/ {site}/empty/\nDirectoryIndex index.html\n\
                 AddOutputFilterByType DEFLATE text/html\n",
                root = path("."),
                modules = modules.iter().map(load).collect::<String>(),
            );
            let file = directory.file("apache.conf", &text);
            ["-f", &file, "-D", "FOREGROUND"].map(str::to_owned).to_vec()
        })
    }

    fn nginx(directory: &Directory) -> Self {
        let site = site(directory);
        Self::start("nginx", |port| {
            let root = directory.path(".");
            let text = format!(
                "daemon off;\npid {root}/nginx.pid;\nerror_log {root}/nginx.log;\nevents {{}}\n\
                 http {{\ninclude /etc/nginx/mime.types;\naccess_log off;\nserver {{\n\
                 listen 127.0.0.1:{port};\nroot {site};\nindex index.html;\nserver_name _;\n\
                 location / {{ try_files $uri $uri/ =404; }}\n}}\n}}\n"
            );
            let file = directory.file("nginx.conf", &text);
            ["-c", &file, "-e", &format!("{root}/start.log")].map(str::to_owned).to_vec()
        })
    }
}

/// A site with a start page, which every user may read.
fn site(directory: &Directory) -> String {
    let site = directory.path("site");
    fs::create_dir_all(Path::new(&site).join("empty")).expect("a folder");
    fs::write(Path::new(&site).join("index.html"), "x".repeat(9_000)).expect("a file");
    for path in [&directory.path("."), &site] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    site
}

/// The status of an answer, and the names of its fields as far as its lines are whole.
#[derive(Debug)]
struct Answer {
    status: String,
    names: Vec<String>,
}

/// Asks for something; says what is there once the answer ends, or nothing has come for a moment.
fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_millis(700))).expect("it is a socket");
    stream.write_all(request).expect("it reads");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let status = text.strip_prefix("HTTP/1.1 ").map_or("body", |rest| &rest[..3]).to_owned();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.to_owned());
    Answer { status, names: head.split("\r\n").skip(1).filter_map(name).collect() }
}

/// Asks a real server and ours all rows of the table in which `column` is theirs.
fn compare(server: &Server, column: usize) {
    let persona = PLAYED[column];
    let directory = Directory::new(&format!("web_{persona}"));
    let config = format!(
        "persona = \"{persona}\"\n[tarpits.a]\npattern = \"http_hold\"\n\
         bind = [{{ host = \"127.0.0.1\", port = 0 }}]\n[limits]\nper_address = 0\nper_prefix = 0\n"
    );
    let daemon = Daemon::start(&["-c", &directory.file("c.toml", &config)], 1);
    let (theirs, ours) = (server.address, daemon.addresses[0]);
    let rows: Vec<_> = rows().collect();
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = rows
            .chunks(26)
            .map(|rows| {
                let compare = |row| compare_row(row, column, theirs, ours);
                scope.spawn(move || rows.iter().flat_map(compare).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("a thread that ends")).collect()
    });
    assert!(wrong.is_empty(), "{persona}\n{}\n{} wrong", wrong.join("\n"), wrong.len());
    // Whole answers of ours take their time, so all are asked for side by side.
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let askers: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row, as_searcher(row, column)?)))
            .map(|(row, request)| {
                let pages = move || [theirs, ours].map(|address| page(address, &request));
                (row, scope.spawn(pages))
            })
            .collect();
        let differs = |row: &Row, [theirs, ours]: [String; 2]| {
            (theirs != ours).then(|| format!("{}\n{ours}\nnot\n{theirs}", row.text))
        };
        let pages = askers.into_iter().map(|(row, asker)| (row, asker.join().expect("it ends")));
        pages.filter_map(|(row, pages)| differs(row, pages)).collect()
    });
    assert!(wrong.is_empty(), "{persona}\n{}\n{} wrong", wrong.join("\n"), wrong.len());
}

/// The same request of a client that gets a whole answer, where the answer is an error's page.
fn as_searcher(row: &Row, column: usize) -> Option<Vec<u8>> {
    let is_error = row.statuses[column] >= "300" && row.statuses[column] < "600";
    let has_page = is_error && !["304", "body"].contains(&row.statuses[column]);
    let is_ours = row.ours()[column] == row.statuses[column];
    // A head has no page, a tunnel's host is another. Of methods we keep the usual names only, and
    // nothing of what is expected. Of a wrong host Apache shows the port, if there is one.
    let is_other = ["HEAD ", "CONNECT ", "FROBNICATE ", "FO-O ", "FO_O ", "Get ", "foo "];
    let is_other = is_other.iter().any(|method| row.text.starts_with(method))
        || ["\\nExpect: ", "Host: ::1"].iter().any(|part| row.text.contains(part));
    let request = row.request.strip_suffix(b"\r\n\r\n")?;
    let asked = [request, b"\r\nUser-Agent: gobuster/3.5\r\n\r\n"].concat();
    (has_page && is_ours && !is_other).then_some(asked)
}

/// The page of an answer, with `PORT` and `SERVER` for what differs between two servers of a kind.
fn page(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
    stream.write_all(request).expect("it reads");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    let page = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, page) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = head.split("\r\nContent-Length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if length.is_some_and(|length| !page.is_empty() && page.len() >= length) {
            break page.to_owned();
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break text,
        }
    };
    let mut page = page.replace(&format!("Port {}<", address.port()), "Port PORT<");
    for (start, end) in [("<address>", " Server at"), ("<hr><center>", "</center>")] {
        if let Some((before, rest)) = page.split_once(start)
            && let Some((_, behind)) = rest.split_once(end)
        {
            page = [before, start, "SERVER", end, behind].concat();
        }
    }
    // Apache has had another since its release 2.4.58.
    match page.split_once('\n') {
        Some((kind, rest)) if kind.starts_with("<!DOCTYPE") => rest.to_owned(),
        _ => page,
    }
}

/// What is otherwise than the row says, or than the real server has it.
fn compare_row(row: &Row, column: usize, theirs: SocketAddr, ours: SocketAddr) -> Vec<String> {
    let (real, wanted) = (row.statuses[column], row.ours()[column]);
    let (text, their) = (row.text, ask(theirs, &row.request));
    let mut wrong = Vec::new();
    if their.status != real {
        wrong.push(format!("they {}, not {real}: {text}", their.status));
    }
    // The answer to a request for a tunnel takes its time.
    if text.starts_with("CONNECT") {
        return wrong;
    }
    let our = ask(ours, &row.request);
    if our.status != wanted {
        wrong.push(format!("we {}, not {wanted}: {text}", our.status));
    }
    // The last field of ours comes slowly.
    let all = their.names.len().saturating_sub(1);
    if real == wanted && our.names != their.names[..all] {
        wrong.push(format!("{:?}, not {:?}: {text}", our.names, their.names));
    }
    wrong
}

#[test]
fn ubuntu_answers_as_apache_does() {
    if require("apache2") && require("root") {
        let directory = Directory::new("apache");
        compare(&Server::apache(&directory), 0);
    }
}

#[test]
fn debian_answers_as_nginx_does() {
    if require("nginx") && require("root") {
        let directory = Directory::new("nginx");
        compare(&Server::nginx(&directory), 1);
    }
}
