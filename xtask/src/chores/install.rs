//! Installs what the tests run beside ours, real clients above all.
//!
//! Debian's packages where Debian has them; Python's libraries in a venv of their own, since a
//! Debian system's Python takes no foreign packages (PEP 668).

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::base::workspace::{Workspace, call};
use crate::client::tool::{GOPATH, Provider, Tool, find, go_source, has_library, is_newer};
use crate::rows;

/// No clients, but what the daemon's tests use: strace plays shortages, tmux terminals, Prometheus
/// reads metrics, sshd is a server that is played, and the rest reads traces.
static OTHERS: [Tool; 9] = [
    Tool::debian("strace", "strace", "strace"),
    Tool::debian("tmux", "tmux", "tmux"),
    Tool::debian("promtool", "prometheus", "promtool"),
    Tool::plain("CrowdSec", Provider::Unpacked { package: "crowdsec", program: "cscli" }),
    Tool::plain("sshd", Provider::Unpacked { package: "openssh-server", program: "sshd" }),
    Tool::debian("fail2ban", "fail2ban", "fail2ban-regex"),
    Tool::debian("rsyslog", "rsyslog", "rsyslogd"),
    Tool::debian("jq", "jq", "jq"),
    Tool::debian("zstd", "zstd", "zstd"),
];

/// Debian's Python, and not one found on PATH: a version manager's may not outlive the venv.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Installs what is missing, and fails naming everything that is missing even then.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    let tools: Vec<_> = rows::tools().into_iter().chain(&OTHERS).collect();
    // What cannot be installed shows in the names of the missing, which is what people look for.
    let steps = [
        install_packages(&missing_packages(workspace, &tools)),
        unpack_packages(workspace, &tools),
        fill_venv(workspace, &tools),
        build_go_client(workspace),
    ];
    for result in steps {
        if let Err(error) = result {
            eprintln!("xtask: {error:#}");
        }
    }
    require(workspace, &tools)
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

fn missing_packages(workspace: &Workspace, tools: &[&'static Tool]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for tool in tools {
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

/// Downloads and unpacks the packages that are not installed.
fn unpack_packages(workspace: &Workspace, tools: &[&'static Tool]) -> Result<()> {
    for tool in tools {
        if let Provider::Unpacked { package, .. } = tool.provider
            && !tool.is_here(workspace)
        {
            let folder = workspace.unpacked(package);
            fs::create_dir_all(&folder).context("no folder for an unpacked package")?;
            // apt-get downloads into the present folder, under a name with the version.
            let script = "apt-get --quiet=2 download \"$0\" && dpkg-deb -x \"$0\"_*.deb . && rm \"$0\"_*.deb";
            let unpack =
                || call(Command::new("sh").current_dir(&folder).args(["-c", script, package]));
            if unpack().is_err() {
                // There may be no list of packages yet, or an old one.
                call(apt()?.arg("update"))?;
                unpack()?;
            }
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

fn fill_venv(workspace: &Workspace, tools: &[&'static Tool]) -> Result<()> {
    let mut wanted = Vec::new();
    for tool in tools {
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
    // What is there already stays.
    call(Command::new(SYSTEM_PYTHON).args(["-m", "venv"]).arg(&venv))
        .context("no venv for the Python clients")?;
    let mut pip = Command::new(workspace.python());
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    call(pip.args(wanted))
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
