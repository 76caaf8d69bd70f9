//! The demo's certificates and tokens, made by the commands that an operator uses.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::cast::System;
use super::lgsp;
use crate::commands::Failure;

/// What the names in the demo's certificates begin with.
pub(super) const DOMAIN: &str = "demo.lgsp.vn";
/// The façade's own process.
pub(super) const ADAPTER: &str = "vxp-demo";

/// Where the certificates lie: the authority's in `ca`, everybody's in `papers`.
#[derive(Debug)]
pub(super) struct Papers {
    folder: PathBuf,
}

impl Papers {
    /// Makes an authority, and a certificate for the node, the adapter, an operator and each system.
    pub(super) fn make(folder: &Path, systems: &mut [System]) -> Result<Self, Failure> {
        let papers = Self {
            folder: folder.to_owned(),
        };
        papers.ca(&["init", "--domain", DOMAIN])?;
        papers.issue("--host", "127.0.0.1")?;
        for who in [format!("adapter/{ADAPTER}"), String::from("operator/demo")] {
            papers.issue("--for", &who)?;
        }
        for system in systems {
            let who = format!("system/{}", system.system);
            papers.issue("--for", &who)?;
            system.cert = papers.of(&who, "pem");
            system.key = papers.of(&who, "key");
        }
        Ok(papers)
    }

    /// Gives each system a token as well; the node's folder must be there.
    pub(super) fn make_tokens(&self, settings: &Path, systems: &mut [System]) -> Result<(), Failure> {
        for system in systems {
            let who = format!("system/{}", system.system);
            let file = self.of(&who, "token");
            let settings = settings.display().to_string();
            let out = file.display().to_string();
            let scopes = "publish,receive,trace,audit,registry";
            lgsp(&[
                "token", "create", "--config", &settings, "--for", &who, "--scope", scopes, "--out", &out,
            ])?;
            system.token = fs::read_to_string(&file)?.trim().to_owned();
            system.token_file = file;
        }
        Ok(())
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca/ca.pem")
    }

    pub(super) fn crl_file(&self) -> PathBuf {
        self.folder.join("ca/crl.pem")
    }

    /// A file of this caller, as in `adapter/vxp-demo`, or of the `server`.
    pub(super) fn of(&self, who: &str, ending: &str) -> PathBuf {
        self.folder
            .join("papers")
            .join(format!("{}.{ending}", who.replace('/', "-")))
    }

    fn issue(&self, option: &str, name: &str) -> Result<(), Failure> {
        let out = self.folder.join("papers").display().to_string();
        self.ca(&["issue", option, name, "--out", &out])
    }

    fn ca(&self, arguments: &[&str]) -> Result<(), Failure> {
        let folder = self.folder.join("ca").display().to_string();
        lgsp(&[&["ca"], arguments, &["--ca", &folder]].concat()).map(drop)
    }
}
