//! What the node does by itself: settles conflicts found behind the door, writes summaries, raises alarms, sweeps.

use std::sync::Arc;
use std::time::Duration;

use lgsp_types::{Actor, EventId, Fact, Kind, ReasonCode, What};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use crate::spine::Spine;

/// How often the node looks after itself.
const WATCH_EVERY: Duration = Duration::from_secs(60);
const SEAL_LATE: ReasonCode = ReasonCode::new("SEAL_LATE");

impl Spine {
    /// Looks after the node until it stops.
    pub(crate) async fn watch(self: Arc<Self>, alarm_after: Duration, staging_keep: Duration) {
        let mut tick = tokio::time::interval(WATCH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stopping().cancelled() => break,
                _ = tick.tick() => {}
            }
            self.settle_conflicts().await;
            self.summarise_refusals(self.scribe.now()).await;
            self.alarm_if_unsealed(alarm_after).await;
            match self.objects.sweep(staging_keep).await {
                Ok(0) => {}
                Ok(swept) => warn!(swept, "uploads that were never published are swept"),
                Err(error) => error!(error = &error as &dyn std::error::Error, "staging could not be swept"),
            }
        }
    }

    /// Each Accepted fact that lost against an earlier one with its id gets its end state.
    pub(crate) async fn settle_conflicts(&self) {
        let pending = match self.store.pending_conflicts().await {
            Ok(pending) => pending,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "conflicts could not be read");
                return;
            }
        };
        for loser in pending {
            let parts: [&[u8]; 3] = [
                loser.msg_id.as_bytes(),
                &loser.position.partition.to_be_bytes(),
                &loser.position.offset.to_be_bytes(),
            ];
            let event_id = EventId::of(Kind::Conflict, &parts);
            let what = What::Conflict {
                msg_id: loser.msg_id,
                partition: loser.position.partition,
                offset: loser.position.offset,
                request_tag: loser.request_tag,
            };
            let fact = self.own_fact(event_id, what);
            // What is not written now is still pending at the next look.
            if let Err(error) = self.write(loser.position.partition, &fact).await {
                warn!(message.id = %loser.msg_id, error = &error as &dyn std::error::Error, "a conflict waits");
            }
        }
    }

    async fn alarm_if_unsealed(&self, alarm_after: Duration) {
        let late_ms = self.late_ms();
        if u128::from(late_ms) <= alarm_after.as_millis() {
            return;
        }
        error!(late_ms, "records wait for their checkpoint");
        let minute = self.scribe.now().0 / 60_000;
        let event_id = EventId::of(Kind::SealAlarm, &[&minute.to_be_bytes()]);
        let fact = self.own_fact(event_id, What::SealAlarm { reason: SEAL_LATE });
        if let Err(error) = self.write(0, &fact).await {
            error!(
                error = &error as &dyn std::error::Error,
                "the alarm could not be recorded"
            );
        }
    }

    /// A fact that nobody asked for.
    pub(crate) fn own_fact(&self, event_id: EventId, what: What) -> Fact {
        Fact {
            event_id,
            prev: None,
            actor: self.own_actor(),
            rules: self.rules.current().rules,
            node: self.scribe.node(),
            trace_id: None,
            what,
        }
    }

    pub(crate) fn own_actor(&self) -> Actor {
        let node = self.scribe.node().id;
        Actor {
            adapter: (&node).into(),
            system: node,
            agency: None,
            spki: None,
            officer: None,
        }
    }
}
