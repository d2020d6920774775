//! What a test needs of the machine.
//!
//! Where the machine lacks it, the test says so on standard error and passes. Where
//! `TARPIT_REQUIRE` names it (`TARPIT_REQUIRE=root,strace`), the test fails: `.ci/run` names all
//! that its machine has, so that no test is skipped there unseen.

use std::{
    env,
    fmt::Display,
    fs,
    io::{self, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use io_uring::IoUring;
use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_getfd, pidfd_open,
    setrlimit,
};

/// Names what must be there, with commas between.
const VARIABLE: &str = "TARPIT_REQUIRE";

/// All that may be named.
const NEEDS: [&str; 27] = [
    "apache2",
    "chromium",
    "crowdsec",
    "exim4",
    "fail2ban",
    "files",
    "haproxy",
    "io_uring",
    "ipv6",
    "jq",
    "landlock",
    "netns",
    "nft",
    "nginx",
    "nginx_stream",
    "pidfd_getfd",
    "prometheus",
    "root",
    "rsyslog",
    "ssh",
    "sshd",
    "strace",
    "systemd",
    "tmux",
    "tun",
    "vsftpd",
    "zstd",
];

/// Whether the machine has what a test needs. If not, says so; fails where it is required.
pub(crate) fn require(need: &str) -> bool {
    probe(need).map_err(|why| lacks(need, why)).is_ok()
}

/// The same for so many open files.
pub(crate) fn require_files(count: usize) -> bool {
    let most = open_many_files();
    if most < count {
        lacks("files", format_args!("a process may open {most}, and the test needs {count}"));
    }
    most >= count
}

/// Whether tests that wait long for the daemon's own pace are to run to their end. `cargo xtask test
/// --full` asks for it.
pub(crate) fn is_long() -> bool {
    env::var_os("TARPIT_LONG").is_some_and(|value| value == "1")
}

/// Says that the machine lacks what a test needs; fails where it is required.
pub(crate) fn lacks(need: &str, why: impl Display) {
    let required = env::var(VARIABLE).unwrap_or_default();
    assert!(!names(&required, need), "{VARIABLE} names {need}, and it is lacking: {why}");
    let thread = thread::current();
    let test = thread.name().unwrap_or("a part of a test");
    // Past what the test harness keeps to itself of tests that pass. If nobody reads it, it is the
    // result that counts.
    let _ = writeln!(io::stderr(), "{test} skipped, since {need} is lacking: {why}");
}

/// Whether a list of requirements names one.
fn names(required: &str, need: &str) -> bool {
    assert!(NEEDS.contains(&need), "{need} is not among the needs");
    let mut all = required.split(',').map(str::trim).filter(|name| !name.is_empty());
    let unknown = all.clone().find(|name| !NEEDS.contains(name));
    assert_eq!(unknown, None, "{VARIABLE} may name {NEEDS:?}");
    all.any(|name| name == need)
}

/// Lets this process, and so the daemons that it starts, open as many files as it may; how many.
pub(crate) fn open_many_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If it stays as it was, there are fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files).unwrap_or(usize::MAX)
}

/// A ring, and a kernel that does not wait in its writes.
fn ring() -> Result<(), String> {
    IoUring::new(8).map_err(|error| error.to_string())?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let is_new = (numbers.next(), numbers.next()) >= (Some(6), Some(5));
    is_new.then_some(()).ok_or_else(|| format!("Linux {} is older than 6.5", release.trim()))
}

