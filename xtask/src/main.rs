//! The project's chores: `cargo xtask test`, `docs`, `clients`, `dist`, `bench`, `soak` and so on.

mod base;
mod chores;
mod client;
mod rows;
mod running;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use base::workspace::Workspace;
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
    /// Measure the daemon beside a floor and beside its peers, in turn
    Bench {
        /// Hold so many clients
        #[arg(long, default_value_t = 19_000)]
        clients: usize,
        /// Measure everything so often, and take the medians
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Measure for short spans only, to see that it works
        #[arg(long)]
        quick: bool,
        /// Measure only programs whose name contains SUBSTR; may be repeated
        #[arg(long, value_name = "SUBSTR")]
        only: Vec<String>,
        /// Also write the tables to FILE, as Markdown
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Instead of all that, hold so many clients by several processes, or as many as the
        /// machine can, such as a million
        #[arg(long, value_name = "CLIENTS")]
        hold: Option<usize>,
        /// Instead of all that, count the instructions of a turn and of identification
        #[arg(long)]
        steps: bool,
    },
    /// Run real clients side by side against the daemon and see how long each one stays
    Clients {
        /// Watch for 130 seconds instead of 40, and want 120 of them
        #[arg(long)]
        full: bool,
        /// Run only the rows whose client or pattern contains SUBSTR, in any case
        #[arg(long, value_name = "SUBSTR")]
        only: Option<String>,
        /// Also write the table to FILE, as Markdown
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Try this daemon instead of building one
        #[arg(long, value_name = "FILE")]
        binary: Option<PathBuf>,
    },
    /// Make dist/tarpitd, one static file, and check its size, start-up time and memory
    Dist,
    /// Write both pages of the manual and the generated tables of the documents
    Docs,
    /// Install the real clients that the tests need, and nothing else
    Install,
    /// Let every pattern bear a mixed crowd, and fail if anything of the daemon grows
    Soak {
        /// For so many seconds
        #[arg(long = "for", value_name = "SECONDS", default_value_t = 60)]
        seconds: u64,
    },
    /// Install the real clients, run all tests, then hold the clients under a 40-second cap
    Test,
    /// See when clients that vanish without a word are given up; takes six minutes
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
            let plan = clients::Plan {
                span: if full { client::span::Span::FULL } else { client::span::Span::SHORT },
                only: only.unwrap_or_default(),
            };
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
        Chore::Soak { seconds } => soak::run(&workspace, Duration::from_secs(seconds)),
        Chore::Test => test::run(&workspace),
        Chore::Vanish => {
            let score = vanish::begin(&workspace)?.end();
            println!("{score}");
            Ok(score.failed == 0)
        }
    }
}
