//! Standing by: a node that waits for its turn keeps its store and its hashes near the ledger's end.

use std::sync::Arc;

use lgsp_types::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::project::{Projection, Projector};
use crate::seal::Sealer;
use crate::spine::{Limits, Parts, StartError};

/// Projects and hashes what others write, until `stop`; writes nothing into a ledger and signs nothing.
///
/// A projection that stops says so in the log, and the take-over meets it again.
///
/// # Errors
/// [`StartError`]: an operator must act.
pub async fn stand_by(
    parts: &Parts,
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
    for partition in 0..parts.ledger.partitions() {
        let projector = Projector {
            partition,
            ledger: Arc::clone(&parts.ledger),
            store: Arc::clone(&parts.store),
            projection: Arc::clone(&projection),
            batch_max: limits.project_batch_max,
        };
        // What a batch asks for, the holder does.
        tasks.spawn(projector.follow(stop.clone(), |_| async {}));
    }
    let hashed = [
        (&parts.control_name, &parts.control),
        (&parts.ledger_name, &parts.ledger),
    ];
    for (name, ledger) in hashed {
        for partition in 0..ledger.partitions() {
            let place = (parts.audit.as_path(), name.as_str(), partition);
            let (ledger, key, clock) = (Arc::clone(ledger), Arc::clone(&parts.log_key), Arc::clone(clock));
            let sealer = Sealer::open(place, ledger, key, clock, None).await?;
            tasks.spawn(sealer.run(limits.seal_interval, stop.clone()));
        }
    }
    tasks.close();
    stop.cancelled().await;
    tasks.wait().await;
    drop(guard);
    Ok(())
}
