//! What a person at a terminal sees.

pub(crate) mod commands;
pub(crate) mod control;
pub(crate) mod firewall;
pub(crate) mod patterns;
pub(crate) mod top;
mod upgrade;
pub(crate) mod welcome;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::daemon;

/// Writes to standard output. It is no failure if the reader has closed it.
pub(crate) fn print(text: &[u8]) -> ExitCode {
    let mut stdout = io::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("tarpitd: cannot write to standard output: {error}"));
            ExitCode::from(daemon::REFUSED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    // If standard error is gone, the exit code still tells.
    let _ = writeln!(io::stderr(), "{line}");
}
