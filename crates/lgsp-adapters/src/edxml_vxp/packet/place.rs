//! An element of the packet together with its path; finds what is in it by local name, in any order.
//!
//! Source: vxp-wire.md 8.2: below the envelope nothing but the local name counts.

use std::collections::HashMap;
use std::fmt::Display;

use lgsp_types::{AgencyCode, AgencyCodeError, DocumentDate, DocumentError};
use unicode_normalization::UnicodeNormalization;

use super::findings::{Findings, Reported};
use super::limits::{LINE_CHARS_MAX, LIST_MAX, PROSE_CHARS_MAX, WORD_BYTES_MAX};
use super::reason::{FIELD_INVALID, FIELD_MISSING, FIELD_TOO_LONG};
use super::tree::{Element, Node};

/// What a packet may hold many of: the path of one always says which, so that it does not change with the others.
const MANY: [&str; 3] = ["To", "Reference", "Attachment"];

/// Where we are.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) element: &'a Element,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(element: &'a Element) -> Self {
        Self {
            element,
            path: format!("/{}", element.local()),
        }
    }

    /// Every child of this local name.
    pub(super) fn all(&self, name: &str) -> Vec<Self> {
        let found: Vec<&Element> = self
            .element
            .elements()
            .filter(|element| element.local() == name)
            .collect();
        let is_alone = found.len() == 1;
        let numbered = found.into_iter().zip(1..);
        numbered
            .map(|(element, number)| self.within(element, is_alone, number))
            .collect()
    }

    /// Every child of this local name, at most [`LIST_MAX`]; more are reported.
    pub(super) fn list(&self, name: &str, findings: &mut Findings) -> Vec<Self> {
        let mut all = self.all(name);
        if let Some(beyond) = all.get(LIST_MAX) {
            findings.report(
                FIELD_TOO_LONG,
                &beyond.path,
                format!("stands more than {LIST_MAX} times"),
                "send fewer",
            );
        }
        all.truncate(LIST_MAX);
        all
    }

    /// Every child.
    pub(super) fn inside(&self) -> Vec<Self> {
        let mut alike: HashMap<&str, usize> = HashMap::new();
        for element in self.element.elements() {
            *alike.entry(element.local()).or_default() += 1;
        }
        let mut before: HashMap<&str, usize> = HashMap::new();
        let placed = self.element.elements().map(|element| {
            let name = element.local();
            let number = before.entry(name).and_modify(|number| *number += 1).or_insert(1);
            let is_alone = alike.get(name) == Some(&1);
            self.within(element, is_alone, *number)
        });
        placed.collect()
    }

    fn within(&self, element: &'a Element, is_alone: bool, number: usize) -> Self {
        let step = step(element.local(), is_alone, number);
        let path = format!("{}/{step}", self.path);
        Self { element, path }
    }

    /// The child of this name; a second one is reported, because readers differ in which they take.
    pub(super) fn only(&self, name: &str, findings: &mut Findings) -> Option<Self> {
        self.only_of(&[name], findings)
    }

    /// The child of one of these names, which mean the same.
    pub(super) fn only_of(&self, names: &[&str], findings: &mut Findings) -> Option<Self> {
        let mut found = names.iter().flat_map(|name| self.all(name));
        let first = found.next();
        if let Some(second) = found.next() {
            findings.report(FIELD_INVALID, &second.path, "stands twice", "send it once");
        }
        first
    }

    /// # Errors
    /// Reported: it is not there.
    pub(super) fn needed(&self, name: &str, findings: &mut Findings) -> Result<Self, Reported> {
        self.only(name, findings).ok_or_else(|| self.missing(name, findings))
    }

    pub(super) fn missing(&self, name: &str, findings: &mut Findings) -> Reported {
        let path = format!("{}/{name}", self.path);
        findings.report(FIELD_MISSING, &path, "is missing or empty", "fill it in")
    }

    /// Is there nothing in it but blanks and comments?
    pub(super) fn is_empty(&self) -> bool {
        self.element.children.iter().all(|child| match child {
            Node::Element(element) => Self::root(element).is_empty(),
            Node::Text(text) | Node::CData(text) => text.trim().is_empty(),
            Node::Comment(_) | Node::Instruction { .. } => true,
            Node::Part { .. } => false,
        })
    }

    /// A name, place or address, as written; none if there are only blanks.
    pub(super) fn line(&self, name: &str, findings: &mut Findings) -> Option<String> {
        self.text(name, LINE_CHARS_MAX, findings)
    }

    /// A subject, reason or description, as written; none if there are only blanks.
    pub(super) fn prose(&self, name: &str, findings: &mut Findings) -> Option<String> {
        self.text(name, PROSE_CHARS_MAX, findings)
    }

    fn text(&self, name: &str, max: usize, findings: &mut Findings) -> Option<String> {
        let place = self.only(name, findings)?;
        place.own_text(max, findings)
    }

    /// Its own text, as [`Self::line`].
    pub(super) fn own_line(&self, findings: &mut Findings) -> Option<String> {
        self.own_text(LINE_CHARS_MAX, findings)
    }

    /// Its own text, as [`Self::prose`].
    pub(super) fn own_prose(&self, findings: &mut Findings) -> Option<String> {
        self.own_text(PROSE_CHARS_MAX, findings)
    }

    fn own_text(&self, max: usize, findings: &mut Findings) -> Option<String> {
        let text = self.element.text();
        if text.trim().is_empty() {
            return None;
        }
        if text.chars().count() > max {
            let what = format!("is longer than {max} characters");
            findings.report(FIELD_TOO_LONG, &self.path, what, "shorten it");
            return None;
        }
        Some(text)
    }

    /// An id, code or date in one line, without the blanks around it; none if nothing is left.
    ///
    /// # Errors
    /// Reported.
    pub(super) fn word(&self, name: &str, findings: &mut Findings) -> Result<Option<Word>, Reported> {
        self.only(name, findings)
            .map_or(Ok(None), |place| place.own_word(findings))
    }

    /// Its own text, as [`Self::word`].
    ///
    /// # Errors
    /// Reported.
    pub(super) fn own_word(&self, findings: &mut Findings) -> Result<Option<Word>, Reported> {
        let text = self.element.text().trim().to_owned();
        let path = self.path.clone();
        let word = Word { text, path };
        // Order keys are made of words in NFC, which can be longer.
        let nfc_bytes: usize = word.text.nfc().map(char::len_utf8).sum();
        if word.text.len().max(nfc_bytes) > WORD_BYTES_MAX {
            return Err(word.too_long(WORD_BYTES_MAX, "bytes", findings));
        }
        if word.text.chars().any(char::is_control) {
            return Err(word.invalid(
                "has a line end or control character in it",
                "write it in one line",
                findings,
            ));
        }
        Ok(Some(word).filter(|word| !word.text.is_empty()))
    }

    /// [`Self::word`] for what may as well be absent.
    pub(super) fn word_text(&self, name: &str, findings: &mut Findings) -> Option<String> {
        self.word(name, findings).ok().flatten().map(|word| word.text)
    }

    /// A day, `yyyy/MM/dd`; what is none is reported.
    pub(super) fn day(&self, name: &str, findings: &mut Findings) -> Option<DocumentDate> {
        let word = self.word(name, findings).ok().flatten()?;
        match DocumentDate::parse(&word.text) {
            Ok(day) => Some(day),
            Err(error) => {
                word.invalid(error, "write the day as yyyy/MM/dd", findings);
                None
            }
        }
    }

    /// An agency's code, if there is one; what is none is reported.
    pub(super) fn agency(&self, name: &str, findings: &mut Findings) -> Option<AgencyCode> {
        self.only(name, findings)?.own_agency(findings).ok().flatten()
    }

    /// Its own text as an agency's code; none if there are only blanks.
    ///
    /// # Errors
    /// Reported: it is none.
    pub(super) fn own_agency(&self, findings: &mut Findings) -> Result<Option<AgencyCode>, Reported> {
        let Some(word) = self.own_word(findings)? else {
            return Ok(None);
        };
        let is_plain = self
            .element
            .children
            .iter()
            .all(|child| matches!(child, Node::Text(_) | Node::CData(_)));
        if !is_plain {
            let what = "has a comment or an element among its text";
            return Err(findings.report(FIELD_INVALID, &self.path, what, "write nothing but the code"));
        }
        match AgencyCode::parse(&word.text) {
            Ok(code) => Ok(Some(code)),
            Err(error @ AgencyCodeError::TooLong) => {
                Err(findings.report(FIELD_TOO_LONG, &word.path, error.to_string(), "shorten it"))
            }
            Err(error) => Err(word.invalid(error, "write a code such as H62.11 or 000.00.11.H62", findings)),
        }
    }
}

