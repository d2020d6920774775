//! Findings: what prevents a start, or what its owner should know, one line each.

use std::{fmt, io};

use super::Place;

/// Something that was found out about a configuration on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) gravity: Gravity,
    /// Where in the configuration the cause stands.
    place: Option<Place>,
    /// What it is, and what to do about it.
    what: String,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// Nothing; it is good to know.
    Note,
    /// The system refuses something.
    Refused,
    /// The system refuses it to this user; one with more rights may have it.
    Rights,
    /// Nothing is refused, but the owner should look at it.
    Warning,
    /// What is written cannot be meant.
    Wrong,
}

impl Gravity {
    /// Of what the system refuses with `error`.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Rights,
            _ => Self::Refused,
        }
    }
}

impl Finding {
    pub(crate) fn new(gravity: Gravity, place: Option<&Place>, what: impl Into<String>) -> Self {
        Self { gravity, place: place.cloned(), what: what.into() }
    }

    /// Whether nothing can be served with it.
    pub(crate) fn is_refusal(&self) -> bool {
        match self.gravity {
            Gravity::Note | Gravity::Warning => false,
            Gravity::Refused | Gravity::Rights | Gravity::Wrong => true,
        }
    }

    /// The line for a reader who sees no level: a warning says that it is one.
    pub(crate) fn labelled(&self) -> String {
        let label = if self.gravity == Gravity::Warning { "warning: " } else { "" };
        self.line(label)
    }

    fn line(&self, label: &str) -> String {
        let label = if self.gravity == Gravity::Note { "note: " } else { label };
        match &self.place {
            Some(place) => format!("{place}: {label}{}", self.what),
            None => format!("{label}{}", self.what),
        }
    }

    /// Whether the line begins with the place in the configuration.
    pub(crate) fn is_placed(&self) -> bool {
        self.place.is_some()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(""))
    }
}

/// Brings findings into the order of the text, and leaves out those that say the same.
pub(crate) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    fn order(finding: &Finding) -> (bool, Option<&Place>, &str) {
        (finding.place.is_none(), finding.place.as_ref(), &finding.what)
    }
    findings.sort_by(|one, other| order(one).cmp(&order(other)));
    findings.dedup();
    // What is refused is mended first: a warning about the same place would lead elsewhere.
    let refused: Vec<_> =
        findings.iter().filter(|it| it.is_refusal()).filter_map(|it| it.place.clone()).collect();
    let is_moot = |finding: &Finding| {
        let place = finding.place.as_ref();
        finding.gravity == Gravity::Warning && place.is_some_and(|place| refused.contains(place))
    };
    findings.retain(|finding| !is_moot(finding));
    findings
}

/// The words of the system, without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
