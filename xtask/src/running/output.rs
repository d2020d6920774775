//! The end of what a program printed, for a message that says why something failed.

use std::fs;
use std::path::Path;

/// The last lines of a file, indented; of a file that cannot be read, none.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    if last.is_empty() {
        return "    (nothing printed)".to_owned();
    }
    // What a client prints may be what a server told it: no control character reaches a terminal.
    last.iter().map(|line| format!("    {}", printable(line))).collect::<Vec<_>>().join("\n")
}

/// The text without anything that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_file_that_is_not_there_says_so() {
        assert_eq!(tail(Path::new("/nonexistent"), 3), "    (nothing printed)");
    }
}
