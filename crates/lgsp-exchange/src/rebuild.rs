//! Making the store again from the ledger: a projection is worth what a rebuild says (reliability.md G20).

use std::sync::Arc;

use lgsp_ledger::{ReadLimit, Reader};
use lgsp_store::Store;
use lgsp_types::Digest;

use crate::control::contracts_of;
use crate::project::{ProjectError, projected};
use crate::reading;

/// Facts in one SQL transaction; one bound for all, as batches must not matter.
const BATCH: ReadLimit = ReadLimit {
    entries: 2_000,
    bytes: 8 * 1024 * 1024,
};

/// What a rebuild made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Facts read.
    pub facts: u64,
    /// Table name and hash of its rows.
    pub tables: Vec<(String, Digest)>,
}

/// Projects a data ledger into an empty store, with the contracts of its control ledger, up to the given offset of each
/// partition (all of it where none is given). `progress` hears of every batch: facts so far.
///
/// # Errors
/// [`ProjectError`].
pub async fn rebuild(
    (ledger, control): (Reader, Reader),
    store: Arc<dyn Store>,
    until: &[u64],
    mut progress: impl FnMut(u64),
) -> Result<Rebuilt, ProjectError> {
    let contracts = contracts_of(&control)?;
    let mut facts = 0;
    for partition in 0..ledger.partitions() {
        let end = ledger.end(partition)?;
        let end = until.get(partition as usize).map_or(end, |until| end.min(*until));
        let mut next = store.next_offset(partition).await?;
        while next < end {
            let limit = ReadLimit {
                entries: usize::try_from(end - next).unwrap_or(usize::MAX).min(BATCH.entries),
                ..BATCH
            };
            let entries = ledger.read(partition, next, limit)?;
            let mut batch: Vec<_> = entries.iter().map(|entry| projected(partition, entry)).collect();
            reading::add(&mut batch, &contracts);
            let count = batch.len() as u64;
            store.apply(partition, next, batch).await?;
            next += count;
            facts += count;
            progress(facts);
        }
    }
    Ok(Rebuilt {
        facts,
        tables: store.table_hashes().await?,
    })
}
