//! The gRPC port of a node: its files, its socket, and the tasks that serve it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use lgsp_api::{
    Callers, Connection, Gateway, GatewaySettings, Limits, Listener, Server, ServerError, ServerParts, Settings, Tls,
    TlsError, TokenFileError, Tokens,
};
use lgsp_types::{Clock, Exchange, ObjectReader, Operations, Roster};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that shook hands and are not taken up yet.
const CONNECTIONS_WAITING: usize = 16;

/// Why there is no gRPC port; an operator mends what is named.
#[derive(Debug, Error)]
pub(crate) enum GrpcError {
    #[error("grpc.listen = `{listen}` cannot be listened on")]
    Listen {
        listen: String,
        #[source]
        source: io::Error,
    },
    #[error("the certificates of gRPC cannot be used")]
    Tls(#[from] TlsError),
    #[error("the tokens cannot be read")]
    Tokens(#[from] TokenFileError),
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// The ports that the services stand on.
pub(crate) struct Ports {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) objects: Arc<dyn ObjectReader>,
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) roster: Arc<dyn Roster>,
    pub(crate) gateway: GatewaySettings,
}

/// A port that listens and does not serve yet.
pub(crate) struct Grpc {
    tls: Tls,
    listener: Listener,
    server: Server,
    address: SocketAddr,
}

impl Grpc {
    /// Opens what the settings name; none: gRPC is not served.
    pub(crate) async fn open(
        settings: &Settings,
        data_dir: &Path,
        ports: Ports,
        clock: Clock,
    ) -> Result<Option<Self>, GrpcError> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let unheard = |source| GrpcError::Listen {
            listen: settings.listen.clone(),
            source,
        };
        let tls = Tls::open(settings.tls(), Arc::clone(&clock))?;
        let tokens = Tokens::open(data_dir)?;
        let tcp = TcpListener::bind(&settings.listen).await.map_err(unheard)?;
        let address = tcp.local_addr().map_err(unheard)?;
        let server = Server::new(ServerParts {
            exchange: ports.exchange,
            objects: ports.objects,
            operations: ports.operations,
            callers: Callers::new(settings.domain.clone(), tokens, Arc::clone(&clock))
                .with_roster(Arc::clone(&ports.roster)),
            roster: ports.roster,
            gateway: ports.gateway,
            limits: Limits::new(settings.limits()),
            clock,
            patience: settings.patience(),
            reflection: settings.reflection,
        });
        Ok(Some(Self {
            listener: Listener::new(tcp, tls.clone(), settings.door()),
            tls,
            server,
            address,
        }))
    }

    /// Where it listens, as callers name it. They need a name that stands in its certificate.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The adapters that run as processes, as one adapter to the exchange.
    pub(crate) fn adapters(&self) -> Gateway {
        self.server.adapters()
    }

    /// Serves until `stop`, then lets calls in progress end.
    pub(crate) async fn serve(self, stop: CancellationToken) -> Result<(), GrpcError> {
        let (connected, connections) = mpsc::channel::<Connection>(CONNECTIONS_WAITING);
        let handshakes = TaskTracker::new();
        let ((), (), served) = tokio::join!(
            self.tls.watch(stop.clone()),
            self.listener.run(connected, handshakes.clone(), stop.clone()),
            self.server.serve(connections, stop),
        );
        handshakes.close();
        handshakes.wait().await;
        Ok(served?)
    }
}
