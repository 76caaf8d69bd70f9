//! Which names and characters XML knows. Source: XML 1.0 (fifth edition) 2.2 and 2.3; Namespaces in XML 1.0, 3.

/// A name of an element or attribute: one or two parts, joined by a colon.
pub(super) fn is_qualified_name(name: &str) -> bool {
    let mut parts = name.split(':');
    parts.next().is_some_and(is_name) && parts.next().is_none_or(is_name) && parts.next().is_none()
}

/// A name without a colon.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(begins_name)
        && name
            .chars()
            .all(|letter| begins_name(letter) || goes_on_in_name(letter))
}

/// The part of a name behind the prefix.
pub(super) fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

/// The prefix of a name; empty if it has none.
pub(super) fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// May every character stand in XML?
pub(super) fn is_text(text: &str) -> bool {
    text.chars().all(
        |letter| !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'),
    )
}

/// Blanks of XML only; others, such as U+00A0, are text.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

const fn begins_name(letter: char) -> bool {
    matches!(letter,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

const fn goes_on_in_name(letter: char) -> bool {
    matches!(letter, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_at_most_one_prefix_and_begin_with_a_letter() {
        for good in ["a", "edXML:To", "_1", "Cơ-quan.2"] {
            assert!(is_qualified_name(good), "{good}");
        }
        for bad in ["", ":a", "a:", "a:b:c", "1a", "-a", "a b", "a\"", "a<", "a\u{0}", "a:1"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
        assert_eq!(
            (prefix("e:To"), local("e:To"), prefix("To"), local("To")),
            ("e", "To", "", "To")
        );
    }
}
