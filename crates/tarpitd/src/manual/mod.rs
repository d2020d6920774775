//! The manual: two pages that come with the program, from one source for the pager and man(1).

mod page;
#[cfg(test)]
mod roff;
mod text;
mod trace;

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    process::{Command, ExitCode, Stdio},
};

use self::page::Page;
use crate::cli;

/// Shows a page in the pager; prints it if there is no pager or no terminal.
pub(crate) fn show(page: cli::Page) -> ExitCode {
    let text = text::render(&Page::parse(source(page)));
    if io::stdout().is_terminal() {
        let chosen = ["MANPAGER", "PAGER"].into_iter().filter_map(|name| env::var(name).ok());
        for pager in
            chosen.filter(|pager| !pager.is_empty()).chain(["less", "more"].map(Into::into))
        {
            if page_through(&pager, &text).is_ok() {
                return ExitCode::SUCCESS;
            }
        }
    }
    crate::console::print(text.as_bytes())
}

/// Lets `pager`, which may have arguments, show the text.
fn page_through(pager: &str, text: &str) -> io::Result<()> {
    let mut words = pager.split_whitespace();
    let program = words.next().ok_or(io::ErrorKind::NotFound)?;
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // The reader may close the pager early.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait().map(drop)
}

fn source(page: cli::Page) -> &'static str {
    match page {
        cli::Page::Configuration => include_str!("tarpitd.toml.5.txt"),
        cli::Page::Program => include_str!("tarpitd.1.txt"),
    }
}

/// The pages as man(1) reads them, with their files in `docs/man`.
#[cfg(test)]
pub(crate) fn pages() -> [(&'static str, String); 2] {
    [(cli::Page::Program, "tarpitd.1"), (cli::Page::Configuration, "tarpitd.toml.5")]
        .map(|(page, file)| (file, roff::render(&Page::parse(source(page)))))
}

#[cfg(test)]
mod tests {
    use tarpit_proto::patterns;

    use super::*;

    #[test]
    fn every_table_is_there_and_every_pattern_in_it() {
        let page = text::render(&Page::parse(source(cli::Page::Program)));
        for name in patterns::ALL.iter().map(|pattern| pattern.name()) {
            assert!(page.contains(&format!("\n       {name}\n")), "{name}");
        }
        for word in ["-s, --serve PATTERN:HOST:PORT...", "check FILE", "timed_out"] {
            assert!(page.contains(&format!("\n       {word}\n")), "{word}");
        }
        let page = text::render(&Page::parse(source(cli::Page::Configuration)));
        for entry in crate::config::sections().iter().flat_map(|section| &section.entries) {
            assert!(page.contains(&format!("\n       {}\n", entry.name)), "{}", entry.name);
        }
    }
}
