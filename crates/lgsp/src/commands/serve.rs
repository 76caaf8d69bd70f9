//! `lgsp serve`: one node until it is told to stop.

use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Failure, NodeArguments};
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
        crate::log::start(&settings.log).map_err(|error| Failure::cannot(error as Box<dyn std::error::Error>))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async move {
            let stop = CancellationToken::new();
            let served = node::serve(settings, stop.clone());
            tokio::pin!(served);
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! {
                ended = &mut served => return ended.map_err(failed),
                _ = terminate.recv() => info!("told to stop"),
                _ = interrupt.recv() => info!("interrupted"),
            }
            stop.cancel();
            served.await.map_err(failed)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A wrong registry is a wrong configuration; everything else is an accident.
fn failed(error: NodeError) -> Failure {
    if let NodeError::Registry(problems) = error {
        Failure::settings(problems)
    } else {
        Failure::cannot(error)
    }
}
