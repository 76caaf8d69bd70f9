//! The spine: what the parts of the exchange share, how they are started and stopped, and the port that adapters call.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lgsp_audit::{NoteKey, Record, VerifierKey};
use lgsp_ledger::{Entry, Ledger, ReadLimit, Tenure};
use lgsp_store::{Objects, Position, Store};
use lgsp_types::{
    Accepted, AcknowledgeError, Acknowledged, Actor, AgencyCode, AgencyId, AgencyView, Arrivals, Caller, Cause, Clock,
    DeliveryId, DocumentDate, EventId, Evidence, Exchange, Fact, FetchError, Fetched, IdKey, KeyEvent, KeyUse, Kind,
    MsgId, OpenDelivery, OpenQuery, Outcome, Publish, PublishError, Receipt, Rejection, SentMessage, SystemId,
    SystemView, TraceId, Unavailable, Upload, UploadError, What, WithdrawError, Withdrawal,
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::control::{ControlError, Rulebook, Ruling};
use crate::deadlines::Deadlines;
use crate::dispatch::Pushers;
use crate::project::{ProjectError, Projection, Projector};
use crate::recent::Recent;
use crate::refuse::RefusalBudget;
use crate::scribe::{Inscribed, Scribe, WriteError};
use crate::seal::{SealError, Sealer};
use crate::standby::Warm;
use crate::stranded::{Alarms, Waits};
use crate::valid::PayloadCheck;

/// What a spine is made of; all of it opened by the executable.
#[derive(Debug)]
pub struct Parts {
    pub ledger: Arc<dyn Ledger>,
    /// The data ledger's name in positions and origins.
    pub ledger_name: String,
    /// One partition.
    pub control: Arc<dyn Ledger>,
    pub control_name: String,
    pub store: Arc<dyn Store>,
    pub objects: Objects,
    pub ids: IdKey,
    pub node_key: NoteKey,
    pub log_key: Arc<NoteKey>,
    /// The node's name, and which build it is.
    pub node: (SystemId, String),
    /// Folder of hashes and checkpoints.
    pub audit: PathBuf,
    /// What [`crate::stand_by`] made ready; else the default.
    pub warm: Warm,
    pub deadlines: Deadlines,
}

/// Bounds and times, from config/lgsp.toml.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub facts_waiting_max: usize,
    pub project_batch_max: usize,
    pub refusals_per_second_max: u32,
    pub seal_interval: Duration,
    /// A partition unsealed for so long stops acceptance.
    pub seal_stop_after: Duration,
    /// A partition unsealed for so long is an alarm.
    pub seal_alarm_after: Duration,
    /// What was uploaded and never published is swept after so long.
    pub staging_keep: Duration,
    pub waits: Waits,
}

