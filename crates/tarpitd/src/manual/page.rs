//! A page of the manual: blocks of text, from a plain source and the program's own tables.
//!
//! In a source a line with `# ` is a heading, and lines after four spaces are shown as they are. `:
//! ` starts the text about the term on the line above, backticks enclose literal words, and `@`
//! stands for a table. Everything else is a paragraph, each on one line.

use clap::Arg;
use tarpit_proto::{
    fact::Fact,
    patterns,
    persona::Persona,
    protocols::{self, Protocol},
    session::{self, Cause},
};

use super::trace;
use crate::{
    admin::metrics::families,
    cli,
    config::{self, Unset},
    os::sandbox::calls,
};

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) name: String,
    pub(super) section: String,
    /// What the page is about, in a line.
    pub(super) summary: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Heading(String),
    Literal(Vec<String>),
    Paragraph(String),
    /// A term and what is said of it, in one or more paragraphs.
    Term(String, Vec<String>),
}

impl Page {
    pub(super) fn parse(source: &str) -> Self {
        let (title, body) = source.split_once('\n').unwrap_or((source, ""));
        let (title, summary) = title.split_once(": ").unwrap_or((title, ""));
        let (name, section) = title.split_once('(').unwrap_or((title, ""));
        let mut page = Self {
            name: name.to_owned(),
            section: section.trim_end_matches(')').to_owned(),
            summary: summary.to_owned(),
            blocks: Vec::new(),
        };
        for line in body.lines() {
            page.add(line);
        }
        for block in &mut page.blocks {
            if let Block::Literal(lines) = block {
                lines.truncate(
                    lines.iter().rposition(|line| !line.is_empty()).map_or(0, |end| end + 1),
                );
            }
        }
        page
    }

    fn add(&mut self, line: &str) {
        if let Some(heading) = line.strip_prefix("# ") {
            self.blocks.push(Block::Heading(heading.to_owned()));
        } else if let Some(table) = line.strip_prefix('@') {
            self.blocks.extend(table_called(table));
        } else if let Some(text) = line.strip_prefix(":   ") {
            // The line above has been taken for a paragraph.
            if let Some(Block::Paragraph(term)) = self.blocks.pop() {
                self.blocks.push(Block::Term(term, vec![text.to_owned()]));
            }
        } else if let Some(literal) = line.strip_prefix("    ") {
            match self.blocks.last_mut() {
                Some(Block::Literal(lines)) => lines.push(literal.to_owned()),
                _ => self.blocks.push(Block::Literal(vec![literal.to_owned()])),
            }
        } else if !line.is_empty() {
            self.blocks.push(Block::Paragraph(line.to_owned()));
        } else if let Some(Block::Literal(lines)) = self.blocks.last_mut() {
            // It may be followed by more of them.
            lines.push(String::new());
        }
    }
}

