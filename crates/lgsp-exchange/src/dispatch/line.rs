//! The line before one push connector: which delivery is tried next, and when.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lgsp_registry::Pushing;
use lgsp_types::{
    AgencyId, Arrivals, ConnectorId, DeliveryId, OpenDelivery, OpenQuery, OrderKey, PushLine, ReasonCode,
};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use super::schedule::{Breaker, Schedule};
use super::tried::{Became, Try};
use super::{Dispatch, Stands};

/// Rows of the first look at what waits; a look at which everything waits for something else looks at four times as many.
const LOOK: u32 = 256;
const LOOK_MAX: u32 = 8192;
/// While there is enough to try, what came meanwhile is looked for only so often.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// When to look, or try, again after trouble of our own.
const AFTER_TROUBLE: Duration = Duration::from_secs(2);
/// When to look again whether the dead letter before it was redriven.
const BEHIND_DEAD_LETTER: Duration = Duration::from_secs(1);

pub(super) struct Line {
    dispatch: Arc<Dispatch>,
    told: watch::Receiver<Pushing>,
    /// What was seen of the list, in its order.
    rows: Vec<OpenDelivery>,
    /// The list may hold what was not looked at.
    look: bool,
    looked: Option<Instant>,
    depth: u32,
    /// The keys of what is being tried: of each key one delivery at most.
    busy: HashSet<OrderKey>,
    /// Not before this.
    waits: HashMap<DeliveryId, Instant>,
    breaker: Breaker,
    last_failure: Option<ReasonCode>,
    /// While the far side is left alone: when it is asked again whether it can be reached.
    probe: Option<Instant>,
    /// Since when it could not be reached.
    alone_since: Option<Instant>,
    /// It is not even asked any more.
    switched_off: bool,
    /// Rung by an operator.
    resume: Arc<Notify>,
}

/// What a task of the line ended with.
enum Ended {
    Tried(DeliveryId, OrderKey, Became),
    Probed { reached: bool },
}

type Tasks = FuturesUnordered<Pin<Box<dyn Future<Output = Ended> + Send>>>;

impl Line {
    pub(super) fn new(dispatch: Arc<Dispatch>, told: watch::Receiver<Pushing>) -> Self {
        Self {
            dispatch,
            told,
            rows: Vec::new(),
            look: true,
            looked: None,
            depth: LOOK,
            busy: HashSet::new(),
            waits: HashMap::new(),
            breaker: Breaker::default(),
            last_failure: None,
            probe: None,
            alone_since: None,
            switched_off: false,
            resume: Arc::default(),
        }
    }