/// Why a node cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The exchange of one node.
pub struct Spine {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) ledger_name: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) objects: Objects,
    pub(crate) rules: Arc<Rulebook>,
    pub(crate) ids: IdKey,
    pub(crate) node_key: Arc<NoteKey>,
    pub(crate) log_verifier: VerifierKey,
    /// Folder of hashes and checkpoints.
    pub(crate) audit: PathBuf,
    pub(crate) scribe: Scribe,
    pub(crate) projection: Arc<Projection>,
    pub(crate) recent: Recent,
    pub(crate) refusals: RefusalBudget,
    pub(crate) payloads: PayloadCheck,
    tenure: Tenure,
    late_since: Vec<Arc<AtomicU64>>,
    seal_stop_after: Duration,
    pub(crate) pushers: Pushers,
    pub(crate) deadlines: Deadlines,
    pub(crate) alarms: Alarms,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Spine {
    /// Takes over: reads the control ledger to its end, announces keys, projects to the end that the ledger has now (R4),
    /// then starts the parts that follow. Nothing is accepted or delivered before this answers, nor while `tenure` does not
    /// hold.
    ///
    /// # Errors
    /// [`StartError`]: an operator must act; nothing was changed but what was said above.
    pub async fn start(parts: Parts, tenure: Tenure, limits: Limits, clock: Clock) -> Result<Arc<Self>, StartError> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let node_key = Arc::new(parts.node_key);
        let log_key = parts.log_key;
        let scribe = Scribe::start(
            Arc::clone(&node_key),
            (parts.node.0, parts.node.1, tenure.clone()),
            Arc::clone(&clock),
            limits.facts_waiting_max,
            &tasks,
            stop.clone(),
        );
        let rules = Arc::new(Rulebook::new(parts.control, parts.control_name.clone()));
        rules.fold().await?;
        let (mut warm, mut late_since) = (parts.warm, Vec::new());
        let sealed = [
            (parts.control_name.as_str(), 1, &rules.ledger),
            (&parts.ledger_name, parts.ledger.partitions(), &parts.ledger),
        ];
        for (name, partitions, ledger) in sealed {
            for partition in 0..partitions {
                let (ledger, key, clock) = (Arc::clone(ledger), Arc::clone(&log_key), Arc::clone(&clock));
                let place = (parts.audit.as_path(), name, partition);
                let sealer = match warm.sealer(name, partition, &tenure) {
                    Some(sealer) => sealer?,
                    None => Sealer::open(place, ledger, key, clock, Some(tenure.clone())).await?,
                };
                late_since.push(sealer.late_since());
                tasks.spawn(sealer.run(limits.seal_interval, stop.clone()));
            }
        }
        let spine = Arc::new(Self {
            projection: Arc::new(Projection::new(parts.ledger.partitions())),
            recent: Recent::default(),
            ledger: parts.ledger,
            ledger_name: parts.ledger_name,
            store: parts.store,
            objects: parts.objects,
            rules,
            ids: parts.ids,
            node_key,
            log_verifier: log_key.verifier().clone(),
            audit: parts.audit,
            scribe,
            refusals: RefusalBudget::new(limits.refusals_per_second_max),
            payloads: PayloadCheck::default(),
            tenure,
            late_since,
            seal_stop_after: limits.seal_stop_after,
            pushers: Pushers::default(),
            deadlines: parts.deadlines,
            alarms: Alarms::default(),
            tasks,
            stop,
        });
        spine.announce_keys(&log_key).await?;
        spine.follow(&limits).await?;
        Ok(spine)
    }

    /// Keys are announced before their first use by anybody but themselves.
    async fn announce_keys(&self, log_key: &NoteKey) -> Result<(), ControlError> {
        for (usage, key) in [(KeyUse::Node, &*self.node_key), (KeyUse::Log, log_key)] {
            if !self.rules.lacks(usage, key) {
                continue;
            }
            let (name, public_key) = (key.name().to_owned(), key.public_key());
            let event_id = EventId::of(Kind::KeyEvent, &[name.as_bytes(), &public_key, &[1]]);
            let what = What::KeyEvent(KeyEvent {
                usage,
                name,
                public_key,
                begins: true,
            });
            self.configure(event_id, what).await?;
        }
        Ok(())
    }

    async fn follow(self: &Arc<Self>, limits: &Limits) -> Result<(), StartError> {
        for partition in 0..self.ledger.partitions() {
            let projector = Projector {
                partition,
                ledger: Arc::clone(&self.ledger),
                store: Arc::clone(&self.store),
                projection: Arc::clone(&self.projection),
                rules: Arc::clone(&self.rules),
                batch_max: limits.project_batch_max,
            };
            projector.catch_up().await?;
            let spine = Arc::clone(self);
            self.tasks.spawn(projector.follow(self.stop.clone(), move |applied| {
                let spine = Arc::clone(&spine);
                async move {
                    if !applied.conflicts.is_empty() {
                        spine.settle_conflicts().await;
                    }
                }
            }));
        }
        self.tasks
            .spawn(Arc::clone(self).watch(limits.seal_alarm_after, limits.staging_keep));
        self.tasks.spawn(Arc::clone(self).watch_waiting(limits.waits));
        Ok(())
    }

    /// Appends to the control ledger and answers when the rules have it.
    pub(crate) async fn configure(&self, event_id: EventId, what: What) -> Result<(), ControlError> {
        let fact = self.own_fact(event_id, what);
        self.scribe.write(&*self.rules.ledger, 0, &fact).await?;
        self.rules.fold().await
    }

    /// The rules of this moment.
    #[must_use]
    pub fn ruling(&self) -> Arc<Ruling> {
        self.rules.current()
    }

    /// Stops following, seals what came, and waits for all of it, at most `grace`. Call it when nobody calls any more.
    pub async fn stop(&self, grace: Duration) {
        let ended = async {
            // What a far side answers is still recorded.
            self.pushers.stop().await;
            self.stop.cancel();
            self.tasks.close();
            self.tasks.wait().await;
            self.store.close().await;
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            self.stop.cancel();
            warn!("the stop did not wait for everything");
        }
        info!("the exchange has stopped");
    }

    pub(crate) fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// What this node knows is what is so only while it holds the ledger: another may have gone on.
    pub(crate) fn held(&self) -> Result<(), Unavailable> {
        if self.tenure.holds() {
            Ok(())
        } else {
            Err(Unavailable::new("this node does not hold the ledger now"))
        }
    }

    /// Answers only if the node holds the ledger, from before it looked until it knows.
    async fn while_held<T, E: From<Unavailable>>(
        &self,
        answer: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        self.held()?;
        let answer = answer.await?;
        self.held()?;
        Ok(answer)
    }

    /// Cancelled when the node stops.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) fn actor(&self, caller: &Caller, agency: Option<AgencyId>) -> Actor {
        Actor {
            system: caller.system.clone(),
            adapter: caller.adapter.clone(),
            agency,
            spki: None,
            officer: None,
        }
    }

    /// When records wait too long for their checkpoint, nothing more is accepted.
    pub(crate) fn sealed_in_time(&self) -> Result<(), PublishError> {
        let limit_ms = u64::try_from(self.seal_stop_after.as_millis()).unwrap_or(u64::MAX);
        if self.late_ms() > limit_ms {
            Err(PublishError::Busy)
        } else {
            Ok(())
        }
    }

    #[cfg(test)]
    pub(crate) fn late_since_is_zero(&self) -> bool {
        self.late_since.iter().all(|since| since.load(Ordering::Relaxed) == 0)
    }

    /// For how long the oldest record waits for its checkpoint, in milliseconds.
    pub(crate) fn late_ms(&self) -> u64 {
        let now = self.scribe.now().0;
        let late = |since: &Arc<AtomicU64>| match since.load(Ordering::Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        };
        self.late_since.iter().map(late).max().unwrap_or(0)
    }

    /// Appends one fact to the data ledger. Whoever drops this future before its answer holds [`WriteError::Unknown`].
    pub(crate) async fn write(&self, partition: u32, fact: &Fact) -> Result<Inscribed, WriteError> {
        let inscribed = self.scribe.write(&*self.ledger, partition, fact).await?;
        self.projection.expect(inscribed);
        Ok(inscribed)
    }

    pub(crate) async fn entry_at(&self, position: &Position) -> Result<Entry, Unavailable> {
        let limit = ReadLimit { entries: 1, bytes: 0 };
        let entries = self
            .ledger
            .read(position.partition, position.offset, limit)
            .await
            .map_err(unavailable)?;
        entries
            .into_iter()
            .next()
            .ok_or_else(|| Unavailable::new("the ledger ends before a projected record"))
    }

    /// Reads an Accepted fact from where the projection says it stands, and which trace the message is part of; none: it
    /// was accepted before there were traces.
    pub(crate) async fn accepted_at(&self, position: &Position) -> Result<(Accepted, Option<TraceId>), Unavailable> {
        let entry = self.entry_at(position).await?;
        let record = Record::read(&entry.record).map_err(unavailable)?;
        let trace_id = record.fact.trace_id.and_then(TraceId::from_bytes);
        if let What::Accepted(accepted) = record.fact.what {
            return Ok((*accepted, trace_id));
        }
        let kind = record.fact.what.kind().name();
        Err(Unavailable::new(format!(
            "a fact of kind {kind} stands where an Accepted one should"
        )))
    }
}

