//! `lgsp resume`: a far side that is left alone, or switched off, is tried at once.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use lgsp_types::ConnectorId;

use super::asking::Asking;
use super::{Failure, NodeArguments};

/// Has the node of this folder push to a connector again, without waiting until its far side can be reached. One failure
/// more, and it is left alone again; `lgsp status` shows how it stands
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The connector, as `lgsp status` names it
    #[arg(value_name = "CONNECTOR", value_parser = |text: &str| ConnectorId::parse(text))]
    connector: ConnectorId,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Resume {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let answer = Asking::of(&self.node)?.call("/v1/resume", self.connector.as_str())?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{answer:#}")?;
        } else {
            writeln!(out, "{}  resumed", self.connector)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
