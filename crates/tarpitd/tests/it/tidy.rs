//! The tree itself: what a reader may expect of every file.

mod words;

use std::{
    fmt, fs,
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

/// The floors of one crate, from the top down; what stands in one line shares a floor.
type Floors = &'static [&'static [&'static str]];

/// The daemon's.
const DAEMON: Floors = &[
    &["main", "cli", "analysis", "console", "manual", "documents", "generated", "blocks"],
    &["daemon"],
    &["admin"],
    &["worker"],
    &["admit"],
    &["report"],
    &["keys"],
    &["config"],
    &["settings"],
    &["mmdb", "os", "require", "slab"],
];

/// The core's. A macro stands at the top of the crate, and so beside the folder of its file here.
const CORE: Floors = &[
    &["lib", "fuzzing"],
    &["driver"],
    &["session"],
    &["account", "auto", "patterns", "pins", "validate"],
    &["protocols"],
    &["transport"],
    &["script", "phases"],
    &["persona"],
    &["wire"],
    &["base", "states"],
];

/// The chores'.
const XTASK: Floors =
    &[&["main"], &["chores"], &["rows"], &["client"], &["running"], &["base", "made_trace"]];

/// A place in code that names something by its path from the top of the crate, or by climbing to it.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    /// Counted from 1.
    line: usize,
    /// The module at the top of the crate.
    name: String,
}

/// Where paths from the top of the crate begin in code that stands `depth` modules below it: behind
/// `crate::`, and behind as many `super::` as lead there.
fn beginnings(code: &str, depth: usize) -> Vec<usize> {
    let is_within_word = |before: &str| {
        before.ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let crates =
        code.match_indices("crate::").filter(|(start, _)| !is_within_word(&code[..*start]));
    let mut all: Vec<_> = crates.map(|(start, path)| start + path.len()).collect();
    let mut from = 0;
    while let Some(start) = code[from..].find("super::").map(|found| from + found) {
        let steps = code[start..].split("super::").take_while(|between| between.is_empty()).count();
        from = start + steps * "super::".len();
        // A module that is written out within the file is one more.
        let own = match code[..start].rfind("\nmod ") {
            Some(module) if !code[module + 1..start].contains("\n}") => depth + 1,
            _ => depth,
        };
        if steps == own {
            all.push(from);
        }
    }
    all
}

/// The modules at the top of the crate that `code` names in a list of imports or in a path.
fn named(code: &str, depth: usize) -> Vec<Named> {
    let mut all = Vec::new();
    let bare: String =
        code.lines().flat_map(|line| [line.split("//").next().unwrap_or_default(), "\n"]).collect();
    for start in beginnings(&bare, depth) {
        // In braces each path of the outermost level has a beginning of its own.
        let (mut nesting, mut begins, mut name) = (0, true, String::new());
        for (place, letter) in bare[start..].char_indices() {
            match letter {
                _ if begins && (letter.is_ascii_alphanumeric() || letter == '_') => {
                    name.push(letter);
                    continue;
                }
                _ if letter.is_whitespace() && name.is_empty() => continue,
                '{' => nesting += 1,
                '}' => nesting -= 1,
                ',' if nesting == 1 => begins = true,
                _ => {}
            }
            if !name.is_empty() {
                begins = letter == ',' && nesting == 1;
                let before = &bare[..start + place - name.len()];
                let line = before.matches('\n').count() + 1;
                all.push(Named { line, name: std::mem::take(&mut name) });
            }
            if nesting <= 0 {
                break;
            }
        }
    }
    all
}

/// How many modules a file stands below the top of its crate.
fn depth(within: &str) -> usize {
    let above = within.matches('/').count();
    match within {
        "main.rs" | "lib.rs" => 0,
        _ if within.ends_with("/mod.rs") => above,
        _ => above + 1,
    }
}

/// A line of code that names something by its path from the top of the crate.
struct Arrow {
    path: String,
    line: usize,
    code: String,
    /// The modules at the top of the crate.
    from: String,
    to: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, code, to, .. } = self;
        write!(f, "{path}:{line}: `{code}`: {to}")
    }
}

