//! What is wrong with a configuration, and where.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};

/// Something that keeps a configuration from being used: one line for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    /// What is wrong and what to do about it.
    pub(crate) what: String,
}

/// Where something stands. In the order of reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In a value of the option `-s`.
    Argument { index: usize, value: String },
    /// In a file as a whole.
    File(PathBuf),
    /// In an option of the command line, as it would be typed.
    Option(String),
    /// In a text; line and column count from 1, columns in characters.
    Text { name: Arc<str>, line: usize, column: usize },
}

/// A value, and where it is written; nowhere if nobody has written it. Two of them are equal if
/// their values are.
#[derive(Clone, Default)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Option<Place>,
}

impl<T> Placed<T> {
    /// A value that is written at `place`.
    pub(super) fn at(place: Place, value: T) -> Self {
        Self { value, place: Some(place) }
    }
}

impl<T> From<T> for Placed<T> {
    fn from(value: T) -> Self {
        Self { value, place: None }
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Placed<T> {}

impl<T: Hash> Hash for Placed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl Place {
    /// Says what is wrong here.
    pub(crate) fn problem(&self, what: impl Into<String>) -> Problem {
        Problem { place: self.clone(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { value, .. } => write!(f, "-s {}", value.escape_debug()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Option(option) => write!(f, "{}", option.escape_debug()),
            Self::Text { name, line, column } => write!(f, "{name}:{line}:{column}"),
        }
    }
}

/// What was noticed while reading.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) problems: Vec<Problem>,
    /// Problems that keep nothing from working.
    pub(super) warnings: Vec<Problem>,
}

impl Notes {
    /// Puts what was read into `field`, or notes why it could not be read.
    pub(super) fn keep<T>(&mut self, field: &mut T, read: Result<T, Problem>) {
        match read {
            Ok(value) => *field = value,
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// The name most like `word`, if any is like it.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below it two words have little in common; found by trying misspellings of our own names.
    const ALIKE: f64 = 0.7;
    let word = word.to_lowercase();
    names
        .map(|name| (name, strsim::jaro_winkler(&word, name)))
        .filter(|&(_, likeness)| likeness > ALIKE)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(name, _)| name)
}
