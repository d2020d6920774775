//! A place in the configuration, for messages that name it.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};

/// Where something is written. The order is that of reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In a value of the option `-s`.
    Argument { index: usize, value: String },
    /// In a file as a whole.
    File(PathBuf),
    /// In an option of the command line, as a user types it.
    Option(String),
    /// In a text; line and column count from 1, columns in characters.
    Text { name: Arc<str>, line: usize, column: usize },
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

/// A value and its place; `None` for a default. Two of them are equal if their values are.
#[derive(Clone, Default)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Option<Place>,
}

impl<T> Placed<T> {
    /// A value that is written at `place`.
    pub(crate) fn at(place: Place, value: T) -> Self {
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
