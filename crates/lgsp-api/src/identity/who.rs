//! The three kinds of those who call, by one spelling everywhere: `system/<id>`, `adapter/<id>`, `operator/<id>`.

use std::fmt;

use lgsp_types::{AdapterId, NameError, SystemId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A person who operates the platform, by a name that the authority gave: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorId(SystemId);

impl OperatorId {
    /// # Errors
    /// [`NameError`]: ask for another name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // The rule is that of every name of ours.
        SystemId::parse(text).map(Self)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Who calls. Two kinds never meet: a system and an adapter of one name are two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Who {
    /// A piece of software of an agency.
    System(SystemId),
    /// A process that speaks for the systems that the registry lists for it.
    Adapter(AdapterId),
    /// A person who operates the platform.
    Operator(OperatorId),
}

/// Why a text names nobody; say so where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WhoError {
    #[error("is not `system/<id>`, `adapter/<id>` or `operator/<id>`")]
    Kind,
    #[error("the name is not 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(#[source] NameError),
}

impl Who {
    /// Reads `<kind>/<id>` and nothing else.
    ///
    /// # Errors
    /// [`WhoError`].
    pub fn parse(text: &str) -> Result<Self, WhoError> {
        let (kind, name) = text.split_once('/').ok_or(WhoError::Kind)?;
        match kind {
            "system" => SystemId::parse(name).map(Self::System),
            "adapter" => AdapterId::parse(name).map(Self::Adapter),
            "operator" => OperatorId::parse(name).map(Self::Operator),
            _ => return Err(WhoError::Kind),
        }
        .map_err(WhoError::Name)
    }

    /// The name without its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::System(id) => id.as_str(),
            Self::Adapter(id) => id.as_str(),
            Self::Operator(id) => id.as_str(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::Adapter(_) => "adapter",
            Self::Operator(_) => "operator",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.kind(), self.name())
    }
}

impl TryFrom<String> for Who {
    type Error = WhoError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Who> for String {
    fn from(who: Who) -> Self {
        who.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_names_one_caller() {
        for text in ["system/vp.stp.01", "adapter/vxp_1", "operator/Lan-2"] {
            assert_eq!(Who::parse(text).unwrap().to_string(), text);
        }
        assert_ne!(Who::parse("system/a").unwrap(), Who::parse("adapter/a").unwrap());
        for (text, error) in [
            ("", WhoError::Kind),
            ("system", WhoError::Kind),
            ("System/a", WhoError::Kind),
            ("root/a", WhoError::Kind),
        ] {
            assert_eq!(Who::parse(text), Err(error), "{text}");
        }
        for text in ["system/", "system/a/b", "operator/..", "adapter/a b", "system/đ"] {
            assert!(matches!(Who::parse(text), Err(WhoError::Name(_))), "{text}");
        }
    }
}
