//! The programs that are measured: ours, the floor, and the peers, how each is installed and run.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::base::workspace::{Workspace, call};
use crate::running::namespace::Namespace;
use crate::running::output::tail;
use crate::running::process::Process;

/// A program under measurement, in one setting.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What its clients say.
    pub(crate) hello: &'static str,
    /// Who provides it.
    pub(crate) maker: Maker,
    /// Its words, for the table; `{at}`, `{host}` and `{port}` are where it listens.
    pub(crate) words: &'static str,
    /// The most clients that it serves at once, where that is less than we ask for.
    pub(crate) most: Option<usize>,
    /// Seconds between two sends to a client, where they are so far apart that a short look would
    /// miss them.
    pub(crate) interval: Option<u32>,
}

/// Where a program comes from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Maker {
    /// A Debian package, unpacked and not installed: its service shall not start.
    Debian(&'static str),
    /// Our own floor.
    Floor,
    /// Python's package index; the path of the script in the venv.
    Python { distribution: &'static str, script: &'static str },
    /// A crate that brings a program.
    Rust(&'static str),
    /// This project; what its configuration says of the tarpit beside the address.
    Ours(&'static str),
}

/// What SSH clients say first.
pub(crate) const SSH: &str = "SSH-2.0-OpenSSH_9.2\\r\\n";
/// What a browser says at least.
pub(crate) const HTTP: &str = "GET / HTTP/1.0\\r\\n\\r\\n";

const PYTHON_TARPITD: Maker = Maker::Python {
    distribution: "tarpitd",
    // Its own launcher does not find the module that it ships.
    script: "lib/python3/site-packages/src/tarpitd.py",
};
/// The published version lets the rest wait behind a semaphore, unserved. Its positive rates are
/// no limit; a byte a second, which later versions have by default, is `-r -1`.
const SERVED: Option<usize> = Some(32);
/// On loopback it takes twice what the others do, so that its sending half tells nothing more.
pub(super) const SSH_TARPIT: Maker =
    Maker::Python { distribution: "ssh-tarpit", script: "bin/ssh-tarpit" };

/// Where our program stands in [`EVERY_SECOND`].
pub(crate) const OURS: usize = 1;

/// One send a second to each client.
pub(crate) static EVERY_SECOND: [Program; 6] = [
    Program {
        name: "floor",
        hello: "",
        maker: Maker::Floor,
        words: "floor {at}",
        most: None,
        interval: None,
    },
    Program {
        name: "tarpitd",
        hello: "",
        maker: Maker::Ours("pattern = \"endless_banner\"\nrate_limit = 1"),
        words: "endless_banner, rate_limit = 1",
        most: None,
        interval: None,
    },
    Program {
        name: "endlessh",
        hello: "",
        maker: Maker::Debian("endlessh"),
        words: "usr/bin/endlessh -4 -d 1000 -m 20000 -p {port}",
        most: None,
        interval: None,
    },
    Program {
        name: "tarssh",
        hello: "",
        maker: Maker::Rust("tarssh"),
        words: "bin/tarssh -d 1 -c 20000 -l {at}",
        most: None,
        interval: None,
    },
    Program {
        name: "ssh-tarpit",
        hello: "",
        maker: SSH_TARPIT,
        words: "-i 1 -v error -a {host} -p {port}",
        most: None,
        interval: None,
    },
    Program {
        name: "tarpitd.py (32 clients)",
        hello: SSH,
        maker: PYTHON_TARPITD,
        words: "-r -1 -s misc_endlessh:{host}:{port}",
        most: SERVED,
        interval: None,
    },
];

/// Every program as its makers set it.
pub(crate) static BY_DEFAULT: [Program; 7] = [
    Program {
        name: "tarpitd ssh_trans_hold",
        hello: SSH,
        maker: Maker::Ours("pattern = \"ssh_trans_hold\""),
        words: "ssh_trans_hold",
        most: None,
        interval: Some(120),
    },
    Program {
        name: "tarpitd endlessh",
        hello: SSH,
        maker: Maker::Ours("pattern = \"endlessh\""),
        words: "endlessh",
        most: None,
        interval: None,
    },
    Program {
        name: "tarpitd http_endless_header",
        hello: HTTP,
        maker: Maker::Ours("pattern = \"http_endless_header\""),
        words: "http_endless_header",
        most: None,
        interval: None,
    },
    Program {
        name: "endlessh (default)",
        hello: SSH,
        maker: Maker::Debian("endlessh"),
        words: "usr/bin/endlessh -4 -m 20000 -p {port}",
        most: None,
        interval: None,
    },
    Program {
        name: "tarssh (default)",
        hello: SSH,
        maker: Maker::Rust("tarssh"),
        words: "bin/tarssh -c 20000 -l {at}",
        most: None,
        interval: None,
    },
    Program {
        name: "tarpitd.py ssh",
        hello: SSH,
        maker: PYTHON_TARPITD,
        words: "-r -1 -s misc_endlessh:{host}:{port}",
        most: SERVED,
        interval: None,
    },
    Program {
        name: "tarpitd.py http",
        hello: HTTP,
        maker: PYTHON_TARPITD,
        words: "-r -1 -s http_endless_cookie:{host}:{port}",
        most: SERVED,
        interval: None,
    },
];

/// What ours keeps for a client; each over IPv4 and over IPv6.
pub(crate) static MEMORY: [Program; 3] = [
    Program {
        name: "endless_banner",
        hello: "",
        maker: Maker::Ours("pattern = \"endless_banner\""),
        words: "endless_banner",
        most: None,
        interval: None,
    },
    Program {
        name: "ssh_trans_hold",
        hello: SSH,
        maker: Maker::Ours("pattern = \"ssh_trans_hold\""),
        words: "ssh_trans_hold",
        most: None,
        interval: None,
    },
    Program {
        name: "http_endless_header",
        hello: HTTP,
        maker: Maker::Ours("pattern = \"http_endless_header\""),
        words: "http_endless_header",
        most: None,
        interval: None,
    },
];

/// Sends drips to those who are held, and greets newcomers at once.
pub(crate) const STORM: Program = Program {
    name: "accept",
    hello: SSH,
    maker: Maker::Ours("pattern = \"endlessh\"\nrate_limit = 1"),
    words: "endlessh, rate_limit = 1",
    most: None,
    interval: None,
};

/// The first of [`EVERY_SECOND`] that is ours, with metrics to be read.
pub(crate) const READ: Program = Program {
    name: "tarpitd, metrics read",
    hello: "",
    maker: Maker::Ours(
        "pattern = \"endless_banner\"\nrate_limit = 1\n[metrics]\nbind = \"unix:{folder}/metrics\"",
    ),
    words: "endless_banner, rate_limit = 1, [metrics]",
    most: None,
    interval: None,
};

/// Where the metrics of [`READ`] are.
pub(crate) fn metrics(workspace: &Workspace) -> Result<PathBuf> {
    Ok(own_folder(workspace)?.join("metrics"))
}

/// Silent to the silent.
pub(crate) const IDLE: Program = Program {
    name: "idle",
    hello: "",
    maker: Maker::Ours("pattern = \"http_endless_header\""),
    words: "http_endless_header",
    most: None,
    interval: None,
};

/// Installs what is missing, by package clients only; says what cannot be had, and goes on.
pub(crate) fn install(workspace: &Workspace) {
    let mut done = Vec::new();
    for program in EVERY_SECOND.iter().chain(&BY_DEFAULT) {
        if done.contains(&program.maker) {
            continue;
        }
        done.push(program.maker);
        if let Err(error) = install_one(workspace, program.maker) {
            eprintln!("xtask: {} cannot be measured: {error:#}", program.name);
        }
    }
}

/// Starts `program` listening at `at`, with so many workers if it is ours.
pub(crate) fn start(
    workspace: &Workspace,
    program: &Program,
    at: SocketAddr,
    workers: u8,
) -> Result<Process> {
    start_in(workspace, None, program, at, workers)
}

/// The same in a namespace.
pub(crate) fn start_in(
    workspace: &Workspace,
    namespace: Option<&Namespace>,
    program: &Program,
    at: SocketAddr,
    workers: u8,
) -> Result<Process> {
    let words = match program.maker {
        Maker::Ours(settings) => ours(workspace, settings, at, workers)?,
        Maker::Floor => vec![workspace.target.join("release/floor"), at.to_string().into()]
            .into_iter()
            .map(|word| word.display().to_string())
            .collect(),
        maker => {
            let folder = folder(workspace, maker);
            let mut words = Vec::new();
            let mut given = program.words.split(' ').map(|word| fill(word, at));
            if let Maker::Python { script, .. } = maker {
                words.push(folder.join("bin/python").display().to_string());
                words.push(python_script(&folder, script)?.display().to_string());
            } else if let Some(word) = given.next() {
                words.push(folder.join(word).display().to_string());
            }
            words.extend(given);
            words
        }
    };
    if !Path::new(&words[0]).exists() {
        bail!("it is not installed");
    }
    let words = [namespace.map(Namespace::prefix).unwrap_or_default(), words].concat();
    let log = own_folder(workspace)?.join(format!("output-{}.log", at.port()));
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut process = Process::start(&words, output)?;
    process
        .wait_for(at)
        .with_context(|| format!("{} did not start:\n{}", program.name, tail(&log, 5)))?;
    Ok(process)
}

/// The folder for the programs' files.
pub(crate) fn own_folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Everything that is on by default is on, and the trace as well; only the caps make room.
fn ours(workspace: &Workspace, settings: &str, at: SocketAddr, workers: u8) -> Result<Vec<String>> {
    let folder = own_folder(workspace)?;
    let trace = folder.join(format!("trace-{}.jsonl", at.port()));
    if trace.exists() {
        fs::remove_file(&trace).with_context(|| format!("cannot remove {}", trace.display()))?;
    }
    let settings = settings.replace("{folder}", &folder.display().to_string());
    // What the settings have of further tables comes last.
    let text = format!(
        "workers = {workers}\n[logging]\nclient_trace = {trace:?}\n[tarpits.bench]\n\
         max_clients = 20000\nclient_trace = true\nbind = [{{ host = \"{}\", port = {} }}]\n\
         {settings}\n",
        at.ip(),
        at.port(),
        trace = trace.display().to_string(),
    );
    let configuration = folder.join(format!("tarpitd-{}.toml", at.port()));
    fs::write(&configuration, text)
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    let binary = workspace.target.join("release/tarpitd");
    Ok([binary.display().to_string(), "-c".to_owned(), configuration.display().to_string()].into())
}

fn fill(word: &str, at: SocketAddr) -> String {
    word.replace("{at}", &at.to_string())
        .replace("{host}", &at.ip().to_string())
        .replace("{port}", &at.port().to_string())
}

fn install_one(workspace: &Workspace, maker: Maker) -> Result<()> {
    let folder = folder(workspace, maker);
    match maker {
        Maker::Floor | Maker::Ours(_) => Ok(()),
        Maker::Debian(package) => {
            if folder.join("usr/bin").exists() {
                return Ok(());
            }
            fs::create_dir_all(&folder)?;
            call(
                Command::new("apt-get")
                    .args(["--quiet=2", "download", package])
                    .current_dir(&folder),
            )?;
            let file = fs::read_dir(&folder)?
                .flatten()
                .map(|entry| entry.path())
                .find(|path| path.extension().is_some_and(|it| it == "deb"))
                .context("apt-get left no package")?;
            call(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&folder))
        }
        Maker::Python { distribution, script } => {
            if python_script(&folder, script).is_ok() {
                return Ok(());
            }
            call(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            call(
                Command::new(folder.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet", "--no-input"])
                    .args(["--disable-pip-version-check", distribution]),
            )
        }
        Maker::Rust(package) => {
            if folder.join("bin").exists() {
                return Ok(());
            }
            call(workspace.cargo().args(["install", "--quiet", package, "--root"]).arg(&folder))
        }
    }
}

fn folder(workspace: &Workspace, maker: Maker) -> PathBuf {
    let name = match maker {
        Maker::Debian(name) | Maker::Rust(name) => name,
        Maker::Python { distribution, .. } => distribution,
        Maker::Floor | Maker::Ours(_) => "",
    };
    workspace.target.join("peers").join(name)
}

/// A script of a venv, whose folders name the version of Python.
fn python_script(folder: &Path, script: &str) -> Result<PathBuf> {
    let direct = folder.join(script);
    if direct.exists() {
        return Ok(direct);
    }
    for entry in fs::read_dir(folder.join("lib")).context("there is no venv")?.flatten() {
        let path = folder.join(script.replace("python3", &entry.file_name().to_string_lossy()));
        if path.exists() {
            return Ok(path);
        }
    }
    bail!("its script is not where it was in earlier versions")
}
