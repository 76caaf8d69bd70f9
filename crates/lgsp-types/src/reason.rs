//! Reasons: stable codes, and what a caller is told with them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vietnamese::by_code;

/// A stable reason code, e.g. `ADDRESSEE_UNKNOWN`: the same in answers, facts, logs, console and documentation.
///
/// 1 to 40 of `A-Z 0-9 _`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasonCode(Cow<'static, str>);

/// Why a text is no reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a reason code of 1 to 40 of A-Z, 0-9 and _")]
pub struct ReasonCodeError;

impl ReasonCode {
    /// A code that the program itself names; a wrong one fails to compile when used in a `const`.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        assert!(fits(code.as_bytes()), "a reason code is 1 to 40 of A-Z, 0-9 and _");
        Self(Cow::Borrowed(code))
    }

    /// Reads a code that was stored or sent.
    ///
    /// # Errors
    /// [`ReasonCodeError`].
    pub fn parse(text: &str) -> Result<Self, ReasonCodeError> {
        if fits(text.as_bytes()) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ReasonCodeError)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn fits(text: &[u8]) -> bool {
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        if !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_') {
            return false;
        }
        rest = tail;
    }
    !text.is_empty() && text.len() <= 40 && matches!(text, [b'A'..=b'Z', ..])
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for ReasonCode {
    type Error = ReasonCodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ReasonCode> for String {
    fn from(code: ReasonCode) -> Self {
        code.0.into_owned()
    }
}

/// One thing that is wrong with what a caller sent: stable code, where, what, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} at {path}: {what}; {mend}")]
pub struct Refusal {
    pub code: ReasonCode,
    /// The exact place in what was sent; `/` for the whole.
    pub path: String,
    /// What is wrong, lower case, no payload and no person's data; a code of an agency may stand there.
    pub what: String,
    /// What the caller should do.
    pub mend: String,
    /// Both in Vietnamese, where the rule says them itself; [`Self::vietnamese`] is what a person is told.
    pub in_vietnamese: Option<String>,
}

impl Refusal {
    #[must_use]
    pub fn new(code: ReasonCode, path: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            what: what.into(),
            mend: mend.into(),
            in_vietnamese: None,
        }
    }

    /// What is wrong and what to do, in Vietnamese; none: the code is not the platform's own.
    #[must_use]
    pub fn vietnamese(&self) -> Option<&str> {
        self.in_vietnamese.as_deref().or_else(|| by_code(self.code.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_capitals_digits_and_underscores() {
        assert_eq!(ReasonCode::parse("CHARSET").unwrap(), ReasonCode::new("CHARSET"));
        for bad in ["", "charset", "A-B", "1A", "_A", &"A".repeat(41), "ĐA"] {
            assert!(ReasonCode::parse(bad).is_err(), "{bad}");
        }
    }
}
