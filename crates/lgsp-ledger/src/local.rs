//! The local ledger: one SQLite file, one writer's thread with group commit, readers that are woken.

mod check;
mod fault;
mod file;
mod pen;
mod pool;
mod queue;
mod reader;
mod scan;
mod sums;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tracing::error;

pub use check::{Manifest, OpenError};
pub(crate) use file::Lock;
pub use file::{CreateError, PARTITIONS_MAX, is_ledger_name};
pub(crate) use reader::FileLog;

use crate::ledger::{Append, Entry, Ledger, RECORD_BYTES_MAX, ReadError, ReadLimit, Refusal};
use crate::reader::Reader;
use pen::Pen;
use pool::Pool;
use queue::{Inlet, Waiting};
use writer::Writer;

/// Tells the time in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a local ledger is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The ledger is full when its file has so many pages of 4,096 bytes; `None`: when the disk is.
    pub pages_max: Option<u32>,
}

/// A ledger in one SQLite file, opened for appending by this process alone.
///
/// Dropping it waits for the records in its queue (milliseconds); [`Local::close`] does so without blocking the thread.
pub struct Local {
    path: PathBuf,
    manifest: Manifest,
    inlet: Inlet,
    ends: Vec<watch::Receiver<u64>>,
    pool: Arc<Pool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Local {
    /// Makes an empty ledger at `path`, where nothing may be, with 1 to [`PARTITIONS_MAX`] partitions and a name of 1
    /// to 64 characters out of `a-z`, `0-9`, `-` and `.`; `created_ms` is now, in Unix milliseconds.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was made then.
    pub fn create(path: &Path, name: &str, partitions: u32, created_ms: u64) -> Result<(), CreateError> {
        file::create(path, name, partitions, created_ms)
    }

    /// Opens a ledger for appending: takes the writer's lock, checks header, tables, manifest, the density of each
    /// partition and the sums of its last 1,000 records. Blocks while it reads the file once.
    ///
    /// # Errors
    /// [`OpenError`]; the file was not changed then.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        Self::open_with(path, clock, Settings::default())
    }

    /// [`Local::open`] with settings of its own.
    ///
    /// # Errors
    /// [`OpenError`]; the file was not changed then.
    pub fn open_with(path: &Path, clock: Clock, settings: Settings) -> Result<Self, OpenError> {
        check::presence(path)?;
        let lock = Lock::take(path).map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Locked { path: path.to_owned() },
            TryLockError::Error(source) => OpenError::io(source),
        })?;
        let (pen, manifest) = Pen::open(path, settings.pages_max)?;
        let (senders, ends) = pen.ends().iter().map(|end| watch::channel(*end)).unzip();
        let (inlet, outlet) = queue::queue();
        let writer = Writer {
            path: path.to_owned(),
            settings,
            clock,
            ends: senders,
            pen: Some(pen),
            lock,
        };
        let thread = thread::Builder::new()
            .name(String::from("ledger-writer"))
            .spawn(move || writer.run(&outlet));
        let thread = Mutex::new(Some(thread.map_err(OpenError::io)?));
        let pool = Arc::new(Pool::new(path.to_owned()));
        Ok(Self {
            path: path.to_owned(),
            manifest,
            inlet,
            ends,
            pool,
            thread,
        })
    }

    /// Opens a ledger for reading, beside a writer or without one, in this process or another.
    ///
    /// # Errors
    /// [`OpenError`], never [`OpenError::Locked`].
    pub fn open_read_only(path: &Path) -> Result<Reader, OpenError> {
        FileLog::open(path)
    }

    /// What the ledger says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes no more records, appends those in the queue, closes the file and gives the lock back. Again: does nothing.
    pub async fn close(&self) {
        self.pool.close().await;
        self.inlet.close();
        if let Some(thread) = self.thread() {
            drop(tokio::task::spawn_blocking(move || join(thread)).await);
        }
    }

    fn thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn watched(&self, partition: u32) -> Result<&watch::Receiver<u64>, ReadError> {
        self.ends
            .get(partition as usize)
            .ok_or(ReadError::NoSuchPartition { partition })
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        error!("the ledger's writer ended early");
    }
}

#[async_trait]
impl Ledger for Local {
    fn partitions(&self) -> u32 {
        self.manifest.partitions
    }

    async fn append(&self, partition: u32, record: Bytes) -> Append {
        if partition >= self.manifest.partitions {
            return Append::Refused(Refusal::NoSuchPartition);
        }
        if record.len() > RECORD_BYTES_MAX {
            return Append::Refused(Refusal::TooLarge);
        }
        let (answer, answered) = oneshot::channel();
        if let Err(refusal) = self.inlet.offer(Waiting {
            partition,
            record,
            answer,
        }) {
            return Append::Refused(refusal);
        }
        answered.await.unwrap_or(Append::Unknown)
    }

    async fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        if from >= *self.watched(partition)?.borrow() {
            return Ok(Vec::new());
        }
        self.pool
            .with(move |connection| scan::read(connection, partition, from, limit))
            .await
    }

    async fn end(&self, partition: u32) -> Result<u64, ReadError> {
        Ok(*self.watched(partition)?.borrow())
    }

    async fn grown(&self, partition: u32, past: u64) -> Result<u64, ReadError> {
        let mut end = self.watched(partition)?.clone();
        let grown = end.wait_for(|end| *end > past).await;
        grown.map(|end| *end).map_err(|_| ReadError::Closed)
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("path", &self.path)
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.pool.shut();
        self.inlet.close();
        if let Some(thread) = self.thread() {
            join(thread);
        }
    }
}
