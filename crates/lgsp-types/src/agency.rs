//! Codes of agencies as they travel, and the permanent id behind them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest code, in characters. Source: QCVN 102 amendment 1:2022, after Decision 20/2020/QD-TTg article 4.
const CODE_MAX: usize = 35;

/// The electronic identifier of an agency as somebody wrote it, e.g. `000.00.11.H62` or `H62.11`.
///
/// Groups of `0-9A-Z` (and `-`, for tax numbers of branches) joined by single dots, 1 to 35 characters. Two codes are
/// never compared to learn whether they name one agency: that is the registry's table (exchange.md, section 2).
/// Source: QCVN 102:2016/BTTTT; Decision 20/2020/QD-TTg, article 4(1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgencyCode(String);

/// Why a text is no agency code. The caller answers with the path of the field and asks for a code of either scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AgencyCodeError {
    #[error("agency code is empty")]
    Empty,
    #[error("agency code is longer than {CODE_MAX} characters")]
    TooLong,
    #[error("agency code has a character other than 0-9, A-Z, `-` and `.` at {at}")]
    Character { at: usize },
    #[error("agency code has an empty group")]
    EmptyGroup,
}

/// Which of the two code systems a code has the shape of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `V1V2V3.Z1Z2.Y1Y2.MX1X2`, 13 characters, the top level last. Source: QCVN 102:2016/BTTTT.
    Qcvn102,
    /// `MX1X2[.group]*`, the top level first. Source: Decision 20/2020/QD-TTg.
    Qd20,
    /// Neither, e.g. an enterprise's tax number, or groups in an order that no scheme knows.
    Other,
}

