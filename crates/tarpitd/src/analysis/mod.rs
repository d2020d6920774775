//! `tarpitd report`: what traces tell of the clients, as text, as a page or as JSON.
//!
//! `merge` reads the files as one stream of lines, `line` reads one of them, `tally` sums up in fixed
//! memory, `summary` has the figures, and `text` and `html` show them.

mod address;
mod html;
mod line;
mod lines;
mod merge;
mod moment;
mod names;
mod output;
mod parts;
mod progress;
mod sketch;
mod source;
mod summary;
mod tally;
mod text;
mod timeline;
mod words;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use self::{
    merge::{Found, Left, Merge, Spot},
    output::Output,
    progress::Progress,
    summary::{Summary, Trace},
    tally::Tally,
};
pub(crate) use self::{moment::Moment, source::Place, tally::Window};
use crate::{report::units::plural, settings::finding::plain};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) places: Vec<Place>,
    pub(crate) window: Window,
    /// How many rows a table has.
    pub(crate) most: usize,
    pub(crate) form: Form,
}

/// How the report is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A page: in a file, or on standard output.
    Html(Option<PathBuf>),
    Json,
    Text,
}

/// A finished report.
#[derive(Debug)]
pub(crate) struct Report {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error, a line each.
    pub(crate) complaints: Vec<String>,
    /// Whether the system refused something.
    pub(crate) refused: bool,
}

impl Report {
    /// There is none, since its file cannot be written.
    fn unwritten(path: &Path, error: &io::Error, mut complaints: Vec<String>) -> Self {
        complaints.push(format!("{}: cannot be written: {error}", source::shown(path)));
        Self { text: String::new(), complaints, refused: true }
    }
}

/// How many damaged lines are named; the others are counted.
const NAMED: u64 = 5;

/// Reads the traces. Damage is told and never ends it.
pub(crate) fn report(request: &Request) -> Report {
    let mut notes = Notes::default();
    let mut output = None;
    if let Form::Html(Some(path)) = &request.form {
        match Output::at(path) {
            Ok(it) => output = Some(it),
            Err(error) => return Report::unwritten(path, &error, Vec::new()),
        }
    }
    let mut tally = Tally::new(request.window, request.most);
    let mut trace = Trace { files: request.places.len(), ..Trace::default() };
    let mut merge = Merge::new(&request.places, |name, left| {
        trace.files -= 1;
        notes.left(name, &left);
    });
    let progress = Progress::new(merge.size);
    let mut found = |spot: Spot<'_>, found: Found<'_>| match found {
        Found::Broken(error) => notes.broken(spot, &error),
        Found::Damaged(flaw) => notes.damaged(spot, &flaw),
        Found::Line(line) => match tally.add(&line, spot.series) {
            Ok(()) => trace.lines += 1,
            Err(flaw) => notes.damaged(spot, &flaw),
        },
        Found::Repeated(time) => {
            tally.reach(time, spot.series);
            trace.repeated += 1;
        }
        Found::Unfinished => notes.unfinished(spot),
    };
    while merge.read(&mut found) {
        progress.set(merge.passed());
    }
    progress.end();
    tally.finish();
    (trace.damaged, trace.broken) = (notes.damaged, notes.broken);
    if trace.files == 0 {
        return Report { text: String::new(), complaints: notes.lines, refused: true };
    }
    if trace.lines == 0 && trace.damaged + trace.broken > 0 {
        // Figures of nothing would look like a quiet day.
        let mut complaints = notes.finish();
        complaints.push("no line of a trace in all of this; name the file of client_trace".into());
        return Report { text: String::new(), complaints, refused: true };
    }
    let summary = Summary::new(&tally, &trace, request.most);
    let text = match &request.form {
        Form::Json => serde_json::to_string_pretty(&summary).map_or_else(
            |error| {
                debug_assert!(false, "{error}");
                String::new()
            },
            |text| text + "\n",
        ),
        Form::Html(_) => html::render(&summary),
        Form::Text => text::render(&summary, text::Look::of_terminal()),
    };
    if let (Form::Html(Some(path)), Some(output)) = (&request.form, output) {
        return match output.write(&text) {
            Ok(()) => {
                Report { text: String::new(), refused: notes.refused, complaints: notes.finish() }
            }
            Err(error) => Report::unwritten(path, &error, notes.finish()),
        };
    }
    Report { text, refused: notes.refused, complaints: notes.finish() }
}

/// What is wrong with the traces.
#[derive(Debug, Default)]
struct Notes {
    lines: Vec<String>,
    damaged: u64,
    broken: u64,
    refused: bool,
}

impl Notes {
    fn left(&mut self, name: &str, left: &Left) {
        match left {
            Left::Twice(first) if first == name => {
                self.lines.push(format!("{name}: named twice, read once"));
            }
            Left::Twice(first) => {
                self.lines.push(format!("{name}: the same file as {first}, read once"));
            }
            Left::Unreadable(error) => {
                self.refused = true;
                let cure = match error.kind() {
                    ErrorKind::NotFound => "; check its name",
                    ErrorKind::PermissionDenied => "; run this as a user who may read it",
                    _ => "",
                };
                self.lines.push(format!("{name}: cannot be read: {}{cure}", plain(error)));
            }
        }
    }

    fn broken(&mut self, spot: Spot<'_>, error: &io::Error) {
        self.broken += 1;
        let before = spot.number.saturating_sub(1);
        let name = spot.name;
        self.lines.push(match error.kind() {
            ErrorKind::UnexpectedEof => format!(
                "{name}: the compressed data end too early; counted up to there: {}",
                plural(before, "line")
            ),
            ErrorKind::InvalidData | ErrorKind::InvalidInput => format!(
                "{name}: the compressed data are damaged behind line {before} ({error}); the lines \
                 before are counted"
            ),
            _ => {
                self.refused = true;
                format!("{name}: cannot be read behind line {before}: {}", plain(error))
            }
        });
    }

    fn damaged(&mut self, spot: Spot<'_>, flaw: &str) {
        self.damaged += 1;
        if self.damaged <= NAMED {
            let Spot { name, number, .. } = spot;
            self.lines.push(format!("{name}:{number}: not a line of a trace: {flaw}"));
        }
    }

    fn unfinished(&mut self, spot: Spot<'_>) {
        let Spot { name, number, .. } = spot;
        self.lines.push(format!("{name}:{number}: the last line has no end and is left out"));
    }

    fn finish(mut self) -> Vec<String> {
        if self.damaged > NAMED {
            let more = self.damaged - NAMED;
            self.lines.push(format!("{}: not a line of a trace", plural(more, "more line")));
        }
        self.lines
    }
}

/// When a trace's lines begin or stop to count: a moment, or so long before `now`, such as `7d`.
pub(crate) fn moment(text: &str, now: Duration) -> Result<Moment, String> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        let seconds = number.parse::<u64>().ok()?.checked_mul(seconds)?;
        Some(Moment(u64::try_from(now.as_micros()).ok()?).before(seconds.saturating_mul(1_000_000)))
    };
    let epoch = || Moment::from_seconds(text.parse().ok()?);
    Moment::parse(text).or_else(ago).or_else(epoch).ok_or_else(|| {
        "not a time; write a date (2026-11-22), a time (2026-11-22T07:52:28Z), seconds since 1970, \
         or how long ago (7d, 12h, 30m)"
            .to_owned()
    })
}