/// A step of a path: the local name, and which one where there are, or may be, several.
pub(super) fn step(name: &str, is_alone: bool, number: usize) -> String {
    if is_alone && !MANY.contains(&name) {
        name.to_owned()
    } else {
        format!("{name}[{number}]")
    }
}

/// A short text with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) path: String,
}

impl Word {
    pub(super) fn invalid(&self, what: impl Display, mend: &str, findings: &mut Findings) -> Reported {
        findings.report(FIELD_INVALID, &self.path, what.to_string(), mend)
    }

    pub(super) fn too_long(&self, max: usize, unit: &str, findings: &mut Findings) -> Reported {
        findings.report(
            FIELD_TOO_LONG,
            &self.path,
            format!("is longer than {max} {unit}"),
            "shorten it",
        )
    }

    /// What `parse` makes of it; `N/A`, which some vendors fill into what they must fill in, is absent.
    pub(super) fn part_of_code<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, DocumentError>,
        findings: &mut Findings,
    ) -> Option<T> {
        if self.text.eq_ignore_ascii_case("N/A") {
            return None;
        }
        match parse(&self.text) {
            Ok(part) => Some(part),
            Err(DocumentError::TooLong { max }) => {
                self.too_long(max, "characters", findings);
                None
            }
            Err(error) => {
                self.invalid(
                    error,
                    "write number and notation as printed: 2451 and STTTT-CNTT",
                    findings,
                );
                None
            }
        }
    }
}