/// The sources in `folder`, each with the module at the top of the crate that it belongs to.
fn sources(folder: &str) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let Some(within) = path.strip_prefix(folder) else { continue };
        let own = within.split(['/', '.']).next().expect("a name").to_owned();
        all.push((path, own, text));
    }
    all
}

/// All arrows of the crate whose sources are in `folder`.
fn arrows(folder: &str) -> Vec<Arrow> {
    let mut all = Vec::new();
    for (path, from, text) in sources(folder) {
        for Named { line, name: to } in named(&text, depth(&path[folder.len()..])) {
            let code = text.lines().nth(line - 1).expect("a line").trim().to_owned();
            all.push(Arrow { path: path.clone(), line, code, from: from.clone(), to });
        }
    }
    all
}

/// Each line of the crate whose sources are in `folder` that names something above its floor.
fn arrows_up(folder: &str, floors: Floors) -> Vec<String> {
    let floor_of = |name: &str| floors.iter().position(|names| names.contains(&name));
    let mut wrong = Vec::new();
    for (path, own, _) in sources(folder) {
        if floor_of(&own).is_none() {
            wrong.push(format!("{path} stands on no floor"));
        }
    }
    for arrow in arrows(folder) {
        match floor_of(&arrow.to) {
            Some(other) if floor_of(&arrow.from).is_none_or(|own| other >= own) => {}
            Some(_) => wrong.push(format!("{arrow} is above it")),
            // What `super` climbs to may be an item of the crate itself, such as a macro.
            None if arrow.to.starts_with(char::is_uppercase) => {}
            None => wrong.push(format!("{arrow} is on no floor")),
        }
    }
    wrong
}

#[test]
fn nothing_runs_back_up_from_one_floor_to_another() {
    let mut wrong = arrows_up("crates/tarpitd/src/", DAEMON);
    wrong.extend(arrows_up("crates/tarpit-proto/src/", CORE));
    wrong.extend(arrows_up("xtask/src/", XTASK));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn reports_know_settings_and_the_system_only() {
    // The last one is for tests only.
    let known = ["report", "settings", "os", "mmdb"];
    let wrong: Vec<_> = arrows("crates/tarpitd/src/")
        .into_iter()
        .filter(|arrow| arrow.from == "report" && !known.contains(&&*arrow.to))
        .map(|arrow| arrow.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn workers_stand_below_the_daemon() {
    let floor_of = |name| DAEMON.iter().position(|names| names.contains(&name));
    assert!(floor_of("worker") > floor_of("daemon"), "no worker may import the daemon");
}

#[test]
fn a_path_is_found_in_a_list_and_in_code_with_its_line() {
    let found = |code, depth| -> Vec<(usize, String)> {
        named(code, depth).into_iter().map(|Named { line, name }| (line, name)).collect()
    };
    let owned = |all: &[(usize, &str)]| -> Vec<(usize, String)> {
        all.iter().map(|&(line, name)| (line, name.to_owned())).collect()
    };
    assert_eq!(found("use crate::os::sys;", 1), owned(&[(1, "os")]));
    let list =
        "use crate::{\n    cli, // Not crate::console.\n    os::{a, b},\n    report::c,\n};\n";
    assert_eq!(found(list, 1), owned(&[(2, "cli"), (3, "os"), (4, "report")]));
    assert_eq!(found("\nfn f(x: crate::config::Sink) {}", 1), owned(&[(2, "config")]));
    // Climbed to from a file in a folder; one step less stays within the folder.
    assert_eq!(found("use super::super::worker;", 2), owned(&[(1, "worker")]));
    assert_eq!(found("use super::wheel;", 2), []);
    let tests = "use super::super::os;\n\nmod tests {\n    use super::super::wheel;\n}\n";
    assert_eq!(found(tests, 2), owned(&[(1, "os")]));
}
