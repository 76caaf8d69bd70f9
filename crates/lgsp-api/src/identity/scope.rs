//! What a credential is for: the five kinds of calls, and sets of them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::who::Who;

/// One kind of calls. What of it a caller may see or do is decided by the registry, object by object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send messages and upload attachments, and follow what became of them.
    Publish,
    /// Open, fetch and acknowledge deliveries.
    Receive,
    /// Search messages and tell what happened to one.
    Trace,
    /// Receipts, checkpoints and proofs.
    Audit,
    /// Read the registry.
    Registry,
}

impl Scope {
    pub const ALL: [Self; 5] = [Self::Publish, Self::Receive, Self::Trace, Self::Audit, Self::Registry];

    /// # Errors
    /// [`ScopeError`]: name one of [`Self::ALL`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(ScopeError)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Receive => "receive",
            Self::Trace => "trace",
            Self::Audit => "audit",
            Self::Registry => "registry",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not one of publish, receive, trace, audit, registry")]
pub struct ScopeError;

/// What a credential is for, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Scope>", into = "BTreeSet<Scope>")]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// None: a credential for nothing is none.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
        (!scopes.is_empty()).then_some(Self(scopes))
    }

    /// What a certificate is for, by whom it names: who operates sends nothing in the name of a department.
    #[must_use]
    pub fn of(who: &Who) -> Self {
        let scopes: &[Scope] = match who {
            Who::System(_) | Who::Adapter(_) => &Scope::ALL,
            Who::Operator(_) => &[Scope::Trace, Scope::Audit, Scope::Registry],
        };
        Self(scopes.iter().copied().collect())
    }

    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Is everything of this also in the other?
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma}{scope}")?;
        }
        Ok(())
    }
}

impl TryFrom<BTreeSet<Scope>> for Scopes {
    type Error = ScopeError;
    fn try_from(scopes: BTreeSet<Scope>) -> Result<Self, Self::Error> {
        Self::new(scopes).ok_or(ScopeError)
    }
}

impl From<Scopes> for BTreeSet<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}
