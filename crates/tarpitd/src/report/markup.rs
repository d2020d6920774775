//! Texts of clients as they may stand in HTML.

use std::fmt::Write as _;

/// Signs that mean nothing in HTML.
const PLAIN: &str = " .,:;_-/()%";

/// A text as it may stand anywhere in HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || PLAIN.contains(letter) {
            safe.push(letter);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(safe, "&#{};", u32::from(letter));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_from_a_text() {
        assert_eq!(escaped("a<b>\"'&{é}"), "a&#60;b&#62;&#34;&#39;&#38;&#123;&#233;&#125;");
        let harmless = "192.0.2.0/24:22, ssh_auth-hold (100%);";
        assert_eq!(escaped(harmless), harmless);
    }
}
