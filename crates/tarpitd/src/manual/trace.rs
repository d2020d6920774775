//! The keys and events of the trace in the manual, with what becomes of them in each format.

use tarpit_proto::fact::Fact;

use super::page::{Block, literal};
use crate::report::trace::reference::{self, EventRow, KeyRow};

/// The keys of every event, those of our own format first.
pub(super) fn keys() -> Vec<Block> {
    let rows = || reference::keys().filter(|row| row.events.is_empty());
    let (own, others): (Vec<_>, Vec<_>) = rows().partition(|row| !row.name.is_empty());
    let own = own.iter().map(|row| {
        let mut paragraphs = vec![row.meaning.to_string()];
        paragraphs.extend(forms(row));
        Block::Term(literal(&row.name), paragraphs)
    });
    let others = others.iter().map(|row| {
        let forms = forms(row).unwrap_or_default();
        Block::Term("No key in `jsonl`".into(), vec![row.meaning.to_string(), forms])
    });
    own.chain(others).collect()
}

/// The events, each with the keys that not every event has.
pub(super) fn events() -> Vec<Block> {
    reference::events()
        .map(|event| Block::Term(literal(event.kind.name()), about(&event)))
        .collect()
}

/// What is said of an event.
fn about(event: &EventRow) -> Vec<String> {
    let EventRow { kind, meaning, ecs, cowrie, endlessh } = event;
    let endlessh = endlessh.map_or("no line".to_owned(), literal);
    let mut paragraphs = vec![
        (*meaning).to_owned(),
        format!(
            "ecs: {} in `event.type`. cowrie: {}. endlessh: {endlessh}.",
            literals(ecs),
            literal(cowrie)
        ),
    ];
    let is_fact = |row: &KeyRow| Fact::ALL.iter().any(|(fact, ..)| name_of(*fact) == row.name);
    for row in reference::keys().filter(|row| row.events.contains(kind) && !is_fact(row)) {
        let name =
            if row.name.is_empty() { "No key in `jsonl`".into() } else { literal(&row.name) };
        let forms = forms(&row).map(|forms| format!(" {forms}")).unwrap_or_default();
        paragraphs.push(format!("{name}: {}{forms}", row.meaning));
    }
    paragraphs
}

/// What a fact becomes in each format.
pub(super) fn forms_of(fact: Fact) -> Option<String> {
    let row = reference::keys().find(|row| row.name == name_of(fact))?;
    let event = reference::cowrie_event(fact);
    let event = event.map(|event| format!(" The event: {}.", literal(event))).unwrap_or_default();
    forms(&row).map(|forms| forms + &event)
}

fn name_of(fact: Fact) -> String {
    format!("meta.{}", fact.name())
}

/// What a key becomes in each format; `None`: it is left out in all of them.
fn forms(row: &KeyRow) -> Option<String> {
    let all = [("ecs", &*row.ecs), ("cowrie", &row.cowrie), ("endlessh", row.endlessh)];
    let forms = all.iter().filter(|(_, keys)| !keys.is_empty());
    let forms: Vec<_> =
        forms.map(|(format, keys)| format!("{format}: {}.", literals(keys))).collect();
    (!forms.is_empty()).then(|| forms.join(" "))
}

/// The words of a list as literals; a description stays as it is.
fn literals(list: &str) -> String {
    let literal = |word: &str| if word.contains(' ') { word.to_owned() } else { literal(word) };
    list.split(", ").map(literal).collect::<Vec<_>>().join(", ")
}
