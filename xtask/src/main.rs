//! The project's chores: `cargo xtask test`, `docs`, `clients`, `dist`, `bench`, `soak` and so on.

mod base;
mod chores;
mod client;
#[path = "../../crates/tarpitd/tests/it/made_trace.rs"]
mod made_trace;
mod rows;
mod running;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use base::workspace::Workspace;
use chores::form::Form;
use chores::{bench, clients, dist, docs, install, report, soak, test, vanish};

/// The project's chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure the daemon, a bare send loop (the floor) and other tarpits, one after the other
    Bench {
        /// How many clients to hold
        #[arg(long, default_value_t = 19_000)]
        clients: usize,
        /// How often to measure everything; the figures are the medians
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Measure briefly, only to see that it works
        #[arg(long)]
        quick: bool,
        /// Measure only programs whose name contains SUBSTR; may be repeated
        #[arg(long, value_name = "SUBSTR")]
        only: Vec<String>,
        /// Also write the tables to FILE, as Markdown
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Only hold this many clients (a million, say) by several processes, or as many as the
        /// machine can
        #[arg(long, value_name = "CLIENTS")]
        hold: Option<usize>,
        /// Only count the instructions of a turn and of identification
        #[arg(long)]
        steps: bool,
    },
    /// Run real clients side by side against the daemon and see how long each one stays
    Clients {
        /// Watch for 130 seconds instead of 40, and expect clients to stay for 120
        #[arg(long)]
        full: bool,
        /// Run only the rows whose client or pattern contains SUBSTR, in any case
        #[arg(long, value_name = "SUBSTR")]
        only: Option<String>,
        /// Also write the table to FILE, as Markdown
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Use this daemon instead of building one
        #[arg(long, value_name = "FILE")]
        binary: Option<PathBuf>,
    },
    /// Make dist/tarpitd, one static file, and check its size, start-up time and memory
    Dist,
    /// Write both pages of the manual and the generated tables of the documents
    Docs,
    /// Install the real clients that the tests need, and nothing else
    Install,
    /// Run a mixed crowd against every pattern, and fail if anything of the daemon grows
    Soak {
        /// How many seconds to run
        #[arg(long = "for", value_name = "SECONDS", default_value_t = 60)]
        seconds: u64,
    },
    /// Install the real clients, run all tests, hold the clients, soak, and let clients vanish
    Test {
        /// Run long tests in their long forms, and check the static file
        #[arg(long)]
        full: bool,
    },
    /// Print a made-up trace of so many clients, to measure `tarpitd report` with
    Trace {
        /// Five million are 4.7 GB
        clients: u64,
    },
    /// Check when the daemon closes clients that vanish; takes six minutes
    Vanish,
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does the chore; false when it was done but something did not pass.
fn run(chore: Chore) -> Result<bool> {
    let workspace = Workspace::find()?;
    match chore {
        Chore::Bench { hold: Some(goal), .. } => bench::hold(&workspace, goal),
        Chore::Bench { steps: true, .. } => {
            println!("{}", bench::steps(&workspace)?);
            Ok(true)
        }
        Chore::Bench { clients, runs, quick, only, write, hold: None, steps: false } => {
            let plan = bench::Plan { clients, runs, quick, only };
            bench::run(&workspace, &plan, write.as_deref())
        }
        Chore::Clients { full, only, write, binary } => {
            let plan =
                clients::Plan { span: Form::of(full).span(), only: only.unwrap_or_default() };
            install::require(&workspace, &plan.tools())?;
            let binary = match binary {
                Some(binary) => binary,
                None => workspace.build_daemon()?,
            };
            let results = clients::run(&workspace, &binary, &plan)?;
            println!("{}", report::text(&results));
            if let Some(path) = write {
                report::write(&path, &results)?;
            }
            let score = results.score();
            println!("{score}");
            Ok(score.failed == 0)
        }
        Chore::Dist => dist::run(&workspace),
        Chore::Docs => docs::run(&workspace).map(|()| true),
        Chore::Install => install::all(&workspace).map(|()| true),
        Chore::Soak { seconds } => soak::run(&workspace, Duration::from_secs(seconds), Form::Full),
        Chore::Trace { clients } => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            made_trace::MadeTrace::new().write(&mut out, clients)?;
            std::io::Write::flush(&mut out)?;
            Ok(true)
        }
        Chore::Test { full } => test::run(&workspace, Form::of(full)),
        Chore::Vanish => {
            let score = vanish::begin(&workspace, Form::Full)?.end();
            println!("{score}");
            Ok(score.failed == 0)
        }
    }
}
