//! The whole test: installs the real clients, runs every test, holds the clients, soaks, and lets
//! clients vanish.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::base::workspace::Workspace;
use crate::chores::clients::{self, Plan};
use crate::chores::form::Form;
use crate::chores::score::Score;
use crate::chores::{dist, install, report, soak, vanish};

/// Runs it all and closes with the score; false when anything failed.
pub(crate) fn run(workspace: &Workspace, form: Form) -> Result<bool> {
    install::all(workspace)?;
    // It only waits, beside all the rest.
    let vanish = vanish::begin(workspace, form)?;
    let mut score = cargo_test(workspace, form)?;
    score.add(told(held(workspace, form)));
    score.add(told(soak::run(workspace, form.soak(), form).map(Score::of)));
    if form == Form::Full {
        score.add(told(dist::run(workspace).map(Score::of)));
    }
    score.add(vanish.end());
    println!("{score}");
    Ok(score.failed == 0)
}

/// Holds the real clients.
fn held(workspace: &Workspace, form: Form) -> Result<Score> {
    let binary = workspace.build_daemon()?;
    let plan = Plan { span: form.span(), only: String::new() };
    let results = clients::run(workspace, &binary, &plan)?;
    println!("{}", report::text(&results));
    Ok(results.score())
}

/// The score of one part. If the part itself fails, that counts as one failure and is told: the
/// score of the others is still worth its line.
fn told(score: Result<Score>) -> Score {
    score.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        Score::of(false)
    })
}

/// Runs `cargo test --workspace`, shows what it prints, and adds up its closing lines.
fn cargo_test(workspace: &Workspace, form: Form) -> Result<Score> {
    println!("+ cargo test --workspace --no-fail-fast");
    let mut child = workspace
        .cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("TARPIT_LONG", if form == Form::Full { "1" } else { "0" })
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
        score.add(suite(&line).unwrap_or_default());
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
