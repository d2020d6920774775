//! A TOML document read key by key, so that all of its problems are found at once.

use std::{collections::BTreeMap, fmt::Display, num::NonZeroU32, sync::Arc};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::problem::{Notes, Problem, nearest};
use crate::settings::{Place, Placed};

/// A key of a table that is read into a `T`.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    /// What its value looks like, with its unit.
    pub(super) form: &'static str,
    pub(super) unset: Unset,
    /// What it is for, in sentences.
    pub(super) meaning: &'static str,
    /// What to do about it, if only old files use it.
    pub(super) outdated: Option<Outdated>,
    pub(super) read: fn(&Item<'_>, &mut T, &mut Notes),
}

/// Why only old files use a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// It has no effect; what to do about it, as the end of a sentence that begins with its name.
    Idle(&'static str),
    /// It means the key of this name.
    Misspelling(&'static str),
}

/// The default of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// This value.
    Is(&'static str),
    /// Described by this sentence.
    Described(&'static str),
    /// Required.
    Wrong,
}

/// A text, and its name in messages.
#[derive(Clone)]
pub(super) struct Source<'a> {
    name: Arc<str>,
    text: &'a str,
    /// Whether its syntax is wrong somewhere, so that a key which seems missing may be there.
    is_broken: bool,
    /// The table to which a key belongs, for a key in a wrong table.
    section_of: fn(&str) -> Option<&'static str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        name: &'a str,
        text: &'a str,
        section_of: fn(&str) -> Option<&'static str>,
    ) -> Self {
        Self { name: name.into(), text, is_broken: false, section_of }
    }

    /// Fills `target` with what `keys` find in the text.
    pub(super) fn read<T>(mut self, keys: &[Key<T>], target: &mut T, notes: &mut Notes) {
        /// An open bracket can cause an error on every later line.
        const MOST_ERRORS: usize = 10;
        let (document, errors) = DeTable::parse_recoverable(self.text);
        let mut broken = BTreeMap::new();
        for error in errors.iter().take(MOST_ERRORS) {
            let offset = error.span().map_or(self.text.len(), |span| span.start);
            let what = format!("this is not TOML: {}", error.message().escape_debug());
            // Later errors on a line mostly follow from the first one.
            broken.entry(self.line(offset)).or_insert(self.place(offset).problem(what));
        }
        self.is_broken = !errors.is_empty();
        let root = Spanned::new(0..0, DeValue::Table(document.into_inner()));
        Item { source: &self, key: 0, value: &root }.fill(keys, target, notes);
        notes.problems.retain(|problem| match problem.place {
            Place::Text { line, .. } => !broken.contains_key(&line),
            Place::Argument { .. } | Place::File(_) | Place::Option(_) => true,
        });
        notes.problems.extend(broken.into_values());
    }

    /// Line and column of the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.before(offset);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place::Text {
            name: Arc::clone(&self.name),
            line: self.line(offset),
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.before(offset).matches('\n').count() + 1
    }

    fn before(&self, offset: usize) -> &'a str {
        self.text.get(..offset).unwrap_or(self.text)
    }
}