/// Tries what a test will do.
fn probe(need: &str) -> Result<(), String> {
    match need {
        "apache2" => runs("apache2", &["-v"]),
        "chromium" => runs("chromium", &["--version"]),
        "crowdsec" => match crowdsec() {
            Some(_) => Ok(()),
            None => Err("there is neither the package nor what xtask unpacks".to_owned()),
        },
        "exim4" => runs("exim4", &["-bV"]),
        "fail2ban" => runs("fail2ban-regex", &["--version"]),
        "io_uring" => ring(),
        "ipv6" => TcpListener::bind("[::1]:0").map(drop).map_err(|error| error.to_string()),
        "netns" => namespaces(),
        "haproxy" => runs("haproxy", &["-v"]),
        "nft" => runs("unshare", &["--net", "nft", "list", "ruleset"]),
        "jq" => runs("jq", &["--version"]),
        "nginx" => runs("nginx", &["-v"]),
        "nginx_stream" => {
            runs("nginx", &["-v"])?;
            runs("test", &["-e", "/usr/lib/nginx/modules/ngx_stream_module.so"])
        }
        "pidfd_getfd" => {
            let own = pidfd_open(getpid(), PidfdFlags::empty());
            let file = own.and_then(|own| pidfd_getfd(&own, 0, PidfdGetfdFlags::empty()));
            file.map(drop).map_err(|error| error.to_string())
        }
        "prometheus" => {
            runs("prometheus", &["--version"]).and_then(|()| runs("promtool", &["--version"]))
        }
        "root" if rustix::process::geteuid().is_root() => Ok(()),
        "root" => Err("the tests run as another user".to_owned()),
        "rsyslog" => runs("rsyslogd", &["-v"]),
        "ssh" => runs("ssh", &["-V"]),
        "sshd" => match sshd() {
            Some(_) => runs("setpriv", &["--version"]),
            None => Err("there is neither the package nor what xtask unpacks".to_owned()),
        },
        // A whole round: to be allowed to look on is not yet to be allowed to change something.
        "strace" => {
            let fault = "inject=openat:error=ENOENT:when=1000";
            runs("strace", &["-D", "-f", "-qq", "-o", "/dev/null", "-e", fault, "true"])
        }
        "systemd" => runs("systemd-analyze", &["--version"])
            .and_then(|()| runs("systemd-socket-activate", &["--version"])),
        "tmux" => runs("tmux", &["-V"]),
        "vsftpd" => runs("vsftpd", &["-v"]),
        "zstd" => runs("zstd", &["--version"]),
        _ => panic!("nothing here tries {need}"),
    }
}

/// The root of the tree in which Debian's package `crowdsec` lies: the system's, or where
/// `cargo xtask install` unpacks it, since its installation registers the machine on the network.
pub(crate) fn crowdsec() -> Option<PathBuf> {
    let target =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/unpacked/crowdsec");
    let has_it = |root: &PathBuf| {
        root.join("usr/bin/cscli").exists() && root.join("usr/share/crowdsec/hub").exists()
    };
    [PathBuf::from("/"), target].into_iter().find(has_it)
}

/// OpenSSH's server: the system's, or that which `cargo xtask install` unpacks, since its installation
/// starts it.
pub(crate) fn sshd() -> Option<PathBuf> {
    const PROGRAM: &str = "usr/sbin/sshd";
    let unpacked =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/unpacked/openssh-server");
    [Path::new("/"), &unpacked].map(|root| root.join(PROGRAM)).into_iter().find(|it| it.exists())
}

/// Both ways in which tests make network namespaces.
fn namespaces() -> Result<(), String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    runs("unshare", &["--net", "ip", "link", "set", "lo", "up"])?;
    let number = NUMBER.fetch_add(1, Relaxed);
    let name = format!("tarpitd-it-probe-{}-{number}", std::process::id());
    runs("ip", &["netns", "add", &name])?;
    runs("ip", &["netns", "del", &name])
}

fn runs(program: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", text.lines().next().unwrap_or("it failed without a word")))
}

#[test]
fn a_need_is_required_where_its_whole_name_is_listed() {
    assert!(names("root, io_uring", "io_uring") && names("root", "root"));
    assert!(!names("", "root") && !names("io_uring", "root"));
    // One that is misspelt would require nothing.
    assert!(std::panic::catch_unwind(|| names("roott", "root")).is_err());
    names(&env::var(VARIABLE).unwrap_or_default(), "root");
}
