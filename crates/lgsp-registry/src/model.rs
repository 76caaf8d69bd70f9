//! What the registry holds: agencies, the systems that connect, the connectors between them and the exchange, and the
//! adapters that run as processes.

use std::fmt;

use lgsp_types::{
    AdapterId, AgencyCode, AgencyId, CodePattern, ConnectorId, ContractRef, DocumentDate, NameError, Scheme, SystemId,
};
use serde::{Deserialize, Serialize};

use crate::term::{Period, Term};

/// An organisation with codes, for ever: it is closed, never deleted, and keeps its id through every change.
///
/// Bounds: 50 names, codes, parents and successors each. Source: vietnam.md 14.2; exchange.md section 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub id: AgencyId,
    pub kind: AgencyKind,
    /// First day; none: longer ago than anybody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DocumentDate>,
    /// Last day; none: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DocumentDate>,
    /// At least one; no two on one day.
    pub names: Vec<Term<String>>,
    /// Codes of both schemes, as many as it has. Whose a code is on a day, this table decides, never a formula.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Term<AgencyCode>>,
    /// The agency it stands under; no two on one day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Term<AgencyId>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mail: String,
    /// Who follows a closed agency. The first receives what is still addressed to it; the others are named to people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<AgencyId>,
    /// The act that closed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub legal_basis: String,
    /// The last day on which a closed agency may still send; none: its last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends_until: Option<DocumentDate>,
}

/// What an agency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgencyKind {
    /// Government, ministry, or another body of the centre.
    Central,
    /// People's committee of a province.
    Province,
    /// Department (sở) or body of that rank at a province.
    Department,
    /// People's committee of a district; closed in the whole country on 1 July 2025.
    District,
    /// People's committee of a commune or ward.
    Commune,
    /// A unit below one of these.
    Unit,
    /// An enterprise or another organisation.
    Organisation,
}

/// A piece of software that connects, and the agencies it speaks for. Source: exchange.md section 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Towards VXP the `systemid`.
    pub id: SystemId,
    /// Whose software it is.
    pub agency: AgencyId,
    /// 1 to 1000 codes, or patterns of codes such as `H44.11.*`; either scheme's code of an agency stands for it.
    pub speaks_for: Vec<CodePattern>,
    /// Name of its secret under the secrets folder; the secret itself is in no file of the registry and in no fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<PlainName>,
    /// Random id of the secret in force, as facts name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<PlainName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DocumentDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DocumentDate>,
}

/// One configured adapter that binds one system to the exchange, while the system is active.
/// Source: exchange.md section 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    pub id: ConnectorId,
    pub system: SystemId,
    /// Kind of the adapter: the name of its folder, e.g. `edxml-vxp`.
    pub adapter: PlainName,
    pub mode: Mode,
    /// A pull delivery that waits longer than so many hours is an alarm; 1 to 8760. None: the node's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect_within_hours: Option<u32>,
    /// Of a push connector: the wait before each of its tries, in milliseconds; 1 to 16 waits of 0 to 86,400,000. None:
    /// 0, 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, then 8 h seven times (reliability.md G5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_waits_ms: Vec<u64>,
    /// The agencies it receives for, at most 1000; none: those its system speaks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receives_for: Vec<CodePattern>,
}

/// An adapter that runs as a process of its own, and the systems whose credentials it may check.
///
/// Its own credential is the certificate `lgsp://<domain>/adapter/<id>`. Source: exchange.md section 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    pub id: AdapterId,
    /// 1 to 1000 systems; one that is not active is spoken for by nobody.
    pub speaks_as: Vec<SystemId>,
}

/// One version of a contract as its author wrote it; what it means, `lgsp-contract` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractText {
    pub id: ContractRef,
    /// `schema.json`.
    pub schema: String,
    /// `contract.toml`.
    pub settings: String,
}

/// Who moves a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The exchange calls the far side.
    Push,
    /// The far side comes for it.
    Pull,
}

/// The name of a secret's folder, the id of a key, or a kind of adapter; never a secret.
///
/// 1 to 64 of `A-Z a-z 0-9 . _ -`: it may become a name of a file or folder, and is never a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlainName(String);

impl PlainName {
    /// # Errors
    /// [`NameError`]; refuse the configuration and name its path.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // Systems have names of the same letters, for the same reason.
        SystemId::parse(text).map(|name| Self(name.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlainName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for PlainName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PlainName> for String {
    fn from(name: PlainName) -> Self {
        name.0
    }
}

impl Agency {
    #[must_use]
    pub const fn life(&self) -> Period {
        Period {
            from: self.from,
            to: self.to,
        }
    }

    /// The last day on which it may send; none while it is open.
    #[must_use]
    pub fn last_sending_day(&self) -> Option<DocumentDate> {
        self.to.map(|to| self.sends_until.map_or(to, |until| until.max(to)))
    }

    /// Its name on a day; of a closed agency the last one.
    #[must_use]
    pub fn name_on(&self, day: DocumentDate) -> &str {
        let known = self.term_on(&self.names, day);
        known.or(self.names.first()).map_or("", |term| term.is.as_str())
    }

    /// Who it stands under on a day; of a closed agency the last one.
    #[must_use]
    pub fn parent_on(&self, day: DocumentDate) -> Option<&AgencyId> {
        self.term_on(&self.parents, day).map(|term| &term.is)
    }

    /// Its first code of this scheme on a day, none once it is closed.
    #[must_use]
    pub fn code_on(&self, scheme: Scheme, day: DocumentDate) -> Option<&AgencyCode> {
        let codes = self.codes.iter().filter(|term| term.is.scheme() == scheme);
        let mut valid = codes.filter(|term| term.within(self.life()).contains(day));
        valid.next().map(|term| &term.is)
    }

    /// A code of it on a day, of Decision 20/2020 if it has one; of a closed agency the last one.
    #[must_use]
    pub fn last_code_by(&self, day: DocumentDate) -> Option<&AgencyCode> {
        let day = self.last_day_by(day);
        let any = || self.term_on(&self.codes, day).map(|term| &term.is);
        self.code_on(Scheme::Qd20, day).or_else(any)
    }

    /// The last day that is not after `day` and not after its end: what it looked like then, if it had begun.
    #[must_use]
    pub(crate) fn last_day_by(&self, day: DocumentDate) -> DocumentDate {
        self.to.map_or(day, |to| to.min(day))
    }

    fn term_on<'a, T>(&self, terms: &'a [Term<T>], day: DocumentDate) -> Option<&'a Term<T>> {
        let day = self.last_day_by(day);
        terms.iter().find(|term| term.within(self.life()).contains(day))
    }
}

impl System {
    #[must_use]
    pub const fn life(&self) -> Period {
        Period {
            from: self.from,
            to: self.to,
        }
    }
}

impl Connector {
    /// The codes it receives for.
    #[must_use]
    pub fn receives_for<'a>(&'a self, system: &'a System) -> &'a [CodePattern] {
        if self.receives_for.is_empty() {
            &system.speaks_for
        } else {
            &self.receives_for
        }
    }
}