/// A value in a text.
pub(super) struct Item<'a> {
    source: &'a Source<'a>,
    /// Where its key starts, or the value itself where it has none.
    key: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// Fills `target` with what `keys` find in this table.
    pub(super) fn fill<T>(&self, keys: &[Key<T>], target: &mut T, notes: &mut Notes) {
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(problem) => return notes.problems.push(problem),
        };
        // The keys that unknown ones probably mean.
        let mut meant = Vec::new();
        for (name, item) in &entries {
            let Some(key) = keys.iter().find(|key| key.name == *name) else {
                let section = (self.source.section_of)(name);
                // A key of another table is no misspelling of one of this table.
                let guess = guess(name, keys).filter(|_| section.is_none());
                meant.extend(guess);
                notes.problems.push(item.key_place().problem(unknown(name, section, guess)));
                continue;
            };
            match key.outdated {
                Some(Outdated::Idle(advice)) => {
                    notes.warnings.push(item.key_place().problem(format!("`{name}` {advice}")));
                }
                Some(Outdated::Misspelling(of)) => {
                    if let Some((_, other)) = entries.iter().find(|(name, _)| *name == of) {
                        let what = format!(
                            "`{name}` is a misspelling of `{of}`, which stands at {}: \
                             remove one of them",
                            other.key_place()
                        );
                        notes.problems.push(item.key_place().problem(what));
                        continue;
                    }
                    let what = format!("`{name}` is a misspelling: write `{of}`");
                    notes.warnings.push(item.key_place().problem(what));
                }
                None => {}
            }
            (key.read)(item, target, notes);
        }
        for key in keys.iter().filter(|key| key.unset == Unset::Wrong && !self.source.is_broken) {
            let is_there = entries.iter().any(|(name, _)| key.name == *name);
            if !is_there && !meant.contains(&key.name) {
                let what = format!("`{}` is missing ({})", key.name, key.form);
                notes.problems.push(self.key_place().problem(what));
            }
        }
    }

    /// The keys and values of a table, as they follow in the text.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Item<'a>)>, Problem> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.unlike("a table"));
        };
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let item = Item { source: self.source, key: key.span().start, value };
            (key.get_ref().as_ref(), item)
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|(_, item)| item.key);
        Ok(entries)
    }

    /// The values of an array.
    pub(super) fn items(&self) -> Result<Vec<Item<'a>>, Problem> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return Err(self.unlike("an array"));
        };
        let item = |value: &'a Spanned<DeValue<'a>>| Item {
            source: self.source,
            key: value.span().start,
            value,
        };
        Ok(array.iter().map(item).collect())
    }

    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.unlike("true or false")),
        }
    }

    /// Where this is switched on, if it is.
    pub(super) fn switch(&self) -> Result<Option<Place>, Problem> {
        Ok(self.boolean()?.then(|| self.place()))
    }

    /// What was read here, and where.
    pub(super) fn placed<T>(&self, read: Result<T, Problem>) -> Result<Placed<T>, Problem> {
        read.map(|value| Placed::at(self.place(), value))
    }

    /// The string's value, by `parse`.
    pub(super) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Problem> {
        match self.value.get_ref() {
            DeValue::String(text) => parse(text).map_err(|what| self.wrong(what)),
            _ => Err(self.unlike("a string")),
        }
    }

    /// A number from `least` to `most`.
    pub(super) fn number<T>(&self, least: T, most: T) -> Result<T, Problem>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let DeValue::Integer(digits) = self.value.get_ref() else {
            return Err(self.unlike("a whole number"));
        };
        let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) if least <= number && number <= most => Ok(number),
            _ => Err(self.wrong(format!("{digits} is not between {least} and {most}"))),
        }
    }

    /// A limit of at most `most`; 0 means no limit.
    pub(super) fn cap(&self, most: u32) -> Result<Option<NonZeroU32>, Problem> {
        self.number(0, most).map(NonZeroU32::new)
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_string(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn key_place(&self) -> Place {
        self.source.place(self.key)
    }

    pub(super) fn place(&self) -> Place {
        self.source.place(self.value.span().start)
    }

    /// Says what is wrong with the value.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Problem {
        self.place().problem(what)
    }

    /// Says that the value should be something else.
    pub(super) fn unlike(&self, wanted: &str) -> Problem {
        let found = match self.value.get_ref() {
            DeValue::Array(_) => "an array",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Integer(_) => "a whole number",
            DeValue::String(_) => "a string",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("this must be {wanted}, but it is {found}"))
    }
}

/// The key that `name` probably means.
fn guess<T>(name: &str, keys: &[Key<T>]) -> Option<&'static str> {
    let current = keys.iter().filter(|key| key.outdated.is_none()).map(|key| key.name);
    nearest(name, current)
}

fn unknown(name: &str, section: Option<&str>, guess: Option<&str>) -> String {
    let advice = match (section, guess) {
        (Some(section), _) => format!("; it belongs {section}"),
        (None, Some(guess)) => format!("; did you mean `{guess}`?"),
        (None, None) => "; see tarpitd --manual tarpitd.toml.5".to_owned(),
    };
    format!("unknown key `{}`{advice}", name.escape_debug())
}
