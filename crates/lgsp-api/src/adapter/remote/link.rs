//! One stream to the node, from its greeting to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lgsp_proto::adapter::v1::{
    AttachRequest, AttachResponse, Cancel, Drain, ExchangeAnswer, Health, Welcome, attach_request, attach_response,
};
use lgsp_proto::read_view;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{error, info, warn};

use super::Remote;
use super::dial::Coming;
use crate::adapter::HEALTH_MISSED;
use crate::adapter::asked::Asked;
use crate::adapter::fault::Fault;
use crate::adapter::line::Line;
use crate::adapter::table::Table;
use attach_response::Frame as In;

/// A stream that was greeted.
#[derive(Debug)]
pub(super) struct Link {
    /// Counts the streams of this process.
    pub(super) number: u64,
    pub(super) line: Line<AttachRequest>,
    /// Our calls.
    pub(super) asked: Arc<Asked<ExchangeAnswer>>,
    /// The node's calls; none brings content.
    pub(super) table: Table<()>,
    /// Either side said that it ends.
    draining: CancellationToken,
    health_interval: Duration,
}

pub(super) fn frame(frame: attach_request::Frame) -> AttachRequest {
    AttachRequest { frame: Some(frame) }
}

pub(super) fn cancel(call_id: u64) -> AttachRequest {
    frame(attach_request::Frame::Cancel(Cancel { call_id }))
}

/// Why a stream ended without a word of order.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the node ended the stream")]
    ByNode(#[source] Box<Status>),
    #[error("the node broke the rules of the stream")]
    Fault(#[from] Fault),
}

impl Link {
    pub(super) fn new(number: u64, line: Line<AttachRequest>, welcome: &Welcome) -> Self {
        let calls_max = welcome.calls_in_flight_max.max(1) as usize;
        Self {
            number,
            line,
            asked: Arc::new(Asked::new(calls_max)),
            table: Table::new(calls_max),
            draining: CancellationToken::new(),
            health_interval: Duration::from_millis(welcome.health_interval_ms.max(1).into()),
        }
    }

    pub(super) fn takes_calls(&self) -> bool {
        !self.is_draining() && !self.line.end().has_come()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until it takes no new calls. Cancel safe.
    pub(super) async fn closing(&self) {
        tokio::select! { () = self.draining.cancelled() => {}, () = self.line.end().wait() => {} }
    }

    /// Ends it in order: no new calls, those in flight to their end, at most `grace`.
    pub(super) async fn drain(&self, grace: Duration) {
        self.draining.cancel();
        let ended = async {
            if self
                .line
                .send(frame(attach_request::Frame::Drain(Drain {})))
                .await
                .is_ok()
            {
                self.asked.quiet().await;
                self.table.quiet().await;
                // The node has nothing in flight either, and ends it.
                self.line.end().wait().await;
            }
        };
        if timeout(grace, ended).await.is_err() {
            warn!("calls are cut off at the end of the grace");
        }
        self.line.end().come(None);
    }

    /// Takes frames as they come, and never waits for anything else.
    pub(super) async fn listen(self: Arc<Self>, remote: Remote, coming: Coming) {
        match self.take_all(&remote, coming).await {
            Ok(()) => info!("the stream to the node has ended"),
            Err(ended) => warn!(error = &ended as &dyn std::error::Error, "the stream to the node broke"),
        }
        self.line.end().come(None);
        // Whoever waits for an answer hears that none will come.
        self.asked.abandon();
        self.table.abandon();
    }

    async fn take_all(self: &Arc<Self>, remote: &Remote, mut coming: Coming) -> Result<(), Ended> {
        let mut ticks = interval(self.health_interval / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = self.line.end().wait() => return Ok(()),
                frame = coming.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(frame)) => self.take(remote, frame)?,
                        Some(Err(status)) => return Err(Ended::ByNode(Box::new(status))),
                        None => return Ok(()),
                    }
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > self.health_interval * HEALTH_MISSED {
                        return Err(Fault::HealthMissing.into());
                    }
                    let health = Health { serving: true, reason: String::new() };
                    self.line.try_send(frame(attach_request::Frame::Health(health)));
                }
            }
        }
    }

    fn take(self: &Arc<Self>, remote: &Remote, frame: AttachResponse) -> Result<(), Fault> {
        match frame.frame.ok_or(Fault::FrameUnknown)? {
            In::Welcome(_) => Err(Fault::HelloTwice),
            In::View(view) => {
                match read_view(view) {
                    Ok(view) => remote.0.view.store(Arc::new(view)),
                    Err(garbled) => error!(error = &garbled as &dyn std::error::Error, "a view is not used"),
                }
                Ok(())
            }
            In::Answer(answer) => self.asked.answer(answer.call_id, answer),
            In::Chunk(chunk) => self.asked.chunk(chunk.call_id, chunk.data),
            In::Credit(credit) => self.asked.credit(credit.call_id, credit.bytes),
            In::Call(call) => remote.begin(self, call),
            In::Cancel(cancel) => self.table.cancel(cancel.call_id),
            In::Arrived(_) => {
                remote
                    .0
                    .arrived
                    .send_modify(|arrived| *arrived = arrived.wrapping_add(1));
                Ok(())
            }
            In::Health(health) => {
                if !health.serving {
                    warn!(reason = health.reason, "the node does not do its work");
                }
                Ok(())
            }
            In::Drain(_) => {
                self.draining.cancel();
                Ok(())
            }
        }
    }
}
