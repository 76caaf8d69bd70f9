//! `lgsp config`: the settings in force, and where each comes from.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Failure, NodeArguments};
use crate::{contract_files, registry_files};

/// Shows every setting with its value and origin; exits with 2 and says what is wrong if one is
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    node: NodeArguments,
    /// Also read contracts and registry files, as `serve` would
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let loaded = self.node.load()?;
        if self.check {
            contract_files::check(&loaded.settings.contracts.folders).map_err(Failure::settings)?;
            registry_files::check(&loaded.settings.registry.files).map_err(Failure::settings)?;
        }
        let mut out = io::stdout().lock();
        let rows = loaded.layers.listed();
        if self.json {
            let settings: Vec<_> = rows
                .into_iter()
                .map(|(path, value, origin)| json!({"setting": path, "value": value, "origin": origin.to_string()}))
                .collect();
            writeln!(out, "{:#}", json!({ "settings": settings }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let width = rows
            .iter()
            .map(|(path, value, _)| path.len() + value.len())
            .max()
            .unwrap_or(0)
            + 3;
        for (path, value, origin) in rows {
            writeln!(out, "{:<width$}  # {origin}", format!("{path} = {value}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
