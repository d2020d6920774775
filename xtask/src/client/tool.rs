//! What the tests run beside ours, real clients above all: what provides each one, whether it is
//! here, how it is installed.
//!
//! Debian's packages where Debian has them; Python's libraries in a venv of their own, since a
//! Debian system's Python takes no foreign packages (PEP 668).

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::base::workspace::{Workspace, call};
use crate::client::dialect::Dialect;
use crate::running::job::PATH;

/// A program or library that a row needs.
#[derive(PartialEq)]
pub(crate) struct Tool {
    /// What people call it; named when it is missing.
    pub(crate) name: &'static str,
    /// How it tells of guesses and finds.
    pub(crate) dialect: Dialect,
    /// Whether it is a browser: many processes, and seconds of work before its first byte.
    pub(crate) heavy: bool,
    provider: Provider,
}

#[derive(PartialEq)]
enum Provider {
    Debian {
        package: &'static str,
        program: &'static str,
    },
    /// A client of ours around a Go library that `package` provides, as `library` in [`GOPATH`].
    Go {
        package: &'static str,
        library: &'static str,
    },
    /// A distribution from Python's package index, of one version so that a row means the same everywhere.
    Python {
        distribution: &'static str,
        version: &'static str,
    },
    /// A module of Python's own library.
    PythonItself,
}

impl Tool {
    const fn debian(name: &'static str, package: &'static str, program: &'static str) -> Self {
        Self::plain(name, Provider::Debian { package, program })
    }

    const fn python(distribution: &'static str, version: &'static str) -> Self {
        Self::plain(distribution, Provider::Python { distribution, version })
    }

    const fn plain(name: &'static str, provider: Provider) -> Self {
        Self { name, dialect: Dialect::Plain, heavy: false, provider }
    }

    const fn that_speaks(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    const fn heavy(self) -> Self {
        Self { heavy: true, ..self }
    }

    /// The version that is installed, or "unknown".
    pub(crate) fn version(&self, workspace: &Workspace) -> String {
        let mut command = match self.provider {
            Provider::Debian { package, .. } | Provider::Go { package, .. } => {
                let mut command = Command::new("dpkg-query");
                command.args(["--show", "--showformat=${source:Upstream-Version}", package]);
                command
            }
            Provider::Python { distribution, .. } => python_version(workspace, distribution),
            Provider::PythonItself => {
                let mut command = Command::new(workspace.python());
                command.args(["-c", "import platform; print(platform.python_version())"]);
                command
            }
        };
        match command.stderr(Stdio::null()).output() {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            }
            _ => "unknown".to_owned(),
        }
    }

    fn is_here(&self, workspace: &Workspace) -> bool {
        match self.provider {
            Provider::Debian { program, .. } => find(program).is_some(),
            Provider::Go { library, .. } => {
                has_library(library) && is_newer(&workspace.go_client(), &go_source(workspace))
            }
            Provider::Python { version, .. } => self.version(workspace) == version,
            Provider::PythonItself => workspace.python().exists(),
        }
    }
}

pub(crate) static AIOHTTP: Tool = Tool::python("aiohttp", "3.14.5");
pub(crate) static CHROMIUM: Tool = Tool::debian("Chromium", "chromium", "chromium").heavy();
pub(crate) static CURL: Tool = Tool::debian("curl", "curl", "curl");
pub(crate) static DBCLIENT: Tool = Tool::debian("dbclient", "dropbear-bin", "dbclient");
pub(crate) static DIRB: Tool = Tool::debian("dirb", "dirb", "dirb").that_speaks(Dialect::Dirb);
pub(crate) static FFUF: Tool = Tool::debian("ffuf", "ffuf", "ffuf").that_speaks(Dialect::Ffuf);
pub(crate) static FIREFOX: Tool = Tool::debian("Firefox", "firefox-esr", "firefox-esr").heavy();
pub(crate) static GNUTLS: Tool = Tool::debian("gnutls-cli", "gnutls-bin", "gnutls-cli");
pub(crate) static GO: Tool = Tool::plain("Go", Provider::Go { package: "golang-go", library: "" });
pub(crate) static GOBUSTER: Tool =
    Tool::debian("gobuster", "gobuster", "gobuster").that_speaks(Dialect::Gobuster);