    /// Until the node stops or nothing goes to the connector any more; what is under way ends.
    pub(super) async fn run(mut self) {
        let mut arrivals: Arrivals = self.dispatch.spine.arriving();
        let mut tasks = Tasks::new();
        let (stop, bell) = (self.dispatch.stop().clone(), Arc::clone(&self.resume));
        while !stop.is_cancelled() {
            if self.look_at().is_some_and(|then| then <= Instant::now()) {
                self.look().await;
            }
            let due = self.begin(&mut tasks);
            let due = due.into_iter().chain(self.look_at()).min();
            self.tell();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = tasks.next() => self.take(ended),
                changed = self.told.changed() => match changed {
                    Ok(()) => self.look = true,
                    Err(_) => break,
                },
                Some(()) = arrivals.next() => self.look = true,
                () = bell.notified() => self.go_on(),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
        while let Some(ended) = tasks.next().await {
            self.take(ended);
        }
        let connector = self.told.borrow().connector.id.clone();
        self.dispatch.spine.pushers.stands().remove(&connector);
    }

    /// Says how it stands, to whoever asks.
    fn tell(&self) {
        let connector = self.told.borrow().connector.id.clone();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let stands = PushLine {
            connector: connector.clone(),
            trying: count(self.busy.len()),
            waiting: count(self.rows.len().saturating_sub(self.busy.len())),
            left_alone: self.breaker.is_open(),
            last_failure: self.last_failure.clone(),
            switched_off: self.switched_off,
        };
        let stands = Stands {
            line: stands,
            resume: Arc::clone(&self.resume),
        };
        self.dispatch.spine.pushers.stands().insert(connector, stands);
    }

    /// When the list is looked at again, if it may hold news.
    fn look_at(&self) -> Option<Instant> {
        if !self.look {
            return None;
        }
        let now = Instant::now();
        let free = first_of_keys(&self.rows).filter(|row| self.is_due(row, now));
        let enough =
            free.take(self.dispatch.limits.tries_at_once_max).count() == self.dispatch.limits.tries_at_once_max;
        let after_pause = self.looked.filter(|_| enough).map(|looked| looked + LOOK_PAUSE);
        Some(after_pause.unwrap_or(now))
    }

    async fn look(&mut self) {
        self.look = false;
        self.looked = Some(Instant::now());
        let agencies: Vec<AgencyId> = {
            let pushing = self.told.borrow();
            pushing
                .receptions
                .iter()
                .map(|reception| reception.addressee.clone())
                .collect()
        };
        let query = OpenQuery {
            contract: None,
            limit: self.depth,
            after: None,
            dead_letters: false,
        };
        match self.dispatch.spine.store.open_deliveries(&agencies, &query, &[]).await {
            Ok(rows) => self.keep(rows),
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "what is to be pushed is looked at again later"
                );
                tokio::time::sleep(AFTER_TROUBLE).await;
                self.look = true;
            }
        }
    }

    fn keep(&mut self, rows: Vec<OpenDelivery>) {
        let complete = rows.len() < self.depth as usize;
        if complete {
            let listed: HashSet<DeliveryId> = rows.iter().map(|row| row.delivery).collect();
            self.waits.retain(|delivery, _| listed.contains(delivery));
        }
        let now = Instant::now();
        let stands_free = first_of_keys(&rows).any(|row| self.is_due(row, now) || self.busy.contains(&row.order));
        // All that was seen waits: what is further down may not.
        self.look |= !complete && !stands_free && self.depth < LOOK_MAX;
        self.depth = if complete || stands_free {
            LOOK
        } else {
            LOOK_MAX.min(self.depth * 4)
        };
        self.rows = rows;
    }

    fn is_due(&self, row: &OpenDelivery, now: Instant) -> bool {
        !self.busy.contains(&row.order) && self.waits.get(&row.delivery).is_none_or(|then| *then <= now)
    }

    /// Begins what is due; answers when more will be.
    fn begin(&mut self, tasks: &mut Tasks) -> Option<Instant> {
        let now = Instant::now();
        if self.breaker.is_open() {
            let probe = self.probe?;
            if probe > now {
                return Some(probe);
            }
            self.probe = None;
            let probing = probe_far_side(Arc::clone(&self.dispatch), self.told.borrow().connector.id.clone());
            tasks.push(self.spawn(probing, Ended::Probed { reached: false }));
            return None;
        }
        let room = self.dispatch.limits.tries_at_once_max.saturating_sub(self.busy.len());
        let free = first_of_keys(&self.rows).filter(|row| self.is_due(row, now));
        let chosen: Vec<OpenDelivery> = free.take(room).cloned().collect();
        for row in chosen {
            let Some(begun) = self.try_of(&row) else { continue };
            self.busy.insert(row.order.clone());
            let (delivery, key) = (row.delivery, row.order.clone());
            let broken = Ended::Tried(delivery, key.clone(), Became::Troubled);
            let trying = async move { Ended::Tried(delivery, key, begun.run(row).await) };
            tasks.push(self.spawn(trying, broken));
        }
        if self.busy.len() >= self.dispatch.limits.tries_at_once_max {
            return None;
        }
        first_of_keys(&self.rows)
            .filter_map(|row| self.waits.get(&row.delivery))
            .filter(|then| **then > now)
            .min()
            .copied()
    }

    /// A task of its own, for a store and a far side that take their time; `broken`: how one ends that broke off, by a
    /// mistake of ours.
    fn spawn(
        &self,
        task: impl Future<Output = Ended> + Send + 'static,
        broken: Ended,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send>> {
        let task = self.dispatch.spine.pushers.tasks.spawn(task);
        Box::pin(async move {
            task.await.unwrap_or_else(|error| {
                error!(error = &error as &dyn std::error::Error, "a try broke off");
                broken
            })
        })
    }

    /// None: it goes elsewhere now.
    fn try_of(&self, row: &OpenDelivery) -> Option<Try> {
        let pushing = self.told.borrow();
        let reception = pushing
            .receptions
            .iter()
            .find(|it| it.addressee == row.order.addressee)?;
        Some(Try {
            dispatch: Arc::clone(&self.dispatch),
            connector: Arc::clone(&pushing.connector),
            receiver: reception.receiver.clone(),
            schedule: Schedule::new(&pushing.connector.retry_waits_ms),
            is_new: !self.waits.contains_key(&row.delivery),
        })
    }

    fn take(&mut self, ended: Ended) {
        match ended {
            Ended::Tried(delivery, key, became) => {
                self.busy.remove(&key);
                self.became(delivery, became);
            }
            Ended::Probed { reached: true } => {
                info!(connector.id = %self.told.borrow().connector.id, "the far side can be reached: it is tried again");
                self.go_on();
            }
            Ended::Probed { reached: false } => self.leave_alone(),
        }
    }

    fn became(&mut self, delivery: DeliveryId, became: Became) {
        let wait = match became {
            Became::Ended { .. } | Became::Failed { wait: None, .. } => None,
            Became::Failed { wait: Some(wait), .. } | Became::Later { wait } => Some(wait),
            Became::Blocked => Some(BEHIND_DEAD_LETTER),
            Became::Troubled => Some(AFTER_TROUBLE),
        };
        if let Some(wait) = wait {
            self.waits.insert(delivery, Instant::now() + wait);
        } else {
            self.waits.remove(&delivery);
            self.rows.retain(|row| row.delivery != delivery);
            // Whatever waited behind it does no longer.
            self.look = true;
        }
        match became {
            Became::Ended { reached: true } => {
                self.breaker.succeeded();
                self.alone_since = None;
            }
            Became::Failed { reason, .. } => {
                self.last_failure = Some(reason);
                if self.breaker.failed() {
                    let connector = &self.told.borrow().connector.id;
                    warn!(connector.id = %connector, "the far side fails again and again: it is left alone");
                }
                if self.breaker.is_open() {
                    self.leave_alone();
                }
            }
            Became::Ended { reached: false } | Became::Later { .. } | Became::Blocked | Became::Troubled => {}
        }
    }

    /// What waited is tried; one failure more, and the far side is left alone again.
    fn go_on(&mut self) {
        if self.breaker.is_open() {
            self.breaker.reached();
        }
        self.alone_since = None;
        self.switched_off = false;
        self.look = true;
    }

    fn leave_alone(&mut self) {
        let now = Instant::now();
        let since = *self.alone_since.get_or_insert(now);
        self.probe = (!self.switched_off).then_some(now + self.dispatch.limits.probe_every);
        if now - since >= self.dispatch.limits.switch_off_after && !self.switched_off {
            self.switched_off = true;
            self.probe = None;
            let connector = &self.told.borrow().connector.id;
            error!(connector.id = %connector, "the far side could not be reached for too long: it is switched off until `lgsp resume`");
        }
    }
}

/// The first row of each order key: what stands behind it waits until it has ended.
fn first_of_keys(rows: &[OpenDelivery]) -> impl Iterator<Item = &OpenDelivery> {
    let mut seen = HashSet::new();
    rows.iter().filter(move |row| seen.insert(&row.order))
}

async fn probe_far_side(dispatch: Arc<Dispatch>, connector: ConnectorId) -> Ended {
    let checking = dispatch.adapter.check(&connector);
    let checked = tokio::time::timeout(dispatch.limits.answer_within, checking).await;
    Ended::Probed {
        reached: matches!(checked, Ok(Ok(()))),
    }
}
