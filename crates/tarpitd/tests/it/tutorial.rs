//! The tutorial, typed from top to bottom as a newcomer would, with less patience.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    blocks::blocks,
    daemon::{Directory, file_gets, until},
    first_minute::alone,
};

/// What stands before each block: each client is ended after a second, which is no failure, and a
/// client that is not installed does nothing. (`cargo xtask test` installs them all.)
const PRELUDE: &str = r#"
set -e
brief() {
    type -P "$1" > /dev/null || { echo "$1 is not installed"; return 0; }
    local status=0 seconds=1
    # The reply of its key exchange is up to 5 seconds late.
    test "$1" != ssh || seconds=8
    command timeout --kill-after 1 $seconds "$@" || status=$?
    case $status in 124 | 137) return 0 ;; *) return $status ;; esac
}
timeout() { shift; brief "$@"; }
# The one file that is wrong.
tarpitd() { command tarpitd "$@" || test "$2" = bad.toml; }
for client in curl gobuster hydra medusa ncrack nmap ssh swaks; do
    eval "$client() { brief $client \"\$@\"; }"
done
"#;

/// The tarpitd of the first terminal.
struct First(Child);

impl First {
    /// Starts it as the block says, and waits until it serves.
    fn start(directory: &Directory, block: &str) -> Self {
        let log = directory.path("first-terminal");
        let file = File::create(&log).expect("a file");
        let child = shell(directory, &format!("exec {block}")).stderr(file).spawn();
        let first = Self(child.expect("bash is there"));
        file_gets(&log, |text| text.contains("notice: ") && text.ends_with('\n'));
        first
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("it runs until the next one");
        assert!(self.0.wait().expect("it is ours").success());
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A shell that runs these commands as from the tutorial's folder.
fn shell(directory: &Directory, commands: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_tarpitd")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a search path");
    let mut shell = Command::new("bash");
    shell.args(["-c", commands]).current_dir(directory.path("")).env_remove("JOURNAL_STREAM");
    shell.env("PATH", format!("{}:{path}", program.display()));
    shell.env("HOME", directory.path("")).stdin(Stdio::null()).stdout(Stdio::null());
    shell
}

#[test]
fn every_command_of_the_tutorial_works_in_its_place() {
    alone(|| {
        let directory = Directory::new("tutorial");
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/getting-started.md");
        let document = fs::read_to_string(document).expect("the tutorial");
        let (mut first, mut shown) = (None::<First>, String::new());
        for block in blocks(&document) {
            match (&*block.language, &*block.purpose) {
                ("toml", name) => {
                    directory.file(name, &block.text);
                }
                ("sh", "tarpitd") => {
                    if let Some(first) = first.take() {
                        first.end();
                    }
                    first = Some(First::start(&directory, &block.text));
                }
                ("sh", "") => {
                    // What it leaves running in the background must not keep a pipe of ours open.
                    let path = directory.path("second-terminal");
                    let file = File::create(&path).expect("a file");
                    let commands = format!("{PRELUDE}{}", block.text);
                    let mut shell = shell(&directory, &commands);
                    shell.stderr(file.try_clone().expect("a descriptor")).stdout(file);
                    let status = shell.status().expect("bash is there");
                    let text = String::from_utf8_lossy(&fs::read(path).expect("it")).into_owned();
                    assert!(status.success(), "{status}:\n{}\n{text}", block.text);
                    shown += &text;
                }
                _ => {}
            }
            // The file is served from the second terminal.
            if block.text.contains("bad.toml:")
                && let Some(first) = first.take()
            {
                first.end();
            }
        }
        for wanted in [
            "\"user\":\"root\"",
            "subject=CN = www.example.org",
            "[\"ssh\",\"127.0.0.1\",\"per_address\"]",
            "SIGHUP: configuration reloaded",
            "SIGHUP: configuration not reloaded, the old one stays in force",
            "totals: held=3 ",
        ] {
            assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
        }
        until("the end of all", || !fs::exists(directory.path("tarpitd.pid")).expect("a look"));
    });
}