pub(crate) static GO_CRYPTO: Tool = Tool::plain(
    "Go x/crypto",
    Provider::Go { package: "golang-golang-x-crypto-dev", library: "golang.org/x/crypto/ssh" },
);
pub(crate) static HTTPX: Tool = Tool::python("httpx", "0.28.1");
pub(crate) static HYDRA: Tool = Tool::debian("hydra", "hydra", "hydra").that_speaks(Dialect::Hydra);
pub(crate) static LFTP: Tool = Tool::debian("lftp", "lftp", "lftp");
pub(crate) static MEDUSA: Tool =
    Tool::debian("medusa", "medusa", "medusa").that_speaks(Dialect::Medusa);
pub(crate) static MSMTP: Tool = Tool::debian("msmtp", "msmtp", "msmtp");
pub(crate) static NCRACK: Tool =
    Tool::debian("ncrack", "ncrack", "ncrack").that_speaks(Dialect::Ncrack);
pub(crate) static NETCAT: Tool = Tool::debian("netcat", "netcat-openbsd", "nc.openbsd");
pub(crate) static NMAP: Tool = Tool::debian("nmap", "nmap", "nmap");
pub(crate) static NODE: Tool = Tool::debian("Node", "nodejs", "node");
pub(crate) static OPENSSH: Tool = Tool::debian("OpenSSH", "openssh-client", "ssh");
pub(crate) static OPENSSL: Tool = Tool::debian("openssl", "openssl", "openssl");
pub(crate) static PARAMIKO: Tool = Tool::python("paramiko", "5.1.0");
pub(crate) static PLINK: Tool = Tool::debian("plink", "putty-tools", "plink");
pub(crate) static PYTHON: Tool = Tool::plain("Python", Provider::PythonItself);
pub(crate) static REQUESTS: Tool = Tool::python("requests", "2.34.2");
pub(crate) static SCRAPY: Tool = Tool::python("Scrapy", "2.19.0");
pub(crate) static SSHPASS: Tool = Tool::debian("sshpass", "sshpass", "sshpass");
/// No client, but what plays shortages to the daemon in its tests.
static STRACE: Tool = Tool::debian("strace", "strace", "strace");
pub(crate) static SWAKS: Tool = Tool::debian("swaks", "swaks", "swaks");
pub(crate) static TELNET: Tool = Tool::debian("telnet", "inetutils-telnet", "telnet");
pub(crate) static WGET: Tool = Tool::debian("wget", "wget", "wget");

static ALL: [&Tool; 32] = [
    &AIOHTTP, &CHROMIUM, &CURL, &DBCLIENT, &DIRB, &FFUF, &FIREFOX, &GNUTLS, &GO, &GOBUSTER,
    &GO_CRYPTO, &HTTPX, &HYDRA, &LFTP, &MEDUSA, &MSMTP, &NCRACK, &NETCAT, &NMAP, &NODE, &OPENSSH,
    &OPENSSL, &PARAMIKO, &PLINK, &PYTHON, &REQUESTS, &SCRAPY, &SSHPASS, &STRACE, &SWAKS, &TELNET,
    &WGET,
];

/// Debian's Python, and not one found on PATH: a version manager's may not outlive the venv.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Where Debian's packages put the sources of Go libraries.
const GOPATH: &str = "/usr/share/gocode";

/// Installs what is missing, and fails naming everything that is missing even then.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    // What cannot be installed shows in the names of the missing, which is what people look for.
    let steps = [
        install_packages(&missing_packages(workspace)),
        fill_venv(workspace),
        build_go_client(workspace),
    ];
    for result in steps {
        if let Err(error) = result {
            eprintln!("xtask: {error:#}");
        }
    }
    require(workspace, &ALL)
}

