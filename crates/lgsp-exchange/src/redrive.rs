//! Dead letters: what ended undelivered, kept with its reason until somebody gives it another round (reliability.md G7).

use lgsp_store::failpoint;
use lgsp_types::{AgencyId, Delivery, DeliveryId, DeliveryState, Fact, Kind, MsgId, Relation, Unavailable, What};
use serde::Serialize;
use thiserror::Error;

use crate::spine::{Spine, unavailable};
use crate::stranded::NO_ROUTE;

/// Most dead letters in one answer.
const LISTED_MAX: u32 = 1_000;

/// One delivery that ended undelivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    pub delivery: DeliveryId,
    pub message: MsgId,
    /// Number and notation of the document that the message is; empty if it is none.
    pub document: String,
    pub contract: String,
    /// As the sender wrote it.
    pub from: String,
    /// As the sender wrote it.
    pub to: String,
    pub agency: AgencyId,
    /// Empty if its fact named none.
    pub reason: String,
    /// Of `NO_ROUTE`: at which agency the way ends now, and why; empty: there is one again, so redrive it.
    pub no_route: String,
    /// 0 until it is redriven for the first time.
    pub generation: u32,
    /// Ledger time at which it became one, ISO 8601 with +07:00.
    pub since: String,
}

/// Why a delivery did not get another round.
#[derive(Debug, Error)]
pub enum RedriveError {
    /// Ask for the dead letters.
    #[error("there is no delivery {0}")]
    NotFound(DeliveryId),
    /// Nothing to do: it waits, was delivered or was withdrawn.
    #[error("the delivery {delivery} is {}, no dead letter", state.name())]
    NotDead { delivery: DeliveryId, state: DeliveryState },
    /// Somebody else was first, or it was delivered late: look at it again.
    #[error("the delivery {0} was changed at the same moment")]
    Overtaken(DeliveryId),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Spine {
    /// The latest dead letters, at most 1,000.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Unavailable> {
        let rows = self.store.dead_letters(LISTED_MAX).await.map_err(unavailable)?;
        let mut letters = Vec::with_capacity(rows.len());
        for row in rows {
            let message = self.store.message(row.msg_id).await.map_err(unavailable)?;
            let message = message.ok_or_else(|| Unavailable::new("a delivery without its message"))?;
            let is = |document: &&lgsp_types::DocumentRef| document.relation == Relation::Is;
            let document = message.documents.iter().find(is);
            letters.push(DeadLetter {
                delivery: row.delivery,
                message: row.msg_id,
                document: document.map(|document| document.code.clone()).unwrap_or_default(),
                contract: message.contract.to_string(),
                from: message.from_written.to_string(),
                to: row.written.to_string(),
                no_route: match &row.reason {
                    Some(reason) if *reason == NO_ROUTE => self.no_route(&row.addressee.agency),
                    Some(_) | None => None,
                }
                .map(|why| why.to_string())
                .unwrap_or_default(),
                agency: row.addressee.agency,
                reason: row.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
                generation: row.generation,
                since: row.changed_ms.iso_text(),
            });
        }
        Ok(letters)
    }

    /// Gives a dead letter another round, with all its tries; answers the number of the round. The receiver bears that it
    /// may have had it before: the delivery keeps its id.
    ///
    /// # Errors
    /// [`RedriveError`]; nothing was changed but where [`Unavailable`] leaves it open: ask for the dead letters.
    pub async fn redrive(&self, id: DeliveryId) -> Result<u32, RedriveError> {
        let row = self.store.delivery(id).await.map_err(unavailable)?;
        let row = row.ok_or(RedriveError::NotFound(id))?;
        if row.state != DeliveryState::DeadLettered {
            return Err(RedriveError::NotDead {
                delivery: id,
                state: row.state,
            });
        }
        let delivery = Delivery {
            msg_id: row.msg_id,
            addressee: row.addressee.agency.clone(),
            generation: row.generation.saturating_add(1),
            attempt: 0,
        };
        let round = delivery.generation;
        let (_, trace_id) = self.accepted_at(&row.accepted).await?;
        let fact = Fact {
            prev: Some(row.last_event),
            trace_id: trace_id.map(|id| *id.as_bytes()),
            ..self.own_fact(delivery.event_id(Kind::Redriven), What::Redriven { delivery })
        };
        failpoint::hit("before-redriven");
        self.claim(&row, &fact).await.map_err(unavailable)?;
        let now = self.store.delivery(id).await.map_err(unavailable)?;
        match now {
            Some(now) if now.generation == round => Ok(round),
            _ => Err(RedriveError::Overtaken(id)),
        }
    }
}
