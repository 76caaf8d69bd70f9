//! Standing by: a node that waits for its turn keeps its store and its hashes near the ledger's end.

use std::fmt;
use std::sync::Arc;

use lgsp_ledger::Tenure;
use lgsp_types::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::control::Rulebook;
use crate::project::{Projection, Projector};
use crate::seal::{SealError, Sealer};
use crate::spine::{Limits, Parts, StartError};

/// What a node has ready when its turn comes; nothing, if it did not stand by.
#[derive(Default)]
pub struct Warm {
    sealers: Vec<Sealer>,
}

impl Warm {
    /// The sealer of this partition, which holds from now on; none: it has to be opened.
    pub(crate) fn sealer(&mut self, name: &str, partition: u32, tenure: &Tenure) -> Option<Result<Sealer, SealError>> {
        let nth = self.sealers.iter().position(|sealer| sealer.is_of(name, partition))?;
        Some(self.sealers.swap_remove(nth).holding(tenure.clone()))
    }
}

impl fmt::Debug for Warm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sealers = self.sealers.len();
        out.debug_struct("Warm").field("sealers", &sealers).finish()
    }
}

/// Projects and hashes what others write, until `stop`; writes nothing into a ledger and signs nothing. What is ready then
/// is in the parts.
///
/// A projection that stops says so in the log, and the take-over meets it again.
///
/// # Errors
/// [`StartError`]: an operator must act.
pub async fn stand_by(
    parts: &mut Parts,
    limits: &Limits,
    clock: &Clock,
    stop: CancellationToken,
) -> Result<(), StartError> {
    if stop.is_cancelled() {
        return Ok(());
    }
    let tasks = TaskTracker::new();
    let guard = stop.clone().drop_guard();
    let projection = Arc::new(Projection::new(parts.ledger.partitions()));
    let rules = Arc::new(Rulebook::new(Arc::clone(&parts.control), parts.control_name.clone()));
    for partition in 0..parts.ledger.partitions() {
        let projector = Projector {
            partition,
            ledger: Arc::clone(&parts.ledger),
            store: Arc::clone(&parts.store),
            projection: Arc::clone(&projection),
            rules: Arc::clone(&rules),
            batch_max: limits.project_batch_max,
        };
        // What a batch asks for, the holder does.
        tasks.spawn(projector.follow(stop.clone(), |_| async {}));
    }
    let mut sealing = Vec::new();
    let hashed = [
        (&parts.control_name, &parts.control),
        (&parts.ledger_name, &parts.ledger),
    ];
    for (name, ledger) in hashed {
        for partition in 0..ledger.partitions() {
            let place = (parts.audit.as_path(), name.as_str(), partition);
            let (ledger, key, clock) = (Arc::clone(ledger), Arc::clone(&parts.log_key), Arc::clone(clock));
            let sealer = Sealer::open(place, ledger, key, clock, None).await?;
            sealing.push(tasks.spawn(sealer.run(limits.seal_interval, stop.clone())));
        }
    }
    tasks.close();
    stop.cancelled().await;
    tasks.wait().await;
    for sealer in sealing {
        parts.warm.sealers.extend(sealer.await.ok().flatten());
    }
    drop(guard);
    Ok(())
}
