//! A page for man(1), in the macros of man(7).

use super::page::{Block, Page};

/// The page's source, the same each time.
pub(super) fn render(page: &Page) -> String {
    let Page { name, section, summary, blocks } = page;
    let mut lines = vec![
        format!(".TH {} {section} \"\" tarpitd", name.to_uppercase()),
        ".SH NAME".to_owned(),
        format!("{} \\- {}", text(name), text(summary)),
    ];
    for block in blocks {
        match block {
            Block::Heading(heading) => lines.push(format!(".SH {}", text(heading))),
            Block::Literal(literal) => {
                lines.extend([".PP", ".RS 4", ".nf"].map(String::from));
                lines.extend(literal.iter().map(|line| escaped(line)));
                lines.extend([".fi", ".RE"].map(String::from));
            }
            Block::Paragraph(paragraph) => lines.extend([".PP".to_owned(), text(paragraph)]),
            Block::Term(term, paragraphs) => {
                lines.extend([".TP".to_owned(), text(term)]);
                for (index, paragraph) in paragraphs.iter().enumerate() {
                    if index > 0 {
                        lines.push(".IP".to_owned());
                    }
                    lines.push(text(paragraph));
                }
            }
        }
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// A line of text, with what is between backticks in bold.
fn text(line: &str) -> String {
    let mut is_literal = true;
    let part = |part| {
        is_literal = !is_literal;
        if is_literal { format!("\\fB{}\\fR", escaped(part)) } else { escaped(part) }
    };
    line.split('`').map(part).collect()
}

/// The same words where nothing is a request, an escape or a hyphen to break a line at.
fn escaped(line: &str) -> String {
    let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    guard.to_owned() + &line.replace('\\', "\\e").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_taken_for_a_request() {
        assert_eq!(
            text("Write `-r -2` or `.x` here"),
            "Write \\fB\\-r \\-2\\fR or \\fB\\&.x\\fR here"
        );
        assert_eq!(escaped("'a\\n"), "\\&'a\\en");
    }
}
