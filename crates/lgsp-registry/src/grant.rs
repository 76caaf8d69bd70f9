//! Grants: who may send what to whom, for which purpose, from when until when. What no grant allows is refused.

use std::fmt;

use lgsp_types::{CodePattern, ContractRef, DocumentDate, GrantId, SystemId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::term::Period;

/// One right to send. Source: architecture.md section 2; exchange.md section 3.
///
/// Agencies are meant by any of the codes they have on the day of acceptance, of either scheme. At least one of `senders`
/// and `systems` is there; where both are, both have to fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub id: GrantId,
    /// What may be sent; 1 to 100.
    pub contracts: Vec<ContractRange>,
    /// The agencies that may send, at most 1000; none: every agency that one of `systems` speaks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<CodePattern>,
    /// By which systems they may send, at most 1000; none: by every one that speaks for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<SystemId>,
    /// The agencies that may be sent to, 1 to 1000; who follows a closed one receives by its own code, or by that one's.
    pub addressees: Vec<CodePattern>,
    /// Codes of purposes, at most 100 of at most 64 bytes; `""` stands for a message that states none. None: only those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// First day; none: longer ago than anybody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DocumentDate>,
    /// Last day; none: until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DocumentDate>,
    /// The act that grants it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub legal_basis: String,
}

impl Grant {
    #[must_use]
    pub const fn period(&self) -> Period {
        Period {
            from: self.from,
            to: self.to,
        }
    }

    /// Whether a message may state this purpose, or none where it is empty.
    #[must_use]
    pub fn allows_purpose(&self, purpose: &str) -> bool {
        if self.purposes.is_empty() {
            purpose.is_empty()
        } else {
            self.purposes.iter().any(|known| known == purpose)
        }
    }

    #[must_use]
    pub fn allows_contract(&self, contract: &ContractRef) -> bool {
        self.contracts.iter().any(|range| range.contains(contract))
    }

    #[must_use]
    pub fn allows_system(&self, system: &SystemId) -> bool {
        self.systems.is_empty() || self.systems.contains(system)
    }
}

/// In words, for people.
impl fmt::Display for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = |patterns: &[CodePattern]| quoted(patterns.iter().map(CodePattern::as_str));
        let systems = quoted(self.systems.iter().map(SystemId::as_str));
        write!(out, "`{}`: ", self.id)?;
        match (self.senders.is_empty(), self.systems.is_empty()) {
            (true, _) => write!(out, "whoever {systems} speaks for")?,
            (false, true) => out.write_str(&patterns(&self.senders))?,
            (false, false) => write!(out, "{} by {systems}", patterns(&self.senders))?,
        }
        let contracts = quoted(self.contracts.iter().map(ToString::to_string));
        write!(out, " may send {contracts} to {}", patterns(&self.addressees))?;
        write!(out, ", for {}, {}", purposes(&self.purposes), self.period())?;
        if !self.legal_basis.is_empty() {
            write!(out, " ({})", self.legal_basis)?;
        }
        Ok(())
    }
}

/// The purposes of a grant, in words.
pub(crate) fn purposes(purposes: &[String]) -> String {
    if purposes.is_empty() {
        return "no stated purpose".to_owned();
    }
    let named = |purpose: &String| match purpose.as_str() {
        "" => "no stated purpose".to_owned(),
        purpose => format!("`{purpose}`"),
    };
    purposes.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn quoted<T: fmt::Display>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A contract and its versions: `vn.lgsp.document/1`, `vn.lgsp.document/1-3`, `vn.lgsp.document/2-*` from the second on,
/// `vn.lgsp.document/*` every one that is and will be. Each range has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContractRange {
    name: String,
    first: u32,
    /// None: every later one.
    last: Option<u32>,
}

/// A text names no versions of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "is not a contract with its versions, as in `vn.lgsp.document/1`, `vn.lgsp.document/1-3`, `vn.lgsp.document/2-*` or \
     `vn.lgsp.document/*`"
)]
pub struct ContractRangeError;

