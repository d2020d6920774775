//! The tree itself: what a reader may expect of every file.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// All files of the tree with one of these endings, but for what builds leave behind.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let (root, mut found, mut folders) = (root(), Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "dist", "corpus", "artifacts"].contains(&&*name) {
                if !name.starts_with('.') || name == ".ci" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path.strip_prefix(&root).expect("within").display().to_string();
                found.push((relative, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn every_source_says_first_what_it_is_for() {
    for (path, text) in files(&[".rs"]) {
        let starts = text.starts_with("//! ") || path.starts_with("fuzz/fuzz_targets");
        assert!(starts, "{path} does not begin with a sentence on itself");
        assert!(text.lines().count() <= 900, "{path} has become too long to be read");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not find itself.
    for (start, end) in [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("#[ign", "ore"), ("todo", "!(")]
    {
        let word = format!("{start}{end}");
        for (path, text) in files(&[".rs", ".toml", ".md"]) {
            assert!(!text.contains(&word), "{path} contains {word}");
        }
    }
}

#[test]
fn the_registry_is_in_alphabetical_order() {
    let names: Vec<_> = tarpit_proto::patterns::ALL.iter().map(|pattern| pattern.name()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn every_dependency_has_its_reason_beside_it_and_in_the_architecture() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    for (path, text) in files(&["Cargo.toml"]) {
        if !path.starts_with("crates/") {
            continue;
        }
        let mut within = false;
        let mut before = "";
        for line in text.lines() {
            if line.starts_with('[') {
                within = line.contains("dependencies");
            } else if let Some((name, _)) = line.split_once(" = ").filter(|_| within)
                && name != "tarpit-proto"
            {
                // A line may speak for two that belong together.
                let told = before.starts_with('#') || before.contains(" = ");
                assert!(told, "{path}: {name} has no line of why");
                assert!(architecture.contains(name), "ARCHITECTURE.md does not name {name}");
            }
            before = line;
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in files(&[".md"]) {
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let target = link.0.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                assert!(folder.join(target).exists(), "{path} links to {target}");
            }
        }
    }
}

/// The floors of the daemon, from the top down; what stands in one line shares a floor.
const FLOORS: &[&[&str]] = &[
    &["main", "cli", "console", "manual", "documents", "blocks"],
    &["daemon"],
    &["worker"],
    &["admit"],
    &["report"],
    &["keys"],
    &["config"],
    &["os", "slab"],
];

/// The modules at the top of the crate that code names after `crate::`.
fn named(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (start, path) in code.match_indices("crate::") {
        // In braces each path of the outermost level has a beginning of its own.
        let (mut depth, mut begins, mut word) = (0, true, String::new());
        for letter in code[start + path.len()..].chars() {
            match letter {
                _ if begins && (letter.is_ascii_alphanumeric() || letter == '_') => {
                    word.push(letter);
                    continue;
                }
                _ if letter.is_whitespace() && word.is_empty() => continue,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                _ => {}
            }
            if !word.is_empty() {
                begins = letter == ',' && depth == 1;
                all.push(std::mem::take(&mut word));
            }
            if depth <= 0 {
                break;
            }
        }
    }
    all
}

#[test]
fn nothing_runs_back_up_from_one_floor_to_another() {
    let floor_of = |name: &str| FLOORS.iter().position(|names| names.contains(&name));
    let mut wrong = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let Some(within) = path.strip_prefix("crates/tarpitd/src/") else { continue };
        let own = within.split(['/', '.']).next().expect("a name");
        let floor = floor_of(own).unwrap_or_else(|| panic!("{path} stands on no floor"));
        let mut code = String::new();
        for line in text.lines() {
            code += line.split("//").next().unwrap_or_default();
            code.push('\n');
        }
        for name in named(&code).into_iter().filter(|name| *name != own) {
            match floor_of(&name) {
                Some(other) if other >= floor => {}
                Some(_) => wrong.push(format!("{path} knows {name}, which is above it")),
                None => wrong.push(format!("{path} names {name}, which stands on no floor")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_path_is_found_in_a_list_and_in_code() {
    assert_eq!(named("use crate::os::sys;"), ["os"]);
    let list = "use crate::{\n    cli,\n    os::{a, b},\n    report::c,\n};\nlet x = 1;";
    assert_eq!(named(list), ["cli", "os", "report"]);
    assert_eq!(named("fn f(x: crate::config::Sink) {}"), ["config"]);
}
