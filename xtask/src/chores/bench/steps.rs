//! What the core itself does, in instructions: the same at every run of the same build, whatever
//! else the machine is busy with.
//!
//! Each is run twice under valgrind's callgrind, so often and ten thousand times more; the
//! difference is what the ten thousand cost.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::base::workspace::{Workspace, call};

/// What is counted: its name, and the words of the program that does it.
const COUNTED: [(&str, &[&str]); 9] = [
    ("identification of a client, all protocols", &["identify"]),
    ("turn of endless_banner, rate_limit = 1", &["turn", "endless_banner", "--rate", "1"]),
    ("turn of endlessh", &["turn", "endlessh"]),
    ("turn of http_endless_header", &["turn", "http_endless_header"]),
    ("turn of http_hold", &["turn", "http_hold"]),
    // EHLO and nothing behind it: the list goes on.
    ("turn of smtp_endless_ehlo", &["turn", "smtp_endless_ehlo", "--opening", "1"]),
    ("turn of ssh_auth_hold", &["turn", "ssh_auth_hold"]),
    ("turn of ssh_kex_hold", &["turn", "ssh_kex_hold"]),
    ("turn of ssh_trans_hold", &["turn", "ssh_trans_hold"]),
];

const FEW: u32 = 1_000;
const MORE: u32 = 10_000;

/// The counts as a Markdown table, or why there are none.
pub(crate) fn table(workspace: &Workspace) -> Result<String> {
    call(workspace.cargo().args(["build", "--release", "--package", "bench"]))?;
    let program = workspace.target.join("release/steps");
    let mut text = String::from("| what | instructions |\n|---|---:|\n");
    for (name, words) in COUNTED {
        let few = count(&program, words, FEW)?;
        let many = count(&program, words, FEW + MORE)?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} |", many.saturating_sub(few) / u64::from(MORE));
    }
    Ok(text)
}

/// Instructions of the whole program.
fn count(program: &Path, words: &[&str], times: u32) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--times", &times.to_string()])
        .args(words)
        .output()
        .context("cannot run valgrind; `apt-get install valgrind` installs it")?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("`steps {}` failed:\n{told}", words.join(" "));
    }
    collected(&told).with_context(|| format!("callgrind told no count:\n{told}"))
}

/// The count in what callgrind tells, such as `==7== Collected : 1234`.
fn collected(told: &str) -> Option<u64> {
    let (_, count) = told.lines().find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_in_what_callgrind_tells() {
        let told = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==7== nothing"), None);
    }
}
