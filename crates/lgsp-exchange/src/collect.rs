//! The far side that pulls: what waits for it, handing it out, and its word that it has it.

use std::time::Duration;

use futures_util::stream;
use lgsp_registry::Reception;
use lgsp_store::{DeliveryRow, failpoint};
use lgsp_types::{
    AcknowledgeError, Acknowledged, Actor, AdapterId, Arrivals, Caller, ContractRef, Delivery, DeliveryId,
    DeliveryState, Evidence, Fact, FetchError, Fetched, Kind, MsgId, OpenDelivery, OpenQuery, Outcome, Receiver, Rules,
    SentDelivery, SentMessage, SystemId, TraceId, Traceparent, Unavailable, What,
};
use tokio::time::timeout;
use tracing::debug;

use crate::publish::inscribed;
use crate::scribe::WriteError;
use crate::spine::{Spine, unavailable};

/// Most deliveries in one answer of `open`.
const OPEN_MAX: u32 = 10_000;
/// Longest wait of a list for the projection.
const LIST_PATIENCE: Duration = Duration::from_millis(500);

/// On whose behalf a fact about a delivery is, by which rules, and in which trace.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) actor: Actor,
    pub(crate) rules: Rules,
    pub(crate) trace_id: Option<TraceId>,
}

impl Spine {
    /// The agencies whose deliveries go to this system now, each with who receives for it.
    pub(crate) fn receptions(&self, caller: &Caller) -> Vec<Reception> {
        let today = self.scribe.now().day_in_vietnam();
        self.rules.current().registry.receives(&caller.system, today)
    }

    pub(crate) async fn waiting(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        self.caught_up().await;
        let agencies: Vec<_> = self
            .receptions(caller)
            .into_iter()
            .map(|reception| reception.addressee)
            .collect();
        let query = OpenQuery {
            limit: query.limit.min(OPEN_MAX),
            ..query
        };
        // Whoever asks for dead letters is shown everything; to whom it is handed out one after another, what is next.
        let blocking = if query.dead_letters {
            Vec::new()
        } else {
            self.rules.current().blocking()
        };
        let open = self.store.open_deliveries(&agencies, &query, &blocking).await;
        open.map_err(unavailable)
    }

    /// The dead letter that a delivery waits behind, where its contract says so.
    pub(crate) async fn waits_behind(
        &self,
        contract: &ContractRef,
        delivery: DeliveryId,
    ) -> Result<Option<DeliveryId>, Unavailable> {
        if !self.rules.current().blocks(contract) {
            return Ok(None);
        }
        self.store.dead_before(delivery).await.map_err(unavailable)
    }

    /// Each batch that is projected may bring something, until the node stops.
    pub(crate) fn arriving(&self) -> Arrivals {
        let ended = self.stopping().clone();
        let batches = self.projection.batches();
        Box::pin(stream::unfold((batches, ended), |(mut batches, ended)| async {
            tokio::select! {
                () = ended.cancelled() => return None,
                changed = batches.changed() => changed.ok()?,
            }
            Some(((), (batches, ended)))
        }))
    }

    /// Where a message stands, for the system that sent it.
    pub(crate) async fn sent_by(&self, caller: &Caller, id: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        self.caught_up().await;
        let message = self.store.message(id).await.map_err(unavailable)?;
        let Some(message) = message.filter(|message| message.system == caller.system) else {
            return Ok(None);
        };
        let timeline = self.store.timeline(id).await.map_err(unavailable)?;
        let deliveries = timeline.into_iter().flat_map(|timeline| timeline.deliveries);
        Ok(Some(SentMessage {
            receipt: self.receipt(id, inscribed(message.accepted()), true),
            deliveries: deliveries
                .map(|row| SentDelivery {
                    delivery: row.delivery,
                    to: row.written,
                    state: row.state,
                    late: row.late,
                    reason: row.reason,
                    mark: row.mark.map(|(mark, _)| mark),
                    changed_ms: row.changed_ms,
                })
                .collect(),
        }))
    }

    /// Waits for the projection to reach what this node wrote, so that whoever was answered "accepted" finds it listed.
    /// Where the projection itself waits, for room or for an operator, the list is what is known.
    pub(crate) async fn caught_up(&self) {
        if timeout(LIST_PATIENCE, self.projection.caught_up()).await.is_err() {
            debug!("a list does not wait for the projection any longer");
        }
    }

    /// The delivery, if it goes to this caller; another's is not told from none.
    async fn own(&self, caller: &Caller, id: DeliveryId) -> Result<Option<(DeliveryRow, Receiver)>, Unavailable> {
        let Some(row) = self.store.delivery(id).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let reception = self
            .receptions(caller)
            .into_iter()
            .find(|reception| reception.addressee == row.addressee.agency);
        Ok(reception.map(|reception| (row, reception.receiver)))
    }

