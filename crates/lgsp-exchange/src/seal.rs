//! Sealing: leaf hashes in offset order, a tree over them, a signed checkpoint (reliability.md 5.4).
//!
//! The hashes are a projection in a file of their own, 32 bytes a leaf; it can be made again from the ledger.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lgsp_audit::{Checkpoint, NoteKey, TlogProof, Tree, VerifierKey, prove_inclusion};
use lgsp_files::Existing;
use lgsp_ledger::{Entry, Ledger, ReadError, ReadLimit, Tenure};
use lgsp_types::{Clock, Digest};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::hashes::HashFile;

const BATCH: ReadLimit = ReadLimit {
    entries: 1_024,
    bytes: 4 * 1024 * 1024,
};

/// Why a partition could not be sealed.
#[derive(Debug, Error)]
pub enum SealError {
    #[error("the ledger could not be read")]
    Ledger(#[from] ReadError),
    #[error("{path} could not be used")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// What was sealed is not what is there: stop and call an operator.
    #[error("ledger fork: the record at offset {offset} of {origin} is not the one that was sealed")]
    Fork { origin: String, offset: u64 },
    #[error("the hashes of {origin} read back differently from what was written")]
    ReadBack { origin: String },
}

/// The files of a partition's hashes and of its last checkpoint.
fn files(folder: &Path, name: &str, partition: u32) -> (PathBuf, PathBuf) {
    let file = |ending| folder.join(format!("{name}-{partition}.{ending}"));
    (file("hashes"), file("checkpoint"))
}

/// The text of the partition's last checkpoint; none while it has none. Blocks.
pub(crate) fn last_checkpoint(folder: &Path, name: &str, partition: u32) -> io::Result<Option<String>> {
    match std::fs::read_to_string(files(folder, name, partition).1) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The proof that the record at this offset stands under the partition's last checkpoint; none while it is not sealed.
/// Blocks: it reads the hashes once.
pub(crate) fn prove(
    folder: &Path,
    name: &str,
    partition: u32,
    offset: u64,
    key: &VerifierKey,
) -> io::Result<Option<TlogProof>> {
    let (hashes, _) = files(folder, name, partition);
    let Some(text) = last_checkpoint(folder, name, partition)? else {
        return Ok(None);
    };
    let sealed = Checkpoint::open(&text, key).map_err(io::Error::other)?;
    if offset >= sealed.size {
        return Ok(None);
    }
    let hashes = HashFile::open_read_only(hashes)?;
    let missing = || io::Error::other("the hashes end before their checkpoint");
    let path =
        prove_inclusion(offset, sealed.size, |at| hashes.get(at)?.ok_or_else(missing)).map_err(io::Error::other)?;
    Ok(Some(TlogProof {
        extra: None,
        index: offset,
        hashes: path,
        checkpoint: text,
    }))
}

/// Seals one partition.
pub(crate) struct Sealer {
    origin: String,
    partition: u32,
    ledger: Arc<dyn Ledger>,
    key: Arc<NoteKey>,
    checkpoint: PathBuf,
    hashes: HashFile,
    tree: Tree,
    /// Size of the last checkpoint; none: it has none.
    sealed: Option<u64>,
    /// None: of a node that stands by, which makes hashes and no checkpoint.
    tenure: Option<Tenure>,
    /// When the oldest record without a checkpoint was first seen by the sealer; 0: there is none.
    late_since_ms: Arc<AtomicU64>,
    clock: Clock,
}

impl Sealer {
    /// Opens the hashes and the last checkpoint of a partition, in this folder under the ledger's name, and holds both
    /// against the ledger. Blocks: call it before serving.
    pub(crate) async fn open(
        (folder, name, partition): (&Path, &str, u32),
        ledger: Arc<dyn Ledger>,
        key: Arc<NoteKey>,
        clock: Clock,
        tenure: Option<Tenure>,
    ) -> Result<Self, SealError> {
        let origin = lgsp_audit::origin(name, partition);
        let (path, checkpoint) = files(folder, name, partition);
        let opened = HashFile::open(path.clone()).and_then(|hashes| {
            let tree = hashes.tree(hashes.size())?;
            Ok((hashes, tree))
        });
        let (hashes, tree) = opened.map_err(|source| SealError::Io { path, source })?;
        let mut sealer = Self {
            origin,
            partition,
            ledger,
            key,
            checkpoint,
            hashes,
            tree,
            sealed: None,
            tenure,
            late_since_ms: Arc::new(AtomicU64::new(0)),
            clock,
        };
        sealer.check().await?;
        Ok(sealer)
    }

    /// Since when a record waits for its checkpoint, Unix milliseconds; 0: none waits.
    pub(crate) fn late_since(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.late_since_ms)
    }

    /// The last checkpoint must be ours and extend to what the hashes say; the last sealed record must be the same.
    async fn check(&mut self) -> Result<(), SealError> {
        let fork = |offset| SealError::Fork {
            origin: self.origin.clone(),
            offset,
        };
        match std::fs::read_to_string(&self.checkpoint) {
            Ok(text) => {
                let checkpoint = Checkpoint::open(&text, self.key.verifier()).map_err(|_| fork(0))?;
                let sealed = self.hashes.tree(checkpoint.size).map_err(|source| self.io(source))?;
                if (sealed.size(), sealed.root()) != (checkpoint.size, checkpoint.root) {
                    return Err(fork(checkpoint.size.saturating_sub(1)));
                }
                self.sealed = Some(checkpoint.size);
            }
            // A log that was never sealed is sealed empty: from then on nobody can say that it is younger.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.publishes() => {
                self.publish(&Tree::default())?;
                self.sealed = Some(0);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(SealError::Io {
                    path: self.checkpoint.clone(),
                    source,
                });
            }
        }
        let Some(last) = self.tree.size().checked_sub(1) else {
            return Ok(());
        };
        let entries = self
            .ledger
            .read(self.partition, last, ReadLimit { entries: 1, bytes: 0 })
            .await?;
        let found = entries.first().map(hash_of);
        let known = self.hashes.get(last).map_err(|source| self.io(source))?;
        if found.is_none() || found != known {
            return Err(fork(last));
        }
        Ok(())
    }

