//! What an authority has issued: every serial, whom it names, until when, and whether it was revoked.

use std::fs;
use std::path::Path;

use lgsp_api::Domain;
use lgsp_files::Existing;
use serde::{Deserialize, Serialize};

use super::{CA_DAMAGED, CA_MISSING};
use crate::private::{self, NotDone};

/// The register of an authority, `register.json` in its folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    pub(crate) domain: Domain,
    /// The common name of the root, which is part of every signature under it.
    pub(crate) root_name: String,
    pub(crate) root_ends_ms: u64,
    /// Number of the next list of revoked certificates; only grows.
    pub(crate) next_crl: u64,
    pub(crate) issued: Vec<Entry>,
}

/// One certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Lower-case hexadecimal digits.
    pub(crate) serial: String,
    /// A URI, or the hosts of a server.
    pub(crate) names: Vec<String>,
    pub(crate) issued_ms: u64,
    pub(crate) ends_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked_ms: Option<u64>,
}

impl Register {
    pub(super) fn read(folder: &Path) -> Result<Self, NotDone> {
        let path = folder.join("register.json");
        let at = path.display().to_string();
        let bytes = fs::read(&path).map_err(|source| {
            NotDone::new(
                CA_MISSING,
                &at,
                "there is no authority here",
                "make one with `lgsp ca init`",
            )
            .because(source)
        })?;
        serde_json::from_slice(&bytes).map_err(|source| {
            NotDone::new(
                CA_DAMAGED,
                &at,
                "it is no register of an authority",
                "restore it from a copy",
            )
            .because(source)
        })
    }

    pub(super) fn write(&self, folder: &Path, existing: Existing) -> Result<(), NotDone> {
        let path = folder.join("register.json");
        let text = serde_json::to_vec_pretty(self).map_err(|source| NotDone::file(&path, source.into()))?;
        private::write(&path, &text, existing)
    }
}
