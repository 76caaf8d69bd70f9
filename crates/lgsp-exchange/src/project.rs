//! Projecting: facts in offset order become rows, one SQL transaction per batch (architecture.md, hop 7).

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lgsp_audit::Record;
use lgsp_ledger::{Entry, Ledger, ReadError, ReadLimit};
use lgsp_store::{Applied, Projected, Reading, Store, StoreError, failpoint};
use lgsp_types::UnixMs;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::control::{ControlError, Rulebook};
use crate::reading;
use crate::scribe::Inscribed;

/// Most bytes of records in one batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Pause before a batch that found no room is tried again; doubled each time, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Why projecting stopped: nothing more is delivered from this partition until an operator acted.
#[derive(Debug, Error)]
pub enum ProjectError {
    #[error("the ledger could not be read")]
    Ledger(#[from] ReadError),
    #[error("the store could not be written")]
    Store(#[from] StoreError),
    /// The contract of a payload stands in the control ledger.
    #[error("the control ledger could not be read")]
    Control(#[from] ControlError),
    /// The store knows more than the ledger has: the ledger was cut behind our back.
    #[error("ledger fork: partition {partition} ends at {end}, but the store has projected it to {projected}")]
    Fork { partition: u32, end: u64, projected: u64 },
}

impl ProjectError {
    /// Nothing is wrong with what was written: the same can be done again when there is room, or in a moment.
    const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Ledger(ReadError::Unavailable { .. })
                | Self::Store(StoreError::Full | StoreError::Unavailable { .. })
                | Self::Control(ControlError::Ledger(ReadError::Unavailable { .. }))
        )
    }
}

/// How far each partition is projected; whoever made a claim waits here.
#[derive(Debug)]
pub(crate) struct Projection {
    reached: Vec<watch::Sender<u64>>,
    /// What this node wrote of each partition ends here.
    written: Vec<AtomicU64>,
    /// Counts what was projected, in whatever partition.
    any: watch::Sender<u64>,
}

/// The projection of the partition has stopped.
#[derive(Debug, Error)]
#[error("the projection has stopped")]
pub(crate) struct Stopped;

impl Projection {
    pub(crate) fn new(partitions: u32) -> Self {
        Self {
            reached: (0..partitions).map(|_| watch::Sender::new(0)).collect(),
            written: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
            any: watch::Sender::new(0),
        }
    }

    /// Waits until this offset is projected.
    ///
    /// Cancel safe: a dropped wait loses nothing.
    pub(crate) async fn passed(&self, partition: u32, offset: u64) -> Result<(), Stopped> {
        let mut reached = self.reached.get(partition as usize).ok_or(Stopped)?.subscribe();
        let waited = reached.wait_for(|next| *next > offset).await;
        match waited {
            Ok(next) if *next != u64::MAX => Ok(()),
            Ok(_) | Err(_) => Err(Stopped),
        }
    }

    /// This node wrote a fact here.
    pub(crate) fn expect(&self, inscribed: Inscribed) {
        if let Some(written) = self.written.get(inscribed.partition as usize) {
            written.fetch_max(inscribed.offset + 1, Ordering::Relaxed);
        }
    }

    /// Waits until all that this node had written when it was called is projected, or never will be.
    ///
    /// Cancel safe: a dropped wait loses nothing.
    pub(crate) async fn caught_up(&self) {
        for (partition, written) in (0..).zip(&self.written) {
            if let Some(last) = written.load(Ordering::Relaxed).checked_sub(1) {
                // Stopped: what is known is all there will be.
                self.passed(partition, last).await.ok();
            }
        }
    }

    /// Whether this offset is projected.
    pub(crate) fn has_passed(&self, partition: u32, offset: u64) -> bool {
        let reached = self.reached.get(partition as usize).map(|reached| *reached.borrow());
        // A stopped projection has passed nothing more.
        reached.is_some_and(|next| next > offset && next != u64::MAX)
    }

    /// Tells of each batch that is projected from now on, in whatever partition; several untold ones are one.
    pub(crate) fn batches(&self) -> watch::Receiver<u64> {
        self.any.subscribe()
    }

