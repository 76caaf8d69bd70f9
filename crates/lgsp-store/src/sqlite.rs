//! The store in one SQLite file: one connection writes, a few read, none on a thread of the async runtime.

mod accepted;
mod deliveries;
mod fault;
mod filed;
mod lane;
mod list;
mod lives;
mod open;
mod pool;
mod project;
mod read;
mod refused;
mod report;
mod sayings;
mod schema;
mod search;
#[cfg(test)]
mod tests;
mod values;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lgsp_types::{AgencyId, ContractRef, DeliveryId, Digest, Mark, MsgId, OpenDelivery, OpenQuery, UnixMs};
use rusqlite::Connection;
use tokio::task::spawn_blocking;
use tracing::warn;

pub use open::OpenError;

use crate::rows::{
    AcceptedRow, Applied, Conflict, Counts, DeliveryRow, DocumentRow, FiledPage, Filter, Found, LoggedEvent,
    MessageRow, Projected, RefusalRow, Search, Timeline,
};
use crate::store::{Store, StoreError};
use lane::Lane;
use open::Identity;
use pool::{Access, Pool};

/// So many questions are answered at once; the others wait their turn.
const READERS: u32 = 4;

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The store is full when its file has so many pages of 4,096 bytes; none: when the disk is.
    pub pages_max: Option<u32>,
}

/// A store in one SQLite file (`-wal` and `-shm` beside it while it is open).
///
/// What was committed may be lost with the power, never half of a batch: the ledger has all of it. [`Store::close`]
/// before dropping it, so that closing the file blocks no thread of the runtime.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: u64,
    writer: Arc<Pool>,
    readers: Arc<Pool>,
    keyed: Arc<Lane>,
}

impl SqliteStore {
    /// Opens the store of this ledger at `path`, or makes it; `id_key` is the id of the ledger's id key.
    ///
    /// Each opening counts a start: whoever had the store open before can project no more.
    ///
    /// # Errors
    /// [`OpenError`]; a store of another version or another ledger is left as it is.
    pub async fn open(path: &Path, ledger: &str, id_key: &str, partitions: u32) -> Result<Self, OpenError> {
        Self::open_with(path, ledger, id_key, partitions, Settings::default()).await
    }

    /// [`SqliteStore::open`] with settings of its own.
    ///
    /// # Errors
    /// [`OpenError`]; a store of another version or another ledger is left as it is.
    pub async fn open_with(
        path: &Path,
        ledger: &str,
        id_key: &str,
        partitions: u32,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let identity = Identity {
            ledger: ledger.to_owned(),
            id_key: id_key.to_owned(),
            partitions,
        };
        let access = Access::Write {
            pages_max: settings.pages_max,
        };
        let at: PathBuf = path.to_owned();
        let opened = spawn_blocking(move || open::open(&at, &identity, access)).await;
        let (epoch, connection) = opened.map_err(|source| OpenError::Unavailable {
            path: path.to_owned(),
            source: source.into(),
        })??;
        Ok(Self {
            epoch,
            writer: Arc::new(Pool::new(path.to_owned(), access, 1, vec![connection])),
            readers: Arc::new(Pool::new(path.to_owned(), Access::Read, READERS, Vec::new())),
            keyed: Arc::new(Lane::new(path.to_owned())),
        })
    }

    /// How often the store was opened, this time included.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Puts a closed store, such as a rebuilt one, in the place of one that nobody has open. Blocks.
    ///
    /// # Errors
    /// [`io::Error`]: whatever store is at `path` then is whole, or is none and will be made from the ledger.
    pub fn replace(draft: &Path, path: &Path) -> io::Result<()> {
        open::replace(draft, path)
    }

    /// Removes a store that nobody has open, if there is one. Blocks.
    ///
    /// # Errors
    /// [`io::Error`]: see to the rights.
    pub fn erase(path: &Path) -> io::Result<()> {
        open::erase(path)
    }

