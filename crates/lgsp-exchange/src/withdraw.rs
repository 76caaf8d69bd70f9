//! A sender takes a message back from whoever has not had it (exchange.md section 6, fact 9).

use lgsp_store::DeliveryRow;
use lgsp_types::{
    AgencyCode, Caller, DeliveryState, Fate, Kind, MsgId, ReasonCode, Unavailable, What, WithdrawError, Withdrawal,
};

use crate::scribe::WriteError;
use crate::spine::{Spine, unavailable};

/// The reason of every withdrawal so far: nobody but its sender takes a message back.
const WITHDRAWN_BY_SENDER: ReasonCode = ReasonCode::new("WITHDRAWN_BY_SENDER");

impl Spine {
    /// Takes a message of this caller back from one addressee, or from all.
    pub(crate) async fn withdraw_for(
        &self,
        caller: &Caller,
        id: MsgId,
        to: Option<&AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        self.caught_up().await;
        let message = self.store.message(id).await.map_err(unavailable)?;
        if message.is_none_or(|message| message.system != caller.system) {
            return Err(WithdrawError::NotFound);
        }
        let timeline = self.store.timeline(id).await.map_err(unavailable)?;
        let rows = timeline.into_iter().flat_map(|timeline| timeline.deliveries);
        let mut withdrawals = Vec::new();
        for row in rows.filter(|row| self.is_to(row, to)) {
            withdrawals.push(self.take_back(caller, row).await?);
        }
        if withdrawals.is_empty() {
            return Err(WithdrawError::NotFound);
        }
        Ok(withdrawals)
    }

    /// Any code of the addressee will do: agencies are compared by their id.
    fn is_to(&self, row: &DeliveryRow, to: Option<&AgencyCode>) -> bool {
        let means = |code: &AgencyCode| {
            let ruling = self.ruling();
            let holder = ruling.registry.resolve(code, self.scribe.now().day_in_vietnam());
            holder.is_some_and(|agency| agency.id == row.addressee.agency)
        };
        to.is_none_or(|code| row.written == *code || means(code))
    }

    async fn take_back(&self, caller: &Caller, row: DeliveryRow) -> Result<Withdrawal, WithdrawError> {
        // No try begins before the ledger has it, or has not.
        let Some(_turn) = self.pushers.turns.take(row.delivery) else {
            return Ok(withdrawal(row, Fate::Tried));
        };
        let id = row.delivery;
        let now = async || {
            let row = self.store.delivery(id).await.map_err(unavailable)?;
            row.ok_or_else(|| Unavailable::new("a delivery that is there no more"))
        };
        let mut row = now().await?;
        if row.state == DeliveryState::Open && !row.handed_out {
            let reason = WITHDRAWN_BY_SENDER;
            let fact = self.fact_about(&row, 0, Kind::Withdrawn, self.by(caller), |delivery| What::Withdrawn {
                delivery,
                reason,
            });
            self.claim(&row, &fact).await.map_err(|error| match error {
                WriteError::Unknown => WithdrawError::Unknown,
                error @ (WriteError::TooLarge | WriteError::Busy | WriteError::Full) => Unavailable::new(error).into(),
            })?;
            // Whoever fetched it at the same moment may have been first.
            row = now().await?;
        }
        let fate = match row.state {
            DeliveryState::Withdrawn => Fate::Withdrawn,
            DeliveryState::Open => Fate::Tried,
            DeliveryState::Collected | DeliveryState::Delivered | DeliveryState::DeadLettered => Fate::TooLate,
        };
        Ok(withdrawal(row, fate))
    }
}

fn withdrawal(row: DeliveryRow, fate: Fate) -> Withdrawal {
    Withdrawal {
        delivery: row.delivery,
        to: row.written,
        fate,
        state: row.state,
    }
}
