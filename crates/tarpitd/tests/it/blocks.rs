//! The fenced blocks of a document of Markdown.

/// A block: its language, what else stands on the first line, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) language: String,
    /// For whom it is: `tarpitd` for the first terminal, `server` for another machine, a file's
    /// name, or empty.
    pub(crate) purpose: String,
    pub(crate) text: String,
}

/// All of them.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let (language, purpose) = info.split_once(' ').unwrap_or((info, ""));
                let (language, purpose) = (language.to_owned(), purpose.to_owned());
                open = Some(Block { language, purpose, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    blocks
}
