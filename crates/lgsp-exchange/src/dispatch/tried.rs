//! One try at one delivery: its content to the far side, and what it answers into the ledger.

use std::sync::Arc;
use std::time::Duration;

use lgsp_registry::Connector;
use lgsp_store::{DeliveryRow, failpoint};
use lgsp_types::{AdapterId, Fact, Kind, OpenDelivery, Push, Pushed, ReasonCode, Receiver, TraceId, Unavailable, What};
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::Dispatch;
use super::schedule::Schedule;
use crate::collect::By;
use crate::scribe::WriteError;

/// Every try that its connector's schedule allows has failed.
const TRIES_EXHAUSTED: ReasonCode = ReasonCode::new("TRIES_EXHAUSTED");
/// The far side did not answer in time; it may have the message.
const ANSWER_LATE: ReasonCode = ReasonCode::new("ANSWER_LATE");
/// A far side asks for no longer pause than a day.
const AFTER_MAX: Duration = Duration::from_hours(24);
/// Pauses before an outcome that could not be written is written again; doubled each time, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// What a try needs to know.
pub(super) struct Try {
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) connector: Arc<Connector>,
    pub(super) receiver: Receiver,
    pub(super) schedule: Schedule,
    /// This process has not tried it yet.
    pub(super) is_new: bool,
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It is over, by this try or another's word.
    Ended {
        /// The far side answered.
        reached: bool,
    },
    /// The far side failed.
    Failed {
        /// None: that was the last try.
        wait: Option<Duration>,
        reason: ReasonCode,
    },
    /// It was tried before this process began: its wait counts from now.
    Later { wait: Duration },
    /// It waits behind a dead letter of its order key, for an operator.
    Blocked,
    /// We could not do our part; nothing was sent, or what was answered is not recorded.
    Troubled,
}

/// One delivery, which try of it this is, and the trace of its message.
struct Round {
    row: DeliveryRow,
    number: u32,
    trace_id: Option<TraceId>,
}

impl Try {
    pub(super) async fn run(self, open: OpenDelivery) -> Became {
        match self.attempt(&open).await {
            Ok(became) => became,
            Err(trouble) => {
                let error = &trouble as &dyn std::error::Error;
                warn!(delivery.id = %open.delivery, error, "a delivery is tried again later");
                Became::Troubled
            }
        }
    }

    async fn attempt(&self, open: &OpenDelivery) -> Result<Became, Unavailable> {
        // Until what became of it is recorded; whoever takes it back is at it for a moment only.
        let Some(_turn) = self.dispatch.spine.pushers.turns.take(open.delivery) else {
            return Ok(Became::Troubled);
        };
        let Some(row) = self.standing(open).await? else {
            return Ok(Became::Ended { reached: false });
        };
        let behind = self.dispatch.spine.waits_behind(&open.contract, open.delivery);
        if behind.await?.is_some() {
            return Ok(Became::Blocked);
        }
        if self.is_new
            && row.attempts > 0
            && let Some(wait) = self.schedule.wait(row.delivery, row.attempts)
        {
            return Ok(Became::Later { wait });
        }
        let number = row.attempts + 1;
        let content = self.dispatch.spine.content(&row).await?;
        let round = Round {
            row,
            number,
            trace_id: content.trace.map(|trace| trace.trace_id),
        };
        if self.receiver.agency != round.row.addressee.agency && !self.announce(&round).await? {
            return Ok(Became::Ended { reached: false });
        }
        self.dispatch.spine.held()?;
        let push = Push {
            connector: self.connector.id.clone(),
            delivery: round.row.delivery,
            attempt: number,
            accepted_ms: round.row.accepted_ms,
            from: open.from.clone(),
            to: open.to.clone(),
            content,
        };
        failpoint::hit("before-push");
        let pushing = self.dispatch.adapter.deliver(push);
        let pushed = timeout(self.dispatch.limits.answer_within, pushing).await;
        failpoint::hit("after-push");
        let late = Pushed::TryAgain {
            reason: ANSWER_LATE,
            after: None,
        };
        self.settle(&round, pushed.unwrap_or(late)).await
    }

    /// The row as the projection has it, while it waits.
    async fn standing(&self, open: &OpenDelivery) -> Result<Option<DeliveryRow>, Unavailable> {
        let row = self.dispatch.spine.store.delivery(open.delivery).await;
        Ok(row.map_err(Unavailable::new)?.filter(|row| row.state.waits()))
    }

