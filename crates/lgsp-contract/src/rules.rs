//! Rules that no schema can tell: about today, about state secrecy, about what a document says of itself.
//!
//! A contract names those it wants in `contract.toml`, and whether each refuses or flags.

mod document;
mod secrecy;

use lgsp_types::DocumentDate;
use serde::Deserialize;
use serde_json::Value;

use crate::catalogue::Broken;

/// One rule. Source: vietnam.md 1.16; exchange.md 5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// V4: number, notation, date, kind, subject and signer are there, and not `N/A`.
    Filled,
    /// V5: a date of issue, or the time of a status, not more than a day ahead of today.
    NotAhead,
    /// V9: a replacement says what it replaces, an update what changes.
    SaysWhatChanges,
    /// V10: no mark of state secrecy.
    NoSecrecyMark,
    /// V12: a report on malware in the header of a document.
    AntivirusReport,
}

/// What a rule does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    Refuse,
    Flag,
}

impl Rule {
    /// The name in `contract.toml`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::NotAhead => "not-ahead",
            Self::SaysWhatChanges => "says-what-changes",
            Self::NoSecrecyMark => "no-secrecy-mark",
            Self::AntivirusReport => "antivirus-report",
        }
    }

    pub(crate) fn find(self, payload: &Value, today: DocumentDate) -> Vec<Broken> {
        match self {
            Self::Filled => document::filled(payload),
            Self::NotAhead => document::not_ahead(payload, today),
            Self::SaysWhatChanges => document::says_what_changes(payload),
            Self::NoSecrecyMark => secrecy::marks(payload),
            Self::AntivirusReport => document::antivirus_report(payload),
        }
    }
}
