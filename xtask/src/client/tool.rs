//! A program or library that a client is: what provides it, its version, whether it is here.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::base::workspace::Workspace;
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
    /// What provides it.
    pub(crate) provider: Provider,
}

/// Who provides a tool.
#[derive(PartialEq)]
pub(crate) enum Provider {
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
    /// A package of Debian's that is unpacked below [`Workspace::unpacked`] and not installed, since
    /// its installation would register this machine on the network.
    Unpacked {
        package: &'static str,
        program: &'static str,
    },
}

impl Tool {
    pub(crate) const fn debian(
        name: &'static str,
        package: &'static str,
        program: &'static str,
    ) -> Self {
        Self::plain(name, Provider::Debian { package, program })
    }

    pub(crate) const fn python(distribution: &'static str, version: &'static str) -> Self {
        Self::plain(distribution, Provider::Python { distribution, version })
    }

    pub(crate) const fn plain(name: &'static str, provider: Provider) -> Self {
        Self { name, dialect: Dialect::Plain, heavy: false, provider }
    }

    pub(crate) const fn that_speaks(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    pub(crate) const fn heavy(self) -> Self {
        Self { heavy: true, ..self }
    }

    /// The version that is installed, or "unknown".
    pub(crate) fn version(&self, workspace: &Workspace) -> String {
        let mut command = match self.provider {
            Provider::Debian { package, .. }
            | Provider::Go { package, .. }
            | Provider::Unpacked { package, .. } => {
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

    /// Whether it is installed, in the version that we want.
    pub(crate) fn is_here(&self, workspace: &Workspace) -> bool {
        match self.provider {
            Provider::Debian { program, .. } => find(program).is_some(),
            Provider::Go { library, .. } => {
                has_library(library) && is_newer(&workspace.go_client(), &go_source(workspace))
            }
            Provider::Python { version, .. } => self.version(workspace) == version,
            Provider::PythonItself => workspace.python().exists(),
            Provider::Unpacked { package, program } => {
                let root = workspace.unpacked(package);
                find(program).is_some()
                    || ["usr/bin", "usr/sbin"]
                        .iter()
                        .any(|folder| is_program(&root.join(folder).join(program)))
            }
        }
    }
}

/// Where Debian's packages put the sources of Go libraries.
pub(crate) const GOPATH: &str = "/usr/share/gocode";

/// Where a program is among the system's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(PATH).map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Whether Go's library of that path is there.
pub(crate) fn has_library(library: &str) -> bool {
    Path::new(GOPATH).join("src").join(library).is_dir()
}

/// The source of our clients around Go's libraries.
pub(crate) fn go_source(workspace: &Workspace) -> PathBuf {
    workspace.scripts().join("go/main.go")
}

/// Whether `made` is there, and made since `source` was last changed.
pub(crate) fn is_newer(made: &Path, source: &Path) -> bool {
    let changed = |file: &Path| fs::metadata(file).and_then(|it| it.modified());
    matches!((changed(made), changed(source)), (Ok(made), Ok(source)) if made >= source)
}

fn python_version(workspace: &Workspace, distribution: &str) -> Command {
    let mut command = Command::new(workspace.python());
    let ask = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";
    command.args(["-c", ask, distribution]);
    command
}
