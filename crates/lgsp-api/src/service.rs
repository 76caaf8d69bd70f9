//! The services: each reads what came, asks a port, and writes what it answered.

pub(crate) mod exchange;
pub(crate) mod history;
pub(crate) mod operations;
pub(crate) mod registry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lgsp_types::{AdapterId, Caller, Exchange, ObjectReader, ReasonCode, Refusal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Status};

use crate::identity::caller::Principal;
use crate::identity::limits::{Held, LimitError, Limits};
use crate::identity::scope::Scope;
use crate::identity::who::Who;
use crate::status::{ToStatus as _, forbidden};

/// Who passes on what comes through gRPC, as facts name it.
const ADAPTER: &str = "grpc";
/// How long a stream may bring nothing, or take nothing, while something is due.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What all services share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) objects: Arc<dyn ObjectReader>,
    pub(crate) limits: Limits,
    /// Streams' own work.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the node stops: streams end.
    pub(crate) stop: CancellationToken,
}

impl Common {
    /// Takes room for bytes, as soon as there is some; a stream pauses where a single call would be refused.
    pub(crate) async fn room(&self, who: &Who, bytes: u64) -> Result<Held, LimitError> {
        loop {
            match self.limits.bytes(who, bytes, Instant::now()) {
                Err(LimitError::Busy { retry_after, .. }) => tokio::time::sleep(retry_after).await,
                settled => return settled,
            }
        }
    }

    /// Counts one message of a stream, as soon as it may come.
    pub(crate) async fn turn(&self, who: &Who) {
        while let Err(LimitError::Busy { retry_after, .. }) = self.limits.call(who, Instant::now()) {
            tokio::time::sleep(retry_after).await;
        }
    }
}

/// Who makes this call, whose credential is for calls of this kind.
pub(crate) fn principal<T>(request: &Request<T>, scope: Scope) -> Result<Principal, Status> {
    let principal = request.extensions().get::<Principal>().cloned();
    // Only the door lets calls in.
    let principal = principal.ok_or_else(|| Status::internal("a call that did not come through the door"))?;
    principal.need(scope).map_err(|refusal| forbidden(&refusal))?;
    Ok(principal)
}

/// The system that makes this call, as the ports know it.
pub(crate) fn caller(principal: &Principal) -> Result<Caller, Status> {
    let system = principal.system().map_err(|refusal| forbidden(&refusal))?.clone();
    let adapter = match principal.through() {
        Some(adapter) => adapter.clone(),
        None => AdapterId::parse(ADAPTER).map_err(|_| Status::internal("a name of ours is none"))?,
    };
    Ok(Caller { system, adapter })
}

/// The node stops; what was not answered was perhaps done.
pub(crate) fn stopping() -> Status {
    crate::status::node_stops()
}

/// A stream that its far side left lying.
pub(crate) fn out_of_patience() -> Status {
    let refusal = Refusal::new(
        ReasonCode::new("STREAM_IDLE"),
        "/",
        format!("nothing came, or nothing was taken, for {} seconds", PATIENCE.as_secs()),
        "open a new stream when there is something",
    );
    crate::status::too_late(&refusal)
}

pub(crate) fn limited(error: &LimitError) -> Status {
    error.status()
}
