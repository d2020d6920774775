//! A network tarpit: makes ports look like services and holds every client that connects.

mod admin;
mod admit;
mod analysis;
#[cfg(test)]
#[path = "../tests/it/blocks.rs"]
mod blocks;
mod cli;
mod config;
mod console;
mod daemon;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod generated;
mod keys;
mod manual;
#[cfg(test)]
#[path = "../tests/it/mmdb.rs"]
mod mmdb;
mod os;
mod report;
#[cfg(test)]
#[path = "../tests/it/require.rs"]
#[expect(dead_code, reason = "the tests of the whole program need more")]
mod require;
mod settings;
mod slab;
mod worker;

use std::{path::Path, process::ExitCode};

use cli::Task;
use config::{Origin, Problem, Request, Wrong};
use console::{commands, complain, firewall, patterns, print, top, welcome};
use daemon::{Checked, Reread};
use os::{runtime_directory, terminal, user_state};
use settings::finding::{Finding, in_order};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Task::Serve(request)) => serve(&request),
        Ok(Task::Ask(whereabouts, ask)) => commands::ask(&whereabouts, &ask),
        Ok(Task::Check(file)) => check(&file),
        Ok(Task::Completions(shell)) => print(&cli::completions(shell)),
        Ok(Task::Firewall(file, asked)) => match firewall::text(file.as_deref(), &asked) {
            Ok(rules) => print(rules.as_bytes()),
            Err(problems) => {
                for problem in problems {
                    complain(&problem);
                }
                ExitCode::from(daemon::MISUSED)
            }
        },
        Ok(Task::Manual(page)) => manual::show(page),
        Ok(Task::Report(request)) => report(&request),
        Ok(Task::Patterns { json: true }) => print(patterns::json().as_bytes()),
        Ok(Task::Patterns { json: false }) => print(patterns::table().as_bytes()),
        Ok(Task::Top(whereabouts)) => top::top(&whereabouts),
        Err(help) if !help.use_stderr() => print(help.to_string().as_bytes()),
        Err(misuse) => {
            complain(&format!("tarpitd: {}", cli::one_line(&misuse)));
            ExitCode::from(daemon::MISUSED)
        }
    }
}

/// Serves until it is told to stop.
fn serve(request: &Request) -> ExitCode {
    let is_from_stdin =
        matches!(&request.origin, Origin::File(path) if config::is_standard_input(path));
    if is_from_stdin && std::env::var_os(daemon::HAND_OVER).is_some() {
        complain(
            "tarpitd: cannot take over: the running daemon read its configuration from standard \
             input, which cannot be read again: save it as a file, and restart with -c FILE",
        );
        return ExitCode::from(daemon::REFUSED);
    }
    let mut settings = match request.settings() {
        Ok(settings) => settings,
        Err(wrong) => return give_up(wrong),
    };
    match &request.origin {
        Origin::Arguments(_) => daemon::run(settings, None, ""),
        Origin::Embedded => {
            // After changing to another user the daemon could not use this user's directory.
            // A daemon that takes over goes on with the socket that there is.
            let there = std::env::var_os(daemon::HAND_OVER).map(std::path::PathBuf::from);
            if (terminal::is_attended() || there.is_some()) && settings.user.is_none() {
                settings.state_dir = user_state::directory().map(Into::into);
                let socket = there.or_else(runtime_directory::free_socket);
                settings.control.socket = socket.map(Into::into);
            }
            // A new user may not have tarpitd on the search path yet.
            let program = std::env::args_os().next().unwrap_or_else(|| "tarpitd".into());
            let welcome = welcome::text(&settings, &program.to_string_lossy());
            daemon::run(settings, None, &welcome)
        }
        // Standard input cannot be read again.
        Origin::File(_) if is_from_stdin => daemon::run(settings, None, ""),
        Origin::File(file) => {
            let reread = || request.settings().map_err(|wrong| lines(&wrong.problems));
            daemon::run(settings, Some(Reread { file, read: &reread }), "")
        }
    }
}

/// Prints what `file` would serve and within which limits, or every error on a line.
fn check(file: &Path) -> ExitCode {
    match config::load(file) {
        Ok(settings) => {
            let Checked { findings, summary } = daemon::check(&settings);
            for finding in &findings {
                complain(&finding.labelled());
            }
            if findings.iter().any(Finding::is_refusal) {
                return daemon::exit_code(&findings);
            }
            print(format!("{}: {summary}", config::shown_name(file)).as_bytes())
        }
        Err(wrong) => give_up(wrong),
    }
}

/// Prints what traces tell, and what is wrong with them.
fn report(request: &analysis::Request) -> ExitCode {
    let analysis::Report { text, complaints, refused } = analysis::report(request);
    for complaint in &complaints {
        complain(&format!("tarpitd: {complaint}"));
    }
    match print(text.as_bytes()) {
        ExitCode::SUCCESS if refused => ExitCode::from(daemon::REFUSED),
        printed => printed,
    }
}

/// Prints the errors in the configuration, and what the system would refuse of the rest.
fn give_up(Wrong { problems, rest }: Wrong) -> ExitCode {
    let refused = rest.map(|rest| daemon::check(&rest).findings).unwrap_or_default();
    let refused = refused.into_iter().filter(Finding::is_refusal);
    let wrong = problems.into_iter().map(Finding::from);
    for finding in in_order(wrong.chain(refused).collect()) {
        complain(&finding.to_string());
    }
    ExitCode::from(daemon::MISUSED)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
