//! The fields of a line in a foreign JSON format.

use serde_json::{Map, Value};

use super::quote::harmless;

/// Fields by their names, where a dot leads into an object.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Sets the field called `name`.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let (mut object, mut rest) = (&mut self.0, name);
        while let Some((first, others)) = rest.split_once('.') {
            let inner = object.entry(first).or_insert_with(|| Value::Object(Map::new()));
            // No name of a field is also that of an object.
            let Value::Object(inner) = inner else { return };
            (object, rest) = (inner, others);
        }
        object.insert(rest.to_owned(), value.into());
    }

    /// Appends them to `out`, as a line.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let line = Value::Object(self.0).to_string();
        out.extend_from_slice(harmless(&line).as_bytes());
        out.push(b'\n');
    }
}
