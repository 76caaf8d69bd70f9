//! The node's side: lets adapter processes in, and calls them as if they were adapters of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::Stream;
use lgsp_proto::adapter::v1::adapter_gateway_server::AdapterGateway;
use lgsp_proto::adapter::v1::{AttachRequest, AttachResponse};
use lgsp_types::{AdapterId, Clock, DocumentDate, Exchange, ObjectReader, ReasonCode, Refusal, Roster, SystemId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::hosts::Hosts;
use super::line::Line;
use super::session;
use crate::identity::caller::{Principal, Proof};
use crate::identity::certificate::Peer;
use crate::identity::limits::{Held, LimitError, Limits};
use crate::identity::who::Who;
use crate::status::forbidden;
use crate::taken;

const CALLER_KIND: ReasonCode = ReasonCode::new("CALLER_KIND");

/// What a node says of itself to the processes, and allows them.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// As facts name it.
    pub node: SystemId,
    /// Name and version.
    pub program: String,
    /// Unanswered calls of one stream and direction.
    pub calls_in_flight_max: u32,
    /// Largest object, in bytes.
    pub object_max_bytes: u64,
    pub health_interval_ms: u32,
}

/// What the gateway stands on.
pub struct GatewayParts {
    pub exchange: Arc<dyn Exchange>,
    pub objects: Arc<dyn ObjectReader>,
    pub roster: Arc<dyn Roster>,
    pub clock: Clock,
    /// What an adapter may have in flight, as every other caller.
    pub limits: Limits,
    pub settings: GatewaySettings,
}

/// Lets processes in. Cheap to clone; to the exchange it is one more adapter, [`lgsp_types::Adapter`].
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    parts: GatewayParts,
    hosts: Hosts,
    /// Streams, and the calls in them.
    tasks: TaskTracker,
    /// Cancelled when the node stops: streams drain.
    stop: CancellationToken,
    /// A stream is older never: it drains, and its process dials again.
    stay_max: Duration,
}

impl Gateway {
    /// Streams run on `tasks`, and drain at `stop` or when they are as old as `stay_max`.
    #[must_use]
    pub fn new(parts: GatewayParts, tasks: TaskTracker, stop: CancellationToken, stay_max: Duration) -> Self {
        Self(Arc::new(Inner {
            parts,
            hosts: Hosts::default(),
            tasks,
            stop,
            stay_max,
        }))
    }

    pub(super) fn exchange(&self) -> &dyn Exchange {
        &*self.0.parts.exchange
    }

    pub(super) fn objects(&self) -> &dyn ObjectReader {
        &*self.0.parts.objects
    }

    pub(super) fn roster(&self) -> &dyn Roster {
        &*self.0.parts.roster
    }

    pub(super) fn settings(&self) -> &GatewaySettings {
        &self.0.parts.settings
    }

    /// Takes room for bytes, as soon as there is some. None: there never will be.
    pub(super) async fn room(&self, adapter: &AdapterId, bytes: u64) -> Option<Held> {
        let who = Who::Adapter(adapter.clone());
        loop {
            match self.0.parts.limits.bytes(&who, bytes, Instant::now()) {
                Ok(held) => return Some(held),
                Err(LimitError::Busy { retry_after, .. }) => sleep(retry_after).await,
                Err(LimitError::Never { .. }) => return None,
            }
        }
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(super) async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    pub(super) fn stay_max(&self) -> Duration {
        self.0.stay_max
    }

    pub(super) fn today(&self) -> DocumentDate {
        (self.0.parts.clock)().day_in_vietnam()
    }

    pub(super) fn health_interval(&self) -> Duration {
        Duration::from_millis(self.0.parts.settings.health_interval_ms.max(1).into())
    }

    /// Holds one stream of this adapter; what is answered goes out as the stream that is returned.
    pub(super) fn hold<S>(
        &self,
        adapter: AdapterId,
        peer: Option<Peer>,
        frames: S,
    ) -> impl Stream<Item = Result<AttachResponse, Status>> + Send + 'static + use<S>
    where
        S: Stream<Item = Result<AttachRequest, Status>> + Send + Unpin + 'static,
    {
        let (line, leaving) = Line::new();
        self.0
            .tasks
            .spawn(session::hold(self.clone(), adapter, peer, line, frames));
        leaving
    }
}

#[tonic::async_trait]
impl AdapterGateway for Gateway {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<AttachResponse, Status>> + Send>>;

    async fn attach(&self, request: Request<Streaming<AttachRequest>>) -> Result<Response<Self::AttachStream>, Status> {
        // Only the door lets calls in, and the certificate is asked as long as the stream stays.
        let no_door = || Status::internal("a call that did not come through the door");
        let principal = request.extensions().get::<Principal>().ok_or_else(no_door)?;
        let adapter = adapter_of(principal).map_err(|refusal| forbidden(&refusal))?;
        let peer = &request.extensions().get::<taken::Line>().ok_or_else(no_door)?.peer;
        let leaving = self.hold(adapter, Some(peer.clone()), request.into_inner());
        Ok(Response::new(Box::pin(leaving)))
    }
}

/// A token can be carried away from its process; a key that stays where it is made vouches for other systems' callers.
fn adapter_of(principal: &Principal) -> Result<AdapterId, Refusal> {
    match (principal.who(), principal.proof()) {
        (Who::Adapter(adapter), Proof::Certificate | Proof::Both(_)) => Ok(adapter.clone()),
        _ => Err(Refusal::new(
            CALLER_KIND,
            "/certificate",
            "the caller is no adapter with a certificate",
            "connect with a certificate `lgsp://<domain>/adapter/<id>`",
        )),
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Gateway")
            .field("settings", &self.0.parts.settings)
            .field("hosts", &self.0.hosts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayParts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GatewayParts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
