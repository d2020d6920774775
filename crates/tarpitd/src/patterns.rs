//! The list of patterns, for people and for programs.

use tarpit_proto::{identify::Protocol, patterns};

/// One line each: name, protocol and what it does.
pub(crate) fn table() -> String {
    let width = patterns::ALL.iter().map(|pattern| pattern.name().len()).max().unwrap_or(0);
    let line = |pattern: &&dyn tarpit_proto::script::Pattern| {
        let protocol = pattern.protocol().map_or("any", Protocol::name);
        format!("{:width$}  {protocol:<6}  {}\n", pattern.name(), pattern.summary())
    };
    patterns::ALL.iter().map(line).collect()
}

/// An array of objects with `name`, `protocol` (null where any will do) and `summary`.
pub(crate) fn json() -> String {
    let object = |pattern: &&dyn tarpit_proto::script::Pattern| {
        serde_json::json!({
            "name": pattern.name(),
            "protocol": pattern.protocol().map(Protocol::name),
            "summary": pattern.summary(),
        })
    };
    let array: serde_json::Value = patterns::ALL.iter().map(object).collect();
    format!("{array:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_list_every_pattern() {
        let list: serde_json::Value = serde_json::from_str(&json()).unwrap();
        let names = list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap());
        let wanted: Vec<_> = patterns::ALL.iter().map(|pattern| pattern.name()).collect();
        assert_eq!(names.collect::<Vec<_>>(), wanted);
        let table = table();
        let words = table.lines().map(|line| line.split(' ').next().unwrap());
        assert_eq!(words.collect::<Vec<_>>(), wanted);
    }
}
