//! The beginning of a client's text, in fixed memory.

/// At most `N` bytes of a text of a client's, and whether there were more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Word<const N: usize> {
    bytes: [u8; N],
    /// How many of the bytes are the text's; `N + 1`: there are more.
    length: u8,
}

impl<const N: usize> Word<N> {
    /// The beginning of `text`.
    pub(crate) fn of(text: &[u8]) -> Self {
        const { assert!(N < u8::MAX as usize, "the length takes a byte") };
        let mut bytes = [0; N];
        let kept = &text[..text.len().min(N)];
        bytes[..kept.len()].copy_from_slice(kept);
        Self { bytes, length: text.len().min(N + 1) as u8 }
    }

    /// The bytes that are kept, and whether there were more.
    pub(super) fn bytes(&self) -> (&[u8], bool) {
        let length = usize::from(self.length);
        (&self.bytes[..length.min(N)], length > N)
    }

    /// The same from these.
    pub(super) fn saved(bytes: &[u8], is_cut: bool) -> Self {
        let mut word = Self::of(bytes);
        if is_cut {
            word.length = (N + 1) as u8;
        }
        word
    }

    /// The text. Where it was longer, it ends with an ellipsis. It is the client's: escape it
    /// wherever it is shown.
    pub(crate) fn text(&self) -> String {
        let length = usize::from(self.length);
        let mut text = String::from_utf8_lossy(&self.bytes[..length.min(N)]).into_owned();
        if length > N {
            // What was cut within a character is no character.
            text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
            text.push('…');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_up_to_its_bound_and_says_whether_it_was_cut() {
        let text = |text: &str| Word::<4>::of(text.as_bytes()).text();
        assert_eq!([text(""), text("abc"), text("abcd")], ["", "abc", "abcd"]);
        assert_eq!((text("abcde"), text("abcé")), ("abcd…".into(), "abc…".into()));
        assert_eq!(Word::<4>::of(b"\xFF\0a").text(), "\u{FFFD}\0a");
        assert_ne!(Word::<4>::of(b"abcd"), Word::of(b"abcde"));
        assert_ne!(Word::<4>::of(b"a"), Word::of(b"a\0"));
    }
}
