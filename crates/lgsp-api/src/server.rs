//! The gRPC server: every service behind one door, with the limits of HTTP/2 set, and a stop that drains.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lgsp_proto::DESCRIPTORS;
use lgsp_proto::adapter::v1::adapter_gateway_server::AdapterGatewayServer;
use lgsp_proto::audit::v1::audit_server::AuditServer;
use lgsp_proto::exchange::v1::exchange_server::ExchangeServer;
use lgsp_proto::operations::v1::operations_server::OperationsServer;
use lgsp_proto::registry::v1::registry_server::RegistryServer;
use lgsp_types::{Clock, Exchange, ObjectReader, Operations, Roster};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tracing::warn;

use crate::adapter::gateway::{Gateway, GatewayParts, GatewaySettings};
use crate::door::Door;
use crate::identity::caller::Callers;
use crate::identity::limits::Limits;
use crate::identity::listen::Connection;
use crate::service::Common;
use crate::service::exchange::ExchangeService;
use crate::service::operations::OperationsService;
use crate::service::registry::RegistryService;
use crate::taken::Watched;

/// Largest request: a chunk of 1 MiB, or a message with its longest texts.
const REQUEST_MAX_BYTES: usize = 2 * 1024 * 1024;
/// Windows and caps of HTTP/2. Source: reliability.md G12 and its checklist.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAMS_PER_CONNECTION: u32 = 100;
const HEADERS_MAX_BYTES: u32 = 16 * 1024;
const PENDING_RESETS_MAX: usize = 20;
const LOCAL_RESETS_MAX: usize = 256;
const KEEPALIVE: Duration = Duration::from_secs(20);
/// A certificate's life on one connection ends with it.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);
/// Adapter processes come anew before their connection ends.
const ADAPTER_STAY_MAX: Duration = Duration::from_secs(3000);
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(600);

/// What the server stands on.
pub struct ServerParts {
    pub exchange: Arc<dyn Exchange>,
    pub objects: Arc<dyn ObjectReader>,
    pub operations: Arc<dyn Operations>,
    /// Which systems an adapter process may speak as.
    pub roster: Arc<dyn Roster>,
    /// What adapter processes are told and allowed.
    pub gateway: GatewaySettings,
    pub callers: Callers,
    pub limits: Limits,
    pub clock: Clock,
    /// How long a far side may bring nothing, or take nothing, while something is due.
    pub patience: Duration,
    /// Whether callers may ask what there is.
    pub reflection: bool,
}

/// Why there is no server.
#[derive(Debug, Error)]
#[error("the descriptors of the interface cannot be served")]
pub struct ServerError(#[from] tonic_reflection::server::Error);

/// The server, before it serves.
pub struct Server {
    parts: ServerParts,
    tasks: TaskTracker,
    gateway: Gateway,
    /// Adapter processes are told to leave.
    leave: CancellationToken,
}

impl Server {
    #[must_use]
    pub fn new(parts: ServerParts) -> Self {
        let (tasks, leave) = (TaskTracker::new(), CancellationToken::new());
        let gateway = GatewayParts {
            exchange: Arc::clone(&parts.exchange),
            objects: Arc::clone(&parts.objects),
            roster: Arc::clone(&parts.roster),
            clock: Arc::clone(&parts.clock),
            limits: parts.limits.clone(),
            settings: parts.gateway.clone(),
        };
        Self {
            gateway: Gateway::new(gateway, tasks.clone(), leave.clone(), ADAPTER_STAY_MAX),
            parts,
            tasks,
            leave,
        }
    }

    /// The adapters that run as processes, as one adapter to the exchange.
    #[must_use]
    pub fn adapters(&self) -> Gateway {
        self.gateway.clone()
    }

    /// Serves connections until `stop`; then ends streams, lets calls in progress end, and answers.
    ///
    /// Whoever calls it bounds the wait: what is dropped then was not answered.
    ///
    /// # Errors
    /// [`ServerError`]: a mistake of ours in the build; do not start.
    pub async fn serve(
        self,
        connections: mpsc::Receiver<Connection>,
        stop: CancellationToken,
    ) -> Result<(), ServerError> {
        let (parts, leave) = (self.parts, self.leave);
        let (health, health_service) = tonic_health::server::health_reporter();
        let common = Common {
            exchange: Arc::clone(&parts.exchange),
            objects: parts.objects,
            limits: parts.limits.clone(),
            patience: parts.patience,
            tasks: self.tasks.clone(),
            stop: stop.clone(),
        };
        let operations = OperationsService::new(common.clone(), Arc::clone(&parts.operations));
        let exchange = ExchangeServer::new(ExchangeService::new(common, parts.operations))
            .max_decoding_message_size(REQUEST_MAX_BYTES);
        let registry = RegistryServer::new(RegistryService::new(parts.exchange, parts.clock));
        let described = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = parts.reflection.then(|| described().build_v1()).transpose()?;
        let v1alpha = parts.reflection.then(|| described().build_v1alpha()).transpose()?;
        health.set_serving::<ExchangeServer<ExchangeService>>().await;
        health.set_serving::<OperationsServer<OperationsService>>().await;
        let routes = builder()
            .layer(Door::new(parts.callers, parts.limits, parts.patience))
            .add_service(health_service)
            .add_service(exchange)
            .add_service(registry)
            .add_service(OperationsServer::new(operations.clone()))
            .add_service(AuditServer::new(operations))
            .add_service(AdapterGatewayServer::new(self.gateway).max_decoding_message_size(REQUEST_MAX_BYTES))
            .add_optional_service(v1)
            .add_optional_service(v1alpha);
        let patience = parts.patience;
        let incoming = ReceiverStream::new(connections)
            .map(move |connection| Ok::<_, io::Error>(Watched::new(connection, patience)));
        let stopped = stop.clone().cancelled_owned();
        // A task of its own: the server asks its signal no more once no connections come, which a stop brings about too.
        self.tasks.spawn(async move {
            stop.cancelled().await;
            leave.cancel();
            health.set_not_serving::<ExchangeServer<ExchangeService>>().await;
            health.set_not_serving::<OperationsServer<OperationsService>>().await;
        });
        if let Err(error) = routes.serve_with_incoming_shutdown(incoming, stopped).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "the gRPC server ended with an error"
            );
        }
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }
}

fn builder() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADERS_MAX_BYTES)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerParts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServerParts")
            .field("limits", &self.limits)
            .field("reflection", &self.reflection)
            .finish_non_exhaustive()
    }
}