impl AgencyCode {
    /// Reads a code exactly as written.
    ///
    /// # Errors
    /// Says what is wrong; refuse the field and name its path.
    pub fn parse(text: &str) -> Result<Self, AgencyCodeError> {
        if text.is_empty() {
            return Err(AgencyCodeError::Empty);
        }
        if text.chars().count() > CODE_MAX {
            return Err(AgencyCodeError::TooLong);
        }
        let allowed = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'-' || byte == b'.';
        if let Some(at) = text.bytes().position(|byte| !allowed(byte)) {
            return Err(AgencyCodeError::Character { at });
        }
        if text.split('.').any(str::is_empty) {
            return Err(AgencyCodeError::EmptyGroup);
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn scheme(&self) -> Scheme {
        let groups: Vec<&str> = self.0.split('.').collect();
        match groups.as_slice() {
            [v, z, y, top] if digits(v, 3) && digits(z, 2) && digits(y, 2) && is_top(top) => Scheme::Qcvn102,
            [top, rest @ ..] if is_top(top) && rest.iter().all(|group| group.len() <= 10) => Scheme::Qd20,
            _ => Scheme::Other,
        }
    }

    /// The code of the level-1 body this code stands under, e.g. `H62`; none for a code of neither scheme.
    #[must_use]
    pub fn top_level(&self) -> Option<&str> {
        match self.scheme() {
            Scheme::Qcvn102 => self.0.rsplit('.').next(),
            Scheme::Qd20 => self.0.split('.').next(),
            Scheme::Other => None,
        }
    }

    /// What the same agency is *probably* called in the other scheme: groups reversed, trailing groups of zeros dropped
    /// or added. Provinces re-numbered units, so this only proposes; the registry's table decides.
    #[must_use]
    pub fn proposed_counterpart(&self) -> Option<Self> {
        let groups: Vec<&str> = self.0.split('.').collect();
        match self.scheme() {
            Scheme::Qcvn102 => {
                let mut reversed: Vec<&str> = groups.into_iter().rev().collect();
                while reversed
                    .last()
                    .is_some_and(|group| group.bytes().all(|byte| byte == b'0'))
                {
                    reversed.pop();
                }
                Some(Self(reversed.join(".")))
            }
            Scheme::Qd20 => {
                let widths = [2, 2, 3];
                let (top, rest) = groups.split_first()?;
                if rest.len() > widths.len() {
                    return None;
                }
                let mut old = vec![(*top).to_owned()];
                for (at, width) in widths.into_iter().enumerate() {
                    let group = rest.get(at).copied().unwrap_or("0");
                    if group.len() > width || !group.bytes().all(|byte| byte.is_ascii_digit()) {
                        return None;
                    }
                    old.push(format!("{group:0>width$}"));
                }
                old.reverse();
                Some(Self(old.join(".")))
            }
            Scheme::Other => None,
        }
    }
}

fn digits(group: &str, length: usize) -> bool {
    group.len() == length && group.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_top(group: &str) -> bool {
    group.len() == 3 && group.starts_with(|first: char| first.is_ascii_uppercase()) && digits(&group[1..], 2)
}

impl fmt::Display for AgencyCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for AgencyCode {
    type Error = AgencyCodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<AgencyCode> for String {
    fn from(code: AgencyCode) -> Self {
        code.0
    }
}

/// The id of an agency that never changes, whatever codes and names it takes on, e.g. `vp.so-tu-phap`.
///
/// 1 to 64 of `a-z 0-9 - .`. An addressee outside the registry (an axis code) takes its code as written, lower-cased
/// by nobody: such ids keep capitals, which no id of the registry has, so the two can never meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgencyId(String);

impl AgencyId {
    /// # Errors
    /// [`crate::NameError`] when the text has another character or length; refuse the configuration and name its path.
    pub fn parse(text: &str) -> Result<Self, crate::NameError> {
        crate::system::check_name(text, |byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        })?;
        Ok(Self(text.to_owned()))
    }

    /// The id of an agency that the registry does not hold: its code as written.
    #[must_use]
    pub fn outside(code: &AgencyCode) -> Self {
        Self(code.as_str().to_owned())
    }

    /// Reads an id that was stored in a fact: either kind.
    ///
    /// # Errors
    /// [`crate::NameError`]: the record is not one of ours.
    pub fn stored(text: &str) -> Result<Self, crate::NameError> {
        Self::parse(text).or_else(|error| {
            AgencyCode::parse(text)
                .map(|code| Self::outside(&code))
                .map_err(|_| error)
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgencyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for AgencyId {
    type Error = crate::NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<AgencyId> for String {
    fn from(id: AgencyId) -> Self {
        id.0
    }
}

/// A code, or a code and everything below it (`H62.*` in the new scheme, `*.H62` in the old one).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodePattern(String);

impl CodePattern {
    /// # Errors
    /// [`AgencyCodeError`] when what stands beside the star is no code.
    pub fn parse(text: &str) -> Result<Self, AgencyCodeError> {
        let code = text
            .strip_suffix(".*")
            .or_else(|| text.strip_prefix("*."))
            .unwrap_or(text);
        AgencyCode::parse(code)?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn matches(&self, code: &AgencyCode) -> bool {
        let written = code.as_str();
        if let Some(top) = self.0.strip_suffix(".*") {
            return written == top || written.strip_prefix(top).is_some_and(|rest| rest.starts_with('.'));
        }
        if let Some(top) = self.0.strip_prefix("*.") {
            return written == top || written.strip_suffix(top).is_some_and(|rest| rest.ends_with('.'));
        }
        written == self.0
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CodePattern {
    type Error = AgencyCodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<CodePattern> for String {
    fn from(pattern: CodePattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_of_the_field_are_read_and_their_scheme_is_known() {
        for (text, scheme, top) in [
            ("000.00.11.H62", Scheme::Qcvn102, Some("H62")),
            ("H62.11", Scheme::Qd20, Some("H62")),
            ("H62", Scheme::Qd20, Some("H62")),
            ("H37.DN.001", Scheme::Qd20, Some("H37")),
            ("01.02.G22", Scheme::Other, None),
            ("2500123456-001", Scheme::Other, None),
        ] {
            let code = AgencyCode::parse(text).unwrap();
            assert_eq!((code.scheme(), code.top_level()), (scheme, top), "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused_with_its_reason() {
        for (text, error) in [
            ("", AgencyCodeError::Empty),
            ("h62", AgencyCodeError::Character { at: 0 }),
            ("H62.11 ", AgencyCodeError::Character { at: 6 }),
            ("H62..11", AgencyCodeError::EmptyGroup),
            ("../../etc", AgencyCodeError::Character { at: 2 }),
            ("H62'--", AgencyCodeError::Character { at: 3 }),
            ("H6\u{110}", AgencyCodeError::Character { at: 2 }),
            (&"H62.".repeat(9), AgencyCodeError::TooLong),
        ] {
            assert_eq!(AgencyCode::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_formula_proposes_as_vietnam_md_3_6_shows() {
        for (old, new) in [
            ("000.00.00.H62", "H62"),
            ("000.00.11.H62", "H62.11"),
            ("000.05.11.H62", "H62.11.05"),
            ("002.00.20.H13", "H13.20.00.002"),
        ] {
            assert_eq!(
                AgencyCode::parse(old).unwrap().proposed_counterpart().unwrap().as_str(),
                new
            );
            assert_eq!(
                AgencyCode::parse(new).unwrap().proposed_counterpart().unwrap().as_str(),
                old
            );
        }
        assert_eq!(AgencyCode::parse("H37.DN.001").unwrap().proposed_counterpart(), None);
    }

    #[test]
    fn a_pattern_covers_what_stands_below_and_nothing_beside() {
        let pattern = |text| CodePattern::parse(text).unwrap();
        let code = |text| AgencyCode::parse(text).unwrap();
        assert!(pattern("H62.*").matches(&code("H62")) && pattern("H62.*").matches(&code("H62.11")));
        assert!(!pattern("H62.*").matches(&code("H621.1")) && !pattern("H62.*").matches(&code("H44")));
        assert!(pattern("*.H62").matches(&code("000.00.11.H62")) && !pattern("*.H62").matches(&code("000.00.11.H61")));
        assert!(pattern("H62.11").matches(&code("H62.11")) && !pattern("H62.11").matches(&code("H62.11.02")));
    }

    proptest! {
        #[test]
        fn any_text_is_either_a_code_that_reads_back_or_refused(text in ".{0,40}") {
            if let Ok(code) = AgencyCode::parse(&text) {
                prop_assert_eq!(code.as_str(), &text);
                let stored = AgencyId::stored(code.as_str()).unwrap();
                prop_assert_eq!(stored.as_str(), &text);
                drop(code.proposed_counterpart());
            }
        }

        #[test]
        fn an_old_code_survives_the_way_there_and_back(v in 0u32..1000, z in 0u32..100, y in 0u32..100, top in 0u32..100) {
            let old = AgencyCode::parse(&format!("{v:03}.{z:02}.{y:02}.H{top:02}")).unwrap();
            prop_assert_eq!(old.proposed_counterpart().unwrap().proposed_counterpart().unwrap(), old);
        }
    }
}
