//! What the daemon's own trace says about the clients that it held.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// What one tarpit saw.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// How many connections were made to it.
    pub(crate) connections: u64,
    /// How many bytes they cost us.
    pub(crate) sent: u64,
    /// How many of them said something.
    pub(crate) spoke: u64,
    /// How long those stood, one after the other.
    pub(crate) stood: Duration,
    /// The one of them that stood for the shortest time.
    pub(crate) shortest: Option<Duration>,
}

/// Reads the trace of a daemon that has stopped, by the tarpits' names.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Seen>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the trace {}", path.display()))?;
    sum(&text).with_context(|| format!("cannot understand the trace {}", path.display()))
}

fn sum(text: &str) -> Result<BTreeMap<String, Seen>> {
    let mut tarpits: BTreeMap<String, Seen> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let event: Value =
            serde_json::from_str(line).with_context(|| format!("line {} is no JSON", index + 1))?;
        // A close line is the last of its connection and carries the sums.
        if event["event"] != "close" {
            continue;
        }
        let name = event["name"].as_str().unwrap_or_default();
        let seen = tarpits.entry(name.to_owned()).or_default();
        seen.connections += 1;
        seen.sent += event["sent"].as_u64().unwrap_or_default();
        if event["received"].as_u64().is_some_and(|received| received > 0) {
            seen.spoke += 1;
            let stood = Duration::from_secs_f64(event["duration"].as_f64().unwrap_or_default());
            seen.stood += stood;
            seen.shortest = Some(seen.shortest.map_or(stood, |shortest| shortest.min(stood)));
        }
    }
    Ok(tarpits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_once_each_by_their_close_lines() {
        let text = concat!(
            r#"{"time": 1.0, "event": "open", "name": "a", "meta": null}"#,
            "\n",
            r#"{"time": 2.0, "event": "close", "name": "a", "meta": {}, "sent": 7}"#,
            "\n\n",
            r#"{"event": "close", "name": "a", "sent": 5, "received": 9, "duration": 4.5}"#,
            "\n",
        );
        let seen = sum(text).unwrap();
        let stood = Duration::from_millis(4_500);
        let wanted = Seen { connections: 2, sent: 12, spoke: 1, stood, shortest: Some(stood) };
        assert_eq!(seen["a"], wanted);
    }

    #[test]
    fn a_line_that_is_cut_is_named() {
        let error = sum("{}\n{\"event\": \"clo").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is no JSON");
    }
}
