//! `lgsp serve`: one node until it is told to stop.

use std::process::ExitCode;

use clap::Args;

use super::{Failure, NodeArguments, serve_until_told};
use crate::node::{self, NodeError};
use crate::settings::LogFormat;

/// Runs a node; its folder, ledgers and keys are made at the first start
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    node: NodeArguments,
    /// Write the log as JSON, one object per line, whatever log.format says
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut settings = self.node.load()?.settings;
        if self.json {
            settings.log.format = LogFormat::Json;
        }
        let log = settings.log.clone();
        serve_until_told(&log, |stop| async { node::serve(settings, stop).await.map_err(failed) })
    }
}

/// A wrong registry is a wrong configuration; that another node serves now is none, and a reason to start again; everything
/// else is an accident.
fn failed(error: NodeError) -> Failure {
    if matches!(error, NodeError::Lost(_)) {
        return Failure::lost(error);
    }
    if let NodeError::Registry(problems) = error {
        Failure::settings(problems)
    } else {
        Failure::cannot(error)
    }
}
