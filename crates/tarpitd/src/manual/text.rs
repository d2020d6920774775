//! A page as plain text, for the pager.

use super::page::{Block, Page};

/// A little less than the narrowest terminal.
const WIDTH: usize = 78;
/// Where text begins, and what is said of a term.
const INDENT: usize = 7;
const DEEPER: usize = 14;

/// The page, with a line end behind each line.
pub(super) fn render(page: &Page) -> String {
    let Page { name, section, summary, blocks } = page;
    let mut lines = vec![format!("{}({section})", name.to_uppercase()), String::new()];
    lines.push("NAME".to_owned());
    lines.extend(wrapped(INDENT, &format!("{name} - {summary}")));
    let mut below_heading = false;
    for block in blocks {
        if !below_heading {
            lines.push(String::new());
        }
        below_heading = matches!(block, Block::Heading(_));
        match block {
            Block::Heading(heading) => lines.push(heading.clone()),
            Block::Literal(text) => {
                lines.extend(text.iter().map(|line| format!("{:INDENT$}    {line}", "")));
            }
            Block::Paragraph(text) => lines.extend(wrapped(INDENT, text)),
            Block::Term(term, paragraphs) => {
                lines.extend(wrapped(INDENT, term));
                for (index, text) in paragraphs.iter().enumerate() {
                    if index > 0 {
                        lines.push(String::new());
                    }
                    lines.extend(wrapped(DEEPER, text));
                }
            }
        }
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The words of `text` on lines of [`WIDTH`], behind `indent` spaces.
fn wrapped(indent: usize, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    for word in text.replace('`', "").split_whitespace() {
        let is_first = line.len() == indent;
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !is_first {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_marks_are_gone() {
        let page = Page::parse(
            "x(1): does y\n\n# ONE\n\nSome `-literal` words.\n\n    as it is\n\n    and so\n\n\
             `-t`\n:   meant.\n",
        );
        assert_eq!(
            render(&page),
            "X(1)\n\nNAME\n       x - does y\n\nONE\n       Some -literal words.\n\n           \
             as it is\n\n           and so\n\n       -t\n              meant.\n"
        );
        let long = wrapped(10, &"word ".repeat(30));
        assert!(long.iter().all(|line| line.len() <= WIDTH && line.starts_with("          word")));
    }
}
