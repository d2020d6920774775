//! Tables in the documents that come from the program's own tables. `cargo xtask docs` writes them
//! through this test; otherwise the test checks that they are up to date.

use std::{env, fs, path::Path};

use tarpit_proto::{fact::Fact, patterns, persona::Persona, protocols, rng::Seed};

use crate::{
    console, manual,
    report::trace::reference::{self, KeyRow},
};

/// Set to anything, it makes the test write the texts instead of comparing them.
const WRITE: &str = "WRITE_DOCS";

/// A table in a document. It stands between two comments of Markdown; the first one names it.
struct Table {
    file: &'static str,
    name: &'static str,
    lines: String,
}

fn tables() -> [Table; 5] {
    let recommended = |file| Table { file, name: "recommended", lines: recommended() };
    [
        recommended("README.md"),
        recommended("docs/getting-started.md"),
        Table { file: "docs/is-it-lawful.md", name: "facts", lines: facts() },
        Table { file: "docs/logging.md", name: "keys", lines: keys() },
        Table { file: "docs/null-probing.md", name: "personas", lines: personas() },
    ]
}

/// Which pattern to serve on which port.
fn recommended() -> String {
    let rows = patterns::recommended().into_iter().map(|it| {
        let ports = console::patterns::ports(&it);
        format!("| {ports} | `{}` | {} |\n", it.pattern.name(), it.reason)
    });
    format!("| port | pattern | what it does |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// The facts that a trace can have of a client.
fn facts() -> String {
    let rows = Fact::ALL.iter().map(|(fact, meaning, behind)| {
        let kept = match fact {
            Fact::Secret => ": **only its length**, unless `log_secrets` is set",
            _ => "",
        };
        format!("| `{}` | {meaning}{kept} | {behind} |\n", fact.name())
    });
    let head = "| fact | what it is | who may be behind it |\n|---|---|---|\n";
    format!("{head}{}", rows.collect::<String>())
}

/// What becomes of each key of the trace in each format.
fn keys() -> String {
    let literals = |list: &str| {
        let literal = |word: &str| match word {
            "" => String::new(),
            word if word.contains(' ') => word.to_owned(),
            word => format!("`{word}`"),
        };
        list.split(", ").map(literal).collect::<Vec<_>>().join(", ")
    };
    let rows = reference::keys().map(|row| {
        let KeyRow { events, name, ecs, cowrie, endlessh, .. } = row;
        let events: Vec<_> = events.iter().map(|kind| literals(kind.name())).collect();
        let events = if events.is_empty() { "every event".into() } else { events.join(", ") };
        let [name, ecs, cowrie, endlessh] = [&*name, &*ecs, &*cowrie, endlessh].map(literals);
        format!("| {name} | {events} | {ecs} | {cowrie} | {endlessh} |\n")
    });
    let head = "| key | event | ecs | cowrie | endlessh |\n|---|---|---|---|---|\n";
    format!("{head}{}", rows.collect::<String>())
}

/// What a scan finds on each persona.
fn personas() -> String {
    let shown: Vec<_> = protocols::held().filter_map(|it| Some((it.service, it.plays?))).collect();
    let head = shown.iter().map(|(service, _)| *service).collect::<Vec<_>>().join(" | ");
    let rows = Persona::names().map(|name| {
        let default = if name == Persona::DEFAULT { ", the default" } else { "" };
        let persona = Persona::named(name, &Seed([0; 32])).expect("a persona");
        let cells: Vec<_> = shown.iter().map(|(_, plays)| plays(&persona)).collect();
        format!("| `{name}`{default} | {} |\n", cells.join(" | "))
    });
    let rows: String = rows.collect();
    format!("| persona | {head} |\n|---|{}\n{rows}", "---|".repeat(shown.len()))
}

impl Table {
    /// The document with this table in it.
    fn put_into(&self, document: &str) -> String {
        const END: &str = "<!-- end of the generated table -->";

        let Self { file, name, lines } = self;
        let begin = format!("<!-- the table {name:?}, written by `cargo xtask docs` -->");
        let (before, rest) = document
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{file} has no place for a table: {begin}"));
        let (_, after) = rest
            .split_once(END)
            .unwrap_or_else(|| panic!("{file}: nothing ends the table {name:?}: {END}"));
        format!("{before}{begin}\n{lines}{END}{after}")
    }
}

#[test]
fn the_manual_and_the_tables_of_the_documents_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let mut texts: Vec<_> = manual::pages()
        .into_iter()
        .map(|(page, text)| (format!("docs/man/{page}"), text))
        .collect();
    for table in tables() {
        texts.push((table.file.to_owned(), table.put_into(&read(table.file))));
    }
    for (file, text) in texts {
        if env::var_os(WRITE).is_some() {
            fs::write(root.join(&file), &text).unwrap_or_else(|why| panic!("{file}: {why}"));
        }
        assert!(read(&file) == text, "{file} is out of date; `cargo xtask docs` writes it");
    }
}

#[test]
fn a_table_replaces_what_stood_between_its_marks_and_nothing_else() {
    let table = Table { file: "a.md", name: "a", lines: "| new |\n".to_owned() };
    let mark = "<!-- the table \"a\", written by `cargo xtask docs` -->";
    let end = "<!-- end of the generated table -->";
    let document = |lines| format!("Before.\n\n{mark}\n{lines}\n{end}\n\nBehind.\n");
    assert_eq!(table.put_into(&document("| old |\n| older |")), document("| new |"));
}