impl ContractRange {
    /// # Errors
    /// [`ContractRangeError`]; refuse the field and name its path.
    pub fn parse(text: &str) -> Result<Self, ContractRangeError> {
        let (name, versions) = text.split_once('/').ok_or(ContractRangeError)?;
        let version = |text: &str| {
            let contract = ContractRef::parse(&format!("{name}/{text}")).map_err(|_| ContractRangeError)?;
            Ok(contract.version())
        };
        let (first, last) = match versions.split_once('-') {
            None if versions == "*" => (version("1")?, None),
            None => (version(versions)?, Some(version(versions)?)),
            Some((first, "*")) => (version(first)?, None),
            Some((first, last)) => (version(first)?, Some(version(last)?)),
        };
        let range = Self {
            name: name.to_owned(),
            first,
            last,
        };
        let is_forward = last.is_none_or(|last| first <= last);
        if is_forward && range.to_string() == text {
            Ok(range)
        } else {
            Err(ContractRangeError)
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn contains(&self, contract: &ContractRef) -> bool {
        let version = contract.version();
        contract.name() == self.name && self.first <= version && self.last.is_none_or(|last| version <= last)
    }
}

impl fmt::Display for ContractRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, first, last } = self;
        match last {
            None if *first == 1 => write!(out, "{name}/*"),
            None => write!(out, "{name}/{first}-*"),
            Some(last) if last == first => write!(out, "{name}/{first}"),
            Some(last) => write!(out, "{name}/{first}-{last}"),
        }
    }
}

impl TryFrom<String> for ContractRange {
    type Error = ContractRangeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ContractRange> for String {
    fn from(range: ContractRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_versions_has_one_spelling() {
        for (text, held) in [
            ("a.b/1", "1"),
            ("a.b/1-3", "1 2 3"),
            ("a.b/2-*", "2 3 9999"),
            ("a.b/*", "1 2 3 9999"),
        ] {
            let range = ContractRange::parse(text).unwrap();
            assert_eq!((range.to_string().as_str(), range.name()), (text, "a.b"));
            for version in ["1", "2", "3", "4", "9999"] {
                let contract = ContractRef::parse(&format!("a.b/{version}")).unwrap();
                let is_held = held.split(' ').any(|held| held == version) || version == "4" && text.ends_with('*');
                assert_eq!(range.contains(&contract), is_held, "{contract} in {text}");
            }
            assert!(!range.contains(&ContractRef::parse("a.c/1").unwrap()));
        }
        for bad in [
            "a.b",
            "a.b/",
            "a.b/0",
            "a.b/1-*",
            "a.b/2-2",
            "a.b/3-1",
            "a.b/1-2-3",
            "a.b/**",
            "a.b/-3",
            "A/1",
            "/1",
            "a/b/1",
            "*/1",
            "a.b/10000",
            "a.b/01",
        ] {
            assert_eq!(ContractRange::parse(bad), Err(ContractRangeError), "{bad}");
        }
    }

    #[test]
    fn a_grant_is_told_in_words() {
        let told = |text: &str| serde_json::from_str::<Grant>(text).unwrap().to_string();
        assert_eq!(
            told(r#"{"id":"g","contracts":["a.b/1-3","a.c/*"],"senders":["H44.*"],"addressees":["H44.*","H62"]}"#),
            "`g`: `H44.*` may send `a.b/1-3`, `a.c/*` to `H44.*`, `H62`, for no stated purpose, always"
        );
        assert_eq!(
            told(
                r#"{"id":"g","contracts":["a.b/1"],"systems":["s"],"addressees":["H62"],"purposes":["", "p"],"to":"2026-12-31","legal_basis":"QĐ 1"}"#
            ),
            "`g`: whoever `s` speaks for may send `a.b/1` to `H62`, for no stated purpose, `p`, until 2026-12-31 (QĐ 1)"
        );
    }
}