    fn io(&self, source: io::Error) -> SealError {
        SealError::Io {
            path: self.hashes.path().to_owned(),
            source,
        }
    }

    /// Is it of this partition?
    pub(crate) fn is_of(&self, name: &str, partition: u32) -> bool {
        self.origin == lgsp_audit::origin(name, partition)
    }

    /// The same, from now on of a node that holds the ledger.
    pub(crate) fn holding(mut self, tenure: Tenure) -> Result<Self, SealError> {
        self.tenure = Some(tenure);
        self.late_since_ms.store(0, Ordering::Relaxed);
        if self.sealed.is_none() && self.publishes() {
            self.publish(&Tree::default())?;
            self.sealed = Some(0);
        }
        Ok(self)
    }

    /// Seals every `interval` what has come, and once more at the stop, unless it stands by. None: what was sealed is not
    /// what is there.
    pub(crate) async fn run(mut self, interval: Duration, stop: CancellationToken) -> Option<Self> {
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = self.grown_and_interval_over(interval) => false,
            };
            if stopping && self.tenure.is_none() {
                return Some(self);
            }
            let (sealer, sealed) = self.seal_aside(&stop).await?;
            self = sealer;
            if let Err(error) = sealed {
                error!(
                    origin = self.origin,
                    error = &error as &dyn std::error::Error,
                    "sealing failed"
                );
                if matches!(error, SealError::Fork { .. } | SealError::ReadBack { .. }) {
                    self.late();
                    return None;
                }
            }
            if stopping {
                return Some(self);
            }
        }
    }

    /// Seals on a thread that may block: whoever waits for a record does not wait for a disk. None: it broke off, by a mistake
    /// of ours; then it is late, and is told as that.
    async fn seal_aside(mut self, stop: &CancellationToken) -> Option<(Self, Result<(), SealError>)> {
        let (runtime, stop, origin) = (Handle::current(), stop.clone(), self.origin.clone());
        let sealing = spawn_blocking(move || {
            let sealed = runtime.block_on(self.seal(&stop));
            (self, sealed)
        });
        let broke_off =
            |source: JoinError| error!(origin, error = &source as &dyn std::error::Error, "sealing broke off");
        sealing.await.map_err(broke_off).ok()
    }

    /// Waits without polling until there is something to seal, then for the rest of the interval.
    ///
    /// Cancel safe: a dropped wait loses nothing.
    async fn grown_and_interval_over(&self, interval: Duration) {
        let past = match &self.tenure {
            Some(_) => self.sealed.unwrap_or(0),
            None => self.tree.size(),
        };
        if self.ledger.grown(self.partition, past).await.is_ok() {
            self.late();
            tokio::time::sleep(interval).await;
        } else {
            // Closed: the stop is near.
            std::future::pending::<()>().await;
        }
    }

    fn late(&self) {
        let now = (self.clock)().0;
        // Another is late already: its time counts.
        let first = self
            .late_since_ms
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            debug!(origin = self.origin, "records wait for their checkpoint");
        }
    }

    async fn seal(&mut self, stop: &CancellationToken) -> Result<(), SealError> {
        let end = self.ledger.end(self.partition).await?;
        while self.tree.size() < end {
            // Its turn has come: what is missing still is hashed while it serves.
            if self.tenure.is_none() && stop.is_cancelled() {
                return Ok(());
            }
            let from = self.tree.size();
            let entries = self.ledger.read(self.partition, from, BATCH).await?;
            let fresh: Vec<Digest> = entries.iter().map(hash_of).collect();
            self.hashes.append(from, &fresh).map_err(|source| self.io(source))?;
            let mut expected = self.tree.clone();
            fresh.iter().for_each(|hash| expected.push(*hash));
            // Computed twice, once from what can be read back: a root over bytes that were never stored helps nobody.
            for hash in self
                .hashes
                .read_back(from, fresh.len())
                .map_err(|source| self.io(source))?
            {
                self.tree.push(hash);
            }
            if self.tree.root() != expected.root() {
                return Err(SealError::ReadBack {
                    origin: self.origin.clone(),
                });
            }
        }
        let size = self.tree.size();
        if self.sealed == Some(size) || !self.publishes() {
            return Ok(());
        }
        self.publish(&self.tree.clone())?;
        self.sealed = Some(size);
        self.late_since_ms.store(0, Ordering::Relaxed);
        debug!(origin = self.origin, size, "sealed");
        Ok(())
    }

    /// Only the node that holds the ledger signs what it holds.
    fn publishes(&self) -> bool {
        self.tenure.as_ref().is_some_and(Tenure::holds)
    }

    fn publish(&self, tree: &Tree) -> Result<(), SealError> {
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: tree.size(),
            root: tree.root(),
        };
        let text = checkpoint.sign(&self.key);
        let written = lgsp_files::write_whole(&self.checkpoint, text.as_bytes(), Existing::Replace, 0o644);
        written.map_err(|source| SealError::Io {
            path: self.checkpoint.clone(),
            source,
        })
    }
}

fn hash_of(entry: &Entry) -> Digest {
    lgsp_audit::entry_hash(entry.append_ms, &entry.record)
}
