//! The process's side: the port `Exchange` and the reader of objects, over a stream that is dialled again when it ends.

mod dial;
mod link;
mod port;
mod read;
mod serve;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use lgsp_proto::ViewOf;
use lgsp_proto::adapter::v1::exchange_answer::Answer;
use lgsp_proto::adapter::v1::{AttachRequest, ExchangeAnswer, ExchangeCall, attach_request, exchange_call};
use lgsp_types::{Adapter, Caller, Cause, SystemId, TraceContext};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tracing::{info, warn};

use super::asked::Ticket;
use super::content::{Allowance, Outlet, passage};
use super::table::Content;
use crate::client::{ConnectError, Endpoint};
use dial::Dial;
#[cfg(test)]
pub(super) use dial::{Coming, Dialling, Leaving};
use link::Link;
use read::Sources;

/// A stream that lived so long was no failure: the next is dialled at once.
const LIVED: Duration = Duration::from_secs(10);

/// How a process behaves towards its node.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Name and version of the program.
    pub program: String,
    /// Kind of adapter, as connectors name it.
    pub kind: String,
    /// The systems it speaks as; none: all that the registry lists for it.
    pub systems: Vec<SystemId>,
    /// Longest wait of a call for a stream while there is none.
    pub connect_wait: Duration,
    /// Longest wait for the answer to a call, or for the next piece of content.
    pub answer_timeout: Duration,
    /// First pause after a failure; it doubles with each.
    pub retry_first: Duration,
    /// Longest pause.
    pub retry_max: Duration,
}

/// The exchange, as an adapter in another process has it. Cheap to clone.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    settings: RemoteSettings,
    dial: Dial,
    /// What answers the node's calls; none: this process has no far sides that the node pushes to.
    adapter: Option<Arc<dyn Adapter>>,
    /// The stream that takes new calls.
    current: watch::Sender<Option<Arc<Link>>>,
    /// Counts arrivals.
    arrived: watch::Sender<u64>,
    view: ArcSwap<ViewOf>,
    sources: Sources,
    streams: AtomicU64,
    tasks: TaskTracker,
}