/// The table that stands for `@name`.
fn table_called(name: &str) -> Vec<Block> {
    match name {
        "calls" => calls::ALLOWED
            .iter()
            .map(|purpose| {
                let names: Vec<_> = purpose.names().map(literal).collect();
                Block::Term(sentence(purpose.what), vec![names.join(", ") + "."])
            })
            .collect(),
        "commands" => commands(),
        "options" => options(),
        "patterns" => patterns::by_name()
            .iter()
            .map(|pattern| {
                let protocol = pattern.protocol().map(|protocol| protocol.name.to_uppercase());
                let protocol = protocol.as_deref().unwrap_or("Any protocol");
                let text = format!("{protocol}: {}", pattern.about().summary);
                let mut paragraphs = vec![sentence(&text)];
                let names: Vec<_> = patterns::other_names(*pattern).map(literal).collect();
                if !names.is_empty() {
                    paragraphs.push(format!("Also called {}.", names.join(", ")));
                }
                Block::Term(literal(pattern.name()), paragraphs)
            })
            .collect(),
        "recommended" => patterns::recommended()
            .iter()
            .map(|it| {
                let text = format!("`{}`: {}", it.pattern.name(), it.reason);
                Block::Term(crate::console::patterns::ports(it), vec![text + "."])
            })
            .collect(),
        "personas" => vec![Block::Paragraph(sentence(
            &Persona::names().map(literal).collect::<Vec<_>>().join(", "),
        ))],
        "facts" => Fact::ALL
            .iter()
            .map(|(fact, meaning, _)| {
                let teaches = |protocol: &&Protocol| protocol.facts.contains(fact);
                let protocols: Vec<_> =
                    protocols::held().filter(teaches).map(|protocol| protocol.name).collect();
                let from = match &protocols[..] {
                    // Told where the protocol is found out.
                    _ if *fact == Fact::Protocol => String::new(),
                    protocols => format!(" From {}.", protocols.join(", ")),
                };
                let mut paragraphs = vec![sentence(meaning) + &from];
                paragraphs.extend(trace::forms_of(*fact));
                Block::Term(literal(fact.name()), paragraphs)
            })
            .collect(),
        "trace keys" => trace::keys(),
        "trace events" => trace::events(),
        "malformed" => session::malformed()
            .map(|(layer, reason, meaning)| {
                let term = format!("{}: {}", literal(layer), literal(reason));
                Block::Term(term, vec![sentence(meaning)])
            })
            .collect(),
        "reasons" => Cause::ALL
            .iter()
            .map(|(cause, meaning)| Block::Term(literal(cause.name()), vec![sentence(meaning)]))
            .collect(),
        "metrics" => families::ALL
            .iter()
            .map(|family| {
                let labels = family.labels.join(", ");
                let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
                let about = format!("{} {}", sentence(family.kind.name()), family.help);
                Block::Term(literal(&format!("{}{labels}", family.name)), vec![about])
            })
            .collect(),
        name => keys(name.trim_start_matches("keys ")),
    }
}

fn options() -> Vec<Block> {
    let option = |arg: &Arg| {
        let short = arg.get_short().map(|short| literal(&format!("-{short}")));
        let long = arg.get_long().map(|long| literal(&format!("--{long}")));
        let names: Vec<_> = [short, long].into_iter().flatten().collect();
        let value = arg
            .get_value_names()
            .filter(|_| arg.get_action().takes_values())
            .map(|names| names.join(" "))
            .map(|name| match arg.get_num_args() {
                Some(range) if range.min_values() == 0 => format!(" [{name}]"),
                Some(range) if range.max_values() > 1 => format!(" {name}..."),
                _ => format!(" {name}"),
            })
            .unwrap_or_default();
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
        Block::Term(names.join(", ") + &value, paragraphs(&help.unwrap_or_default()))
    };
    let mut definition = cli::definition();
    definition.build();
    definition.get_arguments().map(option).collect()
}

fn commands() -> Vec<Block> {
    let command = |command: &clap::Command| {
        let arguments: String = command
            .get_arguments()
            .filter(|arg| arg.get_id() != "help")
            .map(|arg| match arg.get_long() {
                Some(long) => format!(" [{}]", literal(&format!("--{long}"))),
                None => format!(" {}", arg.get_id().as_str().to_uppercase()),
            })
            .collect();
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
        Block::Term(
            literal(command.get_name()) + &arguments,
            paragraphs(&about.unwrap_or_default()),
        )
    };
    cli::definition().get_subcommands().map(command).collect()
}

fn keys(title: &str) -> Vec<Block> {
    let sections = config::sections();
    let entries = sections.iter().filter(|section| section.title == title);
    entries
        .flat_map(|section| &section.entries)
        .map(|entry| {
            let unset = match entry.unset {
                Unset::Is(value) => format!("Default: {}.", literal(value)),
                Unset::Described(meaning) => format!("Default: {meaning}."),
                Unset::Wrong => "Required.".to_owned(),
            };
            let about = format!("{}. {unset}", entry.form);
            Block::Term(literal(entry.name), vec![sentence(&about), entry.meaning.to_owned()])
        })
        .collect()
}

pub(super) fn literal(text: &str) -> String {
    format!("`{text}`")
}

/// The text with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let stop = if text.ends_with('.') { "" } else { "." };
    first.into_iter().chain(chars).collect::<String>() + stop
}

/// What the definition of the command line says, where a single sentence has no full stop.
fn paragraphs(help: &str) -> Vec<String> {
    help.split("\n\n").map(|paragraph| sentence(paragraph.trim())).collect()
}