    /// Before bytes go to an agency that the Accepted fact does not name, a fact says so (exchange.md section 6, 19). False: it
    /// has ended meanwhile.
    async fn announce(&self, round: &Round) -> Result<bool, Unavailable> {
        let receiver = self.receiver.clone();
        let (spine, row) = (&self.dispatch.spine, &round.row);
        let by = spine.by_itself(round.trace_id);
        let fact = spine.fact_about(row, round.number, Kind::AttemptStarted, by, |delivery| {
            What::AttemptStarted { delivery, receiver }
        });
        spine.claim(row, &fact).await.map_err(Unavailable::new)?;
        failpoint::hit("after-attempt-started");
        let now = spine.store.delivery(row.delivery).await.map_err(Unavailable::new)?;
        Ok(now.is_some_and(|now| now.state == row.state && now.generation == row.generation))
    }

    async fn settle(&self, round: &Round, pushed: Pushed) -> Result<Became, Unavailable> {
        let Round { row, number, trace_id } = round;
        let (spine, receiver) = (&self.dispatch.spine, self.receiver.clone());
        match pushed {
            Pushed::Done(evidence) => {
                let by = self.far_side(*trace_id);
                let fact = spine.fact_about(row, 0, Kind::Delivered, by, |delivery| What::Delivered {
                    delivery,
                    receiver,
                    evidence,
                });
                self.record(row, &fact).await?;
                failpoint::hit("after-outcome");
                Ok(Became::Ended { reached: true })
            }
            Pushed::Refused(reason) => {
                debug!(delivery.id = %row.delivery, reason = reason.as_str(), "the far side refuses a delivery");
                self.dead_letter(row, self.far_side(*trace_id), reason).await?;
                Ok(Became::Ended { reached: true })
            }
            Pushed::TryAgain { reason, after } => {
                debug!(delivery.id = %row.delivery, number, reason = reason.as_str(), "a try failed");
                let told = reason.clone();
                let by = spine.by_itself(*trace_id);
                let fact = spine.fact_about(row, *number, Kind::AttemptFailed, by.clone(), |delivery| {
                    What::AttemptFailed {
                        delivery,
                        receiver,
                        reason,
                    }
                });
                self.record(row, &fact).await?;
                failpoint::hit("after-attempt-failed");
                let wait = self.schedule.wait(row.delivery, *number);
                if wait.is_none() {
                    self.dead_letter(row, by, TRIES_EXHAUSTED).await?;
                }
                // What the far side asks for, where that is longer.
                let wait = wait.map(|wait| after.map_or(wait, |after| after.min(AFTER_MAX).max(wait)));
                Ok(Became::Failed { wait, reason: told })
            }
        }
    }

    async fn dead_letter(&self, row: &DeliveryRow, by: By, reason: ReasonCode) -> Result<(), Unavailable> {
        let receiver = Some(self.receiver.clone());
        let spine = &self.dispatch.spine;
        let fact = spine.fact_about(row, 0, Kind::DeadLettered, by, |delivery| What::DeadLettered {
            delivery,
            receiver,
            reason,
        });
        failpoint::hit("before-dead-letter");
        self.record(row, &fact).await
    }

    /// The far side's own word is recorded as its system's.
    fn far_side(&self, trace_id: Option<TraceId>) -> By {
        let spine = &self.dispatch.spine;
        match AdapterId::parse(self.connector.adapter.as_str()) {
            Ok(adapter) => spine.by_system(self.connector.system.clone(), adapter, trace_id),
            Err(_) => spine.by_itself(trace_id),
        }
    }

    /// Appends what became of a try, again and again until it is certain, or the node stops: then it is tried anew at the next
    /// start, and the far side's inbox bears the repeat.
    async fn record(&self, row: &DeliveryRow, fact: &Fact) -> Result<(), Unavailable> {
        let mut pause = PAUSE_FIRST;
        loop {
            match self.dispatch.spine.claim(row, fact).await {
                Ok(()) => return Ok(()),
                Err(error @ WriteError::TooLarge) => {
                    error!(delivery.id = %row.delivery, "what a far side answered is too large to be recorded");
                    return Err(Unavailable::new(error));
                }
                Err(error @ (WriteError::Busy | WriteError::Full | WriteError::Unknown)) => {
                    let stopped = timeout(pause, self.dispatch.stop().cancelled()).await.is_ok();
                    if stopped {
                        return Err(Unavailable::new(error));
                    }
                    pause = pause.saturating_mul(2).min(PAUSE_LONGEST);
                }
            }
        }
    }
}
