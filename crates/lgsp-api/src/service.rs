//! The services: each reads what came, asks a port, and writes what it answered.

pub(crate) mod exchange;
pub(crate) mod history;
pub(crate) mod operations;
pub(crate) mod registry;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lgsp_types::{AdapterId, Caller, Exchange, ObjectReader, ReasonCode, Refusal, TraceContext, TraceId, Unavailable};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::{Request, Status};

use crate::identity::caller::Principal;
use crate::identity::limits::{Held, LimitError, Limits};
use crate::identity::scope::Scope;
use crate::identity::who::Who;
use crate::random::random;
use crate::status::{ToStatus as _, forbidden, refused};

/// Who passes on what comes through gRPC, as facts name it.
const ADAPTER: &str = "grpc";

/// What all services share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) objects: Arc<dyn ObjectReader>,
    pub(crate) limits: Limits,
    /// How long a stream may bring nothing while something is due.
    pub(crate) patience: Duration,
    /// Streams' own work.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the node stops: streams end.
    pub(crate) stop: CancellationToken,
}

impl Common {
    /// Begins a part of a stream's work as a task of its own, which ends when nobody waits for it any more.
    ///
    /// Parts are never polled in their stream's loop: while it waits for a far side to take an answer, they would stand
    /// still with whatever they hold, such as a turn at the store, and with them everybody who waits for that.
    pub(crate) fn begin<T: Send + 'static>(&self, part: impl Future<Output = T> + Send + 'static) -> Part<T> {
        Part(AbortOnDropHandle::new(self.tasks.spawn(part)))
    }

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

/// A part of a stream's work.
pub(crate) struct Part<T>(AbortOnDropHandle<T>);

impl<T> Future for Part<T> {
    /// The error: it broke off, by a mistake of ours.
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.0).poll(cx);
        polled.map_err(|error| Unavailable::new(error).status())
    }
}

/// Who makes this call, whose credential is for calls of this kind.
pub(crate) fn principal<T>(request: &Request<T>, scope: Scope) -> Result<Principal, Status> {
    let principal = request.extensions().get::<Principal>().cloned();
    // Only the door lets calls in.
    let principal = principal.ok_or_else(|| Unavailable::new("a call that did not come through the door").status())?;
    principal.need(scope).map_err(|refusal| forbidden(&refusal))?;
    Ok(principal)
}

/// The system that makes this call, as the ports know it.
pub(crate) fn caller<T>(request: &Request<T>, principal: &Principal) -> Result<Caller, Status> {
    let system = principal.system().map_err(|refusal| forbidden(&refusal))?.clone();
    let adapter = match principal.through() {
        Some(adapter) => adapter.clone(),
        None => AdapterId::parse(ADAPTER).map_err(|error| Unavailable::new(error).status())?,
    };
    let trace = match request.extensions().get::<TraceContext>() {
        Some(trace) => *trace,
        None => begun()?,
    };
    Ok(Caller { system, adapter, trace })
}

/// The trace of a call that belongs to none.
pub(crate) fn begun() -> Result<TraceContext, Status> {
    let random = random().map_err(|error| Unavailable::new(error).status())?;
    let trace_id = random.first_chunk().copied().and_then(TraceId::from_bytes);
    let trace_id = trace_id.ok_or_else(|| Unavailable::new("randomness of zeros").status())?;
    Ok(TraceContext::Begun(trace_id))
}

/// The node stops; what was not answered was perhaps done.
pub(crate) fn stopping() -> Status {
    crate::status::node_stops()
}

/// One field of a request is wrong.
pub(crate) fn wrong(code: ReasonCode, path: &str, what: impl Into<String>, mend: &str) -> Status {
    refused(&[Refusal::new(code, path, what, mend)])
}

pub(crate) fn limited(error: &LimitError) -> Status {
    error.status()
}
