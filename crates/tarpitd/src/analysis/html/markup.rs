//! HTML in the making. What is no literal of the program gets in through [`Markup::text`] and through
//! attributes only, which escape it: so no text of a client can act as HTML.

use crate::report::{markup::escaped, units::harmless};

/// A part of the page.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds what the program has as it is.
    pub(super) fn tags(&mut self, tags: &'static str) -> &mut Self {
        self.0.push_str(tags);
        self
    }

    /// Adds a text, without effect on the page.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escaped(&harmless(text)));
        self
    }

    /// Begins an element.
    pub(super) fn open(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
    ) -> &mut Self {
        self.tags("<").tags(name);
        for (attribute, value) in attributes {
            self.tags(" ").tags(attribute).tags("=\"").text(value).tags("\"");
        }
        self.tags(">")
    }

    /// Ends it.
    pub(super) fn close(&mut self, name: &'static str) -> &mut Self {
        self.tags("</").tags(name).tags(">")
    }

    /// A whole element with a text in it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_are_markup() {
        let mut markup = Markup::default();
        markup.open("p", &[("class", "\"><b>")]).text("<i>\u{202e}\0").close("p");
        assert_eq!(
            markup.finish(),
            "<p class=\"&#34;&#62;&#60;b&#62;\">&#60;i&#62;&#92;u&#123;202e&#125;&#92;0</p>"
        );
    }
}
