//! `lgsp adapter`: one adapter in a process of its own, which dials a node, until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use lgsp_adapters::edxml_vxp::server::Server;
use lgsp_api::Remote;
use lgsp_types::{Exchange, ObjectReader};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::{Failure, environment, serve_until_told};
use crate::node::{BUILD, clock};
use crate::settings::LogFormat;
use crate::settings::adapter::Settings;

/// Runs an adapter outside of the node: it dials the node, and serves when the node has let it in
#[derive(Debug, Args)]
pub(crate) struct Adapter {
    /// Settings that differ from config/adapter.toml
    #[arg(long, value_name = "FILE", env = "LGSP_ADAPTER_CONFIG")]
    config: Option<PathBuf>,
    /// Write the log as JSON, one object per line, whatever log.format says
    #[arg(long)]
    json: bool,
}

impl Adapter {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut settings = Settings::load(self.config.as_deref(), environment()).map_err(Failure::settings)?;
        if self.json {
            settings.log.format = LogFormat::Json;
        }
        serve_until_told(&settings.log, |stop| serve(&settings, stop))
    }
}

/// Dials, waits to be let in, and serves until `stop`; then ends first what callers wait for, then the stream.
async fn serve(settings: &Settings, stop: CancellationToken) -> Result<(), Failure> {
    let remote = Remote::new(settings.endpoint(), settings.remote(BUILD), None);
    let exchange = Arc::new(remote.clone()) as Arc<dyn Exchange>;
    let objects = Arc::new(remote.clone()) as Arc<dyn ObjectReader>;
    // Bound before anything is dialled: an address that is taken is told at once.
    let facade = Server::bind(&settings.vxp, &settings.adapter.secrets_dir, exchange, objects, clock());
    let facade = facade.map_err(Failure::cannot)?;
    let (tasks, detach) = (TaskTracker::new(), CancellationToken::new());
    let (holding, detaching, grace) = (remote.clone(), detach.clone(), settings.stop_grace());
    tasks.spawn(async move { holding.run(detaching, grace).await });
    tasks.close();
    let served = tokio::select! {
        () = stop.cancelled() => Ok(()),
        // Before the node has shown the registry every caller would look like a stranger.
        () = remote.attached() => facade.check_secrets(&remote.systems()).map_err(Failure::cannot),
    };
    if served.is_ok() && !stop.is_cancelled() {
        let vxp = format!("http://{}", facade.local_addr());
        info!(vxp, "serving");
        facade.serve(stop, grace).await;
    }
    detach.cancel();
    tasks.wait().await;
    served
}
