//! Tests of the commands and configurations in the documents: commands must parse, configurations
//! must load.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    blocks::{Block, blocks},
    cli::{self, Task},
    config::{self, Origin},
};

/// The blocks of the documents that are for users, with the documents' names.
fn all() -> Vec<(&'static str, Block)> {
    ["README.md", "docs/getting-started.md"].into_iter().flat_map(of).collect()
}

/// The blocks of a document, with its name.
fn of(path: &'static str) -> Vec<(&'static str, Block)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(path)).unwrap();
    let found = blocks(&text);
    assert!(!found.is_empty(), "{path} has no blocks");
    found.into_iter().map(|block| (path, block)).collect()
}

#[test]
fn every_shell_block_of_the_documents_parses() {
    for (path, block) in all().iter().filter(|(_, block)| block.language == "sh") {
        let mut bash = Command::new("bash");
        bash.args(["-n", "-c", &block.text]).stdin(Stdio::null());
        let output = bash.output().expect("bash is there");
        assert!(output.status.success(), "{path}: {}\n{output:?}", block.text);
    }
}

#[test]
fn every_block_says_where_it_belongs() {
    for (path, Block { language, purpose, text }) in all() {
        let is_known = match language.as_str() {
            "sh" => ["", "server", "tarpitd"].contains(&purpose.as_str()),
            "toml" => Path::new(&purpose).extension().is_some_and(|it| it == "toml"),
            other => ["ini", "text"].contains(&other) && purpose.is_empty(),
        };
        assert!(is_known, "{path}: {language} {purpose}:\n{text}");
    }
}

#[test]
fn every_configuration_of_the_documents_loads_without_a_warning() {
    let mut count = 0;
    let all = all().into_iter().chain(of("docs/metrics.md"));
    for (path, block) in all.filter(|(_, block)| block.language == "toml") {
        let config = config::parse(path, &block.text)
            .unwrap_or_else(|problems| panic!("{problems:?} in\n{}", block.text));
        assert!(config.warnings.is_empty(), "{path}: {:?}", config.warnings);
        count += 1;
    }
    assert!(count > 3);
}

#[test]
fn every_call_of_tarpitd_in_the_documents_is_understood() {
    let mut count = 0;
    for (path, block) in all().iter().filter(|(_, block)| block.language == "sh") {
        for line in block.text.lines() {
            let Some(words) = call(line) else { continue };
            let task = cli::parse(words.into_iter());
            let task = task.unwrap_or_else(|error| panic!("{path}: {line}: {error}"));
            if let Task::Serve(request) = task
                && let Origin::Arguments(_) = request.origin
            {
                assert!(request.settings().is_ok(), "{path}: {line}: {:?}", request.settings());
            }
            count += 1;
        }
    }
    assert!(count > 12);
}

/// The arguments of a line that calls tarpitd, without the shell's part.
fn call(line: &str) -> Option<Vec<OsString>> {
    let line = line.trim_start();
    let rest = line.strip_prefix("tarpitd ").or_else(|| line.strip_prefix("dist/tarpitd "))?;
    let words = rest.split_whitespace().take_while(|word| !word.starts_with(['>', '2', '&', '#']));
    let words = words.map(|word| word.trim_matches(['\'', '"']).into());
    Some(std::iter::once("tarpitd".into()).chain(words).collect())
}
