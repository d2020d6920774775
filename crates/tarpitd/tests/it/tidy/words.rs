//! Words that no identifier may contain: the field has a term for each.

use super::files;

/// The retired words.
const RETIRED: [&str; 16] = [
    "berth", "desk", "door", "ears", "errand", "knock", "laden", "lean", "means", "meeting",
    "parcel", "prick", "purse", "strain", "utter", "whoever",
];

/// Puts spaces in the place of all comments, and of what stands between quotes, in Rust's code.
fn without_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest, '"'),
            // A lifetime ends with no quote.
            '\'' if rest[1..].starts_with('\\') => quoted(rest, '\''),
            '\'' => match rest[1..].chars().next() {
                Some(letter) if rest[1 + letter.len_utf8()..].starts_with('\'') => {
                    2 + letter.len_utf8()
                }
                _ => 0,
            },
            'r' if !code.ends_with(is_of_word) || code.ends_with('b') => raw(rest),
            _ => 0,
        };
        match length {
            0 => code.push(first),
            _ => code.extend(rest[..length].chars().map(|it| if it == '\n' { it } else { ' ' })),
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    code
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// How long a literal is that begins here and ends with `quote`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// How long a raw string is that begins here; 0 if there is none.
fn raw(text: &str) -> usize {
    let fence: String = text[1..].chars().take_while(|&letter| letter == '#').collect();
    let inner = 1 + fence.len();
    if !text[inner..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{fence}");
    text[inner + 1..].find(&end).map_or(text.len(), |place| inner + 1 + place + end.len())
}

/// The words of an identifier, in lower case.
fn words(identifier: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    for letter in identifier.chars() {
        if letter == '_' {
            begins = true;
            continue;
        }
        if begins || letter.is_uppercase() && words.last().is_some_and(|word| !is_capital(word)) {
            words.push(String::new());
        }
        begins = false;
        words.last_mut().expect("one has begun").push(letter);
    }
    words.iter().map(|word| word.to_lowercase()).collect()
}

fn is_capital(word: &str) -> bool {
    word.chars().all(char::is_uppercase)
}

/// Each line of a source whose code has a retired word in an identifier.
fn retired(path: &str, text: &str) -> Vec<String> {
    let is_retired =
        |word: &String| RETIRED.contains(&&**word) || RETIRED.contains(&word.trim_end_matches('s'));
    let mut found = Vec::new();
    for (line, code) in (1..).zip(without_prose(text).lines()) {
        for identifier in code.split(|letter| !is_of_word(letter)) {
            if let Some(word) = words(identifier).iter().find(|word| is_retired(word)) {
                found.push(format!("{path}:{line}: {identifier}: {word} is a retired word"));
            }
        }
    }
    found
}

#[test]
fn no_identifier_has_a_retired_word() {
    let found: Vec<_> =
        files(&[".rs"]).iter().flat_map(|(path, text)| retired(path, text)).collect();
    assert!(found.is_empty(), "the glossary of ARCHITECTURE.md has a term: {found:#?}");
}

/// Sources of randomness besides `os/entropy.rs`, which ends the process where the kernel refuses.
const SOURCES: [&str; 4] = ["OsRng", "RandomState", "getrandom", "thread_rng"];

/// Each line of a source that draws randomness for itself. The standard library's maps do, under a
/// key of their own.
fn draws(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in (1..).zip(without_prose(text).lines()) {
        let mut names = code.split(|letter| !is_of_word(letter));
        let is_map = |map: &str| {
            let (new, path) = (format!("{map}::new("), format!("collections::{map}"));
            code.contains(&new) || code.contains(&path)
        };
        let lists = code.contains("collections::{") && code.contains("Hash");
        if names.any(|name| SOURCES.contains(&name))
            || is_map("HashMap")
            || is_map("HashSet")
            || lists
        {
            found.push(format!("{path}:{line}: {}", code.trim()));
        }
    }
    found
}

#[test]
fn randomness_is_drawn_in_one_file() {
    let mut found = Vec::new();
    for (path, text) in files(&[".rs"]) {
        if path.starts_with("crates/tarpitd/src/") && path != "crates/tarpitd/src/os/entropy.rs" {
            found.extend(draws(&path, &text));
        }
    }
    assert!(found.is_empty(), "take it from os/entropy.rs: {found:#?}");
}

#[test]
fn each_source_of_randomness_is_found() {
    for code in [
        "use std::hash::RandomState;",
        "let key = rand::thread_rng();",
        "use rustix::rand::getrandom;",
        "let map = HashMap::new();",
        "use std::collections::HashSet;",
        "    collections::{HashMap, VecDeque},",
    ] {
        assert_eq!(draws("a.rs", code).len(), 1, "{code}");
    }
    for code in ["use crate::os::entropy::HashMap;", "// RandomState", "HashMap::default()"] {
        assert!(draws("a.rs", code).is_empty(), "{code}");
    }
}

#[test]
fn a_retired_word_is_found_in_code_and_nowhere_else() {
    let is_found = |code| !retired("a.rs", code).is_empty();
    for code in [
        "fn the_doors() {}",
        "struct DoorOpener;",
        "enum Lost { TheDoor }",
        "const DOOR: u8 = 1;",
        "let x = \"a\\\"\"; let door = 'd';",
        "fn f<'a>(door: &'a str) {}",
        "let quote = '\"'; door(\"\");",
        "let raw = r#\"\"\"#; door();",
    ] {
        assert!(is_found(code), "{code}");
    }
    for code in [
        "// A door.",
        "/* A door. */ let outdoors = 1;",
        "let text = \"a \\\" door\";",
        "let text = r#\"a \" door\"#;",
        "let text = b\"\\\\\"; let other = \"door\";",
        "let gleaned = clean;",
    ] {
        assert!(!is_found(code), "{code}");
    }
}
