//! What written text means in XML: line ends, references, characters. Source: XML 1.0 2.2, 2.11, 3.3.3, 4.1.
//!
//! Errors are what is wrong, ready to be told, without a word of the text.

use std::borrow::Cow;

use quick_xml::escape::unescape;

use super::names::is_text;

/// Text between markup.
pub(super) fn text(written: &str) -> Result<String, &'static str> {
    if written.contains("]]>") {
        return Err("text holds `]]>`");
    }
    resolve(&with_line_feeds(written))
}

/// The value of an attribute, without its quotes: every blank that was written as such is a space.
pub(super) fn attribute(written: &str) -> Result<String, &'static str> {
    if written.contains('<') {
        return Err("the value of an attribute holds `<`");
    }
    resolve(&with_line_feeds(written).replace(['\n', '\t'], " "))
}

/// Text in which references mean nothing: of a section, comment or instruction.
pub(super) fn verbatim(written: &str) -> Result<String, &'static str> {
    checked(with_line_feeds(written).into_owned())
}

fn with_line_feeds(written: &str) -> Cow<'_, str> {
    if written.contains('\r') {
        Cow::Owned(written.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(written)
    }
}

fn resolve(written: &str) -> Result<String, &'static str> {
    let resolved = unescape(written)
        .map_err(|_| "a reference is none of &amp; &lt; &gt; &quot; &apos; and is no character of XML")?;
    checked(resolved.into_owned())
}

fn checked(text: String) -> Result<String, &'static str> {
    if is_text(&text) {
        Ok(text)
    } else {
        Err("a control character stands where none may")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_line_ends_and_blanks_are_read_as_xml_says() {
        assert_eq!(text("a&amp;lt;&#13;\r\n\r&#x110;>\t\"").unwrap(), "a&lt;\r\n\nĐ>\t\"");
        assert_eq!(attribute("a&#10;\r\n\t&#9;&lt;'").unwrap(), "a\n  \t<'");
        assert_eq!(verbatim("a&amp;\r\n").unwrap(), "a&amp;\n");
    }

    #[test]
    fn what_xml_forbids_is_refused() {
        for bad in [
            "&nbsp;", "&", "&#0;", "&#1;", "&#xFFFE;", "&#xD800;", "&#;", "&#x;", "&#+1;", "&lt", "\u{1}", "a]]>b",
            "\0",
        ] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
        assert!(attribute("a<b").is_err() && verbatim("\u{b}").is_err());
    }
}
