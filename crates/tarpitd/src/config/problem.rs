//! Errors in a configuration: one line each for its author.

use std::fmt;

use crate::settings::{
    Place,
    finding::{Finding, Gravity},
};

/// An error in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    /// What is wrong and what to do about it.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl From<Problem> for Finding {
    fn from(Problem { place, what }: Problem) -> Self {
        Self::new(Gravity::Wrong, Some(&place), what)
    }
}

impl Problem {
    /// The problem as a warning.
    pub(super) fn warning(self) -> Finding {
        Finding::new(Gravity::Warning, Some(&self.place), self.what)
    }
}

impl Place {
    /// Says what is wrong here.
    pub(super) fn problem(&self, what: impl Into<String>) -> Problem {
        Problem { place: self.clone(), what: what.into() }
    }
}

/// Errors and warnings found while reading.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) problems: Vec<Problem>,
    /// Warnings.
    pub(super) warnings: Vec<Problem>,
}

impl Notes {
    /// Puts the value into `field`, or notes its error.
    pub(super) fn keep<T>(&mut self, field: &mut T, read: Result<T, Problem>) {
        match read {
            Ok(value) => *field = value,
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// The name most similar to `word`, if any is similar.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two words have little in common. Found by trying misspellings of our own names.
    const ALIKE: f64 = 0.7;
    let word = word.to_lowercase();
    // With three letters one slip changes so much that the similarity misses it: `shs` for `ssh`.
    let is_slip = |name: &str| word.len() > 1 && strsim::osa_distance(&word, name) == 1;
    names
        .map(|name| (name, is_slip(name), strsim::jaro_winkler(&word, name)))
        .filter(|&(_, is_slip, likeness)| is_slip || likeness > ALIKE)
        .max_by(|(_, one, like), (_, other, likes)| one.cmp(other).then(like.total_cmp(likes)))
        .map(|(name, ..)| name)
}