    fn set(&self, partition: u32, next: u64) {
        if let Some(reached) = self.reached.get(partition as usize) {
            reached.send_replace(next);
            self.any.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Wakes everyone who waits: nothing more will come.
    fn stop(&self, partition: u32) {
        self.set(partition, u64::MAX);
    }
}

/// Projects one partition.
pub(crate) struct Projector {
    pub(crate) partition: u32,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) projection: Arc<Projection>,
    /// What the facts name of it is read; the rules of now decide nothing here.
    pub(crate) rules: Arc<Rulebook>,
    pub(crate) batch_max: usize,
}

impl Projector {
    /// Projects to the present end of the partition: before anything is delivered, after a start (R4).
    pub(crate) async fn catch_up(&self) -> Result<Vec<Applied>, ProjectError> {
        let end = self.ledger.end(self.partition).await?;
        let mut next = self.store.next_offset(self.partition).await?;
        if next > end {
            return Err(ProjectError::Fork {
                partition: self.partition,
                end,
                projected: next,
            });
        }
        let mut all = Vec::new();
        while next < end {
            let (reached, applied) = self.batch(next).await?;
            next = reached;
            all.push(applied);
        }
        self.projection.set(self.partition, next);
        Ok(all)
    }

    /// Projects whatever comes, until `stop`; `act` does what a batch asks for.
    pub(crate) async fn follow<F, Acted>(self, stop: CancellationToken, act: F)
    where
        F: Fn(Applied) -> Acted,
        Acted: Future<Output = ()>,
    {
        if let Err(error) = self.follow_until(&stop, act).await {
            let error = &error as &dyn std::error::Error;
            error!(partition = self.partition, error, "projecting stopped");
        }
        self.projection.stop(self.partition);
    }

    async fn follow_until<F, Acted>(&self, stop: &CancellationToken, act: F) -> Result<(), ProjectError>
    where
        F: Fn(Applied) -> Acted,
        Acted: Future<Output = ()>,
    {
        let mut next = self.store.next_offset(self.partition).await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                grown = self.ledger.grown(self.partition, next) => match grown {
                    Ok(_) => {}
                    Err(ReadError::Closed) => return Ok(()),
                    Err(error) => return Err(error.into()),
                },
            }
            let Some((reached, applied)) = self.batch_in_time(next, stop).await? else {
                return Ok(());
            };
            next = reached;
            self.projection.set(self.partition, next);
            act(applied).await;
            failpoint::hit("between-projections");
        }
    }

    /// A batch that finds no room, or a store that cannot be used now, waits until it does; none: it was told to stop.
    async fn batch_in_time(&self, from: u64, stop: &CancellationToken) -> Result<Option<(u64, Applied)>, ProjectError> {
        let mut pause = PAUSE_FIRST;
        let mut tried = self.batch(from).await;
        loop {
            match tried {
                Err(error) if error.passes() => {
                    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    let cause = error.source().map(ToString::to_string);
                    let error = &error as &dyn std::error::Error;
                    error!(
                        partition = self.partition,
                        from, pause_ms, error, cause, "projecting waits"
                    );
                }
                done => {
                    if pause > PAUSE_FIRST {
                        info!(partition = self.partition, from, "projecting goes on");
                    }
                    return done.map(Some);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(PAUSE_LONGEST);
            tried = self.batch_again(from).await;
        }
    }

    /// A batch that failed may be in the store all the same: then what it asks for is found when the node next looks
    /// after itself.
    async fn batch_again(&self, from: u64) -> Result<(u64, Applied), ProjectError> {
        let next = self.store.next_offset(self.partition).await?;
        if next > from {
            return Ok((next, Applied::default()));
        }
        self.batch(from).await
    }

    async fn batch(&self, from: u64) -> Result<(u64, Applied), ProjectError> {
        let limit = ReadLimit {
            entries: self.batch_max,
            bytes: BATCH_BYTES_MAX,
        };
        let entries = self.ledger.read(self.partition, from, limit).await?;
        let next = from + entries.len() as u64;
        let mut facts: Vec<Projected> = entries.iter().map(|entry| projected(self.partition, entry)).collect();
        if reading::named(&facts) > self.rules.size() {
            self.rules.fold().await?;
        }
        reading::add(&mut facts, &self.rules.current().contracts);
        let applied = self.store.apply(self.partition, from, facts).await?;
        Ok((next, applied))
    }
}

/// A record that is none of ours takes its offset all the same; it is kept and flagged.
pub(crate) fn projected(partition: u32, entry: &Entry) -> Projected {
    let fact = match Record::read(&entry.record) {
        Ok(record) => Some(record.fact),
        Err(alien) => {
            warn!(
                partition,
                offset = entry.offset,
                error = &alien as &dyn std::error::Error,
                "a foreign record"
            );
            None
        }
    };
    Projected {
        offset: entry.offset,
        append_ms: UnixMs(entry.append_ms),
        leaf_hash: lgsp_audit::entry_hash(entry.append_ms, &entry.record),
        fact,
        reading: Reading::default(),
    }
}