/// Why there is no stream now; the next attempt comes by itself.
#[derive(Debug, Error)]
pub(super) enum DialError {
    #[error("the node cannot be reached")]
    Connect(#[from] ConnectError),
    #[error("the node did not let this adapter in")]
    Refused(#[from] Box<Status>),
    #[error("the node did not greet in time, or in order")]
    Greeting,
}

/// A call on its way, and what it moves.
struct Sent {
    link: Arc<Link>,
    ticket: Ticket<ExchangeAnswer, AttachRequest>,
    moving: Moving,
}

/// Content of a call of ours.
enum Moving {
    Nothing,
    Out(Arc<Allowance>),
    In(Outlet<()>),
}

/// What a call moves: the end of it that frames are put to, and the other for us.
fn moving(call: &exchange_call::Call) -> (Content<()>, Moving) {
    match call {
        exchange_call::Call::Upload(_) => {
            let allowance = Arc::new(Allowance::new(0));
            (Content::Out(Arc::clone(&allowance)), Moving::Out(allowance))
        }
        exchange_call::Call::ReadObject(_) => {
            let (inlet, mut outlet) = passage();
            // What the call itself gives credit for.
            outlet.open();
            (Content::In(inlet), Moving::In(outlet))
        }
        exchange_call::Call::Publish(_)
        | exchange_call::Call::Reject(_)
        | exchange_call::Call::Open(_)
        | exchange_call::Call::Fetch(_)
        | exchange_call::Call::Acknowledge(_)
        | exchange_call::Call::GetMessage(_)
        | exchange_call::Call::Withdraw(_) => (Content::None, Moving::Nothing),
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Unanswered {
    /// Certainly not done.
    #[error("the node could not be reached")]
    NotSent,
    /// Perhaps done.
    #[error("the node did not answer")]
    Lost,
}

impl Remote {
    /// For a node at this address. Nothing is dialled before [`Self::run`].
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: RemoteSettings, adapter: Option<Arc<dyn Adapter>>) -> Self {
        Self::over(dial::to(endpoint), settings, adapter)
    }

    pub(super) fn over(dial: Dial, settings: RemoteSettings, adapter: Option<Arc<dyn Adapter>>) -> Self {
        Self(Arc::new(Inner {
            settings,
            dial,
            adapter,
            current: watch::Sender::new(None),
            arrived: watch::Sender::new(0),
            view: ArcSwap::default(),
            sources: Sources::default(),
            streams: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        }))
    }

    /// The systems that it speaks as, as the node showed them last.
    #[must_use]
    pub fn systems(&self) -> Vec<lgsp_types::SystemView> {
        self.0.view.load().systems.clone()
    }

    /// Waits until the node has let this process in and shown it the registry. Cancel safe.
    pub async fn attached(&self) {
        let mut current = self.0.current.subscribe();
        // The sender is ours: it does not end before us.
        drop(current.wait_for(Option::is_some).await);
    }

    /// Holds a stream to the node, and dials again whenever it ends, until `stop`; then ends what is in flight, for at
    /// most `grace`.
    pub async fn run(&self, stop: CancellationToken, grace: Duration) {
        let mut pause = self.0.settings.retry_first;
        let mut said = None;
        while !stop.is_cancelled() {
            let opened = tokio::select! { () = stop.cancelled() => break, opened = self.open() => opened };
            let link = match opened {
                Ok(link) => {
                    said = None;
                    link
                }
                Err(error) => {
                    say_once(&mut said, &error);
                    tokio::select! { () = stop.cancelled() => break, () = sleep(pause) => {} }
                    pause = (pause * 2).min(self.0.settings.retry_max);
                    continue;
                }
            };
            let since = Instant::now();
            self.0.current.send_replace(Some(Arc::clone(&link)));
            // What arrived while there was no stream was told to nobody.
            self.0.arrived.send_modify(|arrived| *arrived = arrived.wrapping_add(1));
            tokio::select! { () = stop.cancelled() => {}, () = link.closing() => {} }
            self.0.current.send_replace(None);
            if stop.is_cancelled() {
                link.drain(grace).await;
                break;
            }
            if link.is_draining() || since.elapsed() >= LIVED {
                pause = self.0.settings.retry_first;
            } else {
                tokio::select! { () = stop.cancelled() => break, () = sleep(pause) => {} }
                pause = (pause * 2).min(self.0.settings.retry_max);
            }
        }
        self.0.tasks.close();
        if timeout(grace, self.0.tasks.wait()).await.is_err() {
            warn!(tasks = self.0.tasks.len(), "calls are cut off at the end of the grace");
        }
        info!("detached from the node");
    }

    /// One call over the stream of this moment, or over the next one if that ends before the call is sent. `trace`: none,
    /// the node begins one.
    async fn send(
        &self,
        system: &SystemId,
        trace: Option<TraceContext>,
        call: exchange_call::Call,
    ) -> Result<Sent, Unanswered> {
        let trace = trace.map(|trace| trace.to_string()).unwrap_or_default();
        let deadline = Instant::now() + self.0.settings.connect_wait;
        let mut current = self.0.current.subscribe();
        loop {
            let takes_calls = |link: &Option<Arc<Link>>| link.as_ref().is_some_and(|link| link.takes_calls());
            let link = match timeout_at(deadline, current.wait_for(takes_calls)).await {
                Ok(Ok(link)) => link.clone(),
                Ok(Err(_)) | Err(_) => None,
            };
            let link = link.ok_or(Unanswered::NotSent)?;
            let (content, moving) = moving(&call);
            let frame = |call_id| {
                link::frame(attach_request::Frame::Call(ExchangeCall {
                    call_id,
                    system: system.to_string(),
                    call: Some(call.clone()),
                    trace: trace.clone(),
                }))
            };
            let asked = link.asked.ask(&link.line, content, frame, link::cancel);
            match timeout(self.0.settings.answer_timeout, asked).await {
                Ok(Ok(ticket)) => return Ok(Sent { link, ticket, moving }),
                // That stream is gone; another may be there in time.
                Ok(Err(_)) => {}
                Err(_) => return Err(Unanswered::NotSent),
            }
        }
    }

    /// A call without content of its own.
    async fn ask(&self, caller: &Caller, call: exchange_call::Call) -> Result<Answer, Unanswered> {
        let mut ticket = self.send(&caller.system, Some(caller.trace), call).await?.ticket;
        let answer = timeout(self.0.settings.answer_timeout, ticket.answer()).await;
        let answer = answer.map_err(|_| Unanswered::Lost)?.map_err(|_| Unanswered::Lost)?;
        answer.answer.ok_or(Unanswered::Lost)
    }

    fn next_stream(&self) -> u64 {
        self.0.streams.fetch_add(1, Ordering::AcqRel)
    }
}

/// The same trouble is said once, not at each attempt.
fn say_once(said: &mut Option<String>, error: &DialError) {
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    if said.as_ref() != Some(&text) {
        warn!(
            error = error as &dyn std::error::Error,
            "no stream to the node; dialling again"
        );
    }
    *said = Some(text);
}

fn unavailable(error: impl Into<Cause>) -> lgsp_types::Unavailable {
    lgsp_types::Unavailable::new(error)
}

impl fmt::Debug for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Remote")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
