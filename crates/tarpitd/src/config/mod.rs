//! From a text to [`Settings`]: a file, the command line's arguments or the embedded default.
//! Nothing else parses.

mod address;
mod cautions;
mod document;
mod draft;
mod problem;
mod reference;
mod request;
mod sandbox;
mod surface;
#[cfg(test)]
mod tests;
mod values;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

pub(crate) use self::{
    address::Ports,
    document::Unset,
    problem::Problem,
    reference::sections,
    request::{Origin, Request},
    values::{network, rate, sink, user},
};
use self::{
    document::Source,
    draft::{Draft, TarpitDraft},
    problem::Notes,
};
use crate::settings::{Level, Place, Settings};

/// What `tarpitd` serves without arguments.
pub(crate) const EMBEDDED: &str = include_str!("default.toml");

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The errors; never empty.
    pub(crate) problems: Vec<Problem>,
    /// The settings without the errors, if any are left, so that `check` also reports what the
    /// system would refuse.
    pub(crate) rest: Option<Box<Settings>>,
}

impl From<Vec<Problem>> for Wrong {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, rest: None }
    }
}

/// Reads the file at `path`, or standard input if that is `-`.
pub(crate) fn load(path: &Path) -> Result<Settings, Wrong> {
    let file = (!is_standard_input(path)).then(|| path.to_owned());
    match load_text(path) {
        Ok(settings) => Ok(Settings { file, ..settings }),
        Err(Wrong { problems, rest }) => {
            let rest = rest.map(|rest| Box::new(Settings { file, ..*rest }));
            Err(Wrong { problems, rest })
        }
    }
}

fn load_text(path: &Path) -> Result<Settings, Wrong> {
    let name = shown_name(path).to_string();
    let at_file = |what: String| vec![Place::File(name.clone().into()).problem(what)];
    let bytes = read(path).map_err(|error| at_file(unreadable(&error)))?;
    match str::from_utf8(&bytes) {
        Ok(text) => parse(&name, text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let source = Source::new(&name, &valid, reference::section_of);
            let what = "this is not UTF-8, as TOML must be: save the file in that encoding";
            Err(vec![source.place(valid.len()).problem(what)].into())
        }
    }
}

/// Reads `text`. Problems and warnings call it `name`.
pub(crate) fn parse(name: &str, text: &str) -> Result<Settings, Wrong> {
    let (mut draft, mut notes) = (Draft::default(), Notes::default());
    Source::new(name, text, reference::section_of).read(reference::TOP, &mut draft, &mut notes);
    draft.finish(notes)
}

/// Reads the values of `-s`: each is a tarpit, `PATTERN:HOST:PORT`.
fn from_arguments(arguments: &[String]) -> Result<Settings, Wrong> {
    let (mut draft, mut notes) = (Draft::default(), Notes::default());
    draft.logging.level = Level::Warning;
    for (index, argument) in arguments.iter().enumerate() {
        draft.tarpits.push(TarpitDraft::from_argument(index, argument, &mut notes));
    }
    draft.finish(notes)
}

/// The name of the configuration at `path` in messages.
pub(crate) fn shown_name(path: &Path) -> std::path::Display<'_> {
    if is_standard_input(path) { Path::new("<stdin>").display() } else { path.display() }
}

/// Whether `path` stands for standard input, as `-` does.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The file's bytes, up to a limit.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    /// More than anybody writes; a device such as `/dev/zero` has more.
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    if is_standard_input(path) {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Why a file cannot be read, and what to do about it.
fn unreadable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::FileTooLarge => "a configuration has at most 1 MiB; name another file",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::NotFound => "check its name",
        io::ErrorKind::PermissionDenied => "let the user who runs tarpitd read it",
        _ => "name a file with a configuration",
    };
    format!("cannot read this file: {error}; {advice}")
}
