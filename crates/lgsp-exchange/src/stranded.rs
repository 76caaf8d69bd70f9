//! What waits for somebody who does not come: deliveries that go nowhere any more end as dead letters; those that a
//! receiver does not fetch are an alarm, and never end by time alone (exchange.md section 5; architecture.md section 5, hop 8).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lgsp_registry::{NoRoute, Registry};
use lgsp_types::{
    AgencyId, ConnectorId, DeliveryId, DeliveryState, Kind, OpenDelivery, OpenQuery, ReasonCode, Unavailable,
    Uncollected, UnixMs, What,
};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::spine::{Spine, unavailable};

/// Nobody can fetch it, and it can be pushed to nobody: its addressee, and all who follow it, have no connector.
pub(crate) const NO_ROUTE: ReasonCode = ReasonCode::new("NO_ROUTE");
/// How often is looked, at the longest and at the shortest.
const LOOK_EVERY: [Duration; 2] = [Duration::from_secs(60), Duration::from_millis(100)];
/// Rows of one look, and of all looks at one connector.
const PAGE: u32 = 256;
const ROWS_MAX: u32 = 10_000;
const HOUR_MS: u64 = 3_600_000;

/// How long is too long, from config/lgsp.toml.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// An agency without a connector for so long: what is addressed to it are dead letters. An edit of the registry in
    /// several steps is shorter.
    pub no_route_after: Duration,
    /// Of pull connectors that do not say it themselves.
    pub collect_within_hours: u32,
}

/// The alarms of this moment.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<BTreeMap<ConnectorId, Uncollected>>);

impl Alarms {
    pub(crate) fn uncollected(&self) -> Vec<Uncollected> {
        self.known().values().cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<ConnectorId, Uncollected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spine {
    /// Looks after what waits until the node stops.
    pub(crate) async fn watch_waiting(self: Arc<Self>, waits: Waits) {
        let [longest, shortest] = LOOK_EVERY;
        let mut tick = tokio::time::interval(waits.no_route_after.clamp(shortest, longest));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unreached = HashMap::new();
        loop {
            tokio::select! {
                () = self.stopping().cancelled() => break,
                _ = tick.tick() => {}
            }
            if self.held().is_err() {
                continue;
            }
            let looked = match self.end_strays(&mut unreached, waits.no_route_after).await {
                Ok(()) => self.alarm_uncollected(waits.collect_within_hours).await,
                Err(error) => Err(error),
            };
            if let Err(error) = looked {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "what waits is looked at again later"
                );
            }
        }
    }

    /// Why deliveries to this agency go nowhere now; none: they go somewhere.
    pub(crate) fn no_route(&self, agency: &AgencyId) -> Option<NoRoute> {
        let day = self.scribe.now().day_in_vietnam();
        self.ruling().registry.route(agency, day).err()
    }

    /// `since`: when each agency was first seen without a connector.
    async fn end_strays(&self, since: &mut HashMap<AgencyId, Instant>, grace: Duration) -> Result<(), Unavailable> {
        let now = Instant::now();
        let unreached = self.ruling().registry.unreached(self.scribe.now().day_in_vietnam());
        since.retain(|agency, _| unreached.contains(agency));
        for agency in unreached {
            since.entry(agency).or_insert(now);
        }
        let due = since.iter().filter(|(_, since)| now - **since >= grace);
        let due: Vec<AgencyId> = due.map(|(agency, _)| agency.clone()).collect();
        let mut after = None;
        loop {
            let rows = self.page(&due, after).await?;
            for row in &rows {
                self.end_stray(row).await?;
            }
            match rows.last() {
                Some(last) if rows.len() >= PAGE as usize => after = Some(last.delivery),
                Some(_) | None => return Ok(()),
            }
        }
    }

    async fn end_stray(&self, open: &OpenDelivery) -> Result<(), Unavailable> {
        // Whoever is at it saw a way a moment ago.
        let Some(_turn) = self.pushers.turns.take(open.delivery) else {
            return Ok(());
        };
        let row = self.store.delivery(open.delivery).await.map_err(unavailable)?;
        let (Some(row), Some(why)) = (
            row.filter(|row| row.state.waits()),
            self.no_route(&open.order.addressee),
        ) else {
            return Ok(());
        };
        let reason = NO_ROUTE;
        let (_, trace_id) = self.accepted_at(&row.accepted).await?;
        let by = self.by_itself(trace_id);
        let fact = self.fact_about(&row, 0, Kind::DeadLettered, by, |delivery| What::DeadLettered {
            delivery,
            receiver: None,
            reason,
        });
        self.claim(&row, &fact).await.map_err(unavailable)?;
        warn!(delivery.id = %row.delivery, why = %why, "a delivery goes nowhere: it is a dead letter");
        Ok(())
    }

    async fn alarm_uncollected(&self, default_hours: u32) -> Result<(), Unavailable> {
        let ruling = self.ruling();
        let found = self.uncollected(&ruling.registry, default_hours).await?;
        let mut known = self.alarms.known();
        for (connector, alarm) in found.iter().filter(|(connector, _)| !known.contains_key(*connector)) {
            let (deliveries, within_hours) = (alarm.deliveries, alarm.within_hours);
            error!(connector.id = %connector, deliveries, within_hours, "deliveries are not fetched in time");
        }
        for connector in known.keys().filter(|connector| !found.contains_key(*connector)) {
            info!(connector.id = %connector, "no delivery waits too long any more");
        }
        *known = found;
        Ok(())
    }

    async fn uncollected(
        &self,
        registry: &Registry,
        default_hours: u32,
    ) -> Result<BTreeMap<ConnectorId, Uncollected>, Unavailable> {
        let now = self.scribe.now();
        let mut found = BTreeMap::new();
        for (connector, agencies) in registry.pulls(now.day_in_vietnam()) {
            let within_hours = connector.collect_within_hours.unwrap_or(default_hours);
            let before = now.0.saturating_sub(u64::from(within_hours) * HOUR_MS);
            let (deliveries, oldest) = self.unfetched(&agencies, UnixMs(before)).await?;
            if let Some(oldest) = oldest {
                let alarm = Uncollected {
                    connector: connector.id.clone(),
                    deliveries,
                    within_hours,
                    oldest_ms: oldest.0,
                    oldest: oldest.iso_text(),
                };
                found.insert(connector.id.clone(), alarm);
            }
        }
        Ok(found)
    }

    /// How many deliveries that were accepted before this moment nobody has fetched, and when the oldest was accepted.
    async fn unfetched(&self, agencies: &[AgencyId], before: UnixMs) -> Result<(u32, Option<UnixMs>), Unavailable> {
        let (mut count, mut oldest, mut after) = (0, None, None);
        for _ in 0..ROWS_MAX.div_ceil(PAGE) {
            let rows = self.page(agencies, after).await?;
            for row in &rows {
                if row.accepted_ms >= before {
                    return Ok((count, oldest));
                }
                if row.state == DeliveryState::Open {
                    count += 1;
                    oldest = oldest.or(Some(row.accepted_ms));
                }
            }
            match rows.last() {
                Some(last) if rows.len() >= PAGE as usize => after = Some(last.delivery),
                Some(_) | None => break,
            }
        }
        Ok((count, oldest))
    }

    async fn page(&self, agencies: &[AgencyId], after: Option<DeliveryId>) -> Result<Vec<OpenDelivery>, Unavailable> {
        let query = OpenQuery {
            contract: None,
            limit: PAGE,
            after,
            dead_letters: false,
        };
        self.store
            .open_deliveries(agencies, &query, &[])
            .await
            .map_err(unavailable)
    }
}
