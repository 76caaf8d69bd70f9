//! Number and notation of an official document, as printed: `2451/STTTT-CNTT`.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Source of both bounds: Decree 30/2020/ND-CP, appendix VI (CodeNumber 11, CodeNotation 30).
const NUMBER_MAX: usize = 11;
const NOTATION_MAX: usize = 30;

/// Why a text is no document number or notation; refuse the field and name its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DocumentError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {max} characters")]
    TooLong { max: usize },
    #[error("has a character that does not belong there at {at}")]
    Character { at: usize },
}

/// The number part, e.g. `2451` (some registers add a letter: `12a`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentNumber(String);

/// The notation part, e.g. `STTTT-CNTT`, `QĐ-UBND`, `2018/QĐ-TTg`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Notation(String);

impl DocumentNumber {
    /// # Errors
    /// [`DocumentError`] when the text is not 1 to 11 letters or digits.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        check(text, NUMBER_MAX, char::is_alphanumeric).map(|()| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Notation {
    /// # Errors
    /// [`DocumentError`] when the text is not 1 to 30 letters, digits, `-`, `.`, `/` or single blanks.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        check(text, NOTATION_MAX, |letter| {
            letter.is_alphanumeric() || is_mark(letter) || matches!(letter, '-' | '.' | '/' | ' ' | '_')
        })
        .map(|()| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A combining mark: Vietnamese that is not in NFC travels.
fn is_mark(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter)
}

fn check(text: &str, max: usize, allowed: impl Fn(char) -> bool) -> Result<(), DocumentError> {
    if text.trim().is_empty() {
        return Err(DocumentError::Empty);
    }
    if text.nfc().count() > max {
        return Err(DocumentError::TooLong { max });
    }
    match text.char_indices().find(|(_, letter)| !allowed(*letter)) {
        Some((at, _)) => Err(DocumentError::Character { at }),
        None => Ok(()),
    }
}

/// Number and notation joined as people write and search them: `2451/STTTT-CNTT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentCode {
    pub number: DocumentNumber,
    pub notation: Notation,
}

impl DocumentCode {
    /// Splits a joined code at its first slash.
    ///
    /// # Errors
    /// [`DocumentError`] of the part that is wrong.
    pub fn parse(joined: &str) -> Result<Self, DocumentError> {
        let (number, notation) = joined.split_once('/').ok_or(DocumentError::Empty)?;
        Ok(Self {
            number: DocumentNumber::parse(number)?,
            notation: Notation::parse(notation)?,
        })
    }
}

impl fmt::Display for DocumentCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.number.0, self.notation.0)
    }
}

/// The form in which codes and words are compared: NFC, blanks trimmed, capitals. Never stored in place of the text.
#[must_use]
pub fn fold(text: &str) -> String {
    text.trim().nfc().flat_map(char::to_uppercase).collect()
}

/// The words of a text in the form in which they are searched: without marks, small letters, `đ` as `d`, joined by single
/// blanks. Whoever types `nghi quyet` finds `Nghị quyết`. Never stored in place of the text.
#[must_use]
pub fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    // Marks go where they stand alone and where they are part of a letter.
    for letter in text.nfkd().filter(|letter| !is_mark(*letter)) {
        match letter {
            // The second of each pair only looks like ours, and is typed in its place.
            '\u{110}' | '\u{111}' | '\u{189}' | '\u{256}' | '\u{d0}' | '\u{f0}' => words.push('d'),
            letter if letter.is_alphanumeric() => {
                words.extend(letter.to_lowercase().filter(|letter| !is_mark(*letter)))
            }
            _ if words.is_empty() || words.ends_with(' ') => {}
            _ => words.push(' '),
        }
    }
    words.truncate(words.trim_end().len());
    words
}

macro_rules! text_conversions {
    ($($type:ident),+) => {$(
        impl TryFrom<String> for $type {
            type Error = DocumentError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }
        impl From<$type> for String {
            fn from(part: $type) -> Self {
                part.0
            }
        }
    )+};
}
text_conversions!(DocumentNumber, Notation);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_of_the_field_are_read_and_printed_as_written() {
        for text in [
            "7816/VPCP-TTĐT",
            "2451/STTTT-CNTT",
            "28/2018/QĐ-TTg",
            "12234555512/TEST-CASE1",
            "05/UBND-KSTTHC",
        ] {
            assert_eq!(DocumentCode::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_number_or_notation_that_cannot_be_is_refused() {
        assert_eq!(
            DocumentNumber::parse("123456789012"),
            Err(DocumentError::TooLong { max: 11 })
        );
        assert_eq!(DocumentNumber::parse("12'3"), Err(DocumentError::Character { at: 2 }));
        assert_eq!(Notation::parse("  "), Err(DocumentError::Empty));
        assert_eq!(DocumentCode::parse("7816"), Err(DocumentError::Empty));
    }

    #[test]
    fn two_spellings_of_one_text_fold_to_one() {
        assert_eq!(fold(" QD\u{323}-ubnd"), fold("Q\u{1e0c}-UBND"));
        assert_eq!(fold("qđ-ttg"), "QĐ-TTG");
    }

    #[test]
    fn words_are_found_however_they_are_typed() {
        for (text, folded) in [
            ("V/v kết nối, liên thông", "v v ket noi lien thong"),
            ("Đề án ĐÔ THỊ hoá", "de an do thi hoa"),
            ("đề án đô thị hóa", "de an do thi hoa"),
            ("\u{d0}\u{1ec1} án", "de an"), // the Icelandic letter, as old keyboards write it
            ("  QĐ-UBND/2026 ", "qd ubnd 2026"),
            ("ngươ\u{300}i, NGƯỜI", "nguoi nguoi"),
            ("Ｋế hoạch ①", "ke hoach 1"),
            ("—, ;", ""),
        ] {
            assert_eq!(words(text), folded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn folding_words_again_changes_nothing(text in "\\PC{0,40}") {
            let once = words(&text);
            prop_assert_eq!(words(&once), once.clone());
            prop_assert!(!once.contains("  ") && once.trim() == once);
        }

        #[test]
        fn any_text_is_read_back_as_written_or_refused(text in ".{0,50}") {
            if let Ok(code) = DocumentCode::parse(&text) {
                prop_assert_eq!(code.to_string(), text);
            }
        }
    }
}