    /// Answers a question by a key, together with others of the moment.
    async fn look_up<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.keyed.ask(question).await
    }

    /// Answers from one state of the store, whatever is projected meanwhile.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers
            .with(move |connection| {
                let snapshot = connection.transaction()?;
                Ok(question(&snapshot)?)
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn next_offset(&self, partition: u32) -> Result<u64, StoreError> {
        let next = self
            .look_up(move |connection| project::next_offset(connection, partition))
            .await?;
        next.ok_or(StoreError::NoSuchPartition { partition })
    }

    async fn apply(&self, partition: u32, from: u64, facts: Vec<Projected>) -> Result<Applied, StoreError> {
        let epoch = self.epoch;
        self.writer
            .with(move |connection| project::apply(connection, epoch, partition, from, &facts))
            .await
    }

    async fn accepted(&self, id: MsgId) -> Result<Option<AcceptedRow>, StoreError> {
        self.look_up(move |connection| read::accepted(connection, id)).await
    }

    async fn message(&self, id: MsgId) -> Result<Option<MessageRow>, StoreError> {
        self.look_up(move |connection| read::message(connection, id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError> {
        self.look_up(move |connection| read::delivery(connection, id)).await
    }

    async fn dead_letters(&self, limit: u32) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(move |connection| read::dead_letters(connection, limit)).await
    }

    async fn open_deliveries(
        &self,
        agencies: &[AgencyId],
        query: &OpenQuery,
        blocking: &[ContractRef],
    ) -> Result<Vec<OpenDelivery>, StoreError> {
        let (agencies, query, blocking) = (agencies.to_vec(), query.clone(), blocking.to_vec());
        self.read(move |connection| list::open_deliveries(connection, &agencies, &query, &blocking))
            .await
    }

    async fn dead_before(&self, delivery: DeliveryId) -> Result<Option<DeliveryId>, StoreError> {
        self.read(move |connection| list::dead_before(connection, delivery))
            .await
    }

    async fn set_mark(&self, delivery: DeliveryId, mark: Mark, at: UnixMs) -> Result<bool, StoreError> {
        self.writer
            .with(move |connection| Ok(list::set_mark(connection, delivery, mark, at)?))
            .await
    }

    async fn find_messages(&self, search: &Search, limit: u32) -> Result<Vec<Found>, StoreError> {
        let search = search.clone();
        self.read(move |connection| search::find_messages(connection, &search, limit))
            .await
    }

    async fn documents(&self, messages: &[MsgId], limit: u32) -> Result<Vec<DocumentRow>, StoreError> {
        let messages = messages.to_vec();
        self.read(move |connection| lives::documents(connection, &messages, limit))
            .await
    }

    async fn search(&self, filter: &Filter, after: Option<u64>, limit: u32) -> Result<FiledPage, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| filed::search(connection, &filter, after, limit))
            .await
    }

    async fn timeline(&self, id: MsgId) -> Result<Option<Timeline>, StoreError> {
        self.read(move |connection| read::timeline(connection, id)).await
    }

    async fn events_from(&self, partition: u32, from: u64, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read(move |connection| read::events_from(connection, partition, from, limit))
            .await
    }

    async fn pending_conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        self.read(report::pending_conflicts).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(report::counts).await
    }

    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError> {
        self.read(move |connection| report::refusals(connection, limit)).await
    }

    async fn objects_named(&self, digests: &[Digest]) -> Result<Vec<Digest>, StoreError> {
        let mut digests = digests.to_vec();
        digests.sort_unstable();
        digests.dedup();
        self.read(move |connection| report::objects_named(connection, &digests))
            .await
    }

    async fn object_digests(&self, after: Option<Digest>, limit: u32) -> Result<Vec<Digest>, StoreError> {
        self.read(move |connection| report::object_digests(connection, after, limit))
            .await
    }

    async fn table_hashes(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        self.read(report::table_hashes).await
    }

    async fn close(&self) {
        self.keyed.close().await;
        self.readers.close().await;
        let carried = self.writer.with(|connection| Ok(pool::carry_over(connection)?)).await;
        match carried {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(error, "the write-ahead log could not be carried over");
            }
        }
        self.writer.close().await;
    }
}