/// What broke below is no fault of the caller.
pub(crate) fn unavailable(error: impl Into<Cause>) -> Unavailable {
    Unavailable::new(error)
}

#[async_trait]
impl Exchange for Spine {
    async fn upload(&self, _caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        self.held()?;
        let staging = self.objects.stage().await?;
        Ok(Box::new(crate::upload::Incoming::new(staging)))
    }

    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        let staged: Vec<String> = publish.objects.iter().map(|object| object.staging.clone()).collect();
        let answer = match self.held() {
            Ok(()) => self.accept(caller, publish).await,
            Err(unavailable) => Err(unavailable.into()),
        };
        // An accepted message's objects have their digest names; everything else that was staged is of no use any more.
        for staging in staged {
            self.objects.discard(&staging).await;
        }
        match answer {
            // Also a refusal, and a repeat: they are told by what this node knows.
            Ok(_) | Err(PublishError::Refused(_) | PublishError::Conflict { .. }) if !self.tenure.holds() => {
                Err(PublishError::Unknown)
            }
            answer => answer,
        }
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        self.while_held(self.record_rejection(caller, rejection)).await
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        self.while_held(self.waiting(caller, query)).await
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        self.held()?;
        let fetched = self.hand_out(caller, delivery).await?;
        // That it was handed out may be in the ledger; whether it was taken back meanwhile is not known here.
        self.held().map_err(|_| FetchError::Unknown)?;
        Ok(fetched)
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        self.held()?;
        let settled = self.settle(caller, delivery, outcome, evidence).await?;
        // It may be in the ledger, and what came between is not known here.
        self.held().map_err(|_| AcknowledgeError::Unknown)?;
        Ok(settled)
    }

    async fn sent(&self, caller: &Caller, message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        self.while_held(self.sent_by(caller, message)).await
    }

    async fn withdraw(
        &self,
        caller: &Caller,
        message: MsgId,
        to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        self.held()?;
        let withdrawals = self.withdraw_for(caller, message, to.as_ref()).await?;
        // It may be in the ledger, and what came between is not known here.
        self.held().map_err(|_| WithdrawError::Unknown)?;
        Ok(withdrawals)
    }

    fn arrivals(&self) -> Arrivals {
        self.arriving()
    }

    fn system(&self, system: &SystemId) -> Option<SystemView> {
        self.rules.current().registry.system(system, self.scribe.now())
    }

    fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView> {
        self.rules.current().registry.agencies(as_of)
    }
}

impl fmt::Debug for Spine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Spine")
            .field("ledger", &self.ledger_name)
            .finish_non_exhaustive()
    }
}
