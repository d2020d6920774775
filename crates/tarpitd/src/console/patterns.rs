//! The list of patterns, for people and for programs, and the pattern for each port.

use std::fmt::Write as _;

use tarpit_proto::{
    patterns::{self, Recommendation},
    script::Pattern,
};

/// Which pattern to serve on which port, then all of them: name, protocol and what each does, one
/// line each.
pub(crate) fn table() -> String {
    let mut text = String::from("Which pattern for which port?\n\n");
    let recommended = patterns::recommended();
    let ports: Vec<_> = recommended.iter().map(ports).collect();
    let wide = ports.iter().map(String::len).max().unwrap_or(0);
    let width = patterns::ALL.iter().map(|pattern| pattern.name().len()).max().unwrap_or(0);
    for (recommendation, ports) in recommended.iter().zip(ports) {
        let Recommendation { service, pattern, reason, .. } = recommendation;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {ports:wide$}  {service:<6}  {:<13}  {reason}", pattern.name());
    }
    text += "\nAll patterns, with their other names:\n\n";
    for pattern in patterns::by_name() {
        let protocol = pattern.protocol().map_or("any", |protocol| protocol.name);
        let names: Vec<_> = patterns::other_names(pattern).collect();
        let also = match &names[..] {
            [] => String::new(),
            names => format!(" (also: {})", names.join(", ")),
        };
        // As above.
        let _ = writeln!(
            text,
            "  {:width$}  {protocol:<6}  {}{also}",
            pattern.name(),
            pattern.about().summary
        );
    }
    text
}

/// The ports of a recommendation, as the documents have them.
pub(crate) fn ports(recommendation: &Recommendation) -> String {
    match recommendation.ports {
        [] => "any other".to_owned(),
        ports => ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// An array of objects with `name`, `aliases`, `protocol` (null where any will do), `ports` (those
/// that it is recommended for) and `summary`.
pub(crate) fn json() -> String {
    let object = |pattern: &&'static dyn Pattern| {
        let recommended = patterns::recommended();
        let recommended = recommended.iter().filter(|it| it.pattern.name() == pattern.name());
        serde_json::json!({
            "name": pattern.name(),
            "aliases": patterns::other_names(*pattern).collect::<Vec<_>>(),
            "protocol": pattern.protocol().map(|protocol| protocol.name),
            "ports": recommended.flat_map(|it| it.ports).collect::<Vec<_>>(),
            "summary": pattern.about().summary,
        })
    };
    let array: serde_json::Value = patterns::by_name().iter().map(object).collect();
    format!("{array:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_list_every_pattern() {
        let list: serde_json::Value = serde_json::from_str(&json()).unwrap();
        let names = list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap());
        let wanted: Vec<_> = patterns::by_name().iter().map(|pattern| pattern.name()).collect();
        assert_eq!(names.collect::<Vec<_>>(), wanted);
        let table = table();
        let (_, list) = table.split_once("All patterns").unwrap();
        let words = list.lines().skip(2).map(|line| line.split_whitespace().next().unwrap());
        assert_eq!(words.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn other_names_and_ports_are_listed_in_both_forms() {
        let table = table();
        let line = |start: &str| table.lines().find(|line| line.trim_start().starts_with(start));
        assert!(line("endlessh ").is_some_and(|line| line.ends_with("(also: misc_endlessh)")));
        assert!(line("22, 2222 ").is_some_and(|line| line.contains(" ssh_auth_hold ")));
        let list: serde_json::Value = serde_json::from_str(&json()).unwrap();
        let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == "ssh_auth_hold");
        let entry = entry.unwrap();
        assert_eq!(entry["aliases"], serde_json::json!(["ssh"]));
        assert_eq!(entry["ports"], serde_json::json!([22, 2222]));
    }
}
