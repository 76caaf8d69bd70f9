//! Who connects: systems, connectors, adapters, and the caller they make up together.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{TraceContext, Traceparent};

/// Longest name of a system, connector, adapter or agency id, in bytes.
const NAME_MAX: usize = 64;

/// Why a text is no name of a system, connector, adapter or agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("name is empty")]
    Empty,
    #[error("name is longer than {NAME_MAX} characters")]
    TooLong,
    #[error("name has a character that is not allowed at {at}")]
    Character { at: usize },
    #[error("name begins or ends with a dot, or has two in a row")]
    Dots,
}

pub(crate) fn check_name(text: &str, allowed: impl Fn(u8) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    if let Some(at) = text.bytes().position(|byte| !allowed(byte)) {
        return Err(NameError::Character { at });
    }
    // A name is also a file name of a secret: no way up, no hidden file.
    if text.split('.').any(str::is_empty) {
        return Err(NameError::Dots);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// # Errors
            /// [`NameError`] when the text is not 1 to 64 of `A-Z a-z 0-9 . _ -`, or its dots are misplaced.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check_name(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))?;
                Ok(Self(text.to_owned()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// A piece of software of an agency: the identity that connects. Towards VXP it is the `systemid`.
    SystemId
);
name!(
    /// One configured adapter that binds one system to the exchange.
    ConnectorId
);
name!(
    /// A running adapter: the façade of this node, or a process of its own that speaks as several systems.
    AdapterId
);

name!(
    /// A right to send: its name in the registry, and in the refusals that say which rule refused.
    GrantId
);

/// What a node does by itself it does as its own adapter: both names have the same letters.
impl From<&SystemId> for AdapterId {
    fn from(node: &SystemId) -> Self {
        Self(node.0.clone())
    }
}

/// Who a call comes from, proven by the adapter that passes it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The system whose credential was shown.
    pub system: SystemId,
    /// The adapter that checked the credential.
    pub adapter: AdapterId,
    /// The trace that the call is part of.
    pub trace: TraceContext,
}

impl Caller {
    /// The same caller, with something that belongs to another trace.
    #[must_use]
    pub fn in_trace(&self, trace: Traceparent) -> Self {
        Self {
            trace: TraceContext::Named(trace),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_never_be_a_path() {
        for bad in [
            "", "..", "../x", "a/b", "a\\b", ".hidden", "a..b", "a b", "a'b", "dấu", "a\0b",
        ] {
            assert!(SystemId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(SystemId::parse("vxp.vinhphuc.01").unwrap().as_str(), "vxp.vinhphuc.01");
        assert_eq!(SystemId::parse(&"x".repeat(65)), Err(NameError::TooLong));
    }
}
