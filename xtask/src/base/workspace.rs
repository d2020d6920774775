//! Where things are in this checkout, and how cargo is called in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// This checkout.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds; honours `CARGO_TARGET_DIR` and configuration files.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo where it builds.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask has no parent folder; run it from a checkout")?
            .to_path_buf();
        let output = cargo(&root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo metadata")?;
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .context("cargo metadata did not answer with JSON; see its message above")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names no target_directory")?
            .into();
        Ok(Self { root, target })
    }

    /// Builds the daemon as users build it and says where it is.
    pub(crate) fn build_daemon(&self) -> Result<PathBuf> {
        let mut build = self.cargo();
        build.args(["build", "--release", "--package", "tarpitd"]);
        call(&mut build)?;
        Ok(self.target.join("release/tarpitd"))
    }

    /// A cargo command that runs at the root.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// The folder for what the real clients need and leave: their venv, homes and output.
    pub(crate) fn clients(&self) -> PathBuf {
        self.target.join("clients")
    }

    /// The interpreter that Python clients run in, in the clients' venv.
    pub(crate) fn python(&self) -> PathBuf {
        self.venv().join("bin/python")
    }

    /// The venv of the Python clients.
    pub(crate) fn venv(&self) -> PathBuf {
        self.clients().join("venv")
    }

    /// The tree of a package that is unpacked and not installed.
    pub(crate) fn unpacked(&self, package: &str) -> PathBuf {
        self.clients().join("unpacked").join(package)
    }

    /// The program with our clients around Go's libraries.
    pub(crate) fn go_client(&self) -> PathBuf {
        self.clients().join("go-client")
    }

    /// The folder of the scripts and lists that some clients are given.
    pub(crate) fn scripts(&self) -> PathBuf {
        self.root.join("xtask/clients")
    }
}

/// Shows a command, runs it without standard input, and fails unless it succeeds.
pub(crate) fn call(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("+ {shown}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

fn cargo(root: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root);
    // What cargo told these chores of themselves makes build scripts that look at it run again.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    words.join(" ")
}
