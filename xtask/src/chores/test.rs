//! The whole test: install the real clients, run every test, hold the clients under a short cap.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::base::workspace::Workspace;
use crate::chores::clients::{self, Plan};
use crate::chores::install;
use crate::chores::score::Score;
use crate::chores::{report, vanish};
use crate::client::span::Span;

/// Runs it all and closes with the score; false when anything failed.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    install::all(workspace)?;
    // It only waits, for as long as all the rest takes.
    let vanish = vanish::begin(workspace)?;
    let mut score = cargo_test(workspace)?;
    let binary = workspace.build_daemon()?;
    let plan = Plan { span: Span::SHORT, only: String::new() };
    match clients::run(workspace, &binary, &plan) {
        Ok(results) => {
            println!("{}", report::text(&results));
            let held = results.score();
            score.passed += held.passed;
            score.failed += held.failed;
        }
        // The score of the other tests is still worth its line.
        Err(error) => {
            eprintln!("xtask: {error:#}");
            score.failed += 1;
        }
    }
    let vanished = vanish.end();
    score.passed += vanished.passed;
    score.failed += vanished.failed;
    println!("{score}");
    Ok(score.failed == 0)
}

/// Runs `cargo test --workspace`, shows what it prints, and adds up its closing lines.
fn cargo_test(workspace: &Workspace) -> Result<Score> {
    println!("+ cargo test --workspace --no-fail-fast");
    let mut child = workspace
        .cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut score = Score::default();
    let mut shown = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read what cargo test prints")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(shown, "{line}").context("cannot show what cargo test prints")?;
        if let Some(suite) = suite(&line) {
            score.passed += suite.passed;
            score.failed += suite.failed;
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && score.failed == 0 {
        bail!("cargo test failed without a failed test ({status}); see its message above");
    }
    Ok(score)
}

/// The counts of a suite's closing line, such as
/// `test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; ...`.
fn suite(line: &str) -> Option<Score> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts.split("; ").map(|part| part.split_once(' '));
    let (passed, _) = numbers.next()??;
    let (failed, _) = numbers.next()??;
    Some(Score { passed: passed.parse().ok()?, failed: failed.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suites_closing_line_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; \
                    0 filtered out; finished in 0.01s";
        assert_eq!(suite(line).unwrap().to_string(), "12 passed, 3 failed");
        assert!(suite("test a::b ... ok").is_none());
    }
}