/// Fails naming every one of `tools` that is missing.
pub(crate) fn require(workspace: &Workspace, tools: &[&'static Tool]) -> Result<()> {
    let missing: Vec<_> =
        tools.iter().filter(|tool| !tool.is_here(workspace)).map(|tool| tool.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("the tests lack programs: {}; `cargo xtask install` installs them", missing.join(", "))
}

fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(PATH).map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

fn missing_packages(workspace: &Workspace) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for tool in ALL {
        match tool.provider {
            Provider::Debian { package, .. } if !tool.is_here(workspace) => packages.push(package),
            Provider::Go { package, library } if find("go").is_none() || !has_library(library) => {
                packages.push(package);
            }
            _ => {}
        }
    }
    // Debian's Python can have the module venv and yet not be able to make one.
    let can_make_venv = Command::new(SYSTEM_PYTHON)
        .args(["-c", "import ensurepip"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can_make_venv {
        packages.push("python3-venv");
    }
    packages
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if find("apt-get").is_none() {
        bail!(
            "no apt-get here; install what these Debian packages contain: {}",
            packages.join(" ")
        );
    }
    // An old list names files that the mirrors no longer have. Where only part of the lists could
    // be had, what we need may be in that part: the packages that fail are named afterwards.
    if let Err(error) = call(apt()?.arg("update")) {
        eprintln!("xtask: {error:#}");
    }
    let install = |packages: &[&str]| -> Result<()> {
        call(apt()?.args(["install", "--yes", "--no-install-recommends"]).args(packages))
    };
    let all = install(packages);
    if all.is_ok() || packages.len() == 1 {
        return all;
    }
    // One unknown name makes apt install nothing at all; alone, each has its chance.
    for package in packages {
        if let Err(error) = install(&[package]) {
            eprintln!("xtask: {error:#}");
        }
    }
    Ok(())
}

/// An apt-get that has the right to install and asks nothing.
fn apt() -> Result<Command> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else if find("sudo").is_some() {
        let mut command = Command::new("sudo");
        command.arg("env");
        command
    } else {
        bail!(
            "installing packages needs root or sudo, and there is no sudo; run this as root once"
        );
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "apt-get"]);
    // On a fresh machine its own unattended upgrade may hold the lock for some minutes.
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"]);
    command.arg("--quiet=2");
    Ok(command)
}

fn fill_venv(workspace: &Workspace) -> Result<()> {
    let mut wanted = Vec::new();
    for tool in ALL {
        if let Provider::Python { distribution, version } = tool.provider
            && !tool.is_here(workspace)
        {
            wanted.push(format!("{distribution}=={version}"));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let venv = workspace.venv();
    call(Command::new(SYSTEM_PYTHON).args(["-m", "venv", "--clear"]).arg(&venv))
        .context("no venv for the Python clients")?;
    let mut pip = Command::new(workspace.python());
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    call(pip.args(wanted))
}

fn has_library(library: &str) -> bool {
    Path::new(GOPATH).join("src").join(library).is_dir()
}

/// Builds our clients around Go's libraries from what is on this machine.
fn build_go_client(workspace: &Workspace) -> Result<()> {
    if is_newer(&workspace.go_client(), &go_source(workspace)) {
        return Ok(());
    }
    let mut go = Command::new("go");
    go.env("GO111MODULE", "off").env("GOPATH", GOPATH).env("GOFLAGS", "");
    go.env("GOCACHE", workspace.clients().join("go-cache"));
    go.args(["build", "-o"]).arg(workspace.go_client()).arg(go_source(workspace));
    call(&mut go).context("no Go clients")
}

fn go_source(workspace: &Workspace) -> PathBuf {
    workspace.scripts().join("go/main.go")
}

/// Whether `made` is there, and made since `source` was last changed.
fn is_newer(made: &Path, source: &Path) -> bool {
    let changed = |file: &Path| fs::metadata(file).and_then(|it| it.modified());
    matches!((changed(made), changed(source)), (Ok(made), Ok(source)) if made >= source)
}

fn python_version(workspace: &Workspace, distribution: &str) -> Command {
    let mut command = Command::new(workspace.python());
    let ask = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";
    command.args(["-c", ask, distribution]);
    command
}
