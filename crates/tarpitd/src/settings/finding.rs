//! Findings: what prevents a start, or what its owner should know, one line each.

use std::{fmt, io};

use super::Place;

/// A finding about a configuration on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) gravity: Gravity,
    /// Where in the configuration the cause stands.
    place: Option<Place>,
    /// The problem, and what to do.
    what: String,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// Nothing. The owner may want to know it.
    Note,
    /// The system refuses something.
    Refused,
    /// The system refuses it to this user, but perhaps not to one with more rights.
    Rights,
    /// Nothing is refused, but the owner should look at it.
    Warning,
    /// The configuration is wrong.
    Wrong,
}

impl Gravity {
    /// A refusal by the system, with `error`.
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

    /// Whether it prevents a start.
    pub(crate) fn is_refusal(&self) -> bool {
        match self.gravity {
            Gravity::Note | Gravity::Warning => false,
            Gravity::Refused | Gravity::Rights | Gravity::Wrong => true,
        }
    }

    /// The line for a reader who sees no level: it begins with `warning:` or `note:` if it is one.
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

/// Sorts findings by their place in the text, and leaves out repetitions.
pub(crate) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    fn order(finding: &Finding) -> (bool, Option<&Place>, &str) {
        (finding.place.is_none(), finding.place.as_ref(), &finding.what)
    }
    findings.sort_by(|one, other| order(one).cmp(&order(other)));
    findings.dedup();
    // Errors come first: a warning about the same place would distract from them.
    let refused: Vec<_> =
        findings.iter().filter(|it| it.is_refusal()).filter_map(|it| it.place.clone()).collect();
    let is_moot = |finding: &Finding| {
        let place = finding.place.as_ref();
        finding.gravity == Gravity::Warning && place.is_some_and(|place| refused.contains(place))
    };
    findings.retain(|finding| !is_moot(finding));
    findings
}

/// The system's message, without the number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