    /// Hands a delivery out. The first time, the record that names this receiver comes before the bytes.
    pub(crate) async fn hand_out(&self, caller: &Caller, id: DeliveryId) -> Result<Fetched, FetchError> {
        let (mut row, receiver) = self.own(caller, id).await?.ok_or(FetchError::NotFound)?;
        if row.state == DeliveryState::Open {
            let fact = self.step(caller, &row, Kind::Collected, |delivery| What::Collected {
                delivery,
                receiver,
            });
            self.claim(&row, &fact).await.map_err(|error| match error {
                WriteError::Unknown => FetchError::Unknown,
                error @ (WriteError::TooLarge | WriteError::Busy | WriteError::Full) => {
                    FetchError::Unavailable(Unavailable::new(error))
                }
            })?;
            row = self
                .store
                .delivery(id)
                .await
                .map_err(unavailable)?
                .ok_or(FetchError::NotFound)?;
        }
        if row.state == DeliveryState::Withdrawn {
            return Err(FetchError::Gone);
        }
        let fetched = self.content(&row).await?;
        failpoint::hit("inside-fetch");
        Ok(fetched)
    }

    /// Reads the Accepted record itself: the payload is stored once.
    pub(crate) async fn content(&self, row: &DeliveryRow) -> Result<Fetched, Unavailable> {
        let (accepted, trace_id) = self.accepted_at(&row.accepted).await?;
        // Whoever records the handing out says so.
        let span = trace_id.zip(self.scribe.span_id());
        let trace = span.map(|(trace_id, span_id)| Traceparent {
            trace_id,
            span_id,
            sampled: false,
        });
        Ok(Fetched {
            trace,
            msg_id: accepted.msg_id,
            contract: accepted.envelope.contract,
            payload: accepted.payload,
            objects: accepted.objects,
        })
    }

    pub(crate) async fn settle(
        &self,
        caller: &Caller,
        id: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        let (row, receiver) = self.own(caller, id).await?.ok_or(AcknowledgeError::NotFound)?;
        if row.state == DeliveryState::Delivered {
            return Ok(Acknowledged::Already);
        }
        let fact = match outcome {
            Outcome::Mark(mark) => {
                let marked = self.store.set_mark(id, mark, self.scribe.now()).await;
                marked.map_err(unavailable)?;
                return Ok(Acknowledged::Done);
            }
            Outcome::Failed(_) if row.state == DeliveryState::DeadLettered => return Ok(Acknowledged::Already),
            Outcome::Failed(reason) => self.step(caller, &row, Kind::DeadLettered, |delivery| What::DeadLettered {
                delivery,
                receiver: Some(receiver),
                reason,
            }),
            Outcome::Delivered => self.step(caller, &row, Kind::Delivered, |delivery| What::Delivered {
                delivery,
                receiver,
                evidence,
            }),
        };
        failpoint::hit("before-outcome");
        match self.claim(&row, &fact).await {
            Ok(()) => Ok(Acknowledged::Done),
            Err(WriteError::Unknown) => Err(AcknowledgeError::Unknown),
            Err(error @ (WriteError::TooLarge | WriteError::Busy | WriteError::Full)) => {
                Err(Unavailable::new(error).into())
            }
        }
    }

    /// A receiver's step with a delivery.
    fn step(&self, caller: &Caller, row: &DeliveryRow, kind: Kind, what: impl FnOnce(Delivery) -> What) -> Fact {
        self.fact_about(row, 0, kind, self.by(caller), what)
    }

    /// On behalf of a caller, in the trace of its call.
    pub(crate) fn by(&self, caller: &Caller) -> By {
        let trace_id = Some(caller.trace.trace_id());
        self.by_system(caller.system.clone(), caller.adapter.clone(), trace_id)
    }

    /// On behalf of a system, through this adapter.
    pub(crate) fn by_system(&self, system: SystemId, adapter: AdapterId, trace_id: Option<TraceId>) -> By {
        let ruling = self.rules.current();
        By {
            actor: Actor {
                agency: ruling.registry.agency_of(&system),
                system,
                adapter,
                spki: None,
                officer: None,
            },
            rules: ruling.rules,
            trace_id,
        }
    }

    /// On behalf of nobody, in the trace of the message.
    pub(crate) fn by_itself(&self, trace_id: Option<TraceId>) -> By {
        By {
            actor: self.own_actor(),
            rules: self.rules.current().rules,
            trace_id,
        }
    }

    /// A fact about a delivery in its present round.
    pub(crate) fn fact_about(
        &self,
        row: &DeliveryRow,
        attempt: u32,
        kind: Kind,
        by: By,
        what: impl FnOnce(Delivery) -> What,
    ) -> Fact {
        let delivery = Delivery {
            msg_id: row.msg_id,
            addressee: row.addressee.agency.clone(),
            generation: row.generation,
            attempt,
        };
        Fact {
            event_id: delivery.event_id(kind),
            prev: Some(row.last_event),
            actor: by.actor,
            rules: by.rules,
            node: self.scribe.node(),
            trace_id: by.trace_id.map(|id| *id.as_bytes()),
            what: what(delivery),
        }
    }

    /// Appends a claim and waits until the projection passed it: only then is it known whether it took effect.
    pub(crate) async fn claim(&self, row: &DeliveryRow, fact: &Fact) -> Result<(), WriteError> {
        let inscribed = self.write(row.accepted.partition, fact).await?;
        failpoint::hit("inside-claim");
        // Written for certain, but if the projection stopped its effect is not known.
        self.projection
            .passed(inscribed.partition, inscribed.offset)
            .await
            .map_err(|_| WriteError::Unknown)
    }
}
