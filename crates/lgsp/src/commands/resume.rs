//! `lgsp resume`: a far side that is left alone, or switched off, is tried at once.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use http::Method;
use lgsp_types::ConnectorId;

use super::{Failure, NodeArguments};
use crate::home::Home;
use crate::operations::{self, AskError};

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
        let settings = self.node.load()?.settings;
        let socket = Home::new(&settings.node.data_dir).socket();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let call = operations::call(&socket, Method::POST, "/v1/resume", Some(self.connector.as_str()));
        let answer = runtime.block_on(call).map_err(|error| match error {
            error @ AskError::Refused { .. } => Failure::no(error),
            error @ (AskError::NoNode { .. } | AskError::Broken(_) | AskError::Late) => Failure::cannot(error),
        })?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{answer:#}")?;
        } else {
            writeln!(out, "{}  resumed", self.connector)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
